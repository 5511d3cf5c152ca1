/* Rows of cells: aligned columns for people, CSV for programs. One thread. */
#ifndef WEIR_CTL_TABLE_H
#define WEIR_CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table;

/* The first row is put like the others. All zero columns are not allowed. */
struct table *table_new(size_t columns);
void table_free(struct table **table); /* nulls the pointer; NULL is harmless */

/* The next cell, from left to right and then down; the text is copied. Numbers stand at the right of their column. */
void table_put(struct table *table, const char *text, bool is_number);

void table_print(const struct table *table, FILE *out);     /* two spaces between columns */
void table_print_csv(const struct table *table, FILE *out); /* RFC 4180, lines end with a line feed */

#endif
