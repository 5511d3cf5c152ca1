/* HTTP/1.x towards the client. Called by client.c for what comes from the client and by the exchange through
 * http1_operations; worker's thread. Nothing here runs the exchange except http1_run(), which goes through client.c. */
#include "proxy/http1.h"

#include <assert.h>
#include <stdlib.h>

#include "proxy/client_work.h"
#include "proxy/exchange_burst.h"
#include "proxy/generation.h"
#include "proxy/http_chunk.h"
#include "proxy/http_head.h"
#include "proxy/log.h"
#include "proxy/ready_answer.h"
#include "proxy/smoothing.h"
#include "proxy/worker.h"

enum { READS_A_RUN = 8, SPARES_MAX = 64 };

/* --- the downstream's operations --- */

/* While the origin takes no more, or a pacer or the shaper lets the request wait, the client cannot send: that time is
 * not its own. */
static void give_back_time(struct http1_session *session) {
    int64_t now_ns = session->exchange.worker->now_ns;
    if (!session->body_awaited) {
        session->body_since_ns += now_ns - session->body_read_ns;
    }
    session->body_read_ns = now_ns;
}

static void begin_body_time(struct http1_session *session) {
    session->body_since_ns = session->body_read_ns = session->exchange.worker->now_ns;
}

/* Decodes what is there; reads once more when that is used up and more may be waiting. */
static enum body_status read_body(void *downstream, struct span *data, struct http_problem *problem) {
    struct http1_session *session = downstream;
    struct stream *stream = &session->client->stream;
    give_back_time(session);
    for (;;) {
        size_t skip = 0;
        enum body_status status = body_decode(&session->body, buffer_content(&stream->in),
                                              stream->eof || stream->broken, &skip, data, problem);
        buffer_consume(&stream->in, skip);
        session->bytes_in += skip;
        bool may_read = status == BODY_MORE && !stream->read_short && !stream->eof && !stream->broken;
        if (!may_read || session->reads++ >= READS_A_RUN || stream_fill(stream) == STREAM_BLOCKED) {
            session->body_awaited = status == BODY_MORE;
            return status;
        }
    }
}

static void use_body(void *downstream, size_t bytes) {
    struct http1_session *session = downstream;
    body_decoder_used(&session->body, bytes);
    buffer_consume(&session->client->stream.in, bytes);
    session->bytes_in += bytes;
}

static const struct field_list *trailers(void *downstream) {
    struct http1_session *session = downstream;
    return &session->body.trailers;
}

static void send_interim(void *downstream, const struct response_head *response) {
    struct http1_session *session = downstream;
    const struct http_wire wire = {.framing = BODY_NONE};
    begin_body_time(session);
    stream_lead(&session->client->stream, http_write_response(&session->exchange.arena, response, &wire));
}

/* RFC 9112, 9.3, and what the configuration says. */
static bool decide_keep(const struct http1_session *session) {
    const struct exchange *exchange = &session->exchange;
    const struct settings *settings = exchange->route.settings;
    unsigned maximum = settings->max_keepalive_requests;
    return exchange->request.keep_alive && settings->keepalive && !exchange->close_after &&
           !exchange->worker->draining && (maximum == 0 || session->client->requests < maximum);
}

static void send_head(void *downstream, const struct response_head *response) {
    struct http1_session *session = downstream;
    const struct exchange *exchange = &session->exchange;
    struct http_wire wire = {.framing = response->framing, .content_length = response->content_length};
    session->keep = decide_keep(session);
    if (wire.framing == BODY_CHUNKED || wire.framing == BODY_UNTIL_CLOSE) {
        session->chunked = exchange->request.minor_version > 0;
        wire.framing = session->chunked ? BODY_CHUNKED : BODY_UNTIL_CLOSE;
        session->until_close = !session->chunked;
        session->keep &= session->chunked;
    }
    wire.close = !session->keep;
    wire.keep_alive = session->keep && exchange->request.minor_version == 0;
    stream_lead(&session->client->stream, http_write_response(&session->exchange.arena, response, &wire));
}

static size_t send_ready(void *downstream, const struct ready_answer *answer, int64_t retry_after_s) {
    struct http1_session *session = downstream;
    struct exchange *exchange = &session->exchange;
    session->keep = decide_keep(session);
    const struct http_wire wire = {.close = !session->keep,
                                   .keep_alive = session->keep && exchange->request.minor_version == 0};
    size_t head_bytes;
    session->client->stream.ends = !session->keep && session->client->stream.tls == NULL;
    stream_lead(&session->client->stream, ready_answer_write(answer, &exchange->arena, retry_after_s,
                                                             exchange->worker->http_date, &wire, &head_bytes));
    return head_bytes;
}

static void send_switch(void *downstream, const struct response_head *response) {
    struct http1_session *session = downstream;
    const struct http_wire wire = {.framing = BODY_NONE, .upgrade = true};
    session->raw = true;
    session->keep = false;
    body_decoder_start(&session->body, BODY_UNTIL_CLOSE, 0, &session->exchange.arena);
    stream_lead(&session->client->stream, http_write_response(&session->exchange.arena, response, &wire));
}

static size_t send_body(void *downstream, struct span data) {
    struct http1_session *session = downstream;
    struct stream *stream = &session->client->stream;
    if (stream->write_blocked || stream->unwritable) {
        return 0;
    }
    return session->chunked ? http_send_chunk(stream, data) : stream_send(stream, data);
}

static struct stream *raw_stream(void *downstream) {
    struct http1_session *session = downstream;
    struct stream *stream = &session->client->stream;
    return !session->chunked && !stream->unwritable && stream_flush(stream) ? stream : NULL;
}

static void send_end(void *downstream, const struct field_list *response_trailers) {
    struct http1_session *session = downstream;
    if (session->chunked) {
        http_send_last_chunk(&session->client->stream, &session->exchange.arena, response_trailers);
    }
}

static void send_shutdown(void *downstream) {
    struct http1_session *session = downstream;
    stream_shutdown(&session->client->stream);
}

/* Bytes that are counted should be bytes about to be sent, and a changed cap should bite at once. */
static void hint_paced(void *downstream, uint64_t bytes_per_s) {
    struct http1_session *session = downstream;
    struct client *client = session->client;
    client->stream.paced = true;
    if (!client->waits_little) {
        stream_let_wait(&client->stream, SMOOTHING_WAITING_BYTES);
        client->waits_little = true; /* the option stays */
    }
    smoothing_set(&client->stream, bytes_per_s);
}

/* The listener's bound on what waits unsent is for clients that nobody knows yet. */
static void hint_fast(void *downstream) {
    struct http1_session *session = downstream;
    struct client *client = session->client;
    if (!client->waits_little && !client->waits_much) {
        stream_let_wait(&client->stream, -1);
        client->waits_much = true;
    }
}

static bool take_back(void *downstream) {
    struct http1_session *session = downstream;
    struct stream *stream = &session->client->stream;
    if (stream->bytes_out != session->bytes_out_before) {
        return false;
    }
    stream->lead = SPAN_NONE;
    buffer_consume(&stream->out, buffer_length(&stream->out));
    session->keep = session->chunked = session->until_close = false;
    return true;
}

static bool flush(void *downstream) {
    struct http1_session *session = downstream;
    return stream_flush(&session->client->stream);
}

static int64_t stalled_ns(void *downstream) {
    struct http1_session *session = downstream;
    return client_stalled_ns(session->client);
}

static bool is_broken(void *downstream) {
    struct http1_session *session = downstream;
    return session->client->stream.unwritable;
}

static bool is_gone(void *downstream) {
    struct http1_session *session = downstream;
    return stream_is_reset(&session->client->stream);
}

static uint64_t bytes_out(void *downstream) {
    struct http1_session *session = downstream;
    return session->client->stream.bytes_out - session->bytes_out_before;
}

static uint64_t bytes_given(void *downstream) {
    struct http1_session *session = downstream;
    const struct stream *stream = &session->client->stream;
    return stream->bytes_out - session->bytes_out_before + stream->lead.len + buffer_length(&stream->out);
}

static uint64_t bytes_in(void *downstream) {
    struct http1_session *session = downstream;
    return session->bytes_in;
}

static void http1_run(void *downstream) {
    struct http1_session *session = downstream;
    client_work(session->client);
}

static const struct downstream_operations http1_operations = {
    .read_body = read_body,
    .use_body = use_body,
    .trailers = trailers,
    .send_interim = send_interim,
    .send_head = send_head,
    .send_ready = send_ready,
    .send_body = send_body,
    .raw_stream = raw_stream,
    .send_end = send_end,
    .send_switch = send_switch,
    .send_shutdown = send_shutdown,
    .hint_paced = hint_paced,
    .hint_fast = hint_fast,
    .take_back = take_back,
    .flush = flush,
    .stalled_ns = stalled_ns,
    .is_broken = is_broken,
    .is_gone = is_gone,
    .bytes_out = bytes_out,
    .bytes_given = bytes_given,
    .bytes_in = bytes_in,
    .run = http1_run,
};

/* --- the session --- */

void http1_begin(struct client *client) {
    struct worker *worker = client->stream.worker;
    struct http1_session *session = worker->spare_sessions;
    if (session != NULL) {
        worker->spare_sessions = session->next_spare;
        worker->spare_session_count--;
    } else {
        session = must_malloc(sizeof *session);
    }
    memset(session, 0, offsetof(struct http1_session, exchange));
    session->client = client;
    session->bytes_out_before = client->stream.bytes_out;
    session->writing.written_ns = worker->now_ns;
    session->writing.written_seen = client->stream.bytes_out;
    client->stream.paced = false;
    smoothing_end(&client->stream); /* of the response before */
    client->session = session;
    exchange_begin(&session->exchange, worker, &http1_operations, session, session->arena_block,
                   sizeof session->arena_block, &client->from, client_local_hosts(client));
    session->exchange.keepalive_number = client->requests;
}

static enum http1_ending ending_of(const struct http1_session *session) {
    const struct exchange *exchange = &session->exchange;
    const struct stream *stream = &session->client->stream;
    if (exchange->reason == END_CLIENT_TIMEOUT || exchange->reason == END_CLIENT_SLOW) {
        return HTTP1_RESET;
    }
    if (exchange->aborted && (session->until_close || exchange->reset_client)) {
        return HTTP1_RESET;
    }
    if (!exchange_is_done(exchange) || stream->broken || stream->unwritable) {
        return HTTP1_GONE;
    }
    if (exchange->aborted) {
        return HTTP1_CUT;
    }
    bool all_read = body_decoder_done(&session->body);
    if (session->keep && all_read && !exchange->close_after) {
        return HTTP1_KEEP;
    }
    /* Who did not say that this is its last request may be sending the next one at this moment. */
    bool may_send = exchange->request.keep_alive || exchange->close_after;
    bool silent = all_read && !may_send && buffer_length(&stream->in) == 0;
    return silent || stream->eof ? HTTP1_CLOSE : HTTP1_LINGER;
}

enum http1_ending http1_end(struct client *client) {
    struct http1_session *session = client->session;
    struct worker *worker = client->stream.worker;
    struct exchange *exchange = &session->exchange;
    enum http1_ending ending = ending_of(session);
    client->idle_timeout_ns = exchange->route.settings->keepalive_timeout_ns;
    exchange_end(exchange, exchange_is_done(exchange));
    client->session = NULL;
    client->stream.lead = SPAN_NONE; /* it pointed into the arena */
    if (worker->spare_session_count >= SPARES_MAX) {
        free(session);
    } else {
        session->next_spare = worker->spare_sessions;
        worker->spare_sessions = session;
        worker->spare_session_count++;
    }
    return ending;
}

void http1_free_spares(struct worker *worker) {
    while (worker->spare_sessions != NULL) {
        struct http1_session *session = worker->spare_sessions;
        worker->spare_sessions = session->next_spare;
        free(session);
    }
    worker->spare_session_count = 0;
}

/* An empty line or two before a request are skipped (RFC 9112, 2.2). True when something else has come. */
static bool skip_empty_lines(struct http1_session *session, bool bare_line_feed) {
    struct buffer *in = &session->client->stream.in;
    while (session->scan.scanned == 0 && buffer_length(in) > 0) {
        const char *bytes = in->bytes + in->start;
        if (bytes[0] == '\r' && buffer_length(in) > 1 && bytes[1] == '\n') {
            buffer_consume(in, 2);
        } else if (bytes[0] == '\n' && bare_line_feed) {
            buffer_consume(in, 1);
        } else {
            return bytes[0] != '\r' || buffer_length(in) > 1;
        }
    }
    return buffer_length(in) > 0;
}

static struct http_limits limits_of(const struct settings *settings) {
    return (struct http_limits){
        .line_bytes = settings->limit_request_line,
        .field_count = settings->limit_request_fields,
        .field_bytes = settings->limit_request_field_size,
        .bare_line_feed = settings->unsafe_protocol,
    };
}

static enum http1_head refuse_head(struct http1_session *session, const struct http_problem *problem) {
    if (exchange_burst_refuses_bad(&session->exchange)) {
        return HTTP1_HEAD_STARTED;
    }
    bool too_large = problem->status == 414 || problem->status == 431;
    exchange_refuse(&session->exchange, problem->status, too_large ? END_TOO_LARGE : END_BAD_REQUEST, problem->text);
    return HTTP1_HEAD_STARTED;
}

/* The head has been read: problem, or NULL. The default host's limits held so far; those of the host that was asked for
 * hold too (Apache: the values of the name-based host are used as soon as it is known). */
static enum http1_head start_request(struct http1_session *session, size_t length, const struct http_problem *problem) {
    struct exchange *exchange = &session->exchange;
    buffer_consume(&session->client->stream.in, length);
    session->bytes_in = length;
    begin_body_time(session);
    body_decoder_start(&session->body, problem == NULL ? exchange->request.framing : BODY_NONE,
                       exchange->request.content_length, &exchange->arena);
    if (problem != NULL) {
        return refuse_head(session, problem);
    }
    session->body.head = &exchange->request.fields;
    exchange_start(exchange);
    return HTTP1_HEAD_STARTED;
}

/* A head that is not whole yet: is it worth waiting for? */
static enum http1_head wait_for_head(struct http1_session *session) {
    struct stream *stream = &session->client->stream;
    struct http_problem problem;
    if (session->scan.lines > 0 && !session->line_checked) {
        session->line_checked = true;
        struct span head = buffer_content(&stream->in);
        const char *feed = head.ptr != NULL ? memchr(head.ptr, '\n', head.len) : NULL;
        assert(feed != NULL); /* the scan has seen a line */
        size_t length = (size_t)(feed - head.ptr);
        length -= length > 0 && head.ptr[length - 1] == '\r' ? 1 : 0;
        if (!http_check_request_line((struct span){head.ptr, length}, &problem)) {
            return refuse_head(session, &problem);
        }
    }
    if (stream->eof || stream->broken) {
        return session->head_begun ? refuse_head(session, &(struct http_problem){400, "the request's head has no end"})
                                   : HTTP1_HEAD_ENDED;
    }
    if (stream->in.start == 0 && stream->in.bytes != NULL && buffer_room(&stream->in) == 0 &&
        !buffer_grow(&stream->in, &stream->worker->buffers)) {
        return refuse_head(session, &(struct http_problem){431, "the request's head is longer than 64 KiB"});
    }
    return HTTP1_HEAD_MORE;
}

/* An ordinary head that has come whole is taken at once; any other is looked at line by line as it comes. */
static enum http1_head look_at_head(struct http1_session *session, const struct http_limits *limits) {
    struct exchange *exchange = &session->exchange;
    struct request_head *request = &exchange->request;
    struct span head = buffer_content(&session->client->stream.in), *line = &exchange->request_line;
    bool https = session->client->from.https;
    size_t length = 0;
    if (session->scan.scanned == 0 &&
        (length = http_take_request(head, limits, https, &exchange->arena, request, line)) > 0) {
        return start_request(session, length, NULL);
    }
    struct http_problem problem;
    switch (http_scan_head(&session->scan, head, limits, &length, &problem)) {
    case HEAD_COMPLETE: {
        head.len = length;
        bool good = http_parse_request(head, limits, https, &exchange->arena, request, line, &problem);
        return start_request(session, length, good ? NULL : &problem);
    }
    case HEAD_REFUSED:
        return refuse_head(session, &problem);
    case HEAD_INCOMPLETE:
        break;
    }
    return wait_for_head(session);
}

enum http1_head http1_read_head(struct http1_session *session) {
    struct client *client = session->client;
    struct stream *stream = &client->stream;
    const struct http_limits limits = limits_of(session->exchange.route.settings);
    if (!session->head_begun && skip_empty_lines(session, limits.bare_line_feed)) {
        session->head_begun = true;
        client->requests++;
        if (!http_is_token_byte((unsigned char)stream->in.bytes[stream->in.start])) {
            return refuse_head(session, &(struct http_problem){400, "the first byte begins no method"});
        }
    }
    return session->head_begun ? look_at_head(session, &limits) : wait_for_head(session);
}
