/* The families of origins. Called by the Prometheus renderer. */
#include "stats/prometheus_lines.h"

#include <inttypes.h>

static uint64_t get_up(const struct stats_upstream *upstream) {
    return upstream->is_usable;
}
static uint64_t get_in_flight(const struct stats_upstream *upstream) {
    return upstream->in_flight;
}
static uint64_t get_connections(const struct stats_upstream *upstream) {
    return upstream->connections;
}
static uint64_t get_requests(const struct stats_upstream *upstream) {
    return upstream->requests;
}
static uint64_t get_failures(const struct stats_upstream *upstream) {
    return upstream->failures;
}

static const struct {
    struct metric metric;
    uint64_t (*get)(const struct stats_upstream *);
} rows[] = {
    {{"upstream_up", "gauge", "1: requests are sent to the origin; 0: it failed and is left alone for a while"},
     get_up},
    {{"upstream_requests_in_flight", "gauge", "Requests that the origin is answering now"}, get_in_flight},
    {{"upstream_connections_total", "counter", "Connections made to the origin"}, get_connections},
    {{"upstream_requests_total", "counter", "Requests sent to the origin"}, get_requests},
    {{"upstream_failures_total", "counter", "Requests and connects that the origin failed"}, get_failures},
};

/* "{upstream="…",balancer="…"" without the end. */
static void put_labels(const struct metrics *metrics, size_t i) {
    fprintf(metrics->out, "{upstream=\"%s\",balancer=\"%s\"", metrics->upstream_labels[i], metrics->balancer_labels[i]);
}

static void put_first_byte(const struct metrics *metrics, const struct metric *metric, size_t i) {
    const struct stats_upstream *upstream = &metrics->snapshot->upstreams[i];
    uint64_t count = 0;
    for (size_t b = 0; b < STATS_LATENCY_BUCKETS; b++) {
        count += upstream->first_byte[b];
        fprintf(metrics->out, "weir_%s_bucket", metric->name);
        put_labels(metrics, i);
        if (b + 1 < STATS_LATENCY_BUCKETS) {
            fprintf(metrics->out, ",le=\"%g\"} %" PRIu64 "\n", stats_latency_bounds_s[b], count);
        } else {
            fprintf(metrics->out, ",le=\"+Inf\"} %" PRIu64 "\n", count);
        }
    }
    fprintf(metrics->out, "weir_%s_sum", metric->name);
    put_labels(metrics, i);
    fprintf(metrics->out, "} %.15g\nweir_%s_count", upstream->first_byte_sum_s, metric->name);
    put_labels(metrics, i);
    fprintf(metrics->out, "} %" PRIu64 "\n", count);
}

void metrics_upstreams(const struct metrics *metrics) {
    size_t count = metrics->snapshot->upstream_count;
    for (size_t m = 0; m < sizeof rows / sizeof rows[0] && count > 0; m++) {
        metrics_begin(metrics, "", &rows[m].metric);
        for (size_t i = 0; i < count; i++) {
            fprintf(metrics->out, "weir_%s", rows[m].metric.name);
            put_labels(metrics, i);
            fprintf(metrics->out, "} %" PRIu64 "\n", rows[m].get(&metrics->snapshot->upstreams[i]));
        }
    }
    if (count > 0) {
        const struct metric first_byte = {"upstream_first_byte_seconds", "histogram",
                                          "Time from sending a request to the origin to its answer's first byte"};
        metrics_begin(metrics, "", &first_byte);
        for (size_t i = 0; i < count; i++) {
            put_first_byte(metrics, &first_byte, i);
        }
    }
}
