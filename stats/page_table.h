/* A list of the page: its heading, its columns, its order, and as many of its rows as the page may have.
 *
 * A list is declared as columns; this module sorts, and writes the rows and the links that sort them.
 * Where the whole list is on the page, the script sorts it at once; a longer one is sorted here, by
 * sort=LIST.COLUMN.asc or .desc, so that the first rows of any order can be seen. */
#ifndef WEIR_STATS_PAGE_TABLE_H
#define WEIR_STATS_PAGE_TABLE_H

#include "stats/page_link.h"

struct page_column {
    const char *key;     /* in sort=, and the cells' CSS class */
    const char *heading; /* any text: a class's name is one */
    const char *hint;    /* shown when the pointer rests on the heading; NULL: none */
    bool is_unsorted;
    size_t index; /* of the class of clients, where the column is a class's */
    /* What the column is sorted by: numbers with the highest first, or texts. One of the two. */
    double (*number)(const struct page_column *column, const void *row);
    const char *(*text)(const struct page_column *column, const void *row);
    /* What stands in the cell, without <td>. */
    void (*print)(const struct page *page, const struct page_column *column, const void *row);
};

struct page_list {
    const char *id;    /* "hosts" */
    const char *title; /* "Hosts" */
    const char *empty; /* a sentence instead of the table when there is no row at all */
    const struct page_column *columns;
    size_t column_count;
    const void **rows; /* reordered here; all rows that are meant, however many */
    size_t row_count;
    size_t total_count;        /* before the filter */
    bool has_filter, is_paged; /* paged: page=N leads to the rows that are not here */
    const char *reset_field;   /* "reset": a form that resets all of them; NULL: none */
};

/* Writes the section. */
void page_list(const struct page *page, const struct page_list *list);

/* A form behind one more click: sets usage back to 0. field: "reset", "reset_user". */
void page_reset_form(const struct page *page, const char *field, const char *value, const char *what);

#endif
