/* What the guard knows of clients: 64 shards, each with its clients, their sliding windows and their blocks. Internal
 * to shaper/.
 *
 * Whatever is told here of a shard, its clients, windows and blocks needs that shard's lock; a thread holds one at a
 * time. A client that is held (connected, blocked, or with lines left out that are to be told) stays; all others, and
 * all windows, may go when room is needed, so no pointer to them may be kept over another call or without the lock. */
#ifndef WEIR_SHAPER_BURST_TABLE_H
#define WEIR_SHAPER_BURST_TABLE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "shaper/burst.h"
#include "shaper/burst_prefixes.h"
#include "shaper/name_table.h"
#include "shaper/path_hash.h"
#include "shaper/recency.h"
#include "shaper/sliding_window.h"

enum { BURST_SHARDS_MAX = 64, BURST_CACHE_LINE = 64 };

/* A block of one client. Made when it is blocked, freed when burst_sweep() or burst_unblock() has told that it is over.
 */
struct burst_hold {
    struct burst_client *owner;
    struct ip_address client; /* not masked: who began it */
    uint8_t reason;           /* enum burst_reason */
    bool log_only;
    uint32_t host_id;
    uint32_t period_s; /* 0: not renewed */
    int64_t began_wall_s;
    int64_t until_ns;
    int64_t told_until_ns; /* as burst_sweep() or the event of the begin said: never later than until_ns */
    size_t heap_index;
    uint64_t refused;
};

struct burst_client {
    struct recency_link recency; /* first; listed while it is not held */
    uint64_t hash;
    struct ip_address address; /* masked */
    uint8_t prefix_bits;
    uint8_t left_out_reason; /* enum burst_reason: what the lines left out were about */
    bool is_quiet;           /* in the shard's list */
    uint32_t connections;    /* counted and open */
    uint32_t lines_left_out;
    int64_t last_line_ns;
    struct burst_client *chain, *quiet_next;
    struct burst_window *windows; /* all of its own, the ones last looked for in front */
    struct burst_hold *hold;      /* NULL: not blocked; it may be over and not swept yet */
    atomic_bool is_blocked;       /* whether there is one: also for who holds the client and has not the lock */
};

/* One sliding window of a client: of a page, a host, all hosts, or its connections. */
struct burst_window {
    struct recency_link recency; /* first */
    uint64_t id;                 /* of its key; with the client, its identity */
    struct burst_client *client;
    struct burst_window *chain;
    struct burst_window *next, **here; /* of the same client; `here` is what points to this one */
    size_t bytes; /* of the allocation: the struct sliding_window, whose size varies, stands behind this one */
};

struct burst_shard {
    alignas(BURST_CACHE_LINE) pthread_mutex_t lock;
    struct burst_client **clients; /* buckets; the first shard's are the begin of everybody's */
    struct burst_window **windows;
    struct recency idle_clients, idle_windows;
    size_t client_count, window_count, window_bytes;
    struct burst_hold **heap; /* by told_until_ns, the earliest first */
    size_t heap_count, heap_room;
    struct burst_client *quiet;
    uint64_t evicted, no_room;
    uint64_t blocks_total[BURST_REASONS], refused_total[BURST_REASONS];
};

struct burst_guard {
    struct burst_shard shards[BURST_SHARDS_MAX];
    size_t shard_count; /* a power of two */
    struct siphash_key key;
    struct path_hash_key path_key;
    size_t clients_max, window_bytes_max;            /* of a shard */
    size_t client_bucket_count, window_bucket_count; /* of a shard */
    atomic_uint ipv6_prefix_bits;
    atomic_size_t holds; /* blocks of clients, not swept yet */
    struct burst_prefixes prefixes;
    pthread_mutex_t names_lock;
    struct name_table names; /* of hosts, by host id */
};

/* Who a client is: found without any lock. */
struct burst_identity {
    struct ip_address address; /* masked */
    uint8_t prefix_bits;
    uint64_t hash;
};
struct burst_identity burst_identity(struct burst_guard *guard, const struct ip_address *client);
/* How many bits of such an address are a client. */
uint8_t burst_client_bits(const struct burst_guard *guard, const struct ip_address *address);

/* Sizes the table: as many clients as asked for, as far as the memory allows, and windows for what is left of it. */
void burst_table_init(struct burst_guard *guard, const struct burst_settings *settings);
void burst_table_clear(struct burst_guard *guard);
size_t burst_table_fixed_bytes(const struct burst_guard *guard);
size_t burst_shard_bytes(const struct burst_shard *shard);

struct burst_shard *burst_shard_of(struct burst_guard *guard, uint64_t hash);
/* NULL: not known. */
struct burst_client *burst_client_find(struct burst_guard *guard, struct burst_shard *shard,
                                       const struct burst_identity *identity);
/* Makes it when it is not known, and counts as a use. NULL: no room. */
struct burst_client *burst_client_get(struct burst_guard *guard, struct burst_shard *shard,
                                      const struct burst_identity *identity);
/* To be called after anything changed that holds a client. */
void burst_client_settle(struct burst_shard *shard, struct burst_client *client);
/* Forgets what it has done. */
void burst_client_forget_windows(struct burst_guard *guard, struct burst_shard *shard, struct burst_client *client);

enum burst_window_kind { BURST_WINDOW_PAGE, BURST_WINDOW_SITE, BURST_WINDOW_REQUESTS, BURST_WINDOW_CONNECTIONS };

/* Which window, besides whose. Another rule is another window: after a reload that changes it, counting begins anew. */
struct burst_window_key {
    uint64_t client_hash;
    uint64_t path_hash;
    uint32_t kind; /* enum burst_window_kind */
    uint32_t host_id;
    struct burst_rule rule;
};

/* What clients choose, address and path, comes hashed with secret keys. The factors, any odd numbers with their bits
 * well spread, keep apart what a configuration chooses. */
static inline uint64_t burst_window_id(const struct burst_window_key *key) {
    uint64_t place = (uint64_t)key->kind << 32 | key->host_id;
    uint64_t rule = (uint64_t)key->rule.count << 32 | key->rule.interval_s;
    return (key->client_hash ^ key->path_hash) + place * UINT64_C(0x9e3779b97f4a7c15) +
           rule * UINT64_C(0xd6e8feb86659fd93);
}

/* The last step of the splitmix64 generator (G. Steele, D. Lea, C. Flood, OOPSLA 2014): each bit of the word decides
 * about each bit of the result. */
static inline uint64_t burst_mix(uint64_t word) {
    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

static inline struct sliding_window *burst_window_counter(struct burst_window *window) {
    return (struct sliding_window *)(void *)(window + 1);
}

enum { BURST_WINDOWS_IN_FRONT = 3 };

/* One that does not stand in front: found by its hash, or made. NULL: no room. */
struct sliding_window *burst_window_look_up(struct burst_guard *guard, struct burst_shard *shard,
                                            struct burst_client *client, struct burst_window_key key, uint64_t id);

/* The window, made when there is none; only until the next call. NULL: no room. Mostly a client asks for what it asked
 * for before, so its last windows are tried before any hash table is. */
static inline struct sliding_window *burst_window_get(struct burst_guard *guard, struct burst_shard *shard,
                                                      struct burst_client *client, struct burst_window_key key) {
    uint64_t id = burst_window_id(&key);
    struct burst_window *window = client->windows;
    for (unsigned left = BURST_WINDOWS_IN_FRONT; window != NULL && left > 0; left--, window = window->next) {
        if (window->id == id) {
            window->recency.was_used = true;
            return burst_window_counter(window);
        }
    }
    return burst_window_look_up(guard, shard, client, key, id);
}

/* ---- blocks of clients (burst_blocks.c) ---- */

/* Begins a block until then, or makes one that is there already into this one. Of `block` the end in wall time and the
 * blocked prefix are not looked at. */
struct burst_hold *burst_hold_begin(struct burst_guard *guard, struct burst_shard *shard, struct burst_client *client,
                                    const struct burst_block *block, int64_t until_ns);
void burst_hold_end(struct burst_guard *guard, struct burst_shard *shard, struct burst_hold *hold);

/* Whether an existing block refuses a request or connection under these limits; then it is renewed and counted, and
 * *verdict says so. `client` may be NULL. */
bool burst_hold_refuses(struct burst_shard *shard, struct burst_client *client, const struct burst_limits *limits,
                        struct shaper_time now, struct burst_verdict *verdict);
void burst_hold_tell(const struct burst_hold *hold, struct shaper_time now, struct burst_verdict *verdict);

/* That the block lasts until until_ns is told now. */
void burst_hold_told(struct burst_shard *shard, struct burst_hold *hold);

/* ---- lists (burst_blocks.c) ---- */

void burst_hold_list(struct burst_block_list *list, const struct burst_hold *hold, struct shaper_time now);

void burst_block_list_add(struct burst_block_list *list, const struct burst_block *block);
int64_t burst_wall_s(int64_t at_ns,
                     struct shaper_time now); /* the wall clock's time of a monotonic moment, rounded up */

/* ---- whom the rules are not for (burst_request.c) ---- */

/* DOSEnabled is off, the address is not known, or it is in DOSWhitelist. */
bool burst_is_exempt(const struct burst_limits *limits, const struct ip_address *client);

#endif
