/* How much one client does at the moment: means of about the last ten seconds, in 24 bytes and without a clock of its
 * own.
 *
 * Two windows: the present one and the one before; a rate weighs the older one by the part of it that is younger than
 * ten seconds. Any thread; when two threads begin a new window at once, a count may be lost: these numbers are for
 * people, nothing is decided by them. Pure: the time is a parameter, in seconds. */
#ifndef WEIR_SHAPER_CLIENT_METER_H
#define WEIR_SHAPER_CLIENT_METER_H

#include <stdatomic.h>
#include <stdint.h>

struct client_meter {
    atomic_uint window; /* its number, counted in windows */
    atomic_uint requests, requests_before;
    atomic_uint_fast64_t bytes, bytes_before;
};

void client_meter_count(struct client_meter *meter, uint64_t bytes, unsigned requests, int64_t now_s);

struct client_rates {
    double bytes_per_s, requests_per_s;
};
struct client_rates client_meter_rates(const struct client_meter *meter, int64_t now_s);

#endif
