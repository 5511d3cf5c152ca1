/* Who has used how much, out of the usage history of a state database: what a hosting provider bills from.
 *
 * Reads with a connection of its own, read-only, while weir or anybody else writes. The history is by the hour, on the
 * hour in UTC; an hour belongs to the day and month in which it begins, by the server's time zone. Blocks on the disk;
 * any thread but a worker's. */
#ifndef WEIR_SHAPER_USAGE_REPORT_H
#define WEIR_SHAPER_USAGE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/arena.h"
#include "shaper/period.h"

enum usage_step { USAGE_TOTAL, USAGE_BY_MONTH, USAGE_BY_DAY, USAGE_BY_HOUR };

enum {
    USAGE_ROWS_MAX = 200000,    /* of an answer */
    USAGE_READING_MS_MAX = 5000 /* and of the time it takes */
};

struct usage_question {
    const char *kind;     /* "host", "user", "class"; NULL: all three */
    const char *name;     /* NULL: all of that kind */
    int64_t from_s, to_s; /* from <= hour < to, seconds since the epoch */
    enum usage_step step;
};

struct usage_row {
    const char *kind, *name;
    int64_t begin_s, end_s; /* begin <= moment < end; within the question's */
    uint64_t bytes_out, bytes_in, requests;
};

/* All zero to begin with; its memory is freed by usage_report_clear(). */
struct usage_report {
    struct usage_row *rows; /* ordered by kind (hosts, users, classes), name, begin */
    size_t count, room;
    struct arena texts;
    char problem[256]; /* what failed */
};

enum usage_result {
    USAGE_READ,
    USAGE_TOO_MUCH, /* rows or time: `problem` says what to ask instead */
    USAGE_FAILED    /* the database cannot be read: `problem` */
};

/* Fills in an empty report. Nobody used anything: no rows. */
enum usage_result usage_report_read(const char *path, const struct usage_question *question,
                                    struct usage_report *report);
void usage_report_clear(struct usage_report *report);

/* The hour, day or month that a moment lies in, by the server's time zone; for USAGE_TOTAL everything. */
struct period_span usage_span(enum usage_step step, int64_t moment_s);

#endif
