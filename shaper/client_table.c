/* The client table: 64 shards, each a chained hash table of fixed size and a list of its unpinned records, oldest
 * first. Called by admit.c when a request begins and ends, on every worker.
 *
 * Always true, under a shard's lock: a record is in the list of unpinned ones exactly when its pins are 0. A thread
 * holds the lock of one shard at a time. */
#include "shaper/client_table.h"

#include <assert.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>

#include "config/arena.h"
#include "shaper/atomic_floor.h"

enum { SHARDS = 64, CACHE_LINE = 64, ALLOCATION_OVERHEAD_BYTES = 16 };

struct shard {
    alignas(CACHE_LINE) pthread_mutex_t lock;
    struct client_record **buckets;        /* the first shard's are the begin of everybody's */
    struct client_record *oldest, *newest; /* unpinned */
};

struct client_table {
    struct shard shards[SHARDS];
    struct siphash_key key;
    size_t max_clients, bucket_count; /* buckets of a shard */
    atomic_size_t clients;
    atomic_uint_fast64_t evicted, no_room;
};

static const size_t bytes_per_client =
    sizeof(struct client_record) + ALLOCATION_OVERHEAD_BYTES + sizeof(struct client_record *);

size_t client_table_memory_bytes(size_t clients) {
    return sizeof(struct client_table) + SHARDS * sizeof(struct client_record *) + clients * bytes_per_client;
}

struct client_table *client_table_new(const struct client_table_limits *limits, const struct siphash_key *key) {
    size_t fixed_bytes = client_table_memory_bytes(0);
    size_t room_bytes = limits->max_bytes > fixed_bytes ? limits->max_bytes - fixed_bytes : 0;
    size_t max_clients = room_bytes / bytes_per_client;
    max_clients = max_clients < limits->max_clients ? max_clients : limits->max_clients;

    struct client_table *table = NULL;
    int problem = posix_memalign((void **)&table, CACHE_LINE, sizeof *table);
    assert(problem == 0 && table != NULL);
    (void)problem;
    *table = (struct client_table){.key = *key, .max_clients = max_clients};
    table->bucket_count = max_clients / SHARDS + 1;
    /* One piece for all shards: large enough that the system gives pages for it only as they are used. */
    struct client_record **buckets = must_calloc(SHARDS * table->bucket_count, sizeof(struct client_record *));
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&table->shards[i].lock, NULL);
        table->shards[i].buckets = buckets + i * table->bucket_count;
    }
    return table;
}

void client_table_free(struct client_table **table) {
    if (*table == NULL) {
        return;
    }
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &(*table)->shards[i];
        for (size_t j = 0; j < (*table)->bucket_count; j++) {
            for (struct client_record *record = shard->buckets[j], *next; record != NULL; record = next) {
                assert(record->pins == 0);
                next = record->chain;
                free(record);
            }
        }
        pthread_mutex_destroy(&shard->lock);
    }
    free((*table)->shards[0].buckets);
    free(*table);
    *table = NULL;
}

/* ---- one shard, under its lock ---- */

static uint64_t hash_of(const struct client_table *table, const struct client_key *key) {
    uint8_t bytes[sizeof key->address.bytes + 5];
    memcpy(bytes, key->address.bytes, sizeof key->address.bytes);
    bytes[sizeof bytes - 5] = key->address.family;
    memcpy(bytes + sizeof bytes - 4, &key->host_id, 4);
    return siphash(&table->key, bytes, sizeof bytes);
}

static struct shard *shard_of(struct client_table *table, uint64_t hash) {
    return &table->shards[hash % SHARDS];
}

static struct client_record **bucket_of(const struct client_table *table, struct shard *shard, uint64_t hash) {
    return &shard->buckets[hash / SHARDS % table->bucket_count];
}

static void unlink_unpinned(struct shard *shard, struct client_record *record) {
    *(record->older != NULL ? &record->older->newer : &shard->oldest) = record->newer;
    *(record->newer != NULL ? &record->newer->older : &shard->newest) = record->older;
    record->older = record->newer = NULL;
}

static void link_unpinned(struct shard *shard, struct client_record *record) {
    record->older = shard->newest;
    record->newer = NULL;
    *(shard->newest != NULL ? &shard->newest->newer : &shard->oldest) = record;
    shard->newest = record;
}

static struct client_record *find(struct client_record *record, const struct client_key *key) {
    while (record != NULL &&
           (record->key.host_id != key->host_id || !ip_address_equal(&record->key.address, &key->address))) {
        record = record->chain;
    }
    return record;
}

/* The oldest record that nobody pins makes room. */
static bool evict_from(struct client_table *table, struct shard *shard) {
    struct client_record *record = shard->oldest;
    if (record == NULL) {
        return false;
    }
    unlink_unpinned(shard, record);
    struct client_record **at = bucket_of(table, shard, hash_of(table, &record->key));
    while (*at != record) {
        at = &(*at)->chain;
    }
    *at = record->chain;
    free(record);
    atomic_fetch_sub_explicit(&table->clients, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&table->evicted, 1, memory_order_relaxed);
    return true;
}

static bool take_room(struct client_table *table) {
    size_t before = atomic_load_explicit(&table->clients, memory_order_relaxed);
    do {
        if (before >= table->max_clients) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&table->clients, &before, before + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static struct client_record *find_and_pin(struct client_table *table, struct shard *shard, uint64_t hash,
                                          const struct client_key *key, int64_t now_ns) {
    struct client_record *record = find(*bucket_of(table, shard, hash), key);
    if (record != NULL) {
        if (record->pins++ == 0) {
            unlink_unpinned(shard, record);
        }
        record->last_use_ns = now_ns;
    }
    return record;
}

static struct client_record *add_pinned(struct client_table *table, struct shard *shard, uint64_t hash,
                                        const struct client_key *key, int64_t now_ns) {
    struct client_record *record = must_calloc(1, sizeof *record), **bucket = bucket_of(table, shard, hash);
    record->key = *key;
    record->pins = 1;
    record->shard = (uint32_t)(shard - table->shards);
    record->last_use_ns = now_ns;
    record->chain = *bucket;
    *bucket = record;
    return record;
}

/* ---- the whole table ---- */

/* No lock is held: one shard after the other, the record's own first. */
static bool make_room(struct client_table *table, const struct shard *own) {
    size_t first = (size_t)(own - table->shards);
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[(first + i) % SHARDS];
        pthread_mutex_lock(&shard->lock);
        evict_from(table, shard);
        pthread_mutex_unlock(&shard->lock);
        if (take_room(table)) {
            return true;
        }
    }
    return false;
}

struct client_record *client_table_pin(struct client_table *table, const struct client_key *key, int64_t now_ns) {
    uint64_t hash = hash_of(table, key);
    struct shard *shard = shard_of(table, hash);
    pthread_mutex_lock(&shard->lock);
    struct client_record *record = find_and_pin(table, shard, hash, key, now_ns);
    bool has_room = record != NULL || take_room(table);
    if (!has_room && evict_from(table, shard)) {
        has_room = take_room(table);
    }
    if (record == NULL && has_room) {
        record = add_pinned(table, shard, hash, key, now_ns);
    }
    pthread_mutex_unlock(&shard->lock);
    if (record != NULL) {
        return record;
    }
    if (!make_room(table, shard)) {
        atomic_fetch_add_explicit(&table->no_room, 1, memory_order_relaxed);
        return NULL;
    }
    pthread_mutex_lock(&shard->lock);
    record = find_and_pin(table, shard, hash, key, now_ns); /* another thread may have made it in the meantime */
    if (record != NULL) {
        atomic_fetch_sub_explicit(&table->clients, 1, memory_order_relaxed);
    } else {
        record = add_pinned(table, shard, hash, key, now_ns);
    }
    pthread_mutex_unlock(&shard->lock);
    return record;
}

void client_table_unpin(struct client_table *table, struct client_record *record, int64_t now_ns) {
    struct shard *shard = &table->shards[record->shard];
    pthread_mutex_lock(&shard->lock);
    assert(record->pins > 0);
    record->last_use_ns = now_ns;
    if (--record->pins == 0) {
        link_unpinned(shard, record);
    }
    pthread_mutex_unlock(&shard->lock);
}

bool client_table_is_half_free(const struct client_table *table) {
    return atomic_load_explicit(&table->clients, memory_order_relaxed) <= table->max_clients / 2;
}

/* ---- a record's counts ---- */

void client_record_note(struct client_record *record, bool refused, bool delayed, int64_t now_s) {
    if (atomic_load_explicit(&record->first_seen_s, memory_order_relaxed) == 0) {
        atomic_store_explicit(&record->first_seen_s, (unsigned)now_s, memory_order_relaxed);
    }
    atomic_store_explicit(&record->last_seen_s, (unsigned)now_s, memory_order_relaxed);
    atomic_fetch_add_explicit(&record->requests, 1, memory_order_relaxed);
    if (refused) {
        atomic_fetch_add_explicit(&record->refused, 1, memory_order_relaxed);
    }
    if (delayed) {
        atomic_fetch_add_explicit(&record->delayed, 1, memory_order_relaxed);
    }
    client_meter_count(&record->meter, 0, 1, now_s);
}

void client_record_count(struct client_record *record, uint64_t bytes, int64_t now_s) {
    atomic_fetch_add_explicit(&record->bytes_out, bytes, memory_order_relaxed);
    client_meter_count(&record->meter, bytes, 0, now_s);
}

void client_record_use(struct client_record *record, uint64_t bytes, uint64_t epoch) {
    uint64_t used = atomic_load_explicit(&record->used_bytes, memory_order_relaxed);
    uint64_t counted_in = atomic_load_explicit(&record->epoch, memory_order_relaxed);
    /* Whoever brings the record into the new epoch takes off what was counted before; nobody else's bytes are lost. */
    if (counted_in < epoch && atomic_compare_exchange_strong_explicit(&record->epoch, &counted_in, epoch,
                                                                      memory_order_relaxed, memory_order_relaxed)) {
        atomic_subtract_to_floor(&record->used_bytes, used);
    }
    atomic_fetch_add_explicit(&record->used_bytes, bytes, memory_order_relaxed);
}

void client_record_take_back(struct client_record *record, uint64_t bytes, uint64_t epoch) {
    if (atomic_load_explicit(&record->epoch, memory_order_relaxed) == epoch) {
        atomic_subtract_to_floor(&record->used_bytes, bytes);
    }
}

uint64_t client_record_used_bytes(const struct client_record *record, uint64_t epoch) {
    return atomic_load_explicit(&record->epoch, memory_order_relaxed) == epoch
               ? atomic_load_explicit(&record->used_bytes, memory_order_relaxed)
               : 0;
}

/* ---- looking ---- */

enum { BUCKETS_A_LOOK = 256 };

void client_table_visit(struct client_table *table, client_visit *visit, void *context) {
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        for (size_t from = 0; from < table->bucket_count; from += BUCKETS_A_LOOK) {
            size_t left = table->bucket_count - from, to = from + (left < BUCKETS_A_LOOK ? left : BUCKETS_A_LOOK);
            pthread_mutex_lock(&shard->lock);
            for (size_t j = from; j < to; j++) {
                for (const struct client_record *record = shard->buckets[j]; record != NULL; record = record->chain) {
                    visit(context, record);
                }
            }
            pthread_mutex_unlock(&shard->lock);
        }
    }
}

struct client_table_counts client_table_counts(const struct client_table *table) {
    return (struct client_table_counts){
        atomic_load_explicit(&table->clients, memory_order_relaxed),
        atomic_load_explicit(&table->evicted, memory_order_relaxed),
        atomic_load_explicit(&table->no_room, memory_order_relaxed),
    };
}
