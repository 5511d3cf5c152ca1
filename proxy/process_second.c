/* The timer of a second. Housekeeping thread; called by process.c at start and end, and by the loop.
 * Always true: what is done here takes milliseconds, because signals and status documents wait behind it. */
#include "proxy/process_second.h"

#include "proxy/clock.h"
#include "proxy/process_blocks.h"
#include "proxy/process_state.h"
#include "shaper/ledger.h"

static void on_second(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop;
    (void)events;
    struct process *process = timer->data;
    int64_t now_ns = clock_monotonic_ns();
    /* How late the loop is: what was done before this took so long. */
    process->lag_ns = now_ns - process->next_second_ns > 0 ? now_ns - process->next_second_ns : 0;
    process->next_second_ns = now_ns + NS_PER_SECOND;
    ledger_tick(process->ledger, now_ns);
    process_sweep_blocks(process);
    process_keep_second(process);
}

void process_start_seconds(struct process *process) {
    process->ledger = ledger_new(process->shaper);
    ledger_tick(process->ledger, clock_monotonic_ns());
    process->next_second_ns = clock_monotonic_ns() + NS_PER_SECOND;
    ev_timer_init(&process->second_timer, on_second, 1., 1.);
    process->second_timer.data = process;
    ev_timer_start(process->loop, &process->second_timer);
    ev_unref(process->loop); /* does not keep the process alive by itself */
}

void process_stop_seconds(struct process *process) {
    if (process->ledger == NULL) {
        return;
    }
    ev_ref(process->loop);
    ev_timer_stop(process->loop, &process->second_timer);
    ledger_free(&process->ledger);
}
