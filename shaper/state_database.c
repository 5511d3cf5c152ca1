/* Transactions and rows of a state database. Called by keeper.c, housekeeping thread.
 * Always true: the first failure of a transaction is kept, and nothing more is written in it. */
#include "shaper/state_database.h"

#include <stdio.h>
#include <stdlib.h>

#include "shaper/state_connection.h"

/* So that sums never leave SQLite's range; nobody has sent an exbibyte. */
static const uint64_t bytes_max = UINT64_C(1) << 60;

enum { ROWS_MAX = 1 << 24, FIRST_ROWS = 64 };

/* ---- results ---- */

enum state_result state_connection_result(int code) {
    switch (code & 0xff) {
    case SQLITE_OK:
        return STATE_DONE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return STATE_DAMAGED;
    default:
        return STATE_UNDONE;
    }
}

void state_connection_failed(struct state_database *database, int code) {
    if (database->failure == SQLITE_OK) {
        database->failure = code;
        snprintf(database->problem.text, sizeof database->problem.text, "%s: %s", database->path,
                 sqlite3_errmsg(database->connection));
    }
}

const char *state_database_problem(const struct state_database *database) {
    return database->problem.text;
}

void state_connection_run(struct state_database *database, enum state_statement statement) {
    sqlite3_stmt *prepared = database->statements[statement];
    if (database->failure == SQLITE_OK) {
        int code = sqlite3_step(prepared);
        if (code != SQLITE_DONE && code != SQLITE_ROW) {
            state_connection_failed(database, code);
        }
    }
    sqlite3_reset(prepared);
}

/* ---- transactions ---- */

enum state_result state_database_begin(struct state_database *database) {
    int has_moved = 0;
    database->failure = SQLITE_OK;
    if (sqlite3_file_control(database->connection, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved) == SQLITE_OK &&
        has_moved != 0) {
        snprintf(database->problem.text, sizeof database->problem.text,
                 "%s was removed or replaced while it was in use", database->path);
        return STATE_GONE;
    }
    state_connection_run(database, STATE_BEGIN);
    return state_connection_result(database->failure);
}

enum state_result state_database_commit(struct state_database *database) {
    state_connection_run(database, STATE_COMMIT);
    enum state_result result = state_connection_result(database->failure);
    if (result != STATE_DONE) {
        state_database_roll_back(database);
    }
    return result;
}

void state_database_roll_back(struct state_database *database) {
    if (sqlite3_get_autocommit(database->connection) == 0) { /* some failures have ended the transaction already */
        (void)sqlite3_step(database->statements[STATE_ROLLBACK]);
        sqlite3_reset(database->statements[STATE_ROLLBACK]);
    }
    database->failure = SQLITE_OK;
}

/* ---- writing ---- */

static void bind_text(sqlite3_stmt *statement, int at, const char *text) {
    sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static void bind_count(sqlite3_stmt *statement, int at, uint64_t count) {
    sqlite3_bind_int64(statement, at, (sqlite3_int64)(count < bytes_max ? count : bytes_max));
}

static void run_usage(struct state_database *database, enum state_statement which, const struct state_usage *usage) {
    sqlite3_stmt *statement = database->statements[which];
    bind_text(statement, 1, usage->kind);
    bind_text(statement, 2, usage->name);
    bind_text(statement, 3, usage->class_name);
    sqlite3_bind_int64(statement, 4, usage->start_s);
    sqlite3_bind_int64(statement, 5, usage->begin_s);
    bind_count(statement, 6, usage->used_bytes);
    state_connection_run(database, which);
}

void state_database_put_usage(struct state_database *database, const struct state_usage *usage) {
    run_usage(database, STATE_PUT_USAGE, usage);
}

void state_database_put_handover(struct state_database *database, const struct state_usage *usage) {
    run_usage(database, STATE_PUT_HANDOVER, usage);
}

void state_database_merge_handover(struct state_database *database, const struct state_handover *row) {
    run_usage(database, STATE_MERGE_USAGE, &row->usage);
    sqlite3_bind_int64(database->statements[STATE_DROP_HANDOVER], 1, row->id);
    state_connection_run(database, STATE_DROP_HANDOVER);
}

void state_database_add_history(struct state_database *database, const struct state_history *history) {
    sqlite3_stmt *statement = database->statements[STATE_ADD_HISTORY];
    sqlite3_bind_int64(statement, 1, history->hour_s);
    bind_text(statement, 2, history->kind);
    bind_text(statement, 3, history->name);
    bind_count(statement, 4, history->bytes_out);
    bind_count(statement, 5, history->bytes_in);
    bind_count(statement, 6, history->requests);
    state_connection_run(database, STATE_ADD_HISTORY);
}

size_t state_database_drop_history(struct state_database *database, int64_t before_s, size_t limit) {
    sqlite3_stmt *statement = database->statements[STATE_DROP_OLD_HISTORY];
    sqlite3_bind_int64(statement, 1, before_s);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)limit);
    state_connection_run(database, STATE_DROP_OLD_HISTORY);
    return database->failure == SQLITE_OK ? (size_t)sqlite3_changes(database->connection) : 0;
}

void state_database_put_block(struct state_database *database, const struct state_block *block) {
    sqlite3_stmt *statement = database->statements[STATE_PUT_BLOCK];
    bind_text(statement, 1, block->address);
    sqlite3_bind_int64(statement, 2, block->prefix_bits);
    sqlite3_bind_int64(statement, 3, block->until_s);
    bind_text(statement, 4, block->reason);
    bind_text(statement, 5, block->host);
    bind_text(statement, 6, block->client != NULL ? block->client : "");
    sqlite3_bind_int64(statement, 7, block->began_s);
    sqlite3_bind_int64(statement, 8, block->period_s);
    sqlite3_bind_int64(statement, 9, block->log_only);
    state_connection_run(database, STATE_PUT_BLOCK);
}

void state_database_drop_block(struct state_database *database, const char *address, unsigned prefix_bits) {
    bind_text(database->statements[STATE_DROP_BLOCK], 1, address);
    sqlite3_bind_int64(database->statements[STATE_DROP_BLOCK], 2, prefix_bits);
    state_connection_run(database, STATE_DROP_BLOCK);
}

void state_database_drop_old_blocks(struct state_database *database, int64_t now_s) {
    sqlite3_bind_int64(database->statements[STATE_DROP_OLD_BLOCKS], 1, now_s);
    state_connection_run(database, STATE_DROP_OLD_BLOCKS);
}

/* ---- reading ---- */

static const char *text_of(sqlite3_stmt *statement, int column, struct arena *arena) {
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text != NULL ? arena_strdup(arena, text) : "";
}

static uint64_t count_of(sqlite3_stmt *statement, int column) {
    sqlite3_int64 value = sqlite3_column_int64(statement, column);
    return value > 0 ? (uint64_t)value : 0;
}

static struct state_usage usage_of(sqlite3_stmt *statement, struct arena *arena) {
    return (struct state_usage){text_of(statement, 0, arena),       text_of(statement, 1, arena),
                                text_of(statement, 2, arena),       sqlite3_column_int64(statement, 3),
                                sqlite3_column_int64(statement, 4), count_of(statement, 5)};
}

/* Room for one more element. */
static void *grown(void *rows, size_t count, size_t *room, size_t row_bytes) {
    if (count == *room) {
        *room = *room > 0 ? *room * 2 : FIRST_ROWS;
        rows = must_realloc(rows, *room * row_bytes);
    }
    return rows;
}

/* The next row; false at the end, or when reading fails: *result says. Makes the statement ready again at the end. */
static bool next_row(struct state_database *database, sqlite3_stmt *statement, size_t count,
                     enum state_result *result) {
    int code = count < ROWS_MAX ? sqlite3_step(statement) : SQLITE_DONE;
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code != SQLITE_DONE) {
        state_connection_failed(database, code);
    }
    *result = state_connection_result(code == SQLITE_DONE ? SQLITE_OK : code);
    sqlite3_reset(statement);
    return false;
}

struct state_usage *state_database_read_usage(struct state_database *database, struct arena *arena, size_t *count,
                                              enum state_result *result) {
    sqlite3_stmt *statement = database->statements[STATE_READ_USAGE];
    struct state_usage *rows = NULL;
    size_t room = *count = 0;
    database->failure = SQLITE_OK;
    while (next_row(database, statement, *count, result)) {
        rows = grown(rows, *count, &room, sizeof *rows);
        rows[(*count)++] = usage_of(statement, arena);
    }
    return rows;
}

struct state_handover *state_database_read_handover(struct state_database *database, struct arena *arena, size_t limit,
                                                    size_t *count, enum state_result *result) {
    sqlite3_stmt *statement = database->statements[STATE_READ_HANDOVER];
    struct state_handover *rows = NULL;
    size_t room = *count = 0;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)limit);
    while (next_row(database, statement, *count, result)) {
        rows = grown(rows, *count, &room, sizeof *rows);
        rows[(*count)++] = (struct state_handover){sqlite3_column_int64(statement, 6), usage_of(statement, arena)};
    }
    return rows;
}

static struct state_block block_of(sqlite3_stmt *statement, struct arena *arena) {
    return (struct state_block){
        .address = text_of(statement, 0, arena),
        .prefix_bits = (unsigned)(count_of(statement, 1) & 0xff),
        .until_s = sqlite3_column_int64(statement, 2),
        .reason = text_of(statement, 3, arena),
        .host = text_of(statement, 4, arena),
        .client = text_of(statement, 5, arena),
        .began_s = sqlite3_column_int64(statement, 6),
        .period_s = (uint32_t)(count_of(statement, 7) & UINT32_MAX),
        .log_only = sqlite3_column_int64(statement, 8) != 0,
    };
}

struct state_block *state_database_read_blocks(struct state_database *database, struct arena *arena, int64_t now_s,
                                               size_t limit, size_t *count, enum state_result *result) {
    sqlite3_stmt *statement = database->statements[STATE_READ_BLOCKS];
    struct state_block *rows = NULL;
    size_t room = *count = 0;
    database->failure = SQLITE_OK;
    sqlite3_bind_int64(statement, 1, now_s);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)limit);
    while (next_row(database, statement, *count, result)) {
        rows = grown(rows, *count, &room, sizeof *rows);
        rows[(*count)++] = block_of(statement, arena);
    }
    return rows;
}

int64_t state_database_newest_history_s(struct state_database *database) {
    sqlite3_stmt *statement = database->statements[STATE_NEWEST_HISTORY];
    int64_t newest_s = INT64_MIN;
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_INTEGER) {
        newest_s = sqlite3_column_int64(statement, 0);
    }
    sqlite3_reset(statement);
    return newest_s;
}
