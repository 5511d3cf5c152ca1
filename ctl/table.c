/* Tables. Called by the views. Always true: what is printed for people holds no control character (unit_printable). */
#include "ctl/table.h"

#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "config/csv.h"
#include "ctl/units.h"

enum { CELL_MAX = 1024, WIDTH_MAX = 60 };

struct cell {
    char *text;
    size_t width;
    bool is_number;
};

struct table {
    size_t columns;
    size_t *widths;
    struct cell *cells;
    size_t count, room;
};

struct table *table_new(size_t columns) {
    struct table *table = must_calloc(1, sizeof *table);
    table->columns = columns;
    table->widths = must_calloc(columns, sizeof *table->widths);
    return table;
}

void table_free(struct table **table) {
    if (*table == NULL) {
        return;
    }
    for (size_t i = 0; i < (*table)->count; i++) {
        free((*table)->cells[i].text);
    }
    free((*table)->cells);
    free((*table)->widths);
    free(*table);
    *table = NULL;
}

void table_put(struct table *table, const char *text, bool is_number) {
    if (table->count == table->room) {
        table->room = table->room * 2 + table->columns * 16;
        table->cells = must_realloc(table->cells, table->room * sizeof *table->cells);
    }
    char printable[CELL_MAX];
    size_t width = unit_printable(text, printable, sizeof printable);
    size_t *widest = &table->widths[table->count % table->columns];
    size_t counted = width < WIDTH_MAX ? width : WIDTH_MAX;
    *widest = counted > *widest ? counted : *widest;
    struct cell cell = {.text = must_malloc(strlen(text) + 1), .width = width, .is_number = is_number};
    memcpy(cell.text, text, strlen(text) + 1);
    table->cells[table->count++] = cell;
}

static void print_cell(const struct cell *cell, size_t width, bool is_last, FILE *out) {
    char printable[CELL_MAX];
    unit_printable(cell->text, printable, sizeof printable);
    int missing = cell->width < width ? (int)(width - cell->width) : 0;
    if (cell->is_number) {
        fprintf(out, "%*s%s", missing, "", printable);
    } else {
        fprintf(out, "%s%*s", printable, is_last ? 0 : missing, "");
    }
    fputs(is_last ? "\n" : "  ", out);
}

void table_print(const struct table *table, FILE *out) {
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        print_cell(&table->cells[i], table->widths[column], column + 1 == table->columns, out);
    }
}

void table_print_csv(const struct table *table, FILE *out) {
    for (size_t i = 0; i < table->count; i++) {
        csv_put_field(table->cells[i].text, out);
        fputc((i + 1) % table->columns == 0 ? '\n' : ',', out);
    }
}
