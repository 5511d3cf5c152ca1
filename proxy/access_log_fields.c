/* %{Name}i, %{Name}o and %{Name}C: fields of the request and of the response, and cookies. Runs on workers. */
#include "proxy/access_log_steps.h"

void access_prepare_field(struct access_step *step, struct arena *arena) {
    (void)arena;
    step->field = field_id_of(step->argument);
}

struct span access_field_value(const struct field_list *fields, enum field_id id) {
    const struct field *field = fields != NULL ? fields_find_id(fields, id) : NULL;
    return field != NULL ? (struct span){field->value.ptr != NULL ? field->value.ptr : "", field->value.len}
                         : SPAN_NONE;
}

static bool is_field(const struct access_step *step, const struct field *field) {
    return step->field == field->id && (step->field != FIELD_OTHER || span_equal_nocase(field->name, step->argument));
}

/* Several fields of a name are one list (RFC 9110, 5.3). */
static void write_fields(const struct access_step *step, const struct field_list *fields, struct log_line *line) {
    bool found = false;
    bool possible = step->field == FIELD_OTHER || (fields->present & UINT64_C(1) << step->field) != 0;
    for (size_t i = 0; possible && i < fields->count; i++) {
        if (is_field(step, &fields->fields[i])) {
            line_put(line, found ? SPAN_LITERAL(", ") : SPAN_LITERAL(""));
            line_put_escaped(line, fields->fields[i].value);
            found = true;
        }
    }
    if (!found) {
        line_put_char(line, '-');
    }
}

void access_write_request_field(const struct access_step *step, const struct access_record *record,
                                struct log_line *line) {
    static const struct field_list none = {.count = 0};
    write_fields(step, record->request != NULL ? &record->request->fields : &none, line);
}

void access_write_response_field(const struct access_step *step, const struct access_record *record,
                                 struct log_line *line) {
    static const struct field_list none = {.count = 0};
    write_fields(step, record->response != NULL ? &record->response->fields : &none, line);
}

/* The next "name=value" of a Cookie field (RFC 6265, 4.2.1). */
static bool next_cookie(struct span *rest, struct span *name, struct span *value) {
    while (rest->len > 0) {
        const char *semicolon = memchr(rest->ptr, ';', rest->len);
        size_t length = semicolon != NULL ? (size_t)(semicolon - rest->ptr) : rest->len;
        struct span pair = {rest->ptr, length};
        *rest = span_skip(*rest, semicolon != NULL ? length + 1 : length);
        const char *equals = memchr(pair.ptr, '=', pair.len);
        if (equals != NULL) {
            size_t name_length = (size_t)(equals - pair.ptr);
            *name = span_trim((struct span){pair.ptr, name_length});
            *value = span_trim(span_skip(pair, name_length + 1));
            return true;
        }
    }
    return false;
}

void access_write_cookie(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    const struct field_list *fields = record->request != NULL ? &record->request->fields : NULL;
    for (size_t i = 0; fields != NULL && i < fields->count; i++) {
        struct span rest = fields->fields[i].value, name, value;
        while (fields->fields[i].id == FIELD_COOKIE && next_cookie(&rest, &name, &value)) {
            if (span_equal_nocase(name, step->argument)) {
                line_put_escaped(line, value);
                return;
            }
        }
    }
    line_put_char(line, '-');
}
