/* What the files that take a snapshot share with each other, and with nobody else. */
#ifndef WEIR_STATS_TAKE_PARTS_H
#define WEIR_STATS_TAKE_PARTS_H

#include "proxy/process_survey.h"
#include "stats/snapshot.h"

/* take_traffic.c: hosts, users, classes, and the sum of all hosts. */
void take_hosts(struct stats_snapshot *snapshot, const struct process_survey *survey);
void take_users(struct stats_snapshot *snapshot, const struct process_survey *survey);
void take_classes(struct stats_snapshot *snapshot, const struct process_survey *survey);
void take_server_traffic(struct stats_snapshot *snapshot);

/* take_clients.c; returns the clients, for take_blocks() to mark */
struct stats_client *take_clients(struct stats_snapshot *snapshot, const struct process_survey *survey);

/* take_blocks.c */
void take_blocks(struct stats_snapshot *snapshot, const struct process_survey *survey, struct stats_client *clients);
void take_block_counts(struct stats_snapshot *snapshot, const struct burst_counts *counts);

/* take_server.c */
void take_upstreams(struct stats_snapshot *snapshot, const struct process_survey *survey);
void take_server(struct stats_snapshot *snapshot, const struct process_survey *survey);

#endif
