/* Repeated lines. Called by log.c for each line on its way out, and once a second by the log writer's thread while
 * something is open. Always true, under the lock: a kind keeps its place in the table for ever, so a probe that meets a
 * free place has seen all there is. */
#include "proxy/log_repeats.h"

#include <stdio.h>

static const int64_t second_ns = INT64_C(1000000000);

/* NULL: the table is full. */
static struct log_repeats_kind *kind_of(struct log_repeats *repeats, const void *format) {
    size_t first = (size_t)((uintptr_t)format * UINT64_C(0x9e3779b97f4a7c15) >> 32) % LOG_REPEATS_KINDS;
    for (size_t i = 0; i < LOG_REPEATS_KINDS; i++) {
        struct log_repeats_kind *kind = &repeats->kinds[(first + i) % LOG_REPEATS_KINDS];
        if (kind->format == NULL) {
            kind->format = format;
        }
        if (kind->format == format) {
            return kind;
        }
    }
    return NULL;
}

bool log_repeats_pass(struct log_repeats *repeats, const void *format, enum log_level level, int64_t now_ns) {
    bool passes = true;
    pthread_mutex_lock(&repeats->lock);
    struct log_repeats_kind *kind = kind_of(repeats, format);
    if (kind != NULL) {
        if (kind->passed == 0 || now_ns - kind->since_ns >= second_ns) {
            kind->since_ns = now_ns;
            kind->passed = 0;
        }
        passes = kind->passed < LOG_REPEATS_A_SECOND;
        if (passes) {
            kind->passed++;
        } else {
            kind->told_ns = kind->held == 0 ? now_ns : kind->told_ns;
            kind->held++;
            kind->level = level;
        }
    }
    pthread_mutex_unlock(&repeats->lock);
    return passes;
}

void log_repeats_written(struct log_repeats *repeats, const void *format, const char *text) {
    pthread_mutex_lock(&repeats->lock);
    struct log_repeats_kind *kind = kind_of(repeats, format);
    if (kind != NULL && kind->passed == LOG_REPEATS_A_SECOND) {
        snprintf(kind->sample, sizeof kind->sample, "%s", text);
    }
    pthread_mutex_unlock(&repeats->lock);
}

bool log_repeats_tell(struct log_repeats *repeats, int64_t now_ns, bool at_once, struct log_repeats_told *told) {
    bool found = false;
    pthread_mutex_lock(&repeats->lock);
    for (size_t i = 0; i < LOG_REPEATS_KINDS && !found; i++) {
        struct log_repeats_kind *kind = &repeats->kinds[i];
        if (kind->held > 0 && (at_once || now_ns - kind->told_ns >= second_ns)) {
            *told = (struct log_repeats_told){.held = kind->held, .level = kind->level};
            snprintf(told->sample, sizeof told->sample, "%s", kind->sample);
            kind->held = 0;
            found = true;
        } else if (kind->held == 0 && now_ns - kind->since_ns >= second_ns) {
            kind->passed = 0;
        }
    }
    pthread_mutex_unlock(&repeats->lock);
    return found;
}

bool log_repeats_is_open(struct log_repeats *repeats) {
    bool is_open = false;
    pthread_mutex_lock(&repeats->lock);
    for (size_t i = 0; i < LOG_REPEATS_KINDS && !is_open; i++) {
        is_open = repeats->kinds[i].held > 0 || repeats->kinds[i].passed > 0;
    }
    pthread_mutex_unlock(&repeats->lock);
    return is_open;
}
