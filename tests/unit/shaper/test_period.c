/* shaper/period.h against a model that walks second by second, and against the calendar. */
#include "shaper/period.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <time.h>

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* The model counts periods and slices by stepping through time. */
static void seconds_match_a_walk(void) {
    uint32_t seed = 11;
    for (unsigned round = 0; round < 200; round++) {
        struct period_rule rule = {PERIOD_SECONDS, 1 + next_random(&seed) % 50, next_random(&seed) % 20};
        int64_t start_s = 1000000 + (int64_t)(next_random(&seed) % 1000);
        uint64_t limit = next_random(&seed) % 100000;
        int64_t begin_s = start_s;
        uint64_t slice = 0, in_slice = 0;
        for (int64_t now_s = start_s; now_s < start_s + 200; now_s++) {
            if (now_s - begin_s == (int64_t)rule.period_s) {
                begin_s = now_s;
                slice = in_slice = 0;
            } else if (rule.slice_s > 0 && in_slice == rule.slice_s) {
                slice++;
                in_slice = 0;
            }
            in_slice++;
            struct period_span span = period_at(&rule, start_s, now_s);
            CU_ASSERT_EQUAL(span.begin_s, begin_s);
            CU_ASSERT_EQUAL(span.end_s, begin_s + (int64_t)rule.period_s);
            uint64_t allowed = rule.slice_s > 0 ? (slice + 1) * limit * rule.slice_s / rule.period_s : limit;
            CU_ASSERT_EQUAL(period_allowed_bytes(&rule, &span, limit, now_s), allowed < limit ? allowed : limit);
        }
    }
}

/* The next allowance is the first moment at which more is allowed, or the period's end. */
static void next_allowance_is_when_more_is_allowed(void) {
    struct period_rule rule = {PERIOD_SECONDS, 24, 6};
    for (int64_t now_s = 0; now_s < 72; now_s++) {
        struct period_span span = period_at(&rule, 0, now_s);
        int64_t next_s = period_next_allowance_s(&rule, &span, now_s);
        CU_ASSERT_EQUAL(next_s, (now_s / 6 + 1) * 6);
    }
}

static void a_clock_that_goes_back_stays_in_the_first_period(void) {
    struct period_rule rule = {PERIOD_SECONDS, 3600, 0};
    struct period_span span = period_at(&rule, 10000, 500);
    CU_ASSERT_EQUAL(span.begin_s, 10000);
}

static void reference_vector_40k_in_four_slices(void) {
    struct period_rule rule = {PERIOD_SECONDS, 24, 6};
    struct period_span span = period_at(&rule, 100, 100);
    CU_ASSERT_EQUAL(period_allowed_bytes(&rule, &span, 40000, 100), 10000);
    CU_ASSERT_EQUAL(period_allowed_bytes(&rule, &span, 40000, 106), 20000);
    CU_ASSERT_EQUAL(period_allowed_bytes(&rule, &span, 40000, 112), 30000);
    CU_ASSERT_EQUAL(period_allowed_bytes(&rule, &span, 40000, 123), 40000);
}

static void huge_limits_do_not_overflow(void) {
    struct period_rule rule = {PERIOD_SECONDS, 604800, 86400};
    struct period_span span = period_at(&rule, 0, 0);
    CU_ASSERT_EQUAL(period_allowed_bytes(&rule, &span, UINT64_MAX, 0), UINT64_MAX / 7);
}

static void calendar_periods_follow_local_time(void) {
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    const struct period_rule day = {PERIOD_CALENDAR_DAY, 0, 0}, week = {PERIOD_CALENDAR_WEEK, 0, 0},
                             month = {PERIOD_CALENDAR_MONTH, 0, 0};
    /* 2026-03-29: the clock goes forward, the day has 23 hours; it is a Sunday. */
    struct period_span span = period_at(&day, 0, 1774780200); /* 12:30 local */
    CU_ASSERT_EQUAL(span.end_s - span.begin_s, 23 * 3600);
    span = period_at(&week, 0, 1774780200);
    CU_ASSERT_EQUAL(span.end_s - span.begin_s, 7 * 86400 - 3600);
    span = period_at(&month, 0, 1774780200);
    CU_ASSERT_EQUAL(span.end_s - span.begin_s, 31 * 86400 - 3600);
    for (int64_t now_s = 1700000000; now_s < 1700000000 + 800 * INT64_C(86400); now_s += 7777) {
        const struct period_rule *rules[] = {&day, &week, &month};
        for (size_t i = 0; i < 3; i++) {
            span = period_at(rules[i], 0, now_s);
            CU_ASSERT_TRUE(span.begin_s <= now_s && now_s < span.end_s);
            struct period_span next = period_at(rules[i], 0, span.end_s);
            CU_ASSERT_EQUAL(next.begin_s, span.end_s);
        }
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("period", NULL, NULL);
    CU_ADD_TEST(suite, seconds_match_a_walk);
    CU_ADD_TEST(suite, next_allowance_is_when_more_is_allowed);
    CU_ADD_TEST(suite, a_clock_that_goes_back_stays_in_the_first_period);
    CU_ADD_TEST(suite, reference_vector_40k_in_four_slices);
    CU_ADD_TEST(suite, huge_limits_do_not_overflow);
    CU_ADD_TEST(suite, calendar_periods_follow_local_time);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
