/* For tests of the whole shaper: a configuration from text, requests, and times. */
#ifndef WEIR_TESTS_UNIT_SHAPER_GIVEN_SHAPER_H
#define WEIR_TESTS_UNIT_SHAPER_GIVEN_SHAPER_H

#include <stdio.h>
#include <string.h>

#include "shaper/binding.h"
#include "shaper/shaper.h"
#include "tests/unit/shaper/given.h"

/* The main server is host 0; <VirtualHost>s follow. */
static inline struct config *load(const char *text) {
    static const struct config_options options = {.path = "/etc/weir/proxy.conf"};
    char *messages = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&messages, &length);
    struct config *config = config_load_text(&options, span_of(text), stream);
    fclose(stream);
    if (config == NULL) {
        fprintf(stderr, "%s", messages);
    }
    free(messages);
    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    return config;
}

static inline struct shaper *new_shaper(void) {
    struct shaper_settings settings = {.clients = {100000, SIZE_MAX}, .hash_key = {{1, 2, 3}}, .workers = 8};
    return shaper_new(&settings);
}

static inline struct shaper_binding *apply(struct shaper *shaper, const char *text) {
    struct config *config = load(text);
    struct shaper_binding *binding = shaper_apply(shaper, config);
    config_unref(&config);
    return binding;
}

static inline void end(struct shaper *shaper, struct shaper_binding *binding) {
    shaper_binding_unref(&binding);
    shaper_free(&shaper);
}

static inline struct shaper_time at_s(double seconds) {
    return (struct shaper_time){(int64_t)((1000 + seconds) * 1e9), 1700000000 + (int64_t)seconds};
}

static inline struct ip_address client(unsigned number) {
    return (struct ip_address){.family = IP_V4, .bytes = {10, 0, (uint8_t)(number >> 8), (uint8_t)number}};
}

static inline struct shaper_decision admit_path(struct shaper_binding *binding, size_t host, struct ip_address address,
                                                const char *path, double seconds, struct shaper_ticket *ticket) {
    struct shaper_request request = {.host = host, .client = address, .path = span_of(path)};
    struct shaper_decision decision;
    shaper_admit(binding, &request, at_s(seconds), ticket, &decision);
    return decision;
}

static inline struct shaper_decision admit(struct shaper_binding *binding, size_t host, unsigned client_number,
                                           double seconds, struct shaper_ticket *ticket) {
    return admit_path(binding, host, client(client_number), "/", seconds, ticket);
}

/* A request that is served and answered with so many bytes at once. */
static inline struct shaper_decision serve(struct shaper_binding *binding, size_t host, unsigned client_number,
                                           double seconds, uint64_t bytes) {
    struct shaper_ticket ticket;
    struct shaper_decision decision = admit(binding, host, client_number, seconds, &ticket);
    if (ticket.shaper != NULL) {
        shaper_charge(&ticket, SHAPER_RESPONSE, bytes, at_s(seconds));
        shaper_release(&ticket, at_s(seconds));
    }
    return decision;
}

#endif
