/* The session cache, the sizes of records, and the names of facts: what is pure in TLS. */
#include "proxy/tls_session_cache.h"

#include <CUnit/Basic.h>
#include <stdio.h>

#include "proxy/tls_facts.h"
#include "proxy/tls_record.h"

static void test_put_and_get(void) {
    struct tls_session_cache *cache = tls_session_cache_new();
    char session[TLS_SESSION_BYTES_MAX];
    const struct span id = SPAN_LITERAL("0123456789abcdef0123456789abcdef");
    CU_ASSERT_EQUAL(tls_session_cache_get(cache, id, session), 0);
    tls_session_cache_put(cache, id, SPAN_LITERAL("the session"));
    CU_ASSERT_EQUAL(tls_session_cache_get(cache, id, session), 11);
    CU_ASSERT_EQUAL(memcmp(session, "the session", 11), 0);
    CU_ASSERT_EQUAL(tls_session_cache_get(cache, SPAN_LITERAL("0123456789abcdef"), session), 0);
    tls_session_cache_put(cache, id, SPAN_LITERAL("another"));
    CU_ASSERT_EQUAL(tls_session_cache_get(cache, id, session), 7);
    tls_session_cache_remove(cache, id);
    CU_ASSERT_EQUAL(tls_session_cache_get(cache, id, session), 0);
    tls_session_cache_free(&cache);
    CU_ASSERT_PTR_NULL(cache);
}

static void test_what_is_not_kept(void) {
    static const char large[TLS_SESSION_BYTES_MAX + 1];
    struct tls_session_cache *cache = tls_session_cache_new();
    char session[TLS_SESSION_BYTES_MAX];
    tls_session_cache_put(cache, SPAN_LITERAL(""), SPAN_LITERAL("x"));
    CU_ASSERT_EQUAL(tls_session_cache_get(cache, SPAN_LITERAL(""), session), 0);
    tls_session_cache_put(cache, SPAN_LITERAL("id"), (struct span){large, sizeof large});
    CU_ASSERT_EQUAL(tls_session_cache_get(cache, SPAN_LITERAL("id"), session), 0);
    tls_session_cache_put(cache, SPAN_LITERAL("0123456789abcdef0123456789abcdef!"), SPAN_LITERAL("x"));
    CU_ASSERT_EQUAL(tls_session_cache_get(cache, SPAN_LITERAL("0123456789abcdef0123456789abcdef!"), session), 0);
    tls_session_cache_free(&cache);
}

/* Many more than there are places: memory stays what it is, and the newest are there. */
static void test_it_is_bounded(void) {
    struct tls_session_cache *cache = tls_session_cache_new();
    char session[TLS_SESSION_BYTES_MAX], id[16];
    unsigned found = 0;
    for (unsigned i = 0; i < 4 * TLS_SESSIONS_MAX; i++) {
        struct span name = {id, (size_t)snprintf(id, sizeof id, "%u", i)};
        tls_session_cache_put(cache, name, name);
        found += tls_session_cache_get(cache, name, session) == name.len;
    }
    CU_ASSERT_EQUAL(found, 4 * TLS_SESSIONS_MAX);
    tls_session_cache_free(&cache);
}

static void test_record_sizes(void) {
    CU_ASSERT_EQUAL(tls_record_bytes(0, 1000000, false), TLS_RECORD_SMALL);
    CU_ASSERT_EQUAL(tls_record_bytes(TLS_SMALL_FIRST - 1, 1000000, false), TLS_RECORD_SMALL);
    CU_ASSERT_EQUAL(tls_record_bytes(TLS_SMALL_FIRST, 1000000, false), TLS_RECORD_FULL);
    CU_ASSERT_EQUAL(tls_record_bytes(TLS_SMALL_FIRST, 3000, true), TLS_RECORD_SMALL);
    CU_ASSERT_EQUAL(tls_record_bytes(TLS_SMALL_FIRST, TLS_RECORD_FULL, true), TLS_RECORD_FULL);
}

static void test_facts(void) {
    const struct tls_facts facts = {.protocol = "TLSv1.3", .subject = "CN=a"};
    CU_ASSERT_STRING_EQUAL(tls_fact(&facts, SPAN_LITERAL("SSL_PROTOCOL")), "TLSv1.3");
    CU_ASSERT_STRING_EQUAL(tls_fact(&facts, SPAN_LITERAL("SSL_CLIENT_S_DN")), "CN=a");
    CU_ASSERT_PTR_NULL(tls_fact(&facts, SPAN_LITERAL("SSL_CIPHER")));
    CU_ASSERT_PTR_NULL(tls_fact(&facts, SPAN_LITERAL("SSL_NONSENSE")));
    CU_ASSERT_PTR_NULL(tls_fact(NULL, SPAN_LITERAL("SSL_PROTOCOL")));
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tls_session_cache", NULL, NULL);
    CU_add_test(suite, "put and get", test_put_and_get);
    CU_add_test(suite, "what is not kept", test_what_is_not_kept);
    CU_add_test(suite, "it is bounded", test_it_is_bounded);
    CU_add_test(suite, "record sizes", test_record_sizes);
    CU_add_test(suite, "facts", test_facts);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
