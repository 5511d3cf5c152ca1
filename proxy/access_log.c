/* Compiles a format of the access log into steps, and runs them; what a format may be is known to config/log_format.c.
 * Compiling happens on the thread that loads a configuration, running on every worker at once: a format is constant
 * once it is made. */
#include "proxy/access_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/access_log_steps.h"

struct access_log_format {
    struct arena arena;
    struct access_step *steps;
    size_t step_count;
    bool json;
    bool reads_response;
};

static struct access_step step_of(const struct log_item *item, struct arena *arena) {
    struct access_step step = {
        .argument = item->text,
        .statuses = item->statuses,
        .status_count = item->status_count,
        .statuses_negated = item->statuses_negated,
    };
    if (item->code == LOG_CODE_NONE) {
        step.write = access_write_constant;
        return step;
    }
    const struct access_code *code = &access_codes[item->code];
    step.write = code->write;
    if (code->prepare != NULL) {
        code->prepare(&step, arena);
    }
    return step;
}

static bool compile(struct access_log_format *format, const char *text, char **error) {
    struct log_format parsed;
    const char *problem, *hint;
    if (!log_format_parse(text, &format->arena, &parsed, &problem, &hint)) {
        if (asprintf(error, "in the format \"%s\": %s; %s", text, problem, hint) < 0) {
            *error = NULL;
        }
        return false;
    }
    format->step_count = parsed.item_count;
    format->steps = arena_alloc(&format->arena, parsed.item_count * sizeof *format->steps);
    for (size_t i = 0; i < parsed.item_count; i++) {
        format->steps[i] = step_of(&parsed.items[i], &format->arena);
        format->reads_response |= parsed.items[i].code == LOG_CODE_RESPONSE_FIELD;
    }
    return true;
}

struct access_log_format *access_log_format_new(const char *text, char **error) {
    *error = NULL;
    struct access_log_format *format = must_calloc(1, sizeof *format);
    arena_init(&format->arena, NULL, 0);
    if (strcmp(text, "json") == 0) {
        format->json = true;
    } else if (!compile(format, text, error)) {
        access_log_format_free(format);
        return NULL;
    }
    return format;
}

bool access_log_reads_response(const struct access_log_format *format) {
    return format->reads_response;
}

void access_log_format_free(struct access_log_format *format) {
    if (format != NULL) {
        arena_reset(&format->arena);
        free(format);
    }
}

static bool writes_for_status(const struct access_step *step, int status) {
    bool found = false;
    for (size_t i = 0; i < step->status_count && !found; i++) {
        found = step->statuses[i] == status;
    }
    return found != step->statuses_negated;
}

size_t access_log_format_line(const struct access_log_format *format, const struct access_record *record, char *text,
                              size_t size) {
    if (size == 0) {
        return 0;
    }
    if (format->json) {
        return access_log_json_line(record, text, size);
    }
    struct log_line line = {.next = text, .end = text + size - 1};
    for (size_t i = 0; i < format->step_count && !line.cut; i++) {
        const struct access_step *step = &format->steps[i];
        if (step->status_count > 0 && !writes_for_status(step, record->status)) {
            line_put_char(&line, '-');
        } else {
            step->write(step, record, &line);
        }
    }
    *line.next++ = '\n';
    return (size_t)(line.next - text);
}
