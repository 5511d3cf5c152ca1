/* The tree's sections: the server, and the lists. Called by the XML and the JSON renderer.
 * Always true: every section is there, be it empty. */
#include "stats/tree.h"

static void put_reload(const struct tree *tree, const struct stats_reload *reload) {
    if (reload->at_s == 0) {
        tree->operations->none(tree->writer, "last_reload");
        return;
    }
    tree_begin(tree, "last_reload");
    tree_flag(tree, "ok", reload->ok);
    tree_time(tree, "at", reload->at_s);
    tree_text(tree, "text", reload->text);
    tree_end(tree);
}

static void put_counters(const struct tree *tree, const struct stats_server *server) {
    tree_begin(tree, "counters");
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        tree_entry(tree, "counter", counter_rows[i].name, server->counters.value[i]);
    }
    for (size_t i = 0; i < server->gauge_count; i++) {
        tree->operations->begin_entry(tree->writer, "counter", server->gauges[i].name);
        tree_decimal(tree, "value", server->gauges[i].value);
        tree_end(tree);
    }
    tree_end(tree);
}

static void put_blocks_total(const struct tree *tree, const struct stats_server *server) {
    tree_begin(tree, "blocks_total");
    for (size_t i = 0; i < sizeof server->blocks_total / sizeof server->blocks_total[0]; i++) {
        if (server->block_reasons[i] != NULL) {
            tree_entry(tree, "reason", server->block_reasons[i], server->blocks_total[i]);
        }
    }
    tree_end(tree);
}

static void put_server(const struct tree *tree, const struct stats_server *server, bool is_narrow) {
    tree_begin(tree, "Server");
    tree_number(tree, "uptime", server->uptime_s > 0 ? (uint64_t)server->uptime_s : 0);
    tree_time(tree, "now", server->now_s);
    tree_text(tree, "version", server->version);
    if (!is_narrow) {
        tree_text(tree, "libraries", server->libraries);
        tree_time(tree, "started", server->started_s);
        tree_number(tree, "pid", server->pid);
        tree_number(tree, "workers", server->workers);
        tree_number(tree, "generation", server->generation);
        tree_text(tree, "state_file", server->state_file);
        put_reload(tree, &server->last_reload);
        tree_number(tree, "clients_known", server->clients_known);
        tree_traffic(tree, &server->traffic, false);
        put_counters(tree, server);
        put_blocks_total(tree, server);
    }
    tree_end(tree);
}

static void put_client(const struct tree *tree, const struct stats_client *client) {
    tree_begin(tree, "client");
    tree_text(tree, "address", client->address);
    tree_text(tree, "virtualhost", client->host);
    tree_number(tree, "bytes_out", client->bytes_out);
    tree_number(tree, "requests", client->requests);
    tree_number(tree, "refused", client->refused);
    tree_number(tree, "delayed", client->delayed);
    tree_number(tree, "quota_used", client->used_bytes);
    tree_number(tree, "connections", client->connections);
    tree_number(tree, "connection_limit", client->connection_limit);
    tree_decimal(tree, "kbps", client->bytes_per_s * 8 / 1024);
    tree_decimal(tree, "rps", client->requests_per_s);
    tree_time(tree, "first_seen", client->first_seen_s);
    tree_time(tree, "last_seen", client->last_seen_s);
    tree_flag(tree, "blocked", client->is_blocked);
    tree_end(tree);
}

static void put_block(const struct tree *tree, const struct stats_block *block) {
    tree_begin(tree, "block");
    tree_text(tree, "address", block->address);
    tree_text(tree, "reason", block->reason);
    tree_text(tree, "virtualhost", block->host);
    tree_time(tree, "began", block->began_s);
    tree_time(tree, "until", block->until_s);
    tree_number(tree, "seconds_left", block->until_s > tree->now_s ? (uint64_t)(block->until_s - tree->now_s) : 0);
    tree_number(tree, "refused", block->refused);
    tree_flag(tree, "log_only", block->log_only);
    tree_end(tree);
}

static void put_first_byte(const struct tree *tree, const struct stats_upstream *upstream) {
    uint64_t count = 0;
    tree_begin(tree, "first_byte");
    tree_begin_list(tree, "buckets", "buckets");
    for (size_t i = 0; i < STATS_LATENCY_BUCKETS; i++) {
        count += upstream->first_byte[i];
        tree_begin(tree, "bucket");
        if (i + 1 < STATS_LATENCY_BUCKETS) {
            tree_decimal(tree, "at_most", stats_latency_bounds_s[i]);
        } else {
            tree->operations->none(tree->writer, "at_most");
        }
        tree_number(tree, "count", upstream->first_byte[i]);
        tree_end(tree);
    }
    tree_end(tree);
    tree_number(tree, "count", count);
    tree_decimal(tree, "sum", upstream->first_byte_sum_s);
    tree_end(tree);
}

static void put_upstream(const struct tree *tree, const struct stats_upstream *upstream) {
    tree_begin(tree, "upstream");
    tree_text(tree, "name", upstream->name);
    tree_text(tree, "balancer", upstream->balancer);
    tree_flag(tree, "usable", upstream->is_usable);
    tree_number(tree, "in_flight", upstream->in_flight);
    tree_number(tree, "connections", upstream->connections);
    tree_number(tree, "requests", upstream->requests);
    tree_number(tree, "failures", upstream->failures);
    put_first_byte(tree, upstream);
    tree_end(tree);
}

/* A section: a list of the snapshot, each item by the function. */
#define PUT_SECTION(name, json_name, put, items, count)                                                                \
    do {                                                                                                               \
        tree_begin_list(tree, name, json_name);                                                                        \
        for (size_t i = 0; i < (count); i++) {                                                                         \
            put(tree, &(items)[i]);                                                                                    \
        }                                                                                                              \
        tree_end(tree);                                                                                                \
    } while (0)

void tree_write(const struct tree *tree, const struct stats_snapshot *snapshot, const struct stats_view *view) {
    put_server(tree, &snapshot->server, stats_view_is_narrow(view));
    PUT_SECTION("Virtualhosts", "hosts", tree_host, snapshot->hosts, snapshot->host_count);
    PUT_SECTION("Users", "users", tree_user, snapshot->users, snapshot->user_count);
    PUT_SECTION("Classes", "classes", tree_class, snapshot->classes, snapshot->class_count);
    PUT_SECTION("Clients", "clients", put_client, snapshot->clients, snapshot->client_count);
    PUT_SECTION("Blocks", "blocks", put_block, snapshot->blocks, snapshot->block_count);
    PUT_SECTION("Upstreams", "upstreams", put_upstream, snapshot->upstreams, snapshot->upstream_count);
}
