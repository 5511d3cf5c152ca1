/* The clients of each host: for each pair of address and host its own speed, request rate, count and quota.
 *
 * Bounded in entries and bytes. Whoever needs a record pins it, and gives it back; a record that nobody pins may be
 * forgotten, the one unused for longest first, when another needs the room. When all are pinned the new client gets
 * none and is counted as such. A look-up takes one of 64 small locks and costs the same however full the table is. The
 * hash is keyed, so that no choice of addresses makes one place crowded. Any thread. Pure: the time is a parameter. */
#ifndef WEIR_SHAPER_CLIENT_TABLE_H
#define WEIR_SHAPER_CLIENT_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/ipaddr.h"
#include "shaper/client_meter.h"
#include "shaper/siphash.h"
#include "shaper/traffic_scope.h"

struct client_key {
    struct ip_address address; /* masked: IPv6 by CBandIPv6Prefix */
    uint32_t host_id;
};

struct client_record {
    struct traffic_scope scope;
    atomic_uint_fast64_t used_bytes; /* in the epoch of the host's quota */
    atomic_uint_fast64_t epoch;
    atomic_uint_fast64_t class_memo; /* the class of its address in one binding (ticket.c); 0: not known */

    /* For people: nothing is decided by these. */
    struct client_meter meter;
    atomic_uint_fast64_t bytes_out;
    atomic_uint requests, refused, delayed;
    atomic_uint first_seen_s, last_seen_s; /* since the epoch */

    /* The table's own. */
    struct client_key key;
    uint32_t pins;
    uint32_t shard;      /* where it is kept, so that giving it back needs no hash */
    int64_t last_use_ns; /* when it was last pinned or given back */
    struct client_record *chain, *older, *newer;
};

struct client_table;

struct client_table_limits {
    size_t max_clients;
    size_t max_bytes; /* of memory, the table's own included */
};

struct client_table_counts {
    uint64_t clients; /* now */
    uint64_t evicted; /* since the start: forgotten to make room */
    uint64_t no_room; /* since the start: clients that got no record */
};

struct client_table *client_table_new(const struct client_table_limits *limits, const struct siphash_key *key);
/* No record may be pinned. NULL is harmless; nulls the pointer. */
void client_table_free(struct client_table **table);

/* The record of a client, made when there is none, pinned. NULL: no room. */
struct client_record *client_table_pin(struct client_table *table, const struct client_key *key, int64_t now_ns);
/* Once for each pin. */
void client_table_unpin(struct client_table *table, struct client_record *record, int64_t now_ns);

/* Whether at least half of the room is left, so that nobody is forgotten for a record that stays pinned for long. */
bool client_table_is_half_free(const struct client_table *table);

/* Counts bytes sent to the client, for what is shown of it. */
void client_record_count(struct client_record *record, uint64_t bytes, int64_t now_s);
/* The same for what it has used of the host's quota, from zero when that is in a new epoch. */
void client_record_use(struct client_record *record, uint64_t bytes, uint64_t epoch);
/* Bytes used a moment ago, in that epoch, have not been sent after all. */
void client_record_take_back(struct client_record *record, uint64_t bytes, uint64_t epoch);
/* Counts a request of the client's and what became of it. */
void client_record_note(struct client_record *record, bool refused, bool delayed, int64_t now_s);
/* What it has used in this epoch. */
uint64_t client_record_used_bytes(const struct client_record *record, uint64_t epoch);

/* Shows every record to the visitor, in no order, a few at a time under a lock that other threads may wait for: it
 * should look and copy, no more. Records that come or go meanwhile may be missed. */
typedef void client_visit(void *context, const struct client_record *record);
void client_table_visit(struct client_table *table, client_visit *visit, void *context);

struct client_table_counts client_table_counts(const struct client_table *table);
/* How much memory a table with so many clients takes at most, in bytes. */
size_t client_table_memory_bytes(size_t clients);

#endif
