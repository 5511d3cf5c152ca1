/* A snapshot as a page for people: one HTML5 document that needs nothing else (no script is needed either, but one
 * makes sorting and filtering instant). It is well-formed XML besides.
 *
 * Pure and on any thread, as stats/render.h says of renderers. Of the view it looks at unit, refresh_s, path, title,
 * sort, filter, page and may_reset. Whatever the names of hosts, users and classes are, they are only text. At most
 * PAGE_ROWS rows of each list are written, so that 10,000 hosts make a page no longer than 100 do; filter and page
 * lead to the others. */
#ifndef WEIR_STATS_PAGE_H
#define WEIR_STATS_PAGE_H

#include <stdio.h>

#include "stats/render.h"
#include "stats/snapshot.h"

enum { PAGE_ROWS = 100 };

void stats_page(const struct stats_snapshot *snapshot, const struct stats_view *view, FILE *out);

/* The value of Content-Security-Policy that fits every such page: nothing is loaded, and of style and script only the
 * two that were built in, by their SHA-256. */
extern const char stats_page_security_policy[];

#endif
