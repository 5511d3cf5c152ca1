/* Names to small numbers: 0 for the first name, 1 for the second, and the same number for the same name ever after.
 *
 * For the names of a configuration (hosts, users, classes), so that what has happened to them survives a reload. Names
 * are never forgotten; only the operator can add some. One thread at a time. */
#ifndef WEIR_SHAPER_NAME_TABLE_H
#define WEIR_SHAPER_NAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct name_table {
    char **names; /* by number; the table's own copies */
    size_t count;
    size_t *slots; /* number + 1; 0: free */
    size_t slot_count;
};

/* A zeroed struct is an empty table. */
size_t name_table_number(struct name_table *table, const char *name);
/* The same without adding: false when the name is not known. */
bool name_table_find(const struct name_table *table, const char *name, size_t *number);
void name_table_clear(struct name_table *table);

#endif
