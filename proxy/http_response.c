/* An origin's response head. Called by origin_connection.c; pure. The same checks as for requests: what weir does not
 * understand never reaches a client. */
#include "proxy/http_head.h"

static bool refuse(struct http_problem *problem, const char *text) {
    return http_refuse(problem, 502, text);
}

/* "HTTP/1.1 200 OK"; the space before an empty reason is often left out, and that is taken. */
static bool parse_status_line(struct span line, struct response_head *response, struct http_problem *problem) {
    if (line.len < 12 || memcmp(line.ptr, "HTTP/1.", 7) != 0 || line.ptr[7] < '0' || line.ptr[7] > '9' ||
        line.ptr[8] != ' ') {
        return refuse(problem, "the status line does not begin with HTTP/1.x");
    }
    int status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line.ptr[i] < '0' || line.ptr[i] > '9') {
            return refuse(problem, "the status is no number of three digits");
        }
        status = status * 10 + (line.ptr[i] - '0');
    }
    if (status < 100 || status > 599 || (line.len > 12 && line.ptr[12] != ' ')) {
        return refuse(problem, "the status is no number from 100 to 599");
    }
    response->minor_version = line.ptr[7] == '0' ? 0 : 1;
    response->status = status;
    response->reason = span_trim(span_skip(line, 13));
    return http_is_field_text(response->reason) || refuse(problem, "a control character stands in the reason");
}

static bool keeps_alive(const struct response_head *response) {
    if (fields_has_token(&response->fields, FIELD_CONNECTION, SPAN_LITERAL("close"))) {
        return false;
    }
    return response->minor_version == 1 ||
           fields_has_token(&response->fields, FIELD_CONNECTION, SPAN_LITERAL("keep-alive"));
}

/* What is known once the fields are. */
static bool weigh_fields(struct response_head *response, struct span request_method, struct http_problem *problem) {
    if (!http_body_framing(&response->fields, response->minor_version, &response->framing, &response->content_length,
                           problem)) {
        return false;
    }
    bool bodiless = response->status < 200 || response->status == 204 || response->status == 304 ||
                    span_equal(request_method, SPAN_LITERAL("HEAD"));
    if (bodiless) {
        response->framing = BODY_NONE;
    } else if (response->framing == BODY_NONE) {
        response->framing = BODY_UNTIL_CLOSE;
    }
    response->keep_alive = keeps_alive(response) && response->framing != BODY_UNTIL_CLOSE;
    return true;
}

bool http_parse_response(struct span bytes, struct span request_method, struct arena *arena,
                         struct response_head *response, struct http_problem *problem) {
    *response = (struct response_head){0};
    struct span head = arena_copy_span(arena, bytes);
    const char *feed = memchr(head.ptr, '\n', head.len);
    struct span line = {head.ptr, (size_t)(feed - head.ptr) - 1};
    if (!parse_status_line(line, response, problem)) {
        return false;
    }
    if (!http_parse_fields(span_skip(head, line.len + 2), &response->fields, arena, problem) ||
        !weigh_fields(response, request_method, problem)) {
        problem->status = 502;
        return false;
    }
    return true;
}

/* Makes what points into some bytes point into a copy of them, which lies so much further on. */
static inline void move(struct span *text, uintptr_t distance) {
    text->ptr = (const char *)((uintptr_t)text->ptr + distance);
}

/* Much of the body may have come with the head: so the head alone is copied, once it is known where it ends. */
size_t http_take_response(struct span bytes, const struct http_limits *limits, struct span request_method,
                          struct arena *arena, struct response_head *response) {
    struct http_problem unused;
    bytes = http_within_limits(bytes, limits);
    struct span line = http_take_line(bytes), rest = span_skip(bytes, line.len + 2);
    *response = (struct response_head){0};
    size_t length = 0;
    if (line.len > 0 && parse_status_line(line, response, &unused)) {
        length = http_take_fields(rest, limits, &response->fields, arena);
    }
    if (length == 0 || !weigh_fields(response, request_method, &unused)) {
        *response = (struct response_head){0};
        return 0;
    }
    length += line.len + 2;
    const char *copy = arena_copy(arena, (struct span){bytes.ptr, length});
    uintptr_t distance = (uintptr_t)copy - (uintptr_t)bytes.ptr;
    move(&response->reason, distance);
    struct field *fields = response->fields.fields;
    for (size_t i = 0, count = response->fields.count; i < count; i++) {
        move(&fields[i].name, distance);
        move(&fields[i].value, distance);
    }
    return length;
}
