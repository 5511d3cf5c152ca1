/* The inside of struct state_database: shared by the files that make it up, and by nobody else. */
#ifndef WEIR_SHAPER_STATE_CONNECTION_H
#define WEIR_SHAPER_STATE_CONNECTION_H

#include <sqlite3.h>

#include "shaper/state_database.h"

enum state_statement {
#define STATEMENT(name, sql) STATE_##name,
#include "shaper/state_statements.def"
#undef STATEMENT
    STATE_STATEMENTS
};

struct state_database {
    sqlite3 *connection;
    char *path;
    int lock_fd; /* -1: given up */
    sqlite3_stmt *statements[STATE_STATEMENTS];
    int failure; /* SQLite's code of the first thing that went wrong in this transaction; SQLITE_OK */
    struct state_text problem;
};

/* Keeps the code and the text of a failure, the first of a transaction. */
void state_connection_failed(struct state_database *database, int code);
enum state_result state_connection_result(int code);

/* Runs a statement whose parameters are bound, to its end, and makes it ready again. */
void state_connection_run(struct state_database *database, enum state_statement statement);

#endif
