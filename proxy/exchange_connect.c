/* States CONNECT, CONNECTING and SEND: from a route to a connection on which the request's head is on its way. One
 * worker. Always true: exchange->runtime is set exactly between origin_begin() and origin_end(). */
#include <errno.h>
#include <string.h>

#include "proxy/exchange_steps.h"
#include "proxy/generation.h"
#include "proxy/headers.h"
#include "proxy/http_head.h"
#include "proxy/log.h"
#include "proxy/origin_pool.h"
#include "proxy/splice.h"
#include "proxy/tls_generation.h"
#include "proxy/tls_link.h"
#include "proxy/worker.h"

bool exchange_is_repeatable(const struct exchange *exchange) {
    struct span method = exchange->request.method;
    if (exchange->error_document_status != 0) {
        return true; /* a GET for the document, whatever the client has asked */
    }
    return exchange->request.framing == BODY_NONE &&
           (span_equal(method, SPAN_LITERAL("GET")) || span_equal(method, SPAN_LITERAL("HEAD")) ||
            span_equal(method, SPAN_LITERAL("OPTIONS")));
}

void exchange_leave_origin(struct exchange *exchange, bool reusable) {
    if (exchange->is_waiting || exchange->is_woken) {
        origin_pool_cancel_wait(exchange->worker->origin_pool, exchange);
    }
    if (exchange->pipe != NULL) {
        splice_pipe_take_back(exchange->worker, exchange->pipe);
        exchange->pipe = NULL;
    }
    if (exchange->connection != NULL) {
        struct origin_connection *connection = exchange->connection;
        exchange->connection = NULL;
        if (exchange->aborted && exchange->state != EXCHANGE_TUNNEL &&
            exchange_is_repeatable(exchange)) { /* nobody misses the answer; nothing shall wait for it */
            stream_reset_on_close(&connection->stream);
        }
        origin_connection_release(connection, reusable && !exchange->origin->disable_reuse);
    }
    if (exchange->runtime != NULL) {
        origin_end(exchange->runtime);
        exchange->runtime = NULL;
    }
    if (exchange->state == EXCHANGE_TUNNEL) {
        counters_subtract(&exchange->worker->counters, COUNTER_TUNNELS, 1);
    }
}

/* The value of a cookie in the request (RFC 6265, 4.2.1). */
static struct span cookie_value(const struct field_list *fields, const char *name) {
    struct span wanted = span_of(name);
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->fields[i].id != FIELD_COOKIE) {
            continue;
        }
        struct span rest = fields->fields[i].value;
        while (rest.len > 0) {
            const char *end = memchr(rest.ptr, ';', rest.len);
            struct span pair = {rest.ptr, end != NULL ? (size_t)(end - rest.ptr) : rest.len};
            rest = span_skip(rest, pair.len + 1);
            pair = span_trim(pair);
            if (pair.len > wanted.len && pair.ptr[wanted.len] == '=' && span_starts_with(pair, wanted)) {
                return span_skip(pair, wanted.len + 1);
            }
        }
    }
    return SPAN_NONE;
}

/* Sets origin and member, and counts the exchange there. False: there is none that could be asked. */
static bool choose_origin(struct exchange *exchange) {
    const struct origins *origins = exchange->generation->origins;
    const struct proxy_pass *pass = exchange->route.proxy_pass;
    int64_t now_ns = exchange->worker->now_ns;
    if (pass->balancer != NULL) {
        struct span cookie = pass->balancer->sticky_cookie != NULL
                                 ? cookie_value(&exchange->request.fields, pass->balancer->sticky_cookie)
                                 : SPAN_NONE;
        exchange->member = origins_choose(origins, pass->balancer, cookie, exchange->tried_members, now_ns);
        if (exchange->member == NULL) {
            return false;
        }
        exchange->origin = exchange->member->origin;
    } else {
        exchange->member = NULL; /* an ErrorDocument may come from elsewhere than what it stands for */
        exchange->origin = pass->origin;
    }
    struct origin_runtime *runtime = origins_get(origins, exchange->origin);
    if (pass->balancer == NULL && !origin_usable(runtime, now_ns)) {
        return false;
    }
    exchange->runtime = runtime;
    origin_begin(runtime);
    return true;
}

static void set_connect_deadline(struct exchange *exchange) {
    const struct settings *settings = exchange->route.settings;
    int64_t timeout_ns = exchange->origin->connect_timeout_ns;
    if (timeout_ns == 0) {
        timeout_ns = exchange->origin->timeout_ns;
    }
    if (timeout_ns == 0) {
        timeout_ns = settings->proxy_timeout_ns > 0 ? settings->proxy_timeout_ns : settings->timeout_ns;
    }
    deadline_set(&exchange->worker->deadlines, &exchange->deadline, exchange->worker->now_ns + timeout_ns);
}

/* Nothing has been sent, so the next address, then the next member, may be tried. */
static enum step_result connect_failed(struct exchange *exchange, int error) {
    struct worker *worker = exchange->worker;
    counters_add(&worker->counters, COUNTER_ORIGIN_CONNECT_FAILURES, 1);
    log_error("cannot connect to origin %s: %s", exchange->origin->name, strerror(error));
    origin_add(exchange->runtime, ORIGIN_COUNT_FAILURES);
    bool was_member = exchange->member != NULL;
    exchange->address_attempt++;
    union socket_address address;
    socklen_t length;
    bool more = origin_address(exchange->runtime, exchange->address_attempt, &address, &length) && error != EMFILE &&
                error != ENFILE;
    if (!more) {
        origin_failed(exchange->runtime, exchange->origin, worker->now_ns);
        exchange->address_attempt = 0;
        if (was_member && exchange->member->index < 64) {
            exchange->tried_members |= UINT64_C(1) << exchange->member->index;
        }
    }
    exchange_leave_origin(exchange, false);
    deadline_cancel(&worker->deadlines, &exchange->deadline);
    bool next_member = was_member && exchange->member->index < 64;
    if (!more && !next_member) {
        return exchange_origin_failed(exchange, 503, END_ORIGIN_DOWN, "no address of the origin can be connected to");
    }
    exchange->state = EXCHANGE_CONNECT;
    return STEP_AGAIN;
}

enum step_result exchange_step_connect(struct exchange *exchange) {
    if (exchange->is_waiting) {
        return STEP_WAIT; /* in the queue for one of max= connections */
    }
    if (exchange->runtime == NULL && !choose_origin(exchange)) {
        return exchange->no_tls
                   ? exchange_origin_failed(exchange, 502, END_ORIGIN_TLS, "no other origin is in service")
                   : exchange_origin_failed(exchange, 503, END_ORIGIN_DOWN, "every origin is out of service");
    }
    if (exchange->origin->scheme == ORIGIN_HTTPS && exchange_origin_tls(exchange) == NULL) {
        return exchange_origin_failed(exchange, 502, END_ORIGIN_TLS,
                                      "the origin is https:// and the host has no SSLProxyEngine On");
    }
    switch (origin_pool_acquire(exchange->worker->origin_pool, exchange, exchange->fresh_only,
                                !exchange_is_repeatable(exchange), &exchange->connection)) {
    case ORIGIN_IDLE:
        deadline_cancel(&exchange->worker->deadlines, &exchange->deadline); /* it may have waited for this one */
        if (!origin_connection_is_ready(exchange->connection)) {
            set_connect_deadline(exchange);
            exchange->state = EXCHANGE_HANDSHAKE;
        } else {
            exchange->state = EXCHANGE_SEND;
        }
        return STEP_AGAIN;
    case ORIGIN_CONNECTING:
        set_connect_deadline(exchange);
        exchange->state = EXCHANGE_CONNECTING;
        return STEP_WAIT;
    case ORIGIN_FULL:
        set_connect_deadline(exchange);
        return STEP_WAIT;
    case ORIGIN_UNWANTED:
        exchange_abort(exchange, END_CLIENT_CLOSED);
        return STEP_WAIT;
    case ORIGIN_FAILED:
        break;
    }
    return connect_failed(exchange, errno);
}

enum step_result exchange_step_connecting(struct exchange *exchange) {
    struct origin_connection *connection = exchange->connection;
    int error = connection->stream.broken ? ETIMEDOUT : origin_connection_error(connection);
    if (error != 0) {
        return connect_failed(exchange, error);
    }
    if (!connection->connect_ended) {
        return STEP_WAIT; /* run for another reason than the connection's event */
    }
    connection->connecting = false;
    origin_worked(exchange->runtime);
    if (!origin_connection_is_ready(connection)) {
        exchange->state = EXCHANGE_HANDSHAKE; /* within the same time */
        return STEP_AGAIN;
    }
    deadline_cancel(&exchange->worker->deadlines, &exchange->deadline);
    exchange->state = EXCHANGE_SEND;
    return STEP_AGAIN;
}

struct tls_context *exchange_origin_tls(const struct exchange *exchange) {
    const struct tls_generation *tls = exchange->generation->tls;
    return exchange->origin->scheme == ORIGIN_HTTPS && tls != NULL
               ? tls_generation_client(tls, exchange->worker->index, exchange->route.host)
               : NULL;
}

/* Nothing has been sent: another member may be asked. */
static enum step_result handshake_failed(struct exchange *exchange, const char *why) {
    const struct tls_link *link = exchange->connection->stream.tls;
    bool untrusted = !exchange->connection->stream.broken && tls_link_is_untrusted(link);
    const char *text = untrusted ? arena_printf(&exchange->arena,
                                                "the origin's certificate is refused: %s "
                                                "(SSLProxyCACertificateFile says whom to trust)",
                                                why)
                                 : arena_printf(&exchange->arena, "no TLS with the origin: %s", why);
    deadline_cancel(&exchange->worker->deadlines, &exchange->deadline);
    if (exchange->member == NULL || exchange->member->index >= 64) {
        return exchange_origin_failed(exchange, 502, END_ORIGIN_TLS, text);
    }
    log_error("%s", text);
    origin_failed(exchange->runtime, exchange->origin, exchange->worker->now_ns);
    exchange->tried_members |= UINT64_C(1) << exchange->member->index;
    exchange->no_tls = true;
    exchange_leave_origin(exchange, false);
    exchange->state = EXCHANGE_CONNECT;
    return STEP_AGAIN;
}

enum step_result exchange_step_handshake(struct exchange *exchange) {
    struct stream *stream = &exchange->connection->stream;
    if (stream->tls == NULL) {
        origin_connection_begin_tls(exchange->connection, exchange->origin);
    }
    if (stream->broken) {
        return handshake_failed(exchange, "the handshake took too long (connectiontimeout=)");
    }
    enum tls_result result = tls_link_handshake(stream->tls);
    stream->sealed = stream->write_blocked = tls_link_is_blocked(stream->tls);
    if (result == TLS_BLOCKED) {
        return STEP_WAIT;
    }
    if (result != TLS_OK) {
        return handshake_failed(exchange, tls_link_failure(stream->tls));
    }
    deadline_cancel(&exchange->worker->deadlines, &exchange->deadline);
    exchange->state = EXCHANGE_SEND;
    return STEP_AGAIN;
}

/* An ErrorDocument is fetched by a request of its own, in the name of the client's: a whole document, without a body.
 */
static void make_document_request(struct request_head *request, const struct request_head *of,
                                  struct field_list *fields) {
    *request = *of;
    static const struct span conditions[] = {
        {"Range", 5},          {"If-Range", 8},           {"If-Match", 8},
        {"If-None-Match", 13}, {"If-Modified-Since", 17}, {"If-Unmodified-Since", 19},
        {"Content-Type", 12}};
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        fields_remove(fields, conditions[i]);
    }
    if (!span_equal(request->method, SPAN_LITERAL("HEAD"))) {
        request->method = SPAN_LITERAL("GET");
    }
    request->framing = BODY_NONE;
    request->expect_continue = request->upgrade_websocket = false;
}

/* The head goes out together with what there is of the body: the next state flushes both. */
enum step_result exchange_step_send(struct exchange *exchange) {
    struct origin_connection *connection = exchange->connection;
    const struct request_head *request = &exchange->request;
    struct request_head document;
    struct field_list fields;
    fields_copy(&fields, &request->fields, &exchange->arena);
    if (exchange->error_document_status != 0) {
        make_document_request(&document, &exchange->request, &fields);
        request = &document;
    }
    const struct header_context context = exchange_header_context(exchange);
    headers_prepare_request(&fields, &context, exchange->origin->host_port);
    fields_remove_id(&fields, FIELD_CONTENT_LENGTH);
    if (!request->expect_continue) {
        fields_remove_id(&fields, FIELD_EXPECT);
    }
    const struct http_wire wire = {
        .framing = request->framing,
        .content_length = request->content_length,
        .upgrade = request->upgrade_websocket,
        .close = exchange->origin->disable_reuse,
    };
    struct span target = exchange->route.target;
    if (exchange->member != NULL) {
        target = route_member_target(&exchange->arena, exchange->member, target);
    }
    struct span head = http_write_request(&exchange->arena, request, target, &fields, &wire);
    connection->request_chunked = request->framing == BODY_CHUNKED;
    exchange->asked_ns = exchange->worker->now_ns;
    exchange->progress = request->framing == BODY_NONE ? REQUEST_SENT : REQUEST_SENDING;
    exchange->state = EXCHANGE_AWAIT;
    exchange->moved = true;
    stream_lead(&connection->stream, head);
    return STEP_AGAIN;
}
