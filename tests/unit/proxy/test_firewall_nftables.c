/* proxy/firewall_nftables.h in a network namespace of the test's own. Where none may be made, only what is pure is
 * tested, which is said. */
#include "proxy/firewall_nftables.h"

#include <CUnit/Basic.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/clock.h"

static struct ev_loop *loop;
static struct nft_ctx *nft; /* the test's own, to declare sets and to look at them */

static void sets_are_understood(void) {
    static const struct {
        const char *listing;
        bool ipv4, ipv6, timeouts, prefixes;
    } rows[] = {
        {"table ip t {\n\tset s {\n\t\ttype ipv4_addr\n\t\tflags timeout\n\t}\n}\n", true, false, true, false},
        {"\t\ttype ipv6_addr\n\t\tsize 65535\n\t\tflags interval,timeout\n", false, true, true, true},
        {"\t\ttype ipv6_addr\n\t\tcomment \"flags timeout\"\n", false, true, false, false},
        {"\t\ttypeof ip saddr\n\t\tflags dynamic,timeout\n", true, false, true, false},
        {"\t\ttypeof ip6 saddr\n", false, true, false, false},
        {"\t\ttype inet_service\n\t\tflags timeout\n", false, false, true, false},
        {"", false, false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct firewall_set set = firewall_read_set(rows[i].listing);
        CU_ASSERT_EQUAL(set.ipv4, rows[i].ipv4);
        CU_ASSERT_EQUAL(set.ipv6, rows[i].ipv6);
        CU_ASSERT_EQUAL(set.timeouts, rows[i].timeouts);
        CU_ASSERT_EQUAL(set.prefixes, rows[i].prefixes);
    }
}

/* ---- with a kernel ---- */

static struct ip_prefix prefix(const char *text) {
    struct ip_prefix parsed = {0};
    CU_ASSERT_TRUE_FATAL(ip_prefix_parse(span_of(text), false, &parsed));
    return parsed;
}

static void rule(const char *command) {
    bool done = nft_run_cmd_from_buffer(nft, command) == 0;
    CU_ASSERT_TRUE(done);
    const char *error = nft_ctx_get_error_buffer(nft);
    if (!done) {
        fprintf(stderr, "nft: %s\n%s\n", command, error);
    }
}

static const char *listing(const char *set) {
    char command[128];
    snprintf(command, sizeof command, "list set inet filter %s\n", set);
    rule(command);
    return nft_ctx_get_output_buffer(nft);
}

static void on_time(struct ev_loop *own_loop, ev_timer *timer, int events) {
    (void)timer;
    (void)events;
    ev_break(own_loop, EVBREAK_ONE);
}

static void turn(double seconds) {
    ev_timer timer;
    ev_timer_init(&timer, on_time, seconds, 0.);
    ev_timer_start(loop, &timer);
    ev_run(loop, 0);
    ev_timer_stop(loop, &timer);
}

static uint64_t done(const struct firewall *firewall) {
    struct firewall_counts counts = firewall_counts(firewall);
    return counts.changes + counts.failures + counts.skipped;
}

static void wait_for(const struct firewall *firewall, uint64_t changes) {
    for (unsigned i = 0; i < 1000 && done(firewall) < changes; i++) {
        turn(0.02);
    }
    CU_ASSERT_EQUAL(done(firewall), changes);
}

static struct burst_server server_of(const char *set) {
    return (struct burst_server){.firewall_family = FIREWALL_INET, .firewall_table = "filter", .firewall_sets = {set}};
}

static void declare(void) {
    rule("flush ruleset; table inet filter { set v4 { type ipv4_addr; flags timeout; }; "
         "set v6 { type ipv6_addr; flags interval,timeout; }; set plain6 { type ipv6_addr; flags timeout; }; "
         "set networks { type ipv4_addr; flags interval,timeout; elements = { 198.51.100.0/24 }; }; "
         "set forever { type ipv4_addr; }; set small { type ipv4_addr; size 4; flags timeout; }; }\n");
}

static struct firewall *begin(const char *set) {
    declare();
    struct firewall *firewall = firewall_new(loop);
    struct burst_server server = server_of(set);
    firewall_apply(firewall, &server, 0);
    return firewall;
}

static void put(struct firewall *firewall, const char *text, uint32_t seconds) {
    struct ip_prefix blocked = prefix(text);
    firewall_put(firewall, &blocked, seconds);
}

static void take_out(struct firewall *firewall, const char *text) {
    struct ip_prefix blocked = prefix(text);
    firewall_remove(firewall, &blocked);
}

static void addresses_come_are_renewed_and_go(void) {
    struct firewall *firewall = begin("v4");
    put(firewall, "192.0.2.7", 100);
    put(firewall, "192.0.2.8", UINT32_MAX);
    take_out(firewall, "192.0.2.9"); /* was never there */
    put(firewall, "2001:db8::/64", 100);
    wait_for(firewall, 4);
    CU_ASSERT_EQUAL(firewall_counts(firewall).changes, 3);
    CU_ASSERT_EQUAL(firewall_counts(firewall).skipped, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(listing("v4"), "192.0.2.7 timeout 1m40s"));
    CU_ASSERT_PTR_NOT_NULL(strstr(listing("v4"), "192.0.2.8 timeout 30d"));
    put(firewall, "192.0.2.7", 500); /* renewed */
    wait_for(firewall, 5);
    CU_ASSERT_PTR_NOT_NULL(strstr(listing("v4"), "192.0.2.7 timeout 8m20s"));
    take_out(firewall, "192.0.2.7");
    take_out(firewall, "192.0.2.8");
    wait_for(firewall, 7);
    CU_ASSERT_PTR_NULL(strstr(listing("v4"), "192.0.2"));
    CU_ASSERT_EQUAL(firewall_counts(firewall).failures, 0);
    firewall_free(&firewall);
}

static void prefixes_of_ipv6(void) {
    struct firewall *firewall = begin("v6");
    put(firewall, "2001:db8:0:1::/64", 100);
    put(firewall, "2001:db8:0:2::7", 100);
    wait_for(firewall, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(listing("v6"), "2001:db8:0:1::/64 timeout 1m40s"));
    CU_ASSERT_PTR_NOT_NULL(strstr(listing("v6"), "2001:db8:0:2::7 timeout 1m40s"));
    put(firewall, "2001:db8:0:1::/64", 500);
    take_out(firewall, "2001:db8:0:2::7");
    wait_for(firewall, 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(listing("v6"), "2001:db8:0:1::/64 timeout 8m20s"));
    CU_ASSERT_PTR_NULL(strstr(listing("v6"), "2001:db8:0:2"));
    firewall_free(&firewall);
    firewall = begin("plain6");
    put(firewall, "2001:db8:0:1::/64", 100);
    put(firewall, "2001:db8:0:2::7", 100);
    wait_for(firewall, 2);
    CU_ASSERT_EQUAL(firewall_counts(firewall).failures, 1);
    CU_ASSERT_EQUAL(firewall_counts(firewall).changes, 1);
    firewall_free(&firewall);
}

/* One change that nft refuses (the set has a network that holds it) does not spoil the others of its batch. */
static void one_bad_change_among_good_ones(void) {
    struct firewall *firewall = begin("networks");
    for (unsigned i = 0; i < 100; i++) {
        struct ip_prefix blocked = i == 37 ? prefix("198.51.100.7") : prefix("192.0.2.0/32");
        blocked.address.bytes[3] = (uint8_t)(i * 2);
        firewall_put(firewall, &blocked, 100);
    }
    wait_for(firewall, 100);
    CU_ASSERT_EQUAL(firewall_counts(firewall).failures, 1);
    CU_ASSERT_EQUAL(firewall_counts(firewall).changes, 99);
    CU_ASSERT_PTR_NOT_NULL(strstr(listing("networks"), "198.51.100.0/24"));
    firewall_free(&firewall);
}

static void a_full_set(void) {
    struct firewall *firewall = begin("small");
    for (unsigned i = 0; i < 8; i++) {
        struct ip_prefix blocked = prefix("192.0.2.0/32");
        blocked.address.bytes[3] = (uint8_t)i;
        firewall_put(firewall, &blocked, 100);
    }
    wait_for(firewall, 8);
    CU_ASSERT(firewall_counts(firewall).changes >= 1);
    CU_ASSERT(firewall_counts(firewall).changes <= 4);
    firewall_free(&firewall);
}

static void sets_that_cannot_be_used(void) {
    static const char *const names[] = {"missing", "forever"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct firewall *firewall = begin(names[i]);
        put(firewall, "192.0.2.7", 100);
        wait_for(firewall, 1);
        CU_ASSERT_EQUAL(firewall_counts(firewall).failures, 1);
        firewall_free(&firewall);
    }
}

/* The last word about an address counts, and what is pending for another set is forgotten. */
static void order_within_a_batch(void) {
    struct firewall *firewall = begin("v4");
    put(firewall, "192.0.2.1", 100);
    take_out(firewall, "192.0.2.1");
    take_out(firewall, "192.0.2.2");
    put(firewall, "192.0.2.2", 100);
    wait_for(firewall, 2);
    CU_ASSERT_PTR_NULL(strstr(listing("v4"), "192.0.2.1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(listing("v4"), "192.0.2.2"));
    put(firewall, "192.0.2.3", 100);
    struct burst_server none = {.firewall_family = FIREWALL_NONE};
    firewall_apply(firewall, &none, 0);
    put(firewall, "192.0.2.4", 100);
    turn(0.1);
    CU_ASSERT_PTR_NULL(strstr(listing("v4"), "192.0.2.3"));
    CU_ASSERT_PTR_NULL(strstr(listing("v4"), "192.0.2.4"));
    firewall_free(&firewall);
}

/* A flood of blocks: all arrive, and the thread is free for most of the time. */
static void many_at_once(void) {
    struct firewall *firewall = begin("v4");
    enum { MANY = 5000 };
    for (unsigned i = 0; i < MANY; i++) {
        struct ip_prefix blocked = prefix("10.0.0.0/32");
        blocked.address.bytes[2] = (uint8_t)(i >> 8);
        blocked.address.bytes[3] = (uint8_t)i;
        firewall_put(firewall, &blocked, 1000);
    }
    int64_t begin_ns = clock_monotonic_ns();
    wait_for(firewall, MANY);
    CU_ASSERT_EQUAL(firewall_counts(firewall).changes, MANY);
    fprintf(stderr, " (%d elements in %.2f s) ", MANY, (double)(clock_monotonic_ns() - begin_ns) / 1e9);
    firewall_free(&firewall);
}

static bool own_namespace(void) {
    if (unshare(CLONE_NEWNET) != 0) {
        return false;
    }
    nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (nft == NULL) {
        return false;
    }
    (void)nft_ctx_buffer_output(nft);
    (void)nft_ctx_buffer_error(nft);
    return nft_run_cmd_from_buffer(nft, "add table inet filter") == 0;
}

int main(void) {
    loop = ev_default_loop(EVFLAG_AUTO);
    if (loop == NULL || CU_initialize_registry() != CUE_SUCCESS) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("firewall_nftables", NULL, NULL);
    CU_ADD_TEST(suite, sets_are_understood);
    if (own_namespace()) {
        CU_ADD_TEST(suite, addresses_come_are_renewed_and_go);
        CU_ADD_TEST(suite, prefixes_of_ipv6);
        CU_ADD_TEST(suite, one_bad_change_among_good_ones);
        CU_ADD_TEST(suite, a_full_set);
        CU_ADD_TEST(suite, sets_that_cannot_be_used);
        CU_ADD_TEST(suite, order_within_a_batch);
        CU_ADD_TEST(suite, many_at_once);
    } else {
        fprintf(stderr, "no network namespace with nftables may be made here: only what is pure is tested\n");
    }
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    if (nft != NULL) {
        nft_ctx_free(nft);
    }
    ev_loop_destroy(loop);
    return failures != 0;
}
