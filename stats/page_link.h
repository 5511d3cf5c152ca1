/* What all parts of the page are written with, and the links from the page to itself in another order, unit or part. */
#ifndef WEIR_STATS_PAGE_LINK_H
#define WEIR_STATS_PAGE_LINK_H

#include <stdbool.h>
#include <stdio.h>

#include "stats/render.h"
#include "stats/snapshot.h"

struct page {
    FILE *out;
    const struct stats_snapshot *snapshot;
    const struct stats_view *view;
};

/* The address of the page as it is, but with one parameter ("sort", "unit", "refresh", "filter", "page") given another
 * value; NULL takes it away. name NULL: just as it is. As HTML text: the value of an href or action. */
void page_link(const struct page *page, const char *name, const char *value);

/* The same state as hidden fields of a form with method get, without the parameter that the form itself sets. */
void page_link_fields(const struct page *page, const char *without);

/* "<a href=…>text</a>", or when it is what the page shows already, the text as current. */
void page_link_choice(const struct page *page, const char *name, const char *value, const char *text, bool is_current);

#endif
