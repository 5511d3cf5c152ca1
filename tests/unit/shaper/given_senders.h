/* A discrete-event simulation: connections that always have something to send, under the shaper, with timers that are
 * up to a millisecond late, and a kernel that spreads long turns (proxy/smoothing.h). Times are seconds since its
 * start. */
#ifndef WEIR_TESTS_UNIT_SHAPER_GIVEN_SENDERS_H
#define WEIR_TESTS_UNIT_SHAPER_GIVEN_SENDERS_H

#include "tests/unit/shaper/given_shaper.h"

enum { SENDERS_MAX = 128, BINS_MAX = 20000 }; /* bins of 100 ms */

struct sender {
    struct shaper_ticket ticket;
    bool is_active;
    int64_t next_ns; /* when it asks again */
    int64_t last_ns; /* when its last byte was sent */
    uint64_t last_bytes, sent_bytes;
    double worst_wait; /* 1: without a byte for exactly 200 ms and the time that its last bytes take at a fair share */
};

struct simulation {
    struct shaper_binding *binding;
    double rate; /* bytes/s, of all together */
    struct sender senders[SENDERS_MAX];
    size_t count;
    int64_t now_ns;
    uint32_t seed;
    uint64_t bins[BINS_MAX];
};

static inline double sim_seconds(const struct simulation *sim) {
    return (double)sim->now_ns / 1e9;
}

static inline size_t sim_start(struct simulation *sim, size_t host, unsigned client_number) {
    struct sender *sender = &sim->senders[sim->count];
    *sender = (struct sender){.is_active = true, .next_ns = sim->now_ns, .last_ns = sim->now_ns, .last_bytes = 2896};
    struct shaper_decision decision = admit(sim->binding, host, client_number, sim_seconds(sim), &sender->ticket);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sender->ticket.shaper);
    (void)decision;
    return sim->count++;
}

static inline void sim_stop(struct simulation *sim, size_t number) {
    struct sender *sender = &sim->senders[number];
    if (sender->is_active) {
        shaper_release(&sender->ticket, at_s(sim_seconds(sim)));
        sender->is_active = false;
    }
}

/* Returns when the last byte goes. */
static inline int64_t sim_spread(struct simulation *sim, const struct shaper_grant *grant) {
    double rate = 1.125 * (double)grant->turns_bytes_per_s, length_ns = 0;
    if (grant->bytes > 2896 && rate > 0) {
        length_ns = (double)grant->bytes / rate * 1e9;
    }
    uint64_t pieces = grant->bytes / 2896 + 1, left = grant->bytes;
    for (uint64_t i = 0; i < pieces; i++) {
        uint64_t bytes = i + 1 < pieces ? grant->bytes / pieces : left;
        int64_t at_ns = sim->now_ns + (int64_t)(length_ns * (double)i / (double)pieces);
        sim->bins[at_ns / (SECOND_NS / 10)] += bytes;
        left -= bytes;
    }
    return sim->now_ns + (int64_t)length_ns;
}

static inline void sim_send(struct simulation *sim, struct sender *sender, const struct shaper_grant *grant,
                            size_t active) {
    uint64_t bytes = grant->bytes;
    double waited = (double)(sim->now_ns - sender->last_ns) / 1e9;
    double fair = 0.2 + (double)sender->last_bytes * (double)active / sim->rate;
    sender->worst_wait = waited / fair > sender->worst_wait ? waited / fair : sender->worst_wait;
    sender->last_ns = sim_spread(sim, grant);
    sender->last_bytes = bytes;
    sender->sent_bytes += bytes;
}

static inline void sim_step(struct simulation *sim, struct sender *sender, size_t active) {
    struct shaper_time now = at_s(sim_seconds(sim));
    struct shaper_grant grant = shaper_reserve(&sender->ticket, sim->binding, SHAPER_RESPONSE, 1 << 20, now);
    CU_ASSERT_TRUE_FATAL(grant.bytes > 0);
    int64_t wait_ns = grant.at_ns - now.mono_ns;
    if (wait_ns <= 0) {
        shaper_charge(&sender->ticket, SHAPER_RESPONSE, grant.bytes, now);
        sim_send(sim, sender, &grant, active);
        sender->next_ns = sim->now_ns + 1000; /* writing takes a microsecond */
    } else {
        wait_ns = wait_ns < SECOND_NS / 10 ? wait_ns : SECOND_NS / 10;
        sender->next_ns = sim->now_ns + wait_ns + next_random(&sim->seed) % 1000000;
    }
}

static inline void sim_run(struct simulation *sim, double until_s) {
    int64_t until_ns = (int64_t)(until_s * 1e9);
    CU_ASSERT_TRUE_FATAL(until_ns / (SECOND_NS / 10) < BINS_MAX - 100);
    for (;;) {
        struct sender *next = NULL;
        size_t active = 0;
        for (size_t i = 0; i < sim->count; i++) {
            struct sender *sender = &sim->senders[i];
            active += sender->is_active ? 1 : 0;
            if (sender->is_active && (next == NULL || sender->next_ns < next->next_ns)) {
                next = sender;
            }
        }
        if (next == NULL || next->next_ns >= until_ns) {
            sim->now_ns = until_ns;
            return;
        }
        sim->now_ns = next->next_ns;
        sim_step(sim, next, active);
    }
}

/* Bytes a second of all together. */
static inline double sim_rate(const struct simulation *sim, double from_s, double to_s) {
    uint64_t bytes = 0;
    for (size_t bin = (size_t)(from_s * 10 + 0.5); bin < (size_t)(to_s * 10 + 0.5); bin++) {
        bytes += sim->bins[bin];
    }
    return (double)bytes / (to_s - from_s);
}

/* Jain's index: 1 when all have sent the same. */
static inline double sim_fairness(const struct simulation *sim) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < sim->count; i++) {
        double sent = (double)sim->senders[i].sent_bytes;
        sum += sent;
        squares += sent * sent;
    }
    return sum * sum / ((double)sim->count * squares);
}

#endif
