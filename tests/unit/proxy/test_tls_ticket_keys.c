/* Ticket keys: one for all, a new one an hour, old ones read for a while, then forgotten; and keys from a file. */
#include "proxy/tls_ticket_keys.h"

#include <CUnit/Basic.h>
#include <string.h>

static unsigned char counter;
static bool has_random;

/* Every key is another, and known. */
static bool counting(unsigned char *bytes, size_t count) {
    memset(bytes, ++counter, count);
    return has_random;
}

static struct tls_ticket_keys *fresh(void) {
    counter = 0;
    has_random = true;
    return tls_ticket_keys_new(counting);
}

static void test_the_newest_is_kept_for_an_hour(void) {
    struct tls_ticket_keys *keys = fresh();
    struct tls_ticket_key key;
    CU_ASSERT_TRUE(tls_ticket_keys_newest(keys, 5, &key));
    CU_ASSERT_EQUAL(key.name[0], 1);
    CU_ASSERT_EQUAL(key.secret_bytes, 32);
    CU_ASSERT_TRUE(tls_ticket_keys_newest(keys, 4 + TLS_TICKET_LIFE_NS, &key));
    CU_ASSERT_EQUAL(key.name[0], 1);
    CU_ASSERT_TRUE(tls_ticket_keys_newest(keys, 5 + TLS_TICKET_LIFE_NS, &key));
    CU_ASSERT_EQUAL(key.name[0], 2);
    tls_ticket_keys_free(&keys);
    CU_ASSERT_PTR_NULL(keys);
}

static void test_old_keys_are_read_and_then_forgotten(void) {
    struct tls_ticket_keys *keys = fresh();
    struct tls_ticket_key first, key;
    bool renew = true;
    CU_ASSERT_TRUE(tls_ticket_keys_newest(keys, 0, &first));
    CU_ASSERT_TRUE(tls_ticket_keys_find(keys, first.name, 1, &key, &renew));
    CU_ASSERT_FALSE(renew);
    CU_ASSERT_EQUAL(memcmp(key.aes, first.aes, sizeof key.aes), 0);
    CU_ASSERT_TRUE(tls_ticket_keys_find(keys, first.name, TLS_TICKET_LIFE_NS, &key, &renew));
    CU_ASSERT_TRUE(renew);
    CU_ASSERT_TRUE(tls_ticket_keys_newest(keys, TLS_TICKET_LIFE_NS, &key));
    CU_ASSERT_TRUE(tls_ticket_keys_find(keys, first.name, TLS_TICKET_KEEP_NS - 1, &key, &renew));
    CU_ASSERT_TRUE(renew);
    CU_ASSERT_FALSE(tls_ticket_keys_find(keys, first.name, TLS_TICKET_KEEP_NS, &key, &renew));
    tls_ticket_keys_free(&keys);
}

static void test_unknown_names(void) {
    struct tls_ticket_keys *keys = fresh();
    struct tls_ticket_key key;
    bool renew;
    const unsigned char name[TLS_TICKET_NAME_BYTES] = {9};
    CU_ASSERT_FALSE(tls_ticket_keys_find(keys, name, 0, &key, &renew));
    CU_ASSERT_TRUE(tls_ticket_keys_newest(keys, 0, &key));
    CU_ASSERT_FALSE(tls_ticket_keys_find(keys, name, 0, &key, &renew));
    tls_ticket_keys_free(&keys);
}

static void test_without_random_bytes_the_key_before_goes_on(void) {
    struct tls_ticket_keys *keys = fresh();
    struct tls_ticket_key key;
    has_random = false;
    CU_ASSERT_FALSE(tls_ticket_keys_newest(keys, 0, &key));
    has_random = true;
    CU_ASSERT_TRUE(tls_ticket_keys_newest(keys, 0, &key));
    unsigned char name = key.name[0];
    has_random = false;
    CU_ASSERT_TRUE(tls_ticket_keys_newest(keys, TLS_TICKET_LIFE_NS, &key));
    CU_ASSERT_EQUAL(key.name[0], name);
    tls_ticket_keys_free(&keys);
}

static void test_a_key_from_a_file(void) {
    unsigned char bytes[TLS_TICKET_FILE_BYTES];
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)i;
    }
    struct tls_ticket_keys *keys = tls_ticket_keys_fixed(bytes);
    struct tls_ticket_key key;
    bool renew = true;
    CU_ASSERT_TRUE(tls_ticket_keys_newest(keys, 100 * TLS_TICKET_KEEP_NS, &key));
    CU_ASSERT_EQUAL(key.secret_bytes, 16);
    CU_ASSERT_EQUAL(key.hmac[0], 16);
    CU_ASSERT_EQUAL(key.aes[0], 32);
    CU_ASSERT_TRUE(tls_ticket_keys_find(keys, bytes, 200 * TLS_TICKET_KEEP_NS, &key, &renew));
    CU_ASSERT_FALSE(renew);
    tls_ticket_keys_free(&keys);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tls_ticket_keys", NULL, NULL);
    CU_add_test(suite, "the newest is kept for an hour", test_the_newest_is_kept_for_an_hour);
    CU_add_test(suite, "old keys are read and then forgotten", test_old_keys_are_read_and_then_forgotten);
    CU_add_test(suite, "unknown names", test_unknown_names);
    CU_add_test(suite, "without random bytes", test_without_random_bytes_the_key_before_goes_on);
    CU_add_test(suite, "a key from a file", test_a_key_from_a_file);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
