/* proxy/remote_ip.h: who the client is behind trusted and untrusted proxies, and what a hop may look like. */
#include "proxy/remote_ip.h"

#include <CUnit/Basic.h>

static struct ip_address address(const char *text) {
    struct ip_address parsed = {0};
    CU_ASSERT_TRUE(ip_address_parse(span_of(text), &parsed));
    return parsed;
}

/* The client found by settings that trust 10.0.0.0/8 (internal), 127.0.0.1 and 192.0.2.1 and 2001:db8::/32 (trusted).
 */
static const char *client_of(const char *peer, const char *first, const char *second) {
    static char text[IP_TEXT_MAX];
    struct remote_ip_proxy proxies[4];
    static const char *const prefixes[] = {"10.0.0.0/8", "127.0.0.1", "192.0.2.1", "2001:db8::/32"};
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_TRUE_FATAL(ip_prefix_parse(span_of(prefixes[i]), false, &proxies[i].prefix));
        proxies[i].internal = i == 0;
    }
    const struct settings settings = {
        .remote_ip_header = "X-Forwarded-For", .remote_ip_proxies = proxies, .remote_ip_proxy_count = 4};
    struct ip_address from = peer != NULL ? address(peer) : (struct ip_address){0};
    struct span values[2] = {span_of(first), span_of(second)};
    size_t count = second != NULL ? 2 : first != NULL ? 1 : 0;
    struct ip_address client = remote_ip_client(&settings, &from, values, count);
    ip_address_print(&client, text);
    return text;
}

static void test_walk(void) {
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", "198.51.100.7", NULL), "198.51.100.7");
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", "203.0.113.9, 198.51.100.7", NULL), "198.51.100.7");
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.1.1.1,192.0.2.1", NULL),
                           "198.51.100.7");
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", "203.0.113.9", "198.51.100.7, 10.2.2.2"), "198.51.100.7");
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", "203.0.113.9", "10.2.2.2"), "203.0.113.9");
    CU_ASSERT_STRING_EQUAL(client_of("2001:db8::5", "2001:db9::1", NULL), "2001:db9::1");
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", "10.9.9.9, 10.8.8.8", NULL), "10.9.9.9"); /* all trusted: the first */
}

static void test_untrusted_peer(void) {
    CU_ASSERT_STRING_EQUAL(client_of("198.51.100.1", "203.0.113.9", NULL), "198.51.100.1");
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", NULL, NULL), "10.0.0.1");
    struct settings none = {.remote_ip_header = "X-Forwarded-For"};
    struct ip_address peer = address("10.0.0.1");
    struct span value = span_of("203.0.113.9");
    struct ip_address client = remote_ip_client(&none, &peer, &value, 1);
    CU_ASSERT_TRUE(ip_address_equal(&client, &peer)); /* nobody is trusted unless somebody was named */
    CU_ASSERT_FALSE(remote_ip_trusts(&none, &peer));
}

static void test_private_addresses(void) {
    CU_ASSERT_STRING_EQUAL(client_of("192.0.2.1", "192.168.1.1", NULL), "192.168.1.1");
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", "172.16.0.1", NULL), "172.16.0.1");
}

static void test_no_address(void) {
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", "unknown", NULL), "10.0.0.1");
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", "203.0.113.9, junk", NULL), "10.0.0.1");
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", "junk, 192.0.2.1", NULL), "192.0.2.1");
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", " , ,", ""), "10.0.0.1");
    CU_ASSERT_STRING_EQUAL(client_of("10.0.0.1", "198.51.100.7, , ", NULL), "198.51.100.7");
}

static void test_unix_peer(void) {
    CU_ASSERT_STRING_EQUAL(client_of(NULL, "203.0.113.9", NULL), "203.0.113.9"); /* 127.0.0.1 is trusted */
    struct ip_address peer = {0};
    struct remote_ip_proxy proxy = {.internal = true};
    CU_ASSERT_TRUE_FATAL(ip_prefix_parse(span_of("10.0.0.0/8"), false, &proxy.prefix));
    const struct settings settings = {
        .remote_ip_header = "X-Real-IP", .remote_ip_proxies = &proxy, .remote_ip_proxy_count = 1};
    CU_ASSERT_FALSE(remote_ip_trusts(&settings, &peer));
}

static void test_hops(void) {
    static const struct {
        const char *text, *address; /* NULL: refused */
    } hops[] = {
        {"192.0.2.7", "192.0.2.7"},
        {" 192.0.2.7\t", "192.0.2.7"},
        {"192.0.2.7:4711", "192.0.2.7"},
        {"\"192.0.2.7:4711\"", "192.0.2.7"},
        {"2001:db8::1", "2001:db8::1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:443", "2001:db8::1"},
        {"\"[2001:db8::1]:443\"", "2001:db8::1"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"[::ffff:192.0.2.7]:1", "192.0.2.7"},
        {"", NULL},
        {"\"\"", NULL},
        {"\"", NULL},
        {"[", NULL},
        {"[]", NULL},
        {"[]:80", NULL},
        {"[192.0.2.7]", NULL},
        {"[2001:db8::1", NULL},
        {"[2001:db8::1]x", NULL},
        {"[2001:db8::1]:", NULL},
        {"[2001:db8::1]:70000", NULL},
        {"192.0.2.7:", NULL},
        {"192.0.2.7:x", NULL},
        {"192.0.2.7:65536", NULL},
        {"192.0.2.7:123456", NULL},
        {"192.0.2.256", NULL},
        {"192.0.2", NULL},
        {"fe80::1%eth0", NULL},
        {"localhost", NULL},
        {"_hidden", NULL},
        {"192.0.2.7 10.0.0.1", NULL},
    };
    for (size_t i = 0; i < sizeof hops / sizeof hops[0]; i++) {
        struct ip_address parsed = {.family = 99};
        bool good = remote_ip_parse_hop(span_of(hops[i].text), &parsed);
        CU_ASSERT_EQUAL(good, hops[i].address != NULL);
        if (hops[i].address == NULL) {
            CU_ASSERT_EQUAL(parsed.family, 99);
        } else {
            char text[IP_TEXT_MAX];
            ip_address_print(&parsed, text);
            CU_ASSERT_STRING_EQUAL(text, hops[i].address);
        }
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("remote_ip", NULL, NULL);
    CU_add_test(suite, "the walk from right to left", test_walk);
    CU_add_test(suite, "a peer that is not trusted", test_untrusted_peer);
    CU_add_test(suite, "private addresses are taken", test_private_addresses);
    CU_add_test(suite, "values that are no addresses", test_no_address);
    CU_add_test(suite, "the peer of a Unix socket", test_unix_peer);
    CU_add_test(suite, "forms of a hop", test_hops);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
