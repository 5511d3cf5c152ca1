/* Of a snapshot only what one host or user may see: cband-status-me. Pure, any thread. */
#ifndef WEIR_STATS_NARROW_H
#define WEIR_STATS_NARROW_H

#include "stats/render.h"

/* The snapshot's hosts, users, clients and blocks that the view shows; classes and upstreams, which are everybody's,
 * are left out. Shares all texts with the snapshot, which must outlive it; the lists lie in its own arena, so it ends
 * by arena_reset(&narrow->arena). Clients and blocks know their host by name: where two hosts have one name, both
 * hosts' are shown, as they share their records. */
void stats_narrow(struct stats_snapshot *narrow, const struct stats_snapshot *snapshot, const struct stats_view *view);

#endif
