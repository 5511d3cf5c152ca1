/* A line of the access log as it grows in the caller's memory: bounded, and safe whatever a peer sent. Internal to the
 * access log. Pure, any thread. */
#ifndef WEIR_PROXY_ACCESS_LOG_LINE_H
#define WEIR_PROXY_ACCESS_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/span.h"

struct log_line {
    char *next, *end;
    bool cut; /* something found no room; nothing is added any more */
};

void line_put(struct log_line *line, struct span text);
void line_put_number(struct log_line *line, uint64_t number);
/* "0.123": seconds with three decimals; negative is 0. */
void line_put_seconds(struct log_line *line, int64_t duration_ns);
/* As Apache escapes: \" \\ \b \n \r \t \v, and \xhh for other bytes that are not printable ASCII. Escapes are never cut
 * in two. */
void line_put_escaped(struct log_line *line, struct span text);
/* Between quotes; at most `limit` bytes of text, cut between characters. Bytes that are not UTF-8, and control
 * characters, become \u00XX. */
void line_put_json_string(struct log_line *line, struct span text, size_t limit);

static inline void line_put_char(struct log_line *line, char character) {
    line_put(line, (struct span){&character, 1});
}

#endif
