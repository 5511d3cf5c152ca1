/* stats/summary.c: the counters in one line. */
#include "stats/summary.h"

#include <string.h>

#include <CUnit/Basic.h>

static void expect(const struct counters_snapshot *snapshot, int64_t uptime_s, const char *wanted) {
    char text[4096] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    stats_summary(snapshot, uptime_s * INT64_C(1000000000), out);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void test_line(void) {
    struct counters_snapshot snapshot = {{0}};
    expect(&snapshot, 0, "up 0 s: nothing counted");
    snapshot.value[COUNTER_REQUESTS] = 340;
    snapshot.value[COUNTER_LOG_LINES_LOST] = 2;
    expect(&snapshot, 59, "up 59 s: requests_total 340, access_log_lines_lost_total 2");
    expect(&snapshot, 3600, "up 1 h 0 min 0 s: requests_total 340, access_log_lines_lost_total 2");
    expect(&snapshot, 90061, "up 1 d 1 h 1 min 1 s: requests_total 340, access_log_lines_lost_total 2");
    expect(&snapshot, -5, "up 0 s: requests_total 340, access_log_lines_lost_total 2");
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("summary", NULL, NULL);
    CU_add_test(suite, "one line", test_line);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
