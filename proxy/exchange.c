/* The exchange: its beginning, the loop over its states, and its end. Run by a downstream (http1.c) on the worker's
 * thread. Always true: whatever an exchange holds (an origin's connection and count, a place in a queue, a timer, a
 * reference to a generation) is given back in exchange_end(), or before. */
#include "proxy/exchange.h"

#include <assert.h>

#include "proxy/exchange_shape.h"
#include "proxy/exchange_steps.h"
#include "proxy/generation.h"
#include "proxy/log.h"
#include "proxy/origin_pool.h"
#include "proxy/status_job.h"
#include "proxy/worker.h"

static const char *const state_texts[] = {
#define STATE(constant, step, text) text,
#include "proxy/exchange_states.def"
#undef STATE
};

static const char *const reason_words[] = {
#define REASON(constant, word, meaning) word,
#include "proxy/end_reasons.def"
#undef REASON
};

const char *exchange_state_text(enum exchange_state state) {
    return state_texts[state];
}

const char *end_reason_word(enum end_reason reason) {
    return reason_words[reason];
}

static void on_deadline(struct deadline *deadline);

static void on_kick(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop;
    (void)events;
    struct exchange *exchange = timer->data;
    exchange->operations->run(exchange->downstream);
}

void exchange_kick(struct exchange *exchange) {
    ev_timer_stop(exchange->worker->loop, &exchange->kick);
    ev_timer_set(&exchange->kick, 0., 0.);
    ev_timer_start(exchange->worker->loop, &exchange->kick);
}

void exchange_begin(struct exchange *exchange, struct worker *worker, const struct downstream_operations *operations,
                    void *downstream, void *first_block, size_t first_block_bytes, const struct exchange_client *from,
                    const struct address_set *local_hosts) {
    memset(exchange, 0, offsetof(struct exchange, ticket.holds)); /* the rest is set before it is looked at */
    exchange->worker = worker;
    exchange->operations = operations;
    exchange->downstream = downstream;
    exchange->generation = worker_take_generation(worker);
    exchange->local_hosts = local_hosts;
    exchange->from = *from;
    exchange->started_ns = worker->now_ns;
    exchange->started_wall_us = worker->now_wall_us;
    exchange->deadline.expired = on_deadline;
    arena_init(&exchange->arena, first_block, first_block_bytes);
    ev_timer_init(&exchange->kick, on_kick, 0., 0.);
    exchange->kick.data = exchange;
    exchange->route.host = host_index_default(local_hosts);
    exchange->route.settings = &exchange->route.host->effective;
}

static void print_context(void *subject, FILE *out) {
    struct exchange *exchange = subject;
    char client[IP_TEXT_MAX];
    ip_address_print(&exchange->from.client, client);
    const char *doing = exchange->counted ? exchange_state_text(exchange->state) : "reading the request's head";
    const char *host = exchange->route.host->name;
    fprintf(out, "while %s, client %s%s%s", doing, client, host[0] != '\0' ? ", host " : "", host);
    if (exchange->request_line.len > 0) {
        size_t length = exchange->request_line.len < 200 ? exchange->request_line.len : 200;
        fprintf(out, ", request \"%.*s\"", (int)length, exchange->request_line.ptr);
    }
    if (exchange->origin != NULL) {
        fprintf(out, ", origin %s", exchange->origin->name);
    }
    fputs(": ", out);
}

void exchange_start(struct exchange *exchange) {
    counters_add(&exchange->worker->counters, COUNTER_REQUESTS, 1);
    counters_add(&exchange->worker->counters, COUNTER_REQUESTS_ACTIVE, 1);
    exchange->counted = true;
    exchange->state = EXCHANGE_ROUTE;
}

void exchange_refuse(struct exchange *exchange, int status, enum end_reason reason, const char *why) {
    log_set_context(print_context, exchange); /* until the run that follows, or goes on, has ended */
    log_info("%s; answering %d", why, status);
    exchange->close_after = true;
    if (!exchange->counted) {
        counters_add(&exchange->worker->counters, COUNTER_REQUESTS_ACTIVE, 1);
        exchange->counted = true;
    }
    counters_add(&exchange->worker->counters, COUNTER_REQUESTS_BAD, 1);
    exchange_leave_origin(exchange, false);
    exchange_take_back_head(exchange);
    if (exchange->head_sent) {
        exchange->aborted = true;
        exchange->reason = reason;
        exchange->state = EXCHANGE_DONE;
        return;
    }
    exchange_answer(exchange, status, reason);
}

static int64_t proxy_timeout_ns(const struct exchange *exchange) {
    const struct settings *settings = exchange->route.settings;
    if (exchange->origin != NULL && exchange->origin->timeout_ns > 0) {
        return exchange->origin->timeout_ns;
    }
    return settings->proxy_timeout_ns > 0 ? settings->proxy_timeout_ns : settings->timeout_ns;
}

/* What it means that the origin's time is up depends on who is waited for. */
static void end_time(struct exchange *exchange) {
    log_set_context(print_context, exchange); /* the run takes it away */
    switch (exchange->state) {
    case EXCHANGE_CONNECT:
        exchange_origin_failed(exchange, 503, END_ORIGIN_DOWN, "no connection to the origin became free (max=)");
        break;
    case EXCHANGE_CONNECTING:
    case EXCHANGE_HANDSHAKE:
        exchange->connection->stream.broken = true; /* the step takes the next address */
        break;
    case EXCHANGE_AWAIT:
        if (exchange->waiting_body && !exchange_awaits_continue(exchange)) {
            exchange_refuse(exchange, 408, END_REQUEST_TIMEOUT, "the client stopped sending the request's body");
        } else {
            exchange_origin_failed(exchange, 504, END_ORIGIN_TIMEOUT, "the origin did not answer in time");
        }
        break;
    case EXCHANGE_RELAY:
        if (!exchange->waiting_client) {
            exchange_origin_failed(exchange, 504, END_ORIGIN_TIMEOUT, "the origin stopped sending its response");
        } else if (exchange->operations->stalled_ns(exchange->downstream) >= proxy_timeout_ns(exchange)) {
            exchange_abort(exchange, END_CLIENT_TIMEOUT); /* the origin's connection could serve another */
        } else {
            exchange->moved = true; /* it goes on, or waits for its turn */
        }
        break;
    case EXCHANGE_TUNNEL:
        exchange_finish(exchange, END_TUNNEL_CLOSED);
        break;
    default:
        break;
    }
    exchange->operations->run(exchange->downstream);
}

static void on_deadline(struct deadline *deadline) {
    end_time((struct exchange *)((char *)deadline - offsetof(struct exchange, deadline)));
}

static bool is_at_origin(const struct exchange *exchange) {
    return exchange->state == EXCHANGE_AWAIT || exchange->state == EXCHANGE_RELAY || exchange->state == EXCHANGE_TUNNEL;
}

/* The connection's deadline may be an earlier one, which nobody has moved: most never come. */
void exchange_origin_deadline(struct exchange *exchange) {
    if (!is_at_origin(exchange) || exchange->due_ns == 0) {
        return;
    }
    if (exchange->due_ns > exchange->worker->now_ns) {
        deadline_set(&exchange->worker->deadlines, &exchange->connection->deadline, exchange->due_ns);
        return;
    }
    exchange->due_ns = 0;
    end_time(exchange);
}

/* The origin's time begins again with everything that moved. Connecting has a deadline of its own. */
static void renew_deadline(struct exchange *exchange) {
    if (!is_at_origin(exchange) || !(exchange->moved || exchange->due_ns == 0)) {
        return;
    }
    int64_t timeout_ns = proxy_timeout_ns(exchange);
    exchange->due_ns = timeout_ns > 0 ? exchange->worker->now_ns + timeout_ns : 0;
    if (timeout_ns > 0) {
        deadline_set_by(&exchange->worker->deadlines, &exchange->connection->deadline, exchange->due_ns);
    }
}

/* A switch, so that a step can be compiled into the loop: it is called nowhere else. */
static inline enum step_result take_step(struct exchange *exchange) {
    switch (exchange->state) {
#define STATE(constant, step, text)                                                                                    \
    case EXCHANGE_##constant:                                                                                          \
        return step(exchange);
#include "proxy/exchange_states.def"
#undef STATE
    }
    return STEP_WAIT;
}

void exchange_run(struct exchange *exchange) {
    log_set_context(print_context, exchange);
    exchange->waiting_client = exchange->waiting_body = exchange->head_waits = false;
    while (exchange->state != EXCHANGE_DONE && take_step(exchange) == STEP_AGAIN) {
    }
    if (exchange->state != EXCHANGE_DONE) {
        if (!exchange->head_waits) {
            exchange->operations->flush(exchange->downstream);
        }
        exchange_charge_response(exchange);
        exchange_set_pace_timer(exchange);
        renew_deadline(exchange);
        exchange->moved = false;
        if (exchange->connection != NULL) {
            origin_connection_settle(exchange->connection);
        }
    }
    log_set_context(NULL, NULL);
}

void exchange_origin_event(struct exchange *exchange) {
    exchange->moved = exchange->state != EXCHANGE_CONNECTING && exchange->state != EXCHANGE_HANDSHAKE;
    exchange->operations->run(exchange->downstream);
}

enum step_result exchange_step_done(struct exchange *exchange) {
    (void)exchange;
    return STEP_WAIT;
}

enum step_result exchange_finish(struct exchange *exchange, enum end_reason reason) {
    exchange->reason = reason;
    if (exchange->progress == REQUEST_SENDING || exchange->progress == REQUEST_STOPPED) {
        exchange->close_after = true; /* the rest of the request's body would be taken for the next request */
    }
    exchange_leave_origin(exchange, exchange->origin_keeps && exchange->progress == REQUEST_SENT);
    exchange->state = EXCHANGE_FLUSH;
    return STEP_AGAIN;
}

enum step_result exchange_step_flush(struct exchange *exchange) {
    exchange_expect_end(exchange, 0);
    if (exchange->operations->flush(exchange->downstream)) {
        exchange->state = EXCHANGE_DONE;
        return STEP_WAIT;
    }
    if (exchange->operations->is_broken(exchange->downstream)) {
        exchange_abort(exchange, END_CLIENT_CLOSED);
        return STEP_WAIT;
    }
    exchange_take_place_again(exchange);
    exchange->waiting_client = true;
    return STEP_WAIT;
}

void exchange_abort(struct exchange *exchange, enum end_reason reason) {
    if (exchange->state == EXCHANGE_DONE) {
        return;
    }
    exchange->aborted = true;
    exchange_leave_origin(exchange, false);
    exchange->reason = reason;
    exchange->state = EXCHANGE_DONE;
}

static void count_response(struct exchange *exchange) {
    struct counters *counters = &exchange->worker->counters;
    int class = exchange->head_sent ? exchange->response.status / 100 : 0;
    if (class >= 2 && class <= 5) {
        counters_add(counters, COUNTER_RESPONSES_2XX + (enum counter)(class - 2), 1);
    }
    counters_add(counters, COUNTER_BYTES_IN, exchange->operations->bytes_in(exchange->downstream));
    counters_add(counters, COUNTER_BYTES_OUT, exchange->operations->bytes_out(exchange->downstream));
}

static const char *decision_of(const struct exchange *exchange) {
    switch (exchange->reason) {
    case END_BLOCKED:
        return "blocked";
    case END_REDIRECTED:
        return "redirected";
    case END_BAD_REQUEST:
    case END_TOO_LARGE:
    case END_REQUEST_TIMEOUT:
    case END_FORBIDDEN:
    case END_CLIENT_SLOW:
        return "refused";
    default:
        break;
    }
    bool only_logged = exchange->burst_reason != BURST_REASON_NONE && exchange->shaping == SHAPER_PASS;
    return only_logged ? "dry-blocked" : exchange_decision_text(exchange);
}

/* The shaper's or the blocker's, if one decided something, unless weir ended the request for the client's slowness
 * later. */
static const char *reason_of(const struct exchange *exchange) {
    bool too_slow = exchange->reason == END_REQUEST_TIMEOUT || exchange->reason == END_CLIENT_SLOW;
    return too_slow                                         ? end_reason_word(exchange->reason)
           : exchange->shaping_reason != SHAPER_REASON_NONE ? shaper_reason_text(exchange->shaping_reason)
           : exchange->burst_reason != BURST_REASON_NONE    ? burst_reason_text(exchange->burst_reason)
                                                            : end_reason_word(exchange->reason);
}

static const struct host_runtime *host_of(const struct exchange *exchange) {
    return &exchange->generation->hosts[exchange->route.host->index];
}

bool exchange_logs_response_fields(const struct exchange *exchange) {
    return host_of(exchange)->logs_response_fields;
}

__attribute__((noinline)) static void write_access_log(struct exchange *exchange) {
    const struct host_runtime *host = host_of(exchange);
    const struct access_record record = {
        .host = exchange->route.host,
        .request = exchange->request.method.len > 0 ? &exchange->request : NULL,
        .response = exchange->head_sent ? &exchange->response : NULL,
        .request_line = exchange->request_line,
        .client = exchange->from.client,
        .peer = exchange->from.peer,
        .local = exchange->from.local,
        .client_port = exchange->from.client_port,
        .peer_port = exchange->from.peer_port,
        .local_port = exchange->from.local_port,
        .started_wall_us = exchange->started_wall_us,
        .duration_ns = exchange->worker->now_ns - exchange->started_ns,
        .origin_duration_ns =
            exchange->asked_ns == 0 || exchange->answered_ns == 0 ? -1 : exchange->answered_ns - exchange->asked_ns,
        .status = exchange->head_sent ? exchange->response.status : 0,
        .body_bytes_out = exchange->body_bytes_out,
        .bytes_out = exchange->operations->bytes_out(exchange->downstream),
        .bytes_in = exchange->operations->bytes_in(exchange->downstream),
        .keepalive_number = exchange->keepalive_number,
        .aborted = exchange->aborted,
        .keep_alive = !exchange->close_after && !exchange->aborted,
        .https = exchange->from.https,
        .tls = exchange->from.tls,
        .delay_ns = exchange->delay_ns,
        .decision = decision_of(exchange),
        .reason = reason_of(exchange),
        .class_name = exchange_class_name(exchange),
        .upstream = exchange->origin != NULL ? exchange->origin->name : NULL,
    };
    char line[16384];
    for (size_t i = 0; i < host->log_count; i++) {
        size_t length = access_log_format_line(host->logs[i].format, &record, line, sizeof line);
        if (!log_file_append(exchange->worker->log_writer, host->logs[i].file, line, length)) {
            counters_add(&exchange->worker->counters, COUNTER_LOG_LINES_LOST, 1);
        }
    }
}

void exchange_end(struct exchange *exchange, bool logged) {
    exchange_leave_shaper(exchange); /* first: the client has its last byte and may come again at once */
    if (exchange->ready_head_bytes > 0) {
        uint64_t sent = exchange->operations->bytes_out(exchange->downstream);
        exchange->body_bytes_out = sent > exchange->ready_head_bytes ? sent - exchange->ready_head_bytes : 0;
    }
    if (logged) {
        assert(exchange->state == EXCHANGE_DONE);
        count_response(exchange);
        if (!exchange->from.control) {
            exchange_count_shaping(exchange);
            if (host_of(exchange)->log_count > 0) { /* here, because the line takes much of the stack */
                write_access_log(exchange);
            }
        }
    }
    if (exchange->counted) {
        counters_subtract(&exchange->worker->counters, COUNTER_REQUESTS_ACTIVE, 1);
    }
    if (exchange->connection != NULL || exchange->runtime != NULL || exchange->pipe != NULL || exchange->is_waiting ||
        exchange->is_woken) {
        exchange_leave_origin(exchange, false);
    }
    status_job_leave(&exchange->status_job);
    deadline_cancel(&exchange->worker->deadlines, &exchange->deadline);
    if (ev_is_active(&exchange->kick) || ev_is_pending(&exchange->kick)) {
        ev_timer_stop(exchange->worker->loop, &exchange->kick);
    }
    worker_give_generation_back(exchange->worker, &exchange->generation);
    if (exchange->arena.chunks != NULL) { /* else it was all in the first block */
        arena_reset(&exchange->arena);
    }
}
