/* Opening and closing a state database. Called by keeper.c, housekeeping thread.
 *
 * The order is what makes it safe: the lock first; then a look at the file, while no connection is open; then SQLite.
 * A database is trusted as little as any file: bounded sizes, no triggers or views, checked before it is used. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shaper/state_connection.h"

enum {
    APPLICATION_ID = 0x77656972, /* "weir", in the head of the file */
    SCHEMA_VERSION = 1,
    BUSY_MS = 100,
    TEXT_BYTES_MAX = 1 << 20,      /* of one value or statement */
    WHOLE_CHECK_PAGES_MAX = 16384, /* of 4 KiB: up to 64 MiB all of it is checked at the start */
};

/* Bounds: a page is 4 KiB, so the file at most 64 GiB; what SQLite keeps in memory 2 MiB. */
static const char *const settings[] = {
    "PRAGMA page_size = 4096",          "PRAGMA journal_mode = WAL",  "PRAGMA synchronous = NORMAL",
    "PRAGMA max_page_count = 16777216", "PRAGMA cache_size = -2048",  "PRAGMA journal_size_limit = 16777216",
    "PRAGMA wal_autocheckpoint = 1000", "PRAGMA temp_store = MEMORY", "PRAGMA cell_size_check = ON",
};

/* What the history does not stand in: small whatever the size of the file, so always checked. */
static const char *const small_tables[] = {"quota", "handover", "block"};

static const char *const schema[] = {
#define STATEMENT(sql) sql,
#include "shaper/state_schema.def"
#undef STATEMENT
};

static const char *const statements[STATE_STATEMENTS] = {
#define STATEMENT(name, sql) sql,
#include "shaper/state_statements.def"
#undef STATEMENT
};

/* ---- one value of one row ---- */

static int first_integer(sqlite3 *connection, const char *sql, sqlite3_int64 *value) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        *value = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
        code = code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
    }
    sqlite3_finalize(statement);
    return code;
}

/* SQLITE_CORRUPT with the first finding as the problem. */
static int check(struct state_database *database, const char *sql) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database->connection, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        const char *finding = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
        if (finding != NULL && strcmp(finding, "ok") == 0) {
            code = SQLITE_OK;
        } else if (code == SQLITE_ROW || code == SQLITE_DONE) {
            snprintf(database->problem.text, sizeof database->problem.text, "%s",
                     finding != NULL ? finding : "no answer");
            code = SQLITE_CORRUPT;
        }
    }
    sqlite3_finalize(statement);
    return code;
}

static int quick_check(struct state_database *database) {
    sqlite3_int64 pages = 0;
    int code = first_integer(database->connection, "PRAGMA page_count", &pages);
    if (code == SQLITE_OK && pages <= WHOLE_CHECK_PAGES_MAX) {
        return check(database, "PRAGMA quick_check(1)");
    }
    for (size_t i = 0; code == SQLITE_OK && i < sizeof small_tables / sizeof *small_tables; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "PRAGMA quick_check(%s)", small_tables[i]);
        code = check(database, sql);
    }
    return code;
}

/* ---- the schema ---- */

static int run_all(sqlite3 *connection, const char *const *sql, size_t count) {
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < count; i++) {
        code = sqlite3_exec(connection, sql[i], NULL, NULL, NULL);
    }
    return code;
}

static int make_schema(sqlite3 *connection) {
    char identity[96];
    snprintf(identity, sizeof identity, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
             SCHEMA_VERSION);
    const char *const first[] = {"BEGIN IMMEDIATE", identity};
    int code = run_all(connection, first, 2);
    if (code == SQLITE_OK) {
        code = run_all(connection, schema, sizeof schema / sizeof *schema);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_exec(connection, "COMMIT", NULL, NULL, NULL);
    }
    if (code != SQLITE_OK) {
        (void)sqlite3_exec(connection, "ROLLBACK", NULL, NULL, NULL);
    }
    return code;
}

struct identity {
    sqlite3_int64 application, version, tables;
};

static int read_identity(sqlite3 *connection, struct identity *identity) {
    int code = first_integer(connection, "PRAGMA application_id", &identity->application);
    if (code == SQLITE_OK) {
        code = first_integer(connection, "PRAGMA user_version", &identity->version);
    }
    return code == SQLITE_OK ? first_integer(connection, "SELECT count(*) FROM sqlite_master", &identity->tables)
                             : code;
}

static bool is_foreign(const struct identity *identity, const char *path, struct state_text *problem) {
    bool is_empty = identity->application == 0 && identity->version == 0 && identity->tables == 0;
    if (is_empty || (identity->application == APPLICATION_ID && identity->version <= SCHEMA_VERSION)) {
        return false;
    }
    if (identity->application == APPLICATION_ID) {
        snprintf(
            problem->text, sizeof problem->text,
            "%s was made by a later weir (its version is %lld, this one knows %d) and is not touched; name another "
            "file, or start the later one",
            path, (long long)identity->version, SCHEMA_VERSION);
    } else {
        snprintf(problem->text, sizeof problem->text,
                 "%s is a database of another program and is not touched; name another file", path);
    }
    return true;
}

/* ---- the connection ---- */

/* A database that somebody else made may not make SQLite do more than read and write rows. */
static void restrain(sqlite3 *connection) {
    sqlite3_extended_result_codes(connection, 1);
    sqlite3_busy_timeout(connection, BUSY_MS);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, TEXT_BYTES_MAX);
}

static int prepare_statements(struct state_database *database) {
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < STATE_STATEMENTS; i++) {
        code = sqlite3_prepare_v3(database->connection, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &database->statements[i], NULL);
    }
    return code == SQLITE_ERROR ? SQLITE_CORRUPT : code; /* a table or column is missing */
}

static void disconnect(struct state_database *database) {
    for (size_t i = 0; i < STATE_STATEMENTS; i++) {
        sqlite3_finalize(database->statements[i]);
        database->statements[i] = NULL;
    }
    sqlite3_close(database->connection);
    database->connection = NULL;
}

/* SQLITE_OK, or SQLite's code with the problem; SQLITE_AUTH: foreign. */
static int connect_database(struct state_database *database) {
    struct identity identity = {0, 0, 0};
    database->problem.text[0] = '\0';
    int code =
        sqlite3_open_v2(database->path, &database->connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) {
        restrain(database->connection);
        code = read_identity(database->connection, &identity);
    }
    if (code == SQLITE_OK && is_foreign(&identity, database->path, &database->problem)) {
        return SQLITE_AUTH;
    }
    if (code == SQLITE_OK) {
        code = run_all(database->connection, settings, sizeof settings / sizeof *settings);
    }
    if (code == SQLITE_OK && identity.tables == 0) {
        code = make_schema(database->connection);
    } else if (code == SQLITE_OK) {
        code = quick_check(database);
    }
    if (code == SQLITE_OK) {
        code = prepare_statements(database);
    }
    if (code != SQLITE_OK && database->problem.text[0] == '\0') {
        snprintf(database->problem.text, sizeof database->problem.text, "%s: %s", database->path,
                 database->connection != NULL ? sqlite3_errmsg(database->connection) : sqlite3_errstr(code));
    }
    return code;
}

/* ---- opening ---- */

static bool set_aside(const char *path, int64_t wall_s, struct state_opened *opened) {
    char suffix[32] = "mod_cband";
    if (!opened->had_scoreboard || opened->set_aside.text[0] != '\0') {
        state_file_corrupt_suffix(wall_s, suffix);
    }
    return state_file_set_aside(path, suffix, &opened->set_aside, &opened->problem);
}

/* Under the lock. */
static enum state_open open_locked(struct state_database *database, int64_t wall_s, struct state_opened *opened) {
    enum state_file_kind kind = state_file_look(database->path, wall_s, &opened->scoreboard, &opened->problem);
    opened->had_scoreboard = kind == STATE_FILE_MOD_CBAND;
    bool has_other = kind == STATE_FILE_OTHER || kind == STATE_FILE_MOD_CBAND;
    if (kind == STATE_FILE_FOLDER) {
        snprintf(opened->problem.text, sizeof opened->problem.text, "%s is a folder; name a file in it",
                 database->path);
    }
    if (kind == STATE_FILE_FOLDER || kind == STATE_FILE_UNUSABLE ||
        (has_other && !set_aside(database->path, wall_s, opened))) {
        return STATE_FAILED;
    }
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        if (!state_file_create(database->path, &opened->problem)) {
            return STATE_FAILED;
        }
        int code = connect_database(database);
        if (code == SQLITE_OK) {
            return STATE_OPEN;
        }
        opened->problem = database->problem;
        disconnect(database);
        if (state_connection_result(code) != STATE_DAMAGED) {
            return code == SQLITE_AUTH ? STATE_FOREIGN : STATE_FAILED;
        }
        if (!set_aside(database->path, wall_s, opened)) {
            return STATE_FAILED;
        }
    }
    return STATE_FAILED;
}

static void free_database(struct state_database *database) {
    if (database->lock_fd >= 0) {
        close(database->lock_fd);
    }
    free(database->path);
    free(database);
}

static struct state_database *new_database(const char *path) {
    struct state_database *database = must_calloc(1, sizeof *database);
    size_t bytes = strlen(path) + 1;
    database->path = memcpy(must_malloc(bytes), path, bytes);
    database->lock_fd = -1;
    return database;
}

static enum state_open hand_out(struct state_database *database, enum state_open result, struct state_opened *opened) {
    if (result == STATE_OPEN) {
        opened->database = database;
    } else {
        free_database(database);
    }
    return result;
}

enum state_open state_database_open(const char *path, int64_t wall_s, struct state_opened *opened) {
    *opened = (struct state_opened){0};
    /* A cache takes memory page by page, not 20 of them at once: there may be thousands of scoreboards. Only what comes
     * before SQLite's first use counts, the rest is refused. */
    (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
    struct state_database *database = new_database(path);
    enum state_lock lock = state_file_lock(path, &database->lock_fd, &opened->problem);
    enum state_open result = lock == STATE_LOCK_HELD ? STATE_HELD : STATE_FAILED;
    if (lock == STATE_LOCK_TAKEN) {
        result = open_locked(database, wall_s, opened);
    }
    return hand_out(database, result, opened);
}

enum state_open state_database_join(const char *path, struct state_opened *opened) {
    *opened = (struct state_opened){0};
    struct state_database *database = new_database(path);
    int code = connect_database(database);
    if (code != SQLITE_OK) {
        opened->problem = database->problem;
        disconnect(database);
    }
    return hand_out(database, code == SQLITE_OK ? STATE_OPEN : STATE_FAILED, opened);
}

void state_database_close(struct state_database **database) {
    if (*database == NULL) {
        return;
    }
    disconnect(*database);
    free_database(*database);
    *database = NULL;
}

bool state_database_condemn(struct state_database **database, int64_t wall_s, struct state_text *name,
                            struct state_text *problem) {
    char suffix[32];
    state_file_corrupt_suffix(wall_s, suffix);
    disconnect(*database);
    bool is_moved = state_file_set_aside((*database)->path, suffix, name, problem);
    free_database(*database);
    *database = NULL;
    return is_moved;
}

void state_database_give_up_lock(struct state_database *database) {
    if (database->lock_fd >= 0) {
        close(database->lock_fd);
        database->lock_fd = -1;
    }
}

bool state_database_take_lock(struct state_database *database) {
    struct state_text ignored;
    return database->lock_fd >= 0 || state_file_lock(database->path, &database->lock_fd, &ignored) == STATE_LOCK_TAKEN;
}
