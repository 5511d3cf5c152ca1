/* Lanes. Called by grant.c for each quantum of each cap over a connection; any worker.
 * Always true: what is given back is counted at the rate that the debt is kept in. */
#include "shaper/lane.h"

enum { BITS_PER_BYTE = 8 };

static struct pace pace_of(uint64_t bits_per_s) {
    return (struct pace){bits_per_s, LANE_BURST_NS};
}

/* Whoever sees a new rate first rescales what is owed: after a reload, or when a quota has been exceeded. */
void lane_change_rate(struct lane *lane, uint64_t bits_per_s, int64_t now_ns) {
    uint64_t before = atomic_load_explicit(&lane->bits_per_s, memory_order_relaxed);
    if (before != bits_per_s && atomic_compare_exchange_strong_explicit(&lane->bits_per_s, &before, bits_per_s,
                                                                        memory_order_relaxed, memory_order_relaxed)) {
        atomic_store_explicit(&lane->rate_since_ns, now_ns, memory_order_relaxed);
        if (before != 0) {
            pacer_change_rate(&lane->pacer, before, bits_per_s, now_ns);
        }
    }
}

uint64_t lane_quantum_bytes(uint64_t share_bytes_per_s, unsigned turns_per_s) {
    uint64_t quantum = share_bytes_per_s / turns_per_s;
    if (quantum > LANE_QUANTUM_MAX_BYTES) {
        return LANE_QUANTUM_MAX_BYTES;
    }
    return quantum > LANE_QUANTUM_MIN_BYTES ? quantum : LANE_QUANTUM_MIN_BYTES;
}

int64_t lane_excess_debt_ns(struct lane *lane, uint64_t bits_per_s, int64_t now_ns) {
    lane_change_rate(lane, bits_per_s, now_ns);
    uint64_t quantum = lane_quantum_bytes(lane_share_bytes_per_s(lane, bits_per_s, false), LANE_FEW_TURNS_PER_S);
    double turns_bytes = (double)atomic_load_explicit(&lane->holders, memory_order_relaxed) * (double)quantum;
    double turns_ns = turns_bytes * BITS_PER_BYTE / (double)bits_per_s * 1e9;
    double excess_ns = (double)pacer_debt_ns(&lane->pacer, now_ns) - turns_ns;
    return excess_ns > 0 ? (int64_t)excess_ns : 0;
}

int64_t lane_reserve(struct lane *lane, uint64_t bits_per_s, uint64_t bytes, int64_t now_ns) {
    lane_change_rate(lane, bits_per_s, now_ns);
    atomic_fetch_add_explicit(&lane->holders, 1, memory_order_relaxed);
    return pacer_reserve(&lane->pacer, pace_of(bits_per_s), bytes * BITS_PER_BYTE, now_ns);
}

int64_t lane_move(struct lane *lane, uint64_t old_bits_per_s, uint64_t bits_per_s, int64_t at_ns, int64_t now_ns) {
    lane_change_rate(lane, bits_per_s, now_ns);
    int64_t since_ns = atomic_load_explicit(&lane->rate_since_ns, memory_order_relaxed);
    if (old_bits_per_s == bits_per_s || at_ns <= since_ns) {
        return at_ns;
    }
    double wait_ns = (double)(at_ns - since_ns) * (double)old_bits_per_s / (double)bits_per_s;
    return wait_ns < 1e18 ? since_ns + (int64_t)wait_ns : INT64_MAX;
}

void lane_give_back(struct lane *lane, uint64_t bytes) {
    uint64_t bits_per_s = atomic_load_explicit(&lane->bits_per_s, memory_order_relaxed);
    pacer_give_back(&lane->pacer, pace_of(bits_per_s), bytes * BITS_PER_BYTE);
}

void lane_owe(struct lane *lane, uint64_t bits_per_s, uint64_t bytes, int64_t now_ns) {
    while (bytes > 0) {
        uint64_t piece = bytes < LANE_OWED_AT_ONCE_BYTES ? bytes : LANE_OWED_AT_ONCE_BYTES;
        lane_owe_piece(lane, bits_per_s, piece, now_ns);
        bytes -= piece;
    }
}
