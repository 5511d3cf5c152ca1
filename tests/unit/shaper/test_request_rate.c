/* shaper/request_rate.h: N at once, then one every 1/N s; never more than that and one burst; refusals take nothing. */
#include "shaper/request_rate.h"

#include "tests/unit/shaper/given.h"

static const int64_t start_ns = 7000 * SECOND_NS;
static const uint32_t rates[] = {1, 2, 3, 5, 7, 10, 30, 333, 1000, 99999};
enum { RATES = sizeof rates / sizeof rates[0] };

static void n_at_once_then_one_every_nth_of_a_second(void) {
    for (size_t i = 0; i < RATES; i++) {
        struct request_rate shared = {0};
        uint32_t rate = rates[i];
        for (uint32_t n = 0; n < rate; n++) {
            CU_ASSERT_EQUAL(request_rate_take(&shared, rate, start_ns, 10 * SECOND_NS).delay_ns, 0);
        }
        for (uint32_t n = 1; n <= 2 * rate; n++) {
            struct request_turn turn = request_rate_take(&shared, rate, start_ns, 10 * SECOND_NS);
            CU_ASSERT_FALSE(turn.refused);
            CU_ASSERT_TRUE(turn.delay_ns > 0);
            CU_ASSERT_DOUBLE_EQUAL((double)turn.delay_ns, 1e9 * n / rate, 1e9 * n / rate * 1e-3 + 2);
        }
    }
}

static void steady_demand_gets_the_rate(void) {
    for (size_t i = 0; i < RATES; i++) {
        struct request_rate shared = {0};
        uint32_t rate = rates[i];
        int64_t now_ns = start_ns, end_ns = start_ns + 20 * SECOND_NS;
        uint64_t served = 0;
        while (now_ns < end_ns) {
            now_ns += request_rate_take(&shared, rate, now_ns, 10 * SECOND_NS).delay_ns;
            served++;
        }
        CU_ASSERT_DOUBLE_EQUAL((double)served, 21.0 * rate, 21.0 * rate * 1e-3 + 1);
    }
}

/* In any window of w seconds at most N + w x N requests begin. */
static void random_demand_never_exceeds_the_rate(void) {
    enum { REQUESTS = 3000 };
    static int64_t begun_ns[REQUESTS];
    uint32_t seed = 21;
    for (unsigned round = 0; round < 5; round++) {
        struct request_rate shared = {0};
        uint32_t rate = 1 + next_random(&seed) % 50;
        int64_t now_ns = start_ns;
        size_t count = 0;
        while (count < REQUESTS) {
            now_ns += next_random(&seed) % (uint32_t)(2 * SECOND_NS / rate) * (next_random(&seed) % 3 == 0);
            struct request_turn turn = request_rate_take(&shared, rate, now_ns, SECOND_NS);
            if (turn.refused) {
                now_ns += SECOND_NS / 4;
            } else {
                begun_ns[count++] = now_ns + turn.delay_ns;
            }
        }
        for (size_t from = 0; from < REQUESTS; from += 11) {
            for (size_t to = from; to < REQUESTS; to += 7) {
                double allowed = rate * (1 + (double)(begun_ns[to] - begun_ns[from]) / 1e9);
                CU_ASSERT_TRUE((double)(to - from + 1) <= allowed + 1e-3);
            }
        }
    }
}

static void a_refusal_takes_nothing_and_says_when_to_come_again(void) {
    struct request_rate shared = {0};
    unsigned served = 0;
    for (unsigned i = 0; i < 1000; i++) {
        struct request_turn turn = request_rate_take(&shared, 10, start_ns, 3 * SECOND_NS);
        served += turn.refused ? 0 : 1;
        if (turn.refused) {
            CU_ASSERT_EQUAL(turn.retry_after_s, 4);
            CU_ASSERT_EQUAL(turn.delay_ns, 0);
        }
    }
    CU_ASSERT_EQUAL(served, 10 + 30);
    CU_ASSERT_EQUAL(request_rate_take(&shared, 10, start_ns + 4 * SECOND_NS, 0).delay_ns, 0);
    CU_ASSERT_TRUE(request_rate_take(&(struct request_rate){0}, 1, start_ns, 0).delay_ns == 0);
}

/* Two rates asked in the same way, one of them by the short way first. */
static void the_short_way_comes_to_the_same(void) {
    uint32_t seed = 9;
    for (size_t i = 0; i < RATES; i++) {
        struct request_rate quick = {0}, careful = {0};
        int64_t now_ns = start_ns;
        for (unsigned n = 0; n < 2000; n++) {
            now_ns += next_random(&seed) % (uint32_t)(2 * SECOND_NS / (rates[i] + 1));
            uint32_t rate = n < 1000 ? rates[i] : rates[(i + 1) % RATES]; /* a reload */
            struct request_turn turn = request_rate_take(&careful, rate, now_ns, SECOND_NS);
            if (request_rate_take_at_once(&quick, rate, now_ns)) {
                CU_ASSERT_TRUE(!turn.refused && turn.delay_ns == 0);
            } else {
                struct request_turn late = request_rate_take(&quick, rate, now_ns, SECOND_NS);
                CU_ASSERT_TRUE(late.refused == turn.refused && late.delay_ns == turn.delay_ns);
            }
            CU_ASSERT_EQUAL(atomic_load(&quick.pacer.promised_until), atomic_load(&careful.pacer.promised_until));
        }
    }
}

static void a_turn_given_back_is_the_next_ones(void) {
    struct request_rate shared = {0};
    for (unsigned i = 0; i < 500; i++) {
        CU_ASSERT_EQUAL(request_rate_take(&shared, 3, start_ns, SECOND_NS).delay_ns, 0);
        request_rate_give_back(&shared);
    }
}

/* What was owed at the old rate is owed at the new one; nobody waits for turns of a rate that no longer holds. */
static void a_changed_rate_holds_at_once(void) {
    struct request_rate shared = {0};
    for (unsigned i = 0; i < 6; i++) {
        request_rate_take(&shared, 1, start_ns, 10 * SECOND_NS);
    }
    CU_ASSERT_EQUAL(request_rate_take(&shared, 1, start_ns, 10 * SECOND_NS).delay_ns, 6 * SECOND_NS);
    CU_ASSERT_EQUAL(request_rate_take(&shared, 100, start_ns, 10 * SECOND_NS).delay_ns, 7 * SECOND_NS / 100);
    CU_ASSERT_EQUAL(request_rate_take(&shared, 2, start_ns, 10 * SECOND_NS).delay_ns, 8 * SECOND_NS / 2);
    request_rate_give_back(&shared);
    CU_ASSERT_EQUAL(request_rate_take(&shared, 2, start_ns, 10 * SECOND_NS).delay_ns, 8 * SECOND_NS / 2);
}

struct asker {
    struct request_rate *rate;
    unsigned served;
};

static void *ask_often(void *argument) {
    struct asker *asker = argument;
    for (unsigned i = 0; i < 5000; i++) {
        asker->served += request_rate_take(asker->rate, 100, start_ns, 9 * SECOND_NS).refused ? 0 : 1;
    }
    return NULL;
}

static void eight_threads_share_one_rate(void) {
    struct request_rate shared = {0};
    struct asker askers[8];
    unsigned served = 0;
    for (size_t i = 0; i < 8; i++) {
        askers[i] = (struct asker){&shared, 0};
    }
    run_eight_threads(ask_often, askers, sizeof *askers);
    for (size_t i = 0; i < 8; i++) {
        served += askers[i].served;
    }
    CU_ASSERT_EQUAL(served, 100 + 900);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(n_at_once_then_one_every_nth_of_a_second),
                                        TEST(steady_demand_gets_the_rate),
                                        TEST(random_demand_never_exceeds_the_rate),
                                        TEST(a_refusal_takes_nothing_and_says_when_to_come_again),
                                        TEST(the_short_way_comes_to_the_same),
                                        TEST(a_turn_given_back_is_the_next_ones),
                                        TEST(a_changed_rate_holds_at_once),
                                        TEST(eight_threads_share_one_rate),
                                        CU_TEST_INFO_NULL};
    return run_suite("request_rate", tests);
}
