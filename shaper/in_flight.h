/* How many requests of one host, user, class or client are being served, and how many it was at most (max_conn of the
 * CBand*Speed directives). All threads share a count; a zeroed struct is an empty one. Pure. */
#ifndef WEIR_SHAPER_IN_FLIGHT_H
#define WEIR_SHAPER_IN_FLIGHT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct in_flight {
    atomic_uint now;
    atomic_uint most; /* since the start */
};

/* Counts one more, unless there are `limit` already; 0: no limit. False: nothing was counted. */
bool in_flight_enter(struct in_flight *count, uint32_t limit);
/* Once for each enter that was true. */
void in_flight_leave(struct in_flight *count);

unsigned in_flight_now(const struct in_flight *count);
unsigned in_flight_most(const struct in_flight *count);

#endif
