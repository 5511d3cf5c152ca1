/* The resolver, with look-ups of the test's own instead of a name server. */
#include "proxy/resolver.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static atomic_uint lookups;
static atomic_bool working;
static atomic_bool blocking;

/* Each look-up that works answers with addresses 10.0.0.N and 10.0.1.N, N being how many there were. */
static size_t lookup(const char *host, uint16_t port, union socket_address *addresses, size_t max, const char **error) {
    while (atomic_load(&blocking)) {
        usleep(1000);
    }
    unsigned number = atomic_fetch_add(&lookups, 1) + 1;
    if (!atomic_load(&working) || strcmp(host, "no.example") == 0) {
        *error = "no such name";
        return 0;
    }
    for (unsigned i = 0; i < 2 && i < max; i++) {
        addresses[i] = (union socket_address){0};
        addresses[i].v4.sin_family = AF_INET;
        addresses[i].v4.sin_port = htons(port);
        addresses[i].v4.sin_addr.s_addr = htonl(0x0a000000U | i << 8 | number);
    }
    return 2;
}

static struct resolver *begin(int64_t refresh_ns, int64_t retry_ns) {
    atomic_store(&lookups, 0);
    atomic_store(&working, true);
    atomic_store(&blocking, false);
    const struct resolver_options options = {.lookup = lookup, .refresh_ns = refresh_ns, .retry_ns = retry_ns};
    return resolver_new(&options);
}

static unsigned number_of(struct resolver_name *name, size_t position) {
    union socket_address address;
    if (!resolver_address(name, position, &address)) {
        return 0;
    }
    return ntohl(address.v4.sin_addr.s_addr) & 0xffff;
}

/* Waits for a condition that another thread brings about; bounded, so that a failure ends. */
#define EVENTUALLY(condition)                                                                                          \
    do {                                                                                                               \
        for (int tries = 0; tries < 5000 && !(condition); tries++) {                                                   \
            usleep(1000);                                                                                              \
        }                                                                                                              \
        CU_ASSERT(condition);                                                                                          \
    } while (0)

static void a_name_is_looked_up_once_until_its_time_is_up(void) {
    struct resolver *resolver = begin(0, 0);
    struct resolver_name *name = resolver_watch(resolver, "a.example", 80);
    resolver_wait(resolver, &name, 1, 5 * SECOND);
    CU_ASSERT_EQUAL(number_of(name, 0), 1);
    CU_ASSERT_EQUAL(number_of(name, 1), 0x101);
    union socket_address address;
    CU_ASSERT_FALSE(resolver_address(name, 2, &address));
    CU_ASSERT(resolver_address(name, 0, &address));
    CU_ASSERT_EQUAL(ntohs(address.v4.sin_port), 80);
    usleep(20000);
    CU_ASSERT_EQUAL(atomic_load(&lookups), 1);
    resolver_forget(&name);
    CU_ASSERT_PTR_NULL(name);
    resolver_free(&resolver);
    CU_ASSERT_PTR_NULL(resolver);
}

static void names_are_refreshed(void) {
    struct resolver *resolver = begin(SECOND / 100, SECOND / 100);
    struct resolver_name *name = resolver_watch(resolver, "a.example", 80);
    EVENTUALLY(number_of(name, 0) >= 3);
    resolver_forget(&name);
    resolver_free(&resolver);
}

static void failures_keep_what_is_known(void) {
    struct resolver *resolver = begin(SECOND / 100, SECOND / 100);
    struct resolver_name *name = resolver_watch(resolver, "a.example", 80);
    resolver_wait(resolver, &name, 1, 5 * SECOND);
    atomic_store(&working, false);
    unsigned seen = atomic_load(&lookups);
    EVENTUALLY(atomic_load(&lookups) > seen + 2);
    unsigned kept = number_of(name, 0);
    CU_ASSERT(kept >= 1 && kept <= seen + 1);
    atomic_store(&working, true);
    EVENTUALLY(number_of(name, 0) > kept);
    resolver_forget(&name);
    resolver_free(&resolver);
}

static void a_bad_name_holds_up_nobody(void) {
    struct resolver *resolver = begin(0, 0);
    struct resolver_name *names[] = {resolver_watch(resolver, "no.example", 80),
                                     resolver_watch(resolver, "b.example", 80)};
    resolver_wait(resolver, names, 2, 5 * SECOND);
    CU_ASSERT_EQUAL(number_of(names[0], 0), 0);
    CU_ASSERT_NOT_EQUAL(number_of(names[1], 0), 0);
    resolver_forget(&names[0]);
    resolver_forget(&names[1]);
    resolver_free(&resolver);
}

static void a_name_may_be_forgotten_while_it_is_looked_up(void) {
    struct resolver *resolver = begin(0, 0);
    atomic_store(&blocking, true);
    struct resolver_name *name = resolver_watch(resolver, "a.example", 80);
    resolver_wait(resolver, &name, 1, SECOND / 50);
    CU_ASSERT_EQUAL(number_of(name, 0), 0);
    resolver_forget(&name);
    atomic_store(&blocking, false);
    EVENTUALLY(atomic_load(&lookups) == 1);
    resolver_free(&resolver);
}

static void a_hanging_look_up_does_not_hold_up_the_end(void) {
    struct resolver *resolver = begin(0, 0);
    atomic_store(&blocking, true);
    struct resolver_name *name = resolver_watch(resolver, "a.example", 80);
    usleep(10000);
    resolver_forget(&name);
    resolver_free(&resolver);
    CU_ASSERT_PTR_NULL(resolver);
    atomic_store(&blocking, false);
    EVENTUALLY(atomic_load(&lookups) == 1);
    usleep(50000); /* the thread that was left behind frees what it holds */
}

static void numbers_need_no_look_up(void) {
    union socket_address address;
    CU_ASSERT(socket_address_numeric("192.0.2.1", 80, &address));
    CU_ASSERT_EQUAL(address.any.sa_family, AF_INET);
    CU_ASSERT(socket_address_numeric("2001:db8::1", 80, &address));
    CU_ASSERT_EQUAL(address.any.sa_family, AF_INET6);
    CU_ASSERT_EQUAL(socket_address_length(&address), sizeof address.v6);
    CU_ASSERT_FALSE(socket_address_numeric("localhost", 80, &address));
    CU_ASSERT_FALSE(socket_address_numeric("192.0.2", 80, &address));
}

static void the_system_knows_localhost(void) {
    struct resolver *resolver = resolver_new(NULL);
    struct resolver_name *name = resolver_watch(resolver, "localhost", 8080);
    resolver_wait(resolver, &name, 1, 10 * SECOND);
    union socket_address address;
    CU_ASSERT(resolver_address(name, 0, &address));
    resolver_forget(&name);
    resolver_free(&resolver);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("resolver", NULL, NULL);
    CU_ADD_TEST(suite, a_name_is_looked_up_once_until_its_time_is_up);
    CU_ADD_TEST(suite, names_are_refreshed);
    CU_ADD_TEST(suite, failures_keep_what_is_known);
    CU_ADD_TEST(suite, a_bad_name_holds_up_nobody);
    CU_ADD_TEST(suite, a_name_may_be_forgotten_while_it_is_looked_up);
    CU_ADD_TEST(suite, a_hanging_look_up_does_not_hold_up_the_end);
    CU_ADD_TEST(suite, numbers_need_no_look_up);
    CU_ADD_TEST(suite, the_system_knows_localhost);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
