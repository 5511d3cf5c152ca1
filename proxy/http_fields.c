/* Field lines: checked byte by byte, then parsed by llhttp, then weighed for framing. Called for request heads,
 * response heads and trailers; pure, any thread.
 *
 * llhttp 8.1 is lenient where a proxy must not be: it takes white space before a colon and obsolete folding, and drops
 * a bare CR. So each line is looked at first, and only lines that RFC 9112, 5 allows reach it. Start lines are parsed
 * elsewhere (llhttp knows a closed list of methods), so llhttp is shown one of weir's own before each section. */
#include "proxy/http_fields.h"

#include <llhttp.h>
#include <string.h>

struct section { /* what the callbacks fill */
    struct field_list *list;
    struct arena *arena;
    struct span name, value;
};

/* Callbacks may come in pieces; the memory is one run, so a piece just lengthens the span. */
static void lengthen(struct span *span, const char *at, size_t length) {
    if (span->ptr == NULL) {
        span->ptr = at;
    }
    span->len = (size_t)(at + length - span->ptr);
}

static int on_field(llhttp_t *parser, const char *at, size_t length) {
    struct section *section = parser->data;
    lengthen(&section->name, at, length);
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t length) {
    struct section *section = parser->data;
    lengthen(&section->value, at, length);
    return 0;
}

static int on_value_complete(llhttp_t *parser) {
    struct section *section = parser->data;
    if (section->value.ptr == NULL) {
        section->value.ptr = ""; /* a field without a value is there, and empty */
    }
    fields_add(section->list, section->arena, section->name, span_trim(section->value));
    section->name = section->value = SPAN_NONE;
    return 0;
}

static int on_section_complete(llhttp_t *parser) {
    (void)parser;
    return HPE_PAUSED; /* the body is http_body.c's */
}

static const llhttp_settings_t callbacks = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_section_complete,
};

/* One line without its CRLF. */
static bool check_field_line(struct span line, struct http_problem *problem) {
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
        return http_refuse(problem, 400, "a field is folded over several lines");
    }
    const char *colon = memchr(line.ptr, ':', line.len);
    if (colon == NULL) {
        return http_refuse(problem, 400, "a field line has no colon");
    }
    struct span name = {line.ptr, (size_t)(colon - line.ptr)};
    if (!http_is_token(name)) {
        char before = name.len > 0 ? name.ptr[name.len - 1] : '\0';
        return http_refuse(problem, 400,
                           before == ' ' || before == '\t' ? "white space before the colon of a field"
                                                           : "a field name is no token");
    }
    return http_is_field_text(span_skip(line, name.len + 1)) ||
           http_refuse(problem, 400, "a control character stands in a field");
}

/* *padded: white space stands at the end of a line, which is allowed, but which llhttp does not take after a length. */
static bool check_lines(struct span lines, bool *padded, struct http_problem *problem) {
    *padded = false;
    for (size_t start = 0; start < lines.len;) {
        const char *feed = memchr(lines.ptr + start, '\n', lines.len - start);
        size_t end = feed != NULL ? (size_t)(feed - lines.ptr) : lines.len;
        if (feed == NULL || end == start || lines.ptr[end - 1] != '\r') {
            return http_refuse(problem, 400, "a line ends in a bare line feed");
        }
        struct span line = {lines.ptr + start, end - 1 - start};
        start = end + 1;
        if (line.len == 0) {
            return start == lines.len || http_refuse(problem, 400, "an empty line stands between fields");
        }
        if (!check_field_line(line, problem)) {
            return false;
        }
        *padded |= line.ptr[line.len - 1] == ' ' || line.ptr[line.len - 1] == '\t';
    }
    return http_refuse(problem, 400, "the fields have no end");
}

/* Checked lines only: each has a colon and ends in CRLF. */
static bool next_line(struct span *lines, struct span *line) {
    if (lines->len <= 2) {
        return false; /* the empty line */
    }
    const char *feed = memchr(lines->ptr, '\n', lines->len);
    *line = (struct span){lines->ptr, (size_t)(feed - lines->ptr) - 1};
    *lines = span_skip(*lines, line->len + 2);
    return true;
}

/* The same lines without white space at their ends. */
static struct span trim_lines(struct span lines, struct arena *arena) {
    char *trimmed = arena_alloc_raw(arena, lines.len);
    size_t length = 0;
    struct span line;
    while (next_line(&lines, &line)) {
        line = span_trim(line);
        memcpy(trimmed + length, line.ptr, line.len);
        memcpy(trimmed + length + line.len, "\r\n", 2);
        length += line.len + 2;
    }
    memcpy(trimmed + length, "\r\n", 2);
    return (struct span){trimmed, length + 2};
}

bool http_parse_trailers(struct span lines, struct field_list *list, struct arena *arena,
                         struct http_problem *problem) {
    bool padded;
    struct span line;
    if (!check_lines(lines, &padded, problem)) {
        return false;
    }
    while (next_line(&lines, &line)) {
        const char *colon = memchr(line.ptr, ':', line.len);
        struct span name = {line.ptr, (size_t)(colon - line.ptr)};
        fields_add(list, arena, name, span_trim(span_skip(line, name.len + 1)));
    }
    return true;
}

bool http_parse_fields(struct span lines, struct field_list *list, struct arena *arena, struct http_problem *problem) {
    bool padded;
    if (!check_lines(lines, &padded, problem)) {
        return false;
    }
    if (padded) {
        lines = trim_lines(lines, arena);
    }
    struct section section = {.list = list, .arena = arena};
    llhttp_t parser;
    llhttp_init(&parser, HTTP_RESPONSE, &callbacks); /* of a request it refuses empty elements after chunked */
    static const char start_line[] = "HTTP/1.1 200 OK\r\n";
    llhttp_execute(&parser, start_line, sizeof start_line - 1);
    parser.data = &section;
    llhttp_errno_t result = llhttp_execute(&parser, lines.ptr, lines.len);
    if (result == HPE_INVALID_TRANSFER_ENCODING || result == HPE_UNEXPECTED_CONTENT_LENGTH) {
        return http_refuse(problem, 400, "the fields contradict each other about the body's length");
    }
    if (result == HPE_INVALID_CONTENT_LENGTH) {
        return http_refuse(problem, 400, "Content-Length is no number");
    }
    return result == HPE_PAUSED || http_refuse(problem, 400, "a field cannot be understood");
}

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
