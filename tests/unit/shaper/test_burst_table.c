/* shaper/burst_table.h through the door: bounds under floods of addresses and pages, who is forgotten and who is not,
 * and eight threads at once. */
#include <malloc.h>

#include "tests/unit/shaper/given_burst.h"

enum { MIB = 1 << 20 };

static struct ip_address random_address(uint32_t *seed) {
    struct ip_address address = {.family = next_random(seed) % 2 == 0 ? IP_V4 : IP_V6};
    for (size_t i = 0; i < (address.family == IP_V4 ? 4 : 8); i++) {
        address.bytes[i] = (uint8_t)(next_random(seed) >> 12);
    }
    return address;
}

/* The budget is of memory, whatever is counted: what malloc gave out is measured, where it can tell. */
static void ten_million_addresses_stay_within_the_budget(void) {
    enum { BUDGET = 64 * MIB, ADDRESSES = 10000000 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    const unsigned addresses = ADDRESSES / 10; /* ten times slower, and malloc is not the C library's */
    const bool measures = false;
#else
    const unsigned addresses = ADDRESSES;
    const bool measures = true;
#endif
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct guarded guarded = guarded_new_sized("DOSRequestCount 10\n", 1000000, BUDGET);
    uint32_t seed = 1;
    CU_ASSERT_FALSE(refuses(&guarded, 1, "/", 0));
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/", 0) || refuses(&guarded, 1, "/", 0));
    struct burst_client *counted;
    CU_ASSERT_TRUE(connects(&guarded, client(2), 0, &counted));
    for (unsigned i = 0; i < addresses; i++) {
        refuses_address(&guarded, 0, random_address(&seed), i % 3 == 0 ? "/a" : "/b", (double)i * 1e-6);
        if (i % 1000000 == 999999) {
            CU_ASSERT_TRUE(burst_counts(guarded.guard).bytes <= BUDGET);
            CU_ASSERT_TRUE(!measures || mallinfo2().uordblks + mallinfo2().hblkhd - before <= BUDGET);
        }
    }
    struct burst_counts counts = burst_counts(guarded.guard);
    CU_ASSERT_TRUE(counts.bytes <= BUDGET);
    CU_ASSERT_TRUE(counts.clients > 50000 && counts.evicted > 100000);
    CU_ASSERT_EQUAL(counts.no_room, 0);
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/", 9.9)); /* blocked, and so not forgotten */
    burst_disconnect(guarded.guard, &counted);
    guarded_end(&guarded);
}

static void there_are_never_more_clients_than_asked_for(void) {
    static const size_t most[] = {1, 10, 1000, 5000};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        struct guarded guarded = guarded_new_sized("DOSPageCount 1\n", most[i], SIZE_MAX);
        uint32_t seed = 2;
        for (unsigned j = 0; j < 20000; j++) {
            CU_ASSERT_FALSE(refuses_address(&guarded, 0, random_address(&seed), "/", 0));
        }
        size_t clients = burst_counts(guarded.guard).clients;
        CU_ASSERT_TRUE(clients <= most[i] && clients >= most[i] * 9 / 10);
        guarded_end(&guarded);
    }
}

/* One that comes back again and again is not pushed out by a flood of addresses that are seen once. */
static void a_flood_of_addresses_hides_nobody(void) {
    struct guarded guarded = guarded_new_sized("DOSPageCount 3\nDOSPageInterval 100\n", 1000, SIZE_MAX);
    uint32_t seed = 3;
    CU_ASSERT_FALSE(refuses(&guarded, 1, "/", 0));
    CU_ASSERT_FALSE(refuses(&guarded, 1, "/", 0));
    for (unsigned j = 0; j < 20000; j++) {
        refuses_address(&guarded, 0, random_address(&seed), "/", 1);
    }
    CU_ASSERT_FALSE(refuses(&guarded, 1, "/", 2));
    for (unsigned j = 0; j < 20000; j++) {
        refuses_address(&guarded, 0, random_address(&seed), "/", 3);
    }
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/", 4));
    guarded_end(&guarded);
}

static void the_blocked_and_the_connected_stay_and_the_rest_passes(void) {
    enum { ROOM = 100 };
    struct guarded guarded = guarded_new_sized("DOSPageCount 1\n", ROOM, SIZE_MAX);
    struct burst_client *counted[ROOM / 2];
    for (unsigned i = 0; i < ROOM / 2; i++) {
        CU_ASSERT_TRUE(connects(&guarded, client(i), 0, &counted[i]));
        CU_ASSERT_FALSE(refuses(&guarded, 1000 + i, "/", 0));
        CU_ASSERT_TRUE(refuses(&guarded, 1000 + i, "/", 0));
    }
    uint32_t seed = 5;
    for (unsigned i = 0; i < 1000; i++) {
        struct ip_address address = random_address(&seed);
        CU_ASSERT_FALSE(refuses_address(&guarded, 0, address, "/", 1));
        CU_ASSERT_FALSE(refuses_address(&guarded, 0, address, "/", 1));
        struct burst_client *none;
        CU_ASSERT_TRUE(connects(&guarded, address, 1, &none));
        CU_ASSERT_PTR_NULL(none);
    }
    CU_ASSERT_EQUAL(burst_counts(guarded.guard).no_room, 3000);
    CU_ASSERT_EQUAL(burst_counts(guarded.guard).clients, ROOM);
    struct ip_prefix another = prefix_of("192.0.2.1");
    CU_ASSERT_FALSE(burst_block_by_hand(guarded.guard, &another, 10, at_s(1), NULL));
    for (unsigned i = 0; i < ROOM / 2; i++) {
        CU_ASSERT_TRUE(refuses(&guarded, 1000 + i, "/", 2));
        burst_disconnect(guarded.guard, &counted[i]);
    }
    CU_ASSERT_TRUE(burst_block_by_hand(guarded.guard, &another, 10, at_s(1), NULL));
    guarded_end(&guarded);
}

/* One client that asks for ever new pages: the windows are bounded, and it is blocked where there is a limit for all.
 */
static void a_flood_of_pages_is_bounded(void) {
    struct guarded guarded = guarded_new_sized("DOSSiteCount Off\nDOSPageCount 2\n", 1000, SIZE_MAX);
    char path[32];
    for (unsigned i = 0; i < 50000; i++) {
        snprintf(path, sizeof path, "/%u", i);
        CU_ASSERT_FALSE(refuses(&guarded, 1, path, 0));
    }
    struct burst_counts counts = burst_counts(guarded.guard);
    CU_ASSERT_TRUE(counts.clients == 1 && counts.windows < 10000);
    CU_ASSERT_EQUAL(counts.no_room, 0);
    guarded_end(&guarded);
}

/* However a client goes from page to page, each has a count of its own, and the host one of all. */
static void each_page_has_its_own_window(void) {
    enum { PAGES = 40, OF_A_PAGE = 50, OF_ALL = 1000 };
    for (uint32_t round = 0; round < 30; round++) {
        struct guarded guarded = guarded_new("DOSPageCount 50\nDOSPageInterval 100\nDOSSiteCount 1000\n"
                                             "DOSSiteInterval 100\n");
        unsigned asked[PAGES] = {0}, total = 0, pages = 1 + round * 7 % PAGES;
        uint32_t seed = round;
        for (bool is_over = false; !is_over; total++) {
            unsigned page = next_random(&seed) % pages;
            char path[16];
            snprintf(path, sizeof path, "/%u", page);
            is_over = asked[page]++ == OF_A_PAGE || total == OF_ALL;
            CU_ASSERT_EQUAL_FATAL(refuses(&guarded, 1, path, total * 0.001), is_over);
        }
        CU_ASSERT_TRUE(total > OF_A_PAGE);
        guarded_end(&guarded);
    }
}

static void a_table_without_room_lets_everybody_pass(void) {
    struct guarded guarded = guarded_new_sized("DOSPageCount 1\nDOSConcurrentConnections 1\n", 0, 0);
    for (unsigned i = 0; i < 10; i++) {
        CU_ASSERT_FALSE(refuses(&guarded, 1, "/", 0));
    }
    CU_ASSERT_EQUAL(burst_counts(guarded.guard).no_room, 10);
    guarded_end(&guarded);
}

/* ---- threads ---- */

struct visitor {
    struct guarded *guarded;
    uint32_t seed;
    uint64_t asked, refused, begun;
};

static void visit_once(struct visitor *visitor, struct pattern_scratch *scratch, double seconds) {
    struct guarded *guarded = visitor->guarded;
    const struct burst_limits *limits = &guarded->config->hosts[0]->burst;
    static const char *const paths[] = {"/a", "/b", "/evil"};
    struct ip_address address = client(next_random(&visitor->seed) % 150);
    struct burst_client *counted = NULL;
    struct burst_verdict verdict;
    if (burst_connect(guarded->guard, limits, &address, at_s(seconds), &verdict, &counted)) {
        return;
    }
    for (unsigned i = next_random(&visitor->seed) % 4; i > 0; i--) {
        struct burst_request request = {.host_id = guarded->host_ids[0],
                                        .client = address,
                                        .path = span_of(paths[next_random(&visitor->seed) % 20 / 9]),
                                        .connected = counted};
        visitor->asked++;
        if (burst_request(guarded->guard, limits, &request, scratch, at_s(seconds), &verdict)) {
            visitor->refused++;
            visitor->begun += verdict.is_new ? 1 : 0;
        }
    }
    burst_disconnect(guarded->guard, &counted);
}

static void *visit(void *argument) {
    struct visitor *visitor = argument;
    struct pattern_scratch *scratch = pattern_scratch_new();
    for (unsigned i = 0; i < 10000; i++) {
        double seconds = i * 0.01;
        visit_once(visitor, scratch, seconds);
        if (i % 500 == 0) {
            struct burst_changes changes = {0};
            struct burst_block_list list = {0};
            struct ip_prefix network = prefix_of("10.0.0.0/28");
            burst_sweep(visitor->guarded->guard, at_s(seconds), &changes);
            burst_block_by_hand(visitor->guarded->guard, &network, 1, at_s(seconds), NULL);
            burst_blocks(visitor->guarded->guard, at_s(seconds), &list);
            burst_unblock(visitor->guarded->guard, &network, at_s(seconds), &list);
            burst_counts(visitor->guarded->guard);
            burst_changes_clear(&changes);
            burst_block_list_clear(&list);
        }
    }
    pattern_scratch_free(scratch);
    return NULL;
}

static void eight_threads_share_a_crowded_guard(void) {
    struct guarded guarded = guarded_new_sized(
        "DOSPageCount 5\nDOSSiteCount 8\nDOSBlocklistUri ^/evil\nDOSConnectionCount 40\nDOSConnectionInterval 1\n"
        "DOSConcurrentConnections 3\nDOSBlockAction close\nDOSBlockingPeriod 1\n",
        100, SIZE_MAX);
    struct visitor visitors[8];
    for (size_t i = 0; i < 8; i++) {
        visitors[i] = (struct visitor){.guarded = &guarded, .seed = (uint32_t)i * 99};
    }
    run_eight_threads(visit, visitors, sizeof *visitors);
    uint64_t asked = 0, refused = 0, begun = 0, blocks_total = 0;
    for (size_t i = 0; i < 8; i++) {
        asked += visitors[i].asked;
        refused += visitors[i].refused;
        begun += visitors[i].begun;
    }
    struct burst_counts counts = burst_counts(guarded.guard);
    for (size_t i = 0; i < BURST_REASONS; i++) {
        blocks_total += i == BURST_REASON_BY_HAND ? 0 : counts.blocks_total[i];
    }
    CU_ASSERT_EQUAL(begun, blocks_total);
    CU_ASSERT_TRUE(begun > 0 && refused >= begun && asked > refused);
    CU_ASSERT_TRUE(counts.clients <= 100);
    guarded_end(&guarded);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(ten_million_addresses_stay_within_the_budget),
                                        TEST(there_are_never_more_clients_than_asked_for),
                                        TEST(a_flood_of_addresses_hides_nobody),
                                        TEST(the_blocked_and_the_connected_stay_and_the_rest_passes),
                                        TEST(a_flood_of_pages_is_bounded),
                                        TEST(each_page_has_its_own_window),
                                        TEST(a_table_without_room_lets_everybody_pass),
                                        TEST(eight_threads_share_a_crowded_guard),
                                        CU_TEST_INFO_NULL};
    return run_suite("burst_table", tests);
}
