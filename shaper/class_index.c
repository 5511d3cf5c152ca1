/* A hash table of prefixes, asked once for each length that occurs, longest first. Called for each request whose host
 * or user knows classes; any thread. */
#include "shaper/class_index.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"

/* An address or prefix as numbers: bits are masked, hashed and compared by the word. IPv4 is the first half of `high`.
 */
struct words {
    uint64_t high, low;
};

struct slot {
    struct words prefix;
    uint8_t family, length;
    const struct client_class *class; /* NULL: free */
};

/* A length that prefixes have, and which bits of an address it leaves. */
struct length {
    struct words mask;
    uint8_t bits;
};

struct class_index {
    struct slot *slots;
    size_t mask; /* slots - 1; at least half of them are free */
    struct length lengths_v4[33], lengths_v6[129];
    size_t length_count_v4, length_count_v6; /* in use, longest first */
};

static struct words words_of(const struct ip_address *address) {
    struct words words;
    memcpy(&words.high, address->bytes, 8);
    memcpy(&words.low, address->bytes + 8, 8);
    return (struct words){be64toh(words.high), be64toh(words.low)};
}

static uint64_t first_bits(unsigned count) {
    return count == 0 ? 0 : count < 64 ? UINT64_MAX << (64 - count) : UINT64_MAX;
}

/* The prefixes come from the operator, so nobody can choose them to collide. The factors: any odd numbers with their
 * bits well spread. */
static size_t hash_prefix(struct words prefix, unsigned length) {
    uint64_t hash = (prefix.high + length) * UINT64_C(0x9e3779b97f4a7c15);
    hash = ((hash ^ hash >> 32) + prefix.low) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(hash ^ hash >> 32);
}

static struct slot *find_slot(const struct class_index *index, struct words prefix, uint8_t family, uint8_t length) {
    size_t at = hash_prefix(prefix, length) & index->mask;
    for (;; at = (at + 1) & index->mask) {
        struct slot *slot = &index->slots[at];
        if (slot->class == NULL || (slot->prefix.high == prefix.high && slot->prefix.low == prefix.low &&
                                    slot->length == length && slot->family == family)) {
            return slot;
        }
    }
}

static size_t list_lengths(const bool *used, unsigned longest, struct length *lengths) {
    size_t count = 0;
    for (unsigned length = longest + 1; length-- > 0;) {
        if (used[length]) {
            struct words mask = {first_bits(length), length > 64 ? first_bits(length - 64) : 0};
            lengths[count++] = (struct length){mask, (uint8_t)length};
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
            struct words words = words_of(&prefix->address);
            uint8_t family = prefix->address.family;
            *find_slot(index, words, family, prefix->length) =
                (struct slot){words, family, prefix->length, &classes[i]};
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
    const struct length *length = is_v4 ? index->lengths_v4 : index->lengths_v6;
    size_t count = is_v4 ? index->length_count_v4 : address->family == IP_V6 ? index->length_count_v6 : 0;
    struct words words = words_of(address);
    for (; count > 0; count--, length++) {
        struct words prefix = {words.high & length->mask.high, words.low & length->mask.low};
        const struct client_class *class = find_slot(index, prefix, address->family, length->bits)->class;
        if (class != NULL) {
            return class;
        }
    }
    return NULL;
}
