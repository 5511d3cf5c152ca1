/* A hash table of prefixes, asked once for each length that occurs, longest first. Called for each request whose host
 * or user knows classes; any thread. */
#include "shaper/class_index.h"

#include <stdlib.h>

#include "config/arena.h"

struct slot {
    struct ip_prefix prefix;
    const struct client_class *class; /* NULL: free */
};

struct class_index {
    struct slot *slots;
    size_t mask; /* slots - 1; at least half of them are free */
    uint8_t lengths_v4[33], lengths_v6[129];
    size_t length_count_v4, length_count_v6; /* in use, longest first */
};

/* FNV-1a; the prefixes come from the operator, so nobody can choose them to collide. */
static size_t hash_prefix(const struct ip_prefix *prefix) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ prefix->address.family ^ ((uint64_t)prefix->length << 8);
    for (size_t i = 0; i < sizeof prefix->address.bytes; i++) {
        hash = (hash ^ prefix->address.bytes[i]) * UINT64_C(0x100000001b3);
    }
    return (size_t)(hash ^ hash >> 29);
}

static struct slot *find_slot(const struct class_index *index, const struct ip_prefix *prefix) {
    size_t at = hash_prefix(prefix) & index->mask;
    while (index->slots[at].class != NULL && (index->slots[at].prefix.length != prefix->length ||
                                              !ip_address_equal(&index->slots[at].prefix.address, &prefix->address))) {
        at = (at + 1) & index->mask;
    }
    return &index->slots[at];
}

static size_t list_lengths(const bool *used, unsigned longest, uint8_t *lengths) {
    size_t count = 0;
    for (unsigned length = longest + 1; length-- > 0;) {
        if (used[length]) {
            lengths[count++] = (uint8_t)length;
        }
    }
    return count;
}

struct class_index *class_tree_new(const struct client_class *classes, size_t count) {
    struct class_index *index = must_calloc(1, sizeof *index);
    bool used_v4[33] = {false}, used_v6[129] = {false};
    size_t prefix_count = 0, size = 2;
    for (size_t i = 0; i < count; i++) {
        prefix_count += classes[i].prefix_count;
    }
    while (size < 2 * prefix_count + 2) {
        size *= 2;
    }
    index->slots = must_calloc(size, sizeof *index->slots);
    index->mask = size - 1;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < classes[i].prefix_count; j++) {
            const struct ip_prefix *prefix = &classes[i].prefixes[j];
            *find_slot(index, prefix) = (struct slot){*prefix, &classes[i]};
            *(prefix->address.family == IP_V4 ? &used_v4[prefix->length] : &used_v6[prefix->length]) = true;
        }
    }
    index->length_count_v4 = list_lengths(used_v4, 32, index->lengths_v4);
    index->length_count_v6 = list_lengths(used_v6, 128, index->lengths_v6);
    return index;
}

void class_tree_free(struct class_index **index) {
    if (*index != NULL) {
        free((*index)->slots);
        free(*index);
        *index = NULL;
    }
}

const struct client_class *class_tree_find(const struct class_index *index, const struct ip_address *address) {
    bool is_v4 = address->family == IP_V4;
    const uint8_t *lengths = is_v4 ? index->lengths_v4 : index->lengths_v6;
    size_t count = is_v4 ? index->length_count_v4 : address->family == IP_V6 ? index->length_count_v6 : 0;
    for (size_t i = 0; i < count; i++) {
        struct ip_prefix prefix = {ip_address_mask(address, lengths[i]), lengths[i]};
        const struct client_class *class = find_slot(index, &prefix)->class;
        if (class != NULL) {
            return class;
        }
    }
    return NULL;
}
