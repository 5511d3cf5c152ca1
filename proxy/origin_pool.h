/* Connections of one worker to origins: kept while idle, made when needed, counted against max=.
 *
 * Keyed by the origin's name, so that connections outlive a reload, and by the TLS context, so that nobody gets a
 * connection that was checked less than his host asks for; the newest TLS session is kept for the next connection. A
 * connection belongs to at most one exchange. Idle ones are watched: one that the origin closes, or speaks on unasked,
 * is dropped. One worker. */
#ifndef WEIR_PROXY_ORIGIN_POOL_H
#define WEIR_PROXY_ORIGIN_POOL_H

#include "proxy/deadline.h"
#include "proxy/gather.h"
#include "proxy/http_body.h"
#include "proxy/stream.h"

struct exchange;
struct origin;
struct tls_context;
struct origin_pool;
struct origin_pool_entry; /* all connections to one origin */

struct origin_connection {
    struct stream stream;
    struct origin_pool_entry *entry;
    struct exchange *exchange;                 /* NULL: idle */
    struct origin_connection *next, *previous; /* among the idle ones of the entry */
    struct deadline deadline; /* set while it is idle or at work, often to an earlier time than the one that counts */
    int64_t idle_since_ns;
    struct gathering gathering; /* while the response's body is spliced */
    bool connecting;
    bool connect_ended;       /* its event has come; origin_connection_error() tells how */
    bool reused;              /* a response was read on it before */
    uint64_t bytes_in_before; /* stream.bytes_in when this exchange got it */
    struct head_scan scan;    /* of the response head */
    struct body_decoder body; /* of the response */
    bool request_chunked;     /* how the request's body is framed */
    bool raw;                 /* a tunnel: no framing either way */
};

struct origin_pool *origin_pool_new(struct worker *worker);
void origin_pool_free(struct origin_pool **pool); /* no exchange may hold a connection any more */

enum origin_acquire {
    ORIGIN_IDLE,       /* *connection is ready to be written to */
    ORIGIN_CONNECTING, /* it will be writable, or fail, when its event comes */
    ORIGIN_FAILED,     /* errno says why */
    ORIGIN_UNWANTED,   /* a new connection would be made, but the client is gone */
    ORIGIN_FULL,       /* max= are open: the exchange is in the queue and will be kicked when one is free */
};
/* fresh: do not take an idle one. check: the request cannot be sent twice, so look first whether an idle one has been
 * closed in the meantime. */
enum origin_acquire origin_pool_acquire(struct origin_pool *pool, struct exchange *exchange, bool fresh, bool check,
                                        struct origin_connection **connection);

/* Begins TLS on a connection that is connected, for an origin of https://. */
void origin_connection_begin_tls(struct origin_connection *connection, const struct origin *origin);

/* Connected, and where TLS is spoken its handshake is over. */
bool origin_connection_is_ready(const struct origin_connection *connection);

/* Out of the queue again, when the exchange ends while it waits. One that was woken and has not tried yet gives its
 * turn to the next. */
void origin_pool_cancel_wait(struct origin_pool *pool, struct exchange *exchange);

/* The exchange is over: kept for the next when `reusable`, else closed. */
void origin_connection_release(struct origin_connection *connection, bool reusable);

/* For an event while connecting: 0 when it is connected, EINPROGRESS, or the error. */
int origin_connection_error(struct origin_connection *connection);

/* Appends so much of the request's body as there is room for, framed. Returns how many bytes of `data` were taken. */
size_t origin_connection_send_body(struct origin_connection *connection, struct span data);

/* One function decides what a connection waits for. */
void origin_connection_settle(struct origin_connection *connection);

#endif
