/* Periods and slices of a quota: which period a moment lies in, and how much the slices so far allow.
 *
 * Pure wall-time arithmetic, seconds since the epoch. Only numbers of periods are ever compared, never differences of
 * seconds, so a clock that steps can repeat or skip a period but not lose its count (spec: CBandPeriod,
 * CBandPeriodSlice). */
#ifndef WEIR_SHAPER_PERIOD_H
#define WEIR_SHAPER_PERIOD_H

#include <stdint.h>

#include "config/limits.h"

struct period_rule {
    enum period_kind kind;
    uint64_t period_s; /* PERIOD_SECONDS: at least 1 */
    uint64_t slice_s;  /* 0: the whole limit at once */
};

struct period_span { /* begin <= moment < end; for PERIOD_NONE 0 and INT64_MAX */
    int64_t begin_s, end_s;
};

/* The period that `now_s` lies in. start_s anchors the grid of PERIOD_SECONDS (the first request counted); calendar
 * periods follow local time, whatever the start. A moment before the start lies in the period of the start: the clock
 * went back. */
struct period_span period_at(const struct period_rule *rule, int64_t start_s, int64_t now_s);

/* Bytes allowed up to now: min(limit, (i + 1) x limit x slice / period) in slice i, rounded down. 0 for limit:
 * unlimited, and 0 is returned. */
uint64_t period_allowed_bytes(const struct period_rule *rule, const struct period_span *span, uint64_t limit_bytes,
                              int64_t now_s);

/* When more will be allowed: the end of the slice, or of the period in its last slice. INT64_MAX: never. */
int64_t period_next_allowance_s(const struct period_rule *rule, const struct period_span *span, int64_t now_s);

#endif
