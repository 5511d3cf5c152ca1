/* Labels of Prometheus series: escaped, and no two things with the same. Pure. */
#ifndef WEIR_STATS_PROMETHEUS_LABELS_H
#define WEIR_STATS_PROMETHEUS_LABELS_H

#include <stddef.h>

#include "config/arena.h"

struct label_source {
    const char *group; /* a name need be unique in its group only; NULL: "" */
    const char *name;
    const char *key; /* takes the name's place where several have the name; NULL: the name */
};

/* Escaped texts for what stands between the quotes, in the arena, one for each source, no two the same in a group: what
 * is the same still is numbered ("name#2"). */
const char *const *prometheus_labels(struct arena *arena, const struct label_source *sources, size_t count);

/* The text, clean and escaped. */
const char *prometheus_label(struct arena *arena, const char *text);

#endif
