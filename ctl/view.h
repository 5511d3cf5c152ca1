/* What weirctl shows of the status document's lists: which columns, from where, in which unit. One table a list, read
 * by the commands and by the screen. Pure but for memory. */
#ifndef WEIR_CTL_VIEW_H
#define WEIR_CTL_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "ctl/table.h"

enum view_unit {
    VIEW_TEXT,
    VIEW_COUNT,
    VIEW_BYTES,
    VIEW_BYTES_PER_S, /* shown as bits a second */
    VIEW_KBPS,        /* 1024 bits a second, as mod_cband's; shown as bits a second */
    VIEW_PER_S,
    VIEW_SECONDS,
    VIEW_AGE,   /* a time, shown as how long ago */
    VIEW_LIMIT, /* bytes; 0 is shown as "-" */
    VIEW_FLAG
};

struct view_column {
    const char *title; /* for people */
    const char *path;  /* into an item: "traffic.rates.bytes_per_second_10"; its points as "_" are the name in CSV */
    enum view_unit unit;
};

struct view {
    const char *list; /* of the document: "hosts" */
    const struct view_column *columns;
    size_t column_count;
    size_t sorted_by;    /* a column, to begin with; the greatest first, texts the least */
    const char *nothing; /* what is said of an empty list */
};

extern const struct view view_hosts, view_users, view_classes, view_clients, view_blocks;

/* "traffic.rates.x" of an object; NULL: it is not there. Borrowed. */
const json_t *view_value(const json_t *item, const char *path);
/* The same as a number; 0 when it is none. */
double view_number(const json_t *item, const char *path);

/* The items of the list in order. The caller frees the array; the items are the document's. */
const json_t **view_sort(const struct view *view, const json_t *items, size_t column, bool is_reversed, size_t *count);

/* A table with a row of titles, or of names for CSV with plain numbers. */
struct table *view_table(const struct view *view, const json_t *const *items, size_t count, double now_s, bool is_csv);

#endif
