/* Snapshots for tests of renderers: the reference's sample, a hostile one, a large one. All memory is the snapshot's.
 */
#ifndef WEIR_TESTS_UNIT_STATS_GIVEN_SNAPSHOT_H
#define WEIR_TESTS_UNIT_STATS_GIVEN_SNAPSHOT_H

#include <stdlib.h>
#include <string.h>

#include "stats/render.h"

#define GIVEN_NOW_S INT64_C(1790000000)

/* What names must not break: nothing, digits first, markup, quotes, control bytes, no UTF-8, UTF-8 of all lengths, what
 * is no character, a line feed, names of elements. */
static const char *const given_hostile_names[] = {"",
                                                  "163.example.net",
                                                  "-dash",
                                                  "a&<>\"'b]]>",
                                                  "back\\slash",
                                                  "bell\a\x01\x1f\x7f",
                                                  "line\nfeed\ttab\rreturn",
                                                  "latin-1 \xe9 alone",
                                                  "caf\xc3\xa9.example.net",
                                                  "\xe2\x82\xac",
                                                  "\xf0\x9f\x98\x80 smile",
                                                  "cut \xf0\x9f\x98",
                                                  "\xef\xbf\xbe\xef\xbf\xbf not characters",
                                                  "\xed\xa0\x80 surrogate",
                                                  "\xc0\xaf over-long",
                                                  "\xc2\x85 C1",
                                                  "[2001:db8::1]",
                                                  "total",
                                                  "xml",
                                                  "twice.example.net",
                                                  "twice.example.net",
                                                  "twice.example.net"};
enum { GIVEN_HOSTILE = sizeof given_hostile_names / sizeof given_hostile_names[0] };

static inline struct stats_snapshot *given_empty_snapshot(void) {
    struct stats_snapshot *snapshot = must_calloc(1, sizeof *snapshot);
    arena_init(&snapshot->arena, NULL, 0);
    snapshot->server.version = "0.1.0";
    snapshot->server.now_s = GIVEN_NOW_S;
    snapshot->server.started_s = GIVEN_NOW_S - 788645;
    snapshot->server.uptime_s = 788645; /* 1W 2D 03:04:05 */
    snapshot->server.traffic.name = "server";
    return snapshot;
}

/* Numbers that differ from each other, as far as one seed goes. */
static inline struct stats_traffic given_traffic(const char *name, uint64_t seed) {
    struct stats_traffic traffic = {.name = name,
                                    .connections = (unsigned)(seed % 50),
                                    .connections_most = (unsigned)(seed % 50 + 7),
                                    .rates = {.bytes_per_s_1 = (double)seed * 1.5,
                                              .bytes_per_s_10 = (double)seed * 1.25,
                                              .bytes_per_s_60 = (double)seed / 3,
                                              .requests_per_s_1 = 4,
                                              .requests_per_s_10 = 3.46,
                                              .requests_per_s_60 = 0.1}};
    for (unsigned i = 0; i < TALLY_COUNT; i++) {
        traffic.totals.value[i] = seed * 1000 + i;
    }
    traffic.totals.refused[SHAPER_REASON_HOST_RATE] = seed;
    traffic.totals.refused[SHAPER_REASON_BLOCKED] = 2;
    traffic.totals.delayed[SHAPER_REASON_CLIENT_RATE] = seed + 5;
    return traffic;
}

static inline const struct stats_quota *given_class_quotas(struct stats_snapshot *snapshot, size_t count,
                                                           const char *const *names) {
    struct stats_quota *quotas = arena_alloc(&snapshot->arena, (count + 1) * sizeof *quotas);
    for (size_t i = 0; i < count; i++) {
        quotas[i] = (struct stats_quota){
            .class_name = names[i], .limit_bytes = 20000001, .allowed_bytes = 10000000, .used_bytes = 7310999};
    }
    return quotas;
}

static inline struct stats_limits given_limits(const struct stats_quota *class_quotas, size_t count) {
    return (struct stats_limits){
        .quota = {.limit_bytes = 524288000, .allowed_bytes = 262144000, .used_bytes = 92485000, .in_kib = true},
        .class_quotas = class_quotas,
        .class_quota_count = count,
        .period = PERIOD_SECONDS,
        .period_s = 86400,
        .slice_s = 43200,
        .period_begin_s = GIVEN_NOW_S - 45447,
        .period_end_s = GIVEN_NOW_S + 40953, /* 0W 0D 11:22:33 */
        .exceeded = STATS_SLOWED,
        .speed = {.bits_per_s = 2048 * 1024, .requests_per_s = 12, .connections = 40},
        .speed_in_force = {.bits_per_s = 2048 * 1024, .requests_per_s = 12, .connections = 40},
        .exceeded_speed = {.bits_per_s = 1000},
        .remote_speed = {.bits_per_s = 65536, .connections = 3}};
}

static inline void given_server(struct stats_snapshot *snapshot) {
    static const struct stats_gauge gauges[] = {
#define GAUGE(NAME, name, type, unit, help) {#name, COUNTER_TYPE_##type, unit, help, sizeof unit == 8 ? 0.00025 : 17},
#include "stats/gauges.def"
#undef GAUGE
    };
    struct stats_server *server = &snapshot->server;
    server->libraries = "libev 4.33, OpenSSL 3.0";
    server->state_file = "/var/lib/weir/<state>.db";
    server->workers = 4;
    server->generation = 3;
    server->pid = 4711;
    server->last_reload = (struct stats_reload){false, GIVEN_NOW_S - 60, "weir.conf:3: \"&\" \xff is not understood"};
    server->traffic = given_traffic("server", 77);
    server->counters.value[COUNTER_BYTES_OUT] = UINT64_MAX;
    server->counters.value[COUNTER_TUNNELS] = 7;
    server->gauges = gauges;
    server->gauge_count = sizeof gauges / sizeof gauges[0];
    server->clients_known = 100000;
    server->blocks_total[1] = 5;
    server->block_reasons[1] = "page";
    server->block_reasons[2] = "blocklist-uri";
}

static inline void given_upstreams(struct stats_snapshot *snapshot) {
    static const struct stats_upstream upstreams[] = {{.name = "http://127.0.0.1:8080",
                                                       .is_usable = true,
                                                       .in_flight = 2,
                                                       .connections = 9,
                                                       .requests = 1000,
                                                       .failures = 3,
                                                       .first_byte = {5, 0, 7, [STATS_LATENCY_BUCKETS - 1] = 1},
                                                       .first_byte_sum_s = 61.125},
                                                      {.name = "http://127.0.0.1:8081", .balancer = "a \"lb\"\\"},
                                                      {.name = "http://127.0.0.1:8081", .balancer = "a \"lb\"\\"},
                                                      {.name = "http://127.0.0.1:8081"}};
    snapshot->upstreams = upstreams;
    snapshot->upstream_count = sizeof upstreams / sizeof upstreams[0];
}

/* Of the hosts in turn; without hosts, of none. */
static inline void given_clients(struct stats_snapshot *snapshot, size_t count) {
    struct arena *arena = &snapshot->arena;
    struct stats_client *client = arena_alloc(arena, (count + 1) * sizeof *client);
    for (size_t i = 0; i < count; i++) {
        const struct stats_host *host = snapshot->host_count > 0 ? &snapshot->hosts[i % snapshot->host_count] : NULL;
        client[i] =
            (struct stats_client){.address = arena_printf(arena, "10.%zu.%zu.%zu", i >> 16, i >> 8 & 255, i & 255),
                                  .host = host != NULL ? host->traffic.name : NULL,
                                  .host_key = host != NULL ? host->key : NULL,
                                  .bytes_out = i * 1000,
                                  .requests = i,
                                  .bytes_per_s = 1280,
                                  .requests_per_s = 0.5,
                                  .first_seen_s = GIVEN_NOW_S - 100,
                                  .last_seen_s = GIVEN_NOW_S};
    }
    snapshot->clients = client;
    snapshot->client_count = count;
}

/* `hosts` hosts, a tenth of them with users, `clients` clients, as many blocks as hostile names. The first names are
 * the hostile ones, the others plain. */
static inline struct stats_snapshot *given_snapshot(size_t hosts, size_t clients) {
    struct stats_snapshot *snapshot = given_empty_snapshot();
    struct arena *arena = &snapshot->arena;
    given_server(snapshot);
    given_upstreams(snapshot);
    const struct stats_quota *quotas = given_class_quotas(snapshot, GIVEN_HOSTILE - 2, given_hostile_names);

    struct stats_host *host = arena_alloc(arena, (hosts + 1) * sizeof *host);
    for (size_t i = 0; i < hosts; i++) {
        const char *name = i < GIVEN_HOSTILE ? given_hostile_names[i] : arena_printf(arena, "host%zu.example.net", i);
        host[i].traffic = given_traffic(name, i + 1);
        host[i].limits = given_limits(quotas, hosts > 1000 ? 2 : GIVEN_HOSTILE - 2);
        host[i].limits.exceeded_url = i % 2 == 0 ? "http://www.example.net/over?a=1&b=<2>" : NULL;
        host[i].key = arena_printf(arena, "%s:0:%zu", name, i == GIVEN_HOSTILE - 1 ? i - 1 : i); /* two with one key */
        host[i].line = (unsigned)i;
        host[i].file = "/etc/weir/sites.conf";
        host[i].user = i % 10 == 1 ? given_hostile_names[i % GIVEN_HOSTILE] : NULL;
    }
    snapshot->hosts = host;
    snapshot->host_count = hosts;

    struct stats_user *user = arena_alloc(arena, GIVEN_HOSTILE * sizeof *user);
    struct stats_class *class = arena_alloc(arena, GIVEN_HOSTILE * sizeof *class);
    struct stats_block *block = arena_alloc(arena, GIVEN_HOSTILE * sizeof *block);
    for (size_t i = 0; i < GIVEN_HOSTILE - 2; i++) {
        user[i].traffic = given_traffic(given_hostile_names[i], i + 1000);
        user[i].limits = given_limits(quotas, GIVEN_HOSTILE - 2);
        user[i].hosts = given_hostile_names;
        user[i].host_count = i;
        class[i].traffic = given_traffic(given_hostile_names[i], i + 2000);
        class[i].prefixes = given_hostile_names;
        class[i].prefix_count = i;
        block[i] = (struct stats_block){.address = "2001:db8::/64",
                                        .reason = "page",
                                        .host = i > 0 ? given_hostile_names[i] : NULL,
                                        .began_s = GIVEN_NOW_S - 5,
                                        .until_s = GIVEN_NOW_S + 5,
                                        .refused = i};
    }
    snapshot->users = user;
    snapshot->classes = class;
    snapshot->blocks = block;
    snapshot->user_count = snapshot->class_count = snapshot->block_count = GIVEN_HOSTILE - 2;

    given_clients(snapshot, clients);
    return snapshot;
}

/* The document as text, to be freed. */
static inline char *given_document(enum stats_document document, const struct stats_snapshot *snapshot,
                                   const struct stats_view *view) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    stats_render(document, snapshot, view != NULL ? view : &(struct stats_view){.path = NULL}, out);
    fclose(out);
    return text;
}

#endif
