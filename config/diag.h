/* Messages about a configuration, collected while it is read and printed together.
 *
 * One load has one collection; the thread that loads owns it. At most DIAG_MAX messages are kept, the rest is counted,
 * so that no file can make weir hold or print without bound. */
#ifndef WEIR_CONFIG_DIAG_H
#define WEIR_CONFIG_DIAG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "config/arena.h"
#include "config/config.h"

enum {
    DIAG_MAX = 200,
    DIAG_WARNINGS_MAX = 100, /* of them, so that warnings leave room for errors */
    DIAG_LINE_MAX = 240      /* bytes of a quoted line that are shown */
};

struct diagnostic {
    bool warning;
    struct place place;    /* line 0: about the file as a whole */
    unsigned column;       /* from 1; 0: not known */
    unsigned width;        /* bytes to underline */
    const char *line_text; /* the line as it stands in the file; NULL: not quoted */
    const char *subject;   /* the directive's name as written; NULL: none */
    const char *hint;      /* what to write instead; NULL: none */
    const char *message;
};

struct diagnostics {
    struct arena arena;
    struct diagnostic items[DIAG_MAX];
    size_t count;
    size_t left_out;
    size_t error_count; /* those left out included */
    size_t warning_count;
    bool strict; /* warnings become errors */
};

struct diagnostics *diagnostics_new(bool strict);
void diagnostics_free(struct diagnostics **diagnostics);

/* Copies everything; `about->message` is made from the format. A message equal to one already there, at the same place,
 * is dropped. */
void diagnostics_add(struct diagnostics *diagnostics, const struct diagnostic *about, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diagnostics_vadd(struct diagnostics *diagnostics, const struct diagnostic *about, const char *format,
                      va_list arguments) __attribute__((format(printf, 3, 0)));

/* "file:line:column: error: Subject: message", the line indented by four, its underlining, the hint. */
void diagnostics_print(const struct diagnostics *diagnostics, FILE *out);

#endif
