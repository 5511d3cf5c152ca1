/* What weir has done so far, in one line for the error log, at a reload and at the end. A renderer: it sees a snapshot
 * only. Pure, any thread. */
#ifndef WEIR_STATS_SUMMARY_H
#define WEIR_STATS_SUMMARY_H

#include <stdint.h>
#include <stdio.h>

#include "proxy/counters.h"

/* "up 1 h 2 min 3 s: client_connections_total 12, requests_total 340, …": the rows of counters.def that are not zero,
 * in their order, without the newline. */
void stats_summary(const struct counters_snapshot *snapshot, int64_t uptime_ns, FILE *out);

#endif
