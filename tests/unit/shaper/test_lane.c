/* shaper/lane.h: the size of a quantum, debts that follow a changed rate, bytes without a reservation. */
#include "shaper/lane.h"

#include "tests/unit/shaper/given.h"

static const int64_t start_ns = 900 * SECOND_NS;

static void a_quantum_is_a_turns_part_of_the_share(void) {
    uint32_t seed = 2;
    for (unsigned round = 0; round < 2000; round++) {
        struct lane lane = {0};
        uint64_t rate = 1 + ((uint64_t)next_random(&seed) << (next_random(&seed) % 16));
        unsigned holders = next_random(&seed) % 200, turns_per_s = 1 + next_random(&seed) % 100;
        atomic_store(&lane.holders, holders);
        uint64_t share = lane_share_bytes_per_s(&lane, rate, false), fair = rate / 8 / (holders + 1) / turns_per_s;
        CU_ASSERT_EQUAL(lane_quantum_bytes(share, turns_per_s), fair < 2896 ? 2896 : fair > 131072 ? 131072 : fair);
        CU_ASSERT_EQUAL(lane_share_bytes_per_s(&lane, rate, true), rate / 8 / (holders > 0 ? holders : 1));
    }
}

static void what_is_settled_counts_once(void) {
    uint32_t seed = 4;
    struct lane lane = {0};
    uint64_t sent = 0;
    for (unsigned i = 0; i < 3000; i++) {
        uint64_t bytes = 1 + next_random(&seed) % 65536, unsent = next_random(&seed) % (bytes + 1);
        lane_reserve(&lane, 80000000, bytes, start_ns);
        lane_settle(&lane, unsent);
        sent += bytes - unsent;
    }
    CU_ASSERT_EQUAL(atomic_load(&lane.holders), 0);
    int64_t expected_ns = (int64_t)(sent * 100) - LANE_BURST_NS; /* 10 MB/s, and the burst */
    CU_ASSERT_DOUBLE_EQUAL((double)lane_excess_debt_ns(&lane, 80000000, start_ns), (double)expected_ns, 3000);
}

/* What is owed is bytes: at a tenth of the rate it takes ten times as long. */
static void debts_follow_the_rate(void) {
    struct lane lane = {0};
    lane_owe(&lane, 8000, 1000 + 50, start_ns);
    CU_ASSERT_DOUBLE_EQUAL((double)lane_excess_debt_ns(&lane, 8000, start_ns), 1e9, 1e3);
    CU_ASSERT_DOUBLE_EQUAL((double)lane_excess_debt_ns(&lane, 800, start_ns), 1e10, 1e4);
    CU_ASSERT_DOUBLE_EQUAL((double)lane_excess_debt_ns(&lane, 80000, start_ns), 1e8, 1e2);
    int64_t at_ns = lane_reserve(&lane, 80000, 1000, start_ns);
    CU_ASSERT_DOUBLE_EQUAL((double)(at_ns - start_ns), 1e8, 1e2);
    lane_excess_debt_ns(&lane, 8000, start_ns);
    lane_settle(&lane, 1000); /* at the rate that holds now */
    CU_ASSERT_DOUBLE_EQUAL((double)lane_excess_debt_ns(&lane, 8000, start_ns), 1e9, 1e3);
}

/* Those who wait keep their places: the whole line is stretched or shrunk, whoever looks first, and late. */
static void a_line_moves_with_the_rate(void) {
    struct lane lane = {0};
    int64_t at_ns[20], changed_ns = start_ns + 3000000;
    for (size_t i = 0; i < 20; i++) {
        at_ns[i] = lane_reserve(&lane, 8000000, 2000, start_ns);
    }
    for (size_t i = 20; i-- > 0;) {
        int64_t late_ns = changed_ns + (int64_t)(20 - i) * 1000;
        int64_t moved_ns = lane_move(&lane, 8000000, 800000, at_ns[i], i == 19 ? changed_ns : late_ns);
        int64_t wait_ns = at_ns[i] > changed_ns ? (at_ns[i] - changed_ns) * 10 : at_ns[i] - changed_ns;
        CU_ASSERT_DOUBLE_EQUAL((double)(moved_ns - changed_ns), (double)wait_ns, 2);
    }
}

static void bytes_without_a_reservation_are_owed(void) {
    struct lane lane = {0};
    lane_owe(&lane, 800000, 100000000, start_ns);
    CU_ASSERT_DOUBLE_EQUAL((double)lane_excess_debt_ns(&lane, 800000, start_ns), 1e12 - (double)LANE_BURST_NS, 1e6);
    lane_owe(&lane, 1, UINT64_C(1) << 40, start_ns); /* the slowest rate, far too much: no overflow */
    CU_ASSERT_TRUE(lane_reserve(&lane, 1, 65536, start_ns) > start_ns);
}

struct holder {
    struct lane *lane;
    uint64_t sent;
    uint32_t seed;
};

static void *reserve_and_settle(void *argument) {
    struct holder *holder = argument;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t bytes = 1000, unsent = next_random(&holder->seed) % 1001;
        lane_reserve(holder->lane, 8000000, bytes, start_ns);
        lane_settle(holder->lane, unsent);
        holder->sent += bytes - unsent;
    }
    return NULL;
}

static void eight_threads_owe_what_they_sent(void) {
    struct lane lane = {0};
    struct holder holders[8];
    uint64_t sent = 0;
    for (size_t i = 0; i < 8; i++) {
        holders[i] = (struct holder){&lane, 0, (uint32_t)i};
    }
    run_eight_threads(reserve_and_settle, holders, sizeof *holders);
    for (size_t i = 0; i < 8; i++) {
        sent += holders[i].sent;
    }
    CU_ASSERT_EQUAL(atomic_load(&lane.holders), 0);
    CU_ASSERT_DOUBLE_EQUAL((double)lane_excess_debt_ns(&lane, 8000000, start_ns),
                           (double)sent * 1000 - (double)LANE_BURST_NS, 1e4);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(a_quantum_is_a_turns_part_of_the_share),
                                        TEST(what_is_settled_counts_once),
                                        TEST(debts_follow_the_rate),
                                        TEST(a_line_moves_with_the_rate),
                                        TEST(bytes_without_a_reservation_are_owed),
                                        TEST(eight_threads_owe_what_they_sent),
                                        CU_TEST_INFO_NULL};
    return run_suite("lane", tests);
}
