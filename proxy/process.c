/* From the command line to serving, and from the last worker to the exit code. The main thread; housekeeping from the
 * moment the loop runs. Invariants: nothing is accepted before everything is ready; whatever was begun is freed on
 * every way out, so that a leak checker has nothing to say. */
#include "proxy/process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/version.h"
#include "proxy/block_notifier.h"
#include "proxy/clock.h"
#include "proxy/daemonise.h"
#include "proxy/log.h"
#include "proxy/mailbox.h"
#include "proxy/open_files.h"
#include "proxy/pid_file.h"
#include "proxy/privileges.h"
#include "proxy/process_second.h"
#include "proxy/process_state.h"
#include "proxy/service_notify.h"
#include "proxy/task.h"
#include "proxy/tls_runtime.h"
#include "proxy/upgrade.h"

enum { DRY_RUN_NOTE_SECONDS = 60 };
#define CLIENT_TABLE_BYTES_MAX (UINT64_C(256) << 20)
#define BURST_BYTES_MAX (UINT64_C(640) << 20) /* room for a million clients, the default of DOSMaxClients */
/* How long a start waits for the names of origins: the first requests should find addresses. */
#define NAMES_WAIT_NS (3 * NS_PER_SECOND)

/* ---- what workers call ---- */

bool process_take_connection(struct process *process, size_t limit) {
    if (atomic_fetch_add_explicit(&process->connections, 1, memory_order_relaxed) < limit) {
        return true;
    }
    atomic_fetch_sub_explicit(&process->connections, 1, memory_order_relaxed);
    return false;
}

void process_give_connection(struct process *process) {
    atomic_fetch_sub_explicit(&process->connections, 1, memory_order_relaxed);
}

bool process_may_note_dry_run(struct process *process, size_t host, unsigned reason, int64_t now_ns) {
    /* One word for both, so that of several threads one succeeds; a later host may take the place of an earlier. */
    uint64_t key = ((uint64_t)host * SHAPER_REASONS + reason + 1) & UINT32_MAX;
    uint64_t now_s = (uint64_t)(now_ns / NS_PER_SECOND) & UINT32_MAX;
    atomic_uint_fast64_t *note = &process->dry_run_notes[key % DRY_RUN_NOTES];
    uint64_t before = atomic_load_explicit(note, memory_order_relaxed);
    if (before >> 32 == key && now_s - (before & UINT32_MAX) < DRY_RUN_NOTE_SECONDS) {
        return false;
    }
    return atomic_compare_exchange_strong_explicit(note, &before, key << 32 | now_s, memory_order_relaxed,
                                                   memory_order_relaxed);
}

void process_post(struct process *process, struct task *task) {
    mailbox_post(process->mailbox, task);
}

static void join_worker(void *receiver, struct task *task) {
    free(task);
    process_join_ended(receiver);
}

static void free_task(struct task *task) {
    free(task);
}

void process_worker_ended(struct process *process) {
    struct task *task = must_malloc(sizeof *task);
    *task = (struct task){join_worker, free_task};
    process_post(process, task);
}

struct log_writer *process_log_writer(const struct process *process) {
    return process->log_writer;
}

/* ---- small things that several parts need ---- */

unsigned process_worker_count(const struct config *config) {
    if (config->server.workers > 0) {
        return config->server.workers;
    }
    cpu_set_t cores;
    CPU_ZERO(&cores);
    int count = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
    return count > 0 ? (unsigned)count : 1;
}

void process_status(const struct process *process, char *text, size_t size) {
    const struct config *config = process->generation->config;
    size_t listeners = config->listener_count - (config->server.control_socket != NULL);
    snprintf(text, size, "serving on %zu listener%s with %u worker%s, generation %llu", listeners,
             listeners == 1 ? "" : "s", process->worker_count, process->worker_count == 1 ? "" : "s",
             (unsigned long long)process->generation->number);
}

void process_summarise(struct process *process, const char *occasion) {
    if (process->options->report == NULL) {
        return;
    }
    struct process_report report = {
        .occasion = occasion,
        .counters = process->ended_counters,
        .log = log_writer_counts(process->log_writer),
        .uptime_ns = clock_monotonic_ns() - process->started_ns,
    };
    for (unsigned i = 0; i < process->worker_count; i++) {
        if (process->workers[i] != NULL) {
            counters_sum(&report.counters, &process->workers[i]->counters);
        }
    }
    process->options->report(&report);
}

/* Standard error, or the process that waits for us. */
__attribute__((format(printf, 2, 3))) static void start_failed(struct process *process, const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        return;
    }
    if (process->successor_fd >= 0) {
        upgrade_report(&process->successor_fd, text);
    } else {
        fprintf(stderr, "weir: %s\n", text);
    }
    free(text);
}

/* ---- sockets to workers ---- */

static struct worker_socket *lend_sockets(struct process *process, unsigned worker, size_t *count) {
    struct worker_socket *sockets = NULL;
    const char *name;
    int fd;
    *count = 0;
    while (listener_set_lend(process->listeners, worker, &name, &fd)) {
        sockets = must_realloc(sockets, (*count + 1) * sizeof *sockets);
        sockets[(*count)++] = (struct worker_socket){fd, name};
    }
    return sockets;
}

void process_mail_sockets(struct process *process, struct generation *generation) {
    for (unsigned i = 0; i < process->worker_count; i++) {
        size_t count;
        struct worker_socket *sockets = lend_sockets(process, i, &count);
        worker_post_generation(process->workers[i], generation_ref(generation), sockets, count,
                               process->connection_limit);
        free(sockets);
    }
}

static bool start_workers(struct process *process) {
    process->workers = must_calloc(process->worker_count, sizeof(struct worker *));
    for (unsigned i = 0; i < process->worker_count; i++) {
        size_t count;
        struct worker_socket *sockets = lend_sockets(process, i, &count);
        process->workers[i] = worker_start(process, i, process->generation, sockets, count, process->connection_limit);
        free(sockets);
        if (process->workers[i] == NULL) {
            start_failed(process, "worker %u could not be started", i + 1);
            return false;
        }
        process->workers_running++;
    }
    return true;
}

/* ---- the steps of a start, in order; each false with the reason said ---- */

static struct config *load(struct process *process) {
    char *messages = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&messages, &size);
    if (out == NULL) {
        start_failed(process, "no memory to read the configuration");
        return NULL;
    }
    struct config *config = config_load(&process->options->config, out);
    fclose(out);
    if (config == NULL && process->successor_fd >= 0) {
        start_failed(process, "%s", messages);
    } else if (size > 0) {
        fputs(messages, stderr);
    }
    free(messages);
    return config;
}

/* From here on the process may be the detached one. */
static bool detach(struct process *process) {
    if (!process->options->detach || process->successor_fd >= 0) {
        return true;
    }
    process->detached_fd = daemonise_begin();
    if (process->detached_fd < 0) {
        start_failed(process, "cannot go to the background: %s", strerror(errno));
    }
    return process->detached_fd >= 0;
}

static bool prepare(struct process *process, const struct config *config) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL); /* every thread is started with this mask; only this one opens it again */
    process->loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (process->loop == NULL) {
        start_failed(process, "no event loop: %s", strerror(errno));
        return false;
    }
    process->mailbox = task_mailbox_new(process->loop, process);
    process->worker_count = process_worker_count(config);
    process->file_limit = open_files_raise();
    size_t short_of;
    process->connection_limit = open_files_connections(config, process->worker_count, process->file_limit, &short_of);
    log_set_level(config->server.log_level);
    process->log_writer = log_writer_new(&config->server);
    if (process->log_writer == NULL) {
        start_failed(process, "the ErrorLog cannot be opened");
        return false;
    }
    if (short_of > 0) {
        log_warn("MaxConnections %zu may need %zu open files; the limit is %zu (ulimit -n)", process->connection_limit,
                 short_of, process->file_limit);
    }
    return true;
}

static bool open_everything(struct process *process, struct config **config) {
    char *error = NULL;
    bool opened = listener_set_open(process->listeners, *config, process->worker_count, &error);
    if (opened) {
        process->generation = generation_new(process, *config, (*config)->generation, &error);
        *config = NULL; /* the generation's, or freed */
        opened = process->generation != NULL;
    }
    if (!opened) {
        start_failed(process, "%s", error != NULL ? error : "no memory");
        free(error);
    }
    return opened;
}

static bool write_pid_file(struct process *process) {
    const char *path = process->generation->config->server.pid_file;
    if (path == NULL || process->pid_file != NULL) {
        return true;
    }
    if (!pid_file_write(path, getpid())) {
        start_failed(process, "PidFile: cannot write %s: %s", path, strerror(errno));
        return false;
    }
    process->pid_file = strdup(path);
    return true;
}

static bool drop_privileges(struct process *process) {
    char *error, *notice;
    bool dropped = privileges_drop(process->generation->config, &error, &notice);
    if (!dropped) {
        start_failed(process, "%s", error != NULL ? error : "no memory");
    } else if (notice != NULL) {
        log_warn("%s", notice);
    }
    free(error);
    free(notice);
    return dropped;
}

/* Both tables of clients are bounded by DOSMaxClients; a client takes about 210 bytes here, and up to 540 there. Its
 * hash is keyed, so that nobody can choose addresses that collide. */
static struct shaper *make_shaper(const struct config *config, unsigned workers) {
    struct shaper_settings settings = {
        .clients = {.max_clients = config->server.burst.max_clients, .max_bytes = CLIENT_TABLE_BYTES_MAX},
        .workers = workers,
    };
    if (getentropy(&settings.hash_key, sizeof settings.hash_key) != 0) {
        log_warn("no random key for the table of clients: %s", strerror(errno));
    }
    return shaper_new(&settings);
}

static struct burst_guard *make_burst_guard(const struct config *config) {
    struct burst_settings settings = {.max_clients = config->server.burst.max_clients, .max_bytes = BURST_BYTES_MAX};
    if (getentropy(&settings.hash_key, sizeof settings.hash_key) != 0) {
        log_warn("no random key for burst blocking: %s", strerror(errno));
    }
    return burst_new(&settings);
}

static bool start(struct process *process, struct config **config) {
    bool succeeds = process->successor_fd >= 0; /* then the pid file is the old process's until we are ready */
    if (!detach(process) || !prepare(process, *config) || !open_everything(process, config) ||
        (!succeeds && !write_pid_file(process)) || !drop_privileges(process)) {
        return false;
    }
    log_writer_start(process->log_writer);
    process->block_notifier = block_notifier_new(process->loop);
    block_notifier_apply(process->block_notifier, process->generation->config);
    process->shaper = make_shaper(process->generation->config, process->worker_count);
    process->burst = make_burst_guard(process->generation->config);
    process->origin_table = origin_table_new(process->loop);
    generation_bind(process->generation, process->origin_table, NAMES_WAIT_NS);
    struct state_text held;
    if (!process_keep_start(process, &held)) {
        start_failed(process, "%s", held.text);
        return false;
    }
    process_restore_blocks(process);
    (void)listener_set_drop_others(process->listeners, process->generation->config);
    return start_workers(process) && write_pid_file(process);
}

/* A quota, in total or of a class, that has no file of its own. */
static bool is_kept_nowhere(const struct traffic_limits *traffic) {
    return (traffic->limit_bytes > 0 || traffic->class_quota_count > 0) && traffic->scoreboard == NULL;
}

/* What an administrator may expect of the configuration and does not get, once in the log. */
static void announce_shaping(const struct config *config) {
    if (config->server.limits.random_pulse) {
        log_notice("CBandRandomPulse is accepted and changes nothing: weir paces smoothly either way");
    }
    bool forgets = false;
    for (size_t i = 0; i < config->host_count && !forgets; i++) {
        forgets = is_kept_nowhere(&config->hosts[i]->limits.traffic);
    }
    for (size_t i = 0; i < config->user_count && !forgets; i++) {
        forgets = is_kept_nowhere(&config->users[i].traffic);
    }
    if (forgets && config->server.state_file == NULL) {
        log_notice("CBandLimit without StateFile: usage is kept over reloads, and forgotten at a restart");
    }
}

static void announce(struct process *process) {
    char status[96];
    process->phase = PROCESS_RUNNING;
    announce_shaping(process->generation->config);
    process_status(process, status, sizeof status);
    log_notice("weir " WEIR_VERSION " is %s, process %ld", status, (long)getpid());
    service_notify_ready(process->notify, status);
    upgrade_report(&process->successor_fd, NULL);
    daemonise_report(&process->detached_fd, 0);
}

/* ---- the end ---- */

static void join_all(struct process *process) {
    for (unsigned i = 0; process->workers != NULL && i < process->worker_count; i++) {
        if (process->workers[i] != NULL) { /* only when a start failed half way */
            worker_post_stop(process->workers[i]);
            worker_join(&process->workers[i]);
        }
    }
    free(process->workers);
}

static void free_process(struct process *process) {
    upgrade_cancel(process);
    join_all(process);
    process_keep_end(process);
    process_stop_seconds(process);
    generation_unref(&process->generation);
    mailbox_free(&process->mailbox); /* frees the generations that were mailed to us */
    block_notifier_free(&process->block_notifier);
    tls_runtime_free(&process->tls);
    shaper_free(&process->shaper);
    burst_free(&process->burst);
    if (process->origin_table != NULL) {
        origin_table_free(&process->origin_table);
    }
    if (process->pid_file != NULL) {
        pid_file_remove(process->pid_file, getpid());
        free(process->pid_file);
    }
    if (process->log_writer != NULL) {
        log_writer_free(&process->log_writer);
    }
    listener_set_free(&process->listeners);
    if (process->loop != NULL) {
        process_unwatch_signals(process);
        ev_timer_stop(process->loop, &process->drain_timer);
        ev_loop_destroy(process->loop);
    }
    free((void *)(uintptr_t)process->last_reload.text);
    free(process->notify);
    free(process);
}

static struct process *make_process(const struct process_options *options) {
    void *memory = NULL;
    if (posix_memalign(&memory, _Alignof(struct process), sizeof(struct process)) != 0) {
        return NULL;
    }
    struct process *process = memory;
    memset(process, 0, sizeof *process);
    process->options = options;
    process->started_ns = clock_monotonic_ns();
    process->detached_fd = -1;
    const char *notify = getenv("NOTIFY_SOCKET");
    process->notify = notify != NULL ? strdup(notify) : NULL;
    process->listeners = listener_set_new();
    process->successor_fd = upgrade_inherit(process->listeners);
    return process;
}

static void run(struct process *process) {
    process_start_seconds(process);
    announce(process);
    process_watch_signals(process);
    ev_run(process->loop, 0);
    process_summarise(process, process->replaced ? "replaced" : "stopped");
}

int process_run(const struct process_options *options) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its size limit is an error of the write, as a full disk is */
    log_name_thread("housekeeping");
    struct process *process = make_process(options);
    if (process == NULL) {
        fprintf(stderr, "weir: no memory\n");
        return 1;
    }
    struct config *config = load(process);
    int exit_code = 1;
    if (config != NULL) {
        config->generation = process->generation_number = 1;
        if (start(process, &config)) {
            run(process);
            exit_code = 0;
        } else if (process->listeners != NULL && process->successor_fd < 0 && process->phase == PROCESS_STARTING) {
            listener_set_remove_files(process->listeners);
        }
    }
    if (config != NULL) {
        config_unref(&config);
    }
    upgrade_report(&process->successor_fd, "the new process ended before it was ready");
    daemonise_report(&process->detached_fd, exit_code);
    free_process(process);
    return exit_code;
}
