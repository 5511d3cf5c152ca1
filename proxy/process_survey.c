/* Shows the process. Housekeeping thread, for status documents. */
#include "proxy/process_survey.h"

#include "proxy/clock.h"
#include "proxy/process_state.h"

void process_survey(const struct process *process, struct process_survey *survey) {
    int64_t now_ns = clock_monotonic_ns(), now_wall_s = clock_wall_us() / US_PER_SECOND;
    const struct generation *generation = process->generation;
    *survey = (struct process_survey){
        .config = generation->config,
        .binding = generation->binding,
        .origins = generation->origins,
        .shaper = process->shaper,
        .burst = process->burst,
        .ledger = process->ledger,
        .counters = process->ended_counters,
        .log = log_writer_counts(process->log_writer),
        .notices = block_notifier_counts(process->block_notifier),
        .state = keeper_counts(process->keeper),
        .libraries = process->options->libraries,
        .workers = process->worker_count,
        .generation = generation->number,
        .started_wall_s = now_wall_s - (now_ns - process->started_ns) / NS_PER_SECOND,
        .now_wall_s = now_wall_s,
        .now_ns = now_ns,
        .uptime_ns = now_ns - process->started_ns,
        .lag_ns = process->lag_ns,
        .last_reload = process->last_reload,
        .reloads = process->reloads,
        .reloads_failed = process->reloads_failed,
    };
    for (unsigned i = 0; i < process->worker_count; i++) {
        if (process->workers[i] != NULL) {
            counters_sum(&survey->counters, &process->workers[i]->counters);
        }
    }
}
