/* A client's connection: accepted, read, served request by request, lingered over, closed. Events of its socket, of its
 * deadline, and of whatever its exchange waits for all come to client_work(). Worker's thread.
 * Always true: a client is freed only at the end of client_work(), client_drain() or client_abort(), never under the
 * feet of a function of its own. */
#include "proxy/client.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/burst_gate.h"
#include "proxy/client_work.h"
#include "proxy/generation.h"
#include "proxy/http1.h"
#include "proxy/log.h"
#include "proxy/proxy_protocol.h"
#include "proxy/worker.h"

#define SECOND_NS INT64_C(1000000000)
enum { LINGER_SECONDS = 2, LINGER_BYTES = 1024 * 1024, PROXY_HEADER_SECONDS = 20 };

static void on_event(struct stream *stream, int events);
static void on_deadline(struct deadline *deadline);

/* --- life
 * -------------------------------------------------------------------------------------------------------------- */

static void read_address(const union socket_address *from, struct ip_address *address, uint16_t *port) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    *address = (struct ip_address){0};
    *port = 0;
    if (from->any.sa_family == AF_INET) {
        address->family = IP_V4;
        memcpy(address->bytes, &from->v4.sin_addr, 4);
        *port = ntohs(from->v4.sin_port);
    } else if (from->any.sa_family == AF_INET6) {
        const uint8_t *bytes = from->v6.sin6_addr.s6_addr;
        bool is_mapped = memcmp(bytes, mapped, sizeof mapped) == 0;
        address->family = is_mapped ? IP_V4 : IP_V6;
        memcpy(address->bytes, is_mapped ? bytes + 12 : bytes, is_mapped ? 4 : 16);
        *port = ntohs(from->v6.sin6_port);
    }
}

/* A listener on any address does not know which one the client asked for. */
static struct ip_address find_local_address(int fd, const struct client_origin *through) {
    struct ip_address address = through->local_address;
    if (address.family == IP_NONE && !through->unix_socket) {
        union socket_address local = {0};
        socklen_t length = sizeof local;
        uint16_t port;
        if (getsockname(fd, &local.any, &length) == 0) {
            read_address(&local, &address, &port);
        }
    }
    return address;
}

static void link_client(struct client *client) {
    struct worker *worker = client->stream.worker;
    client->next = worker->clients;
    if (worker->clients != NULL) {
        worker->clients->previous = client;
    }
    worker->clients = client;
    worker->client_count++;
    counters_add(&worker->counters, COUNTER_CLIENT_CONNECTIONS, 1);
    counters_add(&worker->counters, COUNTER_CLIENT_CONNECTIONS_OPEN, 1);
}

static void unlink_client(struct client *client) {
    struct worker *worker = client->stream.worker;
    if (client->previous != NULL) {
        client->previous->next = client->next;
    } else {
        worker->clients = client->next;
    }
    if (client->next != NULL) {
        client->next->previous = client->previous;
    }
    worker->client_count--;
    counters_subtract(&worker->counters, COUNTER_CLIENT_CONNECTIONS_OPEN, 1);
}

static void free_client(struct client *client) {
    struct worker *worker = client->stream.worker;
    if (client->session != NULL) {
        exchange_abort(&client->session->exchange, END_CLIENT_CLOSED);
        http1_end(client);
    }
    burst_gate_leave(worker, &client->from);
    shaper_forget_visitor(&client->visitor, (struct shaper_time){worker->now_ns, worker->now_wall_s});
    deadline_cancel(&worker->deadlines, &client->deadline);
    stream_close(&client->stream);
    unlink_client(client);
    free(client);
    worker_client_closed(worker);
}

const struct address_set *client_local_hosts(struct client *client) {
    const struct generation *generation = client->stream.worker->generation;
    if (client->generation_number != generation->number) {
        client->local_hosts = host_index_set(generation->host_index, &client->from.local, client->from.local_port);
        client->generation_number = generation->number;
    }
    return client->local_hosts;
}

/* TLS begins behind the PROXY header. */
static enum client_phase after_proxy_header(struct client *client) {
    if (!client->from.https) {
        return CLIENT_IDLE;
    }
    return client_tls_begin(client) ? CLIENT_HANDSHAKE : CLIENT_CLOSED;
}

void client_accept(struct worker *worker, int fd, const struct client_origin *through,
                   const union socket_address *peer) {
    struct exchange_client from = {.local = find_local_address(fd, through),
                                   .local_port = through->local_port,
                                   .https = through->https,
                                   .control = through->control};
    read_address(peer, &from.peer, &from.peer_port);
    from.client = from.peer;
    from.client_port = from.peer_port;
    const struct address_set *local_hosts =
        host_index_set(worker->generation->host_index, &from.local, from.local_port);
    const struct virtual_host *host = host_index_default(local_hosts);
    if (!through->proxy_protocol && host->burst.enabled && !burst_gate_admits(worker, host, fd, &from)) {
        close(fd);
        worker_client_closed(worker);
        return;
    }
    struct client *client = must_calloc(1, sizeof *client);
    stream_open(&client->stream, worker, fd, on_event);
    client->deadline.expired = on_deadline;
    client->from = from;
    client->from.visitor = &client->visitor;
    client->local_hosts = local_hosts;
    client->generation_number = worker->generation->number;
    client->since_ns = worker->now_ns;
    client->idle_timeout_ns = host->effective.keepalive_timeout_ns;
    client->stream.read_short = true; /* its event will tell */
    link_client(client);
    client_enter(client, (int)(through->proxy_protocol ? CLIENT_PROXY_HEADER : after_proxy_header(client)));
    client_work(client);
}

void client_refuse(struct worker *worker, int fd, const struct client_origin *through) {
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\n"
                                 "Connection: close\r\n\r\n";
    (void)worker;
    if (!through->https && !through->proxy_protocol) {
        char head[4096];
        (void)recv(fd, head, sizeof head, MSG_DONTWAIT); /* unread bytes would turn the close into a reset */
        (void)send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        shutdown(fd, SHUT_WR);
    }
    close(fd);
}

struct client *client_next(const struct client *client) {
    return client->next;
}

void client_abort(struct client *client) {
    if (client->session != NULL) {
        exchange_abort(&client->session->exchange, END_STOPPED);
    }
    free_client(client);
}

/* --- what is waited for
 * -------------------------------------------------------------------------------------------------- */

void client_enter(struct client *client, int phase) {
    client->phase = (uint8_t)phase;
    client->since_ns = client->stream.worker->now_ns;
}

/* The one place that decides which events a client's connection waits for. */
static int wanted_events(const struct client *client) {
    const struct stream *stream = &client->stream;
    bool full = stream->in.bytes != NULL && stream->in.start == 0 && stream->in.end == stream->in.capacity;
    bool read = !stream->eof && !stream->broken && !full;
    return (read ? EV_READ : 0) | (stream->write_blocked && !stream->unwritable ? EV_WRITE : 0);
}

static int64_t deadline_of_connection_ns(struct client *client) {
    switch (client->phase) {
    case CLIENT_PROXY_HEADER:
        return client->since_ns + PROXY_HEADER_SECONDS * SECOND_NS;
    case CLIENT_HANDSHAKE:
        return client_tls_deadline_ns(client);
    default: /* CLIENT_LINGER */
        return client->since_ns + LINGER_SECONDS * SECOND_NS;
    }
}

static inline int64_t deadline_ns(struct client *client) {
    return client->session != NULL        ? http1_deadline_ns(client->session)
           : client->phase == CLIENT_IDLE ? client->since_ns + client->idle_timeout_ns
                                          : deadline_of_connection_ns(client);
}

/* A socket that takes no more may have megabytes queued, and tells only when a third of them has gone: a client that
 * reads steadily would look as if it had stopped. What it has acknowledged tells the truth, and is asked for where a
 * deadline is set or has come. */
static void look_at_taken(struct http1_session *session) {
    const struct stream *stream = &session->client->stream;
    uint64_t taken = stream_taken(stream);
    if (taken > session->writing.taken_seen) {
        session->writing.taken_seen = taken;
        session->writing.written_ns = stream->worker->now_ns;
    }
}

int64_t client_stalled_ns(struct client *client) {
    struct http1_session *session = client->session;
    if (!client->stream.write_blocked || session == NULL) {
        return 0;
    }
    look_at_taken(session);
    return client->stream.worker->now_ns - session->writing.written_ns;
}

/* A deadline that moved further away is left where it is and looked at again when it expires: most never do. */
static void settle_deadline(struct client *client) {
    int64_t at_ns = deadline_ns(client);
    if (at_ns != 0 && (!deadline_is_set(&client->deadline) || at_ns < client->deadline.at_ns)) {
        if (client->stream.write_blocked && client->session != NULL) {
            look_at_taken(client->session);
            at_ns = deadline_ns(client);
        }
        deadline_set(&client->stream.worker->deadlines, &client->deadline, at_ns);
    }
}

static void settle_writing(struct http1_session *session) {
    const struct stream *stream = &session->client->stream;
    struct client_writing *writing = &session->writing;
    if (stream->bytes_out != writing->written_seen || !stream->write_blocked) {
        writing->written_seen = stream->bytes_out;
        writing->written_ns = stream->worker->now_ns;
    }
    bool blocked = stream->write_blocked && http1_min_rate(session) > 0;
    if (blocked != (writing->slow.blocked_since_ns != 0) &&
        slow_reader_note(&writing->slow, blocked, stream->worker->now_ns)) {
        slow_reader_begin(&writing->slow, stream_taken(stream));
    }
}

static inline void settle(struct client *client) {
    struct stream *stream = &client->stream;
    if (client->session != NULL) {
        settle_writing(client->session);
    }
    if (stream->in.bytes != NULL && stream->in.start == stream->in.end) {
        buffer_release(&stream->in, &stream->worker->buffers);
    }
    if (stream->out.bytes != NULL && stream->out.start == stream->out.end) {
        buffer_release(&stream->out, &stream->worker->buffers);
    }
    stream_want(stream, wanted_events(client));
    settle_deadline(client);
}

/* Its last answer has said that another request may follow, and one may be under way. */
static void shorten_idle(struct client *client) {
    if (client->idle_timeout_ns > DRAIN_IDLE_NS) {
        client->idle_timeout_ns = DRAIN_IDLE_NS;
    }
}

void client_drain(struct client *client) {
    if (client->phase == CLIENT_IDLE && client->stream.worker->now_ns - client->since_ns < DRAIN_IDLE_NS) {
        shorten_idle(client);
        settle(client);
    } else if (client->phase == CLIENT_IDLE || client->phase == CLIENT_PROXY_HEADER ||
               client->phase == CLIENT_HANDSHAKE) {
        stream_say_end(&client->stream);
        free_client(client);
    }
}

/* --- work, phase by phase; each returns whether there is more to do now ---------------------------------------------
 */

static bool work_proxy_header(struct client *client) {
    struct proxy_protocol_header header;
    const char *reason = NULL;
    switch (proxy_protocol_parse(buffer_content(&client->stream.in), &header, &reason)) {
    case PROXY_PROTOCOL_NEED_MORE:
        if (client->stream.eof || client->stream.broken) {
            client->phase = CLIENT_CLOSED;
        }
        return false;
    case PROXY_PROTOCOL_BAD:
        log_info("a connection to a proxy-protocol listener is closed: %s",
                 reason != NULL ? reason : "no PROXY header");
        client->phase = CLIENT_CLOSED;
        return false;
    case PROXY_PROTOCOL_OK:
        break;
    }
    buffer_consume(&client->stream.in, header.length);
    if (header.has_addresses) {
        client->from.client = header.source;
        client->from.client_port = header.source_port;
    }
    const struct virtual_host *host = host_index_default(client_local_hosts(client));
    if (host->burst.enabled && !burst_gate_admits(client->stream.worker, host, client->stream.fd, &client->from)) {
        client->phase = CLIENT_CLOSED;
        return false;
    }
    client_enter(client, (int)after_proxy_header(client));
    return true;
}

static bool work_idle(struct client *client) {
    if (buffer_length(&client->stream.in) == 0) {
        if (client->stream.eof || client->stream.broken) {
            client->phase = CLIENT_CLOSED;
        }
        return false;
    }
    http1_begin(client);
    client_enter(client, CLIENT_HEAD);
    return true;
}

static bool work_head(struct client *client) {
    switch (http1_read_head(client->session)) {
    case HTTP1_HEAD_MORE:
        return false;
    case HTTP1_HEAD_ENDED:
        http1_end(client);
        client->phase = CLIENT_CLOSED;
        return false;
    case HTTP1_HEAD_STARTED:
        break;
    }
    client_enter(client, CLIENT_EXCHANGE);
    return true;
}

static void linger(struct client *client) {
    client->linger_from = client->stream.bytes_in;
    client_enter(client, CLIENT_LINGER);
}

static bool work_exchange(struct client *client) {
    assert(client->session != NULL); /* as in every phase from HEAD to EXCHANGE */
    struct exchange *exchange = &client->session->exchange;
    client->session->reads = 0;
    if (client->stream.broken) {
        exchange_abort(exchange, END_CLIENT_CLOSED);
    }
    exchange_run(exchange);
    if (!exchange_is_done(exchange)) {
        return false;
    }
    switch (http1_end(client)) {
    case HTTP1_KEEP:
        if (client->stream.worker->draining) {
            shorten_idle(client);
        }
        client_enter(client, CLIENT_IDLE);
        return true;
    case HTTP1_CUT: /* the client may not have read yet what was answered before */
        stream_cut(&client->stream);
        linger(client);
        return true;
    case HTTP1_LINGER:
        stream_shutdown(&client->stream);
        linger(client);
        return true;
    case HTTP1_RESET:
        stream_reset_on_close(&client->stream); /* a response that was cut short must not look whole */
        break;
    case HTTP1_CLOSE:
        stream_say_end(&client->stream);
        break;
    case HTTP1_GONE:
        break;
    }
    client->phase = CLIENT_CLOSED;
    return false;
}

/* Closing while the client still sends would reset the connection and destroy what it has not read yet. */
static bool work_linger(struct client *client) {
    struct stream *stream = &client->stream;
    buffer_consume(&stream->in, buffer_length(&stream->in));
    if (stream->eof || stream->broken || stream->bytes_in > client->linger_from + LINGER_BYTES) {
        client->phase = CLIENT_CLOSED;
    }
    return false;
}

static bool work_once(struct client *client) {
    switch ((enum client_phase)client->phase) {
    case CLIENT_PROXY_HEADER:
        return work_proxy_header(client);
    case CLIENT_HANDSHAKE:
        return client_tls_work(client);
    case CLIENT_IDLE:
        return work_idle(client);
    case CLIENT_HEAD:
        return work_head(client);
    case CLIENT_EXCHANGE:
        return work_exchange(client);
    case CLIENT_LINGER:
        return work_linger(client);
    case CLIENT_CLOSED:
        break;
    }
    return false;
}

void client_work(struct client *client) {
    while (work_once(client)) {
    }
    if (client->phase == CLIENT_CLOSED) {
        free_client(client);
    } else {
        settle(client);
    }
}

static void on_event(struct stream *stream, int events) {
    struct client *client = (struct client *)stream;
    if ((events & EV_READ) && client->phase != CLIENT_HANDSHAKE) { /* whose bytes are the link's */
        stream_fill(stream);
    }
    client_work(client);
}

/* Nothing of a request has come. An empty line is none: some clients send one behind a form. */
static bool has_asked_nothing(const struct client *client) {
    return client->session == NULL || (client->phase == CLIENT_HEAD && !client->session->head_begun);
}

static void on_deadline(struct deadline *deadline) {
    struct client *client = (struct client *)((char *)deadline - offsetof(struct client, deadline));
    if (client->stream.write_blocked && client->session != NULL) {
        look_at_taken(client->session);
    }
    int64_t at_ns = deadline_ns(client);
    if (at_ns != 0 && at_ns <= client->stream.worker->now_ns) {
        if (has_asked_nothing(client)) {
            if (client->phase == CLIENT_HANDSHAKE) {
                client_tls_expired(client);
            }
            if (client->session != NULL) {
                http1_end(client);
            }
            stream_say_end(&client->stream);
            free_client(client);
            return;
        }
        http1_expired(client->session);
    }
    client_work(client);
}
