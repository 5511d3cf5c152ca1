/* The families of hosts, users and classes: a table of what is told of traffic, once for each scope, and a table of
 * what is told of limits. Called by the Prometheus renderer. */
#include "stats/prometheus_lines.h"

#include <inttypes.h>

#include "stats/arithmetic.h"

/* ---- traffic ---- */

struct scope {
    const char *prefix; /* "host_" */
    const char *label;  /* "host" */
};

/* Where a sample belongs: weir_PREFIXNAME{LABEL="VALUE"… */
struct series {
    const struct scope *scope;
    const char *name, *value;
    FILE *out;
};

typedef void traffic_samples(const struct series *series, const struct stats_traffic *traffic);

static void put_sample(const struct series *series, uint64_t value) {
    fprintf(series->out, "weir_%s%s{%s=\"%s\"} %" PRIu64 "\n", series->scope->prefix, series->name,
            series->scope->label, series->value, value);
}

static void put_labelled(const struct series *series, const char *label, const char *text, uint64_t value) {
    fprintf(series->out, "weir_%s%s{%s=\"%s\",%s=\"%s\"} %" PRIu64 "\n", series->scope->prefix, series->name,
            series->scope->label, series->value, label, text, value);
}

static void put_bytes(const struct series *series, const struct stats_traffic *traffic) {
    put_labelled(series, "direction", "out", traffic->totals.value[TALLY_BYTES_OUT]);
    put_labelled(series, "direction", "in", traffic->totals.value[TALLY_BYTES_IN]);
}

static void put_requests(const struct series *series, const struct stats_traffic *traffic) {
    static const struct {
        enum tally_counter counter;
        const char *code;
    } codes[] = {{TALLY_RESPONSES_1XX, "1xx"}, {TALLY_RESPONSES_2XX, "2xx"}, {TALLY_RESPONSES_3XX, "3xx"},
                 {TALLY_RESPONSES_4XX, "4xx"}, {TALLY_RESPONSES_5XX, "5xx"}, {TALLY_NO_RESPONSE, "none"}};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        put_labelled(series, "code", codes[i].code, traffic->totals.value[codes[i].counter]);
    }
}

static void put_refused(const struct series *series, const struct stats_traffic *traffic) {
    for (unsigned i = 0; i < SHAPER_REASONS; i++) {
        if (traffic->totals.refused[i] > 0) {
            put_labelled(series, "reason", shaper_reason_text((enum shaper_reason)i), traffic->totals.refused[i]);
        }
    }
}

static void put_delayed(const struct series *series, const struct stats_traffic *traffic) {
    put_sample(series, stats_sum_reasons(traffic->totals.delayed));
}

static void put_delay(const struct series *series, const struct stats_traffic *traffic) {
    fprintf(series->out, "weir_%s%s{%s=\"%s\"} %.15g\n", series->scope->prefix, series->name, series->scope->label,
            series->value, (double)traffic->totals.value[TALLY_DELAY_US] / 1e6);
}

static void put_connections(const struct series *series, const struct stats_traffic *traffic) {
    put_sample(series, traffic->connections);
}

static void put_connections_most(const struct series *series, const struct stats_traffic *traffic) {
    put_sample(series, traffic->connections_most);
}

static const struct {
    struct metric metric;
    traffic_samples *samples;
} traffic_metrics[] = {
    {{"bytes_total", "counter", "Bytes of HTTP to (out) and from (in) clients, head and body"}, put_bytes},
    {{"requests_total", "counter", "Requests that have ended, by class of status; none: the client had gone"},
     put_requests},
    {{"refused_total", "counter", "Requests refused or redirected, by reason"}, put_refused},
    {{"delayed_total", "counter", "Requests that waited for their turn"}, put_delayed},
    {{"delay_seconds_total", "counter", "Time that requests waited for their turn"}, put_delay},
    {{"connections", "gauge", "Requests being served now"}, put_connections},
    {{"connections_most", "gauge", "Most requests being served at a time since the start"}, put_connections_most},
};

/* `first` is the traffic of the first item; `stride` the size of an item. */
static void put_traffic(const struct metrics *metrics, const struct scope *scope, const struct stats_traffic *first,
                        size_t stride, size_t count, const char *const *labels) {
    for (size_t m = 0; m < sizeof traffic_metrics / sizeof traffic_metrics[0]; m++) {
        const struct metric *metric = &traffic_metrics[m].metric;
        metrics_begin(metrics, scope->prefix, metric);
        for (size_t i = 0; i < count; i++) {
            const struct series series = {scope, metric->name, labels[i], metrics->out};
            const void *item = (const char *)first + i * stride;
            traffic_metrics[m].samples(&series, item);
        }
    }
}

/* ---- limits ---- */

/* An owner's limits and the start of its labels: scope="host",name="…". */
struct owner {
    const char *scope, *label;
    const struct stats_limits *limits;
};

typedef void limit_samples(const struct metrics *metrics, const struct metric *metric, const struct owner *owner);

static void put_limit(const struct metrics *metrics, const struct metric *metric, const struct owner *owner,
                      uint64_t value) {
    fprintf(metrics->out, "weir_%s{scope=\"%s\",name=\"%s\"} %" PRIu64 "\n", metric->name, owner->scope, owner->label,
            value);
}

/* One value of each quota. */
static void put_quota(const struct metrics *metrics, const struct metric *metric, const struct owner *owner,
                      uint64_t (*value)(const struct stats_quota *)) {
    for (size_t i = 0; i < owner->limits->class_quota_count + 1; i++) {
        const struct stats_quota *quota = i == 0 ? &owner->limits->quota : &owner->limits->class_quotas[i - 1];
        fprintf(metrics->out, "weir_%s{scope=\"%s\",name=\"%s\",class=\"%s\"} %" PRIu64 "\n", metric->name,
                owner->scope, owner->label, metrics->quota_class_labels[i], value(quota));
    }
}

static uint64_t limit_bytes(const struct stats_quota *quota) {
    return quota->limit_bytes;
}
static uint64_t allowed_bytes(const struct stats_quota *quota) {
    return quota->allowed_bytes;
}
static uint64_t used_bytes(const struct stats_quota *quota) {
    return quota->used_bytes;
}
static uint64_t is_exceeded(const struct stats_quota *quota) {
    return quota->is_exceeded;
}

static void put_quota_limit(const struct metrics *metrics, const struct metric *metric, const struct owner *owner) {
    put_quota(metrics, metric, owner, limit_bytes);
}
static void put_quota_allowed(const struct metrics *metrics, const struct metric *metric, const struct owner *owner) {
    put_quota(metrics, metric, owner, allowed_bytes);
}
static void put_quota_used(const struct metrics *metrics, const struct metric *metric, const struct owner *owner) {
    put_quota(metrics, metric, owner, used_bytes);
}
static void put_quota_exceeded(const struct metrics *metrics, const struct metric *metric, const struct owner *owner) {
    put_quota(metrics, metric, owner, is_exceeded);
}
static void put_period_end(const struct metrics *metrics, const struct metric *metric, const struct owner *owner) {
    if (owner->limits->period != PERIOD_NONE && owner->limits->period_end_s > 0) {
        put_limit(metrics, metric, owner, (uint64_t)owner->limits->period_end_s);
    }
}
static void put_speed(const struct metrics *metrics, const struct metric *metric, const struct owner *owner) {
    put_limit(metrics, metric, owner, owner->limits->speed_in_force.bits_per_s / 8);
}
static void put_rate(const struct metrics *metrics, const struct metric *metric, const struct owner *owner) {
    put_limit(metrics, metric, owner, owner->limits->speed_in_force.requests_per_s);
}
static void put_connection_limit(const struct metrics *metrics, const struct metric *metric,
                                 const struct owner *owner) {
    put_limit(metrics, metric, owner, owner->limits->speed_in_force.connections);
}

static const struct {
    struct metric metric;
    limit_samples *samples;
} limit_metrics[] = {
    {{"quota_limit_bytes", "gauge", "Quota of a period, in total (class empty) or of a class; 0: none"},
     put_quota_limit},
    {{"quota_allowed_bytes", "gauge", "What the slices of the period so far allow; 0: there is no quota"},
     put_quota_allowed},
    {{"quota_used_bytes", "gauge", "Bytes used in the present period"}, put_quota_used},
    {{"quota_exceeded", "gauge", "1: more is used than allowed"}, put_quota_exceeded},
    {{"quota_period_end_timestamp_seconds", "gauge", "When the present period ends, seconds since the epoch"},
     put_period_end},
    {{"speed_limit_bytes_per_second", "gauge", "Speed limit in force; 0: none"}, put_speed},
    {{"request_limit_per_second", "gauge", "Limit of requests a second in force; 0: none"}, put_rate},
    {{"connection_limit", "gauge", "Limit of requests being served at a time in force; 0: none"}, put_connection_limit},
};

static void put_limits(const struct metrics *metrics) {
    const struct stats_snapshot *snapshot = metrics->snapshot;
    for (size_t m = 0; m < sizeof limit_metrics / sizeof limit_metrics[0]; m++) {
        const struct metric *metric = &limit_metrics[m].metric;
        metrics_begin(metrics, "", metric);
        for (size_t i = 0; i < snapshot->host_count; i++) {
            const struct owner owner = {"host", metrics->host_labels[i], &snapshot->hosts[i].limits};
            limit_metrics[m].samples(metrics, metric, &owner);
        }
        for (size_t i = 0; i < snapshot->user_count; i++) {
            const struct owner owner = {"user", metrics->user_labels[i], &snapshot->users[i].limits};
            limit_metrics[m].samples(metrics, metric, &owner);
        }
    }
}

void metrics_owners(const struct metrics *metrics) {
    static const struct scope host = {"host_", "host"}, user = {"user_", "user"}, class = {"class_", "class"};
    const struct stats_snapshot *snapshot = metrics->snapshot;
    if (snapshot->host_count > 0) {
        put_traffic(metrics, &host, &snapshot->hosts[0].traffic, sizeof snapshot->hosts[0], snapshot->host_count,
                    metrics->host_labels);
    }
    if (snapshot->user_count > 0) {
        put_traffic(metrics, &user, &snapshot->users[0].traffic, sizeof snapshot->users[0], snapshot->user_count,
                    metrics->user_labels);
    }
    if (snapshot->class_count > 0) {
        put_traffic(metrics, &class, &snapshot->classes[0].traffic, sizeof snapshot->classes[0], snapshot->class_count,
                    metrics->class_labels);
    }
    put_limits(metrics);
}
