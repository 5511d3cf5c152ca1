/* Accepting, on each worker's thread. Invariants: every accepted descriptor is given to the client module or closed,
 * and counted against MaxConnections exactly while a client has it; while the rest timer runs no accept watcher does.
 */
#include "proxy/worker_accept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/client.h"
#include "proxy/clock.h"
#include "proxy/log.h"
#include "proxy/process.h"

enum {
    ACCEPT_BURST = 64,   /* connections an event at most; then the others get their turn */
    ACCEPT_MORE = 4,     /* after so many turns in a row that took all they may, they may take twice as many */
    ACCEPT_LAST = 65536, /* when the listener is about to be closed: more than any queue holds */
};
#define REST_SECONDS 0.5
#define FULL_LOG_NS (10 * NS_PER_SECOND)

struct worker_listener {
    ev_io watcher; /* its data is the worker_thread */
    struct worker_listener *next;
    char *name; /* listener->name */
    struct client_origin through;
    int burst;           /* connections an event: as many as there mostly are, see on_connection() */
    unsigned full_turns; /* in a row that took so many */
    unsigned last_turn;  /* ev_iteration() */
};

enum accepted { ACCEPTED, ACCEPT_AGAIN, ACCEPT_NOTHING, ACCEPT_REST };

/* ---- one connection ---- */

/* accept() hands over errors of the connection that it would have given; these are not the listener's. */
static enum accepted classify(int number) {
    switch (number) {
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
        return ACCEPT_NOTHING;
    case EINTR:
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
        return ACCEPT_AGAIN;
    default:
        return ACCEPT_REST;
    }
}

static void refuse(struct worker_thread *thread, int fd, const struct worker_listener *listener) {
    struct worker *worker = &thread->worker;
    counters_add(&worker->counters, COUNTER_CLIENT_CONNECTIONS_REFUSED, 1);
    if (thread->full_logged_at_ns == 0 || worker->now_ns - thread->full_logged_at_ns >= FULL_LOG_NS) {
        thread->full_logged_at_ns = worker->now_ns;
        log_warn("MaxConnections (%zu) are open: more are refused with 503", worker->connection_limit);
    }
    client_refuse(worker, fd, &listener->through);
}

static enum accepted accept_one(struct worker_thread *thread, struct worker_listener *listener) {
    struct worker *worker = &thread->worker;
    union socket_address peer;
    socklen_t length = sizeof peer;
    peer.any.sa_family = AF_UNSPEC;
    int fd = accept4(listener->watcher.fd, &peer.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return classify(errno);
    }
    /* However full it is, its operator can get in. */
    size_t limit = listener->through.control ? SIZE_MAX : worker->connection_limit;
    if (process_take_connection(worker->process, limit)) {
        client_accept(worker, fd, &listener->through, &peer);
    } else {
        refuse(thread, fd, listener);
    }
    return ACCEPTED;
}

/* ---- resting ---- */

static void on_rest_over(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)events;
    struct worker_thread *thread = watcher->data;
    ev_timer_stop(loop, watcher);
    for (struct worker_listener *listener = thread->worker.listeners; listener != NULL; listener = listener->next) {
        ev_io_start(loop, &listener->watcher);
    }
}

static void rest(struct worker_thread *thread, int number) {
    struct worker *worker = &thread->worker;
    counters_add(&worker->counters, COUNTER_ACCEPT_ERRORS, 1);
    log_error("cannot accept connections: %s; trying again in %.0f ms", strerror(number), REST_SECONDS * 1000);
    for (struct worker_listener *listener = worker->listeners; listener != NULL; listener = listener->next) {
        ev_io_stop(worker->loop, &listener->watcher);
    }
    ev_timer_set(&thread->rest_timer, REST_SECONDS, 0.);
    ev_timer_start(worker->loop, &thread->rest_timer);
}

/* ---- a queue of connections ---- */

/* Returns how it ended: with the last connection, without one more, or in trouble. */
static enum accepted accept_some(struct worker_thread *thread, struct worker_listener *listener, int at_most,
                                 int *taken) {
    enum accepted result = ACCEPTED;
    for (*taken = 0; *taken < at_most; ++*taken) {
        result = accept_one(thread, listener);
        if (result == ACCEPT_REST || result == ACCEPT_NOTHING) {
            break;
        }
    }
    if (result == ACCEPT_REST) {
        rest(thread, errno);
    }
    return result;
}

/* To find the queue empty costs nearly as much as a connection, because the kernel has made a socket by then: so no
 * more are asked for than there mostly are. Those that are left bring the next turn. */
static void on_connection(struct ev_loop *loop, ev_io *watcher, int events) {
    (void)events;
    struct worker_listener *listener = (struct worker_listener *)watcher;
    int taken;
    enum accepted result = accept_some(watcher->data, listener, listener->burst, &taken);
    unsigned turn = ev_iteration(loop);
    bool follows = turn == listener->last_turn + 1;
    listener->last_turn = turn;
    if (result == ACCEPT_NOTHING) {
        listener->burst = taken > 0 ? taken : 1;
        listener->full_turns = 0;
        return;
    }
    listener->full_turns = follows ? listener->full_turns + 1 : 1;
    if (listener->full_turns >= ACCEPT_MORE) {
        listener->burst = listener->burst * 2 < ACCEPT_BURST ? listener->burst * 2 : ACCEPT_BURST;
        listener->full_turns = 0;
    }
}

/* ---- listeners ---- */

void worker_init_accept(struct worker_thread *thread) {
    ev_timer_init(&thread->rest_timer, on_rest_over, REST_SECONDS, 0.);
    thread->rest_timer.data = thread;
}

static const struct listener *find_listener(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->listener_count; i++) {
        if (strcmp(config->listeners[i].name, name) == 0) {
            return &config->listeners[i];
        }
    }
    return NULL;
}

static bool is_any(const struct ip_address *address) {
    static const uint8_t zero[sizeof address->bytes];
    return memcmp(address->bytes, zero, sizeof zero) == 0;
}

/* A listener on any address leaves the local address open: the client's connection finds it out. */
static void describe(struct client_origin *through, const struct listener *listener) {
    *through = (struct client_origin){
        .local_port = listener->port,
        .https = listener->https,
        .proxy_protocol = listener->proxy_protocol,
        .unix_socket = listener->unix_path != NULL,
        .control = listener->control,
    };
    if (!is_any(&listener->address)) {
        through->local_address = listener->address;
    }
}

void worker_add_listeners(struct worker_thread *thread, const struct worker_socket *sockets, size_t socket_count) {
    struct worker *worker = &thread->worker;
    for (size_t i = 0; i < socket_count; i++) {
        const struct listener *settings = find_listener(worker->generation->config, sockets[i].name);
        if (settings == NULL) {
            close(sockets[i].fd);
            continue;
        }
        struct worker_listener *listener = must_calloc(1, sizeof *listener);
        size_t bytes = strlen(sockets[i].name) + 1;
        listener->name = memcpy(must_malloc(bytes), sockets[i].name, bytes);
        describe(&listener->through, settings);
        ev_io_init(&listener->watcher, on_connection, sockets[i].fd, EV_READ);
        listener->watcher.data = thread;
        listener->burst = 1;
        listener->next = worker->listeners;
        worker->listeners = listener;
        worker->listener_count++;
        if (!ev_is_active(&thread->rest_timer)) {
            ev_io_start(worker->loop, &listener->watcher);
        }
    }
}

void worker_close_listeners(struct worker_thread *thread, const struct config *keep) {
    struct worker *worker = &thread->worker;
    struct worker_listener **link = &worker->listeners;
    while (*link != NULL) {
        struct worker_listener *listener = *link;
        const struct listener *settings = keep != NULL ? find_listener(keep, listener->name) : NULL;
        if (settings != NULL) {
            describe(&listener->through, settings);
            link = &listener->next;
            continue;
        }
        if (keep != NULL) {
            int taken;
            accept_some(thread, listener, ACCEPT_LAST, &taken);
        }
        *link = listener->next;
        worker->listener_count--;
        ev_io_stop(worker->loop, &listener->watcher);
        close(listener->watcher.fd);
        free(listener->name);
        free(listener);
    }
    if (worker->listeners == NULL) {
        ev_timer_stop(worker->loop, &thread->rest_timer);
    }
}

void worker_accept_rest_of_queue(struct worker_thread *thread) {
    for (struct worker_listener *listener = thread->worker.listeners; listener != NULL; listener = listener->next) {
        int taken;
        if (accept_some(thread, listener, ACCEPT_LAST, &taken) == ACCEPT_REST) {
            return; /* out of descriptors: these connections are lost */
        }
    }
}
