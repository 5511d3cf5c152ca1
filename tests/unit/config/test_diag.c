/* config/diag.h: the exact texts of messages. */
#include "config/diag.h"

#include "given.h"

static void check_printed(struct diagnostics *diagnostics, const char *expected) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    diagnostics_print(diagnostics, out);
    fclose(out);
    if (strcmp(text, expected) != 0) {
        printf("\n-- printed:\n%s-- expected:\n%s", text, expected);
    }
    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
    diagnostics_free(&diagnostics);
}

static void test_the_specified_message(void) {
    struct given given = give("Listen 80\n\n\n\n\n\n\n\n\n\n\nCBandSpeed 10kps 10 30\n");
    CU_ASSERT_PTR_NULL(given.config);
    CU_ASSERT_STRING_EQUAL(given.messages,
                           "/etc/weir/proxy.conf:12:12: error: CBandSpeed: \"10kps\" is not a speed\n"
                           "    CBandSpeed 10kps 10 30\n"
                           "               ^~~~~\n"
                           "write a number and kbps, Mbps, Gbps (bits) or kb/s, Mb/s, Gb/s (bytes), e.g. \"10kbps\"\n");
    give_back(&given);
}

static void test_tabs_and_characters(void) {
    struct diagnostics *diagnostics = diagnostics_new(false);
    struct diagnostic about = {.place = {"a.conf", 3},
                               .column = 3,
                               .width = 4,
                               .line_text = "\t \xc3\xa4\xc3\xb6 x\x1b",
                               .subject = "\xc3\xa4"};
    diagnostics_add(diagnostics, &about, "no %s", "good");
    check_printed(diagnostics, "a.conf:3:3: error: \xc3\xa4: no good\n    \t \xc3\xa4\xc3\xb6 x?\n    \t ^~\n");
}

static void test_parts_that_may_be_missing(void) {
    struct diagnostics *diagnostics = diagnostics_new(false);
    diagnostics_add(diagnostics, &(struct diagnostic){.place = {"a.conf", 0}}, "cannot be read");
    diagnostics_add(diagnostics, &(struct diagnostic){.place = {"a.conf", 7}, .warning = true, .hint = "do this"},
                    "odd");
    diagnostics_add(diagnostics, &(struct diagnostic){.subject = "Name"}, "nowhere");
    CU_ASSERT_EQUAL(diagnostics->error_count, 2);
    CU_ASSERT_EQUAL(diagnostics->warning_count, 1);
    check_printed(diagnostics,
                  "a.conf: error: cannot be read\na.conf:7: warning: odd\ndo this\nerror: Name: nowhere\n");
}

static void test_strict(void) {
    struct diagnostics *diagnostics = diagnostics_new(true);
    diagnostics_add(diagnostics, &(struct diagnostic){.place = {"a.conf", 7}, .warning = true}, "odd");
    CU_ASSERT_EQUAL(diagnostics->error_count, 1);
    check_printed(diagnostics, "a.conf:7: error: odd\n");
}

static void test_said_once(void) {
    struct diagnostics *diagnostics = diagnostics_new(false);
    diagnostics_add(diagnostics, &(struct diagnostic){.place = {"a.conf", 7}}, "odd");
    diagnostics_add(diagnostics, &(struct diagnostic){.place = {"a.conf", 7}}, "odd");
    check_printed(diagnostics, "a.conf:7: error: odd\n");
}

static void test_bounds(void) {
    struct diagnostics *diagnostics = diagnostics_new(false);
    for (unsigned i = 1; i <= 150; i++) {
        diagnostics_add(diagnostics, &(struct diagnostic){.place = {"a", i}, .warning = true}, "odd");
    }
    CU_ASSERT_EQUAL(diagnostics->count, DIAG_WARNINGS_MAX);
    for (unsigned i = 1; i <= 150; i++) {
        diagnostics_add(diagnostics, &(struct diagnostic){.place = {"a", i}}, "wrong");
    }
    CU_ASSERT_EQUAL(diagnostics->count, DIAG_MAX);
    CU_ASSERT_EQUAL(diagnostics->left_out, 100);
    CU_ASSERT_EQUAL(diagnostics->error_count, 150);
    diagnostics_free(&diagnostics);
}

static void test_long_lines(void) {
    struct diagnostics *diagnostics = diagnostics_new(false);
    char line[1001];
    memset(line, 'x', 1000);
    line[1000] = '\0';
    memcpy(line + 500, " bad ", 5);
    diagnostics_add(diagnostics, &(struct diagnostic){.place = {"a", 1}, .column = 502, .width = 3, .line_text = line},
                    "wrong");
    char expected[1024];
    char before[60];
    memset(before, 'x', 59);
    before[59] = '\0';
    char after[240 - 59 - 5 + 1];
    memset(after, 'x', sizeof after - 1);
    after[sizeof after - 1] = '\0';
    snprintf(expected, sizeof expected, "a:1:502: error: wrong\n    ...%s bad %s...\n%*s^~~\n", before, after,
             4 + 3 + 60, "");
    check_printed(diagnostics, expected);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("diag", NULL, NULL);
    CU_add_test(suite, "the specified message", test_the_specified_message);
    CU_add_test(suite, "tabs and characters", test_tabs_and_characters);
    CU_add_test(suite, "parts that may be missing", test_parts_that_may_be_missing);
    CU_add_test(suite, "strict", test_strict);
    CU_add_test(suite, "said once", test_said_once);
    CU_add_test(suite, "bounds", test_bounds);
    CU_add_test(suite, "long lines", test_long_lines);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
