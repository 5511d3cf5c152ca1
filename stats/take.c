/* A snapshot, part by part. Housekeeping thread, called for each document.
 * Always true: nothing in the snapshot points to anything that lives on. */
#include "stats/take.h"

#include "proxy/process_survey.h"
#include "stats/take_parts.h"

struct stats_snapshot *stats_snapshot_take(const struct process *process) {
    struct process_survey survey;
    process_survey(process, &survey);
    struct stats_snapshot *snapshot = must_calloc(1, sizeof *snapshot);
    take_hosts(snapshot, &survey);
    take_users(snapshot, &survey);
    take_classes(snapshot, &survey);
    take_blocks(snapshot, &survey, take_clients(snapshot, &survey));
    take_upstreams(snapshot, &survey);
    take_server(snapshot, &survey);
    take_server_traffic(snapshot);
    return snapshot;
}
