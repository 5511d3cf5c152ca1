/* One state database: an SQLite file with quotas, blocks and usage history (docs/state.md has the tables).
 *
 * Who opens it holds its lock (state_file.h) until it is given up or closed. Writing goes in transactions: begin, any
 * number of puts, then commit, which tells whether all of it is on file or none. After a failed commit the transaction
 * is gone and another may be begun. Other programs may read at any time; while one writes, a transaction of ours fails
 * after 100 ms.
 *
 * A file that is no database, or a damaged one, is renamed to PATH.corrupt-YYYYmmdd-HHMMSS and a new one begun. One of
 * another program, or of a later weir, is not touched. A disk that fails or is full, a folder that cannot be written:
 * a value with a text; nothing here ends the process. One thread (housekeeping); blocks on the disk. */
#ifndef WEIR_SHAPER_STATE_DATABASE_H
#define WEIR_SHAPER_STATE_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/arena.h"
#include "shaper/state_file.h"

struct state_database;

enum state_open {
    STATE_OPEN,    /* ready */
    STATE_HELD,    /* another weir has it */
    STATE_FOREIGN, /* of another program or a later version: not touched */
    STATE_FAILED,  /* cannot be read or written now; may be tried again */
};

struct state_opened {
    struct state_database *database; /* NULL unless STATE_OPEN; the caller closes it */
    struct state_text problem;       /* why not */
    struct state_text set_aside;     /* what a file that was no usable database is called now; "": there was none */
    bool had_scoreboard;             /* it was one of mod_cband, now called PATH.mod_cband */
    struct mod_cband_file scoreboard;
};

/* Opens or makes the database at `path`. The text of `set_aside` also stands when opening failed afterwards. */
enum state_open state_database_open(const char *path, int64_t wall_s, struct state_opened *opened);

/* For a process that has given up the lock: opens what another one holds, as it is. The lock is not asked for, and
 * nothing is made or set aside. */
enum state_open state_database_join(const char *path, struct state_opened *opened);

/* Closes it and gives up the lock; what was committed is moved from the log into the file. Nulls; NULL is harmless. */
void state_database_close(struct state_database **database);

/* The database turned out to be damaged: closes it and moves it away. False with *problem. Nulls the pointer. */
bool state_database_condemn(struct state_database **database, int64_t wall_s, struct state_text *name,
                            struct state_text *problem);

/* Another process may take the lock from here on; this one may still put hand-over rows and history. */
void state_database_give_up_lock(struct state_database *database);
bool state_database_take_lock(struct state_database *database); /* back; true when it has it already */

/* ---- transactions ---- */

enum state_result {
    STATE_DONE,
    STATE_UNDONE, /* nothing was written: full, failing, busy */
    STATE_GONE,   /* nothing was written: the file was removed or replaced under us; open it anew */
    STATE_DAMAGED /* nothing was written: condemn it */
};

enum state_result state_database_begin(struct state_database *database);
/* After a begin that was DONE, always one of these two. */
enum state_result state_database_commit(struct state_database *database);
void state_database_roll_back(struct state_database *database);
/* Of the last result that was not DONE. */
const char *state_database_problem(const struct state_database *database);

/* ---- rows; kinds are "host", "user" and, of history, "class" ---- */

struct state_usage {
    const char *kind, *name;
    const char *class_name; /* "": the total */
    int64_t start_s, begin_s;
    uint64_t used_bytes;
};

struct state_handover {
    int64_t id;
    struct state_usage usage;
};

struct state_history {
    int64_t hour_s; /* when the hour began, seconds since the epoch */
    const char *kind, *name;
    uint64_t bytes_out, bytes_in, requests; /* added to the row */
};

struct state_block {
    const char *address; /* as text, masked to the prefix */
    unsigned prefix_bits;
    int64_t until_s;           /* wall time */
    const char *reason, *host; /* host "": none, by hand */
    const char *client;        /* who began it; "": as the address */
    int64_t began_s;
    uint32_t period_s; /* that each request renews it by; 0: none does */
    bool log_only;     /* it refuses nothing */
};

/* In a transaction. What goes wrong is told by the commit. */
void state_database_put_usage(struct state_database *database, const struct state_usage *usage);
void state_database_put_handover(struct state_database *database, const struct state_usage *usage);
/* Adds a hand-over row to the usage of the same begin, and deletes it. Of a later begin: it replaces; of an earlier
 * one: it only goes. */
void state_database_merge_handover(struct state_database *database, const struct state_handover *row);
void state_database_add_history(struct state_database *database, const struct state_history *history);
/* Deletes at most `limit` rows of hours before that one; returns how many. */
size_t state_database_drop_history(struct state_database *database, int64_t before_s, size_t limit);
void state_database_put_block(struct state_database *database, const struct state_block *block);
void state_database_drop_block(struct state_database *database, const char *address, unsigned prefix_bits);
void state_database_drop_old_blocks(struct state_database *database, int64_t now_s);

/* Rows in an array that the caller frees; texts live in the arena. Usage comes ordered by kind, name, class. NULL with
 * *count 0 when there are none, or when they cannot be read (*result). */
struct state_usage *state_database_read_usage(struct state_database *database, struct arena *arena, size_t *count,
                                              enum state_result *result);
struct state_handover *state_database_read_handover(struct state_database *database, struct arena *arena, size_t limit,
                                                    size_t *count, enum state_result *result);
/* Those that still hold. */
struct state_block *state_database_read_blocks(struct state_database *database, struct arena *arena, int64_t now_s,
                                               size_t limit, size_t *count, enum state_result *result);
/* The begin of the newest hour in the history; INT64_MIN: none. */
int64_t state_database_newest_history_s(struct state_database *database);

#endif
