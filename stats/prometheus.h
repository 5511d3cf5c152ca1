/* The counters as Prometheus text, format 0.0.4: SetHandler weir-metrics. A renderer: it sees a snapshot only. Pure,
 * any thread. */
#ifndef WEIR_STATS_PROMETHEUS_H
#define WEIR_STATS_PROMETHEUS_H

#include <stdio.h>

#include "proxy/counters.h"

#define STATS_PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* HELP, TYPE and value of each row of counters.def, zero or not, each named "weir_" and the row's name. */
void stats_prometheus(const struct counters_snapshot *snapshot, FILE *out);

#endif
