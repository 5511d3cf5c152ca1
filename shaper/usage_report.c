/* Reports of the usage history. Called for status requests and weirctl, on the housekeeping thread.
 * Always true: rows come out of the database by the hour, or of one name, so a name's hours come in order, and one sum
 * a name is under way; memory grows with names and rows of the answer, not with what is read. */
#include "shaper/usage_report.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shaper/name_table.h"

enum { HOUR_S = 3600, KIND_COUNT = 3, STEPS_BETWEEN_LOOKS = 20000 };

static const char *const kinds[KIND_COUNT] = {"host", "user", "class"};

struct period_span usage_span(enum usage_step step, int64_t moment_s) {
    static const enum period_kind periods[] = {PERIOD_NONE, PERIOD_CALENDAR_MONTH, PERIOD_CALENDAR_DAY, PERIOD_SECONDS};
    const struct period_rule rule = {.kind = periods[step], .period_s = HOUR_S};
    return period_at(&rule, 0, moment_s);
}

/* ---- summing ---- */

struct summing {
    const struct usage_question *question;
    struct usage_report *report;
    struct period_span span;             /* the one under way for all names: hours come in order */
    struct name_table names[KIND_COUNT]; /* by kind */
    size_t *open[KIND_COUNT];            /* by number: the row under way + 1; 0: none */
    size_t open_room[KIND_COUNT];
};

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* NULL: there are too many. */
static struct usage_row *new_row(struct summing *summing, size_t kind, const char *name) {
    struct usage_report *report = summing->report;
    if (report->count == USAGE_ROWS_MAX) {
        return NULL;
    }
    if (report->count == report->room) {
        report->room = report->room > 0 ? report->room * 2 : 64;
        report->rows = must_realloc(report->rows, report->room * sizeof *report->rows);
    }
    struct usage_row *row = &report->rows[report->count++];
    *row = (struct usage_row){
        .kind = kinds[kind],
        .name = name,
        .begin_s = later(summing->span.begin_s, summing->question->from_s),
        .end_s = earlier(summing->span.end_s, summing->question->to_s),
    };
    return row;
}

/* The row that the hour is counted in. */
static struct usage_row *row_for(struct summing *summing, size_t kind, const char *name, int64_t hour_s) {
    if (hour_s < summing->span.begin_s || hour_s >= summing->span.end_s) {
        summing->span = usage_span(summing->question->step, hour_s);
    }
    size_t number = name_table_number(&summing->names[kind], name);
    if (number >= summing->open_room[kind]) {
        size_t room = number * 2 + 64;
        summing->open[kind] = must_realloc(summing->open[kind], room * sizeof *summing->open[kind]);
        memset(summing->open[kind] + summing->open_room[kind], 0,
               (room - summing->open_room[kind]) * sizeof *summing->open[kind]);
        summing->open_room[kind] = room;
    }
    struct usage_report *report = summing->report;
    size_t open = summing->open[kind][number];
    if (open > 0 && hour_s < report->rows[open - 1].end_s) {
        return &report->rows[open - 1];
    }
    const char *text = open > 0 ? report->rows[open - 1].name : arena_strdup(&report->texts, name);
    struct usage_row *row = new_row(summing, kind, text);
    summing->open[kind][number] = report->count;
    return row;
}

static uint64_t column(sqlite3_stmt *statement, int at) {
    sqlite3_int64 value = sqlite3_column_int64(statement, at);
    return value > 0 ? (uint64_t)value : 0;
}

static uint64_t sum_of(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* False: too many rows. */
static bool add(struct summing *summing, sqlite3_stmt *statement) {
    const char *kind_text = (const char *)sqlite3_column_text(statement, 1);
    const char *name = (const char *)sqlite3_column_text(statement, 2);
    size_t kind = 0;
    while (kind < KIND_COUNT && kind_text != NULL && strcmp(kinds[kind], kind_text) != 0) {
        kind++;
    }
    if (kind == KIND_COUNT || kind_text == NULL || name == NULL) { /* of a later version of weir */
        return true;
    }
    struct usage_row *row = row_for(summing, kind, name, sqlite3_column_int64(statement, 0));
    if (row == NULL) {
        return false;
    }
    row->bytes_out = sum_of(row->bytes_out, column(statement, 3));
    row->bytes_in = sum_of(row->bytes_in, column(statement, 4));
    row->requests = sum_of(row->requests, column(statement, 5));
    return true;
}

/* ---- reading ---- */

struct reading {
    sqlite3 *connection;
    sqlite3_stmt *statement;
    struct timespec until;
    bool took_too_long;
};

static bool is_over(const struct timespec *until) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > until->tv_sec || (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec);
}

/* Not 0: SQLite gives up. */
static int look_at_time(void *context) {
    struct reading *reading = context;
    reading->took_too_long = reading->took_too_long || is_over(&reading->until);
    return reading->took_too_long;
}

/* One name over its hours by the index, or all of them hour by hour: either way a name's hours are in order. "+kind"
 * keeps SQLite from reading by the index and sorting then, which takes several times as long. */
static int prepare(struct reading *reading, const struct usage_question *question) {
#define COLUMNS "SELECT hour_s, kind, name, bytes_out, bytes_in, requests FROM usage_history "
    const char *sql = question->name != NULL ? COLUMNS
                          "WHERE kind = ?3 AND name = ?4 AND hour_s >= ?1 AND hour_s < ?2 ORDER BY hour_s"
                      : question->kind != NULL ? COLUMNS
                          "WHERE hour_s >= ?1 AND hour_s < ?2 AND +kind = ?3 ORDER BY hour_s"
                                               : COLUMNS "WHERE hour_s >= ?1 AND hour_s < ?2 ORDER BY hour_s";
#undef COLUMNS
    int code = sqlite3_prepare_v2(reading->connection, sql, -1, &reading->statement, NULL);
    if (code == SQLITE_OK) {
        sqlite3_bind_int64(reading->statement, 1, question->from_s);
        sqlite3_bind_int64(reading->statement, 2, question->to_s);
        if (question->kind != NULL) {
            sqlite3_bind_text(reading->statement, 3, question->kind, -1, SQLITE_STATIC);
        }
        if (question->name != NULL) {
            sqlite3_bind_text(reading->statement, 4, question->name, -1, SQLITE_STATIC);
        }
    }
    return code;
}

static enum usage_result read_rows(struct reading *reading, struct summing *summing) {
    struct usage_report *report = summing->report;
    int code = prepare(reading, summing->question);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(reading->statement);
        if (code == SQLITE_ROW && !add(summing, reading->statement)) {
            snprintf(report->problem, sizeof report->problem,
                     "more than %d rows: ask for a shorter time, for one name, or for by=month or by=total",
                     (int)USAGE_ROWS_MAX);
            return USAGE_TOO_MUCH;
        }
    }
    if (code == SQLITE_DONE) {
        return USAGE_READ;
    }
    if (reading->took_too_long) {
        snprintf(report->problem, sizeof report->problem,
                 "reading took longer than %d s: ask for a shorter time, or for one name", USAGE_READING_MS_MAX / 1000);
        return USAGE_TOO_MUCH;
    }
    snprintf(report->problem, sizeof report->problem, "%s", sqlite3_errmsg(reading->connection));
    return USAGE_FAILED;
}

static size_t kind_order(const char *kind) {
    size_t at = 0;
    while (at + 1 < KIND_COUNT && strcmp(kinds[at], kind) != 0) {
        at++;
    }
    return at;
}

static int compare(const void *left, const void *right) {
    const struct usage_row *a = left, *b = right;
    size_t kind_a = kind_order(a->kind), kind_b = kind_order(b->kind);
    if (kind_a != kind_b) {
        return kind_a < kind_b ? -1 : 1;
    }
    int names = strcmp(a->name, b->name);
    return names != 0 ? names : (a->begin_s > b->begin_s) - (a->begin_s < b->begin_s);
}

enum usage_result usage_report_read(const char *path, const struct usage_question *question,
                                    struct usage_report *report) {
    struct reading reading = {0};
    clock_gettime(CLOCK_MONOTONIC, &reading.until);
    reading.until.tv_sec += USAGE_READING_MS_MAX / 1000;
    struct summing summing = {.question = question, .report = report};
    enum usage_result result = USAGE_FAILED;
    if (sqlite3_open_v2(path, &reading.connection, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(reading.connection, 1000);
        sqlite3_progress_handler(reading.connection, STEPS_BETWEEN_LOOKS, look_at_time, &reading);
        result = read_rows(&reading, &summing);
    } else {
        snprintf(report->problem, sizeof report->problem, "%s",
                 reading.connection != NULL ? sqlite3_errmsg(reading.connection) : "no memory");
    }
    sqlite3_finalize(reading.statement);
    sqlite3_close(reading.connection);
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        name_table_clear(&summing.names[kind]);
        free(summing.open[kind]);
    }
    if (report->count > 1) {
        qsort(report->rows, report->count, sizeof *report->rows, compare);
    }
    return result;
}

void usage_report_clear(struct usage_report *report) {
    free(report->rows);
    arena_reset(&report->texts);
    *report = (struct usage_report){0};
}
