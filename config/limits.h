/* What the CBand* and DOS* directives said: plain data, as part of a configuration immutable and shared.
 *
 * A limit of 0 is no limit everywhere. Speeds are bits a second, quotas bytes, periods seconds; how text becomes these
 * numbers is in values.h. Each struct knows in `said` which of its values were written, so that a host can inherit the
 * others, a later line can be warned of, and --dump-config can leave out what is default. */
#ifndef WEIR_CONFIG_LIMITS_H
#define WEIR_CONFIG_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/ipaddr.h"
#include "config/pattern.h"
#include "config/place.h"
#include "config/tls_settings.h"

/* ---- CBand ---------------------------------------- */

/* "speed rps max_conn", as CBandSpeed, CBandRemoteSpeed and their like have it. Each field alone may be 0. */
struct speed_limit {
    uint64_t bits_per_s;
    uint32_t requests_per_s;
    uint32_t connections; /* requests being served at a time */
};

/* <CBandClass NAME>: clients by address. The longest prefix of all classes decides which one a client is in. */
struct client_class {
    const char *name;
    const struct ip_prefix *prefixes;
    size_t prefix_count;
    bool said;    /* it has a CBandClassDst line, if only a wrong one */
    size_t index; /* in config->classes */
    struct place place;
};

/* CBandClassLimit, CBandUserClassLimit. */
struct class_quota {
    const char *name;                 /* of the class, as written */
    const struct client_class *class; /* found by limits_check(); never NULL afterwards */
    uint64_t limit_bytes;
    bool limit_in_kib; /* it was written with Ki, Mi, … */
    struct place place;
};

/* CBandClassRemoteSpeed, CBandUserClassRemoteSpeed: replaces the remote speed, field by field where it is not 0. */
struct class_speed {
    const char *name;
    const struct client_class *class;
    struct speed_limit speed;
    struct place place;
};

enum period_kind {
    PERIOD_NONE,           /* usage is never forgotten by itself */
    PERIOD_SECONDS,        /* from the first request counted, then on the same grid */
    PERIOD_CALENDAR_DAY,   /* from local midnight */
    PERIOD_CALENDAR_WEEK,  /* from Monday, local midnight */
    PERIOD_CALENDAR_MONTH, /* from the 1st, local midnight */
};

/* Bits of traffic_limits.said, and of host_limits.said. */
enum cband_setting {
    CBAND_SAID_LIMIT = 1 << 0,
    CBAND_SAID_PERIOD = 1 << 1,
    CBAND_SAID_SLICE = 1 << 2,
    CBAND_SAID_EXCEEDED_URL = 1 << 3,
    CBAND_SAID_EXCEEDED_SPEED = 1 << 4,
    CBAND_SAID_SCOREBOARD = 1 << 5,
    CBAND_SAID_SPEED = 1 << 6,
    CBAND_SAID_REMOTE_SPEED = 1 << 7,
    CBAND_SAID_CLASS_LIMIT = 1 << 8,
    CBAND_SAID_CLASS_SPEED = 1 << 9,
    CBAND_SAID_USER = 1 << 10,
    CBAND_SAID_UPLOAD_SPEED = 1 << 11,
    CBAND_SAID_REMOTE_LIMIT = 1 << 12,
    CBAND_SAID_MAX_DELAY = 1 << 13,
    CBAND_SAID_DRY_RUN = 1 << 14,
    CBAND_SAID_DEFAULT_URL = 1 << 15,
    CBAND_SAID_DEFAULT_CODE = 1 << 16,
    CBAND_SAID_FLUSH_PERIOD = 1 << 17,
    CBAND_SAID_RANDOM_PULSE = 1 << 18,
    CBAND_SAID_IPV6_PREFIX = 1 << 19,
    CBAND_SAID_STATUS_XML = 1 << 20,
};

/* What a host and a user have in common. */
struct traffic_limits {
    uint32_t said; /* enum cband_setting; 0: counted and listed, not limited */
    enum period_kind period;
    uint64_t period_s;    /* PERIOD_SECONDS only */
    uint64_t slice_s;     /* CBandPeriodSlice; 0: the whole period at once */
    uint64_t limit_bytes; /* CBandLimit: quota of a period */
    bool limit_in_kib;    /* it was written with Ki, Mi, … */
    const char *exceeded_url;
    struct speed_limit exceeded_speed; /* counts as given when any field is set */
    const char *scoreboard;            /* a database, directory or file of mod_cband; NULL: StateFile */
    struct speed_limit speed;          /* of all clients together */
    struct speed_limit remote_speed;   /* of each client */
    const struct class_quota *class_quotas;
    size_t class_quota_count;
    const struct class_speed *class_speeds;
    size_t class_speed_count;
    struct place period_place, slice_place, scoreboard_place; /* where warnings of the final check point to */
};

/* <CBandUser NAME>: somebody who owns several hosts. */
struct user_limits {
    const char *name;
    struct traffic_limits traffic;
    size_t index; /* in config->users */
    struct place place;
};

struct host_limits {
    struct traffic_limits traffic;
    const char *user_name;          /* CBandUser, as written; NULL: none */
    const struct user_limits *user; /* found by limits_check() */
    struct place user_place;
    uint64_t upload_bits_per_s;  /* CBandUploadSpeed: of all request bodies together */
    uint64_t remote_limit_bytes; /* CBandRemoteLimit: quota of each client in a period */
    int64_t max_delay_ns;        /* CBandMaxDelay, the server's where the host says none */
    bool dry_run;                /* CBandDryRun, the server's where the host says none */
};

/* CBand values of the whole server. */
struct server_limits {
    uint32_t said;                    /* enum cband_setting */
    const char *default_exceeded_url; /* CBandDefaultExceededURL; NULL: none */
    unsigned default_exceeded_code;   /* CBandDefaultExceededCode: 400 to 599 */
    unsigned score_flush_period;      /* CBandScoreFlushPeriod: requests */
    unsigned ipv6_prefix_bits;        /* CBandIPv6Prefix: IPv6 clients are counted by so many bits */
    int64_t max_delay_ns;             /* CBandMaxDelay */
    bool random_pulse;                /* CBandRandomPulse: accepted, changes nothing */
    bool dry_run;                     /* CBandDryRun */
    bool status_xml_classic;          /* CBandStatusXML classic: plain ?xml is mod_cband's layout */
};

/* ---- DOS ---------------------------------------- */

/* Bits of burst_limits.said and burst_server.said. */
enum burst_setting {
    BURST_SAID_ENABLED = 1 << 0,
    BURST_SAID_PAGE_COUNT = 1 << 1,
    BURST_SAID_PAGE_INTERVAL = 1 << 2,
    BURST_SAID_SITE_COUNT = 1 << 3,
    BURST_SAID_SITE_INTERVAL = 1 << 4,
    BURST_SAID_REQUEST_COUNT = 1 << 5,
    BURST_SAID_REQUEST_INTERVAL = 1 << 6,
    BURST_SAID_CONNECTION_COUNT = 1 << 7,
    BURST_SAID_CONNECTION_INTERVAL = 1 << 8,
    BURST_SAID_CONCURRENT = 1 << 9,
    BURST_SAID_BLOCKING_PERIOD = 1 << 10,
    BURST_SAID_STATUS = 1 << 11,
    BURST_SAID_ACTION = 1 << 12,
    BURST_SAID_WHITELIST = 1 << 13,
    BURST_SAID_WHITELIST_URI = 1 << 14,
    BURST_SAID_TARGETLIST_URI = 1 << 15,
    BURST_SAID_BLOCKLIST_URI = 1 << 16,
    BURST_SAID_EMAIL = 1 << 17,
    BURST_SAID_MAIL_COMMAND = 1 << 18,
    BURST_SAID_SYSTEM_COMMAND = 1 << 19,
    BURST_SAID_LOG_DIR = 1 << 20,
    BURST_SAID_LOG_ONLY = 1 << 21,
    BURST_SAID_HASH_TABLE_SIZE = 1 << 22,
    BURST_SAID_MAX_CLIENTS = 1 << 23,
    BURST_SAID_IPV6_PREFIX = 1 << 24,
    BURST_SAID_FIREWALL = 1 << 25,
};

enum burst_action {
    BURST_ACTION_STATUS, /* the status is answered */
    BURST_ACTION_CLOSE,  /* the connection is closed as soon as it is accepted */
    BURST_ACTION_RESET,  /* the same with a TCP reset */
};

/* More than `count` within `interval_s` seconds: blocked (or, for connections, refused). count 0: this rule is off. */
struct burst_rule {
    uint32_t count;
    uint32_t interval_s;
};

struct burst_limits {
    uint32_t said; /* enum burst_setting; of this scope alone, before and after inheritance */
    bool enabled;  /* DOSEnabled; On as soon as any DOS directive holds for the host */
    bool log_only; /* DOSLogOnly: decide, count and log, but refuse nothing */
    enum burst_action action;
    unsigned status;               /* DOSHTTPStatus: 400 to 599 */
    struct burst_rule page;        /* one client, one page */
    struct burst_rule site;        /* one client, anything of one host */
    struct burst_rule requests;    /* one client, all hosts */
    struct burst_rule connections; /* new connections of one client; of the address's default host */
    uint32_t concurrent;           /* DOSConcurrentConnections: open connections of one client; 0: off */
    uint32_t blocking_period_s;
    const struct ip_mask *whitelist; /* clients that are never counted nor blocked */
    size_t whitelist_count;
    const struct pattern *const *whitelist_uris;  /* paths that are never counted */
    const struct pattern *const *targetlist_uris; /* when there are any, only these paths are counted */
    const struct pattern *const *blocklist_uris;  /* a request for one of these blocks at once */
    size_t whitelist_uri_count, targetlist_uri_count, blocklist_uri_count;
    const char *email;          /* DOSEmailNotify; NULL: no mail */
    const char *mail_command;   /* DOSMailCommand */
    const char *system_command; /* DOSSystemCommand, with its %s and %%; NULL: none */
    const char *log_dir;        /* DOSLogDir; NULL: no files */
};

enum { FIREWALL_SETS_MAX = 2 };
enum firewall_family { FIREWALL_NONE, FIREWALL_IP, FIREWALL_IP6, FIREWALL_INET, FIREWALL_BRIDGE, FIREWALL_NETDEV };

/* DOS values that hold for the whole server: there is one table of clients. */
struct burst_server {
    uint32_t said;                        /* enum burst_setting */
    uint32_t max_clients;                 /* DOSMaxClients */
    uint32_t hash_table_size;             /* DOSHashTableSize: a hint, nothing depends on it; 0: none given */
    unsigned ipv6_prefix_bits;            /* DOSIPv6Prefix */
    enum firewall_family firewall_family; /* DOSFirewall nftables FAMILY TABLE SET [SET]; FIREWALL_NONE: off */
    const char *firewall_table;
    const char *firewall_sets[FIREWALL_SETS_MAX]; /* a set holds one kind of address; NULL: not given */
    struct place firewall_place;
};

/* ---- defaults and inheritance ---------------------------------------- */

/* Every value as it is before anything was said. */
void host_limits_init(struct host_limits *limits);
void server_limits_init(struct server_limits *limits);
void burst_limits_init(struct burst_limits *limits);
void burst_server_init(struct burst_server *server);

/* Gives the first the other's values, one by one, for what it has not said itself. A list is one value: a host's own
 * replaces the server's. DOSEnabled that nobody said is On as soon as the host or the server says any DOS directive. */
void host_limits_inherit(struct host_limits *host, const struct server_limits *server);
void burst_limits_inherit(struct burst_limits *host, const struct burst_limits *server);
/* The same with the defaults as `from`. */
void server_limits_inherit(struct server_limits *limits, const struct server_limits *from);
void burst_server_inherit(struct burst_server *server, const struct burst_server *from);

#endif
