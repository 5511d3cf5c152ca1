/* Burst blocking, the one door: who sends too many requests or connections, and is refused for a while.
 *
 * For each accepted connection burst_connect() and, when it was counted, burst_disconnect(); for each request
 * burst_request(); once a second burst_sweep(). One guard serves all workers and outlives configurations; limits come
 * with each call, from the generation that the caller works with. Meaning of everything: spec of the DOS* directives,
 * config/limits.h.
 *
 * A client is an address: IPv4 whole, IPv6 by its first DOSIPv6Prefix bits. What is known of clients is bounded, in
 * number and bytes; keyed hashing spreads it over 64 small locks; what was used once and longest ago is forgotten
 * first, a blocked or connected client never. A request or connection for which there is no room passes, and is counted
 * as such.
 *
 * All functions may be called on any thread unless they say otherwise. No socket, no clock: times are parameters. */
#ifndef WEIR_SHAPER_BURST_H
#define WEIR_SHAPER_BURST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/ipaddr.h"
#include "config/span.h"
#include "shaper/shaper_time.h"
#include "shaper/siphash.h"

struct burst_guard;
struct burst_client; /* what is known of one client */

enum burst_reason {
#define REASON(name, text, meaning) BURST_REASON_##name,
#include "shaper/burst_reasons.def"
#undef REASON
    BURST_REASONS
};
const char *burst_reason_text(enum burst_reason reason);
const char *burst_reason_meaning(enum burst_reason reason);
/* By its text; BURST_REASON_NONE for a text that is none. */
enum burst_reason burst_reason_parse(struct span text);

struct burst_settings {
    size_t max_clients;          /* DOSMaxClients */
    size_t max_bytes;            /* of memory, for everything */
    struct siphash_key hash_key; /* random */
};

struct burst_guard *burst_new(const struct burst_settings *settings);
/* No connection may be counted any more. Nulls the pointer; NULL is harmless. */
void burst_free(struct burst_guard **guard);

/* Takes DOSIPv6Prefix over and writes for each host of the configuration, by its index, the number that stands for its
 * name, the same after each reload. Housekeeping thread, once for each configuration that is to be used. A changed
 * prefix begins IPv6 clients anew; blocks of them stay in force as they were made (BURST_PREFIXES_MAX of them). */
void burst_apply(struct burst_guard *guard, const struct config *config, struct shaper_time now, uint32_t *host_ids);
uint32_t burst_host_id(struct burst_guard *guard, const char *name); /* for a store */
/* The name of such a number; lives as long as the guard. NULL: no such number. */
const char *burst_host_name(struct burst_guard *guard, uint32_t host_id);

#define BURST_NO_HOST UINT32_MAX /* a block that no host began: by hand */

/* ---- one request ---- */

struct burst_verdict {
    enum burst_reason reason; /* NONE: it passes. Else what the block began with, or why the connection is refused */
    bool is_new;              /* the block begins with this request: tell who wants to know */
    bool log_only;            /* DOSLogOnly: count and log it, then let it pass */
    bool may_log;             /* connections: nothing was logged about this client within the last second */
    uint32_t lines_left_out;  /* since the line before; 0 unless may_log */
    uint64_t count;           /* connections: how many there were, the refused one included */
    int64_t retry_after_s;    /* of a block: until its end, at least 1 */
    int64_t until_wall_s;     /* of a block */
    struct ip_prefix blocked; /* of a block: the address or prefix that it holds for */
};

struct burst_request {
    uint32_t host_id;
    struct ip_address client; /* as it is, not masked; IP_NONE: not known, always passes */
    struct span path;         /* normalised, without the query; ptr NULL: a request refused with 400, which has none */
    struct burst_client *connected; /* burst_connect()'s, to spare a look-up; NULL: none, or of another address */
};

/* Decides about a request, in this order: DOSWhitelist, block (which it renews), DOSWhitelistUri, DOSTargetlistUri,
 * DOSBlocklistUri, counters. True: refuse it (unless verdict->log_only). Limits with enabled false pass everything. */
bool burst_request(struct burst_guard *guard, const struct burst_limits *limits, const struct burst_request *request,
                   struct pattern_scratch *scratch, struct shaper_time now, struct burst_verdict *verdict);

/* ---- one connection ---- */

/* Decides about a new connection of `client`, by the limits of its local address's default host: DOSWhitelist, then a
 * block where DOSBlockAction ends connections (which it renews), connection rate, connections at a time. True: refuse
 * it (unless verdict->log_only). When it is let in, *counted is set unless there was no room or nothing to count, and
 * must be given back once. */
bool burst_connect(struct burst_guard *guard, const struct burst_limits *limits, const struct ip_address *client,
                   struct shaper_time now, struct burst_verdict *verdict, struct burst_client **counted);
/* Once for each connection counted. Nulls the pointer; NULL is harmless. */
void burst_disconnect(struct burst_guard *guard, struct burst_client **counted);

/* ---- blocks ---- */

struct burst_block {
    struct ip_prefix blocked;
    struct ip_address client; /* who began it; as the prefix's address when by hand */
    enum burst_reason reason;
    uint32_t host_id;  /* whose rule it was; BURST_NO_HOST */
    uint32_t period_s; /* what each request renews it by; 0: it ends when it ends (by hand) */
    bool log_only;     /* begun where DOSLogOnly holds: refuses nothing */
    int64_t began_wall_s;
    int64_t until_wall_s;
    uint64_t refused; /* requests and connections, the first included */
};

/* Grows as needed; the owner frees it with burst_block_list_clear(). Zeroed: empty. */
struct burst_block_list {
    struct burst_block *blocks;
    size_t count, room;
};
void burst_block_list_clear(struct burst_block_list *list);

/* Appends all blocks that hold now, in no order. */
void burst_blocks(struct burst_guard *guard, struct shaper_time now, struct burst_block_list *list);

/* Blocks an address or prefix for so many seconds, at least 1; requests do not renew it. An IPv6 prefix of
 * DOSIPv6Prefix bits or more blocks the client that it belongs to. A block that holds already becomes this one. *added,
 * when not NULL, is what was added. False: no room. */
bool burst_block_by_hand(struct burst_guard *guard, const struct ip_prefix *blocked, uint32_t seconds,
                         struct shaper_time now, struct burst_block *added);
/* Ends all blocks of addresses and prefixes inside `prefix` (NULL: all there are), appends them to *ended, and forgets
 * what those clients had requested. Returns how many. A prefix block that only contains `prefix` stays. */
size_t burst_unblock(struct burst_guard *guard, const struct ip_prefix *prefix, struct shaper_time now,
                     struct burst_block_list *ended);

/* A block from before a restart. Nothing is counted or told. False: no room, or it is over. */
bool burst_restore(struct burst_guard *guard, const struct burst_block *block, struct shaper_time now);

/* Once a second, on the housekeeping thread. Appends to `ended` the blocks that are over, to `renewed` those that last
 * longer than this list or the event of their begin last said, and to `quiet` the clients about whom lines were left
 * out and have been for a second (their `refused` is how many lines). */
struct burst_changes {
    struct burst_block_list ended, renewed, quiet;
};
void burst_sweep(struct burst_guard *guard, struct shaper_time now, struct burst_changes *changes);
void burst_changes_clear(struct burst_changes *changes);

/* ---- counts ---- */

struct burst_counts {
    uint64_t clients;                      /* known now */
    uint64_t windows;                      /* sliding windows kept now: pages, sites, rates */
    uint64_t bytes;                        /* that they take */
    uint64_t evicted;                      /* clients and windows forgotten to make room, since the start */
    uint64_t no_room;                      /* requests and connections that found none */
    uint64_t blocks;                       /* now */
    uint64_t blocks_total[BURST_REASONS];  /* begun since the start */
    uint64_t refused_total[BURST_REASONS]; /* requests and connections since the start, log-only ones included */
};
struct burst_counts burst_counts(struct burst_guard *guard);

#endif
