/* What becomes of a request: whitelist, block, lists of paths, counters. Called by workers for each request of a host
 * that has DOSEnabled.
 *
 * Always true: nothing is taken from a client that the limits do not ask for, and the lock of its shard is held neither
 * while a path is hashed nor while it is matched against patterns. */
#include <string.h>

#include "shaper/burst_table.h"

static const int64_t second_ns = 1000000000;

__attribute__((noinline)) static bool is_whitelisted(const struct burst_limits *limits,
                                                     const struct ip_address *client) {
    for (size_t i = 0; i < limits->whitelist_count; i++) {
        if (ip_mask_contains(&limits->whitelist[i], client)) {
            return true;
        }
    }
    return false;
}

bool burst_is_exempt(const struct burst_limits *limits, const struct ip_address *client) {
    return !limits->enabled || client->family == IP_NONE ||
           (limits->whitelist_count > 0 && is_whitelisted(limits, client));
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

__attribute__((noinline)) static enum path_rule rule_of_listed_path(const struct burst_limits *limits,
                                                                    struct pattern_scratch *scratch, struct span path) {
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

static inline enum path_rule rule_of_path(const struct burst_limits *limits, struct pattern_scratch *scratch,
                                          struct span path) {
    bool are_no_lists = (limits->whitelist_uri_count | limits->targetlist_uri_count | limits->blocklist_uri_count) == 0;
    return are_no_lists ? PATH_COUNTS : rule_of_listed_path(limits, scratch, path);
}

/* ---- who ---- */

/* A request's client: held by its connection, when the request is from the same address, else to be looked for. */
struct asker {
    struct burst_client *held;
    struct burst_identity identity; /* set when `held` is NULL */
};

/* What does not change of a client may be read without the lock while the connection holds it. */
static inline bool is_from(const struct burst_client *connected, const struct ip_address *client, uint8_t client_bits) {
    if (connected == NULL || connected->prefix_bits != client_bits) {
        return false;
    }
    if (client->family == IP_V6) {
        struct ip_address masked = ip_address_mask(client, client_bits);
        return ip_address_equal(&masked, &connected->address);
    }
    return ip_address_equal(client, &connected->address);
}

/* ---- blocks ---- */

__attribute__((noinline)) static bool is_in_blocked_network(struct burst_guard *guard,
                                                            const struct burst_limits *limits,
                                                            struct burst_shard *shard, const struct ip_address *client,
                                                            struct shaper_time now, struct burst_verdict *verdict) {
    if (!burst_prefixes_refuse(&guard->prefixes, limits, client, now, verdict)) {
        return false;
    }
    pthread_mutex_lock(&shard->lock);
    shard->refused_total[verdict->reason]++;
    pthread_mutex_unlock(&shard->lock);
    return true;
}

/* A block that begins at this moment is seen when the request is counted. */
static inline bool may_be_blocked(const struct burst_guard *guard, const struct burst_client *held) {
    return atomic_load_explicit(&guard->holds, memory_order_relaxed) > 0 &&
           (held == NULL || atomic_load_explicit(&held->is_blocked, memory_order_relaxed));
}

static bool is_blocked_already(struct burst_guard *guard, const struct burst_limits *limits, struct burst_shard *shard,
                               const struct asker *asker, struct shaper_time now, struct burst_verdict *verdict) {
    pthread_mutex_lock(&shard->lock);
    struct burst_client *client = asker->held != NULL ? asker->held : burst_client_find(guard, shard, &asker->identity);
    bool refuses = burst_hold_refuses(shard, client, limits, now, verdict);
    pthread_mutex_unlock(&shard->lock);
    return refuses;
}

__attribute__((noinline)) static void begin_block(struct burst_guard *guard, const struct burst_limits *limits,
                                                  struct burst_shard *shard, struct burst_client *client,
                                                  const struct burst_block *begun, struct shaper_time now,
                                                  struct burst_verdict *verdict) {
    struct burst_block block = *begun;
    block.period_s = limits->blocking_period_s;
    block.log_only = limits->log_only;
    block.began_wall_s = now.wall_s;
    block.refused = 1;
    const struct burst_hold *hold =
        burst_hold_begin(guard, shard, client, &block, now.mono_ns + block.period_s * second_ns);
    shard->blocks_total[block.reason]++;
    shard->refused_total[block.reason]++;
    burst_hold_tell(hold, now, verdict);
    verdict->is_new = true;
    verdict->log_only = limits->log_only;
}

/* ---- counters ---- */

/* Where and when a request is counted. */
struct counted {
    uint64_t path_hash; /* of a page that is to be counted */
    bool has_page;
    uint32_t host_id;
    int64_t now_ns;
};

/* Counts the request in one window; true: there it is one too many, and not counted. */
static inline bool is_over(struct burst_guard *guard, struct burst_shard *shard, struct burst_client *client,
                           enum burst_window_kind kind, const struct burst_rule *rule, struct counted counted) {
    if (rule->count == 0) {
        return false;
    }
    struct burst_window_key key = {
        .client_hash = client->hash,
        .path_hash = kind == BURST_WINDOW_PAGE ? counted.path_hash : 0,
        .kind = kind,
        .host_id = kind == BURST_WINDOW_REQUESTS ? 0 : counted.host_id,
        .rule = {kind == BURST_WINDOW_REQUESTS ? 0 : rule->count, rule->interval_s},
    };
    struct sliding_window *window = burst_window_get(guard, shard, client, key);
    return window != NULL && !sliding_window_take(window, rule->count, counted.now_ns);
}

static inline enum burst_reason count_request(struct burst_guard *guard, const struct burst_limits *limits,
                                              struct burst_shard *shard, struct burst_client *client,
                                              struct counted counted) {
    bool over_page = counted.has_page && is_over(guard, shard, client, BURST_WINDOW_PAGE, &limits->page, counted);
    bool over_site = is_over(guard, shard, client, BURST_WINDOW_SITE, &limits->site, counted);
    bool over_all = is_over(guard, shard, client, BURST_WINDOW_REQUESTS, &limits->requests, counted);
    return over_page   ? BURST_REASON_PAGE
           : over_site ? BURST_REASON_SITE
           : over_all  ? BURST_REASON_REQUESTS
                       : BURST_REASON_NONE;
}

/* Under the lock. The client is made only now, so that requests that nobody counts leave nothing behind. */
static inline bool decide_by_counters(struct burst_guard *guard, const struct burst_limits *limits,
                                      struct burst_shard *shard, const struct asker *asker,
                                      const struct burst_request *request, enum path_rule rule, struct counted counted,
                                      struct shaper_time now, struct burst_verdict *verdict) {
    struct burst_client *client = asker->held != NULL ? asker->held : burst_client_get(guard, shard, &asker->identity);
    if (client == NULL) {
        return false;
    }
    if (client->hold != NULL && burst_hold_refuses(shard, client, limits, now, verdict)) {
        return true;
    }
    enum burst_reason reason =
        rule == PATH_BLOCKS ? BURST_REASON_BLOCKLIST_URI : count_request(guard, limits, shard, client, counted);
    if (reason == BURST_REASON_NONE) {
        return false;
    }
    struct burst_block begun = {.client = request->client, .reason = reason, .host_id = request->host_id};
    begin_block(guard, limits, shard, client, &begun, now, verdict);
    return true;
}

bool burst_request(struct burst_guard *guard, const struct burst_limits *limits, const struct burst_request *request,
                   struct pattern_scratch *scratch, struct shaper_time now, struct burst_verdict *verdict) {
    *verdict = (struct burst_verdict){0};
    if (burst_is_exempt(limits, &request->client)) {
        return false;
    }
    struct asker asker;
    bool is_held = is_from(request->connected, &request->client, burst_client_bits(guard, &request->client));
    asker.held = is_held ? request->connected : NULL;
    if (!is_held) {
        asker.identity = burst_identity(guard, &request->client);
    }
    struct burst_shard *shard = burst_shard_of(guard, is_held ? asker.held->hash : asker.identity.hash);
    if (!burst_prefixes_are_none(&guard->prefixes) &&
        is_in_blocked_network(guard, limits, shard, &request->client, now, verdict)) {
        return true;
    }
    if (may_be_blocked(guard, asker.held) && is_blocked_already(guard, limits, shard, &asker, now, verdict)) {
        return true;
    }
    enum path_rule rule = rule_of_path(limits, scratch, request->path);
    if (rule == PATH_EXEMPT) {
        return false;
    }
    struct counted counted = {.host_id = request->host_id, .now_ns = now.mono_ns};
    counted.has_page = request->path.ptr != NULL && limits->page.count > 0;
    if (counted.has_page && rule == PATH_COUNTS) {
        counted.path_hash = path_hash(&guard->path_key, request->path);
    }
    pthread_mutex_lock(&shard->lock);
    bool refuses = decide_by_counters(guard, limits, shard, &asker, request, rule, counted, now, verdict);
    pthread_mutex_unlock(&shard->lock);
    return refuses;
}
