/* The process as others may look at it, for whoever shows what weir does. Housekeeping thread; everything pointed to is
 * the process's own and may be gone after the next event. */
#ifndef WEIR_PROXY_PROCESS_SURVEY_H
#define WEIR_PROXY_PROCESS_SURVEY_H

#include "proxy/block_notifier.h"
#include "proxy/counters.h"
#include "proxy/log_writer.h"
#include "proxy/origin_state.h"
#include "shaper/burst.h"
#include "shaper/keeper.h"
#include "shaper/ledger.h"
#include "shaper/shaper.h"

struct process;

struct process_survey {
    const struct config *config; /* the present one */
    const struct shaper_binding *binding;
    const struct origins *origins;
    struct shaper *shaper;
    struct burst_guard *burst;
    const struct ledger *ledger;
    struct counters_snapshot counters; /* of all workers, those ended too */
    struct log_writer_counts log;
    struct keeper_counts state; /* of the state databases */
    struct block_notifier_counts notices;
    const char *libraries;
    unsigned workers;
    uint64_t generation;
    int64_t started_wall_s, now_wall_s, uptime_ns, now_ns;
    int64_t lag_ns; /* of the housekeeping loop, when it was last looked at */
    struct process_reload_result {
        bool ok;
        int64_t at_s;     /* wall; 0: there was none */
        const char *text; /* what was wrong */
    } last_reload;
    uint64_t reloads, reloads_failed;
};
void process_survey(const struct process *process, struct process_survey *survey);

#endif
