/* A snapshot to look at and to test with: a hosting server in the middle of its day. All of it is constant, so that a
 * picture of it is the same tomorrow. */
#ifndef WEIR_TESTS_PAGE_SAMPLE_H
#define WEIR_TESTS_PAGE_SAMPLE_H

#include <math.h>
#include <stdlib.h>

#include "stats/snapshot.h"

#define SAMPLE_NOW_S INT64_C(1791209531)
#define SAMPLE_GB UINT64_C(1000000000)
#define SAMPLE_GIB (UINT64_C(1) << 30)

/* A curve of an hour that is different for every seed: a slow wave, a quicker one, and a burst. */
static inline void sample_traffic(struct arena *arena, struct stats_traffic *traffic, const char *name,
                                  double bytes_per_s, unsigned seed) {
    struct ledger_minute *hour = arena_alloc(arena, LEDGER_MINUTES * sizeof *hour);
    for (unsigned i = 0; i < LEDGER_MINUTES; i++) {
        double at = (double)i, shift = (double)(seed % 97);
        double wave =
            0.6 + 0.25 * sin(at / 9 + shift) + 0.12 * sin(at / 2.3 + shift * 2) + 0.05 * sin(at * 1.7 + shift);
        double burst = (i + seed * 7) % 41 < 3 ? 0.6 : 0;
        hour[i].bytes_out = (uint64_t)((wave + burst) * bytes_per_s * 60);
        hour[i].requests = (uint64_t)((wave + burst * 2) * bytes_per_s / 18000 * 60);
    }
    traffic->name = name;
    traffic->last_hour = hour;
    traffic->rates.bytes_per_s_10 = bytes_per_s;
    traffic->rates.bytes_per_s_60 = bytes_per_s * 0.9;
    traffic->rates.requests_per_s_10 = bytes_per_s / 18000;
    traffic->rates.requests_per_s_60 = bytes_per_s / 19000;
    traffic->connections = (unsigned)(bytes_per_s / 60000);
    traffic->totals.value[TALLY_BYTES_OUT] = (uint64_t)(bytes_per_s * 86400 * 9);
    traffic->totals.value[TALLY_BYTES_IN] = (uint64_t)(bytes_per_s * 86400 / 3);
    traffic->totals.value[TALLY_REQUESTS] = (uint64_t)(bytes_per_s * 41);
}

struct sample_owner {
    const char *name, *user;
    double bytes_per_s;
    uint64_t limit, allowed, used, kbps;
    uint32_t rps, connections;
    bool in_kib;
    enum stats_exceeded exceeded;
    uint64_t lan_limit, lan_used, bots_limit, bots_used;
    int64_t ends_in_s;
};

static inline void sample_limits(struct arena *arena, struct stats_limits *limits, const struct sample_owner *of) {
    struct stats_quota *classes = arena_alloc(arena, 3 * sizeof *classes);
    classes[0] = (struct stats_quota){"lan", of->lan_limit, 0, of->lan_used, false, of->in_kib};
    classes[1] =
        (struct stats_quota){"bots", of->bots_limit, 0, of->bots_used, of->bots_used > of->bots_limit, of->in_kib};
    classes[2] = (struct stats_quota){"partners", 0, 0, of->used / 9, false, of->in_kib};
    limits->quota =
        (struct stats_quota){NULL, of->limit, of->allowed, of->used, of->exceeded != STATS_WITHIN, of->in_kib};
    limits->class_quotas = classes;
    limits->class_quota_count = 3;
    limits->period = of->ends_in_s != 0 ? PERIOD_CALENDAR_MONTH : PERIOD_NONE;
    limits->period_end_s = of->ends_in_s != 0 ? SAMPLE_NOW_S + of->ends_in_s : 0;
    limits->exceeded = of->exceeded;
    limits->speed_in_force = (struct speed_limit){of->kbps * 1024, of->rps, of->connections};
}

static const struct sample_owner sample_hosts[] = {
    {"shop.example.net", "acme", 1450000, 300 * SAMPLE_GIB, 0, 118 * SAMPLE_GIB, 20480, 250, 200, true, STATS_WITHIN, 0,
     11 * SAMPLE_GIB, 20 * SAMPLE_GIB, 13 * SAMPLE_GIB, 2246911},
    {"media.example.net", "acme", 64000, 500 * SAMPLE_GIB, 250 * SAMPLE_GIB, 251 * SAMPLE_GIB, 512, 5, 50, true,
     STATS_SLOWED, 0, 0, 50 * SAMPLE_GIB, 48 * SAMPLE_GIB, 2246911},
    {"blog.example.org", "river", 212000, 40 * SAMPLE_GB, 20 * SAMPLE_GB, 17 * SAMPLE_GB + 420000000, 4096, 20, 40,
     false, STATS_WITHIN, 0, 0, 2 * SAMPLE_GB, 310000000, 432410},
    {"forum.example.org", "river", 0, 25 * SAMPLE_GB, 0, 25 * SAMPLE_GB + 3000000, 4096, 20, 40, false, STATS_REFUSED,
     0, 0, 1 * SAMPLE_GB, 1004000000, 432410},
    {"files.example.org", "river", 903000, 100 * SAMPLE_GB, 75 * SAMPLE_GB, 69 * SAMPLE_GB, 8192, 0, 30, false,
     STATS_WITHIN, 200 * SAMPLE_GB, 87 * SAMPLE_GB, 10 * SAMPLE_GB, 0, 52011},
    {"api.example.com", NULL, 388000, 0, 0, 212 * SAMPLE_GB, 0, 400, 0, false, STATS_WITHIN, 0, 0, 0, 0, 0},
    {"static.example.com", NULL, 2310000, 2000 * SAMPLE_GB, 0, 1460 * SAMPLE_GB, 51200, 0, 400, false, STATS_WITHIN, 0,
     0, 0, 0, 2246911},
    {"old.example.com", NULL, 1200, 5 * SAMPLE_GB, 0, 412000000, 256, 5, 10, false, STATS_WITHIN, 0, 0, 0, 0, 3702},
};
enum { SAMPLE_STORY = sizeof sample_hosts / sizeof sample_hosts[0] };

static inline void sample_hosts_fill(struct stats_snapshot *snapshot, size_t count) {
    struct arena *arena = &snapshot->arena;
    struct stats_host *hosts = arena_alloc(arena, (count + 1) * sizeof *hosts);
    for (size_t i = 0; i < count; i++) {
        struct sample_owner of = sample_hosts[i % SAMPLE_STORY];
        if (i >= SAMPLE_STORY) {
            of.name = arena_printf(arena, "www%zu.example.net", i);
            of.user = arena_printf(arena, "customer%zu", i / 3);
            of.used = of.used * (i % 89) / 89;
            of.bytes_per_s /= (double)(i % 13 + 1);
            of.exceeded = STATS_WITHIN;
        }
        sample_traffic(arena, &hosts[i].traffic, of.name, of.bytes_per_s, (unsigned)i);
        sample_limits(arena, &hosts[i].limits, &of);
        hosts[i].user = of.user;
        hosts[i].port = i % SAMPLE_STORY == 0 ? 443 : 0;
        hosts[i].line = 40 + 22 * (unsigned)i;
        hosts[i].key = arena_printf(arena, "%s:%u:%u", of.name, hosts[i].port, hosts[i].line);
        hosts[i].dry_run = i == 7;
        hosts[i].traffic.totals.refused[SHAPER_REASON_HOST_QUOTA] = of.exceeded == STATS_REFUSED ? 18230 : 0;
        hosts[i].traffic.totals.refused[SHAPER_REASON_CLIENT_CONNECTIONS] = i % 3 * 41;
        hosts[i].traffic.totals.delayed[SHAPER_REASON_HOST_RATE] = i % 2 * 1207;
    }
    snapshot->hosts = hosts;
    snapshot->host_count = count;
}

static inline void sample_users_fill(struct stats_snapshot *snapshot) {
    static const char *const names[] = {"shop.example.net", "media.example.net", "files.example.org"};
    static const struct sample_owner of[] = {
        {"acme", NULL, 1514000, 800 * SAMPLE_GIB, 0, 369 * SAMPLE_GIB, 40960, 0, 400, true, STATS_WITHIN, 0, 0, 0, 0,
         2246911},
        {"river", NULL, 1115000, 150 * SAMPLE_GB, 120 * SAMPLE_GB, 111 * SAMPLE_GB, 16384, 100, 100, false,
         STATS_WITHIN, 0, 0, 12 * SAMPLE_GB, 1314000000, 432410},
    };
    struct stats_user *users = arena_alloc(&snapshot->arena, 2 * sizeof *users);
    for (unsigned i = 0; i < 2; i++) {
        sample_traffic(&snapshot->arena, &users[i].traffic, of[i].name, of[i].bytes_per_s, 20 + i);
        sample_limits(&snapshot->arena, &users[i].limits, &of[i]);
        users[i].hosts = names;
        users[i].host_count = 2 + i;
    }
    snapshot->users = users;
    snapshot->user_count = 2;
}

static inline void sample_classes_fill(struct stats_snapshot *snapshot) {
    static const char *const lan[] = {"10.0.0.0/8", "fd00::/8"};
    static const char *const bots[] = {"66.249.64.0/19", "157.55.39.0/24", "207.46.13.0/24", "40.77.167.0/24"};
    static const char *const partners[] = {"198.51.100.0/24"};
    static const char *const names[] = {"lan", "bots", "partners"};
    static const char *const *const prefixes[] = {lan, bots, partners};
    static const size_t counts[] = {2, 4, 1};
    struct stats_class *classes = arena_alloc(&snapshot->arena, 3 * sizeof *classes);
    for (unsigned i = 0; i < 3; i++) {
        sample_traffic(&snapshot->arena, &classes[i].traffic, names[i], 410000 / (i + 1), 30 + i);
        classes[i].prefixes = prefixes[i];
        classes[i].prefix_count = counts[i];
    }
    snapshot->classes = classes;
    snapshot->class_count = 3;
}

static inline void sample_clients_fill(struct stats_snapshot *snapshot) {
    static const char *const hosts[] = {"static.example.com", "shop.example.net", "files.example.org",
                                        "blog.example.org"};
    enum { COUNT = 12 };
    struct stats_client *clients = arena_alloc(&snapshot->arena, COUNT * sizeof *clients);
    for (unsigned i = 0; i < COUNT; i++) {
        uint64_t requests = (i % 3 == 1 ? 91000U : 4100U) / (i + 1);
        clients[i] = (struct stats_client){
            .address = arena_printf(&snapshot->arena, i % 5 == 3 ? "2001:db8:%u::/64" : "203.0.113.%u", 17 * i + 9),
            .host = hosts[i % 4],
            .bytes_out = 48 * SAMPLE_GB / (i * i + 3),
            .requests = requests,
            .refused = i % 4 == 1 ? requests / 7 : 0,
            .delayed = i % 3 == 0 ? requests / 90 : 0,
            .connections = i % 4,
            .connection_limit = i % 2 == 0 ? 10 : 0,
            .bytes_per_s = i % 4 != 0 ? 310000.0 / (i + 1) : 0,
            .requests_per_s = i % 4 != 0 ? 17.0 / (i + 1) : 0,
            .first_seen_s = SAMPLE_NOW_S - 7000 - 400 * (int64_t)i,
            .last_seen_s = SAMPLE_NOW_S - (i % 4 == 0 ? 340 : 1) * (int64_t)i,
            .is_blocked = i == 1,
        };
    }
    snapshot->clients = clients;
    snapshot->client_count = COUNT;
    struct stats_block *blocks = arena_alloc(&snapshot->arena, 2 * sizeof *blocks);
    blocks[0] = (struct stats_block){"203.0.113.26", "page", "shop.example.net", SAMPLE_NOW_S - 131, SAMPLE_NOW_S + 469,
                                     12877,          false};
    blocks[1] =
        (struct stats_block){"192.0.2.0/24", "by-hand", NULL, SAMPLE_NOW_S - 7800, SAMPLE_NOW_S + 78600, 90, false};
    snapshot->blocks = blocks;
    snapshot->block_count = 2;
}

static inline void sample_origins_fill(struct stats_snapshot *snapshot) {
    enum { COUNT = 4 };
    static const double bell[STATS_LATENCY_BUCKETS] = {2, 30, 210, 480, 700, 420, 160, 60, 22, 9, 3, 1, 0, 0, 0, 0};
    struct stats_upstream *origins = arena_alloc(&snapshot->arena, COUNT * sizeof *origins);
    for (unsigned i = 0; i < COUNT; i++) {
        origins[i] = (struct stats_upstream){
            .name = arena_printf(&snapshot->arena, i == 3 ? "unix:/run/php/old.sock" : "http://10.0.0.%u:8080", 11 + i),
            .balancer = i < 3 ? "balancer://shop" : NULL,
            .is_usable = true,
            .in_flight = 9 / (i + 1),
            .connections = 8120 / (i + 1),
            .requests = 910231 / (i + 1),
            .failures = i * i * 3,
        };
        for (unsigned bucket = 0; bucket + i < STATS_LATENCY_BUCKETS; bucket++) {
            double middle = bucket > 0 ? stats_latency_bounds_s[bucket + i - 1] * 1.3 : 0.0005;
            origins[i].first_byte[bucket + i] = (uint64_t)(bell[bucket] * 400 / (i + 1));
            origins[i].first_byte_sum_s += (double)origins[i].first_byte[bucket + i] * middle;
        }
    }
    snapshot->upstreams = origins;
    snapshot->upstream_count = COUNT;
}

/* The first eight hosts are the story; the others are a crowd. The caller frees it. */
static inline struct stats_snapshot *page_sample(size_t hosts) {
    static const struct stats_gauge gauges[] = {
        {"memory_bytes", COUNTER_TYPE_GAUGE, "bytes", "Memory of the process", 48230400},
        {"client_records", COUNTER_TYPE_GAUGE, "", "Clients in the tables", 4102},
        {"loop_lag_seconds", COUNTER_TYPE_GAUGE, "seconds", "How late a worker's loop was at most in the last 10 s",
         0.0021},
        {"state_flushes_total", COUNTER_TYPE_COUNTER, "", "Writes of the state database", 78213},
    };
    struct stats_snapshot *snapshot = must_calloc(1, sizeof *snapshot);
    arena_init(&snapshot->arena, NULL, 0);
    struct stats_server *server = &snapshot->server;
    sample_traffic(&snapshot->arena, &server->traffic, "server", 5360000, 3);
    server->version = "0.1.0";
    server->libraries = "libev 4.33, OpenSSL 3.0.15, SQLite 3.40.1";
    server->state_file = "/var/lib/weir/state.db";
    server->now_s = SAMPLE_NOW_S;
    server->uptime_s = 9 * 86400 + 4 * 3600 + 731;
    server->started_s = SAMPLE_NOW_S - server->uptime_s;
    server->workers = 4;
    server->generation = 7;
    server->pid = 1841;
    server->last_reload = (struct stats_reload){true, SAMPLE_NOW_S - 9000, ""};
    server->clients_known = 4102;
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        server->counters.value[i] = counter_rows[i].type == COUNTER_TYPE_GAUGE ? 37 + i * 7 : 81234 * (i + 1);
    }
    server->gauges = gauges;
    server->gauge_count = sizeof gauges / sizeof gauges[0];
    sample_hosts_fill(snapshot, hosts);
    sample_users_fill(snapshot);
    sample_classes_fill(snapshot);
    sample_clients_fill(snapshot);
    sample_origins_fill(snapshot);
    return snapshot;
}

#endif
