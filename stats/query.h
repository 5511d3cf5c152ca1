/* The parameters of a query or of a form's body: application/x-www-form-urlencoded (WHATWG URL, 5.1). Pure. */
#ifndef WEIR_STATS_QUERY_H
#define WEIR_STATS_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "config/span.h"

enum { QUERY_VALUE_MAX = 1024 }; /* bytes, with the terminating zero: longer than any name of ours */

/* The first parameter of that name (in any case, as mod_cband took them). A parameter without "=" has the value "". Its
 * value is decoded into `value`; one that is too long, or holds a zero byte, counts as not there. */
bool query_find(struct span query, const char *name, char value[QUERY_VALUE_MAX]);

/* Takes the next parameter off the front of *query, for who minds what else there is. */
enum query_part {
    QUERY_END, /* there is none */
    QUERY_PARAMETER,
    QUERY_UNREADABLE /* too long, or with a zero byte; name and value are not to be looked at */
};
enum query_part query_next(struct span *query, char name[QUERY_VALUE_MAX], char value[QUERY_VALUE_MAX]);

#endif
