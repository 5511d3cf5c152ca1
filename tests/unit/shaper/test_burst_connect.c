/* shaper/burst.h, connections: rate, how many at a time, blocks at accept, and how often a line may be logged. */
#include "tests/unit/shaper/given_burst.h"

static void so_many_at_a_time(void) {
    struct guarded guarded = guarded_new("DOSConcurrentConnections 3\n");
    struct burst_client *counted[4];
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(connects(&guarded, client(1), 0, &counted[i]));
        CU_ASSERT_PTR_NOT_NULL(counted[i]);
    }
    CU_ASSERT_FALSE(connects(&guarded, client(1), 0, &counted[3]));
    CU_ASSERT_PTR_NULL(counted[3]);
    CU_ASSERT_EQUAL(guarded.verdict.reason, BURST_REASON_CONCURRENCY);
    CU_ASSERT_EQUAL(guarded.verdict.count, 4);
    CU_ASSERT_TRUE(guarded.verdict.may_log);
    burst_disconnect(guarded.guard, &counted[1]);
    CU_ASSERT_PTR_NULL(counted[1]);
    CU_ASSERT_TRUE(connects(&guarded, client(1), 0, &counted[1]));
    for (size_t i = 0; i < 4; i++) {
        burst_disconnect(guarded.guard, &counted[i]);
    }
    guarded_end(&guarded);
}

/* The window slides, and who keeps trying stays out. */
static void so_many_within_an_interval(void) {
    struct guarded guarded = guarded_new("DOSConnectionCount 100\nDOSConnectionInterval 60\n");
    struct burst_client *counted;
    for (size_t i = 0; i < 106; i++) {
        CU_ASSERT_EQUAL(connects(&guarded, client(1), 0.01 * (double)i, &counted), i < 100);
        burst_disconnect(guarded.guard, &counted);
    }
    CU_ASSERT_FALSE(connects(&guarded, client(1), 59, &counted));
    CU_ASSERT_EQUAL(guarded.verdict.reason, BURST_REASON_CONNECTION_RATE);
    CU_ASSERT_EQUAL(guarded.verdict.count, 107);
    CU_ASSERT_TRUE(connects(&guarded, client(2), 59, &counted));
    burst_disconnect(guarded.guard, &counted);
    CU_ASSERT_TRUE(connects(&guarded, client(1), 62, &counted));
    burst_disconnect(guarded.guard, &counted);
    guarded_end(&guarded);
}

static void a_steady_client_at_the_limit_always_connects(void) {
    struct guarded guarded = guarded_new("DOSConnectionCount 30\nDOSConnectionInterval 60\n");
    struct burst_client *counted;
    for (size_t i = 0; i < 1000; i++) {
        CU_ASSERT_TRUE(connects(&guarded, client(1), 2.0 * (double)i, &counted));
        burst_disconnect(guarded.guard, &counted);
    }
    guarded_end(&guarded);
}

static void whitelisted_addresses_are_not_counted(void) {
    struct guarded guarded = guarded_new("DOSConcurrentConnections 1\nDOSConnectionCount 1\nDOSWhitelist 10.0.0.*\n");
    struct burst_client *counted;
    for (size_t i = 0; i < 10; i++) {
        CU_ASSERT_TRUE(connects(&guarded, client(1), 0, &counted));
        CU_ASSERT_PTR_NULL(counted);
    }
    guarded_end(&guarded);
}

static void a_block_refuses_connections_where_its_action_ends_them(void) {
    struct guarded guarded = guarded_new("DOSPageCount 1\n");
    struct burst_client *counted;
    refuses(&guarded, 1, "/", 0);
    refuses(&guarded, 1, "/", 0);
    CU_ASSERT_TRUE(connects(&guarded, client(1), 1, &counted)); /* it gets its status */
    guarded_apply(&guarded, "DOSPageCount 1\nDOSBlockAction close\n");
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/", 1));
    struct burst_client *refused;
    CU_ASSERT_FALSE(connects(&guarded, client(1), 9, &refused));
    CU_ASSERT_PTR_NULL(refused);
    CU_ASSERT_EQUAL(guarded.verdict.reason, BURST_REASON_PAGE);
    CU_ASSERT_FALSE(guarded.verdict.may_log);
    CU_ASSERT_FALSE(connects(&guarded, client(1), 18, &refused)); /* the one before has renewed it */
    CU_ASSERT_TRUE(connects(&guarded, client(2), 18, &refused));
    burst_disconnect(guarded.guard, &refused);
    struct ip_prefix network = prefix_of("10.0.0.0/24");
    CU_ASSERT_TRUE(burst_block_by_hand(guarded.guard, &network, 100, at_s(18), NULL));
    CU_ASSERT_FALSE(connects(&guarded, client(3), 19, &refused));
    CU_ASSERT_EQUAL(guarded.verdict.reason, BURST_REASON_BY_HAND);
    burst_disconnect(guarded.guard, &counted);
    guarded_end(&guarded);
}

static void log_only_counts_and_lets_in(void) {
    struct guarded guarded = guarded_new("DOSConcurrentConnections 1\nDOSLogOnly On\n");
    struct burst_client *counted[3];
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(connects(&guarded, client(1), 0, &counted[i]), i == 0);
        CU_ASSERT_PTR_NOT_NULL(counted[i]);
        CU_ASSERT_EQUAL(guarded.verdict.log_only, i > 0);
    }
    for (size_t i = 0; i < 3; i++) {
        burst_disconnect(guarded.guard, &counted[i]);
    }
    guarded_end(&guarded);
}

/* One line a second about a client; what was left out is said by the next one, or by the sweep. */
static void lines_are_rare_and_the_rest_is_said(void) {
    struct guarded guarded = guarded_new("DOSConcurrentConnections 1\n");
    struct burst_client *counted, *refused;
    CU_ASSERT_TRUE(connects(&guarded, client(1), 0, &counted));
    unsigned lines = 0, told = 0;
    for (size_t i = 0; i < 1000; i++) {
        CU_ASSERT_FALSE(connects(&guarded, client(1), 0.005 * (double)i, &refused));
        lines += guarded.verdict.may_log ? 1 : 0;
        told += guarded.verdict.lines_left_out;
    }
    CU_ASSERT_EQUAL(lines, 5);
    burst_disconnect(guarded.guard, &counted);
    struct burst_changes changes = {0};
    burst_sweep(guarded.guard, at_s(4.999), &changes);
    CU_ASSERT_EQUAL(changes.quiet.count, 0);
    burst_sweep(guarded.guard, at_s(5), &changes);
    CU_ASSERT_EQUAL_FATAL(changes.quiet.count, 1);
    CU_ASSERT_EQUAL(changes.quiet.blocks[0].refused + told + lines, 1000);
    CU_ASSERT_EQUAL(changes.quiet.blocks[0].reason, BURST_REASON_CONCURRENCY);
    burst_sweep(guarded.guard, at_s(7), &changes);
    CU_ASSERT_EQUAL(changes.quiet.count, 1);
    burst_changes_clear(&changes);
    guarded_end(&guarded);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(so_many_at_a_time),
                                        TEST(so_many_within_an_interval),
                                        TEST(a_steady_client_at_the_limit_always_connects),
                                        TEST(whitelisted_addresses_are_not_counted),
                                        TEST(a_block_refuses_connections_where_its_action_ends_them),
                                        TEST(log_only_counts_and_lets_in),
                                        TEST(lines_are_rare_and_the_rest_is_said),
                                        CU_TEST_INFO_NULL};
    return run_suite("burst_connect", tests);
}
