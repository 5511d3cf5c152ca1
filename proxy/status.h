/* Requests that weir answers from what it knows about itself: SetHandler cband-status, cband-status-me, weir-metrics,
 * and the control socket.
 *
 * A worker reads the request, posts it to the housekeeping thread, and goes on with others; the answer comes back as
 * mail. What an answer says is not proxy/'s to know: the program gives process_options an answerer. */
#ifndef WEIR_PROXY_STATUS_H
#define WEIR_PROXY_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "config/span.h"

struct process;

enum { STATUS_FORM_BYTES_MAX = 8192, STATUS_FIELDS_MAX = 6 };

struct status_request {
    enum handler_kind handler;
    struct span method;
    struct span path;                /* as requested, without query */
    struct span query;               /* without "?"; empty: none */
    struct span form;                /* the body of a POST */
    bool foreign;                    /* a browser says that another site's page sent it: it may look, not change */
    const struct virtual_host *host; /* of the configuration that the request began with */
};

/* All texts are the answer's own (malloc'ed) or constants, as said. */
struct status_answer {
    int status;
    const char *content_type; /* constant */
    char *body;               /* malloc'ed; NULL: none */
    size_t body_bytes;
    struct status_field {
        const char *name; /* constant */
        char *value;      /* malloc'ed */
    } fields[STATUS_FIELDS_MAX];
    size_t field_count;
};

/* A field more; the value is printed. Too many are a mistake of the program's. */
void status_answer_add(struct status_answer *answer, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void status_answer_clear(struct status_answer *answer);

/* Fills in the answer, zeroed before. Housekeeping thread; may take its time. */
typedef void process_answerer(struct process *process, const struct status_request *request,
                              struct status_answer *answer);

#endif
