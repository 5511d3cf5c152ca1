/* For tests of burst blocking: a guard with a configuration from text, requests and connections of numbered clients. */
#ifndef WEIR_TESTS_UNIT_SHAPER_GIVEN_BURST_H
#define WEIR_TESTS_UNIT_SHAPER_GIVEN_BURST_H

#include "shaper/burst.h"
#include "tests/unit/shaper/given_shaper.h"

/* The main server is host 0. */
struct guarded {
    struct burst_guard *guard;
    struct config *config;
    uint32_t host_ids[8];
    struct pattern_scratch *scratch;
    struct burst_verdict verdict; /* of what was asked last */
};

static inline void guarded_apply(struct guarded *guarded, const char *text) {
    char *whole = NULL;
    CU_ASSERT_TRUE_FATAL(asprintf(&whole, "Listen 8080\n%s", text) > 0);
    config_unref(&guarded->config);
    guarded->config = load(whole);
    free(whole);
    burst_apply(guarded->guard, guarded->config, at_s(0), guarded->host_ids);
}

static inline struct guarded guarded_new_sized(const char *text, size_t max_clients, size_t max_bytes) {
    struct burst_settings settings = {max_clients, max_bytes, {{9, 8, 7}}};
    struct guarded guarded = {.guard = burst_new(&settings), .scratch = pattern_scratch_new()};
    guarded_apply(&guarded, text);
    return guarded;
}

static inline struct guarded guarded_new(const char *text) {
    return guarded_new_sized(text, 10000, SIZE_MAX);
}

static inline void guarded_end(struct guarded *guarded) {
    burst_free(&guarded->guard);
    CU_ASSERT_PTR_NULL(guarded->guard);
    config_unref(&guarded->config);
    pattern_scratch_free(guarded->scratch);
}

static inline bool refuses_address(struct guarded *guarded, size_t host, struct ip_address address, const char *path,
                                   double seconds) {
    struct burst_request request = {
        .host_id = guarded->host_ids[host], .client = address, .path = path != NULL ? span_of(path) : SPAN_NONE};
    return burst_request(guarded->guard, &guarded->config->hosts[host]->burst, &request, guarded->scratch,
                         at_s(seconds), &guarded->verdict);
}

static inline bool refuses(struct guarded *guarded, unsigned number, const char *path, double seconds) {
    return refuses_address(guarded, 0, client(number), path, seconds);
}

static inline struct ip_address address_of(const char *text) {
    struct ip_address address = {0};
    CU_ASSERT_TRUE(ip_address_parse(span_of(text), &address));
    return address;
}

static inline struct ip_prefix prefix_of(const char *text) {
    struct ip_prefix prefix = {0};
    CU_ASSERT_TRUE(ip_prefix_parse(span_of(text), false, &prefix));
    return prefix;
}

static inline bool connects(struct guarded *guarded, struct ip_address address, double seconds,
                            struct burst_client **counted) {
    return !burst_connect(guarded->guard, &guarded->config->hosts[0]->burst, &address, at_s(seconds), &guarded->verdict,
                          counted);
}

#endif
