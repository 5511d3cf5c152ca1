/* shaper/sliding_window.h against a list of all events: it never says more than there were, is exact where it promises
 * to be, and as a limit it has the three properties that the DOS* directives promise. */
#include "shaper/sliding_window.h"

#include "tests/unit/shaper/given.h"

enum { EVENTS_MAX = 20000 };

/* All events, as nobody could afford to keep them. */
struct history {
    int64_t at_ns[EVENTS_MAX];
    size_t count;
};

static uint64_t within(const struct history *history, int64_t interval_ns, int64_t now_ns) {
    uint64_t events = 0;
    for (size_t i = history->count; i-- > 0 && now_ns - history->at_ns[i] < interval_ns;) {
        events++;
    }
    return events;
}

static struct sliding_window *new_window(uint32_t limit, bool beyond_limit, uint32_t interval_s) {
    struct sliding_window *window = malloc(sliding_window_bytes(limit, beyond_limit));
    sliding_window_init(window, limit, beyond_limit, interval_s);
    return window;
}

/* Whether an event passes the limit; one that does not is not counted. */
static bool passes(struct sliding_window *window, uint32_t limit, int64_t now_ns) {
    bool has_room = sliding_window_count(window, now_ns) < limit;
    CU_ASSERT_EQUAL_FATAL(sliding_window_take(window, limit, now_ns), has_room);
    return has_room;
}

/* Gaps of very different lengths, so that bursts and pauses of all sizes come up. */
static int64_t random_gap_ns(uint32_t *seed, int64_t mean_ns) {
    int64_t gap = (int64_t)(next_random(seed) % 1000) * (mean_ns / 500);
    switch (next_random(seed) % 8) {
    case 0:
        return 0;
    case 1:
        return gap * 20;
    case 2:
    case 3:
        return gap / 50;
    default:
        return gap;
    }
}

static void compare(uint32_t limit, bool beyond_limit, uint32_t interval_s, uint32_t seed) {
    static struct history history;
    history.count = 0;
    struct sliding_window *window = new_window(limit, beyond_limit, interval_s);
    int64_t interval_ns = interval_s * SECOND_NS, now_ns = (int64_t)next_random(&seed) * 1000003;
    bool is_exact = limit <= WINDOW_EXACT_MAX && !beyond_limit && interval_s <= 2;
    for (size_t i = 0; i < 3000; i++) {
        now_ns += random_gap_ns(&seed, interval_ns / (limit + 1) + 1);
        uint64_t truth = within(&history, interval_ns, now_ns), said = sliding_window_count(window, now_ns);
        CU_ASSERT_TRUE_FATAL(said <= truth);
        if (!is_exact && (beyond_limit || limit > WINDOW_EXACT_MAX)) { /* forgotten too early: an eighth, not more */
            CU_ASSERT_TRUE_FATAL(said >= within(&history, interval_ns / 8 * 7 - 65536, now_ns));
        }
        if (is_exact) {
            CU_ASSERT_EQUAL_FATAL(said, truth < limit ? truth : limit);
        }
        CU_ASSERT_TRUE_FATAL(beyond_limit || limit > WINDOW_EXACT_MAX || said <= limit);
        uint64_t added = sliding_window_add(window, now_ns);
        CU_ASSERT_TRUE_FATAL(added == said + 1);
        history.at_ns[history.count++] = now_ns;
    }
    free(window);
}

static void it_never_says_more_than_there_were(void) {
    static const uint32_t limits[] = {1, 2, 3, 5, 15, 16, 17, 50, 100, 1000};
    static const uint32_t intervals_s[] = {1, 2, 60, 3600, 100000};
    for (uint32_t seed = 1; seed <= 4; seed++) {
        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
            for (size_t j = 0; j < sizeof intervals_s / sizeof *intervals_s; j++) {
                compare(limits[i], false, intervals_s[j], seed);
                compare(limits[i], true, intervals_s[j], seed);
            }
        }
    }
}

/* A client that keeps within n in every interval, however it spreads them, is never refused. */
static void nobody_within_the_limit_is_refused(void) {
    static struct history history;
    uint32_t seed = 5;
    for (size_t round = 0; round < 300; round++) {
        uint32_t limit = 1 + next_random(&seed) % (round % 2 == 0 ? 20 : 300);
        uint32_t interval_s = 1 + next_random(&seed) % 3;
        int64_t interval_ns = interval_s * SECOND_NS, now_ns = (int64_t)next_random(&seed) * 977;
        struct sliding_window *window = new_window(limit, false, interval_s);
        history.count = 0;
        for (size_t i = 0; i < 2000; i++) {
            now_ns += random_gap_ns(&seed, interval_ns / (2 * limit) + 1);
            if (history.count >= limit && now_ns - history.at_ns[history.count - limit] < interval_ns) {
                now_ns = history.at_ns[history.count - limit] + interval_ns; /* as early as it may */
            }
            CU_ASSERT_TRUE_FATAL(passes(window, limit, now_ns));
            history.at_ns[history.count++] = now_ns;
        }
        free(window);
    }
}

static void a_steady_client_at_the_limit_is_never_refused(void) {
    for (uint32_t limit = 1; limit <= 200; limit++) {
        struct sliding_window *window = new_window(limit, false, 1);
        for (int64_t i = 0; i < 20 * (int64_t)limit; i++) {
            CU_ASSERT_TRUE_FATAL(passes(window, limit, 12345 + i * SECOND_NS / limit));
        }
        free(window);
    }
}

static void at_twice_the_limit_it_is_refused_within_two_intervals(void) {
    uint32_t seed = 9;
    for (uint32_t limit = 1; limit <= 3000; limit = limit < 100 ? limit + 1 : limit * 5 / 4) {
        for (size_t phase = 0; phase < 10; phase++) {
            struct sliding_window *window = new_window(limit, phase % 2 == 1, 1);
            int64_t first_ns = next_random(&seed) * 211;
            /* It was there before, at half the limit. */
            for (int64_t i = -2 * (int64_t)limit; i < 0 && phase % 3 == 0; i++) {
                passes(window, limit, first_ns + i * 2 * SECOND_NS / limit);
            }
            int64_t now_ns = first_ns, step_ns = SECOND_NS / (2 * (int64_t)limit);
            while (passes(window, limit, now_ns)) {
                now_ns += step_ns;
                CU_ASSERT_TRUE_FATAL(now_ns - first_ns <= 2 * SECOND_NS);
            }
            free(window);
        }
    }
}

/* Within one interval, however the burst is spread over it. */
static void of_a_new_clients_burst_the_first_n_pass(void) {
    uint32_t seed = 3;
    for (uint32_t limit = 1; limit <= 400; limit++) {
        for (size_t round = 0; round < 5; round++) {
            struct sliding_window *window = new_window(limit, false, 1);
            int64_t first_ns = next_random(&seed) * 1009, spread_ns = next_random(&seed) % SECOND_NS;
            for (int64_t i = 0; i < limit; i++) {
                CU_ASSERT_TRUE_FATAL(passes(window, limit, first_ns + spread_ns * i / limit));
            }
            CU_ASSERT_FALSE_FATAL(passes(window, limit, first_ns + spread_ns));
            CU_ASSERT_FALSE_FATAL(passes(window, limit, first_ns + SECOND_NS - 1));
            free(window);
        }
    }
}

/* Moments are kept in 32 bits: none of them may seem recent again after the counter has gone round. */
static void a_long_pause_empties_it(void) {
    for (int64_t pause_ns = SECOND_NS; pause_ns < SECOND_NS * 20; pause_ns += 7919 * 1000) {
        struct sliding_window *window = new_window(2, false, 1);
        sliding_window_add(window, 5);
        sliding_window_add(window, 6);
        CU_ASSERT_EQUAL(sliding_window_count(window, 7), 2);
        CU_ASSERT_EQUAL(sliding_window_count(window, 6 + pause_ns), 0);
        sliding_window_add(window, 6 + pause_ns);
        CU_ASSERT_EQUAL(sliding_window_count(window, 6 + pause_ns), 1);
        free(window);
    }
}

/* Workers look at their clocks at different moments. */
static void an_earlier_time_counts_as_the_last(void) {
    struct sliding_window *window = new_window(3, false, 1);
    sliding_window_add(window, 10 * SECOND_NS);
    sliding_window_add(window, 10 * SECOND_NS - 5000);
    CU_ASSERT_EQUAL(sliding_window_count(window, 10 * SECOND_NS - 9000), 2);
    CU_ASSERT_EQUAL(sliding_window_count(window, 11 * SECOND_NS - 1), 2);
    CU_ASSERT_EQUAL(sliding_window_count(window, 11 * SECOND_NS), 0);
    free(window);
}

/* sliding_window_take() only counts where nothing begins or leaves; sliding_window_try() always looks. */
static void the_short_way_comes_to_the_same(void) {
    static const uint32_t intervals_s[] = {1, 2, 3, 60, 3600, 100000};
    for (uint32_t round = 0; round < 240; round++) {
        uint32_t seed = round, interval_s = intervals_s[round % 6], limit = 1 + next_random(&seed) % 400;
        bool beyond_limit = round % 2 == 0;
        struct sliding_window *taken = new_window(limit, beyond_limit, interval_s);
        struct sliding_window *tried = new_window(limit, beyond_limit, interval_s);
        int64_t interval_ns = interval_s * SECOND_NS, now_ns = (int64_t)next_random(&seed) * 1000003;
        for (size_t i = 0; i < 3000; i++) {
            now_ns += random_gap_ns(&seed, interval_ns / (limit + 1) / (1 + round % 5) + 1);
            int64_t early_ns = next_random(&seed) % 4 == 0 ? next_random(&seed) % 3000000 : 0; /* a slower clock */
            bool passes = sliding_window_try(tried, limit, now_ns - early_ns);
            CU_ASSERT_EQUAL_FATAL(sliding_window_take(taken, limit, now_ns - early_ns), passes);
            CU_ASSERT_EQUAL_FATAL(sliding_window_count(taken, now_ns), sliding_window_count(tried, now_ns));
        }
        free(taken);
        free(tried);
    }
}

static void an_interval_may_last_for_decades(void) {
    struct sliding_window *window = new_window(2, false, INT32_MAX);
    int64_t last_ns = 50 + INT32_MAX * SECOND_NS - 2 * SECOND_NS;
    CU_ASSERT_TRUE(passes(window, 2, 50));
    CU_ASSERT_TRUE(passes(window, 2, last_ns - SECOND_NS));
    CU_ASSERT_FALSE(passes(window, 2, last_ns));
    CU_ASSERT_TRUE(passes(window, 2, last_ns + 2 * SECOND_NS));
    free(window);
}

static void it_takes_no_more_than_100_bytes(void) {
    CU_ASSERT_TRUE(sliding_window_bytes(UINT32_MAX, true) <= 100);
    CU_ASSERT_TRUE(sliding_window_bytes(WINDOW_EXACT_MAX, false) <= 100);
    CU_ASSERT_TRUE(sliding_window_bytes(2, false) <= 32);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(it_never_says_more_than_there_were),
                                        TEST(nobody_within_the_limit_is_refused),
                                        TEST(a_steady_client_at_the_limit_is_never_refused),
                                        TEST(at_twice_the_limit_it_is_refused_within_two_intervals),
                                        TEST(of_a_new_clients_burst_the_first_n_pass),
                                        TEST(a_long_pause_empties_it),
                                        TEST(an_earlier_time_counts_as_the_last),
                                        TEST(the_short_way_comes_to_the_same),
                                        TEST(an_interval_may_last_for_decades),
                                        TEST(it_takes_no_more_than_100_bytes),
                                        CU_TEST_INFO_NULL};
    return run_suite("sliding_window", tests);
}
