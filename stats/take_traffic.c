/* Hosts, users and classes as a snapshot shows them. Housekeeping thread. */
#include <stdlib.h>
#include <string.h>

#include "shaper/binding.h"
#include "shaper/records.h"
#include "stats/take_parts.h"

/* ---- what they have in common ---- */

static const struct ledger_minute *last_hour(struct arena *arena, const struct process_survey *survey,
                                             enum ledger_kind kind, size_t id) {
    struct ledger_minute minutes[LEDGER_MINUTES];
    ledger_last_hour(survey->ledger, kind, id, minutes);
    for (size_t i = 0; i < LEDGER_MINUTES; i++) {
        if (minutes[i].bytes_out > 0 || minutes[i].requests > 0) {
            return memcpy(arena_alloc(arena, sizeof minutes), minutes, sizeof minutes);
        }
    }
    return NULL;
}

static void take_traffic(struct arena *arena, const struct process_survey *survey, enum ledger_kind kind, size_t id,
                         const struct tally_set *tallies, const struct in_flight *in_flight,
                         struct stats_traffic *traffic) {
    tally_sum(&traffic->totals, tallies);
    traffic->rates = ledger_rates_of(survey->ledger, kind, id);
    traffic->last_hour = last_hour(arena, survey, kind, id);
    traffic->connections = in_flight_now(in_flight);
    traffic->connections_most = in_flight_most(in_flight);
}

static void take_record(struct arena *arena, const struct process_survey *survey, enum ledger_kind kind,
                        const struct traffic_record *record, struct stats_traffic *traffic) {
    take_traffic(arena, survey, kind, record->id, record->tallies, &record->scope.in_flight, traffic);
    traffic->name = arena_strdup(arena, record->name);
}

/* ---- limits and quotas ---- */

static void take_quota(struct quota *quota, size_t class_id, int64_t now_s, struct quota_view *view,
                       struct stats_quota *taken) {
    quota_look(quota, class_id, now_s, view);
    taken->limit_bytes = view->limit_bytes;
    taken->allowed_bytes = view->allowed_bytes;
    taken->used_bytes = view->used_bytes;
    taken->is_exceeded = view->is_exceeded;
}

static bool class_limit_in_kib(const struct traffic_limits *traffic, const struct client_class *class) {
    for (size_t i = 0; i < traffic->class_quota_count; i++) {
        if (traffic->class_quotas[i].class == class) {
            return traffic->class_quotas[i].limit_in_kib;
        }
    }
    return false;
}

static void take_class_quotas(struct arena *arena, const struct process_survey *survey,
                              const struct traffic_limits *traffic, struct quota *quota, struct stats_limits *limits) {
    const struct config *config = survey->config;
    struct stats_quota *quotas = arena_alloc(arena, config->class_count * sizeof *quotas + 1);
    for (size_t i = 0; i < config->class_count; i++) {
        struct quota_view view;
        take_quota(quota, survey->binding->class_ids[i], survey->now_wall_s, &view, &quotas[i]);
        quotas[i].class_name = arena_strdup(arena, config->classes[i].name);
        quotas[i].in_kib = class_limit_in_kib(traffic, &config->classes[i]);
    }
    limits->class_quotas = quotas;
    limits->class_quota_count = config->class_count;
}

/* What comes of an exceeded quota: as in shaper/admit.c. */
static enum stats_exceeded outcome(const struct traffic_limits *traffic, const struct server_limits *server) {
    if (traffic->exceeded_url != NULL) {
        return STATS_REDIRECTED;
    }
    if (speed_limit_is_set(&traffic->exceeded_speed)) {
        return STATS_SLOWED;
    }
    return server->default_exceeded_url != NULL ? STATS_REDIRECTED : STATS_REFUSED;
}

static const char *copy_or_none(struct arena *arena, const char *text) {
    return text != NULL ? arena_strdup(arena, text) : NULL;
}

static void take_limits(struct arena *arena, const struct process_survey *survey, const struct traffic_limits *traffic,
                        struct traffic_record *record, struct stats_limits *limits) {
    struct quota_view view;
    take_quota(&record->quota, QUOTA_IN_TOTAL, survey->now_wall_s, &view, &limits->quota);
    limits->quota.in_kib = traffic->limit_in_kib;
    take_class_quotas(arena, survey, traffic, &record->quota, limits);
    limits->period = traffic->period;
    limits->period_s = traffic->period_s;
    limits->slice_s = traffic->slice_s;
    limits->period_begin_s = view.begin_s;
    limits->period_end_s = view.end_s;
    limits->exceeded = limits->quota.is_exceeded ? outcome(traffic, &survey->config->server.limits) : STATS_WITHIN;
    limits->speed = traffic->speed;
    limits->exceeded_speed = traffic->exceeded_speed;
    limits->speed_in_force = limits->exceeded == STATS_SLOWED ? traffic->exceeded_speed : traffic->speed;
    limits->remote_speed = traffic->remote_speed;
    limits->exceeded_url = copy_or_none(arena, traffic->exceeded_url);
    limits->scoreboard = copy_or_none(arena, traffic->scoreboard);
}

/* ---- the lists ---- */

void take_hosts(struct stats_snapshot *snapshot, const struct process_survey *survey) {
    struct arena *arena = &snapshot->arena;
    const struct config *config = survey->config;
    struct stats_host *hosts = arena_alloc(arena, config->host_count * sizeof *hosts);
    for (size_t i = 0; i < config->host_count; i++) {
        const struct virtual_host *host = config->hosts[i];
        const struct host_limits *limits = &host->limits;
        struct traffic_record *record = survey->binding->hosts[i].record;
        unsigned line = host->is_main ? 0 : host->place.line;
        take_record(arena, survey, LEDGER_HOST, record, &hosts[i].traffic);
        take_limits(arena, survey, &limits->traffic, record, &hosts[i].limits);
        hosts[i].user = limits->user != NULL ? arena_strdup(arena, limits->user->name) : NULL;
        hosts[i].key = arena_printf(arena, "%s:%u:%u", record->name, host->port, line);
        hosts[i].port = host->port;
        hosts[i].line = line;
        hosts[i].file = copy_or_none(arena, host->place.file);
        hosts[i].upload_bits_per_s = limits->upload_bits_per_s;
        hosts[i].remote_limit_bytes = limits->remote_limit_bytes;
        hosts[i].dry_run = limits->dry_run;
        hosts[i].is_main = host->is_main;
    }
    snapshot->hosts = hosts;
    snapshot->host_count = config->host_count;
}

/* One pass over the hosts, because there may be as many users as hosts. */
static void take_hosts_of_users(struct stats_snapshot *snapshot, const struct config *config,
                                struct stats_user *users) {
    const char ***names = must_calloc(config->user_count, sizeof *names);
    for (size_t i = 0; i < config->host_count; i++) {
        const struct user_limits *owner = config->hosts[i]->limits.user;
        if (owner != NULL) {
            users[owner->index].host_count++;
        }
    }
    for (size_t i = 0; i < config->user_count; i++) {
        names[i] = arena_alloc(&snapshot->arena, users[i].host_count * sizeof(char *) + 1);
        users[i].hosts = names[i];
    }
    for (size_t i = 0; i < config->host_count; i++) {
        const struct user_limits *owner = config->hosts[i]->limits.user;
        if (owner != NULL) {
            *names[owner->index]++ = snapshot->hosts[i].traffic.name;
        }
    }
    free(names);
}

void take_users(struct stats_snapshot *snapshot, const struct process_survey *survey) {
    struct arena *arena = &snapshot->arena;
    const struct config *config = survey->config;
    struct stats_user *users = arena_alloc(arena, config->user_count * sizeof *users + 1);
    for (size_t i = 0; i < config->user_count; i++) {
        struct traffic_record *record = survey->binding->user_records[i];
        take_record(arena, survey, LEDGER_USER, record, &users[i].traffic);
        take_limits(arena, survey, &config->users[i].traffic, record, &users[i].limits);
    }
    take_hosts_of_users(snapshot, config, users);
    snapshot->users = users;
    snapshot->user_count = config->user_count;
}

void take_classes(struct stats_snapshot *snapshot, const struct process_survey *survey) {
    struct arena *arena = &snapshot->arena;
    const struct config *config = survey->config;
    struct stats_class *classes = arena_alloc(arena, config->class_count * sizeof *classes + 1);
    for (size_t i = 0; i < config->class_count; i++) {
        const struct client_class *class = &config->classes[i];
        const struct class_record *record = survey->binding->class_records[i];
        take_traffic(arena, survey, LEDGER_CLASS, survey->binding->class_ids[i], record->tallies, &record->in_flight,
                     &classes[i].traffic);
        classes[i].traffic.name = arena_strdup(arena, class->name);
        const char **prefixes = arena_alloc(arena, class->prefix_count * sizeof *prefixes + 1);
        for (size_t j = 0; j < class->prefix_count; j++) {
            char text[IP_TEXT_MAX + 4];
            ip_prefix_print(&class->prefixes[j], text);
            prefixes[j] = arena_strdup(arena, text);
        }
        classes[i].prefixes = prefixes;
        classes[i].prefix_count = class->prefix_count;
    }
    snapshot->classes = classes;
    snapshot->class_count = config->class_count;
}

/* ---- all hosts together ---- */

static void add_totals(struct tally_totals *sum, const struct tally_totals *more) {
    for (size_t i = 0; i < TALLY_COUNT; i++) {
        sum->value[i] += more->value[i];
    }
    for (size_t i = 0; i < SHAPER_REASONS; i++) {
        sum->refused[i] += more->refused[i];
        sum->delayed[i] += more->delayed[i];
    }
}

static void add_rates(struct ledger_rates *sum, const struct ledger_rates *more) {
    sum->bytes_per_s_1 += more->bytes_per_s_1;
    sum->bytes_per_s_10 += more->bytes_per_s_10;
    sum->bytes_per_s_60 += more->bytes_per_s_60;
    sum->requests_per_s_1 += more->requests_per_s_1;
    sum->requests_per_s_10 += more->requests_per_s_10;
    sum->requests_per_s_60 += more->requests_per_s_60;
}

void take_server_traffic(struct stats_snapshot *snapshot) {
    struct stats_traffic *sum = &snapshot->server.traffic;
    struct ledger_minute *minutes = arena_alloc(&snapshot->arena, LEDGER_MINUTES * sizeof *minutes);
    sum->name = "server";
    sum->last_hour = minutes;
    for (size_t i = 0; i < snapshot->host_count; i++) {
        const struct stats_traffic *host = &snapshot->hosts[i].traffic;
        add_totals(&sum->totals, &host->totals);
        add_rates(&sum->rates, &host->rates);
        sum->connections += host->connections;
        for (size_t j = 0; host->last_hour != NULL && j < LEDGER_MINUTES; j++) {
            minutes[j].bytes_out += host->last_hour[j].bytes_out;
            minutes[j].requests += host->last_hour[j].requests;
        }
    }
}
