/* Labels that are escaped and unique: two series with the same labels would make Prometheus refuse the whole document,
 * and two hosts of one name, on two ports, are common. Called by the Prometheus renderer. */
#include "stats/prometheus_labels.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "stats/clean_text.h"

struct candidate {
    const char *group, *text;
    size_t index;
};

const char *prometheus_label(struct arena *arena, const char *text) {
    struct clean_text scratch = {NULL, 0};
    text = clean_text(&scratch, text);
    char *label = arena_alloc_raw(arena, 2 * strlen(text) + 1);
    char *to = label;
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '"' || *text == '\n') {
            *to++ = '\\';
        }
        *to++ = *text == '\n' ? 'n' : *text;
    }
    *to = '\0';
    clean_text_free(&scratch);
    return label;
}

static int compare_texts(const struct candidate *a, const struct candidate *b) {
    int order = strcmp(a->group, b->group);
    return order != 0 ? order : strcmp(a->text, b->text);
}

static int compare(const void *a, const void *b) {
    const struct candidate *one = a, *other = b;
    int order = compare_texts(one, other);
    return order != 0 ? order : (one->index > other->index) - (one->index < other->index);
}

/* Sorts, and tells whether any two are the same. */
static bool sort_and_find_same(struct candidate *candidates, size_t count) {
    qsort(candidates, count, sizeof *candidates, compare);
    for (size_t i = 1; i < count; i++) {
        if (compare_texts(&candidates[i - 1], &candidates[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_same_as_neighbour(const struct candidate *candidates, size_t count, size_t i) {
    return (i > 0 && compare_texts(&candidates[i - 1], &candidates[i]) == 0) ||
           (i + 1 < count && compare_texts(&candidates[i], &candidates[i + 1]) == 0);
}

static void replace_by_keys(struct arena *arena, struct candidate *candidates, size_t count,
                            const struct label_source *sources) {
    const char **texts = arena_alloc(arena, count * sizeof *texts);
    for (size_t i = 0; i < count; i++) {
        const char *key = sources[candidates[i].index].key;
        texts[i] = key != NULL && is_same_as_neighbour(candidates, count, i) ? prometheus_label(arena, key)
                                                                             : candidates[i].text;
    }
    for (size_t i = 0; i < count; i++) {
        candidates[i].text = texts[i];
    }
}

/* The second of the same gets "#2", and so on. What that makes the same again is numbered in the next round: each round
 * makes texts longer, so it ends. */
static void number_the_same(struct arena *arena, struct candidate *candidates, size_t count) {
    const struct candidate *first = &candidates[0];
    size_t number = 1;
    for (size_t i = 1; i < count; i++) {
        if (compare_texts(first, &candidates[i]) == 0) {
            candidates[i].text = arena_printf(arena, "%s#%zu", candidates[i].text, ++number);
        } else {
            first = &candidates[i];
            number = 1;
        }
    }
}

const char *const *prometheus_labels(struct arena *arena, const struct label_source *sources, size_t count) {
    struct candidate *candidates = arena_alloc(arena, (count + 1) * sizeof *candidates);
    for (size_t i = 0; i < count; i++) {
        candidates[i] = (struct candidate){sources[i].group != NULL ? sources[i].group : "",
                                           prometheus_label(arena, sources[i].name), i};
    }
    if (sort_and_find_same(candidates, count)) {
        replace_by_keys(arena, candidates, count, sources);
        while (sort_and_find_same(candidates, count)) {
            number_the_same(arena, candidates, count);
        }
    }
    const char **labels = arena_alloc(arena, (count + 1) * sizeof *labels);
    for (size_t i = 0; i < count; i++) {
        labels[candidates[i].index] = candidates[i].text;
    }
    return labels;
}
