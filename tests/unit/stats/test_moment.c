/* stats/moment.h: what times are understood as, and what is no time. */
#include "stats/moment.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <time.h>

static void times_are_spans_of_local_time(void) {
    static const struct {
        const char *text;
        int64_t begin_s, end_s;
    } cases[] = {
        {"2026-01", 1767222000, 1769900400},          {"2026-03", 1772319600, 1774994400}, /* summer time begins */
        {"2026-03-29", 1774738800, 1774821600},       {"2026-10-25", 1792879200, 1792969200},
        {"2026-01-31T14", 1769864400, 1769868000},    {"2026-01-31 14", 1769864400, 1769868000},
        {"2026-01-31T14:30", 1769866200, 1769866200}, {"@1790000000", 1790000000, 1790000000},
        {"2024-02-29", 1709161200, 1709247600},       {"@0", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct period_span span = {-1, -1};
        CU_ASSERT_TRUE(moment_parse(cases[i].text, &span));
        CU_ASSERT_EQUAL(span.begin_s, cases[i].begin_s);
        CU_ASSERT_EQUAL(span.end_s, cases[i].end_s);
    }
}

static void what_is_no_time(void) {
    static const char *const texts[] = {"",
                                        "2026",
                                        "2026-",
                                        "2026-13",
                                        "2026-00",
                                        "2026-1",
                                        "2026-02-30",
                                        "2026-02-29",
                                        "2026-01-32",
                                        "2026-01-01T",
                                        "2026-01T",
                                        "2026-01-01T24",
                                        "2026-01-01T1:30",
                                        "2026-01-01T10:60",
                                        "@",
                                        "@-1",
                                        "@12x",
                                        "@9999999999999",
                                        "yesterday",
                                        " 2026-01",
                                        "2026-01 ",
                                        "+026-01",
                                        "2026-01-01T10:3",
                                        "2026-01-01T10:30:00"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct period_span span;
        CU_ASSERT_FALSE(moment_parse(texts[i], &span));
    }
}

static void times_are_printed(void) {
    char text[MOMENT_TEXT_MAX];
    moment_print(1769866200, text);
    CU_ASSERT_STRING_EQUAL(text, "2026-01-31 14:30");
    moment_print_exactly(1769866200, text);
    CU_ASSERT_STRING_EQUAL(text, "2026-01-31T14:30:00+01:00");
    moment_print_exactly(INT64_MAX, text);
    CU_ASSERT_EQUAL(text[0], '@');
}

int main(void) {
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("moment", NULL, NULL);
    CU_ADD_TEST(suite, times_are_spans_of_local_time);
    CU_ADD_TEST(suite, what_is_no_time);
    CU_ADD_TEST(suite, times_are_printed);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
