/* HUP: a new configuration beside the old one, and only when all of it is good a new generation for the workers.
 * Housekeeping thread. Invariant: whatever fails, the generation that serves stays what it was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/block_notifier.h"
#include "proxy/clock.h"
#include "proxy/log.h"
#include "proxy/open_files.h"
#include "proxy/process_state.h"
#include "proxy/service_notify.h"

static bool same_text(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* What a running process cannot change by itself. */
static void warn_of_fixed(const struct process *process, const struct config *config) {
    const struct server_settings *old = &process->generation->config->server;
    unsigned workers = process_worker_count(config);
    if (workers != process->worker_count) {
        log_warn("Workers: still %u; for %u send USR2 or start weir again", process->worker_count, workers);
    }
    if (!same_text(old->user, config->server.user) || !same_text(old->group, config->server.group)) {
        log_warn("User, Group: a change holds after the next start");
    }
    if (!same_text(old->pid_file, config->server.pid_file)) {
        log_warn("PidFile: a change holds after USR2 or the next start");
    }
}

/* *problem: what was said about the file when it was bad; the caller frees it. */
static struct config *load(struct process *process, char **problem) {
    char *messages = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&messages, &size);
    if (out == NULL) {
        log_error("HUP: no memory to read the configuration; the old one holds on");
        return NULL;
    }
    struct config *config = config_load(&process->options->config, out);
    fclose(out);
    if (config == NULL) {
        log_error("HUP: %s has errors; the old configuration holds on", process->options->config.path);
    }
    log_text(config == NULL ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, messages);
    if (config == NULL) {
        *problem = messages;
    } else {
        free(messages);
    }
    return config;
}

static struct generation *make_generation(struct process *process, struct config *config, char **problem) {
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
    log_error("HUP: %s; the old configuration holds on", error != NULL ? error : "no memory");
    *problem = error;
    return NULL;
}

static void take_over(struct process *process, struct generation *generation) {
    struct config *config = generation->config;
    size_t short_of;
    warn_of_fixed(process, config);
    process->connection_limit = open_files_connections(config, process->worker_count, process->file_limit, &short_of);
    if (short_of > 0) {
        log_warn("MaxConnections %zu may need %zu open files; the limit is %zu (ulimit -n)", process->connection_limit,
                 short_of, process->file_limit);
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

void process_reload(struct process *process) {
    if (process->phase != PROCESS_RUNNING || process->upgrade != NULL) {
        log_notice("HUP: not now: %s", process->upgrade != NULL ? "an upgrade is under way" : "the process is ending");
        return;
    }
    service_notify_reloading(process->notify, clock_monotonic_ns());
    process->generation_number++;
    char *problem = NULL;
    struct config *config = load(process, &problem);
    struct generation *generation = NULL;
    if (config != NULL) {
        config->generation = process->generation_number;
        if (log_writer_set_error_log(process->log_writer, &config->server)) {
            generation = make_generation(process, config, &problem);
            if (generation == NULL) { /* back to where messages went before */
                (void)log_writer_set_error_log(process->log_writer, &process->generation->config->server);
            }
        } else {
            log_error("HUP: the new ErrorLog cannot be opened; the old configuration holds on");
            problem = strdup("the new ErrorLog cannot be opened");
            config_unref(&config);
        }
    }
    remember(process, generation != NULL, problem);
    char status[96];
    if (generation != NULL) {
        take_over(process, generation);
        process_status(process, status, sizeof status);
        log_notice("configuration reloaded: %s", status);
        process_summarise(process, "reloaded");
    }
    process_status(process, status, sizeof status);
    service_notify_ready(process->notify, status);
}
