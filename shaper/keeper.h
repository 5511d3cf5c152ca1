/* Keeps what must survive a restart: the usage of hosts and users, and the usage history, in state databases.
 *
 * Usage goes to StateFile, or to the database that a host's CBandScoreboard or a user's CBandUserScoreboard names; the
 * history goes to StateFile. What changed is written in one transaction for each database, about once a second. While a
 * database cannot be written, all goes on in memory and it is tried again, every second; that is said once, and once
 * when it works again. Without StateFile and scoreboards it does nothing.
 *
 * Two processes after USR2: the old one hands over, which writes all, and gives up the locks; from then on it writes
 * what it counts in addition, which the new one adds to its own and to the database. So nothing is counted twice or
 * lost, whichever of them ends first.
 *
 * Housekeeping thread, which may wait for the disk here. Workers go on counting meanwhile. Nothing is logged: messages
 * are taken by the caller. */
#ifndef WEIR_SHAPER_KEEPER_H
#define WEIR_SHAPER_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "shaper/ledger.h"
#include "shaper/shaper.h"
#include "shaper/state_database.h"

struct keeper;

/* The shaper must outlive the keeper. */
struct keeper *keeper_new(struct shaper *shaper);

/* Writes everything and closes the databases. Nobody counts any more. Nulls the pointer; NULL is harmless. */
void keeper_free(struct keeper **keeper, int64_t wall_s);

/* A configuration that is about to hold: opens the databases it names and gives its hosts and users the usage that is
 * kept there. Before any worker has the binding. False: another weir has one of them, and *held says which; all the
 * rest is done, and asking again tries again. */
bool keeper_apply(struct keeper *keeper, const struct shaper_binding *binding, int64_t wall_s, struct state_text *held);

/* Takes what the ledger counted since it was last asked into the hour of now; flush writes it. */
void keeper_take_history(struct keeper *keeper, struct ledger *ledger, int64_t wall_s);

/* Writes what has changed. About once a second, or more often. */
void keeper_flush(struct keeper *keeper, int64_t wall_s);

/* Another process is to have the databases: writes all and gives up the locks. */
void keeper_hand_over(struct keeper *keeper, int64_t wall_s);
/* It did not start: the locks are taken again, as soon as they are free, with what it counted. */
void keeper_take_back(struct keeper *keeper);

/* The StateFile's database in a state to be read or written by whoever keeps other rows in it; NULL: there is none, it
 * cannot be used now, or another process has it. Valid until the next call of the keeper's. */
struct state_database *keeper_state_file(struct keeper *keeper);

/* For the error log, oldest first; false: no more. The text is valid until the next call. */
struct keeper_message {
    enum log_level level;
    struct state_text text;
};
bool keeper_take_message(struct keeper *keeper, struct keeper_message *message);

/* Since the start, unless it says now. */
struct keeper_counts {
    uint64_t databases;         /* now: that the configuration names */
    uint64_t databases_failing; /* now: of them, that cannot be written */
    uint64_t flushes;           /* transactions that were committed */
    uint64_t flush_errors;      /* databases that could not be opened or written, each try */
    uint64_t rows_written;
    uint64_t files_set_aside;
    uint64_t history_rows_dropped; /* older than UsageHistory */
    int64_t last_flush_s;          /* wall time of the last commit; 0: none yet */
};
struct keeper_counts keeper_counts(const struct keeper *keeper);

#endif
