/* State AWAIT: the origin's response head, interim responses before it, and what happens when there is none. One
 * worker. */
#include "proxy/exchange_steps.h"
#include "proxy/headers.h"
#include "proxy/http_head.h"
#include "proxy/log.h"
#include "proxy/origin_pool.h"
#include "proxy/worker.h"

enum { INTERIM_MAX = 16, RESPONSE_FIELDS_MAX = 200 };

void exchange_take_back_head(struct exchange *exchange) {
    if (exchange->head_sent && exchange->operations->take_back(exchange->downstream)) {
        exchange->head_sent = false;
        exchange->body_bytes_out = 0;
    }
}

enum step_result exchange_origin_failed(struct exchange *exchange, int status, enum end_reason reason,
                                        const char *why) {
    log_error("%s", why);
    if (exchange->runtime != NULL && reason != END_ORIGIN_DOWN) { /* that was counted at the connect */
        origin_add(exchange->runtime, ORIGIN_COUNT_FAILURES);
    }
    if (reason == END_ORIGIN_BAD || reason == END_ORIGIN_CUT) {
        counters_add(&exchange->worker->counters, COUNTER_ORIGIN_BAD_RESPONSES, 1);
    }
    exchange_leave_origin(exchange, false);
    exchange_take_back_head(exchange);
    if (exchange->head_sent) {
        exchange_abort(exchange, reason); /* the client must not take it for a whole response */
        return STEP_AGAIN;
    }
    if (exchange->progress == REQUEST_SENDING) {
        exchange->close_after = true; /* the rest of the body is not read any more */
    }
    return exchange_answer(exchange, status, reason);
}

/* Only a kept connection that closed before a byte of a response, and only for what can be sent again. */
static bool may_retry(const struct exchange *exchange) {
    const struct origin_connection *connection = exchange->connection;
    return connection->reused && !exchange->retried && exchange->interim_count == 0 &&
           connection->stream.bytes_in == connection->bytes_in_before && exchange_is_repeatable(exchange);
}

static enum step_result closed_early(struct exchange *exchange) {
    if (!may_retry(exchange)) {
        return exchange_origin_failed(exchange, 502, END_ORIGIN_CLOSED,
                                      "the origin closed the connection before it answered");
    }
    counters_add(&exchange->worker->counters, COUNTER_ORIGIN_RETRIES, 1);
    exchange_leave_origin(exchange, false);
    exchange->retried = exchange->fresh_only = true;
    exchange->progress = REQUEST_UNSENT;
    exchange->state = EXCHANGE_CONNECT;
    return STEP_AGAIN;
}

static enum step_result switch_protocols(struct exchange *exchange) {
    struct response_head *response = &exchange->response;
    const struct field *upgrade = fields_find_id(&response->fields, FIELD_UPGRADE);
    if (!exchange->request.upgrade_websocket || exchange->error_document_status != 0 || upgrade == NULL ||
        !span_equal_nocase(upgrade->value, SPAN_LITERAL("websocket"))) {
        return exchange_origin_failed(exchange, 502, END_ORIGIN_BAD,
                                      "the origin switches to a protocol nobody asked for");
    }
    const struct header_context context = exchange_header_context(exchange);
    headers_prepare_response(response, &context, false, worker_http_date(exchange->worker));
    fields_remove_id(&response->fields, FIELD_CONTENT_LENGTH);
    exchange->head_sent = true;
    exchange->close_after = true;
    exchange->connection->raw = true;
    exchange->connection->request_chunked = false;
    body_decoder_start(&exchange->connection->body, BODY_UNTIL_CLOSE, 0, &exchange->arena);
    exchange->progress = REQUEST_SENDING;
    exchange->operations->send_switch(exchange->downstream, &exchange->response);
    exchange->state = EXCHANGE_TUNNEL;
    counters_add(&exchange->worker->counters, COUNTER_TUNNELS, 1);
    return STEP_AGAIN;
}

static enum step_result interim(struct exchange *exchange) {
    struct response_head *response = &exchange->response;
    if (++exchange->interim_count > INTERIM_MAX) {
        return exchange_origin_failed(exchange, 502, END_ORIGIN_BAD, "the origin sent more than 16 interim responses");
    }
    if (response->status == 101) {
        return switch_protocols(exchange);
    }
    if (response->status == 100) {
        exchange->request.expect_continue = false; /* the client need not wait any more */
    }
    if (exchange->request.minor_version > 0 && exchange->error_document_status == 0) {
        fields_remove_hop_by_hop(&response->fields);
        fields_remove_id(&response->fields, FIELD_CONTENT_LENGTH);
        exchange->operations->send_interim(exchange->downstream, response);
    }
    return STEP_AGAIN;
}

/* An answer of an ErrorDocument's own is shown with the status that asked for it. */
static bool dress_as_error_document(struct exchange *exchange) {
    struct response_head *response = &exchange->response;
    if (exchange->error_document_status == 0) {
        return true;
    }
    if (response->status != 200) {
        return false;
    }
    response->status = exchange->error_document_status;
    response->reason = span_of(status_reason(response->status));
    exchange_add_status_fields(exchange);
    return true;
}

/* Connection is taken out of the head before it is sent on, but may name fields that come as trailers. */
static const struct field_list *keep_connection(struct exchange *exchange) {
    const struct response_head *response = &exchange->response;
    if (response->framing != BODY_CHUNKED || !fields_may_have(&response->fields, FIELD_CONNECTION)) {
        return NULL;
    }
    struct field_list *kept = arena_alloc(&exchange->arena, sizeof *kept);
    fields_copy(kept, &response->fields, &exchange->arena);
    return kept;
}

/* RFC 9110, 15.5.22: a 426 says in Upgrade what would be spoken, so it is the one final response that keeps the field.
 */
static void restore_upgrade(struct exchange *exchange, struct span upgrade) {
    struct response_head *response = &exchange->response;
    if (response->status == 426 && upgrade.len > 0) {
        fields_add_id(&response->fields, &exchange->arena, FIELD_UPGRADE, SPAN_LITERAL("Upgrade"), upgrade);
        fields_add_id(&response->fields, &exchange->arena, FIELD_CONNECTION, SPAN_LITERAL("Connection"),
                      SPAN_LITERAL("Upgrade"));
    }
}

static enum step_result final_head(struct exchange *exchange) {
    struct response_head *response = &exchange->response;
    struct origin_connection *connection = exchange->connection;
    exchange->answered_ns = exchange->worker->now_ns;
    origin_answered(exchange->runtime, exchange->answered_ns - exchange->asked_ns);
    if (!dress_as_error_document(exchange)) {
        return exchange_origin_failed(exchange, exchange->error_document_status, exchange->reason,
                                      "the origin has no such ErrorDocument");
    }
    exchange->origin_keeps = response->keep_alive;
    body_decoder_start(&connection->body, response->framing, response->content_length, &exchange->arena);
    connection->body.padded_sizes = true;
    connection->body.head = keep_connection(exchange);
    bool describes_body = span_equal(exchange->request.method, SPAN_LITERAL("HEAD")) || response->status == 304;
    if (!describes_body || response->framing != BODY_NONE) {
        fields_remove_id(&response->fields, FIELD_CONTENT_LENGTH); /* written anew, as the body is framed */
    }
    const struct header_context context = exchange_header_context(exchange);
    const struct field *upgrade = fields_find_id(&response->fields, FIELD_UPGRADE);
    struct span offered = upgrade != NULL ? upgrade->value : SPAN_NONE;
    headers_prepare_response(response, &context, exchange->error_document_status != 0,
                             worker_http_date(exchange->worker));
    restore_upgrade(exchange, offered);
    exchange->head_sent = true;
    if (exchange->progress != REQUEST_SENT) {
        exchange->close_after = true; /* the rest of the body is still read, but nobody could tell where it ends */
    }
    exchange->operations->send_head(exchange->downstream, &exchange->response);
    exchange->state = EXCHANGE_RELAY;
    return STEP_AGAIN;
}

/* The head has been read into the exchange's response, where nobody looks before head_sent; problem: or NULL. */
static enum step_result use_head(struct exchange *exchange, size_t length, const struct http_problem *problem) {
    struct origin_connection *connection = exchange->connection;
    buffer_consume(&connection->stream.in, length);
    connection->scan = (struct head_scan){0};
    if (problem != NULL) {
        return exchange_origin_failed(exchange, 502, END_ORIGIN_BAD, problem->text);
    }
    return exchange->response.status < 200 ? interim(exchange) : final_head(exchange);
}

/* Looks at what has come; STEP_WAIT when there is no whole head in it. */
static enum step_result look_for_head(struct exchange *exchange) {
    static const struct http_limits limits = {.field_count = RESPONSE_FIELDS_MAX};
    struct origin_connection *connection = exchange->connection;
    struct span content = buffer_content(&connection->stream.in);
    size_t length = 0;
    struct http_problem problem;
    if (content.len == 0) {
        return STEP_WAIT;
    }
    /* An ordinary head that has come whole is taken at once; any other is looked at line by line as it comes. */
    struct span method = exchange->request.method;
    struct response_head *response = &exchange->response;
    if (connection->scan.scanned == 0) {
        length = http_take_response(content, &limits, method, &exchange->arena, response);
        if (length > 0) {
            return use_head(exchange, length, NULL);
        }
    }
    switch (http_scan_head(&connection->scan, content, &limits, &length, &problem)) {
    case HEAD_COMPLETE: {
        struct span head = {content.ptr, length};
        bool good = http_parse_response(head, method, &exchange->arena, response, &problem);
        return use_head(exchange, length, good ? NULL : &problem);
    }
    case HEAD_REFUSED:
        return exchange_origin_failed(exchange, 502, END_ORIGIN_BAD, problem.text);
    case HEAD_INCOMPLETE:
        break;
    }
    static const struct span start = {"HTTP/1.", 7};
    size_t shown = content.len < start.len ? content.len : start.len;
    if (memcmp(content.ptr, start.ptr, shown) != 0) {
        return exchange_origin_failed(exchange, 502, END_ORIGIN_BAD, "the origin does not speak HTTP/1.x");
    }
    return STEP_WAIT;
}

enum step_result exchange_step_await(struct exchange *exchange) {
    for (;;) {
        if (!exchange_relay_request(exchange) || look_for_head(exchange) == STEP_AGAIN) {
            return STEP_AGAIN;
        }
        struct stream *stream = &exchange->connection->stream;
        if (buffer_length(&stream->in) == BUFFER_LARGE_BYTES) {
            return exchange_origin_failed(exchange, 502, END_ORIGIN_BAD, "the response head is longer than 64 KiB");
        }
        if (stream->read_short && !stream->eof && !stream->broken) {
            return STEP_WAIT;
        }
        if (stream->in.bytes != NULL && buffer_length(&stream->in) == stream->in.capacity) {
            buffer_grow(&stream->in, &exchange->worker->buffers);
        }
        switch (stream_fill(stream)) {
        case STREAM_OK:
            break;
        case STREAM_BLOCKED:
            return STEP_WAIT;
        case STREAM_EOF:
        case STREAM_BROKEN:
            return closed_early(exchange);
        }
    }
}
