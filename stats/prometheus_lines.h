/* Within the Prometheus renderer: how its files write families. A family's lines stand together, so each family goes
 * over all hosts, and labels are made once. Pure. */
#ifndef WEIR_STATS_PROMETHEUS_LINES_H
#define WEIR_STATS_PROMETHEUS_LINES_H

#include <stdint.h>

#include "stats/render.h"

struct metrics {
    const struct stats_snapshot *snapshot;
    FILE *out;
    const char *const *host_labels; /* escaped names, in the snapshot's order */
    const char *const *user_labels, *const *class_labels, *const *upstream_labels;
    const char *const *quota_class_labels; /* of each owner's quotas: the total, then the classes */
    const char *const *balancer_labels;    /* of each upstream; "" for none */
    struct arena arena;                    /* of the labels */
};

/* A row of a table of families. */
struct metric {
    const char *name; /* without "weir_" */
    const char *type; /* "counter", "gauge", "histogram" */
    const char *help;
};

/* HELP and TYPE. `prefix` and the name follow "weir_". */
void metrics_begin(const struct metrics *metrics, const char *prefix, const struct metric *metric);

/* "weir_NAME 1": a family of one sample. */
void metrics_single(const struct metrics *metrics, const struct metric *metric, double value);

/* weir_host_*, weir_user_*, weir_class_*; weir_quota_*; weir_speed_limit_*. */
void metrics_owners(const struct metrics *metrics);
/* weir_upstream_*. */
void metrics_upstreams(const struct metrics *metrics);

#endif
