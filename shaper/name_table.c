/* Open addressing, at most half full. Called by binding.c when a configuration is applied, under the shaper's lock. */
#include "shaper/name_table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"

enum { FIRST_SLOTS = 64 };

/* FNV-1a; the names come from the operator, so nobody can choose them to collide. */
static size_t hash_of(const char *name) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    }
    return (size_t)(hash ^ hash >> 29);
}

static size_t *slot_of(const struct name_table *table, const char *name) {
    size_t at = hash_of(name) & (table->slot_count - 1);
    while (table->slots[at] != 0 && strcmp(table->names[table->slots[at] - 1], name) != 0) {
        at = (at + 1) & (table->slot_count - 1);
    }
    return &table->slots[at];
}

static void grow(struct name_table *table) {
    table->slot_count = table->slot_count > 0 ? table->slot_count * 2 : FIRST_SLOTS;
    free(table->slots);
    table->slots = must_calloc(table->slot_count, sizeof *table->slots);
    table->names = must_realloc(table->names, table->slot_count / 2 * sizeof *table->names);
    for (size_t i = 0; i < table->count; i++) {
        *slot_of(table, table->names[i]) = i + 1;
    }
}

size_t name_table_number(struct name_table *table, const char *name) {
    if (table->count == table->slot_count / 2) {
        grow(table);
    }
    size_t *slot = slot_of(table, name);
    if (*slot == 0) {
        size_t bytes = strlen(name) + 1;
        table->names[table->count] = must_malloc(bytes);
        memcpy(table->names[table->count], name, bytes);
        *slot = ++table->count;
    }
    return *slot - 1;
}

bool name_table_find(const struct name_table *table, const char *name, size_t *number) {
    size_t slot = table->slot_count > 0 ? *slot_of(table, name) : 0;
    if (slot > 0) {
        *number = slot - 1;
    }
    return slot > 0;
}

void name_table_clear(struct name_table *table) {
    for (size_t i = 0; i < table->count; i++) {
        free(table->names[i]);
    }
    free(table->names);
    free(table->slots);
    *table = (struct name_table){0};
}
