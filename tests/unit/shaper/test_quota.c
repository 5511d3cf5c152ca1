/* shaper/quota.h against a model that steps through time, with a clock that steps, reloads, restarts and threads. */
#include "shaper/quota.h"

#include <string.h>

#include "tests/unit/shaper/given.h"

enum { CLASSES = 3 };

static void set_limits(struct quota *quota, struct period_rule rule, uint64_t limit, const uint64_t *class_limits) {
    struct quota_class_limit classes[CLASSES];
    for (size_t i = 0; i < CLASSES; i++) {
        classes[i] = (struct quota_class_limit){i, class_limits != NULL ? class_limits[i] : 0};
    }
    struct quota_limits limits = {rule, limit, 0, classes, CLASSES};
    quota_set_limits(quota, &limits);
}

/* The model: counts of the present period, which begins every period_s after the start. */
struct model {
    struct period_rule rule;
    uint64_t limit, class_limits[CLASSES], used, class_used[CLASSES];
    int64_t begin_s;
};

static uint64_t model_allowed(const struct model *model, uint64_t limit, int64_t now_s) {
    if (model->rule.slice_s == 0) {
        return limit;
    }
    uint64_t slice = (uint64_t)(now_s - model->begin_s) / model->rule.slice_s;
    uint64_t allowed = (slice + 1) * limit * model->rule.slice_s / model->rule.period_s;
    return allowed < limit ? allowed : limit;
}

static void model_move_to(struct model *model, int64_t now_s) {
    while (now_s - model->begin_s >= (int64_t)model->rule.period_s) {
        model->begin_s += (int64_t)model->rule.period_s;
        model->used = 0;
        memset(model->class_used, 0, sizeof model->class_used);
    }
}

static void random_traffic_matches_the_model(void) {
    uint32_t seed = 31;
    for (unsigned round = 0; round < 100; round++) {
        struct model model = {.begin_s = 100000};
        model.rule = (struct period_rule){PERIOD_SECONDS, 5 + next_random(&seed) % 100, next_random(&seed) % 30};
        model.limit = next_random(&seed) % 3 == 0 ? 0 : 1 + next_random(&seed) % 5000;
        for (size_t i = 0; i < CLASSES; i++) {
            model.class_limits[i] = next_random(&seed) % 2 == 0 ? 0 : 1 + next_random(&seed) % 2000;
        }
        struct quota quota;
        quota_init(&quota, sizeof(struct quota_class));
        set_limits(&quota, model.rule, model.limit, model.class_limits);
        int64_t now_s = model.begin_s;
        for (unsigned step = 0; step < 1000; step++) {
            size_t id = next_random(&seed) % CLASSES;
            struct quota_class *class = quota_class_of(&quota, id);
            model_move_to(&model, now_s);
            unsigned expected = 0;
            expected |= model.limit > 0 && model.used > model_allowed(&model, model.limit, now_s) ? 1 : 0;
            expected |= model.class_limits[id] > 0 &&
                                model.class_used[id] > model_allowed(&model, model.class_limits[id], now_s)
                            ? 2
                            : 0;
            CU_ASSERT_EQUAL(quota_exceeded(&quota, class, now_s), expected);
            uint64_t bytes = next_random(&seed) % 100;
            quota_count(&quota, class, bytes, now_s);
            model.used += bytes;
            model.class_used[id] += bytes;
            now_s += next_random(&seed) % 50 == 0 ? next_random(&seed) % 300 : next_random(&seed) % 3;
        }
        quota_destroy(&quota);
    }
}

static void a_month_of_traffic(void) {
    struct quota quota;
    quota_init(&quota, sizeof(struct quota_class));
    struct period_rule rule = {PERIOD_SECONDS, 86400, 0};
    set_limits(&quota, rule, 1000000, NULL);
    uint64_t served = 0;
    for (int64_t now_s = 1700000000; now_s < 1700000000 + 30 * INT64_C(86400); now_s += 10) {
        if (quota_exceeded(&quota, NULL, now_s) == 0) {
            quota_count(&quota, NULL, 1000, now_s);
            served += 1000;
        }
    }
    CU_ASSERT_EQUAL(served, 30 * 1001000); /* each day up to the request that crosses the limit */
    quota_destroy(&quota);
}

static void the_wait_ends_when_more_is_allowed(void) {
    struct quota quota;
    quota_init(&quota, sizeof(struct quota_class));
    set_limits(&quota, (struct period_rule){PERIOD_SECONDS, 24, 6}, 40000, NULL);
    quota_count(&quota, NULL, 10001, 500);
    for (int64_t now_s = 500; now_s < 506; now_s++) {
        CU_ASSERT_EQUAL(quota_exceeded(&quota, NULL, now_s), QUOTA_TOTAL_EXCEEDED);
        CU_ASSERT_EQUAL(quota_next_allowance_s(&quota, now_s), 506 - now_s);
    }
    CU_ASSERT_EQUAL(quota_exceeded(&quota, NULL, 506), 0);
    set_limits(&quota, (struct period_rule){PERIOD_NONE, 0, 0}, 40000, NULL);
    CU_ASSERT_EQUAL(quota_next_allowance_s(&quota, 507), 0);
    quota_destroy(&quota);
}

static void a_client_is_judged_in_the_hosts_period(void) {
    struct quota quota;
    quota_init(&quota, sizeof(struct quota_class));
    struct quota_limits limits = {.period = {PERIOD_SECONDS, 100, 50}, .client_limit_bytes = 1000};
    quota_set_limits(&quota, &limits);
    uint64_t epoch = quota_epoch(&quota, 1000);
    CU_ASSERT_FALSE(quota_client_exceeded(&quota, 500, 1000));
    CU_ASSERT_TRUE(quota_client_exceeded(&quota, 501, 1000));
    CU_ASSERT_FALSE(quota_client_exceeded(&quota, 501, 1050));
    CU_ASSERT_TRUE(quota_client_exceeded(&quota, 1001, 1050));
    CU_ASSERT_EQUAL(quota_epoch(&quota, 1099), epoch);
    CU_ASSERT_EQUAL(quota_epoch(&quota, 1100), epoch + 1);
    quota_reset(&quota, 1101);
    CU_ASSERT_EQUAL(quota_epoch(&quota, 1101), epoch + 2);
    quota_destroy(&quota);
}

static uint64_t used_bytes(struct quota *quota) {
    struct quota_state state;
    quota_snapshot(quota, &state, NULL, 0);
    return state.used_bytes;
}

static void a_clock_that_steps_loses_nothing(void) {
    struct quota quota;
    struct period_rule day = {PERIOD_SECONDS, 86400, 0};
    quota_init(&quota, sizeof(struct quota_class));
    set_limits(&quota, day, 1000, NULL);
    int64_t start_s = 1700000000, later_s = start_s + 86400;
    quota_count(&quota, NULL, 10, start_s);
    quota_count(&quota, NULL, 1, later_s); /* the second day */
    CU_ASSERT_EQUAL(used_bytes(&quota), 1);
    quota_count(&quota, NULL, 2, later_s - 1); /* a worker whose clock is a second behind: nothing is forgotten twice */
    quota_count(&quota, NULL, 4, later_s);
    CU_ASSERT_EQUAL(used_bytes(&quota), 7);
    set_limits(&quota, day, 1000, NULL); /* nor when that worker is the first to look after a reload */
    quota_count(&quota, NULL, 0, later_s - 1);
    quota_count(&quota, NULL, 0, later_s + 100);
    CU_ASSERT_EQUAL(used_bytes(&quota), 7);
    quota_count(&quota, NULL, 8, start_s + 5000); /* set back by hours: the count goes on in the first day … */
    CU_ASSERT_EQUAL(used_bytes(&quota), 15);
    quota_count(&quota, NULL, 16, later_s); /* … and the second begins again when it is time */
    CU_ASSERT_EQUAL(used_bytes(&quota), 16);
    quota_destroy(&quota);

    quota_init(&quota, sizeof(struct quota_class)); /* the first request came with a clock a year ahead */
    set_limits(&quota, day, 1000, NULL);
    quota_count(&quota, NULL, 5, start_s + 365 * INT64_C(86400));
    quota_count(&quota, NULL, 6, start_s);
    CU_ASSERT_EQUAL(used_bytes(&quota), 11);
    quota_count(&quota, NULL, 7, start_s + 86400);
    CU_ASSERT_EQUAL(used_bytes(&quota), 7);
    quota_destroy(&quota);
}

static void changed_limits_keep_what_was_used(void) {
    struct quota quota;
    quota_init(&quota, sizeof(struct quota_class));
    set_limits(&quota, (struct period_rule){PERIOD_SECONDS, 86400, 0}, 1000, NULL);
    quota_count(&quota, quota_class_of(&quota, 1), 500, 1700000000);
    CU_ASSERT_EQUAL(quota_exceeded(&quota, quota_class_of(&quota, 1), 1700000001), 0);
    set_limits(&quota, (struct period_rule){PERIOD_CALENDAR_DAY, 0, 0}, 400, (uint64_t[]){0, 499, 0});
    CU_ASSERT_EQUAL(quota_exceeded(&quota, quota_class_of(&quota, 1), 1700000001), 3);
    CU_ASSERT_EQUAL(quota_exceeded(&quota, quota_class_of(&quota, 2), 1700000001), 1);
    set_limits(&quota, (struct period_rule){PERIOD_SECONDS, 600, 0}, 400, NULL);
    CU_ASSERT_EQUAL(quota_exceeded(&quota, NULL, 1700000599), 1);
    CU_ASSERT_EQUAL(quota_exceeded(&quota, NULL, 1700000600), 0);
    CU_ASSERT_EQUAL(used_bytes(&quota), 0);
    quota_destroy(&quota);
}

static void a_reset_begins_a_new_period(void) {
    struct quota quota;
    quota_init(&quota, sizeof(struct quota_class));
    set_limits(&quota, (struct period_rule){PERIOD_SECONDS, 100, 0}, 50, NULL);
    quota_count(&quota, NULL, 60, 1000);
    quota_reset(&quota, 1030);
    CU_ASSERT_EQUAL(quota_exceeded(&quota, NULL, 1030), 0);
    quota_count(&quota, NULL, 60, 1030);
    CU_ASSERT_EQUAL(quota_exceeded(&quota, NULL, 1129), QUOTA_TOTAL_EXCEEDED);
    CU_ASSERT_EQUAL(quota_exceeded(&quota, NULL, 1130), 0);
    quota_destroy(&quota);
}

static void a_restart_goes_on_where_it_was(void) {
    struct quota before, after;
    quota_init(&before, sizeof(struct quota_class));
    quota_init(&after, sizeof(struct quota_class));
    struct period_rule rule = {PERIOD_SECONDS, 100, 25};
    set_limits(&before, rule, 1000, (uint64_t[]){100, 0, 0});
    set_limits(&after, rule, 1000, (uint64_t[]){100, 0, 0});
    quota_count(&before, quota_class_of(&before, 0), 99, 5000);
    quota_count(&before, quota_class_of(&before, 7), 1, 5000);
    struct quota_state state;
    struct quota_class_state classes[8];
    size_t count = quota_snapshot(&before, &state, classes, 8);
    CU_ASSERT_EQUAL(count, 4);
    CU_ASSERT_EQUAL(state.used_bytes, 100);
    CU_ASSERT_EQUAL(state.start_s, 5000);
    quota_resume(&after, &state, classes, count, 5001);
    for (int64_t now_s = 5001; now_s < 5110; now_s++) {
        CU_ASSERT_EQUAL(quota_exceeded(&after, quota_class_of(&after, 0), now_s),
                        quota_exceeded(&before, quota_class_of(&before, 0), now_s));
    }
    CU_ASSERT_EQUAL(used_bytes(&after), 0); /* the next period has begun */
    quota_resume(&after, &state, classes, count, 5250);
    CU_ASSERT_EQUAL(quota_exceeded(&after, NULL, 5250), 0); /* weir was down when the period ended */
    CU_ASSERT_EQUAL(used_bytes(&after), 0);
    quota_destroy(&before);
    quota_destroy(&after);
}

/* A period is configured while weir is down: its first one goes on with what was counted without any. */
static void a_restart_with_a_new_period_keeps_what_was_used(void) {
    struct quota before, after;
    quota_init(&before, sizeof(struct quota_class));
    quota_init(&after, sizeof(struct quota_class));
    set_limits(&before, (struct period_rule){PERIOD_NONE, 0, 0}, 1000, NULL);
    set_limits(&after, (struct period_rule){PERIOD_SECONDS, 100, 0}, 1000, NULL);
    quota_count(&before, NULL, 1001, 5000);
    struct quota_state state;
    quota_snapshot(&before, &state, NULL, 0);
    quota_resume(&after, &state, NULL, 0, 5001);
    CU_ASSERT_EQUAL(quota_exceeded(&after, NULL, 5099), QUOTA_TOTAL_EXCEEDED);
    CU_ASSERT_EQUAL(quota_exceeded(&after, NULL, 5100), 0);
    quota_destroy(&before);
    quota_destroy(&after);
}

static void what_was_not_sent_is_taken_back_from_its_own_period(void) {
    struct quota quota;
    quota_init(&quota, sizeof(struct quota_class));
    set_limits(&quota, (struct period_rule){PERIOD_SECONDS, 10, 0}, 1000, NULL);
    struct quota_class *class = quota_class_of(&quota, 3);
    uint64_t epoch = quota_count(&quota, class, 1001, 1000);
    CU_ASSERT_EQUAL(quota_exceeded(&quota, NULL, 1000), QUOTA_TOTAL_EXCEEDED);
    quota_take_back(&quota, class, 1, epoch);
    CU_ASSERT_EQUAL(quota_exceeded(&quota, NULL, 1000), 0);
    CU_ASSERT_EQUAL(atomic_load(&quota.used_bytes), 1000);
    CU_ASSERT_EQUAL(atomic_load(&class->used_bytes), 1000);
    quota_take_back(&quota, NULL, 400, epoch);
    CU_ASSERT_EQUAL(atomic_load(&class->used_bytes), 1000);
    quota_count(&quota, class, 7, 1010);
    quota_take_back(&quota, class, 5, epoch);
    CU_ASSERT_EQUAL(atomic_load(&quota.used_bytes), 7);
    CU_ASSERT_EQUAL(atomic_load(&class->used_bytes), 7);
    quota_destroy(&quota);
}

struct counter {
    struct quota *quota;
    size_t class_id;
};

static void *count_up_to_a_boundary_and_beyond(void *argument) {
    struct counter *counter = argument;
    for (int64_t i = 0; i < 20000; i++) {
        struct quota_class *class = quota_class_of(counter->quota, (counter->class_id + (size_t)i) % 8);
        int64_t now_s = 1000 + i / 1000;
        quota_exceeded(counter->quota, class, now_s);
        quota_count(counter->quota, class, 1, now_s);
    }
    return NULL;
}

/* The period ends at 1010 for some while others are still in 1009: each byte counted after the last of them has seen
 * the new period is there, and none of the new period is forgotten by the slower ones. */
static void eight_threads_begin_one_period(void) {
    struct quota quota;
    quota_init(&quota, sizeof(struct quota_class));
    set_limits(&quota, (struct period_rule){PERIOD_SECONDS, 10, 0}, 1000, NULL);
    struct counter counters[8];
    for (size_t i = 0; i < 8; i++) {
        counters[i] = (struct counter){&quota, i};
    }
    quota_epoch(&quota, 1000);
    uint64_t epoch = quota_epoch(&quota, 1000);
    run_eight_threads(count_up_to_a_boundary_and_beyond, counters, sizeof *counters);
    CU_ASSERT_EQUAL(quota_epoch(&quota, 1019), epoch + 1);
    struct quota_state state;
    struct quota_class_state classes[16];
    size_t count = quota_snapshot(&quota, &state, classes, 16);
    CU_ASSERT_EQUAL(count, 8);
    CU_ASSERT_TRUE(state.used_bytes >= 80000 && state.used_bytes <= 160000);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += classes[i].used_bytes;
    }
    /* A thread between its two additions when the counts are zeroed leaves a byte of difference. */
    CU_ASSERT_TRUE(sum + 8 >= state.used_bytes && sum <= state.used_bytes + 8);
    quota_destroy(&quota);
}

/* ---- what other processes counted ---- */

static struct quota begun_quota(struct period_rule rule, int64_t start_s, uint64_t used_bytes) {
    struct quota quota;
    quota_init(&quota, sizeof(struct quota_class));
    set_limits(&quota, rule, 0, NULL);
    quota_count(&quota, NULL, used_bytes, start_s);
    return quota;
}

static uint64_t used_and_start(struct quota *quota, int64_t *start_s) {
    struct quota_state state;
    quota_snapshot(quota, &state, NULL, 0);
    *start_s = state.start_s;
    return state.used_bytes;
}

static void a_merge_looks_at_the_period(void) {
    static const struct {
        struct period_rule rule;
        int64_t begin_s; /* of what is merged: 7 bytes; ours is 1000, with 100 bytes */
        uint64_t expected;
    } vectors[] = {
        {{PERIOD_NONE, 0, 0}, 5, 107},           {{PERIOD_NONE, 0, 0}, 5000000, 107},
        {{PERIOD_SECONDS, 60, 0}, 1000, 107},    {{PERIOD_SECONDS, 60, 0}, 1059, 107},
        {{PERIOD_SECONDS, 60, 0}, 941, 107},     {{PERIOD_SECONDS, 60, 0}, 940, 100},
        {{PERIOD_SECONDS, 60, 0}, 1060, 7},      {{PERIOD_CALENDAR_DAY, 0, 0}, -86400, 100},
        {{PERIOD_CALENDAR_DAY, 0, 0}, 86400, 7},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct quota quota = begun_quota(vectors[i].rule, 1000, 100);
        struct quota_state state = {vectors[i].begin_s, vectors[i].begin_s, 7};
        int64_t start_s;
        quota_merge(&quota, &state, QUOTA_IN_TOTAL);
        CU_ASSERT_EQUAL(used_and_start(&quota, &start_s), vectors[i].expected);
        quota_destroy(&quota);
    }
}

static void what_was_kept_is_resumed(void) {
    static const struct period_rule minute = {PERIOD_SECONDS, 60, 0};
    struct quota_state kept = {970, 970, 7}, ended = {900, 900, 7};
    int64_t start_s;
    struct quota quota = begun_quota(minute, 1000, 100);
    quota_resume(&quota, &kept, NULL, 0, 1001); /* both counts, on the grid of what was kept */
    CU_ASSERT_EQUAL(used_and_start(&quota, &start_s), 107);
    CU_ASSERT_EQUAL(start_s, 970);
    quota_count(&quota, NULL, 1, 1029);
    CU_ASSERT_EQUAL(used_and_start(&quota, &start_s), 108);
    quota_count(&quota, NULL, 1, 1030);
    CU_ASSERT_EQUAL(used_and_start(&quota, &start_s), 1);
    quota_destroy(&quota);
    quota = begun_quota(minute, 1000, 100);
    quota_resume(&quota, &ended, NULL, 0, 1001); /* its period is over: what was counted here stays */
    CU_ASSERT_EQUAL(used_and_start(&quota, &start_s), 100);
    quota_count(&quota, NULL, 1, 1019);
    CU_ASSERT_EQUAL(used_and_start(&quota, &start_s), 101);
    quota_count(&quota, NULL, 1, 1020);
    CU_ASSERT_EQUAL(used_and_start(&quota, &start_s), 1);
    quota_destroy(&quota);
}

int main(void) {
    setenv("TZ", "UTC", 1);
    static const CU_TestInfo tests[] = {TEST(random_traffic_matches_the_model),
                                        TEST(a_month_of_traffic),
                                        TEST(the_wait_ends_when_more_is_allowed),
                                        TEST(a_client_is_judged_in_the_hosts_period),
                                        TEST(a_clock_that_steps_loses_nothing),
                                        TEST(changed_limits_keep_what_was_used),
                                        TEST(a_reset_begins_a_new_period),
                                        TEST(a_restart_goes_on_where_it_was),
                                        TEST(a_restart_with_a_new_period_keeps_what_was_used),
                                        TEST(what_was_not_sent_is_taken_back_from_its_own_period),
                                        TEST(eight_threads_begin_one_period),
                                        TEST(a_merge_looks_at_the_period),
                                        TEST(what_was_kept_is_resumed),
                                        CU_TEST_INFO_NULL};
    return run_suite("quota", tests);
}
