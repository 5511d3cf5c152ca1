/* Period arithmetic. Called by quota.c for each request's admission and by whoever shows a quota; pure but for the time
 * zone, which localtime_r and mktime read. */
#include "shaper/period.h"

#include <time.h>

static int64_t local_midnight(struct tm *day) {
    day->tm_hour = day->tm_min = day->tm_sec = 0;
    day->tm_isdst = -1; /* mktime decides; a day whose midnight is skipped begins with its first second */
    return mktime(day);
}

/* mktime normalises: day 32 is the 1st, month 12 January. */
static struct period_span calendar(enum period_kind kind, int64_t now_s) {
    time_t now = (time_t)now_s;
    struct tm first;
    localtime_r(&now, &first);
    struct tm after = first;
    if (kind == PERIOD_CALENDAR_DAY) {
        after.tm_mday += 1;
    } else if (kind == PERIOD_CALENDAR_WEEK) {
        first.tm_mday -= (first.tm_wday + 6) % 7; /* back to Monday */
        after.tm_mday = first.tm_mday + 7;
    } else {
        first.tm_mday = after.tm_mday = 1;
        after.tm_mon += 1;
    }
    return (struct period_span){local_midnight(&first), local_midnight(&after)};
}

struct period_span period_at(const struct period_rule *rule, int64_t start_s, int64_t now_s) {
    if (rule->kind == PERIOD_NONE) {
        return (struct period_span){0, INT64_MAX};
    }
    if (rule->kind != PERIOD_SECONDS) {
        return calendar(rule->kind, now_s);
    }
    int64_t length_s = rule->period_s < INT64_MAX / 4 ? (int64_t)rule->period_s : INT64_MAX / 4;
    int64_t number = now_s > start_s ? (now_s - start_s) / length_s : 0;
    int64_t begin_s = start_s + number * length_s;
    return (struct period_span){begin_s, begin_s + length_s};
}

static uint64_t slice_number(const struct period_rule *rule, const struct period_span *span, int64_t now_s) {
    return now_s > span->begin_s ? (uint64_t)(now_s - span->begin_s) / rule->slice_s : 0;
}

static int has_slices(const struct period_rule *rule) {
    return rule->slice_s > 0 && rule->kind != PERIOD_NONE;
}

uint64_t period_allowed_bytes(const struct period_rule *rule, const struct period_span *span, uint64_t limit_bytes,
                              int64_t now_s) {
    if (limit_bytes == 0 || !has_slices(rule)) {
        return limit_bytes;
    }
    uint64_t length_s = (uint64_t)(span->end_s - span->begin_s);
    uint64_t slices = slice_number(rule, span, now_s) + 1;
    __extension__ unsigned __int128 elapsed_s = (unsigned __int128)slices * rule->slice_s;
    if (elapsed_s >= length_s) {
        return limit_bytes;
    }
    return (uint64_t)((__extension__(unsigned __int128) limit_bytes * (uint64_t)elapsed_s) / length_s);
}

int64_t period_next_allowance_s(const struct period_rule *rule, const struct period_span *span, int64_t now_s) {
    if (!has_slices(rule)) {
        return span->end_s;
    }
    uint64_t slices = slice_number(rule, span, now_s) + 1;
    uint64_t length_s = (uint64_t)(span->end_s - span->begin_s);
    if (slices > length_s / rule->slice_s) {
        return span->end_s;
    }
    int64_t at_s = span->begin_s + (int64_t)(slices * rule->slice_s);
    return at_s < span->end_s ? at_s : span->end_s;
}
