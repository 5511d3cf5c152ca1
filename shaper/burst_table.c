/* The guard's shards: clients and windows in chained hash tables of fixed size, and what may go in order of use. Called
 * by the other burst_*.c for each connection and request, on every worker, under the lock of the shard concerned.
 *
 * Always true, under that lock: a client is in idle_clients exactly when nothing holds it, a window always in
 * idle_windows; a shard has at most clients_max clients and window_bytes_max bytes of windows. */
#include "shaper/burst_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"

enum {
    ALLOCATION_OVERHEAD_BYTES = 16,
    CLIENTS_PER_SHARD_MIN = 1024, /* with fewer, shards would fill up too unevenly */
    WINDOWS_PER_CLIENT = 2,       /* the host and a page: what sizes are reckoned with */
    WINDOW_BYTES_USUAL = sizeof(struct burst_window) + sizeof(struct sliding_window) + ALLOCATION_OVERHEAD_BYTES +
                         2 * sizeof(uint32_t) * WINDOW_SHARED_SLOTS,
    /* A held client may be blocked: its block, and its place in the heap that grows by doubling. */
    CLIENT_BYTES = sizeof(struct burst_client) + ALLOCATION_OVERHEAD_BYTES + sizeof(struct burst_client *),
    HOLD_BYTES = sizeof(struct burst_hold) + ALLOCATION_OVERHEAD_BYTES + 2 * sizeof(struct burst_hold *),
};

/* ---- sizes ---- */

void burst_table_init(struct burst_guard *guard, const struct burst_settings *settings) {
    size_t bytes = settings->max_bytes > sizeof *guard ? settings->max_bytes - sizeof *guard : 0;
    size_t bytes_per_client =
        CLIENT_BYTES + HOLD_BYTES + WINDOWS_PER_CLIENT * (WINDOW_BYTES_USUAL + sizeof(struct burst_window *));
    size_t clients = bytes / bytes_per_client;
    clients = clients < settings->max_clients ? clients : settings->max_clients;
    guard->shard_count = 1;
    while (guard->shard_count < BURST_SHARDS_MAX && clients / guard->shard_count >= 2 * CLIENTS_PER_SHARD_MIN) {
        guard->shard_count *= 2;
    }
    guard->clients_max = clients / guard->shard_count;
    size_t windows = guard->clients_max * WINDOWS_PER_CLIENT;
    guard->client_bucket_count = guard->clients_max + 1;
    guard->window_bucket_count = windows + 1;
    guard->window_bytes_max = windows * WINDOW_BYTES_USUAL;
    /* One piece for all shards: large enough that the system gives pages for it only as they are used. */
    struct burst_client **client_buckets =
        must_calloc(guard->shard_count * guard->client_bucket_count, sizeof(struct burst_client *));
    struct burst_window **window_buckets =
        must_calloc(guard->shard_count * guard->window_bucket_count, sizeof(struct burst_window *));
    for (size_t i = 0; i < guard->shard_count; i++) {
        struct burst_shard *shard = &guard->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        shard->clients = client_buckets + i * guard->client_bucket_count;
        shard->windows = window_buckets + i * guard->window_bucket_count;
    }
}

void burst_table_clear(struct burst_guard *guard) {
    for (size_t i = 0; i < guard->shard_count; i++) {
        struct burst_shard *shard = &guard->shards[i];
        for (size_t j = 0; j < guard->client_bucket_count; j++) {
            for (struct burst_client *client = shard->clients[j], *next; client != NULL; client = next) {
                assert(client->connections == 0);
                next = client->chain;
                burst_client_forget_windows(guard, shard, client);
                free(client->hold);
                free(client);
            }
        }
        free(shard->heap);
        pthread_mutex_destroy(&shard->lock);
    }
    free(guard->shards[0].clients);
    free(guard->shards[0].windows);
}

size_t burst_table_fixed_bytes(const struct burst_guard *guard) {
    return sizeof *guard +
           guard->shard_count * (guard->client_bucket_count + guard->window_bucket_count) * sizeof(void *);
}

size_t burst_shard_bytes(const struct burst_shard *shard) {
    return shard->client_count * (CLIENT_BYTES - sizeof(struct burst_client *)) + shard->window_bytes +
           shard->heap_count * (HOLD_BYTES - 2 * sizeof(struct burst_hold *)) +
           shard->heap_room * sizeof(struct burst_hold *);
}

/* ---- who ---- */

uint8_t burst_client_bits(const struct burst_guard *guard, const struct ip_address *address) {
    return address->family == IP_V6 ? (uint8_t)atomic_load_explicit(&guard->ipv6_prefix_bits, memory_order_relaxed)
                                    : 32;
}

struct burst_identity burst_identity(struct burst_guard *guard, const struct ip_address *client) {
    struct burst_identity identity = {.prefix_bits = burst_client_bits(guard, client)};
    identity.address = ip_address_mask(client, identity.prefix_bits);
    uint8_t bytes[sizeof identity.address.bytes + 2];
    memcpy(bytes, identity.address.bytes, sizeof identity.address.bytes);
    bytes[sizeof bytes - 2] = identity.address.family;
    bytes[sizeof bytes - 1] = identity.prefix_bits;
    identity.hash = siphash(&guard->key, bytes, sizeof bytes);
    return identity;
}

struct burst_shard *burst_shard_of(struct burst_guard *guard, uint64_t hash) {
    return &guard->shards[hash & (guard->shard_count - 1)];
}

/* ---- windows ---- */

static struct burst_window **window_bucket(const struct burst_guard *guard, struct burst_shard *shard, uint64_t id) {
    return &shard->windows[burst_mix(id) % guard->window_bucket_count];
}

static void put_in_front(struct burst_client *client, struct burst_window *window) {
    window->next = client->windows;
    window->here = &client->windows;
    if (window->next != NULL) {
        window->next->here = &window->next;
    }
    client->windows = window;
}

static void take_out_of_list(struct burst_window *window) {
    *window->here = window->next;
    if (window->next != NULL) {
        window->next->here = window->here;
    }
}

static void free_window(struct burst_guard *guard, struct burst_shard *shard, struct burst_window *window) {
    struct burst_window **at = window_bucket(guard, shard, window->id);
    while (*at != window) {
        at = &(*at)->chain;
    }
    *at = window->chain;
    take_out_of_list(window);
    recency_remove(&shard->idle_windows, &window->recency);
    shard->window_count--;
    shard->window_bytes -= window->bytes;
    free(window);
}

void burst_client_forget_windows(struct burst_guard *guard, struct burst_shard *shard, struct burst_client *client) {
    while (client->windows != NULL) {
        free_window(guard, shard, client->windows);
    }
}

static bool make_room_for_window(struct burst_guard *guard, struct burst_shard *shard, size_t bytes) {
    while (shard->window_bytes + bytes > guard->window_bytes_max) {
        struct recency_link *oldest = recency_next_to_go(&shard->idle_windows);
        if (oldest == NULL) {
            return false;
        }
        free_window(guard, shard, (struct burst_window *)(void *)oldest);
        shard->evicted++;
    }
    return true;
}

static struct burst_window *add_window(struct burst_shard *shard, struct burst_client *client,
                                       struct burst_window **bucket, uint64_t id, size_t counter_bytes) {
    struct burst_window *window = must_calloc(1, sizeof(struct burst_window) + counter_bytes);
    window->id = id;
    window->client = client;
    window->bytes = sizeof(struct burst_window) + counter_bytes + ALLOCATION_OVERHEAD_BYTES;
    window->chain = *bucket;
    *bucket = window;
    put_in_front(client, window);
    recency_add(&shard->idle_windows, &window->recency);
    shard->window_count++;
    shard->window_bytes += window->bytes;
    return window;
}

static struct sliding_window *make_window(struct burst_guard *guard, struct burst_shard *shard,
                                          struct burst_client *client, struct burst_window_key key, uint64_t id) {
    /* Hosts may set different limits for all requests together, and count in one window; and the line about a
     * connection refused says how many there were. */
    bool beyond_limit = key.kind == BURST_WINDOW_REQUESTS || key.kind == BURST_WINDOW_CONNECTIONS;
    size_t counter_bytes = sliding_window_bytes(key.rule.count, beyond_limit);
    if (!make_room_for_window(guard, shard, counter_bytes + sizeof(struct burst_window) + ALLOCATION_OVERHEAD_BYTES)) {
        shard->no_room++;
        return NULL;
    }
    struct sliding_window *counter =
        burst_window_counter(add_window(shard, client, window_bucket(guard, shard, id), id, counter_bytes));
    sliding_window_init(counter, key.rule.count, beyond_limit, key.rule.interval_s);
    return counter;
}

struct sliding_window *burst_window_look_up(struct burst_guard *guard, struct burst_shard *shard,
                                            struct burst_client *client, struct burst_window_key key, uint64_t id) {
    struct burst_window *window = *window_bucket(guard, shard, id);
    while (window != NULL && (window->id != id || window->client != client)) {
        window = window->chain;
    }
    if (window == NULL) {
        return make_window(guard, shard, client, key, id);
    }
    take_out_of_list(window);
    put_in_front(client, window);
    window->recency.was_used = true;
    return burst_window_counter(window);
}

/* ---- clients ---- */

static struct burst_client **client_bucket(const struct burst_guard *guard, struct burst_shard *shard, uint64_t hash) {
    return &shard->clients[hash / BURST_SHARDS_MAX % guard->client_bucket_count];
}

struct burst_client *burst_client_find(struct burst_guard *guard, struct burst_shard *shard,
                                       const struct burst_identity *identity) {
    struct burst_client *client = *client_bucket(guard, shard, identity->hash);
    while (client != NULL && (client->hash != identity->hash || client->prefix_bits != identity->prefix_bits ||
                              !ip_address_equal(&client->address, &identity->address))) {
        client = client->chain;
    }
    return client;
}

static bool make_room_for_client(struct burst_guard *guard, struct burst_shard *shard) {
    if (shard->client_count < guard->clients_max) {
        return true;
    }
    struct burst_client *oldest = (struct burst_client *)(void *)recency_next_to_go(&shard->idle_clients);
    if (oldest == NULL) {
        return false;
    }
    struct burst_client **at = client_bucket(guard, shard, oldest->hash);
    while (*at != oldest) {
        at = &(*at)->chain;
    }
    *at = oldest->chain;
    burst_client_forget_windows(guard, shard, oldest);
    recency_remove(&shard->idle_clients, &oldest->recency);
    free(oldest);
    shard->client_count--;
    shard->evicted++;
    return true;
}

struct burst_client *burst_client_get(struct burst_guard *guard, struct burst_shard *shard,
                                      const struct burst_identity *identity) {
    struct burst_client *client = burst_client_find(guard, shard, identity);
    if (client != NULL) {
        client->recency.was_used = true;
        return client;
    }
    if (!make_room_for_client(guard, shard)) {
        shard->no_room++;
        return NULL;
    }
    client = must_calloc(1, sizeof *client);
    client->hash = identity->hash;
    client->address = identity->address;
    client->prefix_bits = identity->prefix_bits;
    client->last_line_ns = INT64_MIN;
    struct burst_client **bucket = client_bucket(guard, shard, identity->hash);
    client->chain = *bucket;
    *bucket = client;
    shard->client_count++;
    recency_add(&shard->idle_clients, &client->recency);
    return client;
}

void burst_client_settle(struct burst_shard *shard, struct burst_client *client) {
    bool is_held = client->connections > 0 || client->hold != NULL || client->is_quiet;
    if (is_held && client->recency.is_listed) {
        recency_remove(&shard->idle_clients, &client->recency);
    } else if (!is_held && !client->recency.is_listed) {
        recency_add(&shard->idle_clients, &client->recency);
    }
}
