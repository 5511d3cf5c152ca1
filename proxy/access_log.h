/* The access log: one line an exchange, in Apache's formats or JSON, handed to the log writer without blocking.
 *
 * Formats are compiled once a generation and immutable; formatting is done on the worker into a buffer of its own; the
 * line is then queued (log_writer.h). A line that finds no room is lost and counted, the request never waits. */
#ifndef WEIR_PROXY_ACCESS_LOG_H
#define WEIR_PROXY_ACCESS_LOG_H

#include "config/config.h"
#include "proxy/message.h"
#include "proxy/route.h"
#include "proxy/tls_facts.h"

struct access_record {                    /* all that a line may tell; absent things are zero */
    const struct virtual_host *host;      /* NULL: refused before a host was known */
    const struct request_head *request;   /* NULL when no head was understood */
    const struct response_head *response; /* what was sent; NULL when nothing was */
    struct span request_line;             /* as received, for %r; may be cut short and hold any byte */
    struct ip_address client, peer, local;
    uint16_t client_port, peer_port, local_port;
    int64_t started_wall_us;    /* microseconds since the epoch */
    int64_t duration_ns;        /* from the head's first byte to the response's last */
    int64_t origin_duration_ns; /* until the origin's response head; -1: no origin was asked */
    int64_t delay_ns;           /* added by the shaper */
    int status;
    uint64_t body_bytes_out;   /* %B, %b: of the body, without framing */
    uint64_t bytes_out;        /* %O: all that was sent of the response */
    uint64_t bytes_in;         /* %I: all that was received of the request */
    unsigned keepalive_number; /* %k: requests before this one on the connection */
    bool aborted;              /* %X: the connection ended before the response did */
    bool keep_alive;           /* %X: the connection is kept */
    bool https;
    const char *decision;        /* "pass", "delayed", "refused", "redirected", "blocked"; "dry-" before */
    const char *reason;          /* end reason or reason of the decision */
    const char *class_name;      /* CBandClass of the client; NULL */
    const char *upstream;        /* name of the origin asked; NULL */
    const struct tls_facts *tls; /* of the client's connection; NULL: plain */
};

struct access_log_format; /* compiled */

/* Apache's codes are those of mod_log_config and mod_logio; what has no meaning in a proxy is "-". Of weir's own,
 * %{weir-delay}x is milliseconds, %{weir-request-time}x and %{weir-origin-time}x are seconds with three decimals. NULL
 * with *error (malloc'ed text, the caller frees) for an unknown code. "json" gives the built-in one. */
struct access_log_format *access_log_format_new(const char *format, char **error);
/* Whether a line tells a field of the response (%{name}o). */
bool access_log_reads_response(const struct access_log_format *format);
void access_log_format_free(struct access_log_format *format);

/* Writes one line with its newline; what comes from a peer is escaped as Apache does (\xhh, \", \\). Returns the length
 * in bytes, at most `size`; a line that is longer is cut and still ends in a newline; in JSON its texts are shortened,
 * so that it is always a whole object. Allocates nothing. Any thread. */
size_t access_log_format_line(const struct access_log_format *format, const struct access_record *record, char *line,
                              size_t size);

#endif
