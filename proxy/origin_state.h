/* What is known at run time about origins and balancers: addresses, health, how busy they are. Shared by all workers,
 * kept by name, so that it survives a reload.
 *
 * Workers only read and write atomics here; look-ups of names run on the resolver thread, active checks on the
 * housekeeping loop. An entry lives as long as any generation names it. */
#ifndef WEIR_PROXY_ORIGIN_STATE_H
#define WEIR_PROXY_ORIGIN_STATE_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "config/config.h"

struct ev_loop;
struct origin_table;   /* all entries, by name */
struct origin_runtime; /* run-time side of one origin */
struct tls_generation;
struct origins; /* of one generation: origin_runtime for each config->origins[i], balancers likewise */

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un unix_path;
};

/* housekeeping_loop runs health checks and timers of look-ups; the resolver thread is started here. */
struct origin_table *origin_table_new(struct ev_loop *housekeeping_loop);
void origin_table_free(struct origin_table **table); /* joins the resolver thread */

/* Binds a generation to the entries, making what is new. Numeric addresses are there at once; names are looked up on
 * the resolver thread (wait_ns: how long to wait for first answers, 0 for not at all; start-up waits, a reload does
 * not). tls: for health checks of https:// origins; NULL: none is one. Housekeeping thread. */
struct origins *origins_new(struct origin_table *table, const struct config *config, const struct tls_generation *tls,
                            int64_t wait_ns);
void origins_free(struct origins **origins); /* housekeeping thread, when no worker uses the generation any more */

/* --- worker threads, never blocking --- */

/* The entry of a plain origin. */
struct origin_runtime *origins_get(const struct origins *origins, const struct origin *origin);

/* Chooses a member: the sticky route of the cookie's value first (…ROUTE after the last "."), then by the method among
 * healthy members that are not in `tried` (a bit a member index; members over 63 are never excluded), then hot standby,
 * then, as Apache does when all are in error, none. NULL: 503. */
const struct balancer_member *origins_choose(const struct origins *origins, const struct balancer *balancer,
                                             struct span cookie_route, uint64_t tried, int64_t now_ns);

/* The address to connect to next: the addresses of a name in the resolver's order (as Apache does), attempt counting
 * from 0. False when there is none (never resolved) or attempt has gone through all of them. */
bool origin_address(struct origin_runtime *origin, unsigned attempt, union socket_address *address, socklen_t *length);

/* A failed connect takes the origin out for its retry time (0: never out); a good one brings it back, as does a good
 * active check. Members of balancers and plain origins of the same URL are kept apart. */
void origin_failed(struct origin_runtime *origin, const struct origin *config, int64_t now_ns);
void origin_worked(struct origin_runtime *origin);
/* False while the origin is out by passive or active health. A plain origin (no balancer) with retry=0 is always
 * usable. */
bool origin_usable(struct origin_runtime *origin, int64_t now_ns);
/* Exchanges in flight, for bybusyness and max=; every begin has one end. */
void origin_begin(struct origin_runtime *origin);
void origin_end(struct origin_runtime *origin);

/* --- what happened there: workers add, any thread reads --- */

enum origin_count {
    ORIGIN_COUNT_CONNECTIONS, /* made */
    ORIGIN_COUNT_REQUESTS,    /* sent there */
    ORIGIN_COUNT_FAILURES,    /* connects that failed, and requests without a good response */
    ORIGIN_COUNTS
};
void origin_add(struct origin_runtime *origin, enum origin_count count);

enum { ORIGIN_LATENCIES = 16 };
extern const int64_t origin_latency_bounds_ns[ORIGIN_LATENCIES]; /* upper ones; the last is INT64_MAX */
/* The response's head came so long after the request's head was sent. */
void origin_answered(struct origin_runtime *origin, int64_t after_ns);

struct origin_view {
    const struct origin *origin;
    const struct balancer *balancer; /* NULL: it is in none */
    bool is_usable;
    size_t in_flight;
    uint64_t counts[ORIGIN_COUNTS];
    uint64_t first_byte[ORIGIN_LATENCIES]; /* in each latency, not cumulative */
    uint64_t first_byte_ns;
};
typedef void origins_visitor(void *context, const struct origin_view *view);
/* Each plain origin and each member of a balancer, in the configuration's order. Housekeeping thread. */
void origins_visit(const struct origins *origins, int64_t now_ns, origins_visitor *visit, void *context);

#endif
