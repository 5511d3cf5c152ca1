/* Access rules: Require with its containers, and Order, Allow and Deny. */
#include <CUnit/Basic.h>

#include "proxy/route.h"

static struct ip_address address(const char *text) {
    struct ip_address parsed;
    CU_ASSERT_FATAL(ip_address_parse(span_of(text), &parsed));
    return parsed;
}

static bool allowed(const struct access_rule *rule, const char *client, const char *method) {
    struct ip_address parsed = {.family = IP_NONE};
    if (client != NULL) {
        parsed = address(client);
    }
    return access_allowed(rule, &parsed, span_of(method));
}

static struct ip_prefix office, one_client;

static void prepare(void) {
    CU_ASSERT_FATAL(ip_prefix_parse(SPAN_LITERAL("192.0.2.0/24"), false, &office));
    CU_ASSERT_FATAL(ip_prefix_parse(SPAN_LITERAL("192.0.2.7"), false, &one_client));
}

static void single_rules(void) {
    prepare();
    CU_ASSERT(allowed(NULL, "203.0.113.1", "GET"));
    CU_ASSERT(allowed(&(struct access_rule){.kind = ACCESS_GRANTED}, "203.0.113.1", "GET"));
    CU_ASSERT_FALSE(allowed(&(struct access_rule){.kind = ACCESS_DENIED}, "127.0.0.1", "GET"));
    const struct access_rule ip = {.kind = ACCESS_IP, .prefixes = &office, .prefix_count = 1};
    CU_ASSERT(allowed(&ip, "192.0.2.200", "GET"));
    CU_ASSERT_FALSE(allowed(&ip, "192.0.3.1", "GET"));
    CU_ASSERT_FALSE(allowed(&ip, NULL, "GET"));
    CU_ASSERT_FALSE(access_allowed(&ip, NULL, SPAN_LITERAL("GET")));
    const struct access_rule local = {.kind = ACCESS_LOCAL};
    CU_ASSERT(allowed(&local, "127.0.0.1", "GET"));
    CU_ASSERT(allowed(&local, "::1", "GET"));
    CU_ASSERT(allowed(&local, NULL, "GET"));
    CU_ASSERT_FALSE(allowed(&local, "192.0.2.1", "GET"));
}

static void methods(void) {
    const char *const names[] = {"GET", "POST"};
    const struct access_rule rule = {.kind = ACCESS_METHOD, .methods = names, .method_count = 2};
    CU_ASSERT(allowed(&rule, "192.0.2.1", "GET"));
    CU_ASSERT(allowed(&rule, "192.0.2.1", "HEAD"));
    CU_ASSERT(allowed(&rule, "192.0.2.1", "POST"));
    CU_ASSERT_FALSE(allowed(&rule, "192.0.2.1", "PUT"));
    CU_ASSERT_FALSE(allowed(&rule, "192.0.2.1", "get"));
}

static void negation_never_grants(void) {
    prepare();
    const struct access_rule not_one = {.kind = ACCESS_IP, .negated = true, .prefixes = &one_client, .prefix_count = 1};
    const struct access_rule granted = {.kind = ACCESS_GRANTED};
    CU_ASSERT_FALSE(allowed(&not_one, "192.0.2.8", "GET"));
    const struct access_rule *const both[] = {&granted, &not_one};
    const struct access_rule all = {.kind = ACCESS_ALL, .children = both, .child_count = 2};
    CU_ASSERT(allowed(&all, "192.0.2.8", "GET"));
    CU_ASSERT_FALSE(allowed(&all, "192.0.2.7", "GET"));
    const struct access_rule any = {.kind = ACCESS_ANY, .children = both + 1, .child_count = 1};
    CU_ASSERT_FALSE(allowed(&any, "192.0.2.8", "GET"));
}

static void containers(void) {
    prepare();
    const struct access_rule in_office = {.kind = ACCESS_IP, .prefixes = &office, .prefix_count = 1};
    const struct access_rule local = {.kind = ACCESS_LOCAL};
    const struct access_rule *const children[] = {&in_office, &local};
    const struct access_rule any = {.kind = ACCESS_ANY, .children = children, .child_count = 2};
    CU_ASSERT(allowed(&any, "192.0.2.1", "GET"));
    CU_ASSERT(allowed(&any, "127.0.0.1", "GET"));
    CU_ASSERT_FALSE(allowed(&any, "198.51.100.1", "GET"));
    const struct access_rule all = {.kind = ACCESS_ALL, .children = children, .child_count = 2};
    CU_ASSERT_FALSE(allowed(&all, "192.0.2.1", "GET"));
    const struct access_rule none = {.kind = ACCESS_NONE, .children = children, .child_count = 2};
    CU_ASSERT_FALSE(allowed(&none, "198.51.100.1", "GET"));
    const struct access_rule granted = {.kind = ACCESS_GRANTED};
    const struct access_rule *const outer[] = {&granted, &none};
    const struct access_rule all_outer = {.kind = ACCESS_ALL, .children = outer, .child_count = 2};
    CU_ASSERT(allowed(&all_outer, "198.51.100.1", "GET"));
    CU_ASSERT_FALSE(allowed(&all_outer, "192.0.2.1", "GET"));
    const struct access_rule empty = {.kind = ACCESS_ALL};
    CU_ASSERT_FALSE(allowed(&empty, "127.0.0.1", "GET"));
}

static void order_allow_deny(void) {
    prepare();
    struct access_rule rule = {
        .kind = ACCESS_ORDER, .allow_last = true, .deny_all = true, .prefixes = &office, .prefix_count = 1};
    CU_ASSERT(allowed(&rule, "192.0.2.1", "GET"));
    CU_ASSERT_FALSE(allowed(&rule, "198.51.100.1", "GET"));

    rule = (struct access_rule){.kind = ACCESS_ORDER, .allow_last = true, .denied = &one_client, .denied_count = 1};
    CU_ASSERT(allowed(&rule, "198.51.100.1", "GET"));
    CU_ASSERT_FALSE(allowed(&rule, "192.0.2.7", "GET"));

    rule = (struct access_rule){
        .kind = ACCESS_ORDER, .prefixes = &office, .prefix_count = 1, .denied = &one_client, .denied_count = 1};
    CU_ASSERT(allowed(&rule, "192.0.2.1", "GET"));
    CU_ASSERT_FALSE(allowed(&rule, "192.0.2.7", "GET"));
    CU_ASSERT_FALSE(allowed(&rule, "198.51.100.1", "GET"));

    rule = (struct access_rule){.kind = ACCESS_ORDER, .allow_all = true};
    CU_ASSERT(allowed(&rule, NULL, "GET"));
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("access", NULL, NULL);
    CU_ADD_TEST(suite, single_rules);
    CU_ADD_TEST(suite, methods);
    CU_ADD_TEST(suite, negation_never_grants);
    CU_ADD_TEST(suite, containers);
    CU_ADD_TEST(suite, order_allow_deny);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
