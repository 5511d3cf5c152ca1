/* The only reads of a clock, and wall time as text.
 *
 * Durations and deadlines are monotonic nanoseconds; wall time is microseconds since 1970-01-01 UTC, for what people
 * and peers read. Code that can be given a time takes it as a parameter instead. Any thread; no state, no lock. */
#ifndef WEIR_PROXY_CLOCK_H
#define WEIR_PROXY_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define US_PER_SECOND INT64_C(1000000)

int64_t clock_monotonic_ns(void); /* CLOCK_MONOTONIC: never steps, does not count time asleep */
int64_t clock_wall_us(void);      /* CLOCK_REALTIME: microseconds since the epoch; may step */

enum {
    CLOCK_HTTP_DATE_MAX = 30, /* bytes of "Sat, 21 Nov 2026 10:11:12 GMT" with its zero */
    CLOCK_RFC3339_MAX = 25,   /* bytes of "2026-11-21T10:11:12.345Z" with its zero */
    CLOCK_LOCAL_MAX = 24,     /* bytes of "2026-11-21 10:11:12.345" with its zero */
};

/* IMF-fixdate (RFC 9110, 5.6.7). Times outside the years 0 to 9999 are shown as the nearest end of that range. */
void clock_http_date(int64_t wall_us, char text[CLOCK_HTTP_DATE_MAX]);
/* RFC 3339, UTC, milliseconds; the same range. */
void clock_rfc3339(int64_t wall_us, char text[CLOCK_RFC3339_MAX]);
/* "2026-11-21 10:11:12.345", local time, as in the error log; the same range. */
void clock_local(int64_t wall_us, char text[CLOCK_LOCAL_MAX]);

#endif
