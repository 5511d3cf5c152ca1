/* Collects and prints the messages about a configuration: see diag.h. Used by parser_report.c and config.c, on the
 * thread that loads. What is printed never holds a control character that came from a file. */
#include "config/diag.h"

#include <stdlib.h>
#include <string.h>

enum { INDENT = 4, CONTEXT_BEFORE = 60 /* bytes kept before the bad word of a line that is too long to show */ };

struct diagnostics *diagnostics_new(bool strict) {
    struct diagnostics *diagnostics = must_calloc(1, sizeof *diagnostics);
    arena_init(&diagnostics->arena, NULL, 0);
    diagnostics->strict = strict;
    return diagnostics;
}

void diagnostics_free(struct diagnostics **diagnostics) {
    if (*diagnostics != NULL) {
        arena_reset(&(*diagnostics)->arena);
        free(*diagnostics);
        *diagnostics = NULL;
    }
}

static const char *copy_or_null(struct arena *arena, const char *text) {
    return text != NULL ? arena_strdup(arena, text) : NULL;
}

static bool said_already(const struct diagnostics *diagnostics, const struct diagnostic *about, const char *message) {
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        if (item->place.line == about->place.line && item->column == about->column &&
            strcmp(item->message, message) == 0 &&
            strcmp(item->place.file != NULL ? item->place.file : "",
                   about->place.file != NULL ? about->place.file : "") == 0) {
            return true;
        }
    }
    return false;
}

void diagnostics_vadd(struct diagnostics *diagnostics, const struct diagnostic *about, const char *format,
                      va_list arguments) {
    bool warning = about->warning && !diagnostics->strict;
    bool room = diagnostics->count < DIAG_MAX && (!warning || diagnostics->warning_count < DIAG_WARNINGS_MAX);
    if (!room) {
        diagnostics->left_out++;
        diagnostics->error_count += !warning;
        diagnostics->warning_count += warning;
        return;
    }
    const char *message = arena_vprintf(&diagnostics->arena, format, arguments);
    if (said_already(diagnostics, about, message)) {
        return;
    }
    diagnostics->error_count += !warning;
    diagnostics->warning_count += warning;
    struct diagnostic *item = &diagnostics->items[diagnostics->count++];
    *item = *about;
    item->warning = warning;
    item->message = message;
    item->place.file = copy_or_null(&diagnostics->arena, about->place.file);
    item->line_text = copy_or_null(&diagnostics->arena, about->line_text);
    item->subject = copy_or_null(&diagnostics->arena, about->subject);
    item->hint = copy_or_null(&diagnostics->arena, about->hint);
}

void diagnostics_add(struct diagnostics *diagnostics, const struct diagnostic *about, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    diagnostics_vadd(diagnostics, about, format, arguments);
    va_end(arguments);
}

static bool is_control(char byte) {
    return (unsigned char)byte < 0x20 || byte == 0x7f;
}

/* A byte that a terminal shows as part of the character before it: the rest of a UTF-8 sequence. */
static bool is_continuation(char byte) {
    return ((unsigned char)byte & 0xc0) == 0x80;
}

static void print_safely(FILE *out, const char *text, size_t length, bool keep_tabs) {
    for (size_t i = 0; i < length; i++) {
        bool kept = !is_control(text[i]) || (keep_tabs && text[i] == '\t');
        putc(kept ? text[i] : '?', out);
    }
}

static void print_text(FILE *out, const char *text) {
    print_safely(out, text, strlen(text), false);
}

static void print_underlining(FILE *out, const char *line, size_t before, size_t width, size_t shift) {
    fprintf(out, "%*s", (int)(INDENT + shift), "");
    for (size_t i = 0; i < before; i++) {
        if (!is_continuation(line[i])) {
            putc(line[i] == '\t' ? '\t' : ' ', out);
        }
    }
    putc('^', out);
    for (size_t i = 1; i < width; i++) {
        if (!is_continuation(line[before + i])) {
            putc('~', out);
        }
    }
    putc('\n', out);
}

/* A line too long to show is cut to a window around the bad word. */
static void print_quote(FILE *out, const struct diagnostic *item) {
    const char *line = item->line_text;
    size_t length = strlen(line);
    size_t before = item->column > 0 ? item->column - 1 : 0;
    if (before > length) {
        before = length;
    }
    bool cut_front = before + item->width > DIAG_LINE_MAX && before > CONTEXT_BEFORE;
    if (cut_front) {
        line += before - CONTEXT_BEFORE;
        length -= before - CONTEXT_BEFORE;
        before = CONTEXT_BEFORE;
    }
    bool cut_back = length > DIAG_LINE_MAX;
    if (cut_back) {
        length = DIAG_LINE_MAX;
    }
    fprintf(out, "%*s%s", INDENT, "", cut_front ? "..." : "");
    print_safely(out, line, length, true);
    fprintf(out, "%s\n", cut_back ? "..." : "");
    if (item->column > 0 && before < DIAG_LINE_MAX) {
        size_t width = item->width > length - before ? length - before : item->width;
        print_underlining(out, line, before, width, cut_front ? 3 : 0);
    }
}

static void print_item(FILE *out, const struct diagnostic *item) {
    if (item->place.file != NULL) {
        print_text(out, item->place.file);
        if (item->place.line > 0) {
            fprintf(out, ":%u", item->place.line);
        }
        if (item->column > 0) {
            fprintf(out, ":%u", item->column);
        }
        fputs(": ", out);
    }
    fputs(item->warning ? "warning: " : "error: ", out);
    if (item->subject != NULL) {
        print_text(out, item->subject);
        fputs(": ", out);
    }
    print_text(out, item->message);
    putc('\n', out);
    if (item->line_text != NULL) {
        print_quote(out, item);
    }
    if (item->hint != NULL) {
        print_text(out, item->hint);
        putc('\n', out);
    }
}

void diagnostics_print(const struct diagnostics *diagnostics, FILE *out) {
    for (size_t i = 0; i < diagnostics->count; i++) {
        print_item(out, &diagnostics->items[i]);
    }
    if (diagnostics->left_out > 0) {
        fprintf(out, "... and %zu more\n", diagnostics->left_out);
    }
}
