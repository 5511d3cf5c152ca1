/* What the files of the exchange share with each other, and with nobody else: the steps of exchange_states.def and the
 * ways from one to the next. One worker. */
#ifndef WEIR_PROXY_EXCHANGE_STEPS_H
#define WEIR_PROXY_EXCHANGE_STEPS_H

#include "proxy/exchange.h"
#include "proxy/origin_pool.h"

struct tls_context;

enum step_result {
    STEP_AGAIN, /* the state has changed, or the same one can go on */
    STEP_WAIT,  /* an event is needed */
};

#define STATE(constant, step, text) enum step_result step(struct exchange *exchange);
#include "proxy/exchange_states.def"
#undef STATE

/* Answers by itself: the ErrorDocument of the route or the built-in page. Before a head was sent only. */
enum step_result exchange_answer(struct exchange *exchange, int status, enum end_reason reason);
/* Whether a log of its host tells fields of the response. */
bool exchange_logs_response_fields(const struct exchange *exchange);
enum step_result exchange_answer_redirect(struct exchange *exchange, int status, struct span location);

/* Sends a head and a body of weir's own; status and fields of exchange->response are set. The body must live until the
 * exchange ends. */
enum step_result exchange_send_local(struct exchange *exchange, struct span body, struct span content_type);

/* Adds to exchange->response what goes with its status in an answer of weir's: Allow, Retry-After. Also for an
 * ErrorDocument that an origin has sent. */
void exchange_add_status_fields(struct exchange *exchange);

/* A page about weir itself: settings.handler. */
enum step_result exchange_begin_status(struct exchange *exchange);

/* To OPTIONS, or TRACE where that is enabled, with Max-Forwards: 0. TRACE is not reflected: 405. */
enum step_result exchange_answer_last_hop(struct exchange *exchange);

/* The origin failed. Before a head was sent: the next member, an answer (status) or, for an ErrorDocument, the built-in
 * page; after it: the client's connection is cut, so that it sees an incomplete message. */
enum step_result exchange_origin_failed(struct exchange *exchange, int status, enum end_reason reason, const char *why);

/* The context for TLS with exchange->origin; NULL: it is plain, or SSLProxyEngine is Off. */
struct tls_context *exchange_origin_tls(const struct exchange *exchange);

/* Undoes exchange->head_sent where no byte of the response has left: then another answer can still be given. */
void exchange_take_back_head(struct exchange *exchange);

/* Closes or keeps the origin's connection and uncounts the origin. Harmless without one. */
void exchange_leave_origin(struct exchange *exchange, bool reusable);

/* Whether what the origin is asked can be asked again: GET, HEAD or OPTIONS, without a body. */
bool exchange_is_repeatable(const struct exchange *exchange);

/* Moves what there is of the request's body to the origin. False when the exchange was refused because of it. */
bool exchange_relay_body(struct exchange *exchange);
static inline bool exchange_relay_request(struct exchange *exchange) {
    if (exchange->progress == REQUEST_SENDING) {
        return exchange_relay_body(exchange);
    }
    stream_flush(&exchange->connection->stream);
    return true;
}

/* The response is complete. */
enum step_result exchange_finish(struct exchange *exchange, enum end_reason reason);

/* Believes RemoteIPHeader, where these settings say so: exchange->from.client and `trusted`. */
void exchange_find_real_client(struct exchange *exchange, const struct settings *settings);

/* For headers.h and the log. */
struct header_context exchange_header_context(struct exchange *exchange);

/* Called by origin_pool.c from the loop: an event of the connection; the connection's deadline has come. */
void exchange_origin_event(struct exchange *exchange);
void exchange_origin_deadline(struct exchange *exchange);
/* Runs the exchange from the loop's next turn. */
void exchange_kick(struct exchange *exchange);

#endif
