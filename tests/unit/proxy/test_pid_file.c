/* proxy/pid_file.h: written whole, read strictly, removed only while it is ours. */
#include "proxy/pid_file.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/weir-test-pid-XXXXXX";
static char path[64];

static int make_folder(void) {
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/weir.pid", folder);
    return 0;
}

static int remove_folder(void) {
    unlink(path);
    return rmdir(folder); /* fails when something was left beside the file */
}

static void put(const char *text) {
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static void test_write_and_read(void) {
    struct stat status;
    CU_ASSERT_TRUE(pid_file_write(path, 4711));
    CU_ASSERT_EQUAL(pid_file_read(path), 4711);
    CU_ASSERT_TRUE(pid_file_write(path, 12));
    CU_ASSERT_EQUAL(pid_file_read(path), 12);
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_size, 3);
    CU_ASSERT_FALSE(pid_file_write("/nonexistent/weir.pid", 1));
}

static void test_what_is_no_number(void) {
    static const char *const texts[] = {"", "\n", "x\n", "12x\n", "-5\n", "0\n", "99999999999\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put(texts[i]);
        CU_ASSERT_EQUAL(pid_file_read(path), 0);
    }
    put("77");
    CU_ASSERT_EQUAL(pid_file_read(path), 77);
    unlink(path);
    CU_ASSERT_EQUAL(pid_file_read(path), 0);
}

static void test_remove(void) {
    CU_ASSERT_TRUE(pid_file_write(path, 4711));
    pid_file_remove(path, 4712);
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    pid_file_remove(path, 4711);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    pid_file_remove(path, 4711);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pid_file", make_folder, remove_folder);
    CU_add_test(suite, "write and read", test_write_and_read);
    CU_add_test(suite, "what is no number", test_what_is_no_number);
    CU_add_test(suite, "remove", test_remove);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
