/* The parts of a compiled format. Internal to the access log: access_log.c compiles a format into steps and runs them,
 * access_log_codes.c, access_log_fields.c and access_log_time.c hold what a step can be. */
#ifndef WEIR_PROXY_ACCESS_LOG_STEPS_H
#define WEIR_PROXY_ACCESS_LOG_STEPS_H

#include "config/log_format.h"
#include "proxy/access_log.h"
#include "proxy/access_log_line.h"

struct access_step;
typedef void access_step_writer(const struct access_step *step, const struct access_record *record,
                                struct log_line *line);

/* Constant once compiled. */
struct access_step {
    access_step_writer *write;
    struct span argument; /* of %{argument}c, or the text of a constant step */
    enum field_id field;  /* of a field's name */
    bool at_end;          /* times: of the response's end, not of the request's begin */
    uint64_t cache_key;   /* times: unique in the process; 0: not cached */
    const int *statuses;  /* "%400,501{…}c": the codes for which the step writes; others get "-" */
    size_t status_count;
    bool statuses_negated; /* "%!200,304{…}c" */
};

/* Looks at step->argument and sets what the step needs. The argument is one that the code knows (config/log_codes.def).
 */
typedef void access_step_preparer(struct access_step *step, struct arena *arena);

struct access_code {
    access_step_writer *write;
    access_step_preparer *prepare; /* NULL: nothing to do */
};

extern const struct access_code access_codes[LOG_CODE_COUNT];

void access_write_constant(const struct access_step *step, const struct access_record *record, struct log_line *line);
void access_write_dash(const struct access_step *step, const struct access_record *record, struct log_line *line);

/* access_log_fields.c */
access_step_writer access_write_request_field, access_write_response_field, access_write_cookie;
void access_prepare_field(struct access_step *step, struct arena *arena);
/* The first such field's value; SPAN_NONE without. */
struct span access_field_value(const struct field_list *fields, enum field_id id);

/* access_log_time.c */
access_step_writer access_write_time;
void access_prepare_time(struct access_step *step, struct arena *arena);

/* access_log_weir.c: %{…}x */
void access_prepare_variable(struct access_step *step, struct arena *arena);

/* access_log_json.c */
size_t access_log_json_line(const struct access_record *record, char *line, size_t size);

#endif
