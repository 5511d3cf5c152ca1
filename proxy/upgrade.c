/* Both sides of a binary upgrade. Called by process.c (new side) and process_signals.c (old side) on the housekeeping
 * thread. Invariant: the old process gives nothing up before the new one has said that it is ready. */
#include "proxy/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/capability.h"
#include "proxy/clock.h"
#include "proxy/log.h"
#include "proxy/process_state.h"
#include "proxy/service_notify.h"

#define SOCKETS_VARIABLE "WEIR_LISTEN_FDS"
#define PIPE_VARIABLE "WEIR_UPGRADE_FD"
#define READY_TEXT "ready\n"
#define STATE_TEXT "state\n" /* comes first, if at all */

enum { START_SECONDS_MAX = 60, REPORT_BYTES_MAX = 65536 };

struct upgrade {
    struct process *process;
    pid_t pid;
    int fd; /* what the new process says */
    ev_io readable;
    ev_timer too_long;
    ev_child ended; /* only so that it is waited for */
    char *said;
    size_t said_length;
    bool asked_for_state;
};

extern char **environ;

/* ---- the child between fork and exec ---- */

struct launch { /* all that the child needs, made before the fork: between fork and exec nothing may be allocated */
    const char *program;
    char *const *arguments;
    char **environment;
    int *descriptors; /* to be inherited */
    size_t descriptor_count;
    int report_fd;
};

static bool names_variable(const char *entry, const char *name) {
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

static char *format_variable(const char *name, const char *value) {
    size_t size = strlen(name) + strlen(value) + 2;
    char *text = must_malloc(size);
    snprintf(text, size, "%s=%s", name, value);
    return text;
}

/* The last two entries before the NULL are ours to free. */
static char **make_environment(const char *sockets, int report_fd) {
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **entries = must_calloc(count + 3, sizeof *entries);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!names_variable(environ[i], SOCKETS_VARIABLE) && !names_variable(environ[i], PIPE_VARIABLE)) {
            entries[kept++] = environ[i];
        }
    }
    char number[16];
    snprintf(number, sizeof number, "%d", report_fd);
    entries[kept++] = format_variable(SOCKETS_VARIABLE, sockets);
    entries[kept] = format_variable(PIPE_VARIABLE, number);
    return entries;
}

static void free_environment(char **entries) {
    size_t count = 0;
    while (entries[count] != NULL) {
        count++;
    }
    free(entries[count - 1]);
    free(entries[count - 2]);
    free(entries);
}

/* Async-signal-safe calls only: the other threads of the old process may hold any lock. */
__attribute__((noreturn)) static void exec_child(const struct launch *launch) {
    (void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC); /* libraries open some without it */
    capability_pass_on();
    bool inheritable = fcntl(launch->report_fd, F_SETFD, 0) == 0;
    for (size_t i = 0; i < launch->descriptor_count; i++) {
        inheritable = fcntl(launch->descriptors[i], F_SETFD, 0) == 0 && inheritable;
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (inheritable) {
        execve(launch->program, launch->arguments, launch->environment);
    }
    static const char text[] = "the program could not be executed: is it still there, and executable?\n";
    (void)!write(launch->report_fd, text, sizeof text - 1);
    _exit(1);
}

static pid_t launch(struct process *process, int report_fd) {
    char *sockets = listener_set_describe(process->listeners);
    struct launch launch = {
        .program = process->options->program,
        .arguments = (char *const *)(uintptr_t)process->options->arguments,
        .environment = make_environment(sockets, report_fd),
        .report_fd = report_fd,
    };
    launch.descriptors = listener_set_descriptors(process->listeners, &launch.descriptor_count);
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
    pid_t pid = fork();
    if (pid == 0) {
        exec_child(&launch);
    }
    int number = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    free_environment(launch.environment);
    free(launch.descriptors);
    free(sockets);
    errno = number;
    return pid;
}

/* ---- the old process ---- */

static void free_upgrade(struct upgrade *upgrade) {
    struct ev_loop *loop = upgrade->process->loop;
    ev_io_stop(loop, &upgrade->readable);
    ev_timer_stop(loop, &upgrade->too_long);
    ev_child_stop(loop, &upgrade->ended);
    close(upgrade->fd);
    upgrade->process->upgrade = NULL;
    free(upgrade->said);
    free(upgrade);
}

static void succeed(struct upgrade *upgrade) {
    struct process *process = upgrade->process;
    log_notice("process %ld serves now; this one ends what it is serving", (long)upgrade->pid);
    service_notify_main_pid(process->notify, upgrade->pid);
    free_upgrade(upgrade);
    process->replaced = true;
    for (unsigned i = 0; i < process->worker_count; i++) {
        if (process->workers[i] != NULL) {
            worker_post_close_listeners(process->workers[i]);
        }
    }
    listener_set_forget(process->listeners);
    process_drain(process, "replaced");
}

static void fail(struct upgrade *upgrade, const char *why) {
    struct process *process = upgrade->process;
    log_error("USR2: the new process did not start; this one goes on%s", why);
    if (upgrade->said_length > 0) {
        log_text(LOG_LEVEL_ERROR, upgrade->said);
    }
    char status[96];
    process_status(process, status, sizeof status);
    service_notify_ready(process->notify, status);
    kill(upgrade->pid, SIGKILL); /* mostly it has ended by itself */
    free_upgrade(upgrade);
    process_keep_take_back(process);
}

/* The state is asked for once, before anything else is said. */
static void hear_state(struct upgrade *upgrade) {
    size_t length = sizeof STATE_TEXT - 1;
    if (!upgrade->asked_for_state && strncmp(upgrade->said, STATE_TEXT, length) == 0) {
        upgrade->asked_for_state = true;
        upgrade->said_length -= length;
        memmove(upgrade->said, upgrade->said + length, upgrade->said_length + 1);
        process_keep_hand_over(upgrade->process);
    }
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events) {
    (void)loop;
    (void)events;
    struct upgrade *upgrade = watcher->data;
    char piece[4096];
    ssize_t length = read(upgrade->fd, piece, sizeof piece);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (length <= 0) {
        fail(upgrade, upgrade->said_length > 0 ? "; it says:" : "; it ended without saying why");
        return;
    }
    size_t room = REPORT_BYTES_MAX - upgrade->said_length;
    size_t taken = (size_t)length < room ? (size_t)length : room;
    memcpy(upgrade->said + upgrade->said_length, piece, taken);
    upgrade->said_length += taken;
    upgrade->said[upgrade->said_length] = '\0';
    hear_state(upgrade);
    if (strcmp(upgrade->said, READY_TEXT) == 0) {
        succeed(upgrade);
    }
}

static void on_too_long(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)loop;
    (void)events;
    fail(watcher->data, ": it was not ready within a minute");
}

/* The pipe tells how it went; this only takes note of its end. */
static void on_ended(struct ev_loop *loop, ev_child *watcher, int events) {
    (void)events;
    ev_child_stop(loop, watcher);
}

static void watch(struct upgrade *upgrade) {
    struct ev_loop *loop = upgrade->process->loop;
    ev_io_init(&upgrade->readable, on_readable, upgrade->fd, EV_READ);
    upgrade->readable.data = upgrade;
    ev_io_start(loop, &upgrade->readable);
    ev_timer_init(&upgrade->too_long, on_too_long, START_SECONDS_MAX, 0.);
    upgrade->too_long.data = upgrade;
    ev_timer_start(loop, &upgrade->too_long);
    ev_child_init(&upgrade->ended, on_ended, upgrade->pid, 0);
    ev_child_start(loop, &upgrade->ended);
}

void upgrade_begin(struct process *process) {
    if (process->upgrade != NULL || process->phase != PROCESS_RUNNING) {
        log_notice("USR2: not now: %s",
                   process->upgrade != NULL ? "another upgrade is under way" : "the process is ending");
        return;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        log_error("USR2: no pipe to a new process: %s", strerror(errno));
        return;
    }
    (void)fcntl(ends[1], F_SETFL, 0); /* the new process's end waits: what it says must not be cut */
    log_notice("USR2: starting %s", process->options->program);
    service_notify_reloading(process->notify, clock_monotonic_ns());
    pid_t pid = launch(process, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        log_error("USR2: no new process: %s", strerror(errno));
        close(ends[0]);
        return;
    }
    struct upgrade *upgrade = must_calloc(1, sizeof *upgrade);
    *upgrade = (struct upgrade){.process = process, .pid = pid, .fd = ends[0]};
    upgrade->said = must_calloc(1, REPORT_BYTES_MAX + 1);
    process->upgrade = upgrade;
    watch(upgrade);
}

void upgrade_cancel(struct process *process) {
    if (process->upgrade != NULL) {
        log_notice("USR2: the upgrade under way is given up");
        kill(process->upgrade->pid, SIGKILL);
        free_upgrade(process->upgrade);
        process_keep_take_back(process);
    }
}

/* ---- the new process ---- */

int upgrade_inherit(struct listener_set *set) {
    const char *sockets = getenv(SOCKETS_VARIABLE);
    const char *pipe_text = getenv(PIPE_VARIABLE);
    int fd = -1;
    if (pipe_text != NULL && pipe_text[0] >= '0' && pipe_text[0] <= '9') {
        fd = (int)strtol(pipe_text, NULL, 10);
        if (fd < 3 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
            fd = -1;
        }
    }
    if (sockets != NULL && !listener_set_inherit(set, sockets)) {
        log_warn(SOCKETS_VARIABLE " is not understood: some listening sockets are opened anew");
    }
    unsetenv(SOCKETS_VARIABLE);
    unsetenv(PIPE_VARIABLE);
    return fd;
}

static void say(int fd, const char *text) {
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno != EINTR) {
            break; /* the old process is gone: nobody is left to be told */
        }
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
}

void upgrade_ask_for_state(int fd) {
    if (fd >= 0) {
        say(fd, STATE_TEXT);
    }
}

void upgrade_report(int *fd, const char *failure) {
    if (*fd >= 0) {
        say(*fd, failure != NULL ? failure : READY_TEXT);
        close(*fd);
        *fd = -1;
    }
}
