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

enum {
    PLAIN_DIGITS_MAX = 18,  /* a number of so many digits is below 2^63 */
    TAKEN_BYTES_MAX = 2048, /* most heads are shorter */
};

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

static const uint64_t length_bit = UINT64_C(1) << FIELD_CONTENT_LENGTH;
static const uint64_t coding_bit = UINT64_C(1) << FIELD_TRANSFER_ENCODING;

/* Nothing frames a body, or one Content-Length of some digits: no two readers can disagree. */
static bool is_plainly_framed(const struct field_list *list) {
    if ((list->present & (length_bit | coding_bit)) == 0) {
        return true;
    }
    if ((list->present & coding_bit) != 0 || (list->repeated & length_bit) != 0) {
        return false;
    }
    const struct field *field = fields_search_id(list, FIELD_CONTENT_LENGTH);
    struct span length = field != NULL ? field->value : SPAN_LITERAL("0");
    return length.len > 0 && length.len <= PLAIN_DIGITS_MAX && http_span_of(length, HTTP_BYTE_DIGIT) == length.len;
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

/* Most values have one space before them and none behind. No byte of them is below a space but a tab. */
static inline struct span trim_value(struct span value) {
    if (value.len > 0 && value.ptr[0] == ' ') {
        value = (struct span){value.ptr + 1, value.len - 1};
    }
    bool is_padded =
        value.len > 0 && ((unsigned char)value.ptr[0] <= ' ' || (unsigned char)value.ptr[value.len - 1] <= ' ');
    return is_padded ? span_trim(value) : value;
}

static inline bool begins_with_end(struct span lines) {
    return lines.len >= 2 && memcmp(lines.ptr, "\r\n", 2) == 0;
}

/* The first of the lines, which is not the empty one; how long it is with its CRLF, 0: it is none. */
static inline size_t read_line(struct span lines, struct field *field) {
    struct span name = {lines.ptr, http_token_length(lines)};
    if (name.len == 0 || name.len == lines.len || lines.ptr[name.len] != ':') {
        return 0;
    }
    struct span rest = {lines.ptr + name.len + 1, lines.len - name.len - 1};
    size_t value_bytes = http_value_length(rest);
    if (!begins_with_end((struct span){rest.ptr + value_bytes, rest.len - value_bytes})) {
        return 0;
    }
    *field = (struct field){name, trim_value((struct span){rest.ptr, value_bytes}), field_id_of_token(name)};
    return name.len + 1 + value_bytes + 2;
}

/* Lines up to and with the empty one, into the list: how long they are; 0: *problem has why not. */
static size_t read_lines(struct span lines, size_t most, struct field_list *list, struct arena *arena,
                         struct http_problem *problem) {
    uint64_t present = list->present, repeated = list->repeated;
    struct span rest = lines;
    size_t length = 1;
    while (!begins_with_end(rest) && rest.len > 0 && list->count <= most) {
        if (list->count == list->capacity) {
            fields_grow(list, arena);
        }
        struct field *field = &list->fields[list->count];
        length = read_line(rest, field);
        if (length == 0) {
            break;
        }
        list->count++;
        repeated |= present & UINT64_C(1) << field->id;
        present |= UINT64_C(1) << field->id;
        rest = (struct span){rest.ptr + length, rest.len - length};
    }
    list->present = present;
    list->repeated = repeated;
    if (length == 0 || !begins_with_end(rest)) {
        (void)(length == 0 ? refuse_line(rest, problem) : http_refuse(problem, 400, "the fields have no end"));
        return 0;
    }
    return lines.len - rest.len + 2;
}

static bool ends_there(struct span lines, size_t length, struct http_problem *problem) {
    return length == lines.len || (length > 0 && http_refuse(problem, 400, "an empty line stands between fields"));
}

bool http_parse_trailers(struct span lines, struct field_list *list, struct arena *arena,
                         struct http_problem *problem) {
    return ends_there(lines, read_lines(lines, SIZE_MAX, list, arena, problem), problem);
}

bool http_parse_fields(struct span lines, struct field_list *list, struct arena *arena, struct http_problem *problem) {
    if (!ends_there(lines, read_lines(lines, SIZE_MAX, list, arena, problem), problem)) {
        list->count = 0; /* nothing of a section that is not understood is shown to anybody */
        list->present = list->repeated = 0;
        return false;
    }
    return is_plainly_framed(list) || ask_llhttp(list, arena, problem);
}

struct span http_within_limits(struct span bytes, const struct http_limits *limits) {
    size_t most = TAKEN_BYTES_MAX;
    most = limits->line_bytes > 0 && limits->line_bytes < most ? limits->line_bytes : most;
    most = limits->field_bytes > 0 && limits->field_bytes < most ? limits->field_bytes : most;
    return (struct span){bytes.ptr, bytes.len < most ? bytes.len : most};
}

struct span http_take_line(struct span bytes) {
    const char *feed = bytes.len > 0 ? memchr(bytes.ptr, '\n', bytes.len) : NULL;
    bool is_line = feed != NULL && feed > bytes.ptr && feed[-1] == '\r';
    return (struct span){bytes.ptr, is_line ? (size_t)(feed - bytes.ptr) - 1 : 0};
}

size_t http_take_fields(struct span bytes, const struct http_limits *limits, struct field_list *list,
                        struct arena *arena) {
    struct http_problem unused;
    size_t most = limits->field_count > 0 ? limits->field_count : SIZE_MAX;
    size_t length = read_lines(bytes, most, list, arena, &unused);
    bool good = length > 0 && list->count <= most && (is_plainly_framed(list) || ask_llhttp(list, arena, &unused));
    return good ? length : 0;
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

/* first: the first of the Content-Length fields. */
static bool content_length(const struct field_list *list, const struct field *first, uint64_t *length,
                           struct http_problem *problem) {
    if ((list->repeated & length_bit) != 0 && fields_count_id(list, FIELD_CONTENT_LENGTH) != 1) {
        return http_refuse(problem, 400, "there are several Content-Length fields");
    }
    struct span digits = first->value;
    bool may_overflow = digits.len > PLAIN_DIGITS_MAX;
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(unsigned char)digits.ptr[i] - '0';
        if (digit > 9 || (may_overflow && value > ((uint64_t)INT64_MAX - digit) / 10)) {
            return http_refuse(problem, 400, "Content-Length is no number");
        }
        value = value * 10 + digit;
    }
    *length = value;
    return digits.len > 0 || http_refuse(problem, 400, "Content-Length is no number");
}

bool http_body_framing(const struct field_list *list, uint8_t minor_version, enum body_framing *framing,
                       uint64_t *length, struct http_problem *problem) {
    *length = 0;
    *framing = BODY_NONE;
    if ((list->present & (length_bit | coding_bit)) == 0) {
        return true;
    }
    const struct field *first_length = fields_find_id(list, FIELD_CONTENT_LENGTH);
    bool has_length = first_length != NULL;
    bool has_coding = fields_find_id(list, FIELD_TRANSFER_ENCODING) != NULL;
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
        return content_length(list, first_length, length, problem);
    }
    return true;
}
