/* The list of blocked networks. Asked by burst_request.c and burst_connect.c on every worker while it is not empty;
 * changed by operators, by restoring, and by the sweep. Always true, under the lock: `count` of the holds are in use.
 */
#include "shaper/burst_prefixes.h"

#include <stdlib.h>

#include "config/arena.h"
#include "shaper/burst_table.h"

static const int64_t second_ns = 1000000000;

void burst_prefixes_init(struct burst_prefixes *prefixes) {
    *prefixes = (struct burst_prefixes){0};
    pthread_mutex_init(&prefixes->lock, NULL);
}

void burst_prefixes_clear(struct burst_prefixes *prefixes) {
    free(prefixes->holds);
    pthread_mutex_destroy(&prefixes->lock);
}

static size_t count_of(struct burst_prefixes *prefixes) {
    return atomic_load_explicit(&prefixes->count, memory_order_relaxed);
}

static void set_count(struct burst_prefixes *prefixes, size_t count) {
    atomic_store_explicit(&prefixes->count, count, memory_order_relaxed);
}

static bool same(const struct ip_prefix *a, const struct ip_prefix *b) {
    return a->length == b->length && ip_address_equal(&a->address, &b->address);
}

/* Under the lock. NULL: it is not there, and there is no room for it. */
static struct prefix_hold *place_of(struct burst_prefixes *prefixes, const struct ip_prefix *blocked) {
    size_t count = count_of(prefixes);
    for (size_t i = 0; i < count; i++) {
        if (same(&prefixes->holds[i].block.blocked, blocked)) {
            return &prefixes->holds[i];
        }
    }
    if (count == BURST_PREFIXES_MAX) {
        return NULL;
    }
    if (count == prefixes->room) {
        prefixes->room = prefixes->room > 0 ? prefixes->room * 2 : 16;
        prefixes->holds = must_realloc(prefixes->holds, prefixes->room * sizeof *prefixes->holds);
    }
    set_count(prefixes, count + 1);
    return &prefixes->holds[count];
}

bool burst_prefixes_add(struct burst_prefixes *prefixes, const struct burst_block *block, int64_t until_ns) {
    pthread_mutex_lock(&prefixes->lock);
    struct prefix_hold *hold = place_of(prefixes, &block->blocked);
    if (hold != NULL) {
        *hold = (struct prefix_hold){*block, until_ns, until_ns};
    }
    pthread_mutex_unlock(&prefixes->lock);
    return hold != NULL;
}

static void refuse(struct prefix_hold *hold, const struct burst_limits *limits, struct shaper_time now,
                   struct burst_verdict *verdict) {
    int64_t until_ns = now.mono_ns + hold->block.period_s * second_ns;
    hold->until_ns = until_ns > hold->until_ns ? until_ns : hold->until_ns;
    hold->block.refused++;
    verdict->reason = hold->block.reason;
    verdict->until_wall_s = burst_wall_s(hold->until_ns, now);
    verdict->retry_after_s = verdict->until_wall_s - now.wall_s;
    verdict->blocked = hold->block.blocked;
    verdict->log_only = limits->log_only;
}

bool burst_prefixes_refuse(struct burst_prefixes *prefixes, const struct burst_limits *limits,
                           const struct ip_address *client, struct shaper_time now, struct burst_verdict *verdict) {
    if (count_of(prefixes) == 0) {
        return false;
    }
    bool refuses = false;
    pthread_mutex_lock(&prefixes->lock);
    size_t count = count_of(prefixes);
    for (size_t i = 0; i < count && !refuses; i++) {
        struct prefix_hold *hold = &prefixes->holds[i];
        if (hold->until_ns > now.mono_ns && (!hold->block.log_only || limits->log_only) &&
            ip_prefix_contains(&hold->block.blocked, client)) {
            refuse(hold, limits, now, verdict);
            refuses = true;
        }
    }
    pthread_mutex_unlock(&prefixes->lock);
    return refuses;
}

static void add_to(struct burst_block_list *list, const struct prefix_hold *hold, struct shaper_time now) {
    struct burst_block block = hold->block;
    block.until_wall_s = burst_wall_s(hold->until_ns, now);
    burst_block_list_add(list, &block);
}

void burst_prefixes_list(struct burst_prefixes *prefixes, struct shaper_time now, struct burst_block_list *list) {
    pthread_mutex_lock(&prefixes->lock);
    size_t count = count_of(prefixes);
    for (size_t i = 0; i < count; i++) {
        if (prefixes->holds[i].until_ns > now.mono_ns) {
            add_to(list, &prefixes->holds[i], now);
        }
    }
    pthread_mutex_unlock(&prefixes->lock);
}

static void take_out(struct burst_prefixes *prefixes, size_t index) {
    size_t last = count_of(prefixes) - 1;
    prefixes->holds[index] = prefixes->holds[last];
    set_count(prefixes, last);
}

size_t burst_prefixes_end(struct burst_prefixes *prefixes, const struct ip_prefix *inside, struct shaper_time now,
                          struct burst_block_list *ended) {
    size_t ended_count = 0;
    pthread_mutex_lock(&prefixes->lock);
    for (size_t i = count_of(prefixes); i-- > 0;) {
        struct prefix_hold *hold = &prefixes->holds[i];
        if (inside == NULL || (inside->length <= hold->block.blocked.length &&
                               ip_prefix_contains(inside, &hold->block.blocked.address))) {
            add_to(ended, hold, now);
            take_out(prefixes, i);
            ended_count++;
        }
    }
    pthread_mutex_unlock(&prefixes->lock);
    return ended_count;
}

void burst_prefixes_sweep(struct burst_prefixes *prefixes, struct shaper_time now, struct burst_changes *changes) {
    pthread_mutex_lock(&prefixes->lock);
    for (size_t i = count_of(prefixes); i-- > 0;) {
        struct prefix_hold *hold = &prefixes->holds[i];
        if (hold->until_ns <= now.mono_ns) {
            add_to(&changes->ended, hold, now);
            take_out(prefixes, i);
        } else if (hold->told_until_ns <= now.mono_ns) {
            hold->told_until_ns = hold->until_ns;
            add_to(&changes->renewed, hold, now);
        }
    }
    pthread_mutex_unlock(&prefixes->lock);
}
