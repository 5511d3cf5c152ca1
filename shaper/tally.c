/* Blocks of counts. Called by the workers for each request and piece of a body, and by the ledger once a second.
 * Always true: a block is published once, complete, and never moved, so that a reader needs no lock. */
#include "shaper/tally.h"

#include <stdlib.h>
#include <string.h>

#include "config/arena.h"

const struct tally_row tally_rows[TALLY_COUNT] = {
#define TALLY(NAME, name, unit, help) {#name, unit, help},
#include "shaper/tally.def"
#undef TALLY
};

struct tally_set {
    unsigned workers;
    struct tally *_Atomic of_worker[];
};

struct tally_set *tally_set_new(unsigned workers) {
    struct tally_set *set = must_calloc(1, sizeof *set + workers * sizeof set->of_worker[0]);
    set->workers = workers;
    return set;
}

void tally_set_free(struct tally_set **set) {
    if (*set == NULL) {
        return;
    }
    for (unsigned i = 0; i < (*set)->workers; i++) {
        free(atomic_load_explicit(&(*set)->of_worker[i], memory_order_relaxed));
    }
    free(*set);
    *set = NULL;
}

static struct tally *new_tally(void) {
    struct tally *tally = aligned_alloc(_Alignof(struct tally), sizeof *tally);
    if (tally == NULL) {
        abort(); /* as must_malloc() does */
    }
    memset(tally, 0, sizeof *tally);
    return tally;
}

struct tally *tally_of(struct tally_set *set, unsigned worker) {
    struct tally *tally = atomic_load_explicit(&set->of_worker[worker], memory_order_relaxed);
    if (tally == NULL) {
        tally = new_tally();
        atomic_store_explicit(&set->of_worker[worker], tally, memory_order_release);
    }
    return tally;
}

static uint64_t read_value(const atomic_uint_fast64_t *value) {
    return atomic_load_explicit(value, memory_order_relaxed);
}

void tally_sum(struct tally_totals *sum, const struct tally_set *set) {
    for (unsigned i = 0; i < set->workers; i++) {
        const struct tally *tally = atomic_load_explicit(&set->of_worker[i], memory_order_acquire);
        if (tally == NULL) {
            continue;
        }
        for (size_t j = 0; j < TALLY_COUNT; j++) {
            sum->value[j] += read_value(&tally->value[j]);
        }
        for (size_t j = 0; j < SHAPER_REASONS; j++) {
            sum->refused[j] += read_value(&tally->refused[j]);
            sum->delayed[j] += read_value(&tally->delayed[j]);
        }
    }
}

void tally_glance(const struct tally_set *set, uint64_t *requests, uint64_t *bytes_out, uint64_t *bytes_in) {
    *requests = *bytes_out = *bytes_in = 0;
    for (unsigned i = 0; i < set->workers; i++) {
        const struct tally *tally = atomic_load_explicit(&set->of_worker[i], memory_order_acquire);
        if (tally != NULL) {
            *requests += read_value(&tally->value[TALLY_REQUESTS]);
            *bytes_out += read_value(&tally->value[TALLY_BYTES_OUT]);
            *bytes_in += read_value(&tally->value[TALLY_BYTES_IN]);
        }
    }
}
