/* Signals, each in one place: a table. On the housekeeping thread, through libev, so a handler may do anything. */
#include <signal.h>

#include "proxy/log.h"
#include "proxy/process_state.h"
#include "proxy/upgrade.h"

static void on_hup(struct process *process) {
    process_reload(process, "HUP", NULL);
}

static void on_usr1(struct process *process) {
    log_notice("USR1: opening log files again");
    log_writer_reopen(process->log_writer);
}

static void on_usr2(struct process *process) {
    upgrade_begin(process);
}

static void on_drain(struct process *process) {
    if (process->phase == PROCESS_RUNNING) {
        process_drain(process, "told to stop");
    } else {
        process_stop(process, "told to stop once more");
    }
}

static void on_int(struct process *process) {
    process_stop(process, "interrupted");
}

static const struct {
    int number;
    void (*act)(struct process *process);
} table[PROCESS_SIGNALS] = {
    {SIGHUP, on_hup},    {SIGUSR1, on_usr1},  {SIGUSR2, on_usr2},
    {SIGTERM, on_drain}, {SIGQUIT, on_drain}, {SIGINT, on_int},
};

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events) {
    (void)loop;
    (void)events;
    struct process *process = watcher->data;
    for (size_t i = 0; i < PROCESS_SIGNALS; i++) {
        if (table[i].number == watcher->signum) {
            table[i].act(process);
        }
    }
}

void process_watch_signals(struct process *process) {
    sigset_t handled;
    sigemptyset(&handled);
    for (size_t i = 0; i < PROCESS_SIGNALS; i++) {
        ev_signal *watcher = &process->signals[i];
        ev_signal_init(watcher, on_signal, table[i].number);
        watcher->data = process;
        ev_signal_start(process->loop, watcher);
        sigaddset(&handled, table[i].number);
    }
    sigaddset(&handled, SIGCHLD);
    pthread_sigmask(SIG_UNBLOCK, &handled, NULL);
}

void process_unwatch_signals(struct process *process) {
    for (size_t i = 0; i < PROCESS_SIGNALS; i++) {
        if (ev_is_active(&process->signals[i])) {
            ev_signal_stop(process->loop, &process->signals[i]);
        }
    }
}
