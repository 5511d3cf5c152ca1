/* A worker: one thread, one libev loop, its own listening sockets, clients, buffers, origin pool and counters.
 *
 * What stands in struct worker belongs to the worker's thread alone, except where a line says otherwise. Other threads
 * talk to it by mail (worker_post). */
#ifndef WEIR_PROXY_WORKER_H
#define WEIR_PROXY_WORKER_H

#include <ev.h>
#include <pthread.h>

#include "proxy/buffer.h"
#include "proxy/clock.h"
#include "proxy/counters.h"
#include "proxy/deadline.h"
#include "proxy/gather.h"
#include "proxy/generation.h"
#include "proxy/ready_answer.h"

/* How long a kept-alive connection may bring one more request after draining began, or after an answer that did not
 * know of it: one that is under way would be lost if its connection were closed at once. The answer to it says that the
 * connection ends. */
#define DRAIN_IDLE_NS INT64_C(1000000000)

struct client;
struct mailbox;
struct origin_pool;
struct process;
struct splice_pipe;
struct task;
struct tls_thread;
struct worker_listener; /* one listening socket of this worker, with its accept watcher */

struct worker {
    unsigned index; /* from 0; set at start, then constant */
    struct ev_loop *loop;
    pthread_t thread;
    struct process *process;       /* shared parts: see process.h for what may be touched from here */
    struct log_writer *log_writer; /* thread-safe */
    struct mailbox *mailbox;       /* thread-safe */
    struct generation *generation; /* for new requests; one reference */
    size_t generation_uses;        /* by requests under way, of `generation`: worker_take_generation() */
    struct counters counters;      /* this thread writes, any reads */

    int64_t now_ns;                      /* monotonic, taken once a loop turn (worker_update_time) */
    int64_t now_wall_us;                 /* microseconds since the epoch, of the same instant */
    int64_t now_wall_s;                  /* its whole seconds */
    char http_date[CLOCK_HTTP_DATE_MAX]; /* "Sat, 21 Nov 2026 10:11:12 GMT", of now_wall_us */
    int64_t date_from_us;                /* the second that http_date says began here */

    struct deadline_wheel deadlines;
    struct gather_ring gathering; /* origins' sockets */
    struct buffer_pool buffers;
    struct ready_answer ready_answers[READY_ANSWERS];
    struct pattern_scratch *scratch;
    struct origin_pool *origin_pool;
    struct tls_thread *tls; /* NULL: no generation has spoken TLS yet */

    void *spare_sessions; /* http1.c: free sessions, linked */
    size_t spare_session_count;
    struct splice_pipe *spare_pipes;           /* splice.c */
    size_t spare_pipe_count, large_pipe_count; /* large: of all, lent or spare */
    int64_t pipes_again_ns;                    /* no new ones before */
    struct client *clients;                    /* all open ones, doubly linked */
    size_t client_count;
    size_t connection_limit; /* MaxConnections: of all workers together, counted by process.h */
    bool draining;           /* no new connections; kept-alive ones are closed after their answer */

    struct worker_listener *listeners;
    size_t listener_count;
};

/* A listening socket handed to a worker. The descriptor becomes the worker's. */
struct worker_socket {
    int fd;
    const char *name; /* listener->name: text is copied */
};

/* Makes the worker and starts its thread. sockets: what it accepts on. NULL with a logged reason. Housekeeping. */
struct worker *worker_start(struct process *process, unsigned index, struct generation *generation,
                            const struct worker_socket *sockets, size_t socket_count, size_t connection_limit);

/* --- mail, from the housekeeping thread; each returns at once --- */
/* The worker takes over the reference and, for listeners that are new, the sockets; listeners no longer in the
 * generation's config are closed. */
void worker_post_generation(struct worker *worker, struct generation *generation, const struct worker_socket *sockets,
                            size_t socket_count, size_t connection_limit);
void worker_post_drain(struct worker *worker); /* stop accepting; finish what is being served; then the thread ends */
void worker_post_stop(struct worker *worker);  /* the thread closes everything and ends at once */
/* Closes listening sockets without draining (USR2: a new process has them). */
void worker_post_close_listeners(struct worker *worker);

/* For the worker's thread; see task.h. Any thread, as long as the worker has not been joined. */
void worker_post(struct worker *worker, struct task *task);

/* True once the thread has ended; then worker_join frees it. */
bool worker_ended(const struct worker *worker);
void worker_join(struct worker **worker);

/* --- for code on the worker's thread --- */
void worker_update_time(struct worker *worker);
static inline struct span worker_http_date(const struct worker *worker) {
    return (struct span){worker->http_date, sizeof worker->http_date - 1};
}

/* A request's reference to the present generation. It is counted in the worker for as long as that is the present one:
 * the count in the generation is shared by all workers, and dear where there are many. */
static inline struct generation *worker_take_generation(struct worker *worker) {
    worker->generation_uses++;
    return worker->generation;
}
static inline void worker_give_generation_back(struct worker *worker, struct generation **generation) {
    if (*generation == worker->generation) {
        worker->generation_uses--;
        *generation = NULL;
    } else {
        generation_unref(generation);
    }
}
/* The client is gone: bookkeeping of the worker, called by client.c once. */
void worker_client_closed(struct worker *worker);

#endif
