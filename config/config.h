/* The whole configuration as plain, immutable data: what the operator said, and nothing that has happened.
 *
 * A struct config is built and checked by config_load() on the housekeeping thread and never changed afterwards; all
 * threads read it. It is reference-counted: each worker holds one reference to the generation it serves and each
 * exchange one to the generation that routed it, so an old one lives until its last exchange has ended. Everything a
 * config points to belongs to its arena. Run-time state (health, quotas, blocks) is never in here: it is kept elsewhere
 * by name, and so survives a reload. Durations are nanoseconds (_ns), sizes bytes (_bytes). */
#ifndef WEIR_CONFIG_CONFIG_H
#define WEIR_CONFIG_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/arena.h"
#include "config/ipaddr.h"
#include "config/limits.h"
#include "config/pattern.h"
#include "config/place.h"
#include "config/span.h"

/* ---- origins -------------------------------------------------------------------------------------------------- */

enum origin_scheme { ORIGIN_HTTP, ORIGIN_HTTPS };

/* One server that requests are sent to. Two equal URLs with equal parameters are one origin. */
struct origin {
    const char *name; /* "http://127.0.0.1:8080" or "unix:/run/app.sock|http://app": the key of its run-time state */
    enum origin_scheme scheme;
    const char *host;      /* without brackets; what Host and SNI say when ProxyPreserveHost is Off */
    uint16_t port;         /* 80 or 443 where the URL has none */
    const char *host_port; /* "host" or "host:port" when the port is not the scheme's: a Host field's value */
    const char *unix_path; /* NULL: TCP */
    size_t index;          /* in config->origins */

    int64_t timeout_ns;         /* timeout=; 0: ProxyTimeout holds */
    int64_t connect_timeout_ns; /* connectiontimeout=; 0: timeout */
    int64_t retry_ns;           /* retry=; 60 s for a member of a balancer, else 0 */
    unsigned max_connections;   /* max=, for each worker; 0: unlimited */
    int64_t ttl_ns;             /* ttl=: idle connections older than this are not used again; 0: no bound */
    bool keepalive;             /* keepalive=On: TCP keep-alive on the connection */
    bool disable_reuse;         /* disablereuse=On */
    struct place place;
};

enum balancer_method { BALANCE_BY_REQUESTS, BALANCE_BY_BUSYNESS };

struct balancer_member {
    const struct origin *origin;
    const char *path;          /* path part of the member's URL, "" for none */
    unsigned load_factor_x100; /* loadfactor=, 1 to 100, in hundredths; 100 is 1 */
    const char *route;         /* route=; NULL: none */
    bool hot_standby;          /* status=+H: used only when no other member can be */
    bool disabled;             /* status=+D */
    size_t index;              /* in the balancer */
};

struct balancer {
    const char *name; /* "balancer://name": the key of its run-time state */
    const struct balancer_member *members;
    size_t member_count;
    enum balancer_method method;
    const char *sticky_cookie; /* stickysession=COOKIE; NULL: none */
    const char *health_path;   /* ProxyHCUri; NULL: no active checks */
    int64_t health_interval_ns;
    unsigned health_passes; /* good answers in a row that bring a member back */
    unsigned health_fails;  /* bad ones in a row that take it out */
    size_t index;           /* in config->balancers */
    struct place place;
};

/* ProxyPass, ProxyPassMatch. In a host in file order, the first that matches wins; in a location at most one. */
struct proxy_pass {
    const char *path;              /* the prefix that is replaced; NULL with a pattern */
    const struct pattern *pattern; /* ProxyPassMatch */
    bool exempt;                   /* "!": not proxied */
    const struct origin *origin;   /* NULL with a balancer */
    const struct balancer *balancer;
    const char *target_path; /* path part of the URL that replaces the prefix; with a pattern may hold $1 to $9 */
    struct place place;
};

struct reverse_map {  /* ProxyPassReverse, ProxyPassReverseCookieDomain, ProxyPassReverseCookiePath */
    const char *from; /* what the origin says: a URL, a domain, a path */
    const char *to;   /* what the client is told: a path of this host, a domain, a path */
};

/* ---- what holds for a request: server, host and location ------------------------------------------------------ */

struct read_timeout { /* one phase of RequestReadTimeout; 0: off */
    int64_t initial_ns;
    int64_t maximum_ns;      /* 0: no upper bound */
    unsigned min_rate_per_s; /* each so many bytes extend the time by a second; 0: no extension */
};

enum via_mode { VIA_OFF, VIA_ON, VIA_FULL, VIA_BLOCK };
enum handler_kind {
    HANDLER_NONE,
    HANDLER_STATUS,
    HANDLER_STATUS_ME,
    HANDLER_METRICS,
    HANDLER_CONTROL /* what comes through the ControlSocket; no SetHandler names it */
};

enum header_action { HEADER_SET, HEADER_APPEND, HEADER_ADD, HEADER_UNSET, HEADER_EDIT, HEADER_EDIT_ALL, HEADER_MERGE };
enum header_early { HEADER_ONSUCCESS, HEADER_ALWAYS };

/* Header, RequestHeader. The value may hold Apache's format codes (%%, %t, %D, %{NAME}e, %{NAME}s). */
struct header_change {
    enum header_action action;
    bool always; /* Header always: also on answers that weir itself makes and on errors */
    const char *name;
    const char *value;             /* set, append, add, merge: the value; edit: the replacement; unset: NULL */
    const struct pattern *pattern; /* edit */
};

struct redirect { /* Redirect, RedirectMatch: before ProxyPass, in file order */
    int status;   /* 301, 302, 303, 307, 308, or any 4xx, 5xx or 410 without a target */
    const char *path;
    const struct pattern *pattern;
    const char *target; /* NULL for a status without one; may hold $1 to $9 with a pattern */
};

struct error_document {
    int status;
    const char *text; /* shown as it is, text/html */
    const char *path; /* fetched from the host's origin; begins with "/" */
    const char *url;  /* redirected to, 302 */
};

/* Require, <RequireAll> …, and Order/Allow/Deny: a tree that is asked for a verdict. */
enum access_kind {
    ACCESS_ALL,
    ACCESS_ANY,
    ACCESS_NONE,
    ACCESS_GRANTED,
    ACCESS_DENIED,
    ACCESS_IP,
    ACCESS_LOCAL,
    ACCESS_METHOD,
    ACCESS_ORDER
};
struct access_rule {
    enum access_kind kind;
    bool negated;                              /* Require not … */
    const struct access_rule *const *children; /* ALL, ANY, NONE */
    size_t child_count;
    const struct ip_prefix *prefixes; /* IP; for ORDER the allowed ones */
    size_t prefix_count;
    const struct ip_prefix *denied; /* ORDER */
    size_t denied_count;
    bool allow_all, deny_all;   /* ORDER: "Allow from all", "Deny from all" */
    bool allow_last;            /* ORDER: Deny,Allow (the default): an address in neither list is let in */
    const char *const *methods; /* METHOD */
    size_t method_count;
};

/* Which of the plain values below have been said in this scope. */
enum setting {
    SETTING_TIMEOUT,
    SETTING_KEEPALIVE,
    SETTING_KEEPALIVE_TIMEOUT,
    SETTING_MAX_KEEPALIVE_REQUESTS,
    SETTING_REQUEST_READ_TIMEOUT,
    SETTING_LIMIT_REQUEST_LINE,
    SETTING_LIMIT_REQUEST_FIELDS,
    SETTING_LIMIT_REQUEST_FIELD_SIZE,
    SETTING_LIMIT_REQUEST_BODY,
    SETTING_RESPONSE_MIN_RATE,
    SETTING_UNSAFE_PROTOCOL,
    SETTING_TRACE_ENABLE,
    SETTING_PRESERVE_HOST,
    SETTING_PROXY_TIMEOUT,
    SETTING_ADD_HEADERS,
    SETTING_VIA,
    SETTING_HANDLER,
    SETTING_ACCESS,
    SETTING_PROXY_PASS,
    SETTING_REMOTE_IP_HEADER,
    SETTING_REMOTE_IP_PROXIES,
    SETTING_READ_HEADER,
    SETTING_READ_BODY,
    SETTING_READ_HANDSHAKE, /* the phases that RequestReadTimeout named */
};

struct remote_ip_proxy {
    struct ip_prefix prefix;
    bool internal; /* RemoteIPInternalProxy: private addresses that it names are believed */
};

/* Values of one scope. `said` has a bit (1 << enum setting) for each plain value; settings_merge() lays a later scope
 * over an earlier one. Lists are not merged: whoever needs them walks the scopes of the route in order. */
struct settings {
    uint64_t said;
    int64_t timeout_ns;
    int64_t keepalive_timeout_ns;
    unsigned max_keepalive_requests; /* 0: unlimited */
    struct read_timeout read_header, read_body, read_handshake;
    unsigned limit_request_line, limit_request_fields, limit_request_field_size; /* bytes, count, bytes; 0: unlimited */
    uint64_t limit_request_body_bytes;                                           /* 0: unlimited */
    unsigned response_min_rate_per_s;                                            /* bytes; 0: off */
    int64_t proxy_timeout_ns;                                                    /* 0: timeout_ns */
    enum via_mode via;
    enum handler_kind handler;
    bool keepalive, unsafe_protocol, trace_enable, preserve_host, add_headers;
    const struct access_rule *access;    /* NULL: everybody */
    const struct proxy_pass *proxy_pass; /* ProxyPass in a location */
    const char *remote_ip_header;        /* NULL: off */
    const struct remote_ip_proxy *remote_ip_proxies;
    size_t remote_ip_proxy_count;

    const struct header_change *request_headers, *response_headers;
    size_t request_header_count, response_header_count;
    const struct redirect *redirects;
    size_t redirect_count;
    const struct error_document *error_documents;
    size_t error_document_count;
    const struct reverse_map *reverse_urls, *reverse_cookie_domains, *reverse_cookie_paths;
    size_t reverse_url_count, reverse_cookie_domain_count, reverse_cookie_path_count;
};

/* Plain values said in `later` replace those of `into`; its lists are left alone. */
void settings_merge(struct settings *into, const struct settings *later);

struct location {
    const char *path; /* <Location>; may hold wildcards when `wildcard` */
    bool wildcard;
    const struct pattern *pattern; /* <LocationMatch>, <Location ~ …> */
    struct settings settings;      /* of this scope alone */
    struct place place;
};

/* ---- hosts, listeners, logs ----------------------------------------------------------------------------------- */

struct host_address {          /* an argument of <VirtualHost> */
    struct ip_address address; /* IP_NONE: any ("*", "_default_") */
    uint16_t port;             /* 0: any */
};

struct access_log {
    const char *path;   /* or "|…" which is refused; never NULL */
    const char *format; /* the format text, names already looked up; "json" is the built-in one */
    struct place place;
};

struct virtual_host {
    const char *name;           /* ServerName without scheme and port; for the main server its ServerName or "" */
    uint16_t port;              /* of ServerName; 0: none given */
    const char *const *aliases; /* ServerAlias; may hold * and ? */
    size_t alias_count;
    const struct pattern *const *alias_patterns; /* ServerAliasMatch */
    size_t alias_pattern_count;
    const struct host_address *addresses;
    size_t address_count;
    bool is_main; /* the server outside all <VirtualHost>s: for requests that match none */

    struct settings scope;               /* what this host's own lines say */
    struct settings effective;           /* defaults, server and host laid over each other; lists empty */
    const struct settings *server_scope; /* the server's own lines; for the main server itself NULL */

    const struct location *const *locations; /* the server's, then the host's, in file order */
    size_t location_count;
    const struct proxy_pass *proxy_passes; /* the host's, then the server's, in file order */
    size_t proxy_pass_count;
    const struct access_log *access_logs; /* the host's own, or else the server's */
    size_t access_log_count;

    struct host_limits limits;   /* CBand* */
    struct burst_limits burst;   /* DOS* */
    struct tls_server tls;       /* SSL* */
    struct tls_client tls_proxy; /* SSLProxy* */
    size_t index;                /* in config->hosts */
    struct place place;
};

struct listener {
    const char *name;          /* "127.0.0.1:8080", "[::]:443", "unix:/path": as bound; the key across reloads */
    struct ip_address address; /* IP_NONE: any address, both families where the system has them */
    uint16_t port;
    const char *unix_path; /* NULL: TCP */
    bool https, proxy_protocol;
    bool control; /* ControlSocket: for who may read and write the socket's file, and for nothing but weir itself */
    struct place place;
};

enum log_level {
    LOG_LEVEL_EMERG,
    LOG_LEVEL_ALERT,
    LOG_LEVEL_CRIT,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};
enum log_target { LOG_TO_STDERR, LOG_TO_FILE, LOG_TO_SYSLOG };

struct server_settings {
    unsigned workers;                                   /* 0: auto, one a core */
    unsigned max_connections;                           /* 0: from the limit of open files */
    const char *user, *group;                           /* NULL: as started */
    const char *pid_file, *state_file, *control_socket; /* NULL: none; absolute paths */
    unsigned usage_history_days;                        /* UsageHistory */
    bool lists_clients; /* a status page or ControlSocket shows clients, and so they are to be known */
    enum log_target log_target;
    const char *log_path;     /* LOG_TO_FILE */
    const char *log_facility; /* LOG_TO_SYSLOG, e.g. "daemon" */
    enum log_level log_level;
    int64_t graceful_timeout_ns; /* GracefulShutdownTimeout */
    struct server_limits limits; /* CBand* of the server */
    struct burst_server burst;   /* DOS* that hold for the whole server */
};

struct statement; /* config/dump.h */

struct config {
    atomic_size_t references;
    uint64_t generation; /* set by the process: counts loads from 1 */
    struct arena arena;
    const char *path; /* absolute, of the main file */
    struct server_settings server;
    const struct listener *listeners;
    size_t listener_count;
    const struct virtual_host *const *hosts; /* [0] is the main server, then the <VirtualHost>s in file order */
    size_t host_count;
    const struct origin *const *origins;
    size_t origin_count;
    const struct balancer *const *balancers;
    size_t balancer_count;
    const struct client_class *classes; /* <CBandClass> */
    size_t class_count;
    const struct user_limits *users; /* <CBandUser> */
    size_t user_count;
    const struct statement *statements; /* the lines as understood, for config_dump() */
    void **owned_patterns;              /* freed with the config */
    size_t owned_pattern_count;
};

struct config_options {
    const char *path;           /* of the main file */
    bool strict;                /* --strict: what would be warned of is an error */
    const char *const *defines; /* -D */
    size_t define_count;
    bool check_files;     /* look whether named files exist and can be read; off in fuzzing */
    bool forbid_includes; /* Include is an error: for texts that nobody trusts */
};

/* Reads and checks a file. Errors and warnings are written to `messages`, all of them. NULL when there was an error.
 * The caller owns one reference. Blocks on file reads: housekeeping thread or start-up only. */
struct config *config_load(const struct config_options *options, FILE *messages);
/* The same from memory; includes are relative to `options->path`. For tests and fuzzing. */
struct config *config_load_text(const struct config_options *options, struct span text, FILE *messages);

struct config *config_ref(struct config *config); /* any thread */
void config_unref(struct config **config);        /* any thread; nulls the caller's pointer; the last one frees */

/* Printers behind -S, --dump-config, -L, proxy.conf.sample (weir --print-sample) and weir.conf(5) (--print-manual). */
void config_print_hosts(const struct config *config, FILE *out);
void config_dump(const struct config *config, FILE *out);
void config_print_directives(FILE *out);
void config_print_sample(FILE *out);
void config_print_manual(FILE *out);

#endif
