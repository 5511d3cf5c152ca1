/* DOSFirewall nftables FAMILY TABLE SET: keeps blocked addresses as elements with a time-out in a set that the
 * administrator's ruleset declares and uses. One object a set.
 *
 * Housekeeping thread. Changes are collected and given to libnftables in batches, so seldom that it takes at most a
 * fifth of the thread's time; a batch is one transaction. When one fails, its changes are tried in smaller pieces, at
 * most FIREWALL_TRIES_MAX times and for half a second. libnftables reads all elements of the table for each batch: 0.2
 * s with a hundred thousand of them, in which signals and status documents wait; workers do not. A failure is logged
 * when it is the first, when it is another than the one before (at most one line in ten seconds), and when all is well
 * again; while the set cannot be used it is looked for every few seconds. Whatever fails is counted and forgotten: the
 * blocks themselves do not depend on it.
 *
 * Needs CAP_NET_ADMIN in the network namespace of weir (privileges.h keeps it). Names come from the configuration,
 * which lets through letters, digits, '_', '-' and '.' only; addresses are printed from structs. */
#ifndef WEIR_PROXY_FIREWALL_NFTABLES_H
#define WEIR_PROXY_FIREWALL_NFTABLES_H

#include <ev.h>
#include <stdint.h>

#include "config/config.h"

struct firewall;

enum {
    FIREWALL_PENDING_MAX = 20000,          /* changes waiting; more are not taken */
    FIREWALL_BATCH_MAX = 512,              /* in one transaction */
    FIREWALL_TRIES_MAX = 24,               /* transactions for one batch that failed */
    FIREWALL_SECONDS_MAX = 30 * 24 * 3600, /* longest time-out of an element */
};

struct firewall_counts {
    uint64_t changes, failures, skipped; /* as in block_notifier.h */
};

struct firewall *firewall_new(struct ev_loop *loop);
/* Elements stay in the set until their time is over. Nulls the pointer; NULL is harmless. */
void firewall_free(struct firewall **firewall);

/* Which of the directive's sets, if it has so many. Looks for it and logs what is wrong with it. Elements of a set used
 * before run out. Addresses of the other family count as skipped only where there is no other set for them. */
void firewall_apply(struct firewall *firewall, const struct burst_server *server, size_t which);

/* The address or prefix is in the set for so many seconds from now, whether it was before or not. */
void firewall_put(struct firewall *firewall, const struct ip_prefix *blocked, uint32_t seconds);
/* It is not in the set any more, whether it was or not. */
void firewall_remove(struct firewall *firewall, const struct ip_prefix *blocked);

struct firewall_counts firewall_counts(const struct firewall *firewall);

/* What a set takes, from the text of "nft list set". Pure. */
struct firewall_set {
    bool ipv4, ipv6;
    bool timeouts; /* flags timeout */
    bool prefixes; /* flags interval */
};
struct firewall_set firewall_read_set(const char *listing);

#endif
