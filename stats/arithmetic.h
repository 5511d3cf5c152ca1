/* Numbers of a snapshot as more than one document shows them. Pure. */
#ifndef WEIR_STATS_ARITHMETIC_H
#define WEIR_STATS_ARITHMETIC_H

#include <stdint.h>

#include "shaper/period.h"
#include "stats/snapshot.h"

/* mod_cband's kbps: 1024 bits a second. */
static inline double stats_kbps(double bytes_per_s) {
    return bytes_per_s * 8 / 1024;
}

/* Of a table by reason. */
static inline uint64_t stats_sum_reasons(const uint64_t counts[SHAPER_REASONS]) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < SHAPER_REASONS; i++) {
        sum += counts[i];
    }
    return sum;
}

/* Seconds until usage begins again at 0; -1: never. A period of seconds begins with the first request, so until then it
 * lasts as long as it will. */
static inline int64_t stats_time_to_refresh_s(const struct stats_limits *limits, int64_t now_s) {
    if (limits->period == PERIOD_NONE) {
        return -1;
    }
    int64_t end_s = limits->period_end_s;
    if (end_s == 0 && limits->period == PERIOD_SECONDS) {
        return limits->period_s > INT64_MAX ? INT64_MAX : (int64_t)limits->period_s;
    }
    if (end_s == 0) {
        const struct period_rule rule = {.kind = limits->period};
        end_s = period_at(&rule, now_s, now_s).end_s;
    }
    return end_s > now_s ? end_s - now_s : 0;
}

#endif
