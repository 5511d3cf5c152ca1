/* Making and freeing generations (housekeeping thread), and counting references to them (any thread).
 * Invariant: whoever holds a reference may read all of it; the one who drops the last only mails it away. */
#include "proxy/generation.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/host_index.h"
#include "proxy/process_blocks.h"
#include "proxy/process_state.h"
#include "proxy/tls_generation.h"
#include "proxy/tls_runtime.h"

/* The generation with what must be freed with it. */
struct made_generation {
    struct generation generation; /* first */
    struct host_runtime *hosts;
    uint32_t *burst_host_ids;
};

static void free_host(struct log_writer *writer, struct host_runtime *host) {
    struct host_log *logs = (struct host_log *)(uintptr_t)host->logs;
    for (size_t i = 0; i < host->log_count; i++) {
        access_log_format_free((struct access_log_format *)(uintptr_t)logs[i].format);
        log_file_unref(writer, &logs[i].file);
    }
    free(logs);
}

static bool open_log(struct process *process, const struct access_log *log, struct host_log *opened, char **error) {
    char *problem = NULL;
    const char *why = NULL;
    opened->format = access_log_format_new(log->format, &problem);
    if (opened->format == NULL) {
        if (asprintf(error, "%s:%u: CustomLog: %s", log->place.file, log->place.line, problem) < 0) {
            *error = NULL;
        }
        free(problem);
        return false;
    }
    opened->file = log_file_open(process->log_writer, log->path, &why);
    if (opened->file == NULL) {
        access_log_format_free((struct access_log_format *)(uintptr_t)opened->format);
        if (asprintf(error, "%s:%u: CustomLog: cannot open %s: %s", log->place.file, log->place.line, log->path, why) <
            0) {
            *error = NULL;
        }
        return false;
    }
    return true;
}

static bool open_host(struct process *process, const struct virtual_host *host, struct host_runtime *runtime,
                      char **error) {
    struct host_log *logs = must_calloc(host->access_log_count + 1, sizeof *logs);
    runtime->logs = logs;
    for (size_t i = 0; i < host->access_log_count; i++) {
        if (!open_log(process, &host->access_logs[i], &logs[i], error)) {
            return false;
        }
        runtime->log_count++;
        runtime->logs_response_fields |= access_log_reads_response(logs[i].format);
    }
    return true;
}

/* Hosts that have the server's logs share the server's entry. */
static bool shares_logs(const struct config *config, size_t index) {
    return index > 0 && config->hosts[index]->access_logs == config->hosts[0]->access_logs;
}

static void discard_generation(struct task *task) {
    generation_free((struct generation *)task);
}

static void retire(void *receiver, struct task *task) {
    (void)receiver;
    generation_free((struct generation *)task);
}

/* What all generations share of TLS begins with the first that needs it. */
static bool open_tls(struct process *process, struct generation *generation, char **error) {
    if (!tls_is_used(generation->config)) {
        return true;
    }
    if (process->tls == NULL) {
        process->tls = tls_runtime_new(process->loop, process->worker_count);
    }
    if (process->tls == NULL) {
        *error = strdup("OpenSSL has no memory");
        return false;
    }
    const struct tls_generation *before = process->generation != NULL ? process->generation->tls : NULL;
    generation->tls = tls_generation_new(process->tls, generation->config, before, error);
    return generation->tls != NULL;
}

struct generation *generation_new(struct process *process, struct config *config, uint64_t number, char **error) {
    struct made_generation *made = must_calloc(1, sizeof *made);
    made->hosts = must_calloc(config->host_count, sizeof *made->hosts);
    made->burst_host_ids = must_calloc(config->host_count, sizeof *made->burst_host_ids);
    made->generation = (struct generation){.retirement = {retire, discard_generation},
                                           .references = 1,
                                           .number = number,
                                           .config = config,
                                           .hosts = made->hosts,
                                           .burst_host_ids = made->burst_host_ids,
                                           .process = process};
    for (size_t i = 0; i < config->host_count; i++) {
        if (shares_logs(config, i)) {
            made->hosts[i] = made->hosts[0];
        } else if (!open_host(process, config->hosts[i], &made->hosts[i], error)) {
            generation_free(&made->generation);
            return NULL;
        }
    }
    if (!open_tls(process, &made->generation, error)) {
        generation_free(&made->generation);
        return NULL;
    }
    made->generation.host_index = host_index_new(config);
    return &made->generation;
}

void generation_bind(struct generation *generation, struct origin_table *table, int64_t wait_ns) {
    generation->origins = origins_new(table, generation->config, generation->tls, wait_ns);
    generation->binding = shaper_apply(generation->process->shaper, generation->config);
    generation->burst = generation->process->burst;
    burst_apply(generation->burst, generation->config, process_time(),
                ((struct made_generation *)generation)->burst_host_ids);
}

void generation_free(struct generation *generation) {
    struct made_generation *made = (struct made_generation *)generation;
    for (size_t i = 0; i < generation->config->host_count; i++) {
        if (!shares_logs(generation->config, i) && made->hosts[i].logs != NULL) {
            free_host(generation->process->log_writer, &made->hosts[i]);
        }
    }
    free(made->hosts);
    free(made->burst_host_ids);
    if (generation->origins != NULL) {
        origins_free(&generation->origins);
    }
    tls_generation_free(&generation->tls);
    shaper_binding_unref(&generation->binding);
    host_index_free(&generation->host_index);
    config_unref(&generation->config);
    free(made);
}

struct generation *generation_ref(struct generation *generation) {
    atomic_fetch_add_explicit(&generation->references, 1, memory_order_relaxed);
    return generation;
}

void generation_unref(struct generation **generation_pointer) {
    struct generation *generation = *generation_pointer;
    *generation_pointer = NULL;
    if (generation == NULL) {
        return;
    }
    size_t before = atomic_fetch_sub_explicit(&generation->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1) {
        process_post(generation->process, &generation->retirement);
    }
}
