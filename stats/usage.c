/* Usage reports, written out. Called by control_usage.c. Always true: names are clean (clean_text.h), so that no name
 * of a host can be taken for markup, for another column, or for a command to a terminal. */
#include "stats/usage.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "config/csv.h"
#include "stats/clean_text.h"
#include "stats/moment.h"

enum { STEP_COUNT = 4, SIZE_TEXT_MAX = 16, NAME_WIDTH_MAX = 60 };

const char *usage_step_word(enum usage_step step) {
    static const char *const words[STEP_COUNT] = {"total", "month", "day", "hour"};
    return (size_t)step < STEP_COUNT ? words[step] : NULL;
}

/* ---- the table ---- */

/* "1023 B", "1.5 GiB": four characters and the unit. */
static void print_size(uint64_t bytes, char text[SIZE_TEXT_MAX]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1023.5 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(text, SIZE_TEXT_MAX, "%.*f %s", unit > 0 && value < 99.95 ? 1 : 0, value, units[unit]);
}

static size_t characters(const char *text) {
    size_t count = 0;
    while (clean_text_next(&text) != 0) {
        count++;
    }
    return count;
}

static int name_width(const struct usage_report *report, struct clean_text *scratch) {
    size_t widest = strlen("name");
    for (size_t i = 0; i < report->count; i++) {
        size_t width = characters(clean_text(scratch, report->rows[i].name));
        widest = width > widest ? width : widest;
    }
    return widest < NAME_WIDTH_MAX ? (int)widest : NAME_WIDTH_MAX;
}

/* A name's line feeds would break the line, and its tabs the columns. */
static void put_padded(const char *text, int width, FILE *out) {
    for (const char *at = text; *at != '\0'; at++) {
        fputc((unsigned char)*at < ' ' ? ' ' : *at, out);
    }
    int missing = width - (int)characters(text);
    fprintf(out, "%*s", missing > 0 ? missing : 0, "");
}

static void put_row(const struct usage_row *row, bool has_begin, int width, struct clean_text *scratch, FILE *out) {
    char begin[MOMENT_TEXT_MAX], sent[SIZE_TEXT_MAX], received[SIZE_TEXT_MAX];
    print_size(row->bytes_out, sent);
    print_size(row->bytes_in, received);
    fprintf(out, "%-5s  ", row->kind);
    put_padded(clean_text(scratch, row->name), width, out);
    if (has_begin) {
        moment_print(row->begin_s, begin);
        fprintf(out, "  %-16s", begin);
    }
    fprintf(out, "  %10s  %10s  %10" PRIu64 "\n", sent, received, row->requests);
}

void usage_table(const struct usage_question *question, const struct usage_report *report, FILE *out) {
    char from[MOMENT_TEXT_MAX], to[MOMENT_TEXT_MAX];
    struct clean_text scratch = {0};
    bool has_begin = question->step != USAGE_TOTAL;
    moment_print(question->from_s, from);
    moment_print(question->to_s, to);
    fprintf(out, "From %s to %s\n\n", question->from_s > 0 ? from : "the beginning", to);
    if (report->count == 0) {
        fputs("Nothing was used.\n", out);
        return;
    }
    int width = name_width(report, &scratch);
    fprintf(out, "%-5s  %-*s", "kind", width, "name");
    if (has_begin) {
        fprintf(out, "  %-16s", usage_step_word(question->step));
    }
    fprintf(out, "  %10s  %10s  %10s\n", "sent", "received", "requests");
    for (size_t i = 0; i < report->count; i++) {
        put_row(&report->rows[i], has_begin, width, &scratch, out);
    }
    clean_text_free(&scratch);
}

/* ---- CSV ---- */

void usage_csv(const struct usage_report *report, FILE *out) {
    struct clean_text scratch = {0};
    fputs("kind,name,begin,end,bytes_out,bytes_in,requests\n", out);
    for (size_t i = 0; i < report->count; i++) {
        const struct usage_row *row = &report->rows[i];
        char begin[MOMENT_TEXT_MAX], end[MOMENT_TEXT_MAX];
        moment_print_exactly(row->begin_s, begin);
        moment_print_exactly(row->end_s, end);
        fprintf(out, "%s,", row->kind);
        csv_put_field(clean_text(&scratch, row->name), out);
        fprintf(out, ",%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", begin, end, row->bytes_out, row->bytes_in,
                row->requests);
    }
    clean_text_free(&scratch);
}

/* ---- JSON ---- */

static json_t *whole(uint64_t value) {
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

void usage_json(const struct usage_question *question, const struct usage_report *report, FILE *out) {
    struct clean_text scratch = {0};
    fprintf(out, "{\"from\": %" PRId64 ", \"to\": %" PRId64 ", \"by\": \"%s\", \"rows\": [", question->from_s,
            question->to_s, usage_step_word(question->step));
    for (size_t i = 0; i < report->count; i++) {
        const struct usage_row *row = &report->rows[i];
        json_t *object = json_object();
        json_object_set_new(object, "kind", json_string(row->kind));
        json_object_set_new(object, "name", json_string(clean_text(&scratch, row->name)));
        json_object_set_new(object, "begin", json_integer(row->begin_s));
        json_object_set_new(object, "end", json_integer(row->end_s));
        json_object_set_new(object, "bytes_out", whole(row->bytes_out));
        json_object_set_new(object, "bytes_in", whole(row->bytes_in));
        json_object_set_new(object, "requests", whole(row->requests));
        fputs(i > 0 ? ",\n" : "\n", out);
        json_dumpf(object, out, JSON_COMPACT);
        json_decref(object);
    }
    fputs("\n]}\n", out);
    clean_text_free(&scratch);
}
