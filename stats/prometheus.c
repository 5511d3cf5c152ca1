/* The Prometheus document: labels, the server's own families, and the order of all. Called by stats_render().
 * Always true: a family's HELP and TYPE stand once, before its samples. */
#include "stats/prometheus.h"

#include <inttypes.h>

#include "stats/prometheus_labels.h"
#include "stats/prometheus_lines.h"

/* In help, a backslash and a line feed are escaped. */
static void print_help(const char *text, FILE *out) {
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            fputs("\\\\", out);
        } else if (*text == '\n') {
            fputs("\\n", out);
        } else {
            fputc(*text, out);
        }
    }
}

void metrics_begin(const struct metrics *metrics, const char *prefix, const struct metric *metric) {
    fprintf(metrics->out, "# HELP weir_%s%s ", prefix, metric->name);
    print_help(metric->help, metrics->out);
    fprintf(metrics->out, "\n# TYPE weir_%s%s %s\n", prefix, metric->name, metric->type);
}

void metrics_single(const struct metrics *metrics, const struct metric *metric, double value) {
    metrics_begin(metrics, "", metric);
    fprintf(metrics->out, "weir_%s %.15g\n", metric->name, value);
}

static const char *type_word(enum counter_type type) {
    return type == COUNTER_TYPE_GAUGE ? "gauge" : "counter";
}

static void put_counters(const struct metrics *metrics, const struct stats_server *server) {
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = &counter_rows[i];
        metrics_begin(metrics, "", &(struct metric){row->name, type_word(row->type), row->help});
        fprintf(metrics->out, "weir_%s %" PRIu64 "\n", row->name, server->counters.value[i]);
    }
    for (size_t i = 0; i < server->gauge_count; i++) {
        const struct stats_gauge *gauge = &server->gauges[i];
        metrics_single(metrics, &(struct metric){gauge->name, type_word(gauge->type), gauge->help}, gauge->value);
    }
}

static void put_server(struct metrics *metrics, const struct stats_server *server) {
    const struct metric build = {"build_info", "gauge", "1, with the version as its label"};
    metrics_begin(metrics, "", &build);
    fprintf(metrics->out, "weir_build_info{version=\"%s\"} 1\n",
            prometheus_label(&metrics->arena, server->version != NULL ? server->version : ""));
    const struct metric start = {"start_time_seconds", "gauge", "When the process began, seconds since the epoch"};
    metrics_single(metrics, &start, (double)server->started_s);
    const struct metric reload = {"last_reload_timestamp_seconds", "gauge",
                                  "When the last reload was, seconds since the epoch; 0: never"};
    metrics_single(metrics, &reload, (double)server->last_reload.at_s);
    const struct metric now = {"blocks", "gauge", "Client addresses blocked now"};
    metrics_single(metrics, &now, (double)metrics->snapshot->block_count);
    const struct metric blocks = {"blocks_total", "counter", "Blocks begun, by reason"};
    metrics_begin(metrics, "", &blocks);
    for (size_t i = 0; i < sizeof server->blocks_total / sizeof server->blocks_total[0]; i++) {
        if (server->block_reasons[i] != NULL) {
            fprintf(metrics->out, "weir_blocks_total{reason=\"%s\"} %" PRIu64 "\n", server->block_reasons[i],
                    server->blocks_total[i]);
        }
    }
}

/* ---- labels ---- */

static void make_owner_labels(struct metrics *metrics) {
    const struct stats_snapshot *snapshot = metrics->snapshot;
    struct label_source *sources = arena_alloc(&metrics->arena, (snapshot->host_count + 1) * sizeof *sources);
    for (size_t i = 0; i < snapshot->host_count; i++) {
        sources[i] = (struct label_source){.name = snapshot->hosts[i].traffic.name, .key = snapshot->hosts[i].key};
    }
    metrics->host_labels = prometheus_labels(&metrics->arena, sources, snapshot->host_count);
    sources = arena_alloc(&metrics->arena, (snapshot->user_count + 1) * sizeof *sources);
    for (size_t i = 0; i < snapshot->user_count; i++) {
        sources[i].name = snapshot->users[i].traffic.name;
    }
    metrics->user_labels = prometheus_labels(&metrics->arena, sources, snapshot->user_count);
    sources = arena_alloc(&metrics->arena, (snapshot->class_count + 1) * sizeof *sources);
    for (size_t i = 0; i < snapshot->class_count; i++) {
        sources[i].name = snapshot->classes[i].traffic.name;
    }
    metrics->class_labels = prometheus_labels(&metrics->arena, sources, snapshot->class_count);
}

/* A narrow snapshot has quotas of classes, but no classes. The first label, "", is the total's. */
static void make_quota_class_labels(struct metrics *metrics) {
    const struct stats_limits *widest = NULL;
    for (size_t i = 0; i < metrics->snapshot->host_count + metrics->snapshot->user_count; i++) {
        size_t hosts = metrics->snapshot->host_count;
        const struct stats_limits *limits =
            i < hosts ? &metrics->snapshot->hosts[i].limits : &metrics->snapshot->users[i - hosts].limits;
        if (widest == NULL || limits->class_quota_count > widest->class_quota_count) {
            widest = limits;
        }
    }
    size_t count = widest != NULL ? widest->class_quota_count : 0;
    struct label_source *sources = arena_alloc(&metrics->arena, (count + 1) * sizeof *sources);
    sources[0].name = "";
    for (size_t i = 0; i < count; i++) {
        sources[i + 1].name = widest->class_quotas[i].class_name;
    }
    metrics->quota_class_labels = prometheus_labels(&metrics->arena, sources, count + 1);
}

static void make_upstream_labels(struct metrics *metrics) {
    const struct stats_snapshot *snapshot = metrics->snapshot;
    struct label_source *sources = arena_alloc(&metrics->arena, (snapshot->upstream_count + 1) * sizeof *sources);
    const char **balancers = arena_alloc(&metrics->arena, (snapshot->upstream_count + 1) * sizeof *balancers);
    for (size_t i = 0; i < snapshot->upstream_count; i++) {
        const char *balancer = snapshot->upstreams[i].balancer;
        balancers[i] = prometheus_label(&metrics->arena, balancer != NULL ? balancer : "");
        sources[i] = (struct label_source){.group = balancers[i], .name = snapshot->upstreams[i].name};
    }
    metrics->balancer_labels = balancers;
    metrics->upstream_labels = prometheus_labels(&metrics->arena, sources, snapshot->upstream_count);
}

void stats_prometheus(const struct stats_snapshot *snapshot, const struct stats_view *view, FILE *out) {
    struct metrics metrics = {.snapshot = snapshot, .out = out};
    arena_init(&metrics.arena, NULL, 0);
    make_owner_labels(&metrics);
    make_quota_class_labels(&metrics);
    make_upstream_labels(&metrics);
    if (!stats_view_is_narrow(view)) {
        put_server(&metrics, &snapshot->server);
        put_counters(&metrics, &snapshot->server);
    }
    metrics_owners(&metrics);
    metrics_upstreams(&metrics);
    arena_reset(&metrics.arena);
}
