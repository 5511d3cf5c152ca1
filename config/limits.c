/* Defaults of the CBand* and DOS* values, and what a host takes from the server.
 *
 * Called when all lines of a configuration have been read (check_limits.c), and by tests. Pure. */
#include "config/limits.h"

static const int64_t default_max_delay_ns = INT64_C(10) * 1000000000;

void host_limits_init(struct host_limits *limits) {
    *limits = (struct host_limits){.max_delay_ns = default_max_delay_ns};
}

void server_limits_init(struct server_limits *limits) {
    *limits = (struct server_limits){
        .default_exceeded_code = 503,
        .score_flush_period = 1,
        .ipv6_prefix_bits = 64,
        .max_delay_ns = default_max_delay_ns,
    };
}

void burst_limits_init(struct burst_limits *limits) {
    *limits = (struct burst_limits){
        .action = BURST_ACTION_STATUS,
        .status = 403,
        .page = {.count = 2, .interval_s = 1},
        .site = {.count = 50, .interval_s = 1},
        .requests = {.interval_s = 1},
        .connections = {.interval_s = 60},
        .blocking_period_s = 10,
        .mail_command = "/usr/sbin/sendmail -t",
    };
}

void burst_server_init(struct burst_server *server) {
    *server = (struct burst_server){.max_clients = 1000000, .ipv6_prefix_bits = 64};
}

void server_limits_inherit(struct server_limits *limits, const struct server_limits *from) {
    uint32_t said = limits->said;
#define TAKE(bit, field) limits->field = (said & (bit)) != 0 ? limits->field : from->field
    TAKE(CBAND_SAID_DEFAULT_URL, default_exceeded_url);
    TAKE(CBAND_SAID_DEFAULT_CODE, default_exceeded_code);
    TAKE(CBAND_SAID_FLUSH_PERIOD, score_flush_period);
    TAKE(CBAND_SAID_IPV6_PREFIX, ipv6_prefix_bits);
    TAKE(CBAND_SAID_MAX_DELAY, max_delay_ns);
    TAKE(CBAND_SAID_RANDOM_PULSE, random_pulse);
    TAKE(CBAND_SAID_DRY_RUN, dry_run);
    TAKE(CBAND_SAID_STATUS_XML, status_xml_classic);
#undef TAKE
}

void host_limits_inherit(struct host_limits *host, const struct server_limits *server) {
    if ((host->traffic.said & CBAND_SAID_MAX_DELAY) == 0) {
        host->max_delay_ns = server->max_delay_ns;
    }
    if ((host->traffic.said & CBAND_SAID_DRY_RUN) == 0) {
        host->dry_run = server->dry_run;
    }
}

void burst_server_inherit(struct burst_server *server, const struct burst_server *from) {
    if ((server->said & BURST_SAID_MAX_CLIENTS) == 0) {
        server->max_clients = from->max_clients;
    }
    if ((server->said & BURST_SAID_IPV6_PREFIX) == 0) {
        server->ipv6_prefix_bits = from->ipv6_prefix_bits;
    }
}

void burst_limits_inherit(struct burst_limits *host, const struct burst_limits *server) {
    uint32_t said = host->said;
#define TAKE(bit, field) host->field = (said & (bit)) != 0 ? host->field : server->field
    TAKE(BURST_SAID_ENABLED, enabled);
    TAKE(BURST_SAID_LOG_ONLY, log_only);
    TAKE(BURST_SAID_ACTION, action);
    TAKE(BURST_SAID_STATUS, status);
    TAKE(BURST_SAID_PAGE_COUNT, page.count);
    TAKE(BURST_SAID_PAGE_INTERVAL, page.interval_s);
    TAKE(BURST_SAID_SITE_COUNT, site.count);
    TAKE(BURST_SAID_SITE_INTERVAL, site.interval_s);
    TAKE(BURST_SAID_REQUEST_COUNT, requests.count);
    TAKE(BURST_SAID_REQUEST_INTERVAL, requests.interval_s);
    TAKE(BURST_SAID_CONNECTION_COUNT, connections.count);
    TAKE(BURST_SAID_CONNECTION_INTERVAL, connections.interval_s);
    TAKE(BURST_SAID_CONCURRENT, concurrent);
    TAKE(BURST_SAID_BLOCKING_PERIOD, blocking_period_s);
    TAKE(BURST_SAID_WHITELIST, whitelist);
    TAKE(BURST_SAID_WHITELIST, whitelist_count);
    TAKE(BURST_SAID_WHITELIST_URI, whitelist_uris);
    TAKE(BURST_SAID_WHITELIST_URI, whitelist_uri_count);
    TAKE(BURST_SAID_TARGETLIST_URI, targetlist_uris);
    TAKE(BURST_SAID_TARGETLIST_URI, targetlist_uri_count);
    TAKE(BURST_SAID_BLOCKLIST_URI, blocklist_uris);
    TAKE(BURST_SAID_BLOCKLIST_URI, blocklist_uri_count);
    TAKE(BURST_SAID_EMAIL, email);
    TAKE(BURST_SAID_MAIL_COMMAND, mail_command);
    TAKE(BURST_SAID_SYSTEM_COMMAND, system_command);
    TAKE(BURST_SAID_LOG_DIR, log_dir);
#undef TAKE
    if ((said & BURST_SAID_ENABLED) == 0 && said != 0 && (server->said & BURST_SAID_ENABLED) == 0) {
        host->enabled = true;
    }
}
