/* shaper/burst.h, blocks: their list, by hand, kept over a restart, lifted, and told when they end or go on. */
#include "tests/unit/shaper/given_burst.h"

static void block(struct guarded *guarded, unsigned number, double seconds) {
    CU_ASSERT_FALSE(refuses(guarded, number, "/", seconds));
    CU_ASSERT_TRUE(refuses(guarded, number, "/", seconds));
}

static const struct burst_block *find(const struct burst_block_list *list, const char *prefix) {
    struct ip_prefix wanted = prefix_of(prefix);
    for (size_t i = 0; i < list->count; i++) {
        const struct ip_prefix *blocked = &list->blocks[i].blocked;
        if (blocked->length == wanted.length && ip_address_equal(&blocked->address, &wanted.address)) {
            return &list->blocks[i];
        }
    }
    return NULL;
}

static void the_list_says_who_why_and_until_when(void) {
    struct guarded guarded = guarded_new("DOSPageCount 1\nServerName www.example.org\n");
    block(&guarded, 1, 0);
    refuses(&guarded, 1, "/", 3);
    struct ip_prefix network = prefix_of("192.0.2.0/24");
    struct burst_block added;
    CU_ASSERT_TRUE(burst_block_by_hand(guarded.guard, &network, 60, at_s(3), &added));
    CU_ASSERT_EQUAL(added.until_wall_s, at_s(63).wall_s);
    struct burst_block_list list = {0};
    burst_blocks(guarded.guard, at_s(4), &list);
    CU_ASSERT_EQUAL(list.count, 2);
    const struct burst_block *first = find(&list, "10.0.0.1"), *second = find(&list, "192.0.2.0/24");
    CU_ASSERT_TRUE_FATAL(first != NULL && second != NULL);
    CU_ASSERT_EQUAL(first->reason, BURST_REASON_PAGE);
    CU_ASSERT_STRING_EQUAL(burst_host_name(guarded.guard, first->host_id), "www.example.org");
    CU_ASSERT_EQUAL(first->began_wall_s, at_s(0).wall_s);
    CU_ASSERT_EQUAL(first->until_wall_s, at_s(13).wall_s);
    CU_ASSERT_EQUAL(first->refused, 2);
    CU_ASSERT_EQUAL(second->reason, BURST_REASON_BY_HAND);
    CU_ASSERT_EQUAL(second->host_id, BURST_NO_HOST);
    burst_block_list_clear(&list);
    burst_blocks(guarded.guard, at_s(13), &list);
    CU_ASSERT_EQUAL(list.count, 1);
    burst_block_list_clear(&list);
    struct burst_counts counts = burst_counts(guarded.guard);
    CU_ASSERT_EQUAL(counts.blocks_total[BURST_REASON_PAGE], 1);
    CU_ASSERT_EQUAL(counts.blocks_total[BURST_REASON_BY_HAND], 1);
    CU_ASSERT_EQUAL(counts.refused_total[BURST_REASON_PAGE], 2);
    guarded_end(&guarded);
}

static void by_hand_blocks_end_when_they_were_to(void) {
    struct guarded guarded = guarded_new("DOSPageCount 100\n");
    struct ip_prefix one = prefix_of("10.0.0.1"), network = prefix_of("10.0.1.0/24");
    CU_ASSERT_TRUE(burst_block_by_hand(guarded.guard, &one, 20, at_s(0), NULL));
    CU_ASSERT_TRUE(burst_block_by_hand(guarded.guard, &network, 20, at_s(0), NULL));
    CU_ASSERT_TRUE(burst_block_by_hand(guarded.guard, &network, 30, at_s(0), NULL)); /* becomes this one */
    CU_ASSERT_EQUAL(burst_counts(guarded.guard).blocks, 2);
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/", 19));
    CU_ASSERT_EQUAL(guarded.verdict.retry_after_s, 1);
    CU_ASSERT_FALSE(guarded.verdict.is_new);
    CU_ASSERT_TRUE(refuses(&guarded, 256 + 77, "/", 29));
    CU_ASSERT_EQUAL(guarded.verdict.blocked.length, 24);
    CU_ASSERT_FALSE(refuses(&guarded, 2, "/", 19));
    CU_ASSERT_FALSE(refuses(&guarded, 1, "/", 20));
    CU_ASSERT_FALSE(refuses(&guarded, 256 + 77, "/", 30));
    guarded_end(&guarded);
}

static void an_ipv6_address_stands_for_its_client(void) {
    struct guarded guarded = guarded_new("DOSPageCount 100\n");
    struct ip_prefix one = prefix_of("2001:db8:0:1::5"), wide = prefix_of("2001:db8:7::/48");
    struct burst_block added;
    CU_ASSERT_TRUE(burst_block_by_hand(guarded.guard, &one, 20, at_s(0), &added));
    CU_ASSERT_EQUAL(added.blocked.length, 64);
    CU_ASSERT_TRUE(burst_block_by_hand(guarded.guard, &wide, 20, at_s(0), NULL));
    CU_ASSERT_TRUE(refuses_address(&guarded, 0, address_of("2001:db8:0:1::6"), "/", 1));
    CU_ASSERT_TRUE(refuses_address(&guarded, 0, address_of("2001:db8:7:99::6"), "/", 1));
    struct burst_block_list ended = {0};
    struct ip_prefix neighbour = prefix_of("2001:db8:0:1::77");
    CU_ASSERT_EQUAL(burst_unblock(guarded.guard, &neighbour, at_s(1), &ended), 1);
    CU_ASSERT_EQUAL(ended.count, 1);
    CU_ASSERT_FALSE(refuses_address(&guarded, 0, address_of("2001:db8:0:1::6"), "/", 1));
    burst_block_list_clear(&ended);
    guarded_end(&guarded);
}

static void lifting_ends_what_lies_inside(void) {
    struct guarded guarded = guarded_new("DOSPageCount 1\nDOSPageInterval 1000\n");
    for (unsigned i = 0; i < 600; i++) {
        block(&guarded, i, 0);
    }
    struct ip_prefix inner = prefix_of("10.0.1.0/28"), network = prefix_of("10.0.1.0/24");
    CU_ASSERT_TRUE(burst_block_by_hand(guarded.guard, &inner, 500, at_s(0), NULL));
    struct burst_block_list ended = {0};
    CU_ASSERT_EQUAL(burst_unblock(guarded.guard, &network, at_s(1), &ended), 257);
    CU_ASSERT_EQUAL(ended.count, 257);
    for (unsigned i = 0; i < 600; i++) {
        bool lifted = i >= 256 && i < 512;
        CU_ASSERT_EQUAL(refuses(&guarded, i, "/", 1), !lifted); /* and begins from nothing */
    }
    CU_ASSERT_EQUAL(burst_unblock(guarded.guard, NULL, at_s(1), &ended), 600 - 256);
    CU_ASSERT_EQUAL(burst_counts(guarded.guard).blocks, 0);
    burst_block_list_clear(&ended);
    guarded_end(&guarded);
}

static void blocks_survive_a_restart(void) {
    struct guarded before = guarded_new("DOSPageCount 1\n");
    block(&before, 1, 0);
    struct ip_prefix network = prefix_of("10.0.7.0/24");
    burst_block_by_hand(before.guard, &network, 60, at_s(0), NULL);
    struct burst_block_list list = {0};
    burst_blocks(before.guard, at_s(1), &list);
    guarded_end(&before);

    struct guarded after = guarded_new("DOSPageCount 1\n");
    for (size_t i = 0; i < list.count; i++) {
        CU_ASSERT_TRUE(burst_restore(after.guard, &list.blocks[i], at_s(5)));
        CU_ASSERT_FALSE(burst_restore(after.guard, &list.blocks[i], at_s(100)));
    }
    CU_ASSERT_EQUAL(burst_counts(after.guard).blocks_total[BURST_REASON_PAGE], 0);
    CU_ASSERT_TRUE(refuses(&after, 1, "/", 9));
    CU_ASSERT_EQUAL(after.verdict.retry_after_s, 10); /* and is renewed as before */
    CU_ASSERT_TRUE(refuses(&after, 7 * 256 + 1, "/", 59));
    CU_ASSERT_FALSE(refuses(&after, 7 * 256 + 1, "/", 61));
    burst_block_list_clear(&list);
    burst_blocks(after.guard, at_s(10), &list);
    const struct burst_block *kept = find(&list, "10.0.0.1");
    CU_ASSERT_TRUE(kept != NULL && kept->refused == 2 && kept->began_wall_s == at_s(0).wall_s);
    burst_block_list_clear(&list);
    guarded_end(&after);
}

static void the_sweep_tells_of_ends_and_of_going_on(void) {
    struct guarded guarded = guarded_new("DOSPageCount 1\nDOSBlockingPeriod 10\n");
    block(&guarded, 1, 0);
    block(&guarded, 2, 0);
    struct ip_prefix network = prefix_of("192.0.2.0/24");
    burst_block_by_hand(guarded.guard, &network, 12, at_s(0), NULL);
    refuses(&guarded, 2, "/", 7);
    struct burst_changes changes = {0};
    burst_sweep(guarded.guard, at_s(9.9), &changes);
    CU_ASSERT_EQUAL(changes.ended.count + changes.renewed.count, 0);
    burst_sweep(guarded.guard, at_s(10), &changes);
    CU_ASSERT_TRUE(changes.ended.count == 1 && find(&changes.ended, "10.0.0.1") != NULL);
    CU_ASSERT_TRUE_FATAL(changes.renewed.count == 1 && find(&changes.renewed, "10.0.0.2") != NULL);
    CU_ASSERT_EQUAL(changes.renewed.blocks[0].until_wall_s, at_s(17).wall_s);
    burst_changes_clear(&changes);
    burst_sweep(guarded.guard, at_s(16.9), &changes);
    CU_ASSERT_TRUE(changes.ended.count == 1 && find(&changes.ended, "192.0.2.0/24") != NULL);
    burst_sweep(guarded.guard, at_s(17), &changes);
    CU_ASSERT_TRUE(changes.ended.count == 2 && changes.renewed.count == 0);
    CU_ASSERT_EQUAL(burst_counts(guarded.guard).blocks, 0);
    burst_changes_clear(&changes);
    guarded_end(&guarded);
}

/* Blocks of many lengths, renewed at random: each end is told once, in the second in which it comes. */
static void random_blocks_end_when_a_list_says(void) {
    enum { CLIENTS = 300 };
    struct guarded guarded = guarded_new("DOSPageCount 1\n"
                                         "<VirtualHost *:8080>\nServerName a\nDOSBlockingPeriod 1\n</VirtualHost>\n"
                                         "<VirtualHost *:8080>\nServerName b\nDOSBlockingPeriod 7\n</VirtualHost>\n"
                                         "<VirtualHost *:8080>\nServerName c\nDOSBlockingPeriod 40\n</VirtualHost>\n");
    static double until[CLIENTS];
    uint32_t seed = 4;
    struct burst_changes changes = {0};
    for (unsigned second = 0; second < 400; second++) {
        for (unsigned i = 0; i < 40; i++) {
            unsigned number = next_random(&seed) % CLIENTS;
            size_t host = 1 + next_random(&seed) % 3;
            char path[16];
            snprintf(path, sizeof path, "/%u", next_random(&seed) % 3);
            bool was_blocked = until[number] > second;
            struct burst_block_list list = {0};
            CU_ASSERT_TRUE(refuses_address(&guarded, host, client(number), path, second) || !was_blocked);
            CU_ASSERT_TRUE(refuses_address(&guarded, host, client(number), path, second));
            burst_blocks(guarded.guard, at_s(second), &list);
            char address[32];
            snprintf(address, sizeof address, "10.0.%u.%u", number / 256, number % 256);
            const struct burst_block *found = find(&list, address);
            CU_ASSERT_PTR_NOT_NULL_FATAL(found);
            until[number] = (double)(found->until_wall_s - at_s(0).wall_s);
            burst_block_list_clear(&list);
        }
        burst_sweep(guarded.guard, at_s(second + 1), &changes);
        for (unsigned number = 0; number < CLIENTS; number++) {
            char address[32];
            snprintf(address, sizeof address, "10.0.%u.%u", number / 256, number % 256);
            bool ends = until[number] > 0 && until[number] <= second + 1;
            CU_ASSERT_EQUAL_FATAL(find(&changes.ended, address) != NULL, ends);
            until[number] = ends ? 0 : until[number];
        }
        burst_changes_clear(&changes);
    }
    guarded_end(&guarded);
}

static void blocks_outlive_a_changed_ipv6_prefix(void) {
    struct guarded guarded = guarded_new("DOSPageCount 1\n");
    for (size_t i = 0; i < 2; i++) {
        refuses_address(&guarded, 0, address_of("2001:db8:0:1::5"), "/", 0);
    }
    block(&guarded, 1, 0);
    guarded_apply(&guarded, "DOSPageCount 1\nDOSIPv6Prefix 48\n");
    CU_ASSERT_TRUE(refuses_address(&guarded, 0, address_of("2001:db8:0:1::6"), "/", 8));
    CU_ASSERT_TRUE(refuses_address(&guarded, 0, address_of("2001:db8:0:1::6"), "/", 17)); /* still renewed */
    CU_ASSERT_FALSE(refuses_address(&guarded, 0, address_of("2001:db8:0:2::6"), "/", 8));
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/", 8));
    guarded_end(&guarded);
}

static void the_list_of_networks_is_bounded(void) {
    struct guarded guarded = guarded_new("DOSPageCount 1\n");
    struct ip_prefix network = {{.family = IP_V4}, 24};
    unsigned added = 0;
    for (unsigned i = 0; i < 5000; i++) {
        network.address.bytes[1] = (uint8_t)(i >> 8);
        network.address.bytes[2] = (uint8_t)i;
        added += burst_block_by_hand(guarded.guard, &network, 10, at_s(0), NULL) ? 1 : 0;
    }
    CU_ASSERT_EQUAL(added, 1024);
    struct ip_prefix none = {0};
    CU_ASSERT_FALSE(burst_block_by_hand(guarded.guard, &none, 10, at_s(0), NULL));
    guarded_end(&guarded);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(the_list_says_who_why_and_until_when),
                                        TEST(by_hand_blocks_end_when_they_were_to),
                                        TEST(an_ipv6_address_stands_for_its_client),
                                        TEST(lifting_ends_what_lies_inside),
                                        TEST(blocks_survive_a_restart),
                                        TEST(the_sweep_tells_of_ends_and_of_going_on),
                                        TEST(random_blocks_end_when_a_list_says),
                                        TEST(blocks_outlive_a_changed_ipv6_prefix),
                                        TEST(the_list_of_networks_is_bounded),
                                        CU_TEST_INFO_NULL};
    return run_suite("burst_blocks", tests);
}
