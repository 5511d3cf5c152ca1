/* The snapshot as Prometheus text, format 0.0.4 (prometheus.io, "Exposition formats"): SetHandler weir-metrics.
 *
 * Base units, bytes and seconds. Labels are names of the configuration (hosts, users, classes, upstreams) and words of
 * weir's; never a client, nor what a client chose. A host's label is its name; of several hosts with one name, its key.
 * Refusals have a series for each reason that has occurred. A narrow view has no series of the server's. */
#ifndef WEIR_STATS_PROMETHEUS_H
#define WEIR_STATS_PROMETHEUS_H

#include "stats/render.h"

stats_renderer stats_prometheus;

#endif
