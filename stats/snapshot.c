/* What belongs to a snapshot by itself: its texts, and its end. Pure. */
#include "stats/snapshot.h"

#include <math.h>
#include <stdlib.h>

const double stats_latency_bounds_s[STATS_LATENCY_BUCKETS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                              0.5,   1,      2.5,   5,    10,    30,   60,  INFINITY};

const char *stats_exceeded_text(enum stats_exceeded exceeded) {
    static const char *const texts[] = {"within", "slowed", "redirected", "refused"};
    return texts[exceeded];
}

void stats_snapshot_free(struct stats_snapshot **snapshot) {
    if (*snapshot != NULL) {
        arena_reset(&(*snapshot)->arena);
        free(*snapshot);
        *snapshot = NULL;
    }
}
