/* config/log_format.c: formats taken apart, and what is said of wrong ones. */
#include "config/log_format.h"

#include <stdio.h>
#include <string.h>

#include <CUnit/Basic.h>

static struct arena arena;

static struct log_format parsed(const char *text) {
    struct log_format format = {.items = NULL};
    const char *problem = "", *hint = "";
    arena_reset(&arena);
    if (!log_format_parse(text, &arena, &format, &problem, &hint)) {
        printf("\n%s: %s; %s\n", text, problem, hint);
        CU_FAIL_FATAL("the format should be understood");
    }
    return format;
}

static void test_items(void) {
    struct log_format format = parsed("%h a\\tb\\\\\\q\"%{User-Agent}i\" %>s%%");
    CU_ASSERT_EQUAL_FATAL(format.item_count, 6);
    CU_ASSERT_EQUAL(format.items[0].code, LOG_CODE_CLIENT_NAME);
    CU_ASSERT_PTR_NULL(format.items[0].text.ptr);
    CU_ASSERT_EQUAL(format.items[1].code, LOG_CODE_NONE);
    CU_ASSERT_STRING_EQUAL(format.items[1].text.ptr, " a\tb\\\\q\"");
    CU_ASSERT_EQUAL(format.items[2].code, LOG_CODE_REQUEST_FIELD);
    CU_ASSERT_STRING_EQUAL(format.items[2].text.ptr, "User-Agent");
    CU_ASSERT_EQUAL(format.items[4].code, LOG_CODE_STATUS);
    CU_ASSERT_EQUAL(format.items[5].code, LOG_CODE_PERCENT);
    CU_ASSERT_EQUAL(parsed("").item_count, 0);
    CU_ASSERT_STRING_EQUAL(parsed("x\\").items[0].text.ptr, "x\\");
}

static void test_arguments(void) {
    CU_ASSERT_STRING_EQUAL(parsed("%{WEIR-Reason}x").items[0].text.ptr, "weir-reason");
    CU_ASSERT_STRING_EQUAL(parsed("%{SSL_CLIENT_S_DN}x").items[0].text.ptr, "SSL_CLIENT_S_DN");
    CU_ASSERT_STRING_EQUAL(parsed("%{ms}T").items[0].text.ptr, "ms");
    CU_ASSERT_PTR_NULL(parsed("%{}t").items[0].text.ptr);
    CU_ASSERT_PTR_NULL(parsed("%{x}B").items[0].text.ptr);
    CU_ASSERT_EQUAL(parsed("%{X}^ti").items[0].code, LOG_CODE_REQUEST_TRAILER);
    CU_ASSERT_EQUAL(parsed("%^FB").items[0].code, LOG_CODE_FIRST_BYTE_TIME);
}

static void test_statuses(void) {
    struct log_format format = parsed("%400,501{User-agent}i%!200,304,302{Referer}i%{X}>404i");
    CU_ASSERT_EQUAL(format.items[0].status_count, 2);
    CU_ASSERT_EQUAL(format.items[0].statuses[1], 501);
    CU_ASSERT_FALSE(format.items[0].statuses_negated);
    CU_ASSERT_EQUAL(format.items[1].status_count, 3);
    CU_ASSERT_TRUE(format.items[1].statuses_negated);
    CU_ASSERT_EQUAL(format.items[2].statuses[0], 404);
    CU_ASSERT_STRING_EQUAL(format.items[2].text.ptr, "X");
}

static void expect_error(const char *text, const char *wanted_problem, const char *wanted_hint) {
    struct log_format format;
    const char *problem = "", *hint = "";
    arena_reset(&arena);
    if (log_format_parse(text, &arena, &format, &problem, &hint) || strstr(problem, wanted_problem) == NULL ||
        strstr(hint, wanted_hint) == NULL) {
        printf("\n%s: %s; %s\n", text, problem, hint);
        CU_FAIL("another error was expected");
    }
}

static void test_errors(void) {
    expect_error("%h %Z", "\"%Z\" is no format code that weir knows", "write %% for a percent sign, or one of %a %A");
    expect_error("%h %", "\"%\" is no format code", "%{…}i");
    expect_error("%{a}^tx", "is no format code", "%{…}^ti");
    expect_error("%{Referer", "\"%{Referer\" has no closing }", "write %{Name}i");
    expect_error("%i", "\"%i\" lacks a name", "write %{name}i");
    expect_error("%{}C", "\"%{}C\" lacks a name", "write %{name}C");
    expect_error("%{weir-decisoin}x", "\"%{weir-decisoin}x\" is not known", "did you mean \"%{weir-decision}x\"?");
    expect_error("%{hours}T", "\"%{hours}T\" is not known", "in the braces before T may stand s ms us");
    expect_error("%{zzzzzzz}p", "\"%{zzzzzzz}p\" is not known", "canonical local remote");
    expect_error("%4{X}i", "does not begin with status codes", "%400,501{User-agent}i");
    expect_error("%4000{X}i", "does not begin with status codes", "three digits");
    char many[500] = "%";
    for (size_t i = 0; i < 65; i++) {
        strcat(many, "200,");
    }
    strcat(many, "s");
    expect_error(many, "does not begin with status codes", "up to 64");
}

int main(void) {
    arena_init(&arena, NULL, 0);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("log_format", NULL, NULL);
    CU_add_test(suite, "items", test_items);
    CU_add_test(suite, "arguments", test_arguments);
    CU_add_test(suite, "statuses", test_statuses);
    CU_add_test(suite, "errors", test_errors);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_reset(&arena);
    return failures == 0 ? 0 : 1;
}
