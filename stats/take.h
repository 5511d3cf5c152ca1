/* Takes a snapshot of everything: the one place in stats/ that sees live state. Housekeeping thread. */
#ifndef WEIR_STATS_TAKE_H
#define WEIR_STATS_TAKE_H

#include "stats/snapshot.h"

struct process;

/* Never NULL; freed with stats_snapshot_free(). 10,000 hosts and 100,000 clients take some ten milliseconds; no worker
 * waits meanwhile. */
struct stats_snapshot *stats_snapshot_take(const struct process *process);

#endif
