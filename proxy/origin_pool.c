/* Origin connections of one worker. Called by the exchange's steps; its own events come from the loop.
 * Always true: entry->open counts connecting, busy and idle connections; idle ones hold no buffers. */
#include "proxy/origin_pool.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/exchange_steps.h"
#include "proxy/origin_state.h"
#include "proxy/tls_context.h"
#include "proxy/tls_link.h"
#include "proxy/worker.h"

enum { IDLE_MAX = 512, FORGET_MAX = 64 };
#define IDLE_NS (60 * INT64_C(1000000000))

struct origin_pool_entry {
    struct origin_pool_entry *next;
    struct origin_pool *pool;
    char *name;
    const struct origin *origin;   /* that has the name in generation `generation_number`; not looked into */
    uint64_t generation_number;    /* 0: of none */
    struct tls_context *tls;       /* reference; NULL: plain */
    SSL_SESSION *session;          /* the newest; NULL: none */
    struct origin_connection idle; /* head of a ring; newest first */
    size_t idle_count;
    size_t open;
    struct exchange *first_waiter, *last_waiter; /* for max= */
};

struct origin_pool {
    struct worker *worker;
    struct origin_pool_entry *entries;
    size_t entry_count;
};

static void on_event(struct stream *stream, int events);
void origin_connection_begin_tls(struct origin_connection *connection, const struct origin *origin) {
    struct origin_pool_entry *entry = connection->entry;
    struct stream *stream = &connection->stream;
    stream_start_tls(stream,
                     tls_link_connect(stream->worker->tls, entry->tls, stream->fd, origin->host, &entry->session));
}

bool origin_connection_is_ready(const struct origin_connection *connection) {
    const struct stream *stream = &connection->stream;
    return connection->entry->tls == NULL || (stream->tls != NULL && tls_link_is_established(stream->tls));
}

static void on_deadline(struct deadline *deadline);

struct origin_pool *origin_pool_new(struct worker *worker) {
    struct origin_pool *pool = must_calloc(1, sizeof *pool);
    pool->worker = worker;
    return pool;
}

static void close_connection(struct origin_connection *connection);

static void free_entry(struct origin_pool_entry *entry) {
    SSL_SESSION_free(entry->session);
    tls_context_unref(&entry->tls);
    free(entry->name);
    free(entry);
}

void origin_pool_free(struct origin_pool **pool_pointer) {
    struct origin_pool *pool = *pool_pointer;
    *pool_pointer = NULL;
    while (pool->entries != NULL) {
        struct origin_pool_entry *entry = pool->entries;
        pool->entries = entry->next;
        while (entry->idle.next != &entry->idle) {
            close_connection(entry->idle.next);
        }
        free_entry(entry);
    }
    free(pool);
}

/* An entry that nothing refers to any more goes when many have gathered: names come and go with reloads. */
static void forget_unused(struct origin_pool *pool) {
    for (struct origin_pool_entry **link = &pool->entries; *link != NULL;) {
        struct origin_pool_entry *entry = *link;
        if (entry->open > 0 || entry->first_waiter != NULL) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        pool->entry_count--;
        free_entry(entry);
    }
}

/* The name is compared once a generation, unless origins alternate. */
static bool is_of_origin(struct origin_pool_entry *entry, const struct exchange *exchange) {
    const struct origin *origin = exchange->origin;
    uint64_t number = exchange->generation->number;
    if (entry->origin == origin && entry->generation_number == number) {
        return true;
    }
    if (strcmp(entry->name, origin->name) != 0) {
        return false;
    }
    entry->origin = origin;
    entry->generation_number = number;
    return true;
}

__attribute__((noinline)) static struct origin_pool_entry *
search_entry(struct origin_pool *pool, const struct exchange *exchange, struct tls_context *tls) {
    const char *name = exchange->origin->name;
    struct origin_pool_entry **link = &pool->entries;
    for (; *link != NULL; link = &(*link)->next) {
        struct origin_pool_entry *entry = *link;
        if (entry->tls == tls && is_of_origin(entry, exchange)) {
            *link = entry->next; /* to the front: the busy ones are found first */
            entry->next = pool->entries;
            pool->entries = entry;
            return entry;
        }
    }
    if (pool->entry_count >= FORGET_MAX) {
        forget_unused(pool);
    }
    struct origin_pool_entry *entry = must_calloc(1, sizeof *entry);
    entry->pool = pool;
    entry->name = must_malloc(strlen(name) + 1);
    memcpy(entry->name, name, strlen(name) + 1);
    entry->tls = tls != NULL ? tls_context_ref(tls) : NULL;
    entry->idle.next = entry->idle.previous = &entry->idle;
    entry->next = pool->entries;
    pool->entries = entry;
    pool->entry_count++;
    return entry;
}

static struct origin_pool_entry *find_entry(struct origin_pool *pool, const struct exchange *exchange) {
    struct tls_context *tls = exchange_origin_tls(exchange);
    struct origin_pool_entry *first = pool->entries;
    bool is_first = first != NULL && first->tls == tls && is_of_origin(first, exchange);
    return is_first ? first : search_entry(pool, exchange, tls);
}

static void leave_idle(struct origin_connection *connection) {
    struct worker *worker = connection->stream.worker;
    connection->next->previous = connection->previous;
    connection->previous->next = connection->next;
    connection->next = connection->previous = NULL;
    connection->entry->idle_count--;
    counters_subtract(&worker->counters, COUNTER_ORIGIN_CONNECTIONS_IDLE, 1);
}

static void wake_waiter(struct origin_pool_entry *entry) {
    struct exchange *exchange = entry->first_waiter;
    if (exchange != NULL) {
        origin_pool_cancel_wait(entry->pool, exchange);
        exchange->is_woken = true;
        exchange_kick(exchange);
    }
}

/* Who was woken and takes no connection wakes the next: nobody else would, with none in use that could come free. */
static void pass_turn_on(struct origin_pool_entry *entry, struct exchange *exchange) {
    if (exchange->is_woken) {
        exchange->is_woken = false;
        wake_waiter(entry);
    }
}

static void close_connection(struct origin_connection *connection) {
    struct origin_pool_entry *entry = connection->entry;
    if (connection->next != NULL) {
        leave_idle(connection);
    }
    if (connection->exchange == NULL) {
        stream_say_end(&connection->stream);
    }
    deadline_cancel(&connection->stream.worker->deadlines, &connection->deadline);
    gather_forget(&connection->gathering);
    stream_close(&connection->stream);
    entry->open--;
    free(connection);
    wake_waiter(entry);
}

static struct origin_connection *new_connection(struct origin_pool_entry *entry, struct exchange *exchange) {
    union socket_address address;
    socklen_t length;
    if (!origin_address(exchange->runtime, exchange->address_attempt, &address, &length)) {
        errno = EHOSTUNREACH;
        return NULL;
    }
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return NULL;
    }
    int on = 1;
    if (address.any.sa_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (exchange->origin->keepalive) {
            setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        }
    }
    int result = connect(fd, &address.any, length);
    if (result != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        errno = error;
        return NULL;
    }
    struct origin_connection *connection = must_calloc(1, sizeof *connection);
    stream_open(&connection->stream, entry->pool->worker, fd, on_event);
    connection->entry = entry;
    connection->connecting = result != 0;
    connection->deadline.expired = on_deadline;
    entry->open++;
    counters_add(&entry->pool->worker->counters, COUNTER_ORIGIN_CONNECTIONS, 1);
    origin_add(exchange->runtime, ORIGIN_COUNT_CONNECTIONS);
    return connection;
}

/* With TLS, what comes on an idle connection may be a ticket for the next session. */
static bool still_open(struct origin_connection *connection) {
    struct stream *stream = &connection->stream;
    if (stream->tls != NULL) {
        bool silent = stream_fill(stream) == STREAM_BLOCKED;
        buffer_release(&stream->in, &stream->worker->buffers);
        return silent && !stream->unwritable;
    }
    char byte;
    return recv(connection->stream.fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

/* The loop knows already that something has come on it, an end or bytes that nobody asked for, and has its event still
 * before it: libev runs the events of one turn in no order that matters here. Taken as it is, such bytes would pass for
 * the answer to the next request (RFC 9112, 9.2). */
static bool has_news(struct origin_connection *connection) {
    return ev_is_pending(&connection->stream.watcher);
}

/* The newest first: the least likely to have been closed; old ones are left to run into their time. */
static struct origin_connection *take_idle(struct origin_pool_entry *entry, const struct origin *origin, bool check) {
    int64_t now_ns = entry->pool->worker->now_ns;
    while (entry->idle.next != &entry->idle) {
        struct origin_connection *connection = entry->idle.next;
        bool too_old = origin->ttl_ns > 0 && now_ns - connection->idle_since_ns > origin->ttl_ns;
        if (too_old || ((check || has_news(connection)) && !still_open(connection))) {
            close_connection(connection);
            continue;
        }
        leave_idle(connection);
        counters_add(&entry->pool->worker->counters, COUNTER_ORIGIN_REUSED, 1);
        return connection;
    }
    return NULL;
}

static void attach(struct origin_connection *connection, struct exchange *exchange) {
    connection->exchange = exchange;
    connection->bytes_in_before = connection->stream.bytes_in;
    connection->scan = (struct head_scan){0};
    connection->raw = false;
    connection->stream.read_short = true; /* nothing can have come yet: the event will tell */
}

enum origin_acquire origin_pool_acquire(struct origin_pool *pool, struct exchange *exchange, bool fresh, bool check,
                                        struct origin_connection **connection) {
    const struct origin *origin = exchange->origin;
    struct origin_pool_entry *entry = find_entry(pool, exchange);
    *connection = fresh ? NULL : take_idle(entry, origin, check);
    if (*connection == NULL && origin->max_connections > 0 && entry->open >= origin->max_connections) {
        if (entry->idle.next != &entry->idle) {
            close_connection(entry->idle.next); /* a fresh one is asked for: an idle one makes room for it */
        } else {
            exchange->waiter_next = NULL;
            exchange->is_waiting = true;
            exchange->is_woken = false;
            if (entry->last_waiter != NULL) {
                entry->last_waiter->waiter_next = exchange;
            } else {
                entry->first_waiter = exchange;
            }
            entry->last_waiter = exchange;
            return ORIGIN_FULL;
        }
    }
    if (*connection == NULL) {
        /* Who asks and leaves at once, again and again, would have the origin accept as many connections. */
        if (exchange->operations->is_gone(exchange->downstream)) {
            pass_turn_on(entry, exchange);
            return ORIGIN_UNWANTED;
        }
        *connection = new_connection(entry, exchange);
    }
    if (*connection == NULL) {
        int error = errno;
        pass_turn_on(entry, exchange);
        errno = error;
        return ORIGIN_FAILED;
    }
    exchange->is_woken = false;
    attach(*connection, exchange);
    return (*connection)->connecting ? ORIGIN_CONNECTING : ORIGIN_IDLE;
}

void origin_pool_cancel_wait(struct origin_pool *pool, struct exchange *exchange) {
    if (exchange->is_woken) {
        pass_turn_on(find_entry(pool, exchange), exchange);
    }
    if (!exchange->is_waiting) {
        return;
    }
    exchange->is_waiting = false;
    struct origin_pool_entry *entry = find_entry(pool, exchange);
    struct exchange *before = NULL;
    for (struct exchange *at = entry->first_waiter; at != NULL; before = at, at = at->waiter_next) {
        if (at != exchange) {
            continue;
        }
        if (before != NULL) {
            before->waiter_next = exchange->waiter_next;
        } else {
            entry->first_waiter = exchange->waiter_next;
        }
        if (entry->last_waiter == exchange) {
            entry->last_waiter = before;
        }
        return;
    }
}

void origin_connection_release(struct origin_connection *connection, bool reusable) {
    struct origin_pool_entry *entry = connection->entry;
    struct worker *worker = connection->stream.worker;
    connection->exchange = NULL;
    const struct tls_link *tls = connection->stream.tls;
    bool clean = (tls == NULL || !tls_link_has_more(tls)) && connection->stream.in.start == connection->stream.in.end &&
                 stream_out_empty(&connection->stream) && !connection->stream.eof && !connection->stream.broken &&
                 !connection->stream.unwritable && !connection->connecting && origin_connection_is_ready(connection);
    if (!reusable || !clean || entry->idle_count >= IDLE_MAX || worker->draining) {
        close_connection(connection);
        return;
    }
    buffer_release(&connection->stream.in, &worker->buffers);
    if (connection->stream.out.bytes != NULL) {
        buffer_release(&connection->stream.out, &worker->buffers);
    }
    gather_end(&connection->gathering);
    connection->reused = true;
    connection->idle_since_ns = worker->now_ns;
    connection->next = entry->idle.next;
    connection->previous = &entry->idle;
    entry->idle.next->previous = connection;
    entry->idle.next = connection;
    entry->idle_count++;
    counters_add(&worker->counters, COUNTER_ORIGIN_CONNECTIONS_IDLE, 1);
    deadline_set_by(&worker->deadlines, &connection->deadline, worker->now_ns + IDLE_NS);
    stream_want(&connection->stream, EV_READ);
    wake_waiter(entry);
}

int origin_connection_error(struct origin_connection *connection) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(connection->stream.fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
        return errno;
    }
    return error;
}

static void on_deadline(struct deadline *deadline) {
    struct origin_connection *connection =
        (struct origin_connection *)((char *)deadline - offsetof(struct origin_connection, deadline));
    struct worker *worker = connection->stream.worker;
    if (connection->exchange != NULL) {
        exchange_origin_deadline(connection->exchange);
    } else if (connection->idle_since_ns + IDLE_NS > worker->now_ns) {
        deadline_set(&worker->deadlines, deadline, connection->idle_since_ns + IDLE_NS);
    } else {
        close_connection(connection);
    }
}

static void on_event(struct stream *stream, int events) {
    struct origin_connection *connection = (struct origin_connection *)stream; /* its first member */
    connection->connect_ended |= connection->connecting && (events & EV_WRITE) != 0;
    if (connection->exchange == NULL && connection->stream.tls != NULL && still_open(connection)) {
        return;
    }
    if (connection->exchange == NULL) {
        close_connection(connection); /* closed by the origin, or it speaks unasked: of no use either way */
        return;
    }
    exchange_origin_event(connection->exchange);
}
