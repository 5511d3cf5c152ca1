/* Blocks, on the housekeeping thread: what workers posted of their beginning, and what the sweep of each second finds.
 * Always true: at most BLOCK_MAILS_MAX beginnings wait in the mailbox, however many clients are blocked at once. */
#include "proxy/process_blocks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/block_notifier.h"
#include "proxy/block_text.h"
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
    if (block->reason == BURST_REASON_BY_HAND) {
        char blocked[BLOCKED_TEXT_MAX];
        block_text_blocked(&block->blocked, blocked);
        log_notice("%s is blocked by hand", blocked);
        return;
    }
    if (block->log_only) {
        snprintf(text, sizeof text, "DOSLogOnly: %s would be blocked (%s)", address, burst_reason_text(block->reason));
        log_text(LOG_LEVEL_WARN, text);
        return;
    }
    snprintf(text, sizeof text, "Blacklisting address %s: possible DoS attack.", address);
    log_text(LOG_LEVEL_ALERT, text);
    log_writer_append_syslog(process->log_writer, LOG_LEVEL_ALERT, text);
}

/* The host as the present configuration has it; NULL: it has gone, or there was none. */
static const struct virtual_host *host_of(const struct process *process, uint32_t host_id) {
    const struct generation *generation = process->generation;
    for (size_t i = 0; i < generation->config->host_count && host_id != BURST_NO_HOST; i++) {
        if (generation->burst_host_ids[i] == host_id) {
            return generation->config->hosts[i];
        }
    }
    return NULL;
}

/* For people: which rule it was. */
static void explain(char *text, size_t size, enum burst_reason reason, const struct virtual_host *host) {
    const struct burst_rule *rule = host == NULL                      ? NULL
                                    : reason == BURST_REASON_PAGE     ? &host->burst.page
                                    : reason == BURST_REASON_SITE     ? &host->burst.site
                                    : reason == BURST_REASON_REQUESTS ? &host->burst.requests
                                                                      : NULL;
    if (rule == NULL) {
        snprintf(text, size, "%s", burst_reason_meaning(reason));
        return;
    }
    snprintf(text, size, "more than %" PRIu32 " requests for one %s within %" PRIu32 " s", rule->count,
             reason == BURST_REASON_PAGE   ? "page"
             : reason == BURST_REASON_SITE ? "host"
                                           : "server",
             rule->interval_s);
}

enum { REASON_TEXT_BYTES = 160 };

/* reason_text: lives as long as the event. */
static struct block_event event_of(const struct process *process, const struct process_block *block, uint32_t period_s,
                                   char reason_text[REASON_TEXT_BYTES]) {
    const struct virtual_host *host = host_of(process, block->host_id);
    explain(reason_text, REASON_TEXT_BYTES, block->reason, host);
    struct block_event event = {
        .client = block->client,
        .blocked = block->blocked,
        .host = block->host_id != BURST_NO_HOST ? burst_host_name(process->burst, block->host_id) : NULL,
        .reason = reason_text,
        .wall_us = block->wall_us,
        .period_s = period_s,
    };
    if (host == NULL) { /* by hand, or of a host that has gone: as the server says */
        host = process->generation->config->hosts[0];
    }
    event.period_s = period_s > 0 ? period_s : host->burst.blocking_period_s;
    event.email = host->burst.email;
    event.mail_command = host->burst.mail_command;
    event.system_command = host->burst.system_command;
    event.log_dir = host->burst.log_dir;
    return event;
}

/* period_s 0: that of its host. */
static void tell_begin(struct process *process, const struct process_block *block, uint32_t period_s) {
    log_block(process, block);
    if (!block->log_only) {
        char reason[REASON_TEXT_BYTES];
        const struct block_event event = event_of(process, block, period_s, reason);
        block_notifier_began(process->block_notifier, &event);
    }
}

static void tell_ends(struct process *process, const struct burst_block_list *ended) {
    process_keep_ended_blocks(process, ended);
    for (size_t i = 0; i < ended->count; i++) {
        if (!ended->blocks[i].log_only) {
            block_notifier_ended(process->block_notifier, &ended->blocks[i].blocked);
        }
    }
}

/* As far as it is known here; the next sweep tells when it lasts longer. */
static void keep_begin(struct process *process, const struct process_block *block, uint32_t period_s) {
    int64_t began_s = block->wall_us / US_PER_SECOND;
    const struct burst_block kept = {
        .blocked = block->blocked,
        .client = block->client,
        .reason = block->reason,
        .host_id = block->host_id,
        .period_s = period_s,
        .log_only = block->log_only,
        .began_wall_s = began_s,
        .until_wall_s = began_s + period_s,
    };
    process_keep_block(process, &kept);
}

static void begin_block(void *receiver, struct task *task) {
    struct block_mail *mail = (struct block_mail *)task;
    struct process *process = receiver;
    const struct virtual_host *host = host_of(process, mail->block.host_id);
    const struct virtual_host *server = process->generation->config->hosts[0];
    tell_begin(process, &mail->block, 0);
    keep_begin(process, &mail->block, (host != NULL ? host : server)->burst.blocking_period_s);
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

static void tell_renewed(struct process *process, const struct burst_block *block, int64_t now_wall_s) {
    int64_t left_s = block->until_wall_s - now_wall_s;
    if (!block->log_only && left_s > 0) {
        block_notifier_renewed(process->block_notifier, &block->blocked,
                               left_s < UINT32_MAX ? (uint32_t)left_s : UINT32_MAX);
    }
}

void process_sweep_blocks(struct process *process) {
    struct burst_changes changes = {0};
    struct shaper_time now = process_time();
    burst_sweep(process->burst, now, &changes);
    tell_ends(process, &changes.ended);
    for (size_t i = 0; i < changes.renewed.count; i++) {
        tell_renewed(process, &changes.renewed.blocks[i], now.wall_s);
        process_keep_block(process, &changes.renewed.blocks[i]);
    }
    for (size_t i = 0; i < changes.quiet.count; i++) {
        log_left_out(&changes.quiet.blocks[i]);
    }
    burst_changes_clear(&changes);
}

/* ---- by hand, and from before ---- */

static struct process_block told_as(const struct burst_block *block) {
    return (struct process_block){
        .client = block->client,
        .blocked = block->blocked,
        .host_id = block->host_id,
        .reason = block->reason,
        .log_only = block->log_only,
        .wall_us = block->began_wall_s * US_PER_SECOND,
    };
}

bool process_block(struct process *process, const struct ip_prefix *blocked, uint32_t seconds) {
    struct burst_block block;
    if (!burst_block_by_hand(process->burst, blocked, seconds, process_time(), &block)) {
        return false;
    }
    const struct process_block told = told_as(&block);
    tell_begin(process, &told, seconds > 0 ? seconds : 1);
    process_keep_block(process, &block);
    return true;
}

size_t process_unblock(struct process *process, const struct ip_prefix *prefix) {
    struct burst_block_list ended = {0};
    size_t count = burst_unblock(process->burst, prefix, process_time(), &ended);
    tell_ends(process, &ended);
    burst_block_list_clear(&ended);
    return count;
}

bool process_restore_block(struct process *process, const struct burst_block *block) {
    struct shaper_time now = process_time();
    if (!burst_restore(process->burst, block, now)) {
        return false;
    }
    if (!block->log_only) {
        char reason[REASON_TEXT_BYTES];
        const struct process_block told = told_as(block);
        int64_t left_s = block->until_wall_s - now.wall_s;
        const struct block_event event =
            event_of(process, &told, left_s < UINT32_MAX ? (uint32_t)left_s : UINT32_MAX, reason);
        block_notifier_restored(process->block_notifier, &event);
    }
    return true;
}
