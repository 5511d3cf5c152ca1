/* Blocks, on the housekeeping thread: what workers posted of their beginning, and what the sweep of each second finds.
 * Always true: at most BLOCK_MAILS_MAX beginnings wait in the mailbox, however many clients are blocked at once. */
#include "proxy/process_blocks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/clock.h"
#include "proxy/log.h"
#include "proxy/process_state.h"
#include "proxy/task.h"

enum { BLOCK_MAILS_MAX = 16384 };

struct block_mail {
    struct task task; /* first */
    struct process *process;
    struct process_block block;
};

struct shaper_time process_time(void) {
    return (struct shaper_time){clock_monotonic_ns(), clock_wall_us() / US_PER_SECOND};
}

/* ---- a block begins ---- */

static void free_mail(struct task *task) {
    struct block_mail *mail = (struct block_mail *)task;
    atomic_fetch_sub_explicit(&mail->process->block_mails, 1, memory_order_relaxed);
    free(mail);
}

/* The first form is mod_evasive's, for filters that know it; a block that refuses nothing must not look like one. All
 * are written, however many there are: each is about another client. */
static void log_block(const struct process *process, const struct process_block *block) {
    char address[IP_TEXT_MAX], text[128];
    ip_address_print(&block->client, address);
    if (block->log_only) {
        snprintf(text, sizeof text, "DOSLogOnly: %s would be blocked (%s)", address, burst_reason_text(block->reason));
        log_text(LOG_LEVEL_WARN, text);
        return;
    }
    snprintf(text, sizeof text, "Blacklisting address %s: possible DoS attack.", address);
    log_text(LOG_LEVEL_ALERT, text);
    log_writer_append_syslog(process->log_writer, LOG_LEVEL_ALERT, text);
}

static void begin_block(void *receiver, struct task *task) {
    struct process *process = receiver;
    struct block_mail *mail = (struct block_mail *)task;
    log_block(process, &mail->block);
    free_mail(task);
}

void process_post_block(struct worker *worker, const struct process_block *block) {
    struct process *process = worker->process;
    if (atomic_fetch_add_explicit(&process->block_mails, 1, memory_order_relaxed) >= BLOCK_MAILS_MAX) {
        atomic_fetch_sub_explicit(&process->block_mails, 1, memory_order_relaxed);
        counters_add(&worker->counters, COUNTER_BLOCKS_UNTOLD, 1);
        return;
    }
    struct block_mail *mail = must_malloc(sizeof *mail);
    *mail = (struct block_mail){{begin_block, free_mail}, process, *block};
    process_post(process, &mail->task);
}

/* ---- once a second ---- */

static void log_left_out(const struct burst_block *client) {
    char address[IP_TEXT_MAX], text[192];
    ip_address_print(&client->blocked.address, address);
    snprintf(text, sizeof text,
             "warning: Connection %s limit exceeded: %" PRIu64 " more from unknown[%s], not logged one by one",
             client->reason == BURST_REASON_CONCURRENCY ? "concurrency" : "rate", client->refused, address);
    log_text(LOG_LEVEL_WARN, text);
}

void process_sweep_blocks(struct process *process) {
    struct burst_changes changes = {0};
    burst_sweep(process->burst, process_time(), &changes);
    for (size_t i = 0; i < changes.quiet.count; i++) {
        log_left_out(&changes.quiet.blocks[i]);
    }
    burst_changes_clear(&changes);
}
