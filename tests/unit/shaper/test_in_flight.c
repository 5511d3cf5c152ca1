/* shaper/in_flight.h against a count by hand, and with eight threads. */
#include "shaper/in_flight.h"

#include "tests/unit/shaper/given.h"

static void random_steps_match_a_count(void) {
    uint32_t seed = 9;
    for (unsigned round = 0; round < 50; round++) {
        struct in_flight count = {0};
        unsigned now = 0, most = 0, limit = next_random(&seed) % 8;
        for (unsigned step = 0; step < 1000; step++) {
            if (next_random(&seed) % 2 == 0) {
                bool may = limit == 0 || now < limit;
                CU_ASSERT_EQUAL(in_flight_enter(&count, limit), may);
                now += may ? 1 : 0;
                most = now > most ? now : most;
            } else if (now > 0) {
                in_flight_leave(&count);
                now--;
            }
            CU_ASSERT_EQUAL(in_flight_now(&count), now);
            CU_ASSERT_EQUAL(in_flight_most(&count), most);
        }
    }
}

static void a_lowered_limit_lets_nobody_in_until_enough_have_left(void) {
    struct in_flight count = {0};
    for (unsigned i = 0; i < 10; i++) {
        CU_ASSERT_TRUE(in_flight_enter(&count, 0));
    }
    for (unsigned i = 0; i < 8; i++) {
        CU_ASSERT_FALSE(in_flight_enter(&count, 3));
        in_flight_leave(&count);
    }
    CU_ASSERT_TRUE(in_flight_enter(&count, 3));
}

struct entrant {
    struct in_flight *count;
    unsigned entered;
};

static void *enter_and_leave(void *argument) {
    struct entrant *entrant = argument;
    for (unsigned i = 0; i < 20000; i++) {
        if (in_flight_enter(entrant->count, 3)) {
            entrant->entered++;
            in_flight_leave(entrant->count);
        }
    }
    return NULL;
}

static void eight_threads_never_pass_the_limit(void) {
    struct in_flight count = {0};
    struct entrant entrants[8];
    for (size_t i = 0; i < 8; i++) {
        entrants[i] = (struct entrant){&count, 0};
    }
    run_eight_threads(enter_and_leave, entrants, sizeof *entrants);
    CU_ASSERT_EQUAL(in_flight_now(&count), 0);
    CU_ASSERT_TRUE(in_flight_most(&count) <= 3);
    for (size_t i = 0; i < 8; i++) {
        CU_ASSERT_TRUE(entrants[i].entered > 0);
    }
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(random_steps_match_a_count),
                                        TEST(a_lowered_limit_lets_nobody_in_until_enough_have_left),
                                        TEST(eight_threads_never_pass_the_limit), CU_TEST_INFO_NULL};
    return run_suite("in_flight", tests);
}
