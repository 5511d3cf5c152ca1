/* One request and its response: the life between a head that was understood and the line in the log.
 *
 * An exchange knows no wire protocol on the client's side: it asks a downstream for the request's body and hands it the
 * response through a table of functions; http1.c is one such downstream. It never calls its downstream's owner back to
 * say that it is over: whoever runs it (exchange_run) looks at exchange_is_done() afterwards. One worker.
 *
 * Everything that belongs to a request is in its arena, and every count, connection and reference that it holds is
 * given back in one place, exchange_end(). */
#ifndef WEIR_PROXY_EXCHANGE_H
#define WEIR_PROXY_EXCHANGE_H

#include <ev.h>

#include "proxy/deadline.h"
#include "proxy/http_body.h"
#include "proxy/message.h"
#include "proxy/route.h"
#include "shaper/burst.h"
#include "shaper/shaper.h"

struct exchange;
struct generation;
struct host_log;
struct origin_connection;
struct origin_runtime;
struct ready_answer;
struct splice_pipe;
struct status_job;
struct stream;
struct tls_facts;
struct worker;

enum exchange_state {
#define STATE(constant, step, text) EXCHANGE_##constant,
#include "proxy/exchange_states.def"
#undef STATE
};

enum end_reason {
#define REASON(constant, word, meaning) END_##constant,
#include "proxy/end_reasons.def"
#undef REASON
};
const char *end_reason_word(enum end_reason reason);

/* The client's side of an exchange, whatever is spoken there. None of these calls back. */
struct downstream_operations {
    /* The request's body: what there is of it, in order. */
    enum body_status (*read_body)(void *downstream, struct span *data, struct http_problem *problem);
    void (*use_body)(void *downstream, size_t bytes);
    const struct field_list *(*trailers)(void *downstream); /* after BODY_END; may be empty */

    void (*send_interim)(void *downstream, const struct response_head *response); /* 1xx */
    /* The final head; the body follows in send_body() as `response->framing` says, unless that is BODY_NONE. */
    void (*send_head)(void *downstream, const struct response_head *response);
    /* A whole response instead: only what is the connection's, the date and Retry-After (0: none) are added. Returns
     * how many bytes of it are the head. */
    size_t (*send_ready)(void *downstream, const struct ready_answer *answer, int64_t retry_after_s);
    /* How many bytes were taken; fewer than offered: blocked, and the exchange is run again when there is room. */
    size_t (*send_body)(void *downstream, struct span data);
    /* The stream that the body's bytes go to as they are, when that is so now and nothing waits before them; else NULL.
     */
    struct stream *(*raw_stream)(void *downstream);
    void (*send_end)(void *downstream,
                     const struct field_list *trailers); /* the body is complete; trailers may be NULL */
    void (*send_switch)(void *downstream, const struct response_head *response); /* 101: raw bytes from here on */
    void (*send_shutdown)(void *downstream);                                     /* tunnel: no more bytes will come */
    /* The response is paced: little should wait in the socket's send queue. A turn is about to be written, of turns
     * that come at this rate; 0: it is not known yet, UINT64_MAX: there is no cap any more. */
    void (*hint_paced)(void *downstream, uint64_t bytes_per_s);
    /* The client has proved to take what it is sent: much may wait in the socket's send queue. */
    void (*hint_fast)(void *downstream);
    /* Forgets all that was sent, when none of it has left yet; false when some has. */
    bool (*take_back)(void *downstream);
    /* Hands what was sent to the kernel. True when all of it is there. */
    bool (*flush)(void *downstream);
    /* How long the client has taken nothing of what waits for it; 0: it is not the client that is waited for. */
    int64_t (*stalled_ns)(void *downstream);
    bool (*is_broken)(void *downstream);       /* nothing can be sent any more */
    bool (*is_gone)(void *downstream);         /* asks the kernel whether the client has reset the connection */
    uint64_t (*bytes_out)(void *downstream);   /* of this exchange, head and framing included */
    uint64_t (*bytes_given)(void *downstream); /* those, and what is queued */
    uint64_t (*bytes_in)(void *downstream);

    /* Asks the owner to run this exchange, from an event of the origin's side or of a timer. */
    void (*run)(void *downstream);
};

enum request_progress {
    REQUEST_UNSENT,  /* the head has not gone out */
    REQUEST_SENDING, /* the body follows */
    REQUEST_SENT,    /* complete */
    REQUEST_STOPPED, /* the origin takes no more of it, or it was malformed: the client's connection cannot be kept */
};

/* Who is on the other side, as the connection knows it; copied. */
struct exchange_client {
    struct ip_address peer, local;
    struct ip_address client; /* peer, or what the PROXY protocol said */
    uint16_t peer_port, local_port, client_port;
    const struct tls_facts *tls; /* lives as long as the connection; NULL: plain */
    bool https;
    bool trusted;                   /* the PROXY protocol spoke */
    bool control;                   /* it came through the ControlSocket */
    struct burst_client *connected; /* what counts the connection among its client's; NULL: nothing does */
    struct shaper_visitor *visitor; /* what the shaper keeps for the connection's next request */
};

struct exchange {
    struct worker *worker;
    const struct downstream_operations *operations;
    void *downstream;
    struct generation *generation;         /* one reference: worker_take_generation() */
    const struct address_set *local_hosts; /* of that generation: those of the address that the client came to */
    struct arena arena;

    struct request_head request;
    struct span request_line;
    struct route route; /* route.host is set from the start */
    unsigned keepalive_number;
    int64_t started_ns, started_wall_us; /* first byte of the head */

    enum exchange_state state;
    enum end_reason reason;
    enum request_progress progress;
    bool head_sent;      /* a final response head has been given to the downstream */
    bool aborted;        /* the client's connection must be cut: the response is incomplete */
    bool close_after;    /* the client's connection must not be kept */
    bool reset_client;   /* with `aborted`: by a reset */
    bool waiting_client; /* the last run stopped because the client took no more */
    bool waiting_body;   /* the last run stopped because the client had sent no more */
    bool counted;        /* among the requests being served */
    bool origin_keeps;   /* the origin's connection can be used again after this response */
    bool moved;          /* something moved in this run: the origin's time begins again */

    struct deadline deadline; /* until there is a connection to the origin that can be written to */
    int64_t due_ns; /* from then on: when the origin's time is up; `connection` has a deadline for it. 0: none */
    ev_timer kick;  /* runs the exchange from the loop, for what must not be done inside a call */

    struct origin_connection *connection; /* NULL: none */
    struct splice_pipe *pipe;             /* the response's body goes through it; NULL: it is copied */
    struct origin_runtime *runtime;       /* counted with origin_begin(); NULL: none */
    const struct origin *origin;
    const struct balancer_member *member;
    uint64_t tried_members;
    unsigned address_attempt;
    bool fresh_only; /* the next connection must be a new one */
    bool retried;
    bool no_tls; /* a member was given up because TLS with it failed */
    unsigned interim_count;
    int64_t asked_ns, answered_ns; /* origin: request head sent, response head received; 0: not */

    enum shaper_outcome shaping; /* what the shaper decided */
    enum shaper_reason shaping_reason;
    bool shaping_dry;                   /* it decided so in a dry run */
    bool is_paced;                      /* the last grant was under a cap */
    bool head_waits;                    /* for its turn: a response without a body */
    int64_t delay_ns, delayed_until_ns; /* state DELAY */
    int64_t retry_after_s;              /* of an answer of the shaper's or of a block; 0: no such field */
    enum burst_reason burst_reason;     /* why burst blocking refuses the request, or would but for DOSLogOnly */
    uint64_t paced_bytes_per_s;         /* the downstream was told that turns come at this rate; 0: not known */
    int64_t pace_at_ns;     /* in a run: the earliest moment at which something more may be moved; 0: none */
    uint64_t charged_bytes; /* of the response, so far */

    int error_document_status;     /* an ErrorDocument is being fetched for this status; 0: none */
    struct span local_body;        /* state LOCAL: what is left of it */
    struct status_job *status_job; /* state STATUS, and until the answer has been sent; NULL: none */
    char *form;                    /* state STATUS_READ: the request's body so far */
    size_t form_bytes;
    size_t ready_head_bytes; /* the response was sent in one piece, of which so much is its head; 0: it was not */
    uint64_t body_bytes_out;
    void *waiter_next; /* origin_pool.c: the queue for a connection */
    bool is_waiting;
    bool is_woken; /* it was that one's turn, and it has not tried yet */

    /* All before is cleared for each request, and of the ticket what says that there is none. */
    struct shaper_ticket ticket;
    struct response_head response; /* as it is sent; set as a whole before head_sent */
    struct exchange_client from;   /* `client` and `trusted` change when RemoteIPHeader is believed */
};

/* Begins with the first byte of a request. first_block: memory for the arena. The generation is the worker's;
 * local_hosts is that generation's; their default serves for as long as nobody knows which one is asked for. */
void exchange_begin(struct exchange *exchange, struct worker *worker, const struct downstream_operations *operations,
                    void *downstream, void *first_block, size_t first_block_bytes, const struct exchange_client *from,
                    const struct address_set *local_hosts);

/* The request's head was understood (exchange->request is filled in): serve it at the next run. */
void exchange_start(struct exchange *exchange);
/* It was not, or took too long: answer with `status` and close. May also be called while the request is being served,
 * when its body turns out bad: the connections are cut if a head was sent already. */
void exchange_refuse(struct exchange *exchange, int status, enum end_reason reason, const char *why);

/* Does all that can be done now. Afterwards waiting_* say what for. */
void exchange_run(struct exchange *exchange);
static inline bool exchange_is_done(const struct exchange *exchange) {
    return exchange->state == EXCHANGE_DONE;
}

/* The client waits for a 100 before it sends the body: that it sends nothing is not its fault. */
static inline bool exchange_awaits_continue(const struct exchange *exchange) {
    return exchange->request.expect_continue; /* until a 100 has come; a 103 says nothing of the body */
}

/* The client is gone: ends without a word. */
void exchange_abort(struct exchange *exchange, enum end_reason reason);

/* Counts, writes the access log, gives back all that is held, frees the arena. Exactly once, after DONE. logged: false
 * for an exchange in which no byte of a request ever came. */
void exchange_end(struct exchange *exchange, bool logged);

/* "reading the response head" */
const char *exchange_state_text(enum exchange_state state);

#endif
