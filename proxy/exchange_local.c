/* State LOCAL: answers that weir makes itself: refusals, redirects, ErrorDocuments. One worker. */
#include <string.h>

#include "proxy/exchange_shape.h"
#include "proxy/exchange_steps.h"
#include "proxy/headers_change.h"
#include "proxy/ready_answer.h"
#include "proxy/worker.h"

/* Any method but CONNECT and TRACE is passed on; these are the ones that have names. */
#define ALLOWED_METHODS "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"

/* A status document may have many megabytes, and a client near by may take them as fast as they are written. */
enum { LOCAL_TURN_BYTES = 256 * 1024 };

static const struct error_document *find_error_document(const struct route *route, int status) {
    for (size_t i = route->scope_count; i-- > 0;) {
        const struct settings *scope = route->scopes[i];
        for (size_t j = scope->error_document_count; j-- > 0;) {
            if (scope->error_documents[j].status == status) {
                return &scope->error_documents[j];
            }
        }
    }
    return NULL;
}

static void add_field(struct exchange *exchange, struct span name, struct span value) {
    fields_add(&exchange->response.fields, &exchange->arena, name, value);
}

/* Without printf, because refusing should cost little. */
static struct span number_text(struct exchange *exchange, uint64_t number) {
    enum { DIGITS_MAX = 20 };
    char *end = (char *)arena_alloc_raw(&exchange->arena, DIGITS_MAX) + DIGITS_MAX, *digit = end;
    do {
        *--digit = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return (struct span){digit, (size_t)(end - digit)};
}

void exchange_add_status_fields(struct exchange *exchange) {
    struct field_list *fields = &exchange->response.fields;
    if (exchange->response.status == 405 && fields_find(fields, SPAN_LITERAL("Allow")) == NULL) {
        fields_add(fields, &exchange->arena, SPAN_LITERAL("Allow"), SPAN_LITERAL(ALLOWED_METHODS));
    }
    if (exchange->retry_after_s > 0) {
        fields_set(fields, &exchange->arena, SPAN_LITERAL("Retry-After"),
                   number_text(exchange, (uint64_t)exchange->retry_after_s));
    }
}

enum step_result exchange_send_local(struct exchange *exchange, struct span body, struct span content_type) {
    exchange_leave_shaper(exchange); /* what weir says itself counts against nobody */
    struct response_head *response = &exchange->response;
    response->reason = span_of(status_reason(response->status));
    response->minor_version = 1;
    bool bodiless = response->status == 204 || response->status == 304;
    bool head_only = span_equal(exchange->request.method, SPAN_LITERAL("HEAD"));
    if (!bodiless) {
        add_field(exchange, SPAN_LITERAL("Content-Type"), content_type);
    }
    if (head_only && !bodiless) {
        add_field(exchange, SPAN_LITERAL("Content-Length"), number_text(exchange, body.len));
    }
    exchange_add_status_fields(exchange);
    if (exchange->reason == END_SHAPER_REDIRECTED) {
        add_field(exchange, SPAN_LITERAL("Cache-Control"), SPAN_LITERAL("no-store"));
    }
    response->framing = head_only || bodiless ? BODY_NONE : BODY_LENGTH;
    response->content_length = body.len;
    const struct header_context context = exchange_header_context(exchange);
    headers_prepare_response(response, &context, true, worker_http_date(exchange->worker));
    if (exchange->request.framing != BODY_NONE && exchange->progress != REQUEST_SENT) {
        exchange->close_after = true; /* nobody reads the request's body */
    }
    exchange->head_sent = true;
    exchange->operations->send_head(exchange->downstream, response);
    exchange->local_body = response->framing == BODY_NONE ? SPAN_NONE : body;
    exchange->state = EXCHANGE_LOCAL;
    return STEP_AGAIN;
}

static struct span built_in_page(struct exchange *exchange, int status) {
    char *page = arena_alloc_raw(&exchange->arena, LOCAL_PAGE_MAX);
    return (struct span){page, local_page_write(status, page)};
}

static void begin_response(struct exchange *exchange, int status) {
    exchange->response = (struct response_head){.status = status};
}

static enum step_result answer_built_in(struct exchange *exchange, int status) {
    begin_response(exchange, status);
    return exchange_send_local(exchange, built_in_page(exchange, status), SPAN_LITERAL(LOCAL_PAGE_TYPE));
}

/* Whether it is the same for everybody: no directive of the host's adds to it, and no log looks into it. */
static bool can_be_ready(const struct exchange *exchange) {
    bool refused = exchange->reason == END_BLOCKED || exchange->reason == END_SHAPER_REFUSED;
    return refused && !headers_change_always(&exchange->route) && !exchange_logs_response_fields(exchange) &&
           !span_equal(exchange->request.method, SPAN_LITERAL("HEAD"));
}

/* As exchange_send_local() and exchange_step_local() with the built-in page, in one step. */
static bool send_ready(struct exchange *exchange, int status) {
    const struct ready_answer *answer =
        can_be_ready(exchange) ? ready_answer_find(exchange->worker->ready_answers, status) : NULL;
    if (answer == NULL) {
        return false;
    }
    exchange_leave_shaper(exchange);
    exchange->response = (struct response_head){.status = status, .minor_version = 1};
    exchange->close_after |= exchange->request.framing != BODY_NONE && exchange->progress != REQUEST_SENT;
    exchange->head_sent = true;
    exchange->ready_head_bytes =
        exchange->operations->send_ready(exchange->downstream, answer, exchange->retry_after_s);
    return true;
}

/* The document is fetched by a GET of its own through the host's ProxyPass; the request's body is not sent. */
static enum step_result fetch_document(struct exchange *exchange, int status, const char *path) {
    exchange->error_document_status = status;
    if (exchange->request.framing != BODY_NONE && exchange->progress != REQUEST_SENT) {
        exchange->close_after = true; /* nobody reads the request's body */
    }
    struct request_head inner = exchange->request;
    inner.path = span_of(path);
    inner.query = SPAN_NONE;
    struct route_request route_request = {
        .head = &inner,
        .local_address = exchange->from.local,
        .local_port = exchange->from.local_port,
        .local_hosts = exchange->local_hosts,
        .client = &exchange->from.client,
        .scratch = exchange->worker->scratch,
        .arena = &exchange->arena,
    };
    struct route route;
    route_begin(&route, exchange->generation->host_index, &route_request);
    route_decide(&route, &route_request);
    if (route.action != ROUTE_PROXY) {
        return answer_built_in(exchange, status);
    }
    exchange->route = route;
    exchange->progress = REQUEST_UNSENT;
    exchange->tried_members = 0;
    exchange->address_attempt = exchange->interim_count = 0;
    exchange->no_tls = false;
    exchange->state = EXCHANGE_CONNECT;
    return STEP_AGAIN;
}

enum step_result exchange_answer(struct exchange *exchange, int status, enum end_reason reason) {
    if (exchange->error_document_status != 0) { /* it could not be fetched */
        return answer_built_in(exchange, exchange->error_document_status);
    }
    exchange->reason = reason;
    const struct error_document *document = find_error_document(&exchange->route, status);
    bool understood = exchange->request.path.len > 0 && exchange->state != EXCHANGE_DONE;
    if (reason == END_BLOCKED && document != NULL && document->text == NULL) {
        document = NULL; /* a refusal asks no origin, and gives the client no other page to ask for */
    }
    bool is_default = document == NULL || (document->path == NULL && document->url == NULL && document->text == NULL);
    if (is_default && send_ready(exchange, status)) {
        return exchange_finish(exchange, reason);
    }
    if (is_default || (document->path != NULL && !understood)) {
        return answer_built_in(exchange, status);
    }
    if (document->path != NULL) {
        return fetch_document(exchange, status, document->path);
    }
    if (document->url != NULL) {
        return exchange_answer_redirect(exchange, 302, span_of(document->url));
    }
    begin_response(exchange, status);
    return exchange_send_local(exchange, span_of(document->text), SPAN_LITERAL(LOCAL_PAGE_TYPE));
}

enum step_result exchange_answer_redirect(struct exchange *exchange, int status, struct span location) {
    if (exchange->reason == END_NONE) {
        exchange->reason = END_REDIRECTED;
    }
    exchange->response = (struct response_head){.status = status};
    add_field(exchange, SPAN_LITERAL("Location"), location);
    return exchange_send_local(exchange, built_in_page(exchange, status), SPAN_LITERAL(LOCAL_PAGE_TYPE));
}

enum step_result exchange_answer_last_hop(struct exchange *exchange) {
    if (!span_equal(exchange->request.method, SPAN_LITERAL("OPTIONS"))) {
        return exchange_answer(exchange, 405, END_ANSWERED);
    }
    exchange->reason = END_ANSWERED;
    begin_response(exchange, 200);
    add_field(exchange, SPAN_LITERAL("Allow"), SPAN_LITERAL(ALLOWED_METHODS));
    return exchange_send_local(exchange, SPAN_LITERAL(""), SPAN_LITERAL("text/plain"));
}

enum step_result exchange_step_local(struct exchange *exchange) {
    while (exchange->local_body.len > 0) {
        struct span piece = exchange->local_body;
        piece.len = piece.len < LOCAL_TURN_BYTES ? piece.len : LOCAL_TURN_BYTES;
        size_t taken = exchange->operations->send_body(exchange->downstream, piece);
        exchange->body_bytes_out += taken;
        exchange->local_body = span_skip(exchange->local_body, taken);
        if (taken == 0) {
            if (exchange->operations->is_broken(exchange->downstream)) {
                exchange_abort(exchange, END_CLIENT_CLOSED);
                return STEP_WAIT;
            }
            exchange->waiting_client = true;
            return STEP_WAIT;
        }
        if (exchange->local_body.len > 0) { /* the others have their turn */
            exchange->waiting_client = true;
            exchange_kick(exchange);
            return STEP_WAIT;
        }
    }
    exchange->operations->send_end(exchange->downstream, NULL);
    return exchange_finish(exchange, exchange->reason);
}
