/* Numbers and texts as people read them on the page. Everything is written as HTML text: it may stand between tags and
 * inside a quoted attribute. */
#ifndef WEIR_STATS_PAGE_VALUES_H
#define WEIR_STATS_PAGE_VALUES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "stats/render.h"

/* Any bytes. What is markup is escaped; what is no UTF-8, or may not be in XML, or would turn the direction of what
 * follows, is shown as U+FFFD. */
void page_text(FILE *out, const char *text);

/* A value in a query: percent-encoded. */
void page_query_text(FILE *out, const char *text);

void page_count(FILE *out, uint64_t count); /* "10 240" */

/* "4.31 GB", by powers of 1024 with "GiB". An amount has three digits that count; a limit is as short as it can be.
 * With a unit other than STATS_UNIT_AUTO, that unit and two decimals. */
struct page_size_style {
    enum stats_unit unit;
    bool in_kib;
    bool is_limit;
};
void page_size(FILE *out, uint64_t bytes, struct page_size_style style);

/* kbps as CBandSpeed has them, 1024 bits: "0", "3.4", "10 240". */
void page_kbps(FILE *out, double bits_per_s);
void page_speed(FILE *out, double bits_per_s); /* with its unit: "9.5 Mbps" */
void page_rate(FILE *out, double per_s);       /* "0", "3.4", "120" */

void page_duration(FILE *out, int64_t seconds); /* "12d 03:04", "03:04:05"; what is negative is 0 */
void page_age(FILE *out, int64_t seconds);      /* "now", "12 s", "22 min", "5 h", "3 d": of something that was */
void page_time(FILE *out, int64_t epoch_s);     /* "2026-10-05 14:03:11 UTC" */
void page_latency(FILE *out, double seconds);   /* "0.8 ms", "12 ms", "1.4 s" */

#endif
