/* A worker's thread: its loop, its mail, the time, and its end. Accepting is worker_accept.c's.
 *
 * Started, mailed to and joined by the housekeeping thread; all else runs on the worker's own. Invariants: the thread
 * ends only with no client left, and frees what it owns itself; the loop, the mailbox and the struct outlive it until
 * worker_join(), so that mail may be posted at any time before. */
#include "proxy/worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/client.h"
#include "proxy/clock.h"
#include "proxy/http1.h"
#include "proxy/log.h"
#include "proxy/mailbox.h"
#include "proxy/origin_pool.h"
#include "proxy/process.h"
#include "proxy/splice.h"
#include "proxy/task.h"
#include "proxy/tls_generation.h"
#include "proxy/tls_thread.h"
#include "proxy/worker_accept.h"
#include "proxy/worker_thread.h"

enum mail_kind { MAIL_GENERATION, MAIL_DRAIN, MAIL_STOP, MAIL_CLOSE_LISTENERS };

struct mail {
    struct task task;
    enum mail_kind kind;
    struct generation *generation; /* MAIL_GENERATION: one reference */
    struct worker_socket *sockets; /* names are copies */
    size_t socket_count;
    size_t connection_limit;
};

#define WHEEL_LATE_SECONDS 0.001

static void free_mail(struct mail *mail, bool close_sockets) {
    for (size_t i = 0; i < mail->socket_count; i++) {
        if (close_sockets) {
            close(mail->sockets[i].fd);
        }
        free((void *)(uintptr_t)mail->sockets[i].name);
    }
    free(mail->sockets);
    if (mail->generation != NULL) {
        generation_unref(&mail->generation);
    }
    free(mail);
}

/* ---- time ---- */

__attribute__((noinline, cold)) static void change_date(struct worker *worker) {
    int64_t wall_us = worker->now_wall_us;
    worker->date_from_us = wall_us - wall_us % US_PER_SECOND;
    worker->now_wall_s = wall_us / US_PER_SECOND;
    clock_http_date(wall_us, worker->http_date);
}

/* The loop has looked at the monotonic clock just before, and says what wall time that was: it compares the two clocks
 * again at least twice a second. */
void worker_update_time(struct worker *worker) {
    worker->now_ns = clock_monotonic_ns();
    worker->now_wall_us = (int64_t)(ev_now(worker->loop) * (double)US_PER_SECOND);
    if ((uint64_t)(worker->now_wall_us - worker->date_from_us) >= (uint64_t)US_PER_SECOND) {
        change_date(worker);
    }
}

/* The wheel's timer waits for the earliest deadline: an idle worker sleeps. Not to the point: a timer that comes before
 * the tick does would have to be waited for again. */
static void set_wheel_timer(struct worker_thread *thread) {
    struct worker *worker = &thread->worker;
    thread->wheel_tick = worker->deadlines.due_tick;
    double wait_ns = (double)thread->wheel_tick * (double)DEADLINE_TICK_NS - (double)worker->now_ns;
    ev_timer_stop(worker->loop, &thread->wheel_timer);
    ev_timer_set(&thread->wheel_timer, wait_ns > 0 ? wait_ns / 1e9 + WHEEL_LATE_SECONDS : 0., 0.);
    ev_timer_start(worker->loop, &thread->wheel_timer);
}

/* What the loop does with the events of a turn: the time first, then every callback. Watchers for these moments would
 * cost more than what they do. */
static void run_turn(struct ev_loop *loop) {
    struct worker_thread *thread = ev_userdata(loop);
    worker_update_time(&thread->worker);
    ev_invoke_pending(loop);
    if (thread->worker.deadlines.due_tick < thread->wheel_tick) {
        set_wheel_timer(thread);
    }
}

static void on_wheel(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)loop, (void)events;
    struct worker_thread *thread = watcher->data;
    thread->wheel_tick = DEADLINE_NEVER;
    deadline_wheel_run(&thread->worker.deadlines, thread->worker.now_ns);
}

/* ---- draining and the end ---- */

static void end_if_drained(struct worker *worker) {
    if (worker->draining && worker->client_count == 0) {
        ev_break(worker->loop, EVBREAK_ALL);
    }
}

void worker_client_closed(struct worker *worker) {
    process_give_connection(worker->process);
    end_if_drained(worker);
}

static void on_drain_idle(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)events;
    struct worker *worker = watcher->data;
    ev_timer_stop(loop, watcher);
    for (struct client *client = worker->clients, *next; client != NULL; client = next) {
        next = client_next(client);
        client_drain(client);
    }
}

static void drain(struct worker_thread *thread) {
    struct worker *worker = &thread->worker;
    if (worker->draining) {
        return;
    }
    worker_accept_rest_of_queue(thread);
    worker_close_listeners(thread, NULL);
    worker->draining = true;
    ev_timer_set(&thread->drain_timer, (double)DRAIN_IDLE_NS / 1e9, 0.);
    ev_timer_start(worker->loop, &thread->drain_timer);
    end_if_drained(worker);
}

static void stop(struct worker_thread *thread) {
    struct worker *worker = &thread->worker;
    worker_close_listeners(thread, NULL);
    worker->draining = true;
    while (worker->clients != NULL) {
        client_abort(worker->clients);
    }
    ev_break(worker->loop, EVBREAK_ALL);
}

static void take_tls(struct worker *worker) {
    if (worker->generation->tls != NULL) {
        worker->tls = tls_generation_thread(worker->generation->tls, worker->index);
        worker->tls->counters = &worker->counters;
    }
}

/* Requests under way get references of their own, in the generation's count. */
static void leave_generation(struct worker *worker) {
    for (; worker->generation_uses > 0; worker->generation_uses--) {
        (void)generation_ref(worker->generation);
    }
    generation_unref(&worker->generation);
}

static void change_generation(struct worker_thread *thread, struct mail *mail) {
    struct worker *worker = &thread->worker;
    assert(mail->generation != worker->generation); /* else those that were counted here would be given back there */
    leave_generation(worker);
    worker->generation = mail->generation;
    mail->generation = NULL;
    take_tls(worker);
    worker->connection_limit = mail->connection_limit;
    if (worker->draining) {
        for (size_t i = 0; i < mail->socket_count; i++) {
            close(mail->sockets[i].fd);
        }
        return;
    }
    worker_close_listeners(thread, worker->generation->config);
    worker_add_listeners(thread, mail->sockets, mail->socket_count);
}

static void open_mail(void *receiver, struct task *task) {
    struct worker_thread *thread = receiver;
    struct mail *mail = (struct mail *)task;
    switch (mail->kind) {
    case MAIL_GENERATION:
        change_generation(thread, mail);
        break;
    case MAIL_DRAIN:
        drain(thread);
        break;
    case MAIL_STOP:
        stop(thread);
        break;
    case MAIL_CLOSE_LISTENERS:
        worker_close_listeners(thread, NULL);
        break;
    }
    free_mail(mail, false);
}

static void discard_mail(struct task *task) {
    free_mail((struct mail *)task, true);
}

static void free_own(struct worker_thread *thread) {
    struct worker *worker = &thread->worker;
    worker_close_listeners(thread, NULL);
    origin_pool_free(&worker->origin_pool);
    http1_free_spares(worker);
    splice_free_spares(worker);
    buffer_pool_free(&worker->buffers);
    pattern_scratch_free(worker->scratch);
    ev_timer_stop(worker->loop, &thread->wheel_timer);
    ev_timer_stop(worker->loop, &thread->drain_timer);
    assert(worker->generation_uses == 0); /* no client is left */
    generation_unref(&worker->generation);
}

static void *run(void *argument) {
    struct worker_thread *thread = argument;
    struct worker *worker = &thread->worker;
    log_name_thread(thread->name);
    (void)pthread_setname_np(pthread_self(), thread->name); /* for top and gdb */
    worker_update_time(worker);
    ev_run(worker->loop, 0);
    free_own(thread);
    tls_thread_leave(worker->tls);
    atomic_store_explicit(&thread->ended, true, memory_order_release);
    process_worker_ended(worker->process);
    return NULL;
}

/* ---- from the housekeeping thread ---- */

static struct worker_thread *allocate(void) {
    void *memory = NULL;
    if (posix_memalign(&memory, _Alignof(struct worker_thread), sizeof(struct worker_thread)) != 0) {
        return NULL;
    }
    memset(memory, 0, sizeof(struct worker_thread));
    return memory;
}

static void init_watchers(struct worker_thread *thread) {
    struct worker *worker = &thread->worker;
    ev_set_userdata(worker->loop, thread);
    ev_set_invoke_pending_cb(worker->loop, run_turn);
    ev_timer_init(&thread->wheel_timer, on_wheel, 0., 0.);
    thread->wheel_timer.data = thread;
    thread->wheel_tick = DEADLINE_NEVER;
    ev_timer_init(&thread->drain_timer, on_drain_idle, (double)DRAIN_IDLE_NS / 1e9, 0.);
    thread->drain_timer.data = worker;
    worker_init_accept(thread);
}

static bool start_thread(struct worker_thread *thread) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the housekeeping thread's */
    int number = pthread_create(&thread->worker.thread, NULL, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (number != 0) {
        log_error("cannot start worker %u: %s", thread->worker.index + 1, strerror(number));
    }
    return number == 0;
}

struct worker *worker_start(struct process *process, unsigned index, struct generation *generation,
                            const struct worker_socket *sockets, size_t socket_count, size_t connection_limit) {
    struct worker_thread *thread = allocate();
    struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (thread == NULL || loop == NULL) {
        log_error("cannot start worker %u: no memory or descriptors for its event loop", index + 1);
        if (loop != NULL) {
            ev_loop_destroy(loop);
        }
        free(thread);
        return NULL;
    }
    struct worker *worker = &thread->worker;
    snprintf(thread->name, sizeof thread->name, "worker %u", index + 1);
    worker->index = index;
    worker->loop = loop;
    worker->process = process;
    worker->log_writer = process_log_writer(process);
    worker->generation = generation_ref(generation);
    worker->connection_limit = connection_limit;
    take_tls(worker);
    worker_update_time(worker);
    deadline_wheel_init(&worker->deadlines, worker->now_ns);
    gather_ring_init(&worker->gathering);
    buffer_pool_init(&worker->buffers);
    worker->scratch = pattern_scratch_new();
    worker->origin_pool = origin_pool_new(worker);
    worker->mailbox = task_mailbox_new(loop, thread);
    init_watchers(thread);
    worker_add_listeners(thread, sockets, socket_count);
    if (!start_thread(thread)) {
        free_own(thread);
        mailbox_free(&worker->mailbox);
        ev_loop_destroy(loop);
        free(thread);
        return NULL;
    }
    return worker;
}

static struct mail *new_mail(enum mail_kind kind) {
    struct mail *mail = must_calloc(1, sizeof *mail);
    mail->task = (struct task){open_mail, discard_mail};
    mail->kind = kind;
    return mail;
}

void worker_post(struct worker *worker, struct task *task) {
    mailbox_post(worker->mailbox, task);
}

static void post(struct worker *worker, enum mail_kind kind) {
    worker_post(worker, &new_mail(kind)->task);
}

void worker_post_generation(struct worker *worker, struct generation *generation, const struct worker_socket *sockets,
                            size_t socket_count, size_t connection_limit) {
    struct mail *mail = new_mail(MAIL_GENERATION);
    mail->generation = generation;
    mail->socket_count = socket_count;
    mail->connection_limit = connection_limit;
    mail->sockets = must_calloc(socket_count + 1, sizeof *mail->sockets);
    for (size_t i = 0; i < socket_count; i++) {
        size_t bytes = strlen(sockets[i].name) + 1;
        mail->sockets[i] = (struct worker_socket){sockets[i].fd, memcpy(must_malloc(bytes), sockets[i].name, bytes)};
    }
    worker_post(worker, &mail->task);
}

void worker_post_drain(struct worker *worker) {
    post(worker, MAIL_DRAIN);
}

void worker_post_stop(struct worker *worker) {
    post(worker, MAIL_STOP);
}

void worker_post_close_listeners(struct worker *worker) {
    post(worker, MAIL_CLOSE_LISTENERS);
}

bool worker_ended(const struct worker *worker) {
    const struct worker_thread *thread = (const struct worker_thread *)worker;
    return atomic_load_explicit(&thread->ended, memory_order_acquire);
}

void worker_join(struct worker **worker_pointer) {
    struct worker *worker = *worker_pointer;
    *worker_pointer = NULL;
    pthread_join(worker->thread, NULL);
    mailbox_free(&worker->mailbox);
    ev_loop_destroy(worker->loop);
    free(worker);
}
