/* Where the exchange asks the shaper: whether a request may be served, and when how many bytes of a body may go. The
 * only file of proxy/ that talks to shaper.h. One worker. */
#ifndef WEIR_PROXY_EXCHANGE_SHAPE_H
#define WEIR_PROXY_EXCHANGE_SHAPE_H

#include "proxy/exchange_steps.h"

/* How many bytes of `wanted` may be moved now. 0: none before a moment at which the exchange is run again by itself.
 * Whoever is granted some and moves them says so with exchange_charge_response() or exchange_charge_request(). */
size_t exchange_grant(struct exchange *exchange, enum shaper_direction direction, size_t wanted);

/* Of a response without a body: whether its head may go. False: not before a moment at which the exchange is run again
 * by itself. If heads alone did not wait for their turns, who asks for them would be faster than any cap, and everybody
 * else would wait until that was made up for. */
bool exchange_may_end_bodiless(struct exchange *exchange);

/* Whether the response goes in turns that are too small for a pipe, or may begin to while it is sent: then its bytes
 * pass through weir's hands. */
bool exchange_has_small_turns(struct exchange *exchange);

/* Whether what was granted is to be charged as soon as it is written, because the next turn depends on it. */
static inline bool exchange_charges_at_once(const struct exchange *exchange) {
    return exchange->is_paced || exchange->ticket.follows_quota || shaper_awaits_charge(&exchange->ticket);
}

/* Counts what has been written to the client since the last call, as it was really written: head, framing and body. */
void exchange_charge_response(struct exchange *exchange);
/* So many bytes of the request's body were passed on. */
void exchange_charge_request(struct exchange *exchange, size_t bytes);

/* Starts the timer for the earliest moment that a grant was refused until; at the end of a run. */
void exchange_set_pace_timer(struct exchange *exchange);

/* The last bytes of the response are about to be written, what is queued and so many more: they count in the quotas,
 * and the place among the requests being served is given back. When they turn out not to be written yet, it is taken
 * again; the next charge corrects the quotas. */
void exchange_expect_end(struct exchange *exchange, size_t more_bytes);
void exchange_take_place_again(struct exchange *exchange);

/* All is counted and given back; at the exchange's end. */
void exchange_leave_shaper(struct exchange *exchange);

/* Counts it under its host, user and class; at the exchange's end. */
void exchange_count_shaping(const struct exchange *exchange);

/* For the access log: the CBandClass of the client; NULL: none. */
const char *exchange_class_name(const struct exchange *exchange);

/* For the access log: "pass", "delayed", "refused", "redirected", with "dry-" before it. */
const char *exchange_decision_text(const struct exchange *exchange);

#endif
