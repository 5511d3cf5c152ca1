/* One call of the control socket on its way to the function that answers it: shared by control*.c. Housekeeping thread.
 */
#ifndef WEIR_STATS_CONTROL_CALL_H
#define WEIR_STATS_CONTROL_CALL_H

#include <stdbool.h>
#include <stdio.h>

#include "proxy/status.h"
#include "stats/query.h"

struct control_call {
    struct process *process;
    const struct status_request *request;
    struct status_answer *answer;
};

/* The value of a parameter; false: it is not there. */
bool control_parameter(const struct control_call *call, const char *name, char value[QUERY_VALUE_MAX]);

/* Ends the call with a text, or with one that the answer takes over. */
void control_say(const struct control_call *call, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void control_say_taken(const struct control_call *call, int status, char *text);

/* A document: what was written to the stream becomes the answer, 200. NULL: no memory, and that has been said. */
FILE *control_begin_document(const struct control_call *call, const char *content_type);
void control_end_document(const struct control_call *call, FILE *out);

/* control_usage.c */
void control_usage(const struct control_call *call);
/* control_blocks.c */
void control_list_blocks(const struct control_call *call);
void control_block(const struct control_call *call);
void control_unblock(const struct control_call *call);

#endif
