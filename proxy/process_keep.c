/* State across restarts: restored before workers start, written about once a second, handed over at USR2. Housekeeping
 * thread, but for the count that asks for a flush. What is written where is keeper.h's. Invariant: whatever a database
 * does, it costs housekeeping time, never a worker's. */
#include <time.h>

#include "proxy/clock.h"
#include "proxy/log.h"
#include "proxy/process_state.h"
#include "proxy/upgrade.h"
#include "shaper/keeper.h"
#include "shaper/ledger.h"

/* How long a process that is to replace another waits for its state files. */
#define HAND_OVER_WAIT_NS (10 * NS_PER_SECOND)
#define HAND_OVER_LOOK_NS (10 * NS_PER_MS)

static int64_t wall_s(void) {
    return clock_wall_us() / US_PER_SECOND;
}

static void log_messages(struct process *process) {
    struct keeper_message message;
    while (keeper_take_message(process->keeper, &message)) {
        log_write(message.level, "%s", message.text.text);
    }
}

/* ---- once a second, and after CBandScoreFlushPeriod requests ---- */

static void flush(struct process *process) {
    atomic_store_explicit(&process->unflushed_requests, 0, memory_order_relaxed);
    keeper_flush(process->keeper, wall_s());
    log_messages(process);
}

/* The ledger begins only when the process serves. */
static void take_history(struct process *process) {
    if (process->ledger != NULL) {
        keeper_take_history(process->keeper, process->ledger, wall_s());
    }
}

/* What the last part of a second brought. */
static void count_up_to_now(struct process *process) {
    if (process->ledger != NULL) {
        ledger_tick(process->ledger, clock_monotonic_ns());
    }
    take_history(process);
}

void process_keep_second(struct process *process) {
    take_history(process);
    process_write_blocks(process);
    flush(process);
}

void process_keep_now(struct process *process) {
    if (process->ledger != NULL) {
        ledger_look(process->ledger, clock_monotonic_ns());
    }
    process_keep_second(process);
}

static void on_flush_wanted(struct ev_loop *loop, ev_async *watcher, int events) {
    (void)loop;
    (void)events;
    flush(watcher->data);
}

void process_count_for_flush(struct process *process, unsigned requests) {
    if (atomic_fetch_add_explicit(&process->unflushed_requests, 1, memory_order_relaxed) + 1 == requests) {
        ev_async_send(process->loop, &process->flush_wanted);
    }
}

/* ---- beginning and end ---- */

bool process_keep_start(struct process *process, struct state_text *problem) {
    bool succeeds = process->successor_fd >= 0;
    int64_t until_ns = clock_monotonic_ns() + (succeeds ? HAND_OVER_WAIT_NS : 0);
    process->keeper = keeper_new(process->shaper);
    upgrade_ask_for_state(process->successor_fd);
    while (!keeper_apply(process->keeper, process->generation->binding, wall_s(), problem)) {
        if (clock_monotonic_ns() >= until_ns) {
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = HAND_OVER_LOOK_NS}, NULL);
    }
    log_messages(process);
    ev_async_init(&process->flush_wanted, on_flush_wanted);
    process->flush_wanted.data = process;
    ev_async_start(process->loop, &process->flush_wanted);
    return true;
}

void process_keep_apply(struct process *process, const struct generation *generation) {
    struct state_text held; /* the next flush says it, and tries again */
    (void)keeper_apply(process->keeper, generation->binding, wall_s(), &held);
    log_messages(process);
}

void process_keep_end(struct process *process) {
    if (process->keeper == NULL) {
        return;
    }
    ev_async_stop(process->loop, &process->flush_wanted);
    count_up_to_now(process);
    process_write_blocks(process);
    process_free_kept_blocks(process);
    flush(process);
    keeper_free(&process->keeper, wall_s());
}

void process_keep_hand_over(struct process *process) {
    count_up_to_now(process);
    process_write_blocks(process);
    keeper_hand_over(process->keeper, wall_s());
    log_messages(process);
}

void process_keep_take_back(struct process *process) {
    keeper_take_back(process->keeper);
}
