/* Children for mails and commands. Called by block_notifier.c on the housekeeping thread. Invariants: never more than
 * running_max children and queue_max orders in the queue; nothing waits in the queue while a place is free. */
#include "proxy/command_runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/arena.h"
#include "proxy/log.h"
#include "proxy/log_brake.h"

struct waiting {
    struct command_order order;
    struct waiting *next;
};

struct child {
    ev_child ended;
    ev_timer too_long;
    struct command_runner *runner;
    struct command_order order;
    pid_t pid; /* 0: the place is free */
    bool told_to_end;
};

struct command_runner {
    struct ev_loop *loop;
    struct command_runner_limits limits;
    struct child *children; /* running_max places: watchers must not move */
    struct waiting *first, **end;
    struct command_runner_counts counts;
    struct log_brake failed, full;
};

static void free_order(struct command_order *order) {
    free(order->subject);
    free(order->command);
    free(order->input);
    for (size_t i = 0; i < COMMAND_VARIABLES_MAX; i++) {
        free(order->variables[i]);
    }
    *order = (struct command_order){0};
}

static void failed(struct command_runner *runner, const struct command_order *order, const char *how) {
    char left_out[LOG_BRAKE_TEXT];
    runner->counts.failures++;
    if (log_brake_opens(&runner->failed, clock_monotonic_ns(), left_out)) {
        log_warn("%s for %s: %s%s", order->what, order->subject, how, left_out);
    }
}

void command_runner_describe(int wait_status, char *text, size_t size) {
    if (WIFSIGNALED(wait_status)) {
        snprintf(text, size, "ended by signal %d", WTERMSIG(wait_status));
        return;
    }
    int status = WEXITSTATUS(wait_status);
    const char *meaning = status == 127   ? " (the shell found no such program)"
                          : status == 126 ? " (the shell may not execute it)"
                                          : "";
    snprintf(text, size, "ended with status %d%s", status, meaning);
}

/* ---- starting one ---- */

/* A file without a name: it takes the whole text at once, whatever the child reads of it and when. */
static int make_input(const char *text) {
    int fd = memfd_create("weir input", MFD_CLOEXEC);
    size_t length = strlen(text);
    for (size_t done = 0; fd >= 0 && done < length;) {
        ssize_t written = write(fd, text + done, length - done);
        if (written < 0 && errno != EINTR) {
            int number = errno;
            close(fd);
            errno = number;
            return -1;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    if (fd >= 0) {
        (void)lseek(fd, 0, SEEK_SET);
    }
    return fd;
}

static int prepare_files(posix_spawn_file_actions_t *actions, int input_fd) {
    int error = input_fd >= 0 ? posix_spawn_file_actions_adddup2(actions, input_fd, STDIN_FILENO)
                              : posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0) {
        error = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    }
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO);
    }
    if (error == 0) {
        error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    }
    return error != 0 ? error : posix_spawn_file_actions_addchdir_np(actions, "/");
}

static void prepare_attributes(posix_spawnattr_t *attributes) {
    sigset_t signals;
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(attributes, &signals);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(attributes, &signals);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
}

/* Not fork(): that would copy the page tables of a large process while its workers run. Returns an errno. */
static int spawn(const struct command_order *order, int input_fd, pid_t *pid) {
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", language[] = "LANG=C";
    static char shell[] = "sh", option[] = "-c";
    char *environment[COMMAND_VARIABLES_MAX + 3] = {path, language};
    for (size_t i = 0; i < COMMAND_VARIABLES_MAX && order->variables[i] != NULL; i++) {
        environment[2 + i] = order->variables[i];
    }
    char *arguments[] = {shell, option, order->command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    prepare_attributes(&attributes);
    int error = prepare_files(&actions, input_fd);
    if (error == 0) {
        error = posix_spawn(pid, "/bin/sh", &actions, &attributes, arguments, environment);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int start_order(const struct command_order *order, pid_t *pid) {
    int input_fd = -1;
    if (order->input != NULL) {
        input_fd = make_input(order->input);
        if (input_fd < 0) {
            return errno;
        }
    }
    int error = spawn(order, input_fd, pid);
    if (input_fd >= 0) {
        close(input_fd);
    }
    return error;
}

/* ---- while it runs ---- */

static void start_waiting(struct command_runner *runner);

static void forget(struct child *child) {
    ev_child_stop(child->runner->loop, &child->ended);
    ev_timer_stop(child->runner->loop, &child->too_long);
    free_order(&child->order);
    child->pid = 0;
    child->runner->counts.running--;
}

static void on_ended(struct ev_loop *loop, ev_child *watcher, int events) {
    (void)loop;
    (void)events;
    struct child *child = watcher->data;
    struct command_runner *runner = child->runner;
    if (WIFEXITED(watcher->rstatus) && WEXITSTATUS(watcher->rstatus) == 0) {
        ++*child->order.succeeded;
    } else {
        char how[96];
        command_runner_describe(watcher->rstatus, how, sizeof how);
        failed(runner, &child->order, child->told_to_end ? "took too long and was ended" : how);
    }
    forget(child);
    start_waiting(runner);
}

/* The group, for the shell is seldom alone. TERM first, then KILL; the end itself is for on_ended(). */
static void on_too_long(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)events;
    struct child *child = watcher->data;
    kill(-child->pid, child->told_to_end ? SIGKILL : SIGTERM);
    if (!child->told_to_end) {
        child->told_to_end = true;
        ev_timer_set(watcher, child->runner->limits.kill_seconds, 0.);
        ev_timer_start(loop, watcher);
    }
}

static struct child *free_place(struct command_runner *runner) {
    for (unsigned i = 0; i < runner->limits.running_max; i++) {
        if (runner->children[i].pid == 0) {
            return &runner->children[i];
        }
    }
    return NULL;
}

static void run_in(struct command_runner *runner, struct child *child, struct command_order *order) {
    pid_t pid = 0;
    int error = start_order(order, &pid);
    if (error != 0) {
        char how[96];
        snprintf(how, sizeof how, "cannot be started: %s", strerror(error));
        failed(runner, order, how);
        free_order(order);
        return;
    }
    *child = (struct child){.runner = runner, .order = *order, .pid = pid};
    runner->counts.running++;
    ev_child_init(&child->ended, on_ended, pid, 0);
    child->ended.data = child;
    ev_child_start(runner->loop, &child->ended);
    ev_timer_init(&child->too_long, on_too_long, runner->limits.seconds, 0.);
    child->too_long.data = child;
    ev_now_update(runner->loop); /* the limit is of this child, not of what was done before it in this turn */
    ev_timer_start(runner->loop, &child->too_long);
}

static void start_waiting(struct command_runner *runner) {
    struct child *child;
    while (runner->first != NULL && (child = free_place(runner)) != NULL) {
        struct waiting *waiting = runner->first;
        runner->first = waiting->next;
        if (runner->first == NULL) {
            runner->end = &runner->first;
        }
        runner->counts.queued--;
        run_in(runner, child, &waiting->order);
        free(waiting);
    }
}

/* ---- the door ---- */

void command_runner_add(struct command_runner *runner, const struct command_order *order) {
    struct command_order own = *order;
    if (runner->counts.queued >= runner->limits.queue_max && free_place(runner) == NULL) {
        char left_out[LOG_BRAKE_TEXT];
        runner->counts.dropped++;
        if (log_brake_opens(&runner->full, clock_monotonic_ns(), left_out)) {
            log_warn("%s for %s: dropped, for %u run and %u wait already%s", own.what, own.subject,
                     runner->counts.running, runner->counts.queued, left_out);
        }
        free_order(&own);
        return;
    }
    struct waiting *waiting = must_malloc(sizeof *waiting);
    *waiting = (struct waiting){.order = own};
    *runner->end = waiting;
    runner->end = &waiting->next;
    runner->counts.queued++;
    start_waiting(runner);
}

struct command_runner_counts command_runner_counts(const struct command_runner *runner) {
    return runner->counts;
}

struct command_runner *command_runner_new(struct ev_loop *default_loop, const struct command_runner_limits *limits) {
    struct command_runner *runner = must_calloc(1, sizeof *runner);
    runner->loop = default_loop;
    runner->limits = *limits;
    runner->children = must_calloc(limits->running_max, sizeof *runner->children);
    runner->end = &runner->first;
    return runner;
}

void command_runner_free(struct command_runner **runner_pointer) {
    struct command_runner *runner = *runner_pointer;
    if (runner == NULL) {
        return;
    }
    if (runner->counts.queued > 0) {
        log_warn("%u mails and commands of blocks are dropped: the process ends", runner->counts.queued);
    }
    for (unsigned i = 0; i < runner->limits.running_max; i++) {
        if (runner->children[i].pid != 0) {
            forget(&runner->children[i]);
        }
    }
    while (runner->first != NULL) {
        struct waiting *waiting = runner->first;
        runner->first = waiting->next;
        free_order(&waiting->order);
        free(waiting);
    }
    free(runner->children);
    free(runner);
    *runner_pointer = NULL;
}
