/* The text of a LogFormat, taken apart and checked: which codes there are, and how they are written.
 *
 * Used by the LogFormat and CustomLog directives, so that a wrong format is an error with its place, and by the access
 * log, which gives each code its function. Pure; memory from the caller's arena. */
#ifndef WEIR_CONFIG_LOG_FORMAT_H
#define WEIR_CONFIG_LOG_FORMAT_H

#include "config/arena.h"

enum log_code {
#define LOG_CODE(constant, code, argument, words, meaning) LOG_CODE_##constant,
#include "config/log_codes.def"
#undef LOG_CODE
    LOG_CODE_COUNT,
    LOG_CODE_NONE = LOG_CODE_COUNT, /* an item of plain text */
};

struct log_item { /* a code with what stands before it, or text between codes */
    enum log_code code;
    struct span text; /* plain text, escapes undone; of a code its argument, as config/log_codes.def spells it if it is
                       * a word there, SPAN_NONE without; terminated by a zero byte */
    const int *statuses; /* "%400,501{…}c": written for these only, "-" for others */
    size_t status_count;
    bool statuses_negated; /* "%!200,304{…}c" */
};

struct log_format {
    const struct log_item *items;
    size_t item_count;
};

/* False with *problem and *hint (what is wrong, what to do; in the arena) when it cannot be understood. */
bool log_format_parse(const char *text, struct arena *arena, struct log_format *format, const char **problem,
                      const char **hint);

#endif
