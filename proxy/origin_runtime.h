/* The inside of origin_state.h, shared by the files that implement it and by nobody else. */
#ifndef WEIR_PROXY_ORIGIN_RUNTIME_H
#define WEIR_PROXY_ORIGIN_RUNTIME_H

#include "proxy/balancer.h"
#include "proxy/health_check.h"
#include "proxy/origin_state.h"
#include "proxy/resolver.h"

struct origin_runtime {
    struct origin_runtime *next; /* in the table's list; housekeeping thread, like all that is not atomic */
    char *key;
    size_t references; /* generations that name it */

    /* constant while there is a reference */
    union socket_address numeric; /* family AF_UNSPEC: see `name` */
    struct resolver_name *name;

    /* any thread */
    atomic_size_t in_flight;
    atomic_int_least64_t out_until_ns; /* passive health: not used before; 0: not out */
    atomic_bool check_failed;          /* active health */

    unsigned good_checks, bad_checks; /* in a row */

    /* For people: any thread adds. On cache lines of their own, away from what decides. */
    _Alignas(64) atomic_uint_fast64_t counts[ORIGIN_COUNTS];
    atomic_uint_fast64_t first_byte[ORIGIN_LATENCIES];
    atomic_uint_fast64_t first_byte_ns; /* their sum */
};

/* Fills in all but what the configuration says. */
void origin_runtime_view(struct origin_runtime *origin, int64_t now_ns, struct origin_view *view);

#endif
