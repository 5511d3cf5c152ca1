/* The values that directives are given, as numbers: speeds, quotas, times, whole numbers, switches; and back to text.
 *
 * Speeds, quotas and times are read as mod_cband's documentation promises. Where the module itself read a text
 * differently, the value has the documented meaning and the result carries a warning that names both readings; the
 * caller attaches the place. Pure, any thread, no allocation. */
#ifndef WEIR_CONFIG_VALUES_H
#define WEIR_CONFIG_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/span.h"

enum { VALUE_WARNING_MAX = 200, VALUE_TEXT_MAX = 32 };

struct value_result {
    bool ok;
    const char *problem;             /* not ok: completes the sentence '"10kps" …': "is not a speed" */
    const char *hint;                /* not ok: what to write; with a warning: what to write for the other reading */
    char warning[VALUE_WARNING_MAX]; /* ok: a whole sentence about the value; empty: none */
};

/* Largest values, so that arithmetic with them cannot overflow. */
#define VALUE_SPEED_MAX ((uint64_t)INT64_MAX)               /* bits a second */
#define VALUE_QUOTA_MAX ((uint64_t)INT64_MAX)               /* bytes */
#define VALUE_TIME_MAX_S ((uint64_t)INT64_MAX / 1000000000) /* seconds whose nanoseconds still fit: 292 years */

/* Bits a second; 0: unlimited. "1024" (kbps), "1024kbps", "1.5Mbps", "20kb/s" (bytes); factors are powers of 1024. */
struct value_result value_parse_speed(struct span text, uint64_t *bits_per_s);
/* Bytes; 0: unlimited. "100000" (K), "10M", "10Mi", "500B", "1.5G". */
struct value_result value_parse_quota(struct span text, uint64_t *bytes);
/* Whole seconds, at least 1. "86400", "1D", "4W", "1.5H"; M is minutes. */
struct value_result value_parse_time(struct span text, uint64_t *seconds);
/* Nanoseconds from a number of seconds that may have a fraction; 0 is taken. */
struct value_result value_parse_seconds(struct span text, uint64_t maximum_s, int64_t *nanoseconds);
/* A decimal whole number. The problem says what is wrong, there is no hint: the caller knows what the number is for. */
struct value_result value_parse_whole(struct span text, uint64_t minimum, uint64_t maximum, uint64_t *number);
/* "On" or "Off" in any case; with true_false also "true" and "false". */
struct value_result value_parse_on_off(struct span text, bool true_false, bool *on);

/* Texts that are read back as exactly the same value, in the largest unit that allows it. `text` needs VALUE_TEXT_MAX
 * bytes; returns the length without the zero. */
size_t value_print_speed(uint64_t bits_per_s, char *text);
size_t value_print_quota(uint64_t bytes, char *text);
size_t value_print_time(uint64_t seconds, char *text);
size_t value_print_seconds(int64_t nanoseconds, char *text);

#endif
