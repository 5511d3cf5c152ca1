/* Who is told of a block, and how. Called by the housekeeping thread for each event of a block. Invariant: nothing here
 * waits; what takes time is a child, or a batch that the firewall bounds. */
#include "proxy/block_notifier.h"

#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "proxy/block_files.h"
#include "proxy/block_text.h"
#include "proxy/clock.h"
#include "proxy/command_runner.h"
#include "proxy/firewall_nftables.h"
#include "proxy/log.h"
#include "proxy/log_brake.h"

#define DEFAULT_MAIL_COMMAND "/usr/sbin/sendmail -t"
#define KILL_SECONDS 5.

struct block_notifier {
    struct command_runner *runner;
    struct block_files *files;
    struct firewall *firewalls[FIREWALL_SETS_MAX];
    struct block_notifier_counts counts;
    struct log_brake file_failed;
};

/* ---- mail and command ---- */

static char *copy(const char *text) {
    size_t size = strlen(text) + 1;
    return memcpy(must_malloc(size), text, size);
}

static char *variable(const char *name, const char *value) {
    size_t name_length = strlen(name), size = name_length + strlen(value) + 1;
    char *text = must_malloc(size);
    memcpy(text, name, name_length);
    memcpy(text + name_length, value, size - name_length);
    return text;
}

/* Takes the command and the input over. */
static void order(struct block_notifier *notifier, const struct block_event *event, const char *what, char *command,
                  char *input, uint64_t *succeeded) {
    char client[IP_TEXT_MAX], blocked[BLOCKED_TEXT_MAX];
    (void)ip_address_print(&event->client, client);
    block_text_blocked(&event->blocked, blocked);
    struct command_order new_order = {
        .what = what,
        .subject = copy(client),
        .command = command,
        .input = input,
        .variables = {variable("WEIR_ADDRESS=", client), variable("WEIR_BLOCKED=", blocked)},
        .succeeded = succeeded,
    };
    command_runner_add(notifier->runner, &new_order);
}

static void send_mail(struct block_notifier *notifier, const struct block_event *event) {
    char *mail = event->email != NULL ? block_text_mail(event) : NULL;
    if (mail != NULL) {
        const char *command = event->mail_command != NULL ? event->mail_command : DEFAULT_MAIL_COMMAND;
        order(notifier, event, "DOSMailCommand", copy(command), mail, &notifier->counts.mails);
    }
}

static void run_command(struct block_notifier *notifier, const struct block_event *event) {
    if (event->system_command != NULL) {
        order(notifier, event, "DOSSystemCommand", block_text_command(event->system_command, &event->client), NULL,
              &notifier->counts.commands);
    }
}

/* ---- file and firewall ---- */

static void make_file(struct block_notifier *notifier, const struct block_event *event) {
    char error[512], left_out[LOG_BRAKE_TEXT];
    if (event->log_dir == NULL) {
        return;
    }
    if (block_files_make(notifier->files, event->log_dir, &event->blocked, error, sizeof error)) {
        notifier->counts.files++;
        return;
    }
    notifier->counts.file_failures++;
    if (log_brake_opens(&notifier->file_failed, clock_monotonic_ns(), left_out)) {
        log_warn("DOSLogDir %s: %s%s", event->log_dir, error, left_out);
    }
}

static uint32_t with_margin(uint32_t seconds) {
    return seconds > UINT32_MAX - BLOCK_FIREWALL_MARGIN ? seconds : seconds + BLOCK_FIREWALL_MARGIN;
}

/* Each set takes the addresses of its own family. */
static void put_in_sets(struct block_notifier *notifier, const struct ip_prefix *blocked, uint32_t seconds) {
    for (size_t i = 0; i < FIREWALL_SETS_MAX; i++) {
        firewall_put(notifier->firewalls[i], blocked, with_margin(seconds));
    }
}

/* ---- the door ---- */

void block_notifier_restored(struct block_notifier *notifier, const struct block_event *event) {
    if (event->blocked.address.family == IP_NONE) {
        return; /* a peer without an address cannot be shown to anybody */
    }
    make_file(notifier, event);
    put_in_sets(notifier, &event->blocked, event->period_s);
}

void block_notifier_began(struct block_notifier *notifier, const struct block_event *event) {
    block_notifier_restored(notifier, event);
    if (event->client.family != IP_NONE) {
        send_mail(notifier, event);
        run_command(notifier, event);
    }
}

void block_notifier_renewed(struct block_notifier *notifier, const struct ip_prefix *blocked, uint32_t remaining_s) {
    put_in_sets(notifier, blocked, remaining_s);
}

void block_notifier_ended(struct block_notifier *notifier, const struct ip_prefix *blocked) {
    block_files_remove(notifier->files, blocked);
    for (size_t i = 0; i < FIREWALL_SETS_MAX; i++) {
        firewall_remove(notifier->firewalls[i], blocked);
    }
}

void block_notifier_apply(struct block_notifier *notifier, const struct config *config) {
    size_t removed = 0;
    for (size_t i = 0; i < config->host_count; i++) {
        const struct burst_limits *burst = &config->hosts[i]->burst;
        if (burst->enabled && burst->log_dir != NULL) {
            removed += block_files_sweep(notifier->files, burst->log_dir);
        }
    }
    if (removed > 0) {
        log_notice("DOSLogDir: %zu dos- files of processes that have ended are removed", removed);
    }
    for (size_t i = 0; i < FIREWALL_SETS_MAX; i++) {
        firewall_apply(notifier->firewalls[i], &config->server.burst, i);
    }
}

struct block_notifier_counts block_notifier_counts(const struct block_notifier *notifier) {
    struct block_notifier_counts counts = notifier->counts;
    struct command_runner_counts runner = command_runner_counts(notifier->runner);
    counts.failures = runner.failures;
    counts.dropped = runner.dropped;
    counts.running = runner.running;
    counts.queued = runner.queued;
    for (size_t i = 0; i < FIREWALL_SETS_MAX; i++) {
        struct firewall_counts firewall = firewall_counts(notifier->firewalls[i]);
        counts.firewall_changes += firewall.changes;
        counts.firewall_failures += firewall.failures;
        counts.firewall_skipped += firewall.skipped;
    }
    counts.blocks_with_files = block_files_count(notifier->files);
    return counts;
}

struct block_notifier *block_notifier_new(struct ev_loop *default_loop) {
    static const struct command_runner_limits limits = {
        .running_max = BLOCK_CHILDREN_MAX,
        .queue_max = BLOCK_QUEUE_MAX,
        .seconds = BLOCK_CHILD_SECONDS,
        .kill_seconds = KILL_SECONDS,
    };
    struct block_notifier *notifier = must_calloc(1, sizeof *notifier);
    notifier->runner = command_runner_new(default_loop, &limits);
    notifier->files = block_files_new(BLOCK_FILES_MAX);
    for (size_t i = 0; i < FIREWALL_SETS_MAX; i++) {
        notifier->firewalls[i] = firewall_new(default_loop);
    }
    return notifier;
}

void block_notifier_free(struct block_notifier **notifier_pointer) {
    struct block_notifier *notifier = *notifier_pointer;
    if (notifier == NULL) {
        return;
    }
    command_runner_free(&notifier->runner);
    block_files_free(&notifier->files);
    for (size_t i = 0; i < FIREWALL_SETS_MAX; i++) {
        firewall_free(&notifier->firewalls[i]);
    }
    free(notifier);
    *notifier_pointer = NULL;
}
