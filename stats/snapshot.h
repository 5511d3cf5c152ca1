/* Everything that weir tells, as plain data of one moment: what the renderers (XML, JSON, Prometheus text, the page)
 * and the commands read. All numbers of one document come from one snapshot.
 *
 * Taken by stats_snapshot_take() (stats/take.h) on the housekeeping thread; constant afterwards, and independent of
 * everything that lives: a renderer may take its time. Texts are the snapshot's own (its arena) or constants. Sizes are
 * bytes, speeds bits a second, times seconds since the epoch unless a name says otherwise; a limit of 0 is none. */
#ifndef WEIR_STATS_SNAPSHOT_H
#define WEIR_STATS_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/arena.h"
#include "config/ipaddr.h"
#include "config/limits.h"
#include "proxy/counters.h"
#include "shaper/ledger.h"
#include "shaper/tally.h"

/* ---- hosts, users, classes ---- */

enum stats_exceeded {                   /* what becomes of a request now, by the owner's quota */
                      STATS_WITHIN,     /* nothing is exceeded */
                      STATS_SLOWED,     /* served at the exceeded speed */
                      STATS_REDIRECTED, /* sent to the exceeded page */
                      STATS_REFUSED,
};
const char *stats_exceeded_text(enum stats_exceeded exceeded); /* "within", "slowed", "redirected", "refused" */

/* The quota of a host or user, in total or of one class of clients. */
struct stats_quota {
    const char *class_name; /* NULL: in total */
    uint64_t limit_bytes;
    uint64_t allowed_bytes; /* by the slices so far; the limit when there are none */
    uint64_t used_bytes;    /* in the present period */
    bool is_exceeded;
    bool in_kib; /* the limit was written with Ki, Mi, …: the classic XML says KiB, not KB */
};

/* What a host, a user and a class of clients have in common. */
struct stats_traffic {
    const char *name;
    struct tally_totals totals;             /* since the start of the process */
    unsigned connections, connections_most; /* requests being served; the most of the server is not known: 0 */
    struct ledger_rates rates;
    const struct ledger_minute *last_hour; /* LEDGER_MINUTES; NULL: nothing happened */
};

/* The limits of a host or a user. */
struct stats_limits {
    struct stats_quota quota;
    const struct stats_quota *class_quotas; /* one for each class of the configuration, in its order */
    size_t class_quota_count;
    enum period_kind period;
    uint64_t period_s, slice_s;
    int64_t period_begin_s, period_end_s; /* 0: none, or not begun */
    enum stats_exceeded exceeded;
    struct speed_limit speed;          /* as configured */
    struct speed_limit speed_in_force; /* the exceeded speed while that holds */
    struct speed_limit exceeded_speed;
    struct speed_limit remote_speed;
    const char *exceeded_url; /* the owner's own; NULL: none */
    const char *scoreboard;   /* a database of its own; NULL: none */
};

struct stats_host {
    struct stats_traffic traffic;
    struct stats_limits limits;
    const char *user; /* NULL: none */
    const char *key;  /* "NAME:PORT:LINE", as a reset names it */
    unsigned port;    /* of ServerName; 0: none given */
    unsigned line;    /* of <VirtualHost>; 0: the main server */
    const char *file;
    uint64_t upload_bits_per_s, remote_limit_bytes;
    bool dry_run, is_main;
};

struct stats_user {
    struct stats_traffic traffic;
    struct stats_limits limits;
    const char *const *hosts; /* their names */
    size_t host_count;
};

struct stats_class {
    struct stats_traffic traffic;
    const char *const *prefixes; /* "192.0.2.0/24" */
    size_t prefix_count;
};

/* ---- clients and blocks ---- */

struct stats_client {    /* one address at one host */
    const char *address; /* "192.0.2.7", "2001:db8::/64" */
    const char *host;
    const char *host_key; /* as stats_host.key; NULL: the host is no longer in the configuration */
    uint64_t bytes_out, requests, refused, delayed;
    uint64_t used_bytes; /* of CBandRemoteLimit, in the present period */
    unsigned connections, connection_limit;
    double bytes_per_s, requests_per_s; /* means of about the last 10 s */
    int64_t first_seen_s, last_seen_s;
    bool is_blocked;
};

struct stats_block {
    const char *address; /* "192.0.2.7", "2001:db8::/64" */
    const char *reason;  /* word, as in burst_reasons.def */
    const char *host;    /* that began it; NULL: by hand */
    int64_t began_s, until_s;
    uint64_t refused; /* requests and connections */
    bool log_only;
};

/* ---- origins ---- */

enum { STATS_LATENCY_BUCKETS = 16 };
extern const double stats_latency_bounds_s[STATS_LATENCY_BUCKETS]; /* upper ones; the last is infinity */

struct stats_upstream {
    const char *name;     /* "http://127.0.0.1:8080" */
    const char *balancer; /* NULL: in none */
    bool is_usable;
    size_t in_flight;
    uint64_t connections; /* made since the start */
    uint64_t requests, failures;
    uint64_t first_byte[STATS_LATENCY_BUCKETS]; /* time to the first byte: how many in each bucket, not cumulative */
    double first_byte_sum_s;
};

/* ---- the server ---- */

/* A number that belongs to no worker's block: name, type and help as in counters.def. */
struct stats_gauge {
    const char *name;
    enum counter_type type;
    const char *unit; /* "", "bytes", "seconds" */
    const char *help;
    double value;
};

struct stats_reload {
    bool ok;
    int64_t at_s;     /* 0: never */
    const char *text; /* what was wrong; "" when it was good */
};

struct stats_server {
    const char *version;
    const char *libraries;  /* "libev 4.33, OpenSSL 3.0.15, …" */
    const char *state_file; /* NULL: none */
    int64_t started_s, now_s;
    int64_t uptime_s; /* monotonic */
    unsigned workers;
    uint64_t generation; /* of the configuration */
    uint64_t pid;
    struct stats_reload last_reload;
    struct stats_traffic traffic; /* of all hosts together; name "server" */
    struct counters_snapshot counters;
    const struct stats_gauge *gauges; /* memory, tables, evictions, notifications, state flushes, loop lag, … */
    size_t gauge_count;
    uint64_t clients_known;
    uint64_t blocks_total[16];     /* by enum burst_reason */
    const char *block_reasons[16]; /* their words, as in burst_reasons.def; NULL: not a reason to block */
    bool classic_xml;              /* CBandStatusXML classic */
};

/* ---- all of it ---- */

struct stats_snapshot {
    struct arena arena;
    struct stats_server server;
    const struct stats_host *hosts;
    size_t host_count;
    const struct stats_user *users;
    size_t user_count;
    const struct stats_class *classes;
    size_t class_count;
    const struct stats_client *clients; /* the top ones by bytes and by requests, and the blocked: not all */
    size_t client_count;
    const struct stats_block *blocks;
    size_t block_count;
    const struct stats_upstream *upstreams;
    size_t upstream_count;
};

/* Frees everything and nulls the pointer; NULL is harmless. */
void stats_snapshot_free(struct stats_snapshot **snapshot);

#endif
