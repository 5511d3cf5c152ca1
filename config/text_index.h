/* From texts to things, for the long lists of a configuration: look-ups cost the same with ten entries and with a
 * hundred thousand.
 *
 * Keys and values are the caller's and must live as long as the index; its own memory comes from the arena. One thread
 * at a time. A zeroed struct is an empty index. */
#ifndef WEIR_CONFIG_TEXT_INDEX_H
#define WEIR_CONFIG_TEXT_INDEX_H

#include "config/arena.h"

struct text_index {
    struct text_index_slot *slots;
    size_t slot_count; /* a power of two, at least twice `count`; 0: nothing was added */
    size_t count;
};

/* NULL when the key was never added. */
void *text_index_find(const struct text_index *index, const char *key);

/* The key must not be there yet; value is not NULL. */
void text_index_add(struct text_index *index, struct arena *arena, const char *key, void *value);

#endif
