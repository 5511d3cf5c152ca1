/* proxy/log.c: how a line looks, its level, its context, and that nothing in it can be a second line. */
#include "proxy/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "config/arena.h"

/* stderr of the lines that `write_lines` writes; in memory that the next call frees. */
static char *caught;

static const char *catch (void (*write_lines)(void)) {
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    write_lines();
    dup2(saved, STDERR_FILENO);
    close(saved);
    long bytes = ftell(file);
    fseek(file, 0, SEEK_END);
    bytes = ftell(file);
    rewind(file);
    free(caught);
    caught = must_calloc(1, (size_t)bytes + 1);
    CU_ASSERT_EQUAL(fread(caught, 1, (size_t)bytes, file), (size_t)bytes);
    fclose(file);
    return caught;
}

static void write_simple(void) {
    errno = ENOENT;
    log_warn("%d of %s\n", 3, "them");
    CU_ASSERT_EQUAL(errno, ENOENT);
}

static void test_line(void) {
    const char *line = catch (write_simple);
    /* 2026-11-21 10:11:12.345 [warn] 3 of them */
    CU_ASSERT_EQUAL(strspn(line, "0123456789-:. "), LOG_TIME_BYTES);
    CU_ASSERT_STRING_EQUAL(line + LOG_TIME_BYTES, "[warn] 3 of them\n");
}

static void write_all_levels(void) {
    log_set_level(LOG_LEVEL_WARN);
    CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_WARN);
    log_error("one");
    log_notice("two");
    log_debug("three");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("four");
    log_set_level(LOG_LEVEL_NOTICE);
}

static void test_levels(void) {
    const char *lines = catch (write_all_levels);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "[error] one\n"));
    CU_ASSERT_PTR_NULL(strstr(lines, "two"));
    CU_ASSERT_PTR_NULL(strstr(lines, "three"));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "[debug] four\n"));
    CU_ASSERT_STRING_EQUAL(log_level_name(LOG_LEVEL_EMERG), "emerg");
}

static void print_context(void *subject, FILE *out) {
    fprintf(out, "while reading, client %s: ", (const char *)subject);
}

static void write_with_context(void) {
    static char client[] = "192.0.2.7\n";
    log_name_thread("worker 1");
    log_set_context(print_context, client);
    log_error("it broke");
    log_set_context(NULL, NULL);
    log_error("alone");
    log_name_thread(NULL);
}

static void test_context(void) {
    const char *lines = catch (write_with_context);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "[error] worker 1: while reading, client 192.0.2.7\\x0a: it broke\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "[error] worker 1: alone\n"));
}

static void write_hostile(void) {
    log_warn("%s", "a\nb\tc\x1b[31m\x7f \xc3\xa9 \xff \xc2\x9b \xe2\x80\xa6 \xed\xa0\x80 end");
}

static void test_escaping(void) {
    const char *line = catch (write_hostile);
    CU_ASSERT_STRING_EQUAL(line + LOG_TIME_BYTES,
                           "[warn] a\\x0ab\\x09c\\x1b[31m\\x7f \xc3\xa9 \\xff \\xc2\\x9b \xe2\x80\xa6 "
                           "\\xed\\xa0\\x80 end\n");
}

static void print_long_context(void *subject, FILE *out) {
    (void)subject;
    for (int i = 0; i < 3000; i++) {
        fputs("\x01", out);
    }
}

static void write_long(void) {
    static char text[10000];
    memset(text, 'x', sizeof text - 1);
    log_warn("%s", text);
    memset(text, 1, sizeof text - 1);
    log_warn("%s", text);
    log_set_context(print_long_context, NULL);
    log_warn("%s", text);
    log_set_context(NULL, NULL);
}

static void test_long(void) {
    const char *lines = catch (write_long);
    int count = 0;
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n") + 1;
        CU_ASSERT_TRUE(length > 3000 && length <= LOG_LINE_MAX);
        CU_ASSERT_EQUAL(strncmp(lines + length - 4, "...\n", 4), 0);
        lines += length;
        count++;
    }
    CU_ASSERT_EQUAL(count, 3);
}

static void write_several(void) {
    log_text(LOG_LEVEL_ERROR, "first\n\n  second\nthird");
    log_text(LOG_LEVEL_ERROR, "");
}

static void test_text(void) {
    const char *lines = catch (write_several);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "[error] first\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "[error]   second\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "[error] third\n"));
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("log", NULL, NULL);
    CU_add_test(suite, "a line", test_line);
    CU_add_test(suite, "levels", test_levels);
    CU_add_test(suite, "thread and context", test_context);
    CU_add_test(suite, "no control characters", test_escaping);
    CU_add_test(suite, "long lines are cut", test_long);
    CU_add_test(suite, "several lines of text", test_text);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    free(caught);
    return failures == 0 ? 0 : 1;
}
