/* State ROUTE: the host, the client's real address, the limits, and what is to be done. One worker. */
#include "proxy/exchange_burst.h"
#include "proxy/exchange_steps.h"
#include "proxy/generation.h"
#include "proxy/headers.h"
#include "proxy/remote_ip.h"
#include "proxy/tls_facts.h"
#include "proxy/tls_generation.h"
#include "proxy/worker.h"

/* RemoteIPHeader: may stand in several fields; all are one list. */
void exchange_find_real_client(struct exchange *exchange, const struct settings *settings) {
    if (settings->remote_ip_header == NULL || !remote_ip_trusts(settings, &exchange->from.client)) {
        return;
    }
    exchange->from.trusted = true;
    const struct field_list *fields = &exchange->request.fields;
    struct span *values = arena_alloc(&exchange->arena, fields->count * sizeof *values + 1);
    size_t count = 0;
    struct span name = span_of(settings->remote_ip_header);
    for (size_t i = 0; i < fields->count; i++) {
        if (span_equal_nocase(fields->fields[i].name, name)) {
            values[count++] = fields->fields[i].value;
        }
    }
    struct ip_address client = remote_ip_client(settings, &exchange->from.client, values, count);
    if (!ip_address_equal(&client, &exchange->from.client)) {
        exchange->from.client = client;
        exchange->from.client_port = 0; /* the header does not tell it */
    }
}

static enum step_result refuse_step(struct exchange *exchange, int status, enum end_reason reason, const char *why) {
    exchange_refuse(exchange, status, reason, why);
    return STEP_AGAIN;
}

static enum end_reason reason_of_status(int status) {
    return status == 403 ? END_FORBIDDEN : status == 404 ? END_NO_ORIGIN : END_ANSWERED;
}

/* RFC 9110, 7.6.2: OPTIONS and TRACE count the proxies they pass. True when the request is to go no further; else the
 * number it is sent on with is one less. A value that is no number is passed on as it is. */
static bool forwards_used_up(struct exchange *exchange) {
    bool counted = span_equal(exchange->request.method, SPAN_LITERAL("OPTIONS")) ||
                   span_equal(exchange->request.method, SPAN_LITERAL("TRACE"));
    struct field *field = counted ? fields_find(&exchange->request.fields, SPAN_LITERAL("Max-Forwards")) : NULL;
    if (field == NULL || field->value.len == 0 || field->value.len > 9) {
        return false;
    }
    unsigned number = 0;
    for (size_t i = 0; i < field->value.len; i++) {
        unsigned digit = (unsigned)(unsigned char)field->value.ptr[i] - '0';
        if (digit > 9) {
            return false;
        }
        number = number * 10 + digit;
    }
    if (number > 0) {
        field->value = span_of(arena_printf(&exchange->arena, "%u", number - 1));
    }
    return number == 0;
}

/* The handshake was for the host of the name in it; the request may name another. That one may not be reached by a
 * connection that it would not have accepted: without a client's certificate, say. Since the connection was made, a
 * reload may have changed what is asked, too. */
static bool is_misdirected(const struct exchange *exchange) {
    const struct tls_facts *tls = exchange->from.tls;
    if (tls == NULL || exchange->generation->tls == NULL) {
        return false;
    }
    const char *required = tls_generation_requirements(exchange->generation->tls, exchange->route.host);
    return required == NULL || strcmp(required, tls->requirements) != 0;
}

enum step_result exchange_step_route(struct exchange *exchange) {
    if (exchange->from.control) {
        struct settings *settings = arena_alloc_raw(&exchange->arena, sizeof *settings);
        *settings = exchange->route.host->effective;
        settings->handler = HANDLER_CONTROL;
        exchange->route.settings = settings;
        return exchange_begin_status(exchange);
    }
    struct route_request request = {
        .head = &exchange->request,
        .local_address = exchange->from.local,
        .local_port = exchange->from.local_port,
        .local_hosts = exchange->local_hosts,
        .scratch = exchange->worker->scratch,
        .arena = &exchange->arena,
    };
    route_begin(&exchange->route, exchange->generation->host_index, &request);
    if (exchange->route.settings->remote_ip_header != NULL) {
        exchange_find_real_client(exchange, exchange->route.settings);
    }
    if (is_misdirected(exchange)) {
        return refuse_step(exchange, 421, END_MISDIRECTED,
                           "the host asks for another kind of TLS than the name that the handshake was for");
    }
    request.client = &exchange->from.client;
    if (exchange->route.host->burst.enabled && exchange_burst_refuses(exchange)) {
        return STEP_AGAIN;
    }
    const struct settings *settings = exchange->route.settings;
    if (span_equal(exchange->request.method, SPAN_LITERAL("TRACE")) && !settings->trace_enable) {
        return refuse_step(exchange, 405, END_BAD_REQUEST, "TRACE is refused unless TraceEnable is On");
    }
    if (settings->limit_request_body_bytes > 0 && exchange->request.framing == BODY_LENGTH &&
        exchange->request.content_length > settings->limit_request_body_bytes) {
        return refuse_step(exchange, 413, END_TOO_LARGE, "the request's body is longer than LimitRequestBody");
    }
    route_decide(&exchange->route, &request);
    if (exchange->route.action == ROUTE_PROXY && forwards_used_up(exchange)) {
        return exchange_answer_last_hop(exchange);
    }
    switch (exchange->route.action) {
    case ROUTE_PROXY:
        exchange->state = EXCHANGE_ADMIT;
        return STEP_AGAIN;
    case ROUTE_REDIRECT:
        return exchange_answer_redirect(exchange, exchange->route.status, exchange->route.location);
    case ROUTE_STATUS:
        return exchange_answer(exchange, exchange->route.status, reason_of_status(exchange->route.status));
    case ROUTE_HANDLER:
        return exchange_begin_status(exchange);
    }
    return exchange_answer(exchange, 404, END_NO_ORIGIN);
}

struct header_context exchange_header_context(struct exchange *exchange) {
    const struct virtual_host *host = exchange->route.host;
    return (struct header_context){
        .arena = &exchange->arena,
        .scratch = exchange->worker->scratch,
        .route = &exchange->route,
        .request = &exchange->request,
        .client = &exchange->from.client,
        .peer = &exchange->from.peer,
        .peer_trusted = exchange->from.trusted,
        .started_wall_us = exchange->started_wall_us,
        .duration_ns = exchange->worker->now_ns - exchange->started_ns,
        .server_name = host->name,
        .tls = exchange->from.tls,
    };
}
