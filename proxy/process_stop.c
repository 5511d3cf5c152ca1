/* The end: draining, stopping, joining workers. Housekeeping thread. Invariant: the loop ends when the last worker has
 * been joined, whatever the order in which they end. */
#include "proxy/clock.h"
#include "proxy/log.h"
#include "proxy/process_state.h"
#include "proxy/service_notify.h"
#include "proxy/upgrade.h"

static void post_to_all(struct process *process, void (*post)(struct worker *worker)) {
    for (unsigned i = 0; i < process->worker_count; i++) {
        if (process->workers[i] != NULL) {
            post(process->workers[i]);
        }
    }
}

static void on_drained_too_long(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)loop;
    (void)events;
    struct process *process = watcher->data;
    log_warn("GracefulShutdownTimeout is over with %zu client connections open: they are closed",
             atomic_load_explicit(&process->connections, memory_order_relaxed));
    process_stop(process, "the time is over");
}

void process_drain(struct process *process, const char *why) {
    if (process->phase != PROCESS_RUNNING) {
        return;
    }
    upgrade_cancel(process);
    process->phase = PROCESS_DRAINING;
    int64_t timeout_ns = process->generation->config->server.graceful_timeout_ns;
    log_notice("%s: ending %zu client connections within %lld s, as their requests are served", why,
               atomic_load_explicit(&process->connections, memory_order_relaxed),
               (long long)(timeout_ns / NS_PER_SECOND));
    if (!process->replaced) {
        service_notify_stopping(process->notify, "finishing what is being served");
        listener_set_remove_files(process->listeners);
        listener_set_forget(process->listeners);
    }
    ev_timer_init(&process->drain_timer, on_drained_too_long, (double)timeout_ns / (double)NS_PER_SECOND, 0.);
    process->drain_timer.data = process;
    ev_timer_start(process->loop, &process->drain_timer);
    post_to_all(process, worker_post_drain);
}

void process_stop(struct process *process, const char *why) {
    if (process->phase == PROCESS_STOPPING) {
        return;
    }
    upgrade_cancel(process);
    if (process->phase == PROCESS_RUNNING) {
        service_notify_stopping(process->notify, NULL);
        listener_set_remove_files(process->listeners);
        listener_set_forget(process->listeners);
    }
    process->phase = PROCESS_STOPPING;
    log_notice("%s: ending at once", why);
    ev_timer_stop(process->loop, &process->drain_timer);
    post_to_all(process, worker_post_stop);
}

void process_join_ended(struct process *process) {
    for (unsigned i = 0; i < process->worker_count; i++) {
        struct worker *worker = process->workers[i];
        if (worker != NULL && worker_ended(worker)) {
            counters_sum(&process->ended_counters, &worker->counters);
            worker_join(&process->workers[i]);
            process->workers_running--;
        }
    }
    if (process->workers_running == 0) {
        ev_break(process->loop, EVBREAK_ALL);
    }
}
