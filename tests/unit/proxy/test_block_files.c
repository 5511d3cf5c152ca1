/* proxy/block_files.h: files that appear and go, and that no link and no file of somebody else is touched. */
#include "proxy/block_files.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/weir-dos-XXXXXX";
static struct block_files *files;

static struct ip_prefix prefix(const char *text) {
    struct ip_prefix parsed = {0};
    CU_ASSERT_TRUE_FATAL(ip_prefix_parse(span_of(text), false, &parsed));
    return parsed;
}

static const char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static bool exists(const char *name) {
    struct stat status;
    return lstat(path_of(name), &status) == 0;
}

static void put(const char *name, const char *content) {
    FILE *file = fopen(path_of(name), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(content, file);
    fclose(file);
}

static void read_into(const char *name, char *text, size_t size) {
    FILE *file = fopen(path_of(name), "r");
    size_t length = file != NULL ? fread(text, 1, size - 1, file) : 0;
    text[length] = '\0';
    if (file != NULL) {
        fclose(file);
    }
}

static bool make(const char *blocked) {
    struct ip_prefix parsed = prefix(blocked);
    char error[200] = "";
    bool made = block_files_make(files, directory, &parsed, error, sizeof error);
    CU_ASSERT_EQUAL(made, error[0] == '\0');
    return made;
}

static void end(const char *blocked) {
    struct ip_prefix parsed = prefix(blocked);
    block_files_remove(files, &parsed);
}

static void a_file_comes_and_goes(void) {
    char text[64], own[64];
    snprintf(own, sizeof own, "%ld\n", (long)getpid());
    CU_ASSERT_TRUE(make("192.0.2.7"));
    CU_ASSERT_TRUE(make("2001:db8:0:1::/64"));
    read_into("dos-192.0.2.7", text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, own);
    CU_ASSERT_TRUE(exists("dos-2001:db8:0:1::"));
    CU_ASSERT_EQUAL(block_files_count(files), 2);
    end("192.0.2.7");
    end("192.0.2.8"); /* never made */
    CU_ASSERT_FALSE(exists("dos-192.0.2.7"));
    CU_ASSERT_TRUE(exists("dos-2001:db8:0:1::"));
    CU_ASSERT_TRUE(make("2001:db8:0:1::/64")); /* once more without an end */
    CU_ASSERT_EQUAL(block_files_count(files), 1);
    block_files_free(&files);
    CU_ASSERT_FALSE(exists("dos-2001:db8:0:1::"));
    files = block_files_new(1000);
}

static void a_stale_one_of_ours_is_replaced(void) {
    char text[64];
    put("dos-192.0.2.7", "999999\n");
    CU_ASSERT_TRUE(make("192.0.2.7"));
    read_into("dos-192.0.2.7", text, sizeof text);
    CU_ASSERT_EQUAL(strtol(text, NULL, 10), getpid());
    end("192.0.2.7");
}

static void links_and_files_of_others_are_left_alone(void) {
    char text[64];
    put("victim", "4711\n");
    CU_ASSERT_EQUAL(symlink(path_of("victim"), "/dev/null/x"), -1);
    char target[256];
    snprintf(target, sizeof target, "%s", path_of("victim"));
    CU_ASSERT_EQUAL(symlink(target, path_of("dos-192.0.2.1")), 0);
    CU_ASSERT_EQUAL(symlink("nowhere", path_of("dos-192.0.2.2")), 0);
    CU_ASSERT_EQUAL(link(target, path_of("dos-192.0.2.3")), 0);
    put("dos-192.0.2.4", "not a number\n");
    put("dos-192.0.2.5", "");
    CU_ASSERT_EQUAL(mkfifo(path_of("dos-192.0.2.6"), 0600), 0);
    CU_ASSERT_EQUAL(mkdir(path_of("dos-192.0.2.8"), 0700), 0);
    static const char *const blocked[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4",
                                          "192.0.2.5", "192.0.2.6", "192.0.2.8"};
    for (size_t i = 0; i < sizeof blocked / sizeof *blocked; i++) {
        char name[64];
        CU_ASSERT_FALSE(make(blocked[i]));
        end(blocked[i]);
        snprintf(name, sizeof name, "dos-%s", blocked[i]);
        CU_ASSERT_TRUE(exists(name));
    }
    CU_ASSERT_FALSE(exists("nowhere"));
    read_into("victim", text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "4711\n");
    CU_ASSERT_EQUAL(block_files_count(files), 0);
    CU_ASSERT_EQUAL(block_files_sweep(files, directory), 0);
    rmdir(path_of("dos-192.0.2.8"));
    for (size_t i = 0; i < 6; i++) {
        snprintf(text, sizeof text, "dos-%s", blocked[i]);
        unlink(path_of(text));
    }
}

static void a_user_of_another_name_keeps_his(void) {
    if (geteuid() != 0) {
        return; /* only root can make one */
    }
    put("dos-192.0.2.7", "999999\n");
    CU_ASSERT_EQUAL(chown(path_of("dos-192.0.2.7"), 65534, 65534), 0);
    CU_ASSERT_FALSE(make("192.0.2.7"));
    CU_ASSERT_TRUE(exists("dos-192.0.2.7"));
    unlink(path_of("dos-192.0.2.7"));
}

/* Between begin and end somebody puts another file there: it is not ours to remove. */
static void the_end_removes_only_what_was_made(void) {
    CU_ASSERT_TRUE(make("192.0.2.7"));
    CU_ASSERT_EQUAL(unlink(path_of("dos-192.0.2.7")), 0);
    put("dos-192.0.2.7", "1\n"); /* as a successor does after USR2 */
    end("192.0.2.7");
    CU_ASSERT_TRUE(exists("dos-192.0.2.7"));
    unlink(path_of("dos-192.0.2.7"));
}

static void a_start_removes_what_nobody_answers_for(void) {
    pid_t ended = fork();
    if (ended == 0) {
        _exit(0);
    }
    CU_ASSERT_EQUAL(waitpid(ended, NULL, 0), ended);
    char text[32];
    snprintf(text, sizeof text, "%ld\n", (long)ended);
    put("dos-192.0.2.1", text);
    put("dos-192.0.2.2.bak", text);
    put("other", text);
    snprintf(text, sizeof text, "%ld\n", (long)getppid());
    put("dos-192.0.2.3", text); /* another weir that runs */
    struct block_files *fresh = block_files_new(10);
    CU_ASSERT_EQUAL(block_files_sweep(fresh, directory), 1);
    CU_ASSERT_FALSE(exists("dos-192.0.2.1"));
    CU_ASSERT_TRUE(exists("dos-192.0.2.2.bak"));
    CU_ASSERT_TRUE(exists("other"));
    CU_ASSERT_TRUE(exists("dos-192.0.2.3"));
    CU_ASSERT_EQUAL(block_files_sweep(fresh, "/nonexistent"), 0);
    block_files_free(&fresh);
    unlink(path_of("dos-192.0.2.2.bak"));
    unlink(path_of("dos-192.0.2.3"));
    unlink(path_of("other"));
}

static void there_are_only_so_many(void) {
    struct block_files *few = block_files_new(3);
    char error[200];
    for (unsigned i = 0; i < 5; i++) {
        struct ip_prefix blocked = prefix("192.0.2.0/32");
        blocked.address.bytes[3] = (uint8_t)i;
        CU_ASSERT_EQUAL(block_files_make(few, directory, &blocked, error, sizeof error), i < 3);
    }
    CU_ASSERT_EQUAL(block_files_count(few), 3);
    struct ip_prefix blocked = prefix("192.0.2.9");
    CU_ASSERT_FALSE(block_files_make(few, "/nonexistent", &blocked, error, sizeof error));
    block_files_free(&few);
    CU_ASSERT_FALSE(exists("dos-192.0.2.0"));
}

int main(void) {
    if (mkdtemp(directory) == NULL || CU_initialize_registry() != CUE_SUCCESS) {
        return 1;
    }
    files = block_files_new(1000);
    CU_pSuite suite = CU_add_suite("block_files", NULL, NULL);
    CU_ADD_TEST(suite, a_file_comes_and_goes);
    CU_ADD_TEST(suite, a_stale_one_of_ours_is_replaced);
    CU_ADD_TEST(suite, links_and_files_of_others_are_left_alone);
    CU_ADD_TEST(suite, a_user_of_another_name_keeps_his);
    CU_ADD_TEST(suite, the_end_removes_only_what_was_made);
    CU_ADD_TEST(suite, a_start_removes_what_nobody_answers_for);
    CU_ADD_TEST(suite, there_are_only_so_many);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    block_files_free(&files);
    unlink(path_of("victim"));
    return rmdir(directory) != 0 || failures != 0;
}
