/* One loaded configuration made ready to serve: the config with what belongs to it at run time.
 *
 * Built by the housekeeping thread, constant afterwards, counted. Each worker holds one reference to the generation it
 * gives to new requests, each exchange one to its own. The last reference may be dropped on any thread; the freeing
 * itself is done on the housekeeping thread, where it was mailed to. */
#ifndef WEIR_PROXY_GENERATION_H
#define WEIR_PROXY_GENERATION_H

#include <stdatomic.h>

#include "config/config.h"
#include "proxy/access_log.h"
#include "proxy/log_writer.h"
#include "proxy/origin_state.h"
#include "proxy/task.h"
#include "shaper/burst.h"
#include "shaper/shaper.h"

struct process; /* process.h */
struct tls_generation;

struct host_log { /* one CustomLog of a host, ready to be written */
    const struct access_log_format *format;
    struct log_file *file;
};

struct host_runtime { /* by host->index */
    const struct host_log *logs;
    size_t log_count;
    bool logs_response_fields; /* some log of it does */
};

struct generation {
    struct task retirement; /* posted when the last reference is gone */
    atomic_size_t references;
    uint64_t number; /* from 1 */
    struct config *config;
    struct origins *origins;
    struct host_index *host_index;  /* host_index.h: names to hosts */
    struct shaper_binding *binding; /* the configuration's limits, tied to what is counted under them */
    struct burst_guard *burst;      /* the process's: one for all generations */
    const uint32_t *burst_host_ids; /* by host->index: what the guard knows the host by */
    struct tls_generation *tls;     /* tls_generation.h; NULL: nothing in it speaks TLS */
    const struct host_runtime *hosts;
    struct process *process;
};

struct generation *generation_ref(struct generation *generation); /* any thread */
void generation_unref(struct generation **generation);            /* any thread; nulls the pointer */

#endif
