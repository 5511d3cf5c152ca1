/* What happened at a host, for a user, or from a class of clients: counted by each worker for itself, summed up by
 * whoever wants to know.
 *
 * A record has one block for each worker, made when that worker first counts something there. Only its worker writes to
 * a block, with plain relaxed stores, so that counting costs no bus lock and no two workers share a cache line; any
 * thread may sum. */
#ifndef WEIR_SHAPER_TALLY_H
#define WEIR_SHAPER_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#include "shaper/reasons.h"

enum tally_counter {
#define TALLY(NAME, name, unit, help) TALLY_##NAME,
#include "shaper/tally.def"
#undef TALLY
    TALLY_COUNT
};

struct tally_row {
    const char *name; /* "bytes_out" */
    const char *unit; /* "", "bytes", "microseconds" */
    const char *help;
};
extern const struct tally_row tally_rows[TALLY_COUNT];

/* One worker's block. */
struct tally {
    _Alignas(64) atomic_uint_fast64_t value[TALLY_COUNT];
    atomic_uint_fast64_t refused[SHAPER_REASONS]; /* by reason; redirected ones too */
    atomic_uint_fast64_t delayed[SHAPER_REASONS];
};

/* Sums, as plain numbers. */
struct tally_totals {
    uint64_t value[TALLY_COUNT];
    uint64_t refused[SHAPER_REASONS];
    uint64_t delayed[SHAPER_REASONS];
};

struct tally_set; /* the blocks of one record */

struct tally_set *tally_set_new(unsigned workers); /* any thread */
void tally_set_free(struct tally_set **set);       /* nobody counts any more; nulls the pointer */

/* The block of a worker (from 0), which alone may count in it. Lives as long as the set. That worker's thread. */
struct tally *tally_of(struct tally_set *set, unsigned worker);

/* The owner of the block. */
static inline void tally_add(atomic_uint_fast64_t *value, uint64_t amount) {
    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + amount, memory_order_relaxed);
}

/* Adds all blocks to the sum. Any thread. */
void tally_sum(struct tally_totals *sum, const struct tally_set *set);
/* Three sums alone: what tells cheaply whether anything has happened. Any thread. */
void tally_glance(const struct tally_set *set, uint64_t *requests, uint64_t *bytes_out, uint64_t *bytes_in);

#endif
