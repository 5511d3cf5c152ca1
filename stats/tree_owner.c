/* The tree's hosts, users and classes: what belongs to a name, has limits, and is counted. Called by tree.c.
 * Always true: a limit of 0 is none; limits/kbps, rps and connections are those in force now, as mod_cband's were. */
#include "stats/tree.h"

#include "stats/arithmetic.h"

static void put_rates(const struct tree *tree, const struct ledger_rates *rates) {
    tree_begin(tree, "rates");
    tree_decimal(tree, "bytes_per_second_1", rates->bytes_per_s_1);
    tree_decimal(tree, "bytes_per_second_10", rates->bytes_per_s_10);
    tree_decimal(tree, "bytes_per_second_60", rates->bytes_per_s_60);
    tree_decimal(tree, "requests_per_second_1", rates->requests_per_s_1);
    tree_decimal(tree, "requests_per_second_10", rates->requests_per_s_10);
    tree_decimal(tree, "requests_per_second_60", rates->requests_per_s_60);
    tree_end(tree);
}

/* The reasons that occurred. */
static void put_reasons(const struct tree *tree, const char *name, const uint64_t counts[SHAPER_REASONS]) {
    tree_begin(tree, name);
    tree_number(tree, "total", stats_sum_reasons(counts));
    for (unsigned i = 0; i < SHAPER_REASONS; i++) {
        if (counts[i] > 0) {
            tree_entry(tree, "reason", shaper_reason_text((enum shaper_reason)i), counts[i]);
        }
    }
    tree_end(tree);
}

void tree_traffic(const struct tree *tree, const struct stats_traffic *traffic, bool has_most) {
    tree_begin(tree, "traffic");
    for (size_t i = 0; i < TALLY_COUNT; i++) {
        if (i == TALLY_DELAY_US) {
            tree_decimal(tree, "delay_seconds", (double)traffic->totals.value[i] / 1e6);
        } else {
            tree_number(tree, tally_rows[i].name, traffic->totals.value[i]);
        }
    }
    put_reasons(tree, "refused", traffic->totals.refused);
    put_reasons(tree, "delayed", traffic->totals.delayed);
    put_rates(tree, &traffic->rates);
    tree_number(tree, "connections", traffic->connections);
    if (has_most) {
        tree_number(tree, "connections_most", traffic->connections_most);
    } else {
        tree->operations->none(tree->writer, "connections_most");
    }
    tree_end(tree);
}

static void put_speed(const struct tree *tree, const struct speed_limit *speed) {
    tree_decimal(tree, "kbps", (double)speed->bits_per_s / 1024);
    tree_number(tree, "rps", speed->requests_per_s);
    tree_number(tree, "connections", speed->connections);
}

static void put_limits(const struct tree *tree, const struct stats_limits *limits, const struct stats_host *host) {
    tree_begin(tree, "limits");
    tree_number(tree, "total", limits->quota.limit_bytes);
    tree_number(tree, "slice", limits->quota.allowed_bytes);
    put_speed(tree, &limits->speed_in_force);
    tree_begin(tree, "configured");
    put_speed(tree, &limits->speed);
    tree_end(tree);
    tree_begin(tree, "exceeded");
    put_speed(tree, &limits->exceeded_speed);
    tree_end(tree);
    tree_begin(tree, "remote");
    if (host != NULL) {
        tree_number(tree, "total", host->remote_limit_bytes);
    }
    put_speed(tree, &limits->remote_speed);
    tree_end(tree);
    if (host != NULL) {
        tree_decimal(tree, "upload_kbps", (double)host->upload_bits_per_s / 1024);
    }
    tree_begin_list(tree, "classes", "classes");
    for (size_t i = 0; i < limits->class_quota_count; i++) {
        tree_begin(tree, "class");
        tree_text(tree, "name", limits->class_quotas[i].class_name);
        tree_number(tree, "total", limits->class_quotas[i].limit_bytes);
        tree_number(tree, "slice", limits->class_quotas[i].allowed_bytes);
        tree_end(tree);
    }
    tree_end(tree);
    tree_end(tree);
}

static void put_usages(const struct tree *tree, const struct stats_limits *limits,
                       const struct stats_traffic *traffic) {
    tree_begin(tree, "usages");
    tree_number(tree, "total", limits->quota.used_bytes);
    tree_decimal(tree, "kbps", stats_kbps(traffic->rates.bytes_per_s_10));
    tree_decimal(tree, "rps", traffic->rates.requests_per_s_10);
    tree_number(tree, "connections", traffic->connections);
    tree_begin_list(tree, "classes", "classes");
    for (size_t i = 0; i < limits->class_quota_count; i++) {
        tree_begin(tree, "class");
        tree_text(tree, "name", limits->class_quotas[i].class_name);
        tree_number(tree, "total", limits->class_quotas[i].used_bytes);
        tree_flag(tree, "exceeded", limits->class_quotas[i].is_exceeded);
        tree_end(tree);
    }
    tree_end(tree);
    tree_end(tree);
}

static const char *period_word(enum period_kind kind) {
    static const char *const words[] = {"none", "seconds", "calendar-day", "calendar-week", "calendar-month"};
    return words[kind];
}

static void put_period(const struct tree *tree, const struct stats_limits *limits) {
    tree_begin(tree, "period");
    tree_text(tree, "kind", period_word(limits->period));
    tree_number(tree, "length", limits->period_s);
    tree_number(tree, "slice_length", limits->slice_s);
    tree_time(tree, "begin", limits->period_begin_s);
    tree_time(tree, "end", limits->period == PERIOD_NONE ? 0 : limits->period_end_s);
    tree_end(tree);
    int64_t left_s = stats_time_to_refresh_s(limits, tree->now_s);
    if (left_s >= 0) {
        tree_number(tree, "time_to_refresh", (uint64_t)left_s);
    } else {
        tree->operations->none(tree->writer, "time_to_refresh");
    }
}

static void put_owner(const struct tree *tree, const struct stats_traffic *traffic, const struct stats_limits *limits,
                      const struct stats_host *host) {
    put_limits(tree, limits, host);
    put_usages(tree, limits, traffic);
    tree_flag(tree, "limit_exceeded", limits->quota.is_exceeded);
    tree_text(tree, "exceeded", stats_exceeded_text(limits->exceeded));
    put_period(tree, limits);
    tree_text(tree, "scoreboard", limits->scoreboard);
    tree_text(tree, "limit_exceeded_URL", limits->exceeded_url);
    tree_traffic(tree, traffic, true);
}

void tree_host(const struct tree *tree, const struct stats_host *host) {
    tree_begin(tree, "virtualhost");
    tree_text(tree, "name", host->traffic.name);
    tree_text(tree, "key", host->key);
    tree_number(tree, "port", host->port);
    tree_text(tree, "file", host->file);
    tree_number(tree, "line", host->line);
    tree_flag(tree, "main", host->is_main);
    tree_flag(tree, "dry_run", host->dry_run);
    tree_text(tree, "user", host->user);
    put_owner(tree, &host->traffic, &host->limits, host);
    tree_end(tree);
}

void tree_user(const struct tree *tree, const struct stats_user *user) {
    tree_begin(tree, "user");
    tree_text(tree, "name", user->traffic.name);
    put_owner(tree, &user->traffic, &user->limits, NULL);
    tree_begin_list(tree, "virtualhosts", "hosts");
    for (size_t i = 0; i < user->host_count; i++) {
        tree_text(tree, "virtualhost", user->hosts[i]);
    }
    tree_end(tree);
    tree_end(tree);
}

void tree_class(const struct tree *tree, const struct stats_class *class) {
    tree_begin(tree, "class");
    tree_text(tree, "name", class->traffic.name);
    tree_begin_list(tree, "prefixes", "prefixes");
    for (size_t i = 0; i < class->prefix_count; i++) {
        tree_text(tree, "prefix", class->prefixes[i]);
    }
    tree_end(tree);
    tree_traffic(tree, &class->traffic, true);
    tree_end(tree);
}
