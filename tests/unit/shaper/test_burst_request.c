/* shaper/burst.h, requests: what is counted, in which order things are asked, how a block holds, and on whom. */
#include "tests/unit/shaper/given_burst.h"

#define HOST(name, lines) "<VirtualHost *:8080>\nServerName " name "\n" lines "</VirtualHost>\n"

static void of_a_burst_for_one_page_two_pass(void) {
    struct guarded guarded = guarded_new("DOSEnabled On\n");
    CU_ASSERT_FALSE(refuses(&guarded, 1, "/", 0.95));
    CU_ASSERT_FALSE(refuses(&guarded, 1, "/", 0.96));
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/", 1.03));
    CU_ASSERT_TRUE(guarded.verdict.is_new);
    CU_ASSERT_FALSE(guarded.verdict.log_only);
    CU_ASSERT_EQUAL(guarded.verdict.reason, BURST_REASON_PAGE);
    CU_ASSERT_EQUAL(guarded.verdict.retry_after_s, 10);
    CU_ASSERT_EQUAL(guarded.verdict.until_wall_s, at_s(1.03).wall_s + 10);
    CU_ASSERT_EQUAL(guarded.verdict.blocked.length, 32);
    CU_ASSERT_FALSE(refuses(&guarded, 2, "/", 1.04)); /* another client */
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/other", 1.05));
    CU_ASSERT_FALSE(guarded.verdict.is_new);
    guarded_end(&guarded);
}

/* Every request made meanwhile starts the time again. */
static void a_block_is_renewed_by_each_request(void) {
    struct guarded guarded = guarded_new("DOSBlockingPeriod 10\n");
    for (size_t i = 0; i < 3; i++) {
        refuses(&guarded, 1, "/", 0);
    }
    for (double at = 9.9; at < 100; at += 9.9) {
        CU_ASSERT_TRUE(refuses(&guarded, 1, "/x", at));
        CU_ASSERT_EQUAL(guarded.verdict.retry_after_s, 10);
    }
    double last = 99;
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/x", last));
    CU_ASSERT_FALSE(refuses(&guarded, 1, "/x", last + 10));
    guarded_end(&guarded);
}

static void pages_sites_and_all_hosts_count_apart(void) {
    struct guarded guarded = guarded_new("DOSPageCount 2\nDOSSiteCount 5\nDOSRequestCount 8\n" HOST("a", "")
                                             HOST("b", "DOSSiteCount Off\n"));
    char path[] = "/0";
    for (unsigned i = 0; i < 5; i++, path[1]++) {
        CU_ASSERT_FALSE(refuses_address(&guarded, 1, client(1), path, 0.1));
    }
    for (unsigned i = 0; i < 3; i++, path[1]++) {
        CU_ASSERT_FALSE(refuses_address(&guarded, 2, client(1), path, 0.1));
    }
    CU_ASSERT_TRUE(refuses_address(&guarded, 2, client(1), "/y", 0.1));
    CU_ASSERT_EQUAL(guarded.verdict.reason, BURST_REASON_REQUESTS);

    for (unsigned i = 0; i < 5; i++, path[1]++) {
        CU_ASSERT_FALSE(refuses_address(&guarded, 1, client(2), path, 0.1));
    }
    CU_ASSERT_TRUE(refuses_address(&guarded, 1, client(2), "/y", 0.1));
    CU_ASSERT_EQUAL(guarded.verdict.reason, BURST_REASON_SITE);

    for (unsigned i = 0; i < 2; i++) { /* the same path of two hosts is two pages */
        CU_ASSERT_FALSE(refuses_address(&guarded, 1, client(3), "/", 0.1));
        CU_ASSERT_FALSE(refuses_address(&guarded, 2, client(3), "/", 0.1));
    }
    CU_ASSERT_TRUE(refuses_address(&guarded, 1, client(3), "/", 0.1));
    CU_ASSERT_EQUAL(guarded.verdict.reason, BURST_REASON_PAGE);
    CU_ASSERT_TRUE(refuses_address(&guarded, 2, client(3), "/z", 0.1)); /* blocked for all hosts */
    guarded_end(&guarded);
}

static void a_bad_request_counts_for_the_site_alone(void) {
    struct guarded guarded = guarded_new("DOSPageCount 1\nDOSSiteCount 4\n");
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_FALSE(refuses(&guarded, 1, NULL, 0.1));
    }
    CU_ASSERT_TRUE(refuses(&guarded, 1, NULL, 0.1));
    CU_ASSERT_EQUAL(guarded.verdict.reason, BURST_REASON_SITE);
    guarded_end(&guarded);
}

static void hosts_without_blocking_neither_count_nor_refuse(void) {
    struct guarded guarded = guarded_new("DOSPageCount 1\n" HOST("a", "") HOST("b", "DOSEnabled Off\n"));
    for (unsigned i = 0; i < 10; i++) {
        CU_ASSERT_FALSE(refuses_address(&guarded, 2, client(1), "/", 0.1));
    }
    CU_ASSERT_EQUAL(burst_counts(guarded.guard).clients, 0);
    CU_ASSERT_FALSE(refuses_address(&guarded, 1, client(1), "/", 0.1));
    CU_ASSERT_TRUE(refuses_address(&guarded, 1, client(1), "/", 0.1));
    CU_ASSERT_FALSE(refuses_address(&guarded, 2, client(1), "/", 0.1));
    struct ip_address unknown = {0};
    for (unsigned i = 0; i < 10; i++) {
        CU_ASSERT_FALSE(refuses_address(&guarded, 1, unknown, "/", 0.1));
    }
    guarded_end(&guarded);
}

static void whitelisted_addresses_pass(void) {
    struct guarded guarded =
        guarded_new("DOSPageCount 1\nDOSWhitelist 192.0.2.7 10.*.3.* 198.51.100.0/24\nDOSWhitelist 2001:db8::/32\n");
    static const char *const passing[] = {"192.0.2.7", "10.77.3.200", "198.51.100.99", "2001:db8:1:2::3"};
    static const char *const counted[] = {"192.0.2.8", "10.77.4.200", "198.51.101.99", "2001:db9:1:2::3"};
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_FALSE(refuses_address(&guarded, 0, address_of(counted[i]), "/", 0.1));
        CU_ASSERT_TRUE(refuses_address(&guarded, 0, address_of(counted[i]), "/", 0.1));
        for (size_t j = 0; j < 10; j++) {
            CU_ASSERT_FALSE(refuses_address(&guarded, 0, address_of(passing[i]), "/", 0.1));
        }
    }
    guarded_end(&guarded);
}

/* Whitelist of paths, then the target list, then the block list; all of them behind a block. */
static void lists_of_paths_in_their_order(void) {
    struct guarded guarded = guarded_new("DOSPageCount 1\nDOSWhitelistUri \\.css$ ^/evil/not\n"
                                         "DOSTargetlistUri ^/login ^/evil \\.css$\nDOSBlocklistUri ^/evil\n");
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_FALSE(refuses(&guarded, 1, "/login.css", 0.1)); /* whitelisted beats targeted */
        CU_ASSERT_FALSE(refuses(&guarded, 1, "/free", 0.1));      /* not targeted */
        CU_ASSERT_FALSE(refuses(&guarded, 1, "/evil/not", 0.1));  /* whitelisted beats blocked */
        CU_ASSERT_FALSE(refuses(&guarded, 1, NULL, 0.1));         /* has no path, so it is not targeted */
    }
    CU_ASSERT_EQUAL(burst_counts(guarded.guard).clients, 0);
    CU_ASSERT_FALSE(refuses(&guarded, 1, "/login", 0.1));
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/login", 0.1));
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/login.css", 9)); /* a whitelisted page is refused, and renews */
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/free", 18));
    CU_ASSERT_TRUE(refuses(&guarded, 1, NULL, 27));
    CU_ASSERT_TRUE(refuses(&guarded, 2, "/evil/x", 0.1));
    CU_ASSERT_EQUAL(guarded.verdict.reason, BURST_REASON_BLOCKLIST_URI);
    CU_ASSERT_TRUE(guarded.verdict.is_new);
    CU_ASSERT_TRUE(refuses(&guarded, 2, "/free", 0.1));
    guarded_end(&guarded);
}

static void ipv6_clients_are_prefixes(void) {
    struct guarded guarded = guarded_new("DOSPageCount 2\nDOSIPv6Prefix 56\n");
    CU_ASSERT_FALSE(refuses_address(&guarded, 0, address_of("2001:db8:0:1::1"), "/", 0.1));
    CU_ASSERT_FALSE(refuses_address(&guarded, 0, address_of("2001:db8:0:2::1"), "/", 0.1));
    CU_ASSERT_FALSE(refuses_address(&guarded, 0, address_of("2001:db8:0:100::1"), "/", 0.1));
    CU_ASSERT_TRUE(refuses_address(&guarded, 0, address_of("2001:db8:0:ff::1"), "/", 0.1));
    CU_ASSERT_EQUAL(guarded.verdict.blocked.length, 56);
    CU_ASSERT_TRUE(
        ip_address_equal(&guarded.verdict.blocked.address, &(struct ip_address){IP_V6, {0x20, 1, 0xd, 0xb8}}));
    CU_ASSERT_TRUE(refuses_address(&guarded, 0, address_of("2001:db8:0:3::1"), "/x", 0.1));
    CU_ASSERT_FALSE(refuses_address(&guarded, 0, address_of("2001:db8:0:100::2"), "/", 0.1));
    guarded_end(&guarded);
}

/* A host on trial refuses nobody, itself or through others; a real block is logged there. */
static void log_only_decides_but_refuses_nothing(void) {
    struct guarded guarded = guarded_new("DOSPageCount 1\n" HOST("trial", "DOSLogOnly On\n") HOST("real", "")
                                             HOST("trial2", "DOSLogOnly On\n"));
    CU_ASSERT_FALSE(refuses_address(&guarded, 1, client(1), "/", 0.1));
    CU_ASSERT_TRUE(refuses_address(&guarded, 1, client(1), "/", 0.1));
    CU_ASSERT_TRUE(guarded.verdict.log_only && guarded.verdict.is_new);
    CU_ASSERT_TRUE(refuses_address(&guarded, 3, client(1), "/", 0.1));
    CU_ASSERT_TRUE(guarded.verdict.log_only && !guarded.verdict.is_new);
    CU_ASSERT_FALSE(refuses_address(&guarded, 2, client(1), "/", 0.1));
    CU_ASSERT_TRUE(refuses_address(&guarded, 2, client(1), "/", 0.1));
    CU_ASSERT_TRUE(!guarded.verdict.log_only && guarded.verdict.is_new);
    CU_ASSERT_TRUE(refuses_address(&guarded, 1, client(1), "/", 9));
    CU_ASSERT_TRUE(guarded.verdict.log_only && !guarded.verdict.is_new);
    CU_ASSERT_TRUE(refuses_address(&guarded, 2, client(1), "/z", 18)); /* which has renewed the real one */
    guarded_end(&guarded);
}

static void limits_may_change_under_a_block(void) {
    struct guarded guarded = guarded_new("DOSPageCount 1\n");
    CU_ASSERT_FALSE(refuses(&guarded, 1, "/", 0));
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/", 0));
    guarded_apply(&guarded, "DOSPageCount 5\n");
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/", 1));
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_FALSE(refuses(&guarded, 1, "/", 20));
    }
    CU_ASSERT_TRUE(refuses(&guarded, 1, "/", 20));
    guarded_apply(&guarded, "DOSPageCount 5\nDOSWhitelist 10.0.0.1\n");
    CU_ASSERT_FALSE(refuses(&guarded, 1, "/", 20));
    guarded_end(&guarded);
}

static void host_numbers_survive_reloads(void) {
    struct guarded guarded = guarded_new("DOSPageCount 1\n" HOST("a", "") HOST("b", ""));
    uint32_t a = guarded.host_ids[1], b = guarded.host_ids[2];
    guarded_apply(&guarded, "DOSPageCount 1\n" HOST("b", "") HOST("c", "") HOST("a", ""));
    CU_ASSERT_EQUAL(guarded.host_ids[1], b);
    CU_ASSERT_EQUAL(guarded.host_ids[3], a);
    CU_ASSERT_TRUE(guarded.host_ids[2] != a && guarded.host_ids[2] != b);
    CU_ASSERT_STRING_EQUAL(burst_host_name(guarded.guard, b), "b");
    CU_ASSERT_EQUAL(burst_host_id(guarded.guard, "b"), b);
    CU_ASSERT_PTR_NULL(burst_host_name(guarded.guard, BURST_NO_HOST));
    guarded_end(&guarded);
}

static void reasons_are_found_by_their_text(void) {
    for (size_t i = 0; i < BURST_REASONS; i++) {
        CU_ASSERT_EQUAL(burst_reason_parse(span_of(burst_reason_text((enum burst_reason)i))), i);
        CU_ASSERT_TRUE(strlen(burst_reason_meaning((enum burst_reason)i)) > 0);
    }
    CU_ASSERT_EQUAL(burst_reason_parse(span_of("nothing")), BURST_REASON_NONE);
}

/* Random arrivals of one client at one page and one host, under both rules at once, beside lists of what passed. */
static void random_requests_match_the_plain_rules(void) {
    enum { ROUNDS = 60, REQUESTS = 1500, PAGE = 3, SITE = 12 };
    struct guarded guarded = guarded_new("DOSPageCount 3\nDOSSiteCount 12\nDOSBlockingPeriod 2\n");
    static double site[REQUESTS], pages[5][REQUESTS];
    uint32_t seed = 12;
    unsigned blocks = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t site_count = 0, page_count[5] = {0};
        double now = 1000.0 * round, blocked_until = 0;
        for (size_t i = 0; i < REQUESTS; i++) {
            now += (double)(next_random(&seed) % 1000) / (round % 2 == 0 ? 4000 : 9000);
            unsigned page = next_random(&seed) % 5;
            const char path[] = {'/', (char)('a' + page), '\0'};
            size_t in_page = 0, in_site = 0;
            while (in_page < page_count[page] && now - pages[page][page_count[page] - 1 - in_page] < 1 - 1e-6) {
                in_page++;
            }
            while (in_site < site_count && now - site[site_count - 1 - in_site] < 1 - 1e-6) {
                in_site++;
            }
            bool refused = refuses(&guarded, round, path, now);
            if (now < blocked_until) {
                CU_ASSERT_TRUE_FATAL(refused && !guarded.verdict.is_new);
                blocked_until = now + 2;
            } else {
                CU_ASSERT_EQUAL_FATAL(refused, in_page >= PAGE || in_site >= SITE);
                blocks += refused ? 1 : 0;
                blocked_until = refused ? now + 2 : 0;
                if (in_page < PAGE) {
                    pages[page][page_count[page]++] = now;
                }
                if (in_site < SITE) {
                    site[site_count++] = now;
                }
            }
            now = refused && next_random(&seed) % 4 == 0 ? now + 2.5 : now;
        }
    }
    CU_ASSERT_TRUE(blocks > 100);
    guarded_end(&guarded);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(of_a_burst_for_one_page_two_pass),
                                        TEST(a_block_is_renewed_by_each_request),
                                        TEST(pages_sites_and_all_hosts_count_apart),
                                        TEST(a_bad_request_counts_for_the_site_alone),
                                        TEST(hosts_without_blocking_neither_count_nor_refuse),
                                        TEST(whitelisted_addresses_pass),
                                        TEST(lists_of_paths_in_their_order),
                                        TEST(ipv6_clients_are_prefixes),
                                        TEST(log_only_decides_but_refuses_nothing),
                                        TEST(limits_may_change_under_a_block),
                                        TEST(host_numbers_survive_reloads),
                                        TEST(reasons_are_found_by_their_text),
                                        TEST(random_requests_match_the_plain_rules),
                                        CU_TEST_INFO_NULL};
    return run_suite("burst_request", tests);
}
