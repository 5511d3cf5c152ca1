/* The drawings of the page, as inline SVG: sizes and colours are the style's (stats/page/style.css), and nothing has a
 * style attribute, which the page's security policy would forbid. */
#ifndef WEIR_STATS_PAGE_SVG_H
#define WEIR_STATS_PAGE_SVG_H

#include <stdio.h>

#include "stats/snapshot.h"

/* What is used of a quota with a limit: filled up to the used share of the limit, a mark where the slices so far end.
 * The colour fades from green to red by the used share of what is allowed. For the eye only: the numbers stand beside
 * it. */
void page_svg_bar(FILE *out, const struct stats_quota *quota);

/* Used of what is allowed now; 0 without a limit. May exceed 1. */
double page_quota_share(const struct stats_quota *quota);

/* What is drawn of the last hour. */
enum page_series { PAGE_SERIES_BYTES, PAGE_SERIES_REQUESTS };

/* The most of any minute, per second; 0 when nothing happened. */
double page_hour_peak(const struct stats_traffic *traffic, enum page_series series);

/* Draws the last hour minute by minute, as high as its own peak. Its name, which readers of screens hear, says the
 * peak. css_class: "hour" in a table, "chart" in the summary. */
void page_svg_hour(FILE *out, const struct stats_traffic *traffic, enum page_series series, const char *css_class);

/* How many were in each bucket of stats_latency_bounds_s. */
void page_svg_latency(FILE *out, const struct stats_upstream *upstream);

#endif
