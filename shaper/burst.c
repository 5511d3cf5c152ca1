/* The guard itself: making it, its hosts, what is done by hand, once a second, or read by whoever shows it. Called by
 * the housekeeping thread for the most part; the ways of a request and of a connection are in files of their own. */
#include "shaper/burst.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "shaper/burst_table.h"
#include "shaper/shaper.h"

static const int64_t second_ns = 1000000000;

/* ---- reasons ---- */

static const struct {
    const char *text, *meaning;
} reasons[BURST_REASONS] = {
#define REASON(name, text, meaning) {text, meaning},
#include "shaper/burst_reasons.def"
#undef REASON
};

const char *burst_reason_text(enum burst_reason reason) {
    return reasons[reason].text;
}

const char *burst_reason_meaning(enum burst_reason reason) {
    return reasons[reason].meaning;
}

enum burst_reason burst_reason_parse(struct span text) {
    for (size_t i = 0; i < BURST_REASONS; i++) {
        if (strlen(reasons[i].text) == text.len && memcmp(reasons[i].text, text.ptr, text.len) == 0) {
            return (enum burst_reason)i;
        }
    }
    return BURST_REASON_NONE;
}

/* ---- the guard ---- */

struct burst_guard *burst_new(const struct burst_settings *settings) {
    struct burst_guard *guard = NULL;
    int problem = posix_memalign((void **)&guard, BURST_CACHE_LINE, sizeof *guard);
    assert(problem == 0 && guard != NULL);
    (void)problem;
    *guard = (struct burst_guard){.key = settings->hash_key, .path_key = path_hash_key(&settings->hash_key)};
    atomic_init(&guard->ipv6_prefix_bits, 64);
    pthread_mutex_init(&guard->names_lock, NULL);
    burst_prefixes_init(&guard->prefixes);
    burst_table_init(guard, settings);
    return guard;
}

void burst_free(struct burst_guard **guard) {
    if (*guard == NULL) {
        return;
    }
    burst_table_clear(*guard);
    burst_prefixes_clear(&(*guard)->prefixes);
    name_table_clear(&(*guard)->names);
    pthread_mutex_destroy(&(*guard)->names_lock);
    free(*guard);
    *guard = NULL;
}

/* The clients that blocks were made for are other clients now: the blocks go on as networks. */
static void keep_blocks_of_old_prefix(struct burst_guard *guard, struct burst_block_list *blocks,
                                      struct shaper_time now) {
    for (size_t i = 0; i < blocks->count; i++) {
        burst_restore(guard, &blocks->blocks[i], now);
    }
}

void burst_apply(struct burst_guard *guard, const struct config *config, struct shaper_time now, uint32_t *host_ids) {
    pthread_mutex_lock(&guard->names_lock);
    for (size_t i = 0; i < config->host_count; i++) {
        host_ids[i] = (uint32_t)name_table_number(&guard->names, shaper_host_name(config->hosts[i]));
    }
    pthread_mutex_unlock(&guard->names_lock);
    unsigned bits = config->server.burst.ipv6_prefix_bits;
    if (bits != atomic_load_explicit(&guard->ipv6_prefix_bits, memory_order_relaxed)) {
        struct burst_block_list blocks = {0};
        static const struct ip_prefix all_ipv6 = {{.family = IP_V6}, 0};
        burst_unblock(guard, &all_ipv6, now, &blocks);
        atomic_store_explicit(&guard->ipv6_prefix_bits, bits, memory_order_relaxed);
        keep_blocks_of_old_prefix(guard, &blocks, now);
        burst_block_list_clear(&blocks);
    }
}

uint32_t burst_host_id(struct burst_guard *guard, const char *name) {
    pthread_mutex_lock(&guard->names_lock);
    uint32_t id = (uint32_t)name_table_number(&guard->names, name);
    pthread_mutex_unlock(&guard->names_lock);
    return id;
}

const char *burst_host_name(struct burst_guard *guard, uint32_t host_id) {
    pthread_mutex_lock(&guard->names_lock);
    const char *name = host_id < guard->names.count ? guard->names.names[host_id] : NULL;
    pthread_mutex_unlock(&guard->names_lock);
    return name;
}

/* ---- by hand, and after a restart ---- */

/* A block of exactly one client belongs to the client, any other to the list of networks. */
static bool put_block(struct burst_guard *guard, const struct burst_block *block, int64_t until_ns) {
    if (block->blocked.length != burst_client_bits(guard, &block->blocked.address)) {
        return burst_prefixes_add(&guard->prefixes, block, until_ns);
    }
    struct burst_identity identity = burst_identity(guard, &block->blocked.address);
    struct burst_shard *shard = burst_shard_of(guard, identity.hash);
    pthread_mutex_lock(&shard->lock);
    struct burst_client *client = burst_client_get(guard, shard, &identity);
    if (client != NULL) {
        burst_hold_begin(guard, shard, client, block, until_ns);
    }
    pthread_mutex_unlock(&shard->lock);
    return client != NULL;
}

bool burst_block_by_hand(struct burst_guard *guard, const struct ip_prefix *blocked, uint32_t seconds,
                         struct shaper_time now, struct burst_block *added) {
    uint8_t client_bits = burst_client_bits(guard, &blocked->address);
    uint8_t length = blocked->length < client_bits ? blocked->length : client_bits;
    struct burst_block block = {
        .blocked = {ip_address_mask(&blocked->address, length), length},
        .client = blocked->address,
        .reason = BURST_REASON_BY_HAND,
        .host_id = BURST_NO_HOST,
        .began_wall_s = now.wall_s,
    };
    seconds = seconds > 0 ? seconds : 1;
    block.until_wall_s = now.wall_s + seconds;
    if (blocked->address.family == IP_NONE || !put_block(guard, &block, now.mono_ns + seconds * second_ns)) {
        return false;
    }
    struct burst_shard *shard = &guard->shards[0];
    pthread_mutex_lock(&shard->lock);
    shard->blocks_total[BURST_REASON_BY_HAND]++;
    pthread_mutex_unlock(&shard->lock);
    if (added != NULL) {
        *added = block;
    }
    return true;
}

bool burst_restore(struct burst_guard *guard, const struct burst_block *block, struct shaper_time now) {
    int64_t left_s = block->until_wall_s - now.wall_s;
    if (left_s <= 0 || block->blocked.address.family == IP_NONE) {
        return false;
    }
    left_s = left_s < UINT32_MAX ? left_s : UINT32_MAX;
    return put_block(guard, block, now.mono_ns + left_s * second_ns);
}

/* ---- once a second ---- */

static void sweep_holds(struct burst_guard *guard, struct burst_shard *shard, struct shaper_time now,
                        struct burst_changes *changes) {
    while (shard->heap_count > 0 && shard->heap[0]->told_until_ns <= now.mono_ns) {
        struct burst_hold *hold = shard->heap[0];
        bool is_over = hold->until_ns <= now.mono_ns;
        burst_hold_list(is_over ? &changes->ended : &changes->renewed, hold, now);
        if (is_over) {
            burst_hold_end(guard, shard, hold);
        } else {
            burst_hold_told(shard, hold);
        }
    }
}

static void sweep_quiet(struct burst_shard *shard, struct shaper_time now, struct burst_changes *changes) {
    struct burst_client **at = &shard->quiet;
    while (*at != NULL) {
        struct burst_client *client = *at;
        bool is_due = now.mono_ns - client->last_line_ns >= second_ns;
        if (client->lines_left_out > 0 && !is_due) {
            at = &client->quiet_next;
            continue;
        }
        if (client->lines_left_out > 0) {
            struct burst_block said = {.blocked = {client->address, client->prefix_bits},
                                       .client = client->address,
                                       .reason = (enum burst_reason)client->left_out_reason,
                                       .host_id = BURST_NO_HOST,
                                       .refused = client->lines_left_out};
            burst_block_list_add(&changes->quiet, &said);
            client->last_line_ns = now.mono_ns;
            client->lines_left_out = 0;
        }
        *at = client->quiet_next;
        client->is_quiet = false;
        burst_client_settle(shard, client);
    }
}

void burst_sweep(struct burst_guard *guard, struct shaper_time now, struct burst_changes *changes) {
    for (size_t i = 0; i < guard->shard_count; i++) {
        struct burst_shard *shard = &guard->shards[i];
        pthread_mutex_lock(&shard->lock);
        sweep_holds(guard, shard, now, changes);
        sweep_quiet(shard, now, changes);
        pthread_mutex_unlock(&shard->lock);
    }
    burst_prefixes_sweep(&guard->prefixes, now, changes);
}

void burst_changes_clear(struct burst_changes *changes) {
    burst_block_list_clear(&changes->ended);
    burst_block_list_clear(&changes->renewed);
    burst_block_list_clear(&changes->quiet);
}

/* ---- counts ---- */

struct burst_counts burst_counts(struct burst_guard *guard) {
    struct burst_counts counts = {.bytes = burst_table_fixed_bytes(guard)};
    for (size_t i = 0; i < guard->shard_count; i++) {
        struct burst_shard *shard = &guard->shards[i];
        pthread_mutex_lock(&shard->lock);
        counts.clients += shard->client_count;
        counts.windows += shard->window_count;
        counts.bytes += burst_shard_bytes(shard);
        counts.evicted += shard->evicted;
        counts.no_room += shard->no_room;
        counts.blocks += shard->heap_count;
        for (size_t reason = 0; reason < BURST_REASONS; reason++) {
            counts.blocks_total[reason] += shard->blocks_total[reason];
            counts.refused_total[reason] += shard->refused_total[reason];
        }
        pthread_mutex_unlock(&shard->lock);
    }
    counts.blocks += atomic_load_explicit(&guard->prefixes.count, memory_order_relaxed);
    return counts;
}
