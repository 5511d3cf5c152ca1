/* Blocks of clients: how they begin, are renewed, found again and end. Called by burst_request.c and burst_connect.c on
 * every worker, and by whoever lists, restores or lifts blocks.
 *
 * Always true, under the lock of the shard: a block is in the shard's heap exactly while its client has it; the heap is
 * in order of what was told about their ends, which renewing does not change. So renewing costs nothing but a store,
 * and sweeping costs only what there is to tell. */
#include <assert.h>
#include <stdlib.h>

#include "config/arena.h"
#include "shaper/burst_table.h"

enum { FIRST_ROOM = 16 };

static const int64_t second_ns = 1000000000;

int64_t burst_wall_s(int64_t at_ns, struct shaper_time now) {
    int64_t left_ns = at_ns - now.mono_ns;
    return now.wall_s + (left_ns > 0 ? (left_ns + second_ns - 1) / second_ns : 0);
}

/* ---- the heap ---- */

static void put_at(struct burst_shard *shard, size_t index, struct burst_hold *hold) {
    shard->heap[index] = hold;
    hold->heap_index = index;
}

static void sift_up(struct burst_shard *shard, struct burst_hold *hold) {
    size_t index = hold->heap_index;
    while (index > 0 && shard->heap[(index - 1) / 2]->told_until_ns > hold->told_until_ns) {
        put_at(shard, index, shard->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put_at(shard, index, hold);
}

static void sift_down(struct burst_shard *shard, struct burst_hold *hold) {
    size_t index = hold->heap_index;
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < shard->heap_count &&
            shard->heap[child + 1]->told_until_ns < shard->heap[child]->told_until_ns) {
            child++;
        }
        if (child >= shard->heap_count || shard->heap[child]->told_until_ns >= hold->told_until_ns) {
            break;
        }
        put_at(shard, index, shard->heap[child]);
        index = child;
    }
    put_at(shard, index, hold);
}

static void move(struct burst_shard *shard, struct burst_hold *hold) {
    sift_up(shard, hold);
    sift_down(shard, hold);
}

static void push(struct burst_shard *shard, struct burst_hold *hold) {
    if (shard->heap_count == shard->heap_room) {
        shard->heap_room = shard->heap_room > 0 ? shard->heap_room * 2 : FIRST_ROOM;
        shard->heap = must_realloc(shard->heap, shard->heap_room * sizeof(struct burst_hold *));
    }
    hold->heap_index = shard->heap_count++;
    sift_up(shard, hold);
}

static void take_out(struct burst_shard *shard, struct burst_hold *hold) {
    struct burst_hold *last = shard->heap[--shard->heap_count];
    if (last != hold) {
        last->heap_index = hold->heap_index;
        put_at(shard, last->heap_index, last);
        move(shard, last);
    }
}

/* ---- one block ---- */

struct burst_hold *burst_hold_begin(struct burst_guard *guard, struct burst_shard *shard, struct burst_client *client,
                                    const struct burst_block *block, int64_t until_ns) {
    struct burst_hold *hold = client->hold;
    bool is_known = hold != NULL;
    if (!is_known) {
        hold = must_calloc(1, sizeof *hold);
        client->hold = hold;
        atomic_store_explicit(&client->is_blocked, true, memory_order_relaxed);
        burst_client_settle(shard, client);
        atomic_fetch_add_explicit(&guard->holds, 1, memory_order_relaxed);
    }
    *hold = (struct burst_hold){
        .owner = client,
        .client = block->client,
        .reason = (uint8_t)block->reason,
        .log_only = block->log_only,
        .host_id = block->host_id,
        .period_s = block->period_s,
        .began_wall_s = block->began_wall_s,
        .until_ns = until_ns,
        .told_until_ns = until_ns,
        .heap_index = hold->heap_index,
        .refused = block->refused,
    };
    if (is_known) {
        move(shard, hold);
    } else {
        push(shard, hold);
    }
    return hold;
}

void burst_hold_end(struct burst_guard *guard, struct burst_shard *shard, struct burst_hold *hold) {
    take_out(shard, hold);
    hold->owner->hold = NULL;
    atomic_store_explicit(&hold->owner->is_blocked, false, memory_order_relaxed);
    burst_client_settle(shard, hold->owner);
    free(hold);
    atomic_fetch_sub_explicit(&guard->holds, 1, memory_order_relaxed);
}

void burst_hold_told(struct burst_shard *shard, struct burst_hold *hold) {
    hold->told_until_ns = hold->until_ns;
    sift_down(shard, hold);
}

void burst_hold_tell(const struct burst_hold *hold, struct shaper_time now, struct burst_verdict *verdict) {
    verdict->reason = (enum burst_reason)hold->reason;
    verdict->until_wall_s = burst_wall_s(hold->until_ns, now);
    verdict->retry_after_s = verdict->until_wall_s - now.wall_s;
    verdict->blocked = (struct ip_prefix){hold->owner->address, hold->owner->prefix_bits};
}

bool burst_hold_refuses(struct burst_shard *shard, struct burst_client *client, const struct burst_limits *limits,
                        struct shaper_time now, struct burst_verdict *verdict) {
    struct burst_hold *hold = client != NULL ? client->hold : NULL;
    if (hold == NULL || hold->until_ns <= now.mono_ns || (hold->log_only && !limits->log_only)) {
        return false; /* a host on trial blocks nobody for the others */
    }
    int64_t until_ns = now.mono_ns + hold->period_s * second_ns;
    hold->until_ns = until_ns > hold->until_ns ? until_ns : hold->until_ns;
    hold->refused++;
    shard->refused_total[hold->reason]++;
    burst_hold_tell(hold, now, verdict);
    verdict->log_only = limits->log_only;
    return true;
}

/* ---- all blocks ---- */

void burst_block_list_add(struct burst_block_list *list, const struct burst_block *block) {
    if (list->count == list->room) {
        list->room = list->room > 0 ? list->room * 2 : FIRST_ROOM;
        list->blocks = must_realloc(list->blocks, list->room * sizeof *list->blocks);
    }
    list->blocks[list->count++] = *block;
}

void burst_block_list_clear(struct burst_block_list *list) {
    free(list->blocks);
    *list = (struct burst_block_list){0};
}

void burst_hold_list(struct burst_block_list *list, const struct burst_hold *hold, struct shaper_time now) {
    struct burst_block block = {
        .blocked = {hold->owner->address, hold->owner->prefix_bits},
        .client = hold->client,
        .reason = (enum burst_reason)hold->reason,
        .host_id = hold->host_id,
        .period_s = hold->period_s,
        .log_only = hold->log_only,
        .began_wall_s = hold->began_wall_s,
        .until_wall_s = burst_wall_s(hold->until_ns, now),
        .refused = hold->refused,
    };
    burst_block_list_add(list, &block);
}

void burst_blocks(struct burst_guard *guard, struct shaper_time now, struct burst_block_list *list) {
    for (size_t i = 0; i < guard->shard_count; i++) {
        struct burst_shard *shard = &guard->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (size_t j = 0; j < shard->heap_count; j++) {
            if (shard->heap[j]->until_ns > now.mono_ns) {
                burst_hold_list(list, shard->heap[j], now);
            }
        }
        pthread_mutex_unlock(&shard->lock);
    }
    burst_prefixes_list(&guard->prefixes, now, list);
}

static bool is_inside(const struct burst_client *client, const struct ip_prefix *prefix) {
    return prefix == NULL || (prefix->length <= client->prefix_bits && ip_prefix_contains(prefix, &client->address));
}

size_t burst_unblock(struct burst_guard *guard, const struct ip_prefix *prefix, struct shaper_time now,
                     struct burst_block_list *ended) {
    struct ip_prefix whole; /* an address stands for the client that it belongs to */
    uint8_t client_bits = prefix != NULL ? burst_client_bits(guard, &prefix->address) : 0;
    size_t count = burst_prefixes_end(&guard->prefixes, prefix, now, ended);
    if (prefix != NULL && prefix->length > client_bits) {
        whole = (struct ip_prefix){ip_address_mask(&prefix->address, client_bits), client_bits};
        prefix = &whole;
    }
    for (size_t i = 0; i < guard->shard_count; i++) {
        struct burst_shard *shard = &guard->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (size_t j = shard->heap_count; j-- > 0;) {
            struct burst_hold *hold = shard->heap[j];
            struct burst_client *client = hold->owner;
            if (!is_inside(client, prefix)) {
                continue;
            }
            burst_hold_list(ended, hold, now);
            burst_client_forget_windows(guard, shard, client);
            burst_hold_end(guard, shard, hold);
            count++;
            j = j < shard->heap_count ? j + 1 : shard->heap_count; /* another stands there now */
        }
        pthread_mutex_unlock(&shard->lock);
    }
    return count;
}
