/* A new configuration beside the old one, and only when all of it is good a new generation for the workers. Asked for
 * by HUP or by the control socket; housekeeping thread. Invariant: whatever fails, the generation that serves stays
 * what it was. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/block_notifier.h"
#include "proxy/clock.h"
#include "proxy/log.h"
#include "proxy/open_files.h"
#include "proxy/process_state.h"
#include "proxy/service_notify.h"

struct reload {
    struct process *process;
    const char *asker; /* begins the lines about it: "HUP" */
    FILE *warnings;    /* what is worth saying to who asked, though it goes on; NULL: nobody can be told */
};

__attribute__((format(printf, 2, 3))) static void warn(const struct reload *reload, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_warn("%s", text);
    if (reload->warnings != NULL) {
        fprintf(reload->warnings, "warning: %s\n", text);
    }
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* What a running process cannot change by itself. */
static void warn_of_fixed(const struct reload *reload, const struct config *config) {
    const struct process *process = reload->process;
    const struct server_settings *old = &process->generation->config->server;
    unsigned workers = process_worker_count(config);
    if (workers != process->worker_count) {
        warn(reload, "Workers: still %u; for %u send USR2 or start weir again", process->worker_count, workers);
    }
    if (!same_text(old->user, config->server.user) || !same_text(old->group, config->server.group)) {
        warn(reload, "User, Group: a change holds after the next start");
    }
    if (!same_text(old->pid_file, config->server.pid_file)) {
        warn(reload, "PidFile: a change holds after USR2 or the next start");
    }
    if (old->burst.max_clients != config->server.burst.max_clients) {
        warn(reload, "DOSMaxClients: a change holds after USR2 or the next start");
    }
}

/* NULL, with *problem: what was said about the file; the caller frees it. */
static struct config *load(const struct reload *reload, char **problem) {
    struct process *process = reload->process;
    char *messages = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&messages, &size);
    if (out == NULL) {
        log_error("%s: no memory to read the configuration; the old one holds on", reload->asker);
        return NULL;
    }
    struct config *config = config_load(&process->options->config, out);
    fclose(out);
    if (config == NULL) {
        log_error("%s: %s has errors; the old configuration holds on", reload->asker, process->options->config.path);
    }
    log_text(config == NULL ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, messages);
    if (config == NULL) {
        *problem = messages;
        return NULL;
    }
    if (reload->warnings != NULL) {
        fputs(messages, reload->warnings);
    }
    free(messages);
    return config;
}

static struct generation *make_generation(const struct reload *reload, struct config *config, char **problem) {
    struct process *process = reload->process;
    char *error = NULL;
    if (!listener_set_open(process->listeners, config, process->worker_count, &error)) {
        config_unref(&config);
    } else {
        struct generation *generation = generation_new(process, config, process->generation_number, &error);
        if (generation != NULL) {
            return generation;
        }
        listener_set_rollback(process->listeners);
    }
    log_error("%s: %s; the old configuration holds on", reload->asker, error != NULL ? error : "no memory");
    *problem = error;
    return NULL;
}

static void take_over(const struct reload *reload, struct generation *generation) {
    struct process *process = reload->process;
    struct config *config = generation->config;
    size_t short_of;
    warn_of_fixed(reload, config);
    process->connection_limit = open_files_connections(config, process->worker_count, process->file_limit, &short_of);
    if (short_of > 0) {
        warn(reload, "MaxConnections %zu may need %zu open files; the limit is %zu (ulimit -n)",
             process->connection_limit, short_of, process->file_limit);
    }
    generation_bind(generation, process->origin_table, 0);
    block_notifier_apply(process->block_notifier, config);
    process_keep_apply(process, generation);
    process_mail_sockets(process, generation);
    size_t dropped = listener_set_drop_others(process->listeners, config);
    if (dropped > 0) {
        log_notice("%zu listeners are closed", dropped);
    }
    generation_unref(&process->generation);
    process->generation = generation;
}

/* For who asks later how it went. Takes the text over; NULL with a failure: nothing is known. */
static void remember(struct process *process, bool ok, char *problem) {
    free((void *)(uintptr_t)process->last_reload.text);
    process->reloads++;
    process->reloads_failed += !ok;
    process->last_reload = (struct process_reload_result){ok, clock_wall_us() / US_PER_SECOND, problem};
}

/* NULL: the old configuration holds on, and why has been said. */
static struct generation *try(const struct reload *reload, char **problem) {
    struct process *process = reload->process;
    struct config *config = load(reload, problem);
    if (config == NULL) {
        return NULL;
    }
    config->generation = process->generation_number;
    if (!log_writer_set_error_log(process->log_writer, &config->server)) {
        log_error("%s: the new ErrorLog cannot be opened; the old configuration holds on", reload->asker);
        *problem = strdup("the new ErrorLog cannot be opened");
        config_unref(&config);
        return NULL;
    }
    struct generation *generation = make_generation(reload, config, problem);
    if (generation == NULL) { /* back to where messages went before */
        (void)log_writer_set_error_log(process->log_writer, &process->generation->config->server);
    }
    return generation;
}

void process_reload(struct process *process, const char *asker, FILE *warnings) {
    const struct reload reload = {process, asker, warnings};
    if (process->phase != PROCESS_RUNNING || process->upgrade != NULL) {
        log_notice("%s: not now: %s", asker,
                   process->upgrade != NULL ? "an upgrade is under way" : "the process is ending");
        return;
    }
    service_notify_reloading(process->notify, clock_monotonic_ns());
    process->generation_number++;
    char *problem = NULL;
    struct generation *generation = try(&reload, &problem);
    remember(process, generation != NULL, problem);
    char status[96];
    if (generation != NULL) {
        take_over(&reload, generation);
        process_status(process, status, sizeof status);
        log_notice("configuration reloaded: %s", status);
        process_summarise(process, "reloaded");
    }
    process_status(process, status, sizeof status);
    service_notify_ready(process->notify, status);
}
