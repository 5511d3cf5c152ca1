/* A hash table with open addressing, at most half full. Called by the parser. Always true: an entry is found on the way
 * from its hash to the next free slot, because entries are never removed. */
#include "config/text_index.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { FIRST_SLOTS = 16 };

struct text_index_slot {
    const char *key; /* NULL: free */
    void *value;
};

/* FNV-1a: the texts are the operator's, nobody chooses them to collide. */
static size_t hash_of(const char *key) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *key != '\0'; key++) {
        hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    }
    return (size_t)(hash ^ hash >> 29);
}

static struct text_index_slot *slot_of(const struct text_index *index, const char *key) {
    size_t at = hash_of(key) & (index->slot_count - 1);
    while (index->slots[at].key != NULL && strcmp(index->slots[at].key, key) != 0) {
        at = (at + 1) & (index->slot_count - 1);
    }
    return &index->slots[at];
}

void *text_index_find(const struct text_index *index, const char *key) {
    return index->slot_count > 0 ? slot_of(index, key)->value : NULL;
}

/* The old slots stay in the arena: together less than the new ones. */
static void grow(struct text_index *index, struct arena *arena) {
    struct text_index before = *index;
    index->slot_count = before.slot_count > 0 ? before.slot_count * 2 : FIRST_SLOTS;
    index->slots = arena_alloc(arena, index->slot_count * sizeof *index->slots);
    for (size_t i = 0; i < before.slot_count; i++) {
        if (before.slots[i].key != NULL) {
            *slot_of(index, before.slots[i].key) = before.slots[i];
        }
    }
}

void text_index_add(struct text_index *index, struct arena *arena, const char *key, void *value) {
    if (index->count * 2 >= index->slot_count) {
        grow(index, arena);
    }
    struct text_index_slot *slot = slot_of(index, key);
    assert(slot->key == NULL);
    *slot = (struct text_index_slot){key, value};
    index->count++;
}
