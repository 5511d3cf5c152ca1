/* Field lines: each byte looked at once, on the way into the list; then weighed for framing, by llhttp too. Called for
 * request heads, response heads and trailers; pure, any thread.
 *
 * llhttp 8.1 is lenient where a proxy must not be: it takes white space before a colon and obsolete folding, and drops
 * a bare CR. So lines are read here, as RFC 9112, 5 allows them, and llhttp is asked for its opinion of the fields that
 * frame a body, wherever there is more than one plain Content-Length: two readers must agree on where a message ends.
 * Start lines are parsed elsewhere (llhttp knows a closed list of methods), so it is shown one of weir's own. */
#include "proxy/http_fields.h"

#include <llhttp.h>
#include <string.h>

#include "proxy/http_bytes.h"

/* --- llhttp's opinion --- */

static int on_section_complete(llhttp_t *parser) {
    (void)parser;
    return HPE_PAUSED; /* the body is http_body.c's */
}

static const llhttp_settings_t callbacks = {.on_headers_complete = on_section_complete};

static bool is_framing(const struct field *field) {
    return field->id == FIELD_CONTENT_LENGTH || field->id == FIELD_TRANSFER_ENCODING;
}

/* A section of the framing fields alone, as lines. */
static struct span framing_lines(const struct field_list *list, struct arena *arena) {
    size_t bytes = 2;
    for (size_t i = 0; i < list->count; i++) {
        bytes += is_framing(&list->fields[i]) ? list->fields[i].name.len + list->fields[i].value.len + 3 : 0;
    }
    char *lines = arena_alloc_raw(arena, bytes), *at = lines;
    for (size_t i = 0; i < list->count; i++) {
        const struct field *field = &list->fields[i];
        if (is_framing(field)) {
            at = mempcpy(at, field->name.ptr, field->name.len);
            *at++ = ':';
            at = mempcpy(at, field->value.ptr, field->value.len);
            at = mempcpy(at, "\r\n", 2);
        }
    }
    memcpy(at, "\r\n", 2);
    return (struct span){lines, bytes};
}

static bool ask_llhttp(const struct field_list *list, struct arena *arena, struct http_problem *problem) {
    llhttp_t parser;
    llhttp_init(&parser, HTTP_RESPONSE, &callbacks); /* of a request it refuses empty elements after chunked */
    static const char start_line[] = "HTTP/1.1 200 OK\r\n";
    llhttp_execute(&parser, start_line, sizeof start_line - 1);
    struct span lines = framing_lines(list, arena);
    llhttp_errno_t result = llhttp_execute(&parser, lines.ptr, lines.len);
    if (result == HPE_INVALID_TRANSFER_ENCODING || result == HPE_UNEXPECTED_CONTENT_LENGTH) {
        return http_refuse(problem, 400, "the fields contradict each other about the body's length");
    }
    if (result == HPE_INVALID_CONTENT_LENGTH) {
        return http_refuse(problem, 400, "Content-Length is no number");
    }
    return result == HPE_PAUSED || http_refuse(problem, 400, "a field cannot be understood");
}

/* Nothing frames a body, or one Content-Length of some digits: no two readers can disagree. */
static bool is_plainly_framed(const struct field_list *list) {
    enum { DIGITS_MAX = 18 };
    if (fields_find_id(list, FIELD_TRANSFER_ENCODING) != NULL) {
        return false;
    }
    const struct field *length = fields_find_id(list, FIELD_CONTENT_LENGTH);
    if (length == NULL) {
        return true;
    }
    for (size_t i = 0; i < length->value.len; i++) {
        if (length->value.ptr[i] < '0' || length->value.ptr[i] > '9') {
            return false;
        }
    }
    return length->value.len > 0 && length->value.len <= DIGITS_MAX && fields_count_id(list, FIELD_CONTENT_LENGTH) == 1;
}

/* --- lines --- */

/* Why the first of these lines is none. */
static bool refuse_line(struct span lines, struct http_problem *problem) {
    const char *feed = memchr(lines.ptr, '\n', lines.len);
    if (feed == NULL || feed == lines.ptr || feed[-1] != '\r') {
        return http_refuse(problem, 400, "a line ends in a bare line feed");
    }
    struct span line = {lines.ptr, (size_t)(feed - lines.ptr) - 1};
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
        return http_refuse(problem, 400, "a field is folded over several lines");
    }
    const char *colon = memchr(line.ptr, ':', line.len);
    if (colon == NULL) {
        return http_refuse(problem, 400, "a field line has no colon");
    }
    if (http_is_token((struct span){line.ptr, (size_t)(colon - line.ptr)})) {
        return http_refuse(problem, 400, "a control character stands in a field");
    }
    char before = colon > line.ptr ? colon[-1] : '\0';
    return http_refuse(problem, 400,
                       before == ' ' || before == '\t' ? "white space before the colon of a field"
                                                       : "a field name is no token");
}

/* The first of the lines, which is not the empty one, into the list; how long it is with its CRLF, 0: it is none. */
static size_t read_line(struct span lines, struct field_list *list, struct arena *arena) {
    struct span name = {lines.ptr, http_span_of(lines, HTTP_BYTE_TOKEN)};
    if (name.len == 0 || name.len == lines.len || lines.ptr[name.len] != ':') {
        return 0;
    }
    struct span value = span_skip(lines, name.len + 1);
    value.len = http_field_text_length(value);
    size_t end = name.len + 1 + value.len;
    if (lines.len - end < 2 || lines.ptr[end] != '\r' || lines.ptr[end + 1] != '\n') {
        return 0;
    }
    fields_add(list, arena, name, span_trim(value));
    return end + 2;
}

static bool read_lines(struct span lines, struct field_list *list, struct arena *arena, struct http_problem *problem) {
    while (lines.len > 0) {
        if (lines.len >= 2 && lines.ptr[0] == '\r' && lines.ptr[1] == '\n') {
            return lines.len == 2 || http_refuse(problem, 400, "an empty line stands between fields");
        }
        size_t length = read_line(lines, list, arena);
        if (length == 0) {
            return refuse_line(lines, problem);
        }
        lines = (struct span){lines.ptr + length, lines.len - length};
    }
    return http_refuse(problem, 400, "the fields have no end");
}

bool http_parse_trailers(struct span lines, struct field_list *list, struct arena *arena,
                         struct http_problem *problem) {
    return read_lines(lines, list, arena, problem);
}

bool http_parse_fields(struct span lines, struct field_list *list, struct arena *arena, struct http_problem *problem) {
    if (!read_lines(lines, list, arena, problem)) {
        list->count = 0; /* nothing of a section that is not understood is shown to anybody */
        list->present = list->repeated = 0;
        return false;
    }
    return is_plainly_framed(list) || ask_llhttp(list, arena, problem);
}

/* --- framing --- */

/* RFC 9112, 6.1: the codings of all Transfer-Encoding fields are one list; chunked must be its last and only once. */
static bool transfer_coding(const struct field_list *list, struct http_problem *problem) {
    struct span element, last = SPAN_NONE;
    size_t count = 0, chunked_count = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->fields[i].id != FIELD_TRANSFER_ENCODING) {
            continue;
        }
        struct span rest = list->fields[i].value;
        while (span_next_element(&rest, &element)) {
            last = element;
            count++;
            chunked_count += span_equal_nocase(last, SPAN_LITERAL("chunked")) ? 1 : 0;
        }
    }
    if (count == 0 || !span_equal_nocase(last, SPAN_LITERAL("chunked")) || chunked_count != 1) {
        return http_refuse(problem, 400, "the last transfer coding is not chunked");
    }
    return count == 1 || http_refuse(problem, 501, "a transfer coding other than chunked");
}

static bool content_length(const struct field_list *list, uint64_t *length, struct http_problem *problem) {
    if (fields_count_id(list, FIELD_CONTENT_LENGTH) != 1) {
        return http_refuse(problem, 400, "there are several Content-Length fields");
    }
    struct span digits = fields_find_id(list, FIELD_CONTENT_LENGTH)->value;
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(unsigned char)digits.ptr[i] - '0';
        if (digit > 9 || value > ((uint64_t)INT64_MAX - digit) / 10) {
            return http_refuse(problem, 400, "Content-Length is no number");
        }
        value = value * 10 + digit;
    }
    *length = value;
    return digits.len > 0 || http_refuse(problem, 400, "Content-Length is no number");
}

bool http_body_framing(const struct field_list *list, uint8_t minor_version, enum body_framing *framing,
                       uint64_t *length, struct http_problem *problem) {
    bool has_length = fields_find_id(list, FIELD_CONTENT_LENGTH) != NULL;
    bool has_coding = fields_find_id(list, FIELD_TRANSFER_ENCODING) != NULL;
    *length = 0;
    *framing = BODY_NONE;
    if (has_length && has_coding) {
        return http_refuse(problem, 400, "both Content-Length and Transfer-Encoding are there");
    }
    if (has_coding) {
        *framing = BODY_CHUNKED;
        return minor_version == 0 ? http_refuse(problem, 400, "Transfer-Encoding in an HTTP/1.0 message")
                                  : transfer_coding(list, problem);
    }
    if (has_length) {
        *framing = BODY_LENGTH;
        return content_length(list, length, problem);
    }
    return true;
}
