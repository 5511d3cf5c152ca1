/* shaper/pacer.h: never more than the rate and one burst over any window, never less under steady demand, alone and
 * with eight threads on one pacer. */
#include "shaper/pacer.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <stdlib.h>

#define SECOND_NS INT64_C(1000000000)

static const int64_t start_ns = 5000 * SECOND_NS;

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* A sender that always has something: after a second it has sent what the rate allows, and the burst. */
static void steady_demand_gets_the_rate(void) {
    static const uint64_t rates[] = {8192, 65536, 1000000, 12345678, 1000000000, 10000000000};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct pacer pacer = {0};
        struct pace pace = {rates[i], SECOND_NS / 10};
        uint64_t units = rates[i] / 1000 + 1, sent = 0;
        int64_t end_ns = start_ns + 100 * SECOND_NS;
        while (pacer_reserve(&pacer, pace, units, start_ns) < end_ns) {
            sent += units;
        }
        double expected = (double)rates[i] * 100.1;
        CU_ASSERT_DOUBLE_EQUAL((double)sent, expected, expected * 1e-4 + (double)units);
    }
}

/* Random demand: in no window more than rate x window + burst + the piece at its edge. */
static void no_window_exceeds_the_rate(void) {
    enum { PIECES = 4000 };
    static int64_t at_ns[PIECES];
    static uint64_t sent_before[PIECES + 1];
    struct pace pace = {800000, SECOND_NS / 10};
    uint32_t seed = 7;
    struct pacer pacer = {0};
    int64_t now_ns = start_ns;
    uint64_t largest = 0;
    for (size_t i = 0; i < PIECES; i++) {
        uint64_t units = 1 + next_random(&seed) % 20000;
        now_ns += next_random(&seed) % (SECOND_NS / 20);
        int64_t when_ns = pacer_reserve(&pacer, pace, units, now_ns);
        at_ns[i] = when_ns > now_ns ? when_ns : now_ns;
        now_ns = at_ns[i];
        sent_before[i + 1] = sent_before[i] + units;
        largest = units > largest ? units : largest;
    }
    for (size_t from = 0; from < PIECES; from += 7) {
        for (size_t to = from; to < PIECES; to += 13) {
            double window_s = (double)(at_ns[to] - at_ns[from]) / 1e9;
            double allowed = 800000 * (window_s + 0.1) + (double)largest + 1;
            CU_ASSERT_TRUE((double)(sent_before[to + 1] - sent_before[from]) <= allowed);
        }
    }
}

static void idle_time_saves_up_one_burst_at_most(void) {
    struct pacer pacer = {0};
    struct pace pace = {1000, SECOND_NS / 10};
    pacer_reserve(&pacer, pace, 1, start_ns);
    int64_t later_ns = start_ns + 3600 * SECOND_NS;
    CU_ASSERT_TRUE(pacer_reserve(&pacer, pace, 100, later_ns) <= later_ns);
    CU_ASSERT_TRUE(pacer_reserve(&pacer, pace, 1, later_ns) <= later_ns);
    CU_ASSERT_TRUE(pacer_reserve(&pacer, pace, 1, later_ns) > later_ns);
}

static void giving_back_undoes_a_reservation(void) {
    struct pacer pacer = {0};
    struct pace pace = {333333, SECOND_NS / 10};
    uint32_t seed = 3;
    pacer_reserve(&pacer, pace, 1000, start_ns);
    int64_t before = atomic_load(&pacer.promised_until);
    for (size_t i = 0; i < 1000; i++) {
        uint64_t units = 1 + next_random(&seed) % 100000;
        pacer_reserve(&pacer, pace, units, start_ns);
        pacer_give_back(&pacer, pace, units);
        CU_ASSERT_EQUAL(atomic_load(&pacer.promised_until), before);
    }
}

static void patience_takes_all_or_nothing(void) {
    struct pacer pacer = {0};
    struct pace pace = {10, 0};
    unsigned taken = 0;
    for (size_t i = 0; i < 100; i++) {
        int64_t before = atomic_load(&pacer.promised_until);
        if (pacer_reserve_within(&pacer, pace, 1, start_ns, 2 * SECOND_NS) == INT64_MAX) {
            CU_ASSERT_EQUAL(atomic_load(&pacer.promised_until), before);
        } else {
            taken++;
        }
    }
    CU_ASSERT_EQUAL(taken, 21); /* at 0, 100 ms, …, 2 s */
    CU_ASSERT_EQUAL(pacer_debt_ns(&pacer, start_ns), 21 * SECOND_NS / 10);
    CU_ASSERT_EQUAL(pacer_debt_ns(&pacer, start_ns + 10 * SECOND_NS), 0);
}

/* What is owed stays the same number of units, so it takes as much longer as the new rate is slower. */
/* What may go at once is taken as by a reservation; what may not is left. */
static void taking_at_once_is_reserving_without_patience(void) {
    for (uint32_t seed = 1; seed <= 50; seed++) {
        struct pacer taken = {0}, reserved = {0};
        uint64_t rate = 1 + next_random(&seed) % 100000, units = 1 + next_random(&seed) % 50;
        int64_t cost_parts = pacer_cost_parts((struct pace){rate, 0}, 1), now_ns = start_ns;
        int64_t burst_parts = pacer_burst_parts(cost_parts, units);
        struct pace pace = {rate, burst_parts / PACER_PARTS_PER_NS};
        CU_ASSERT_EQUAL(burst_parts % PACER_PARTS_PER_NS, 0);
        unsigned at_once = 0;
        for (unsigned i = 0; i < 2000; i++) {
            now_ns += (int64_t)(next_random(&seed) % (uint64_t)(SECOND_NS / (int64_t)rate + 1)) * (i % 3);
            bool goes = pacer_reserve_within(&reserved, pace, 1, now_ns, 0) != INT64_MAX;
            CU_ASSERT_EQUAL(pacer_take_at_once(&taken, cost_parts, burst_parts, now_ns), goes);
            CU_ASSERT_EQUAL(atomic_load(&taken.promised_until), atomic_load(&reserved.promised_until));
            at_once += goes ? 1 : 0;
        }
        CU_ASSERT_TRUE(at_once >= units);
    }
}

static void a_changed_rate_changes_the_wait(void) {
    uint32_t seed = 13;
    for (unsigned round = 0; round < 1000; round++) {
        struct pacer pacer = {0};
        uint64_t old_rate = 1 + next_random(&seed), new_rate = 1 + next_random(&seed);
        uint64_t units = 1 + next_random(&seed) % 1000000;
        pacer_reserve(&pacer, (struct pace){old_rate, 0}, units, start_ns);
        pacer_change_rate(&pacer, old_rate, new_rate, start_ns);
        double expected_ns = (double)units * 1e9 / (double)new_rate;
        CU_ASSERT_DOUBLE_EQUAL((double)pacer_debt_ns(&pacer, start_ns), expected_ns,
                               2 + (double)old_rate / (double)new_rate);
        pacer_change_rate(&pacer, old_rate, new_rate, start_ns + (int64_t)expected_ns * 2 + SECOND_NS);
        CU_ASSERT_EQUAL(pacer_debt_ns(&pacer, start_ns + (int64_t)expected_ns * 2 + SECOND_NS), 0);
    }
}

static void no_amount_overflows(void) {
    struct pacer pacer = {0};
    for (unsigned i = 0; i < 100; i++) {
        CU_ASSERT_TRUE(pacer_reserve(&pacer, (struct pace){1, 0}, UINT64_C(1) << 32, start_ns) >= start_ns);
    }
    pacer_change_rate(&pacer, UINT64_MAX, 1, start_ns);
    CU_ASSERT_TRUE(pacer_debt_ns(&pacer, start_ns) > 0);
}

struct share {
    struct pacer *pacer;
    uint64_t units;
    pthread_t thread;
};

static void *reserve_for_a_minute(void *argument) {
    struct share *share = argument;
    struct pace pace = {80000000, 0};
    while (pacer_reserve(share->pacer, pace, 8000, start_ns) < start_ns + 60 * SECOND_NS) {
        share->units += 8000;
    }
    return NULL;
}

static void eight_threads_share_one_rate(void) {
    struct pacer pacer = {0};
    struct share shares[8] = {0};
    uint64_t total = 0;
    for (size_t i = 0; i < 8; i++) {
        shares[i].pacer = &pacer;
        pthread_create(&shares[i].thread, NULL, reserve_for_a_minute, &shares[i]);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(shares[i].thread, NULL);
        total += shares[i].units;
    }
    CU_ASSERT_EQUAL(total, UINT64_C(80000000) * 60);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pacer", NULL, NULL);
    CU_ADD_TEST(suite, steady_demand_gets_the_rate);
    CU_ADD_TEST(suite, no_window_exceeds_the_rate);
    CU_ADD_TEST(suite, idle_time_saves_up_one_burst_at_most);
    CU_ADD_TEST(suite, giving_back_undoes_a_reservation);
    CU_ADD_TEST(suite, patience_takes_all_or_nothing);
    CU_ADD_TEST(suite, taking_at_once_is_reserving_without_patience);
    CU_ADD_TEST(suite, a_changed_rate_changes_the_wait);
    CU_ADD_TEST(suite, no_amount_overflows);
    CU_ADD_TEST(suite, eight_threads_share_one_rate);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
