/* Blocks of whole networks, and of what is no client of its own: by hand, or restored. A short list behind one lock,
 * which nobody takes while the list is empty. Internal to shaper/; any thread. */
#ifndef WEIR_SHAPER_BURST_PREFIXES_H
#define WEIR_SHAPER_BURST_PREFIXES_H

#include <pthread.h>
#include <stdatomic.h>

#include "shaper/burst.h"

enum { BURST_PREFIXES_MAX = 1024 };

struct prefix_hold {
    struct burst_block block; /* until_wall_s: not kept */
    int64_t until_ns, told_until_ns;
};

struct burst_prefixes {
    pthread_mutex_t lock;
    struct prefix_hold *holds;
    size_t room;
    atomic_size_t count; /* changed under the lock */
};

void burst_prefixes_init(struct burst_prefixes *prefixes);
void burst_prefixes_clear(struct burst_prefixes *prefixes);

/* One that is there already becomes this one. False: the list is full. */
bool burst_prefixes_add(struct burst_prefixes *prefixes, const struct burst_block *block, int64_t until_ns);

static inline bool burst_prefixes_are_none(const struct burst_prefixes *prefixes) {
    return atomic_load_explicit(&prefixes->count, memory_order_relaxed) == 0;
}

/* Whether a network that the client is in refuses it under these limits; then it is renewed and counted, and *verdict
 * says so. */
bool burst_prefixes_refuse(struct burst_prefixes *prefixes, const struct burst_limits *limits,
                           const struct ip_address *client, struct shaper_time now, struct burst_verdict *verdict);

void burst_prefixes_list(struct burst_prefixes *prefixes, struct shaper_time now, struct burst_block_list *list);
/* Ends those inside `inside` (NULL: all); how many. */
size_t burst_prefixes_end(struct burst_prefixes *prefixes, const struct ip_prefix *inside, struct shaper_time now,
                          struct burst_block_list *ended);
void burst_prefixes_sweep(struct burst_prefixes *prefixes, struct shaper_time now, struct burst_changes *changes);

#endif
