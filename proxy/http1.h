/* HTTP/1.x on a client's connection: heads in, heads out, framing. One of the protocols that can be an exchange's
 * downstream. One worker. */
#ifndef WEIR_PROXY_HTTP1_H
#define WEIR_PROXY_HTTP1_H

#include <stdbool.h>

#include "proxy/client_connection.h"
#include "proxy/slow_reader.h"

struct worker;

/* Memory of one request in service; kept by the worker for the next one. */
struct http1_session {
    struct http1_session *next_spare;
    struct client *client;
    struct head_scan scan;
    struct body_decoder body;
    int64_t body_since_ns;     /* when the body's time began: with the head, or with the 100 that asked for it; later by
                                * all the time in which it was not the client that was waited for */
    int64_t body_read_ns;      /* when the body was last read */
    uint64_t bytes_out_before; /* stream.bytes_out when the request began */
    uint64_t bytes_in;         /* of this request: head, framing and body */
    struct client_writing {    /* how the client takes what it is sent; meaningful while writing is blocked */
        int64_t written_ns;    /* when it last took something */
        uint64_t written_seen; /* stream.bytes_out at that time */
        uint64_t taken_seen;   /* stream_taken() when it was last asked for */
        struct slow_reader slow; /* ResponseMinRate */
    } writing;
    unsigned reads;           /* in this run */
    bool head_begun;          /* a byte of the request has come */
    bool body_awaited;        /* at that time all that had come was used up */
    bool line_checked;        /* the request line, before the rest of the head had come */
    bool keep;                /* the connection is kept after this exchange, as the response said */
    bool chunked;             /* the response's body is chunked */
    bool until_close;         /* the response's body ends with the connection */
    bool raw;                 /* a tunnel */
    struct exchange exchange; /* all before it is cleared for each request; it clears itself */
    _Alignas(max_align_t) char arena_block[4096];
};

enum http1_head {
    HTTP1_HEAD_MORE,
    HTTP1_HEAD_STARTED, /* the exchange is to be run: the request, or the refusal of one */
    HTTP1_HEAD_ENDED,   /* the client ended before a request began */
};

/* Gets a session and begins its exchange. */
void http1_begin(struct client *client);
/* Looks for a whole head in the client's buffer. */
enum http1_head http1_read_head(struct http1_session *session);
enum http1_ending {
    HTTP1_KEEP,   /* another request may follow on the connection */
    HTTP1_CLOSE,  /* all is said and read: close */
    HTTP1_LINGER, /* all is said, but the client may still be sending */
    HTTP1_CUT,    /* the response is incomplete, and its framing tells so */
    HTTP1_GONE,   /* nothing can be sent any more: close at once */
    HTTP1_RESET,  /* incomplete, and only a reset can tell: the body ends with the connection, or the client takes
                   * nothing and the kernel would hold what is queued for it */
};
/* Ends the exchange, which must be done (or never have begun), and gives the session back. */
enum http1_ending http1_end(struct client *client);

/* ResponseMinRate of the host that is served; 0: off. */
static inline unsigned http1_min_rate(const struct http1_session *session) {
    return session->exchange.route.settings->response_min_rate_per_s;
}

/* When the time for what is being waited for is up; 0: no time runs. (This and the next: http1_time.c.) */
int64_t http1_deadline_ns(const struct http1_session *session);
/* It is up. */
void http1_expired(struct http1_session *session);

void http1_free_spares(struct worker *worker);

#endif
