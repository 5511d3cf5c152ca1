/* What becomes of a new connection: whitelist, block, connection rate, connections at a time. Called by workers when a
 * connection was accepted, or when its PROXY header is read, and when it is closed.
 *
 * Always true: a client is held as long as a connection of it is counted, so the pointer that the connection keeps
 * stays good, whatever is forgotten or reloaded meanwhile. */
#include <assert.h>

#include "shaper/burst_table.h"

static const int64_t second_ns = 1000000000;

/* All new connections count, refused ones too: who keeps trying stays out until it tries more slowly. */
static bool is_too_fast(struct burst_guard *guard, struct burst_shard *shard, struct burst_client *client,
                        const struct burst_rule *rule, struct shaper_time now, uint64_t *count) {
    if (rule->count == 0) {
        return false;
    }
    struct burst_window_key key = {
        .client_hash = client->hash, .kind = BURST_WINDOW_CONNECTIONS, .rule = {0, rule->interval_s}};
    struct sliding_window *window = burst_window_get(guard, shard, client, key);
    if (window == NULL) {
        return false;
    }
    *count = sliding_window_add(window, now.mono_ns);
    return *count > rule->count;
}

/* One line a second about a client; what is left out is told with the next one, or by the sweep. */
static void ask_for_line(struct burst_shard *shard, struct burst_client *client, struct shaper_time now,
                         struct burst_verdict *verdict) {
    if (client->last_line_ns == INT64_MIN || now.mono_ns - client->last_line_ns >= second_ns) {
        verdict->may_log = true;
        verdict->lines_left_out = client->lines_left_out;
        client->last_line_ns = now.mono_ns;
        client->lines_left_out = 0;
        return;
    }
    client->lines_left_out++;
    client->left_out_reason = (uint8_t)verdict->reason;
    if (!client->is_quiet) {
        client->is_quiet = true;
        client->quiet_next = shard->quiet;
        shard->quiet = client;
    }
}

static bool is_over_limits(struct burst_guard *guard, struct burst_shard *shard, struct burst_client *client,
                           const struct burst_limits *limits, struct shaper_time now, struct burst_verdict *verdict) {
    uint64_t count = 0;
    if (is_too_fast(guard, shard, client, &limits->connections, now, &count)) {
        verdict->reason = BURST_REASON_CONNECTION_RATE;
    } else if (limits->concurrent > 0 && client->connections >= limits->concurrent) {
        verdict->reason = BURST_REASON_CONCURRENCY;
        count = (uint64_t)client->connections + 1;
    } else {
        return false;
    }
    verdict->count = count;
    verdict->log_only = limits->log_only;
    shard->refused_total[verdict->reason]++;
    ask_for_line(shard, client, now, verdict);
    return true;
}

static bool decide(struct burst_guard *guard, struct burst_shard *shard, const struct burst_limits *limits,
                   const struct burst_identity *identity, struct shaper_time now, struct burst_verdict *verdict,
                   struct burst_client **counted) {
    struct burst_client *client = burst_client_get(guard, shard, identity);
    if (client == NULL) {
        return false;
    }
    bool refuses = (limits->action != BURST_ACTION_STATUS && burst_hold_refuses(shard, client, limits, now, verdict)) ||
                   is_over_limits(guard, shard, client, limits, now, verdict);
    if (!refuses || verdict->log_only) {
        client->connections++;
        *counted = client;
    }
    burst_client_settle(shard, client);
    return refuses;
}

bool burst_connect(struct burst_guard *guard, const struct burst_limits *limits, const struct ip_address *client,
                   struct shaper_time now, struct burst_verdict *verdict, struct burst_client **counted) {
    *verdict = (struct burst_verdict){0};
    *counted = NULL;
    if (burst_is_exempt(limits, client)) {
        return false;
    }
    struct burst_identity identity = burst_identity(guard, client);
    struct burst_shard *shard = burst_shard_of(guard, identity.hash);
    bool in_blocked_network =
        limits->action != BURST_ACTION_STATUS && burst_prefixes_refuse(&guard->prefixes, limits, client, now, verdict);
    pthread_mutex_lock(&shard->lock);
    bool refuses = in_blocked_network;
    if (in_blocked_network) {
        shard->refused_total[verdict->reason]++;
    }
    if (!in_blocked_network || verdict->log_only) {
        refuses = decide(guard, shard, limits, &identity, now, verdict, counted) || refuses;
    }
    pthread_mutex_unlock(&shard->lock);
    return refuses;
}

void burst_disconnect(struct burst_guard *guard, struct burst_client **counted) {
    struct burst_client *client = *counted;
    if (client == NULL) {
        return;
    }
    *counted = NULL;
    struct burst_shard *shard = burst_shard_of(guard, client->hash);
    pthread_mutex_lock(&shard->lock);
    assert(client->connections > 0);
    client->connections--;
    burst_client_settle(shard, client);
    pthread_mutex_unlock(&shard->lock);
}
