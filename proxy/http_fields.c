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
    OPTIONS_MAX = 100,      /* of Connection; browsers send one or two */
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

/* Then there is nothing to disagree about but what number the Content-Length is. */
static bool has_one_length_at_most(const struct field_list *list) {
    return (list->present & coding_bit) == 0 && (list->repeated & length_bit) == 0;
}

/* Nothing frames a body, or one Content-Length of some digits: no two readers can disagree. */
static bool is_plainly_framed(const struct field_list *list) {
    const struct field *field = fields_find_id(list, FIELD_CONTENT_LENGTH);
    struct span length = field != NULL ? field->value : SPAN_LITERAL("0");
    return has_one_length_at_most(list) && length.len > 0 && length.len <= PLAIN_DIGITS_MAX &&
           http_span_of(length, HTTP_BYTE_DIGIT) == length.len;
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

/* No byte of a value is below a space but a tab. */
static inline bool is_blank(char byte) {
    return (unsigned char)byte <= ' ';
}

/* Most values have one space before them and none behind. */
static inline struct span trimmed(const char *value, const char *end) {
    if (end - value < 2 || value[0] != ' ' || is_blank(value[1]) || is_blank(end[-1])) {
        return span_trim((struct span){value, (size_t)(end - value)});
    }
    return (struct span){value + 1, (size_t)(end - value) - 1};
}

static inline bool is_line_end(const char *at, const char *end) {
    return end - at >= 2 && memcmp(at, "\r\n", 2) == 0;
}

/* The line that begins there, which is not the empty one: where the next one does; NULL: it is none. */
static inline const char *read_line(const char *line, const char *end, struct field *field) {
    const char *colon = http_token_end(line, end);
    if (colon == line || colon == end || *colon != ':') {
        return NULL;
    }
    const char *value_end = http_value_end(colon + 1, end);
    if (!is_line_end(value_end, end)) {
        return NULL;
    }
    struct span name = {line, (size_t)(colon - line)};
    *field = (struct field){name, trimmed(colon + 1, value_end), field_id_of_token(name)};
    return value_end + 2;
}

/* Lines up to and with the empty one, into the list: how long they are; 0: *problem has why not, or there are more than
 * `most`, which are not always counted to their end. */
static size_t read_lines(struct span lines, size_t most, struct field_list *list, struct arena *arena,
                         struct http_problem *problem) {
    uint64_t present = list->present, repeated = list->repeated;
    size_t count = list->count;
    const char *line = lines.ptr, *end = lines.ptr + lines.len;
    while (!is_line_end(line, end)) {
        if (count == list->capacity) {
            if (count > most) {
                break;
            }
            list->count = count;
            fields_grow(list, arena);
        }
        struct field *field = &list->fields[count];
        const char *next = read_line(line, end, field);
        if (next == NULL) {
            break;
        }
        line = next;
        count++;
        repeated |= present & UINT64_C(1) << field->id;
        present |= UINT64_C(1) << field->id;
    }
    list->count = count;
    list->present = present;
    list->repeated = repeated;
    if (!is_line_end(line, end)) {
        struct span rest = {line, (size_t)(end - line)};
        (void)(rest.len > 0 ? refuse_line(rest, problem) : http_refuse(problem, 400, "the fields have no end"));
        return 0;
    }
    return (size_t)(line - lines.ptr) + 2;
}

static bool ends_there(struct span lines, size_t length, struct http_problem *problem) {
    return length == lines.len || (length > 0 && http_refuse(problem, 400, "an empty line stands between fields"));
}

bool http_parse_trailers(struct span lines, struct field_list *list, struct arena *arena,
                         struct http_problem *problem) {
    return ends_there(lines, read_lines(lines, SIZE_MAX, list, arena, problem), problem);
}

/* Each option of Connection is looked for among the fields, or the trailers: thousands of both would keep the worker
 * busy. Asked only where there can be so many, in long heads and in those that trailers may follow. */
static bool names_few_options(const struct field_list *list, struct http_problem *problem) {
    size_t count = 0;
    for (size_t i = 0; fields_may_have(list, FIELD_CONNECTION) && i < list->count; i++) {
        struct span rest = list->fields[i].id == FIELD_CONNECTION ? list->fields[i].value : SPAN_NONE, option;
        while (span_next_element(&rest, &option)) {
            count++;
        }
    }
    return count <= OPTIONS_MAX || http_refuse(problem, 431, "Connection lists more than 100 options");
}

bool http_parse_fields(struct span lines, struct field_list *list, struct arena *arena, struct http_problem *problem) {
    if (!ends_there(lines, read_lines(lines, SIZE_MAX, list, arena, problem), problem)) {
        list->count = 0; /* nothing of a section that is not understood is shown to anybody */
        list->present = list->repeated = 0;
        return false;
    }
    bool is_long = lines.len > TAKEN_BYTES_MAX; /* no matter in how many pieces it came */
    return (!is_long || names_few_options(list, problem)) &&
           (is_plainly_framed(list) || ask_llhttp(list, arena, problem));
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
    /* Whether one Content-Length is a number, http_body_framing() finds out, which is at least as strict as llhttp. */
    bool good = length > 0 && list->count <= most && (has_one_length_at_most(list) || ask_llhttp(list, arena, &unused));
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

/* The fields that frame a body, of which there may be one at least. */
static bool framing_of(const struct field_list *list, uint8_t minor_version, enum body_framing *framing,
                       uint64_t *length, struct http_problem *problem) {
    const struct field *first_length = fields_find_id(list, FIELD_CONTENT_LENGTH);
    bool has_coding = fields_find_id(list, FIELD_TRANSFER_ENCODING) != NULL;
    if (first_length != NULL && has_coding) {
        return http_refuse(problem, 400, "both Content-Length and Transfer-Encoding are there");
    }
    if (has_coding) {
        *framing = BODY_CHUNKED;
        return minor_version == 0 ? http_refuse(problem, 400, "Transfer-Encoding in an HTTP/1.0 message")
                                  : transfer_coding(list, problem) && names_few_options(list, problem);
    }
    if (first_length != NULL) {
        *framing = BODY_LENGTH;
        return content_length(list, first_length, length, problem);
    }
    return true;
}

bool http_body_framing(const struct field_list *list, uint8_t minor_version, enum body_framing *framing,
                       uint64_t *length, struct http_problem *problem) {
    *length = 0;
    *framing = BODY_NONE;
    bool may_be_framed = (list->present & (length_bit | coding_bit)) != 0;
    return !may_be_framed || framing_of(list, minor_version, framing, length, problem);
}
