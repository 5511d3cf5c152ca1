/* Holds back lines of the error log that say the same again and again, so that whoever provokes one (a client with
 * malformed requests, an origin that is down) fills no disk.
 *
 * Lines are of one kind when they come from the same format. Of each kind LOG_REPEATS_A_SECOND pass in a second; the
 * others are counted, and told as one line a second: "… and 4711 more like it". Any thread: one mutex, held for a
 * look-up in a table of fixed size. Pure: the time is a parameter, monotonic nanoseconds. A zeroed struct with an
 * initialised lock is an empty one. */
#ifndef WEIR_PROXY_LOG_REPEATS_H
#define WEIR_PROXY_LOG_REPEATS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

enum {
    LOG_REPEATS_A_SECOND = 20,
    LOG_REPEATS_KINDS = 256, /* more than there are formats; a kind that finds no room is not held back */
    LOG_REPEATS_SAMPLE_MAX = 200,
};

struct log_repeats {
    pthread_mutex_t lock;
    struct log_repeats_kind {
        const void *format; /* NULL: free */
        int64_t since_ns;   /* the second that `passed` is counted in */
        int64_t told_ns;    /* when the lines held back were last told, or the first of them came */
        uint64_t held;      /* not told yet */
        unsigned passed;
        enum log_level level;
        char sample[LOG_REPEATS_SAMPLE_MAX]; /* the last that passed before some were held back */
    } kinds[LOG_REPEATS_KINDS];
};

struct log_repeats_told {
    uint64_t held;
    enum log_level level;
    char sample[LOG_REPEATS_SAMPLE_MAX];
};

/* Whether a line may be written. Afterwards, if so, log_repeats_written(). `format` is what tells kinds apart: a
 * pointer that is never used for another one. */
bool log_repeats_pass(struct log_repeats *repeats, const void *format, enum log_level level, int64_t now_ns);
/* The text of a line that passed: of the last in a second a sample is kept. */
void log_repeats_written(struct log_repeats *repeats, const void *format, const char *text);

/* Takes one count that is to be told now: a second after the first line was held back, or after the last telling.
 * at_once: without waiting for that. False: no more. */
bool log_repeats_tell(struct log_repeats *repeats, int64_t now_ns, bool at_once, struct log_repeats_told *told);

/* Whether log_repeats_tell() must be called within a second. */
bool log_repeats_is_open(struct log_repeats *repeats);

#endif
