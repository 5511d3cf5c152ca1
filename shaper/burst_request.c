/* What becomes of a request: whitelist, block, lists of paths, counters. Called by workers for each request of a host
 * that has DOSEnabled.
 *
 * Always true: nothing is taken from a client that the limits do not ask for, and the lock of its shard is held neither
 * while a path is hashed nor while it is matched against patterns. */
#include <string.h>

#include "shaper/burst_table.h"

static const int64_t second_ns = 1000000000;

bool burst_is_exempt(const struct burst_limits *limits, const struct ip_address *client) {
    if (!limits->enabled || client->family == IP_NONE) {
        return true;
    }
    for (size_t i = 0; i < limits->whitelist_count; i++) {
        if (ip_mask_contains(&limits->whitelist[i], client)) {
            return true;
        }
    }
    return false;
}

static bool matches_any(const struct pattern *const *patterns, size_t count, struct pattern_scratch *scratch,
                        struct span path) {
    for (size_t i = 0; i < count; i++) {
        if (pattern_match(patterns[i], scratch, path, NULL)) {
            return true;
        }
    }
    return false;
}

enum path_rule { PATH_COUNTS, PATH_EXEMPT, PATH_BLOCKS };

static enum path_rule rule_of_path(const struct burst_limits *limits, struct pattern_scratch *scratch,
                                   struct span path) {
    if (path.ptr == NULL) { /* only listed paths count, and it has none */
        return limits->targetlist_uri_count > 0 ? PATH_EXEMPT : PATH_COUNTS;
    }
    if (matches_any(limits->whitelist_uris, limits->whitelist_uri_count, scratch, path)) {
        return PATH_EXEMPT;
    }
    if (limits->targetlist_uri_count > 0 &&
        !matches_any(limits->targetlist_uris, limits->targetlist_uri_count, scratch, path)) {
        return PATH_EXEMPT;
    }
    return matches_any(limits->blocklist_uris, limits->blocklist_uri_count, scratch, path) ? PATH_BLOCKS : PATH_COUNTS;
}

/* One request under way through this file. */
struct asked {
    struct burst_guard *guard;
    const struct burst_limits *limits;
    const struct burst_request *request;
    struct burst_client *held;      /* by the connection, when the request is from the same address; else NULL */
    struct burst_identity identity; /* set when `held` is NULL */
    uint64_t path_hash;             /* of a page; 0 otherwise */
    bool has_page;                  /* that is to be counted */
    struct shaper_time now;
};

/* What does not change of a client may be read without the lock while the connection holds it. */
static bool is_from(const struct burst_request *request, const struct burst_client *connected, uint8_t client_bits) {
    if (connected == NULL || connected->prefix_bits != client_bits) {
        return false;
    }
    struct ip_address masked = request->client;
    if (masked.family == IP_V6) {
        masked = ip_address_mask(&masked, client_bits);
    }
    return ip_address_equal(&masked, &connected->address);
}

static struct burst_client *known_client(const struct asked *asked, struct burst_shard *shard) {
    return asked->held != NULL ? asked->held : burst_client_find(asked->guard, shard, &asked->identity);
}

static bool is_in_blocked_network(const struct asked *asked, struct burst_shard *shard, struct burst_verdict *verdict) {
    if (!burst_prefixes_refuse(&asked->guard->prefixes, asked->limits, &asked->request->client, asked->now, verdict)) {
        return false;
    }
    pthread_mutex_lock(&shard->lock);
    shard->refused_total[verdict->reason]++;
    pthread_mutex_unlock(&shard->lock);
    return true;
}

static bool is_blocked_already(const struct asked *asked, struct burst_shard *shard, struct burst_verdict *verdict) {
    if (!burst_prefixes_are_none(&asked->guard->prefixes) && is_in_blocked_network(asked, shard, verdict)) {
        return true;
    }
    if (atomic_load_explicit(&asked->guard->holds, memory_order_relaxed) == 0 ||
        (asked->held != NULL && !atomic_load_explicit(&asked->held->is_blocked, memory_order_relaxed))) {
        return false; /* a block that begins at this moment is seen when the request is counted */
    }
    pthread_mutex_lock(&shard->lock);
    bool refuses = burst_hold_refuses(shard, known_client(asked, shard), asked->limits, asked->now, verdict);
    pthread_mutex_unlock(&shard->lock);
    return refuses;
}

/* Counts the request in one window; true: there it is one too many, and not counted. */
static inline bool is_over(const struct asked *asked, struct burst_shard *shard, struct burst_client *client,
                           enum burst_window_kind kind, const struct burst_rule *rule) {
    if (rule->count == 0) {
        return false;
    }
    struct burst_window_key key = {
        .client_hash = client->hash,
        .path_hash = kind == BURST_WINDOW_PAGE ? asked->path_hash : 0,
        .kind = kind,
        .host_id = kind == BURST_WINDOW_REQUESTS ? 0 : asked->request->host_id,
        .rule = {kind == BURST_WINDOW_REQUESTS ? 0 : rule->count, rule->interval_s},
    };
    struct sliding_window *window = burst_window_get(asked->guard, shard, client, key);
    return window != NULL && !sliding_window_take(window, rule->count, asked->now.mono_ns);
}

static enum burst_reason count_request(const struct asked *asked, struct burst_shard *shard,
                                       struct burst_client *client) {
    const struct burst_limits *limits = asked->limits;
    bool over_page = asked->has_page && is_over(asked, shard, client, BURST_WINDOW_PAGE, &limits->page);
    bool over_site = is_over(asked, shard, client, BURST_WINDOW_SITE, &limits->site);
    bool over_all = is_over(asked, shard, client, BURST_WINDOW_REQUESTS, &limits->requests);
    return over_page   ? BURST_REASON_PAGE
           : over_site ? BURST_REASON_SITE
           : over_all  ? BURST_REASON_REQUESTS
                       : BURST_REASON_NONE;
}

static void begin_block(const struct asked *asked, struct burst_shard *shard, struct burst_client *client,
                        enum burst_reason reason, struct burst_verdict *verdict) {
    struct burst_block block = {
        .client = asked->request->client,
        .reason = reason,
        .host_id = asked->request->host_id,
        .period_s = asked->limits->blocking_period_s,
        .log_only = asked->limits->log_only,
        .began_wall_s = asked->now.wall_s,
        .refused = 1,
    };
    int64_t until_ns = asked->now.mono_ns + block.period_s * second_ns;
    const struct burst_hold *hold = burst_hold_begin(asked->guard, shard, client, &block, until_ns);
    shard->blocks_total[reason]++;
    shard->refused_total[reason]++;
    burst_hold_tell(hold, asked->now, verdict);
    verdict->is_new = true;
    verdict->log_only = asked->limits->log_only;
}

/* The client is made only now, so that requests that nobody counts leave nothing behind. */
static bool decide_by_counters(const struct asked *asked, struct burst_shard *shard, enum path_rule rule,
                               struct burst_verdict *verdict) {
    struct burst_client *client =
        asked->held != NULL ? asked->held : burst_client_get(asked->guard, shard, &asked->identity);
    if (client == NULL) {
        return false;
    }
    if (client->hold != NULL && burst_hold_refuses(shard, client, asked->limits, asked->now, verdict)) {
        return true;
    }
    enum burst_reason reason = rule == PATH_BLOCKS ? BURST_REASON_BLOCKLIST_URI : count_request(asked, shard, client);
    if (reason != BURST_REASON_NONE) {
        begin_block(asked, shard, client, reason, verdict);
    }
    return reason != BURST_REASON_NONE;
}

bool burst_request(struct burst_guard *guard, const struct burst_limits *limits, const struct burst_request *request,
                   struct pattern_scratch *scratch, struct shaper_time now, struct burst_verdict *verdict) {
    *verdict = (struct burst_verdict){0};
    if (burst_is_exempt(limits, &request->client)) {
        return false;
    }
    struct asked asked;
    asked.guard = guard;
    asked.limits = limits;
    asked.request = request;
    asked.now = now;
    asked.path_hash = 0;
    bool is_held = is_from(request, request->connected, burst_client_bits(guard, &request->client));
    asked.held = is_held ? request->connected : NULL;
    if (!is_held) {
        asked.identity = burst_identity(guard, &request->client);
    }
    struct burst_shard *shard = burst_shard_of(guard, is_held ? asked.held->hash : asked.identity.hash);
    if (is_blocked_already(&asked, shard, verdict)) {
        return true;
    }
    enum path_rule rule = rule_of_path(limits, scratch, request->path);
    if (rule == PATH_EXEMPT) {
        return false;
    }
    asked.has_page = request->path.ptr != NULL && limits->page.count > 0;
    if (asked.has_page && rule == PATH_COUNTS) {
        asked.path_hash = path_hash(&guard->path_key, request->path);
    }
    pthread_mutex_lock(&shard->lock);
    bool refuses = decide_by_counters(&asked, shard, rule, verdict);
    pthread_mutex_unlock(&shard->lock);
    return refuses;
}
