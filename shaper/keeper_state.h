/* The inside of struct keeper: shared by keeper*.c, and by nobody else. Housekeeping thread. */
#ifndef WEIR_SHAPER_KEEPER_STATE_H
#define WEIR_SHAPER_KEEPER_STATE_H

#include "shaper/binding.h"
#include "shaper/keeper.h"
#include "shaper/name_table.h"

#define KEEPER_NO_DATABASE SIZE_MAX

enum { KEEPER_MESSAGES = 64, KEEPER_KINDS = 2 }; /* hosts, users: as the first two of enum ledger_kind */

/* A host's or user's count at some moment. */
struct kept_usage {
    struct quota_state total; /* start_s QUOTA_NOT_BEGUN: nothing */
    struct quota_class_state *classes;
    size_t class_count;
};

/* By kind and the record's id. */
struct kept_record {
    size_t database;           /* KEEPER_NO_DATABASE */
    bool is_attached;          /* it has been compared with what that database has */
    bool is_known;             /* what some database had is in memory: memory is the truth */
    struct quota_mark mark;    /* as `written` was taken */
    struct kept_usage written; /* what the database has of us; without the lock: and what we handed over */
    struct kept_usage pending; /* in the transaction under way */
    struct quota_mark pending_mark;
};

struct kept_records {
    struct kept_record *of;
    size_t count;
};

struct handed_over; /* keeper_handover.c */

struct kept_database {
    const char *path;
    struct state_database *database; /* NULL: not open */
    bool holds_lock;                 /* else it is joined, and what we count goes to the hand-over table */
    bool in_transaction, is_refused; /* during one flush */
    bool is_failing;                 /* and that has been said */
    bool is_named;                   /* by the present configuration */
    struct handed_over *handed_over; /* added in the transaction under way, not in memory yet; NULL: none */
};

struct kept_hour {
    int64_t hour_s;
    uint64_t bytes_out, bytes_in, requests;
};

/* What the ledger told and no database has yet. */
struct kept_history {
    struct kept_hour *of[LEDGER_KINDS]; /* by the record's id; requests and bytes all 0: nothing */
    const char **names[LEDGER_KINDS];
    size_t count[LEDGER_KINDS];
    struct state_history *backlog; /* of hours that ended while nothing could be written */
    size_t backlog_count, backlog_room;
};

struct touched {
    size_t kind, id;
};

struct keeper {
    struct shaper *shaper;
    struct name_table paths; /* a path's number is its database's */
    struct kept_database *databases;
    size_t database_room;
    size_t main; /* StateFile; KEEPER_NO_DATABASE */
    struct kept_records records[KEEPER_KINDS];
    struct kept_history history;
    unsigned history_days;
    int64_t horizon_s, next_prune_s; /* of the history's pruning */
    bool is_handed_over;

    struct touched *touched; /* during one flush: the records in transactions */
    size_t touched_count, touched_room;
    uint64_t rows_pending;
    uint64_t flush_number;

    struct keeper_message messages[KEEPER_MESSAGES];
    size_t message_first, message_count;
    struct keeper_counts counts;
};

/* keeper.c */
__attribute__((format(printf, 3, 4))) void keeper_say(struct keeper *keeper, enum log_level level, const char *format,
                                                      ...);
struct traffic_record *keeper_record(const struct keeper *keeper, size_t kind, size_t id);
const char *keeper_kind_text(size_t kind);
/* What a class has used; 0: nothing, or it is not there. */
uint64_t keeper_class_used(const struct kept_usage *usage, size_t class_id);
void keeper_usage_clear(struct kept_usage *usage);

/* keeper_open.c: opens what is not open, or takes the lock again. False with *problem: another weir has it. */
bool keeper_open(struct keeper *keeper, size_t database, int64_t wall_s, struct state_text *problem);
/* A database was closed, for whatever reason: its records have to be compared again. */
void keeper_detach(struct keeper *keeper, size_t database);
/* Says it once, and counts. */
void keeper_failed(struct keeper *keeper, size_t database, const char *problem);

/* keeper_load.c: compares the records of a database with its rows; scoreboard: of mod_cband, or NULL. */
enum state_result keeper_load(struct keeper *keeper, size_t database, int64_t wall_s,
                              const struct mod_cband_file *scoreboard);
/* A process that could not replace us has given the database back: what it counted is added. */
enum state_result keeper_reclaim(struct keeper *keeper, size_t database);

/* keeper_handover.c: adds what replaced processes have counted, in the database; then, when that is committed, in
 * memory. */
void keeper_put_handed_over(struct keeper *keeper, size_t database);
void keeper_accept_handed_over(struct keeper *keeper, size_t database);
void keeper_forget_handed_over(struct keeper *keeper, size_t database);

/* keeper_history.c */
void keeper_put_history(struct keeper *keeper, int64_t wall_s);
void keeper_accept_history(struct keeper *keeper);
void keeper_free_history(struct keeper *keeper);

/* keeper_flush.c */
/* The database in a transaction; NULL: it cannot be used in this flush. */
struct state_database *keeper_writable(struct keeper *keeper, size_t database);

#endif
