/* The changes of RequestHeader and Header. Called by headers.c on workers.
 *
 * Invariant: whatever a peer sent and an operator wrote, no value leaves here with a byte that could end a field. */
#include "proxy/headers_change.h"

#include <inttypes.h>
#include <stdlib.h>

enum { VALUE_BYTES_MAX = 32 * 1024, EDITS_MAX = 1000 };

/* --- format codes --- */

struct text { /* grows in the arena, stops at VALUE_BYTES_MAX */
    struct arena *arena;
    char *bytes;
    size_t length, capacity;
    bool overflow;
};

static void text_add(struct text *text, struct span part) {
    if (text->overflow || part.len > VALUE_BYTES_MAX - text->length) {
        text->overflow = true;
        return;
    }
    if (text->length + part.len > text->capacity) {
        size_t capacity = (text->length + part.len) * 2;
        char *larger = arena_alloc_raw(text->arena, capacity);
        if (text->length > 0) {
            memcpy(larger, text->bytes, text->length);
        }
        text->bytes = larger;
        text->capacity = capacity;
    }
    if (part.len > 0) {
        memcpy(text->bytes + text->length, part.ptr, part.len);
        text->length += part.len;
    }
}

static struct span address_text(struct arena *arena, const struct ip_address *address) {
    char text[IP_TEXT_MAX];
    size_t length = address != NULL ? ip_address_print(address, text) : 0;
    return length > 0 ? arena_copy_span(arena, (struct span){text, length}) : SPAN_LITERAL("-");
}

/* What is known of the request under the names that Apache's modules give it, then the process's environment. */
static struct span variable(const struct header_context *context, struct span name) {
    const struct request_head *request = context->request;
    if (span_equal(name, SPAN_LITERAL("REMOTE_ADDR"))) {
        return address_text(context->arena, context->client);
    }
    if (span_equal(name, SPAN_LITERAL("HTTPS"))) {
        return span_equal(request->scheme, SPAN_LITERAL("https")) ? SPAN_LITERAL("on") : SPAN_LITERAL("off");
    }
    const struct {
        const char *name;
        struct span value;
    } known[] = {
        {"REQUEST_METHOD", request->method}, {"REQUEST_SCHEME", request->scheme}, {"REQUEST_URI", request->path},
        {"QUERY_STRING", request->query},    {"HTTP_HOST", request->host},        {"SERVER_NAME", SPAN_NONE},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (span_equal(name, span_of(known[i].name))) {
            return known[i].value.ptr != NULL ? known[i].value : span_of(context->server_name);
        }
    }
    if (span_starts_with(name, SPAN_LITERAL("SSL_"))) {
        return span_of(tls_fact(context->tls, name));
    }
    const char *value =
        getenv(arena_copy(context->arena, name)); /* NOLINT: nothing here ever changes the environment */
    return span_of(value);
}

/* Takes the code at the start of *format, a "%", and adds what it stands for. */
static void add_code(struct text *text, const struct header_context *context, const char **format) {
    const char *code = *format + 1;
    const char *brace = *code == '{' ? strchr(code, '}') : NULL;
    struct span value = SPAN_NONE;
    if (*code == '%') {
        value = SPAN_LITERAL("%");
    } else if (*code == 't') {
        value = span_of(arena_printf(text->arena, "t=%" PRId64, context->started_wall_us));
    } else if (*code == 'D') {
        value = span_of(arena_printf(text->arena, "D=%" PRId64, context->duration_ns / 1000));
    } else if (brace != NULL && (brace[1] == 'e' || brace[1] == 's')) {
        value = variable(context, (struct span){code + 1, (size_t)(brace - code - 1)});
        code = brace + 1;
    }
    text_add(text, value.ptr != NULL ? value : SPAN_LITERAL("-"));
    *format = *code != '\0' ? code + 1 : code;
}

struct span headers_format(const struct header_context *context, const char *format) {
    if (format == NULL) {
        return SPAN_LITERAL("");
    }
    if (strchr(format, '%') == NULL) {
        return span_of(format);
    }
    struct text text = {.arena = context->arena};
    while (*format != '\0') {
        size_t plain = strcspn(format, "%");
        text_add(&text, (struct span){format, plain});
        format += plain;
        if (*format == '%') {
            add_code(&text, context, &format);
        }
    }
    return (struct span){text.length > 0 ? text.bytes : "", text.length};
}

/* --- changes --- */

static bool is_control(char byte) {
    return ((unsigned char)byte < 0x20 && byte != '\t') || byte == 0x7f;
}

/* The value trimmed, every control character replaced by a space. */
static struct span clean_value(struct arena *arena, struct span value) {
    size_t i = 0;
    while (i < value.len && !is_control(value.ptr[i])) {
        i++;
    }
    if (i < value.len) {
        char *copy = arena_copy(arena, value);
        for (; i < value.len; i++) {
            copy[i] = is_control(copy[i]) ? ' ' : copy[i];
        }
        value.ptr = copy;
    }
    return span_trim(value);
}

static bool may_change(enum field_id id) {
    switch (id) {
    case FIELD_CONNECTION:
    case FIELD_CONTENT_LENGTH:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TE:
    case FIELD_TRAILER:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
        return false;
    default:
        return true;
    }
}

/* Replaces the first or every match in one value. A replacement is formatted first, then gets its groups. */
static struct span edit_value(const struct header_context *context, const struct header_change *change,
                              struct span value) {
    const char *replacement = NULL;
    struct text text = {.arena = context->arena};
    struct span rest = value;
    unsigned edits = change->action == HEADER_EDIT_ALL ? (unsigned)EDITS_MAX : 1;
    struct pattern_match match;
    while (edits-- > 0 && pattern_match(change->pattern, context->scratch, rest, &match)) {
        if (replacement == NULL) {
            replacement = arena_copy(context->arena, headers_format(context, change->value));
        }
        size_t before = (size_t)(match.group[0].ptr - rest.ptr);
        text_add(&text, (struct span){rest.ptr, before});
        text_add(&text, pattern_expand(context->arena, replacement, &match));
        rest = span_skip(rest, before + match.group[0].len);
        if (match.group[0].len == 0) { /* an empty match: step over one byte, or it would match for ever */
            text_add(&text, (struct span){rest.ptr, rest.len > 0});
            if (rest.len == 0) {
                break;
            }
            rest = span_skip(rest, 1);
        }
    }
    if (replacement == NULL) {
        return value;
    }
    text_add(&text, rest);
    return text.overflow ? value : clean_value(context->arena, (struct span){text.bytes, text.length});
}

static void edit_fields(struct field_list *fields, const struct header_context *context,
                        const struct header_change *change, struct span name) {
    enum field_id id = field_id_of(name);
    for (size_t i = 0; i < fields->count; i++) {
        struct field *field = &fields->fields[i];
        if (field->id == id && span_equal_nocase(field->name, name)) {
            field->value = edit_value(context, change, field->value);
        }
    }
}

static bool list_has(struct span list, struct span element) {
    struct span each;
    while (span_next_element(&list, &each)) {
        if (span_equal(each, element)) {
            return true;
        }
    }
    return false;
}

/* Adds to the field's list, or makes the field; merge leaves a list alone that has the value already. */
static void append_value(struct field_list *fields, struct arena *arena, struct span name, struct span value,
                         bool merge) {
    struct field *field = fields_find(fields, name);
    if (field == NULL) {
        fields_add(fields, arena, name, value);
        return;
    }
    if ((merge && list_has(field->value, value)) || field->value.len + value.len + 2 > VALUE_BYTES_MAX) {
        return;
    }
    struct text text = {.arena = arena};
    text_add(&text, field->value);
    text_add(&text, field->value.len > 0 ? SPAN_LITERAL(", ") : SPAN_NONE);
    text_add(&text, value);
    field->value = (struct span){text.length > 0 ? text.bytes : "", text.length};
}

static void make_change(struct field_list *fields, const struct header_context *context,
                        const struct header_change *change) {
    struct span name = span_of(change->name);
    if (!may_change(field_id_of(name))) {
        return;
    }
    if (change->action == HEADER_UNSET) {
        fields_remove(fields, name);
        return;
    }
    if (change->action == HEADER_EDIT || change->action == HEADER_EDIT_ALL) {
        edit_fields(fields, context, change, name);
        return;
    }
    struct span value = clean_value(context->arena, headers_format(context, change->value));
    switch (change->action) {
    case HEADER_SET:
        fields_set(fields, context->arena, name, value);
        break;
    case HEADER_ADD:
        fields_add(fields, context->arena, name, value);
        break;
    default: /* HEADER_APPEND, HEADER_MERGE */
        append_value(fields, context->arena, name, value, change->action == HEADER_MERGE);
        break;
    }
}

void headers_change(struct field_list *fields, const struct header_context *context,
                    const struct header_change *changes, size_t count, bool only_always) {
    for (size_t i = 0; i < count; i++) {
        if (!only_always || changes[i].always) {
            make_change(fields, context, &changes[i]);
        }
    }
}

bool headers_change_always(const struct route *route) {
    for (size_t i = 0; i < route->scope_count; i++) {
        for (size_t j = 0; j < route->scopes[i]->response_header_count; j++) {
            if (route->scopes[i]->response_headers[j].always) {
                return true;
            }
        }
    }
    return false;
}
