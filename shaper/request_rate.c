/* Request rates as GCRA. Called by admit.c for each request of a host, user or client with a request rate; any
 * worker. */
#include "shaper/request_rate.h"

static const int64_t second_ns = INT64_C(1000000000);

static struct pace pace_of(uint32_t per_s) {
    int64_t cost_parts = pacer_cost_parts((struct pace){per_s, 0}, 1);
    return (struct pace){per_s, pacer_burst_parts(cost_parts, per_s) / PACER_PARTS_PER_NS};
}

/* Whoever asks at a new rate first rescales what is owed. */
static void use_rate(struct request_rate *rate, uint32_t per_s, int64_t now_ns) {
    unsigned before = atomic_load_explicit(&rate->per_s, memory_order_relaxed);
    if (before != per_s &&
        atomic_compare_exchange_strong_explicit(&rate->per_s, &before, per_s, memory_order_relaxed,
                                                memory_order_relaxed) &&
        before != 0) {
        pacer_change_rate(&rate->pacer, before, per_s, now_ns);
    }
}

struct request_turn request_rate_take(struct request_rate *rate, uint32_t per_s, int64_t now_ns, int64_t max_delay_ns) {
    use_rate(rate, per_s, now_ns);
    int64_t start_ns = pacer_reserve_within(&rate->pacer, pace_of(per_s), 1, now_ns, max_delay_ns);
    if (start_ns == INT64_MAX) {
        int64_t wait_s = (pacer_debt_ns(&rate->pacer, now_ns) + second_ns - 1) / second_ns;
        return (struct request_turn){.refused = true, .retry_after_s = wait_s > 1 ? wait_s : 1};
    }
    return (struct request_turn){.delay_ns = start_ns > now_ns ? start_ns - now_ns : 0};
}

void request_rate_give_back(struct request_rate *rate) {
    pacer_give_back(&rate->pacer, pace_of(atomic_load_explicit(&rate->per_s, memory_order_relaxed)), 1);
}
