/* Times as people write them in commands, by the server's time zone. Any thread; blocks for nothing. */
#ifndef WEIR_STATS_MOMENT_H
#define WEIR_STATS_MOMENT_H

#include <stdbool.h>

#include "shaper/period.h"

/* "2026-10" is a month, "2026-10-31" a day, "2026-10-31T14" an hour, "2026-10-31T14:30" a moment (begin and end are the
 * same), "@1790000000" a moment in seconds since the epoch. A space may stand for the T. False: it is none of these, or
 * there is no such day. */
bool moment_parse(const char *text, struct period_span *span);

enum { MOMENT_TEXT_MAX = 40 };
/* "2026-10-31 14:30" and "2026-10-31T14:30:00+01:00". */
void moment_print(int64_t moment_s, char text[MOMENT_TEXT_MAX]);
void moment_print_exactly(int64_t moment_s, char text[MOMENT_TEXT_MAX]);

#endif
