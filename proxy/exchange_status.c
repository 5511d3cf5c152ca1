/* States STATUS_READ and STATUS: pages about weir itself. One worker.
 * Always true: nothing of this waits on the worker; the document is made on the housekeeping thread. */
#include <string.h>

#include "proxy/exchange_steps.h"
#include "proxy/status_job.h"
#include "proxy/worker.h"

static struct span field_of(struct exchange *exchange, struct span name) {
    const struct field *field = fields_find(&exchange->request.fields, name);
    return field != NULL ? field->value : SPAN_NONE;
}

/* A page of another site could make an administrator's browser send a form here. Browsers say where a POST comes from
 * (Fetch Metadata, and Origin, RFC 6454); programs say nothing, and are believed. */
static bool is_foreign(struct exchange *exchange) {
    struct span site = field_of(exchange, SPAN_LITERAL("Sec-Fetch-Site"));
    if (site.len > 0) {
        return !span_equal(site, SPAN_LITERAL("same-origin")) && !span_equal(site, SPAN_LITERAL("none"));
    }
    struct span origin = field_of(exchange, SPAN_LITERAL("Origin"));
    if (origin.len == 0) {
        return false;
    }
    struct span own = span_of(arena_printf(&exchange->arena, "%.*s://%.*s", (int)exchange->request.scheme.len,
                                           exchange->request.scheme.ptr, (int)exchange->request.host.len,
                                           exchange->request.host.ptr));
    return !span_equal_nocase(origin, own);
}

static bool is_here(const struct ip_address *address) {
    return ip_address_is_loopback(address) || address->family == IP_NONE; /* a Unix socket: its mode decides */
}

/* Closed by default but to the machine itself: what another machine says that its client was is no proof of that. */
static bool may_look(const struct exchange *exchange) {
    return exchange->route.settings->access != NULL ||
           (is_here(&exchange->from.client) && is_here(&exchange->from.peer));
}

enum step_result exchange_begin_status(struct exchange *exchange) {
    if (!may_look(exchange)) {
        return exchange_answer(exchange, 403, END_FORBIDDEN);
    }
    exchange->state = EXCHANGE_STATUS_READ;
    return STEP_AGAIN;
}

/* The form is at most STATUS_FORM_BYTES_MAX long, and has room for that from its first byte on. */
static void add_to_form(struct exchange *exchange, struct span data) {
    if (exchange->form == NULL) {
        exchange->form = arena_alloc_raw(&exchange->arena, STATUS_FORM_BYTES_MAX);
    }
    memcpy(exchange->form + exchange->form_bytes, data.ptr, data.len);
    exchange->form_bytes += data.len;
}

/* RFC 9110, 10.1.1: a client that waits is told to send. */
static void ask_for_body(struct exchange *exchange) {
    if (exchange->request.expect_continue) {
        static const struct response_head go_on = {.status = 100, .minor_version = 1, .reason = {"Continue", 8}};
        exchange->request.expect_continue = false;
        exchange->operations->send_interim(exchange->downstream, &go_on);
    }
}

/* Collects the form. A longer one than any of ours is refused. */
enum step_result exchange_step_status_read(struct exchange *exchange) {
    while (exchange->request.framing != BODY_NONE) {
        struct span data;
        struct http_problem problem;
        switch (exchange->operations->read_body(exchange->downstream, &data, &problem)) {
        case BODY_DATA:
            if (exchange->form_bytes + data.len > STATUS_FORM_BYTES_MAX) {
                return exchange_answer(exchange, 413, END_TOO_LARGE);
            }
            add_to_form(exchange, data);
            exchange->operations->use_body(exchange->downstream, data.len);
            continue;
        case BODY_MORE:
            ask_for_body(exchange);
            exchange->waiting_body = true;
            return STEP_WAIT;
        case BODY_BAD:
            exchange_refuse(exchange, problem.status, END_CLIENT_BAD_BODY, problem.text);
            return STEP_AGAIN;
        case BODY_END:
            break;
        }
        break;
    }
    exchange->progress = REQUEST_SENT;
    const struct status_request request = {
        .handler = exchange->route.settings->handler,
        .method = exchange->request.method,
        .path = exchange->request.path,
        .query = exchange->request.query,
        .form = {exchange->form, exchange->form_bytes},
        .foreign = is_foreign(exchange),
        .host = exchange->route.host,
    };
    exchange->status_job = status_job_post(exchange->worker, exchange, &request);
    if (exchange->status_job == NULL) {
        exchange->retry_after_s = 1;
        return exchange_answer(exchange, 503, END_ANSWERED);
    }
    exchange->state = EXCHANGE_STATUS;
    return STEP_AGAIN;
}

enum step_result exchange_step_status(struct exchange *exchange) {
    const struct status_answer *answer = status_job_answer(exchange->status_job);
    if (answer == NULL) {
        return STEP_WAIT;
    }
    exchange->reason = END_ANSWERED;
    exchange->response = (struct response_head){.status = answer->status};
    for (size_t i = 0; i < answer->field_count; i++) {
        fields_add(&exchange->response.fields, &exchange->arena, span_of(answer->fields[i].name),
                   span_of(answer->fields[i].value));
    }
    struct span body = {answer->body, answer->body_bytes};
    return exchange_send_local(exchange, body, span_of(answer->content_type));
}
