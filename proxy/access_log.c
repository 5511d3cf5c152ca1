/* Compiles a format of the access log into steps, and runs them. Compiling happens on the thread that loads a
 * configuration, running on every worker at once: a format is constant once it is made. */
#include "proxy/access_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/access_log_steps.h"

enum { STATUSES_MAX = 64 /* in front of one code */ };

struct access_log_format {
    struct arena arena;
    struct access_step *steps;
    size_t step_count, step_room;
    bool json;
};

struct compiler {
    struct access_log_format *format;
    const char *text; /* the whole format, for messages */
    const char *next;
    char **error;
};

static void fail(const struct compiler *compiler, const char *from, const char *why, const char *what_to_do) {
    if (asprintf(compiler->error, "in the log format \"%s\", at \"%.*s\": %s; %s", compiler->text, 24, from, why,
                 what_to_do) < 0) {
        *compiler->error = NULL;
    }
}

static struct access_step *add_step(struct access_log_format *format) {
    if (format->step_count == format->step_room) {
        size_t room = format->step_room > 0 ? format->step_room * 2 : 32;
        struct access_step *steps = arena_alloc(&format->arena, room * sizeof *steps);
        if (format->step_count > 0) {
            memcpy(steps, format->steps, format->step_count * sizeof *steps);
        }
        format->steps = steps;
        format->step_room = room;
    }
    return &format->steps[format->step_count++];
}

/* Text up to the next code, with the escapes that Apache knows there: \n \r \t \\. */
static void compile_constant(struct compiler *compiler) {
    const char *from = compiler->next;
    size_t length = strcspn(from, "%");
    char *text = arena_alloc_raw(&compiler->format->arena, length + 1);
    size_t written = 0;
    for (size_t i = 0; i < length; i++) {
        static const char letters[] = "nrt\\", meanings[] = "\n\r\t\\";
        const char *letter = from[i] == '\\' && i + 1 < length ? strchr(letters, from[i + 1]) : NULL;
        text[written++] = letter != NULL ? meanings[letter - letters] : from[i];
        i += letter != NULL ? 1 : 0;
    }
    struct access_step *step = add_step(compiler->format);
    step->write = access_write_constant;
    step->argument = (struct span){text, written};
    compiler->next = from + length;
}

static bool compile_statuses(struct compiler *compiler, struct access_step *step, const char *from) {
    int statuses[STATUSES_MAX];
    size_t count = 0;
    while (*compiler->next >= '0' && *compiler->next <= '9') {
        char *end;
        long status = strtol(compiler->next, &end, 10);
        if (end - compiler->next != 3 || count == STATUSES_MAX) {
            fail(compiler, from, "these are not status codes",
                 "write up to 64 of three digits with commas, e.g. %400,501{User-agent}i or %!200,304{Referer}i");
            return false;
        }
        statuses[count++] = (int)status;
        compiler->next = *end == ',' ? end + 1 : end;
    }
    if (count > 0) {
        int *copy = arena_alloc(&compiler->format->arena, count * sizeof *copy);
        memcpy(copy, statuses, count * sizeof *copy);
        step->statuses = copy;
        step->status_count = count;
    }
    return true;
}

/* What stands between "%" and the code, in any order: "!", "<", ">", status codes, "{argument}". */
static bool compile_prefix(struct compiler *compiler, struct access_step *step, const char *from) {
    for (;;) {
        char character = *compiler->next;
        if (character == '!') {
            step->statuses_negated = true;
            compiler->next++;
        } else if (character == '<' || character == '>' || character == ',') {
            compiler->next++; /* a request is never redirected inside weir: original and final are the same */
        } else if (character >= '0' && character <= '9') {
            if (!compile_statuses(compiler, step, from)) {
                return false;
            }
        } else if (character == '{') {
            const char *end = strchr(compiler->next, '}');
            if (end == NULL) {
                fail(compiler, from, "the \"{\" is not closed", "write %{Name}i, with the code after the \"}\"");
                return false;
            }
            struct span argument = {compiler->next + 1, (size_t)(end - compiler->next) - 1};
            step->argument = arena_copy_span(&compiler->format->arena, argument);
            compiler->next = end + 1;
        } else {
            return true;
        }
    }
}

static const struct access_code *find_code(const char *text) {
    for (size_t i = 0; i < access_code_count; i++) {
        if (strncmp(text, access_codes[i].code, strlen(access_codes[i].code)) == 0) {
            return &access_codes[i];
        }
    }
    return NULL;
}

static void fail_unknown(const struct compiler *compiler, const char *from) {
    char codes[512] = "write %% for a percent sign, or one of";
    for (size_t i = 0; i < access_code_count; i++) {
        const struct access_code *code = &access_codes[i];
        size_t length = strlen(codes);
        const char *argument = code->use == ARGUMENT_REQUIRED ? "{…}" : "";
        snprintf(codes + length, sizeof codes - length, " %%%s%s", argument, code->code);
    }
    fail(compiler, from, "this is no code of a log format", codes);
}

static bool compile_code(struct compiler *compiler) {
    const char *from = compiler->next++;
    struct access_step step = {.argument = SPAN_NONE};
    if (!compile_prefix(compiler, &step, from)) {
        return false;
    }
    const struct access_code *code = find_code(compiler->next);
    if (code == NULL) {
        fail_unknown(compiler, from);
        return false;
    }
    if (code->use == ARGUMENT_REQUIRED && step.argument.len == 0) {
        char hint[160];
        snprintf(hint, sizeof hint, "write %%{%s}%s", code->arguments, code->code);
        fail(compiler, from, "this code needs a name in braces", hint);
        return false;
    }
    compiler->next += strlen(code->code);
    step.write = code->write;
    bool given = code->use != ARGUMENT_IGNORED && step.argument.len > 0;
    if (code->prepare != NULL && (given || code->use == ARGUMENT_IGNORED) &&
        !code->prepare(&step, &compiler->format->arena)) {
        char hint[512];
        snprintf(hint, sizeof hint, "it may be %s", code->arguments);
        fail(compiler, from, "the text in braces is none that this code knows", hint);
        return false;
    }
    *add_step(compiler->format) = step;
    return true;
}

struct access_log_format *access_log_format_new(const char *text, char **error) {
    *error = NULL;
    struct access_log_format *format = must_calloc(1, sizeof *format);
    arena_init(&format->arena, NULL, 0);
    if (strcmp(text, "json") == 0) {
        format->json = true;
        return format;
    }
    struct compiler compiler = {.format = format, .text = text, .next = text, .error = error};
    while (*compiler.next != '\0') {
        if (*compiler.next != '%') {
            compile_constant(&compiler);
        } else if (!compile_code(&compiler)) {
            access_log_format_free(format);
            return NULL;
        }
    }
    return format;
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
