/* Requests a second: up to N at once, then one every 1/N s (rps of the CBand*Speed directives).
 *
 * A request over the rate is told how long to wait; one that would wait for too long is refused, and told when to come
 * again. When the rate changes, by a reload or because a quota is exceeded, what is still owed is owed at the new one;
 * a request that was told its turn keeps it. Built on pacer.h: all threads may ask at once; a zeroed struct is a new
 * rate. Pure: the time is a parameter, monotonic nanoseconds. */
#ifndef WEIR_SHAPER_REQUEST_RATE_H
#define WEIR_SHAPER_REQUEST_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "shaper/pacer.h"

struct request_rate {
    struct pacer pacer;
    atomic_uint per_s; /* that the debt is kept in; 0: never asked */
};

struct request_turn {
    bool refused;          /* nothing was taken */
    int64_t delay_ns;      /* not refused: 0 means at once */
    int64_t retry_after_s; /* refused: when it would be served at once if nobody else came, rounded up, at least 1 */
};

/* Takes a turn that may be had at once, which is the rule. False: nothing was taken, and request_rate_take() says what
 * comes of it. per_s at least 1. */
static inline bool request_rate_take_at_once(struct request_rate *rate, uint32_t per_s, int64_t now_ns) {
    int64_t cost_parts = pacer_cost_parts((struct pace){per_s, 0}, 1);
    return atomic_load_explicit(&rate->per_s, memory_order_relaxed) == per_s &&
           pacer_take_at_once(&rate->pacer, cost_parts, pacer_burst_parts(cost_parts, per_s), now_ns);
}

/* per_s at least 1; max_delay_ns (CBandMaxDelay) below INT64_MAX. */
struct request_turn request_rate_take(struct request_rate *rate, uint32_t per_s, int64_t now_ns, int64_t max_delay_ns);

/* A turn that was taken and is not used, because another limit refused the request. */
void request_rate_give_back(struct request_rate *rate);

#endif
