/* States RELAY and TUNNEL, and the request's body: bytes from one side to the other. One worker.
 *
 * Each direction has one bounded buffer, the reading side's. A piece leaves it only when the writing side has taken it;
 * when that side takes no more, nothing is read, and TCP slows the sender. This file is the one place where the bytes
 * of a body move, and so the one where they can be paced. */
#include "proxy/exchange_shape.h"
#include "proxy/exchange_steps.h"
#include "proxy/gather.h"
#include "proxy/http_chunk.h"
#include "proxy/log.h"
#include "proxy/origin_pool.h"
#include "proxy/splice.h"
#include "proxy/worker.h"

/* Of one run: then the loop sees to other connections, and the socket's event brings this one back. */
enum { READS_A_RUN = 8, BYTES_A_RUN = 2 << 20 };

static bool request_over_limit(const struct exchange *exchange, uint64_t bytes) {
    uint64_t limit = exchange->route.settings->limit_request_body_bytes;
    return limit > 0 && exchange->request.framing == BODY_CHUNKED && bytes > limit &&
           exchange->state != EXCHANGE_TUNNEL;
}

static bool refuse_body(struct exchange *exchange, int status, enum end_reason reason, const char *why) {
    exchange->progress = REQUEST_STOPPED;
    exchange_refuse(exchange, status, reason, why);
    return false;
}

/* The body is complete: the last chunk with its trailers, and the connection is told. */
static void end_request(struct exchange *exchange) {
    struct origin_connection *connection = exchange->connection;
    if (connection->request_chunked) {
        http_send_last_chunk(&connection->stream, &exchange->arena,
                             exchange->operations->trailers(exchange->downstream));
    }
    exchange->progress = REQUEST_SENT;
}

/* True: go on with this function; false: *result is the answer. */
static bool relay_request_piece(struct exchange *exchange, bool *result) {
    struct origin_connection *connection = exchange->connection;
    struct span data;
    struct http_problem problem;
    *result = true;
    switch (exchange->operations->read_body(exchange->downstream, &data, &problem)) {
    case BODY_DATA: {
        size_t granted = exchange_grant(exchange, SHAPER_REQUEST_BODY, data.len);
        data.len = granted;
        size_t taken = granted > 0 ? origin_connection_send_body(connection, data) : 0;
        exchange_charge_request(exchange, taken);
        exchange->operations->use_body(exchange->downstream, taken);
        exchange->moved |= taken > 0;
        exchange->request.content_length += exchange->request.framing == BODY_CHUNKED ? taken : 0;
        if (request_over_limit(exchange, exchange->request.content_length)) {
            *result = refuse_body(exchange, 413, END_TOO_LARGE, "the request's body is longer than LimitRequestBody");
            return false;
        }
        return taken > 0 && taken == data.len;
    }
    case BODY_MORE:
        exchange->waiting_body = true;
        return false;
    case BODY_END:
        end_request(exchange);
        return false;
    case BODY_BAD:
        *result = refuse_body(exchange, problem.status, END_CLIENT_BAD_BODY, problem.text);
        return false;
    }
    return false;
}

bool exchange_relay_body(struct exchange *exchange) {
    struct origin_connection *connection = exchange->connection;
    bool result = true;
    while (!connection->stream.unwritable && relay_request_piece(exchange, &result)) {
    }
    if (!result) {
        return false; /* the connection is gone */
    }
    stream_flush(&connection->stream);
    if (connection->stream.unwritable && exchange->progress == REQUEST_SENDING) {
        exchange->progress = REQUEST_STOPPED; /* it may have answered all the same: the response is still read */
        exchange->waiting_body = false;
    }
    return true;
}

enum relayed { RELAYED_WAIT, RELAYED_END, RELAYED_BAD, RELAYED_MORE };

/* A client is fast for which the kernel has taken so much of a response within so long, far more than may wait unsent:
 * then more may wait, which saves half of what a large body costs. Who is near shows it soon, who is far needs some
 * round trips until then. */
static const struct {
    uint64_t bytes;
    int64_t within_ns;
} fast[] = {{2 << 20, 500 * INT64_C(1000000)}, {4 << 20, 1000 * INT64_C(1000000)}};

static bool has_proved_fast(const struct exchange *exchange, uint64_t bytes_before) {
    int64_t took_ns = exchange->worker->now_ns - exchange->answered_ns;
    for (size_t i = 0; i < sizeof fast / sizeof *fast; i++) {
        bool has_crossed = bytes_before < fast[i].bytes && exchange->body_bytes_out >= fast[i].bytes;
        if (has_crossed && took_ns < fast[i].within_ns) {
            return true;
        }
    }
    return false;
}

static void count_sent(struct exchange *exchange, size_t bytes) {
    uint64_t before = exchange->body_bytes_out;
    exchange->body_bytes_out += bytes;
    exchange->moved |= bytes > 0;
    bool is_large = exchange->body_bytes_out >= fast[0].bytes; /* mostly it is not */
    if (is_large && !exchange->is_paced && has_proved_fast(exchange, before)) {
        exchange->operations->hint_fast(exchange->downstream);
        if (exchange->pipe != NULL) {
            splice_pipe_enlarge(exchange->worker, exchange->pipe);
        }
    }
}

/* With these bytes the client has the whole response. */
static bool is_rest(const struct exchange *exchange, uint64_t bytes) {
    const struct body_decoder *body = &exchange->connection->body;
    return body->framing == BODY_LENGTH && bytes > 0 && body->remaining == bytes;
}

/* What a turn is asked for: also for bytes that will surely follow, so that turns are equally large, and shares equal,
 * however the origin's bytes come in pieces. */
static size_t turn_bytes(const struct exchange *exchange, size_t bytes) {
    const struct body_decoder *body = &exchange->connection->body;
    size_t buffered = buffer_length(&exchange->connection->stream.in);
    size_t piped = exchange->pipe != NULL ? exchange->pipe->bytes : 0;
    uint64_t coming = body->framing == BODY_LENGTH ? body->remaining + piped : buffered;
    coming = coming < SHAPER_TURN_MAX_BYTES ? coming : SHAPER_TURN_MAX_BYTES;
    return coming > bytes ? (size_t)coming : bytes;
}

/* Offers the client what lies in the origin's buffer. */
static enum relayed send_buffered(struct exchange *exchange, struct span data) {
    struct origin_connection *connection = exchange->connection;
    size_t granted = exchange_grant(exchange, SHAPER_RESPONSE, turn_bytes(exchange, data.len));
    data.len = granted < data.len ? granted : data.len;
    bool is_last = is_rest(exchange, data.len);
    if (is_last) {
        exchange_expect_end(exchange, data.len);
    }
    size_t taken = data.len > 0 ? exchange->operations->send_body(exchange->downstream, data) : 0;
    if (is_last && taken < data.len) {
        exchange_take_place_again(exchange);
    }
    body_decoder_used(&connection->body, taken);
    buffer_consume(&connection->stream.in, taken);
    count_sent(exchange, taken);
    exchange->waiting_client = data.len == 0 || taken < data.len; /* no turn yet, or it takes no more */
    bool is_done = is_last && taken == data.len;                  /* then all of it is charged at the exchange's end */
    if (!is_done && exchange_charges_at_once(exchange)) {
        exchange->waiting_client |= !exchange->operations->flush(exchange->downstream);
        exchange_charge_response(exchange);
    }
    return exchange->waiting_client ? RELAYED_WAIT : body_decoder_done(&connection->body) ? RELAYED_END : RELAYED_MORE;
}

/* What is in the pipe goes before anything else, in turns where there is a cap. */
static enum relayed drain_pipe(struct exchange *exchange) {
    struct stream *to = exchange->operations->raw_stream(exchange->downstream);
    size_t piped = exchange->pipe->bytes, taken = 0;
    size_t granted = exchange_grant(exchange, SHAPER_RESPONSE, turn_bytes(exchange, piped));
    granted = granted < piped ? granted : piped;
    if (to != NULL && granted > 0) {
        if (body_decoder_done(&exchange->connection->body) && granted == exchange->pipe->bytes) {
            exchange_expect_end(exchange, granted);
        }
        taken = splice_drain(exchange->pipe, to, granted);
        count_sent(exchange, taken);
        if (exchange_charges_at_once(exchange)) {
            exchange_charge_response(exchange);
        }
    }
    if (exchange->pipe->bytes > 0) {
        exchange_take_place_again(exchange);
    }
    exchange->waiting_client = granted == 0 || taken < granted; /* no turn yet, or it takes no more */
    return exchange->waiting_client ? RELAYED_WAIT : RELAYED_MORE;
}

/* A long plain body that the client gets as it is needs not pass through weir's memory. */
static bool may_splice(struct exchange *exchange) {
    const struct body_decoder *body = &exchange->connection->body;
    uint64_t least = exchange->pipe == NULL ? SPLICE_MIN_BYTES : SPLICE_REST_BYTES;
    if (body->framing != BODY_LENGTH || body->remaining < least || exchange_has_small_turns(exchange)) {
        return false;
    }
    const struct stream *to = exchange->operations->raw_stream(exchange->downstream);
    if (to == NULL || to->tls != NULL || exchange->connection->stream.tls != NULL) {
        return false; /* TLS has to see the bytes */
    }
    if (exchange->pipe == NULL) {
        exchange->pipe = splice_pipe_lend(exchange->worker);
    }
    return exchange->pipe != NULL;
}

/* What is still to come fills more than a block: fewer and larger reads cost less than the larger buffer. */
static void choose_buffer(struct exchange *exchange) {
    const struct body_decoder *body = &exchange->connection->body;
    struct buffer *in = &exchange->connection->stream.in;
    if (body->framing == BODY_LENGTH && body->remaining > BUFFER_BLOCK_BYTES && buffer_length(in) == 0) {
        buffer_grow(in, &exchange->worker->buffers);
    }
}

/* While much more is to come, the origin's socket may gather some before it is read again. */
static void settle_gathering(struct exchange *exchange, enum stream_result result) {
    struct origin_connection *connection = exchange->connection;
    if (connection->body.remaining < GATHER_BYTES) {
        gather_end(&connection->gathering);
    } else if (result == STREAM_BLOCKED && !exchange->is_paced && exchange->body_bytes_out >= GATHER_AFTER_BYTES &&
               gather_emptied(&connection->gathering, &connection->stream)) {
        splice_pipe_enlarge(exchange->worker, exchange->pipe);
    }
}

/* The buffer is empty: gets more from the origin, by the pipe or into the buffer. */
static enum relayed fetch(struct exchange *exchange, struct http_problem *problem) {
    struct origin_connection *connection = exchange->connection;
    struct stream *stream = &connection->stream;
    if (stream->broken) {
        *problem = (struct http_problem){502, "the origin reset the connection within its response"};
        return RELAYED_BAD;
    }
    if (stream->read_short && !stream->eof) {
        return RELAYED_WAIT;
    }
    if (!may_splice(exchange)) {
        gather_end(&connection->gathering);
        choose_buffer(exchange);
        return stream_fill(stream) == STREAM_BLOCKED ? RELAYED_WAIT : RELAYED_MORE;
    }
    buffer_release(&stream->in, &exchange->worker->buffers); /* a stalled download must not hold what it does not use */
    size_t moved = 0;
    enum stream_result result = splice_fill(exchange->pipe, stream, connection->body.remaining, &moved);
    if (moved > 0) {
        body_decoder_used(&connection->body, moved);
    }
    settle_gathering(exchange, result);
    return result == STREAM_BLOCKED ? RELAYED_WAIT : RELAYED_MORE;
}

/* The buffer was filled, and what is still to come fits into a larger one: with that, one write is enough. True when
 * the bytes lie elsewhere now. */
static bool fetch_rest(struct exchange *exchange) {
    struct origin_connection *connection = exchange->connection;
    const struct body_decoder *body = &connection->body;
    struct stream *stream = &connection->stream;
    bool fits = body->framing == BODY_LENGTH && body->remaining > buffer_length(&stream->in) &&
                body->remaining <= BUFFER_LARGE_BYTES;
    if (!fits || stream->read_short || stream->eof || exchange_has_small_turns(exchange) ||
        !buffer_grow(&stream->in, &exchange->worker->buffers)) {
        return false;
    }
    (void)stream_fill(stream); /* what is there goes out, whatever this gives */
    return true;
}

struct relay_run {
    unsigned fetches;
    uint64_t until_bytes_in; /* of the origin's stream */
};

static enum relayed relay_piece(struct exchange *exchange, struct relay_run *run, struct http_problem *problem) {
    struct origin_connection *connection = exchange->connection;
    struct stream *stream = &connection->stream;
    if (exchange->pipe != NULL && exchange->pipe->bytes > 0) {
        return drain_pipe(exchange);
    }
    size_t skip = 0;
    struct span data;
    enum body_status status =
        body_decode(&connection->body, buffer_content(&stream->in), stream->eof, &skip, &data, problem);
    buffer_consume(&stream->in, skip);
    switch (status) {
    case BODY_DATA:
        return fetch_rest(exchange) ? RELAYED_MORE : send_buffered(exchange, data);
    case BODY_END:
        return RELAYED_END;
    case BODY_BAD:
        return RELAYED_BAD;
    case BODY_MORE:
        break;
    }
    bool may_fetch = run->fetches++ < READS_A_RUN && stream->bytes_in < run->until_bytes_in;
    return may_fetch ? fetch(exchange, problem) : RELAYED_WAIT;
}

static enum relayed relay_response(struct exchange *exchange, struct http_problem *problem) {
    struct relay_run run = {.until_bytes_in = exchange->connection->stream.bytes_in + BYTES_A_RUN};
    enum relayed result;
    do {
        result = relay_piece(exchange, &run, problem);
    } while (result == RELAYED_MORE);
    return result;
}

enum step_result exchange_step_relay(struct exchange *exchange) {
    if (!exchange_relay_request(exchange)) {
        return STEP_AGAIN;
    }
    struct http_problem problem;
    switch (relay_response(exchange, &problem)) {
    case RELAYED_BAD:
        return exchange_origin_failed(exchange, 502, END_ORIGIN_CUT, problem.text);
    case RELAYED_END:
        if (exchange->body_bytes_out == 0 && !exchange_may_end_bodiless(exchange)) {
            exchange->head_waits = exchange->waiting_client = true;
            return STEP_WAIT;
        }
        exchange->operations->send_end(exchange->downstream, &exchange->connection->body.trailers);
        return exchange_finish(exchange, exchange->error_document_status != 0 ? exchange->reason : END_COMPLETE);
    case RELAYED_WAIT:
    case RELAYED_MORE:
        break;
    }
    if (exchange->operations->is_broken(exchange->downstream)) {
        exchange_abort(exchange, END_CLIENT_CLOSED);
    }
    return STEP_WAIT;
}

/* Both directions are raw; each end that one side sends is passed on to the other, and both together end the tunnel. */
enum step_result exchange_step_tunnel(struct exchange *exchange) {
    struct stream *stream = &exchange->connection->stream;
    enum request_progress before = exchange->progress;
    if (!exchange_relay_request(exchange)) {
        return STEP_AGAIN;
    }
    if (before == REQUEST_SENDING && exchange->progress == REQUEST_SENT && stream_out_empty(stream)) {
        stream_shutdown(stream);
    }
    bool origin_ended = body_decoder_done(&exchange->connection->body);
    if (!origin_ended) {
        struct http_problem problem;
        enum relayed relayed = relay_response(exchange, &problem);
        if (relayed == RELAYED_BAD) {
            return exchange_finish(exchange, END_TUNNEL_CLOSED);
        }
        if (relayed == RELAYED_END && exchange->operations->flush(exchange->downstream)) {
            exchange->operations->send_shutdown(exchange->downstream);
            origin_ended = true;
        }
    }
    if (exchange->operations->is_broken(exchange->downstream)) {
        return exchange_finish(exchange, END_TUNNEL_CLOSED);
    }
    bool client_ended = exchange->progress != REQUEST_SENDING;
    return origin_ended && client_ended ? exchange_finish(exchange, END_TUNNEL_CLOSED) : STEP_WAIT;
}
