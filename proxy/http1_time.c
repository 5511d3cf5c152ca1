/* How long a client may take over a request's head and body and over what it is sent: RequestReadTimeout, TimeOut,
 * ResponseMinRate. Called by client.c; worker's thread. */
#include "proxy/http1.h"
#include "proxy/log.h"
#include "proxy/worker.h"

#define SECOND_NS INT64_C(1000000000)

/* mod_reqtimeout: so long at first, a second more for each min_rate bytes (each byte gives its share), never longer
 * than the maximum. */
static int64_t read_deadline_ns(const struct read_timeout *timeout, int64_t since_ns, uint64_t bytes) {
    if (timeout->initial_ns == 0) {
        return 0;
    }
    int64_t allowed_ns = timeout->initial_ns;
    if (timeout->min_rate_per_s > 0) {
        uint64_t rate = timeout->min_rate_per_s;
        uint64_t seconds = bytes / rate;
        allowed_ns += (int64_t)(seconds < 1000000 ? seconds : 1000000) * SECOND_NS;
        allowed_ns += (int64_t)(bytes % rate) * SECOND_NS / (int64_t)rate; /* both below 2^32: no overflow */
        if (timeout->maximum_ns > 0 && allowed_ns > timeout->maximum_ns) {
            allowed_ns = timeout->maximum_ns;
        }
    }
    return since_ns + allowed_ns;
}

int64_t http1_deadline_ns(const struct http1_session *session) {
    const struct client *client = session->client;
    const struct exchange *exchange = &session->exchange;
    const struct settings *settings = exchange->route.settings;
    if (client->phase == CLIENT_HEAD) {
        return read_deadline_ns(&settings->read_header, client->since_ns, buffer_length(&client->stream.in));
    }
    if (client->stream.write_blocked && settings->timeout_ns > 0) {
        int64_t at_ns = session->writing.written_ns + settings->timeout_ns;
        int64_t window_ns = slow_reader_deadline_ns(&session->writing.slow);
        return window_ns != 0 && window_ns < at_ns ? window_ns : at_ns;
    }
    /* Whom the origin has answered already may well stop sending (RFC 9110, 10.1.1), and reads. */
    bool body_is_due = exchange->waiting_body && !session->raw && !exchange->head_sent;
    if (body_is_due && !exchange_awaits_continue(exchange)) {
        return read_deadline_ns(&settings->read_body, session->body_since_ns, session->body.data_bytes);
    }
    return 0;
}

/* The client's socket is blocked, and either TimeOut is over or a window of ResponseMinRate. */
static void writing_expired(struct http1_session *session) {
    struct client *client = session->client;
    struct exchange *exchange = &session->exchange;
    int64_t now_ns = exchange->worker->now_ns;
    struct client_writing *writing = &session->writing;
    if (writing->written_ns + exchange->route.settings->timeout_ns <= now_ns) {
        exchange_abort(exchange, END_CLIENT_TIMEOUT);
    } else if (slow_reader_judge(&writing->slow, http1_min_rate(session), stream_taken(&client->stream), now_ns)) {
        log_info("the client took less than ResponseMinRate %u bytes/s; its connection is reset",
                 http1_min_rate(session));
        counters_add(&exchange->worker->counters, COUNTER_SLOW_READERS, 1);
        exchange_abort(exchange, END_CLIENT_SLOW);
    }
}

void http1_expired(struct http1_session *session) {
    struct client *client = session->client;
    if (client->phase == CLIENT_HEAD) {
        exchange_refuse(&session->exchange, 408, END_REQUEST_TIMEOUT,
                        "the request's head took longer than RequestReadTimeout");
        client->phase = CLIENT_EXCHANGE;
    } else if (client->stream.write_blocked) {
        writing_expired(session);
    } else {
        exchange_refuse(&session->exchange, 408, END_REQUEST_TIMEOUT,
                        "the request's body took longer than RequestReadTimeout");
    }
}
