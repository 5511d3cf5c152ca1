/* What happens outside the workers when a client is blocked: one mail, one command, one dos- file, one element in a set
 * of the firewall (DOSEmailNotify, DOSMailCommand, DOSSystemCommand, DOSLogDir, DOSFirewall).
 *
 * Housekeeping thread only. Every call returns at once: mails and commands are children of their own, at most
 * BLOCK_CHILDREN_MAX at a time; the rest waits in a queue of BLOCK_QUEUE_MAX, and what finds it full is dropped and
 * counted. A child has BLOCK_CHILD_SECONDS, then its process group gets TERM, and KILL 5 s later. Whatever fails here
 * is logged (at most one line a second and kind) and counted; it never undoes a block.
 *
 * Not here: the lines "Blacklisting address …" of the error log and syslog, and DOSLogOnly: the caller logs, and does
 * not call when nothing is refused.
 *
 * Nothing that a client sent reaches a command, a file name or the firewall but its address, printed from the struct;
 * host and reason stand in the body of the mail only, with everything but printable ASCII replaced. */
#ifndef WEIR_PROXY_BLOCK_NOTIFIER_H
#define WEIR_PROXY_BLOCK_NOTIFIER_H

#include <ev.h>
#include <stdint.h>

#include "config/config.h"

enum {
    BLOCK_CHILDREN_MAX = 10,
    BLOCK_QUEUE_MAX = 1000,
    BLOCK_CHILD_SECONDS = 60,
    BLOCK_FILES_MAX = 100000, /* dos- files at a time; further blocks get none, which is counted */
};

struct block_notifier;

/* One block. All texts are copied as far as they are needed: the caller's may go when the call returns. */
struct block_event {
    struct ip_address client; /* who began it: stands in mail and command */
    struct ip_prefix
        blocked;        /* what is blocked: an IPv4 address (32), an IPv6 prefix (DOSIPv6Prefix): names the block */
    const char *host;   /* ServerName of the host that blocked; NULL: none */
    const char *reason; /* for people, e.g. "more than 2 requests for one page within 1 s" */
    int64_t wall_us;    /* when */
    uint32_t period_s;  /* how long, when it is not renewed */
    const char *email;  /* the rest as in struct burst_limits of that host; NULL: none */
    const char *mail_command;
    const char *system_command;
    const char *log_dir;
};

/* The loop must be the default loop: libev reaps children there only, and there it reaps all of them, so that a second
 * way of waiting beside it would lose. SIGCHLD must not be blocked while the loop runs. */
struct block_notifier *block_notifier_new(struct ev_loop *default_loop);
/* Removes our dos- files. Children that run go on by themselves, mails and commands still queued are dropped (with a
 * line in the log). Elements in the firewall stay until their time is over: blocks outlive a restart. */
void block_notifier_free(struct block_notifier **notifier);

/* At start, after privileges were dropped and before the first event, and after each reload that was good: DOSFirewall,
 * and the DOSLogDirs of all hosts, from which dos- files of ours that no running process answers for are removed. */
void block_notifier_apply(struct block_notifier *notifier, const struct config *config);

/* A client that was not blocked is blocked now: once a block, never for a renewal. */
void block_notifier_began(struct block_notifier *notifier, const struct block_event *event);

/* A block that a former process began goes on here (state file, USR2): dos- file and firewall, no mail and no command.
 * period_s is what is left of it. */
void block_notifier_restored(struct block_notifier *notifier, const struct block_event *event);

/* The block lasts remaining_s from now. An element of the firewall cannot be left to run out when requests still arrive
 * (connections that the rules let live, rules that only count), and need not be touched with each of them: call this
 * when the end known so far is reached and the block turns out to go on, not for each refused request. Elements live
 * BLOCK_FIREWALL_MARGIN seconds longer than said, so being that much late is no matter. */
void block_notifier_renewed(struct block_notifier *notifier, const struct ip_prefix *blocked, uint32_t remaining_s);

/* The block is over, by itself or because somebody lifted it. Only for blocks that were announced here. */
void block_notifier_ended(struct block_notifier *notifier, const struct ip_prefix *blocked);

enum { BLOCK_FIREWALL_MARGIN = 5 };

/* name, what is counted; the last three are how many there are now */
#define BLOCK_NOTIFIER_COUNTS(COUNT)                                                                                   \
    COUNT(mails, "mails handed to DOSMailCommand, which took them")                                                    \
    COUNT(commands, "DOSSystemCommands that ended with status 0")                                                      \
    COUNT(failures, "mails and commands that could not be started, ended otherwise, or took too long")                 \
    COUNT(dropped, "mails and commands for which the queue had no room")                                               \
    COUNT(files, "dos- files made")                                                                                    \
    COUNT(file_failures, "dos- files that could not be made")                                                          \
    COUNT(firewall_changes, "elements added to the firewall's set, renewed or removed")                                \
    COUNT(firewall_failures, "such changes that failed or found no room in their queue")                               \
    COUNT(firewall_skipped, "such changes not tried: the set does not take that family of addresses")                  \
    COUNT(running, "children running now")                                                                             \
    COUNT(queued, "mails and commands waiting now")                                                                    \
    COUNT(blocks_with_files, "dos- files there are now")

struct block_notifier_counts {
#define BLOCK_NOTIFIER_COUNT(name, meaning) uint64_t name;
    BLOCK_NOTIFIER_COUNTS(BLOCK_NOTIFIER_COUNT)
#undef BLOCK_NOTIFIER_COUNT
};

struct block_notifier_counts block_notifier_counts(const struct block_notifier *notifier);

#endif
