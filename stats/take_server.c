/* The process and its origins as a snapshot shows them. Housekeeping thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/version.h"
#include "stats/take_parts.h"

#define NS 1e-9

_Static_assert((int)STATS_LATENCY_BUCKETS == (int)ORIGIN_LATENCIES, "the buckets are those that origins count in");

/* ---- origins ---- */

struct upstream_list {
    struct arena *arena;
    struct stats_upstream *upstreams;
    size_t count;
};

static void take_upstream(void *context, const struct origin_view *view) {
    struct upstream_list *list = context;
    struct stats_upstream *upstream = &list->upstreams[list->count++];
    upstream->name = arena_strdup(list->arena, view->origin->name);
    upstream->balancer = view->balancer != NULL ? arena_strdup(list->arena, view->balancer->name) : NULL;
    upstream->is_usable = view->is_usable;
    upstream->in_flight = view->in_flight;
    upstream->connections = view->counts[ORIGIN_COUNT_CONNECTIONS];
    upstream->requests = view->counts[ORIGIN_COUNT_REQUESTS];
    upstream->failures = view->counts[ORIGIN_COUNT_FAILURES];
    for (size_t i = 0; i < ORIGIN_LATENCIES; i++) {
        upstream->first_byte[i] = view->first_byte[i];
    }
    upstream->first_byte_sum_s = (double)view->first_byte_ns * NS;
}

void take_upstreams(struct stats_snapshot *snapshot, const struct process_survey *survey) {
    struct upstream_list list = {.arena = &snapshot->arena};
    list.upstreams = arena_alloc(&snapshot->arena, survey->config->origin_count * sizeof *list.upstreams + 1);
    origins_visit(survey->origins, survey->now_ns, take_upstream, &list);
    snapshot->upstreams = list.upstreams;
    snapshot->upstream_count = list.count;
}

/* ---- numbers of the process ---- */

enum gauge {
#define GAUGE(NAME, name, type, unit, help) GAUGE_##NAME,
#include "stats/gauges.def"
#undef GAUGE
    GAUGE_COUNT
};

static const struct stats_gauge rows[GAUGE_COUNT] = {
#define GAUGE(NAME, name, type, unit, help) {#name, COUNTER_TYPE_##type, unit, help, 0},
#include "stats/gauges.def"
#undef GAUGE
};

/* proc(5): the second number of statm is the resident pages. 0 where there is none. */
static double resident_bytes(void) {
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fgets(line, sizeof line, file) == NULL) {
            line[0] = '\0';
        }
        fclose(file);
    }
    const char *second = strchr(line, ' ');
    unsigned long resident = second != NULL ? strtoul(second, NULL, 10) : 0;
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void measure_blocking(const struct process_survey *survey, double values[GAUGE_COUNT]) {
    const struct burst_counts burst = burst_counts(survey->burst);
    const struct block_notifier_counts *notices = &survey->notices;
    values[GAUGE_BURST_CLIENTS] = (double)burst.clients;
    values[GAUGE_BURST_WINDOWS] = (double)burst.windows;
    values[GAUGE_BURST_BYTES] = (double)burst.bytes;
    values[GAUGE_BURST_EVICTED] = (double)burst.evicted;
    values[GAUGE_BURST_NO_ROOM] = (double)burst.no_room;
    values[GAUGE_NOTICE_MAILS] = (double)notices->mails;
    values[GAUGE_NOTICE_COMMANDS] = (double)notices->commands;
    values[GAUGE_NOTICE_FAILURES] = (double)notices->failures;
    values[GAUGE_NOTICE_DROPPED] = (double)notices->dropped;
    values[GAUGE_NOTICE_QUEUED] = (double)(notices->queued + notices->running);
    values[GAUGE_NOTICE_FILE_FAILURES] = (double)notices->file_failures;
    values[GAUGE_FIREWALL_CHANGES] = (double)notices->firewall_changes;
    values[GAUGE_FIREWALL_FAILURES] = (double)notices->firewall_failures;
}

static void measure(const struct process_survey *survey, double values[GAUGE_COUNT]) {
    struct client_table_counts clients = shaper_client_counts(survey->shaper);
    values[GAUGE_UPTIME] = (double)survey->uptime_ns * NS;
    values[GAUGE_WORKERS] = survey->workers;
    values[GAUGE_RESIDENT_MEMORY] = resident_bytes();
    values[GAUGE_GENERATION] = (double)survey->generation;
    values[GAUGE_RELOADS] = (double)survey->reloads;
    values[GAUGE_RELOADS_FAILED] = (double)survey->reloads_failed;
    values[GAUGE_LAST_RELOAD_OK] = survey->last_reload.at_s == 0 || survey->last_reload.ok;
    values[GAUGE_HOUSEKEEPING_LAG] = (double)survey->lag_ns * NS;
    values[GAUGE_CLIENTS_KNOWN] = (double)clients.clients;
    values[GAUGE_CLIENTS_EVICTED] = (double)clients.evicted;
    values[GAUGE_CLIENTS_NO_ROOM] = (double)clients.no_room;
    values[GAUGE_LOG_LINES] = (double)survey->log.lines;
    values[GAUGE_LOG_LINES_LOST] = (double)survey->log.lines_lost;
    values[GAUGE_LOG_WRITE_ERRORS] = (double)survey->log.write_errors;
    values[GAUGE_STATE_DATABASES] = (double)survey->state.databases;
    values[GAUGE_STATE_FAILING] = (double)survey->state.databases_failing;
    values[GAUGE_STATE_FLUSHES] = (double)survey->state.flushes;
    values[GAUGE_STATE_FLUSH_ERRORS] = (double)survey->state.flush_errors;
    values[GAUGE_STATE_ROWS] = (double)survey->state.rows_written;
    values[GAUGE_STATE_SET_ASIDE] = (double)survey->state.files_set_aside;
    values[GAUGE_STATE_LAST_FLUSH] = (double)survey->state.last_flush_s;
    measure_blocking(survey, values);
}

static const struct stats_gauge *take_gauges(struct arena *arena, const struct process_survey *survey) {
    double values[GAUGE_COUNT] = {0};
    struct stats_gauge *gauges = arena_alloc(arena, sizeof rows);
    measure(survey, values);
    for (size_t i = 0; i < GAUGE_COUNT; i++) {
        gauges[i] = rows[i];
        gauges[i].value = values[i];
    }
    return gauges;
}

void take_server(struct stats_snapshot *snapshot, const struct process_survey *survey) {
    struct arena *arena = &snapshot->arena;
    struct stats_server *server = &snapshot->server;
    const struct server_settings *settings = &survey->config->server;
    server->version = WEIR_VERSION;
    server->libraries = arena_strdup(arena, survey->libraries);
    server->state_file = settings->state_file != NULL ? arena_strdup(arena, settings->state_file) : NULL;
    server->started_s = survey->started_wall_s;
    server->now_s = survey->now_wall_s;
    server->uptime_s = survey->uptime_ns / INT64_C(1000000000);
    server->workers = survey->workers;
    server->generation = survey->generation;
    server->pid = (uint64_t)getpid();
    server->last_reload.ok = survey->last_reload.ok;
    server->last_reload.at_s = survey->last_reload.at_s;
    server->last_reload.text = survey->last_reload.text != NULL ? arena_strdup(arena, survey->last_reload.text) : "";
    const struct burst_counts burst = burst_counts(survey->burst);
    take_block_counts(snapshot, &burst);
    server->counters = survey->counters;
    server->gauges = take_gauges(arena, survey);
    server->gauge_count = GAUGE_COUNT;
    server->clients_known = shaper_client_counts(survey->shaper).clients;
    server->classic_xml = settings->limits.status_xml_classic;
}
