/* %t, and %{format}t in all its forms. Runs on workers.
 *
 * Local time and strftime() are slow and take a lock of the C library, so each thread keeps the texts of the last
 * second: thousands of lines share one. The memory is a thread's own, and a step is known by a key that no other step
 * ever gets. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proxy/access_log_steps.h"
#include "proxy/clock.h"

enum { TEXT_MAX = 128, CACHE_ENTRIES = 8 };

struct cached_time {
    uint64_t key;
    int64_t second;
    size_t length;
    char text[TEXT_MAX];
};

static _Thread_local struct cached_time cache[CACHE_ENTRIES];

static const char default_format[] = "[%d/%b/%Y:%H:%M:%S %z]";

static int64_t time_us(const struct access_step *step, const struct access_record *record) {
    int64_t duration_us = record->duration_ns / 1000;
    return record->started_wall_us + (step->at_end && duration_us > 0 ? duration_us : 0);
}

static int64_t second_of(int64_t wall_us) {
    return wall_us / US_PER_SECOND - (wall_us % US_PER_SECOND < 0 ? 1 : 0);
}

static uint64_t fraction_us(int64_t wall_us) {
    return (uint64_t)(wall_us - second_of(wall_us) * US_PER_SECOND);
}

static uint64_t positive(int64_t value) {
    return value > 0 ? (uint64_t)value : 0;
}

void access_write_time(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    int64_t second = second_of(time_us(step, record));
    struct cached_time *entry = &cache[step->cache_key % CACHE_ENTRIES];
    if (entry->key != step->cache_key || entry->second != second) {
        time_t seconds = (time_t)second;
        struct tm local = {0};
        localtime_r(&seconds, &local);
        const char *format = step->argument.len > 0 ? step->argument.ptr : default_format;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        entry->length = strftime(entry->text, sizeof entry->text, format, &local);
#pragma GCC diagnostic pop
        entry->key = step->cache_key;
        entry->second = second;
    }
    line_put(line, (struct span){entry->text, entry->length});
}

static void write_seconds(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    line_put_number(line, positive(second_of(time_us(step, record))));
}

static void write_milliseconds(const struct access_step *step, const struct access_record *record,
                               struct log_line *line) {
    line_put_number(line, positive(time_us(step, record) / 1000));
}

static void write_microseconds(const struct access_step *step, const struct access_record *record,
                               struct log_line *line) {
    line_put_number(line, positive(time_us(step, record)));
}

static void put_padded(struct log_line *line, uint64_t number, size_t digits) {
    char text[6];
    for (size_t i = digits; i > 0; i--) {
        text[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    line_put(line, (struct span){text, digits});
}

static void write_millisecond_fraction(const struct access_step *step, const struct access_record *record,
                                       struct log_line *line) {
    put_padded(line, fraction_us(time_us(step, record)) / 1000, 3);
}

static void write_microsecond_fraction(const struct access_step *step, const struct access_record *record,
                                       struct log_line *line) {
    put_padded(line, fraction_us(time_us(step, record)), 6);
}

static void skip_prefix(struct access_step *step, struct span prefix, bool at_end) {
    if (span_starts_with(step->argument, prefix)) {
        step->argument = span_skip(step->argument, prefix.len);
        step->at_end = at_end;
    }
}

void access_prepare_time(struct access_step *step, struct arena *arena) {
    static const struct {
        const char *name;
        access_step_writer *write;
    } tokens[] = {
        {"sec", write_seconds},
        {"msec", write_milliseconds},
        {"usec", write_microseconds},
        {"msec_frac", write_millisecond_fraction},
        {"usec_frac", write_microsecond_fraction},
    };
    static atomic_uint_fast64_t last_key;
    (void)arena;
    skip_prefix(step, SPAN_LITERAL("begin:"), false);
    skip_prefix(step, SPAN_LITERAL("end:"), true);
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        if (span_equal(step->argument, span_of(tokens[i].name))) {
            step->write = tokens[i].write;
            return;
        }
    }
    step->cache_key = atomic_fetch_add_explicit(&last_key, 1, memory_order_relaxed) + 1;
}
