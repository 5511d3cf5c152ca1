/* A request's head: the start line by hand (any token is a method, RFC 9110, 9.1), the fields by http_fields.c, then
 * what the fields mean together. Called by http1.c; pure. Everything in the result points into the arena. */
#include "proxy/http_bytes.h"
#include "proxy/http_head.h"

/* A copy in which every line ends in CRLF: with HttpProtocolOptions Unsafe a bare LF gets the CR it lacks before
 * anything else looks at the head, so that no other rule is loosened. */
static struct span copy_head(struct span bytes, bool bare_line_feed, struct arena *arena) {
    if (!bare_line_feed) {
        return arena_copy_span(arena, bytes);
    }
    char *copy = arena_alloc_raw(arena, 2 * bytes.len + 1);
    size_t length = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] == '\n' && (i == 0 || bytes.ptr[i - 1] != '\r')) {
            copy[length++] = '\r';
        }
        copy[length++] = bytes.ptr[i];
    }
    copy[length] = '\0';
    return (struct span){copy, length};
}

static bool parse_version(struct span text, uint8_t *minor_version, struct http_problem *problem) {
    if (text.len != 8 || memcmp(text.ptr, "HTTP/", 5) != 0 || text.ptr[5] < '0' || text.ptr[5] > '9' ||
        text.ptr[6] != '.' || text.ptr[7] < '0' || text.ptr[7] > '9') {
        return http_refuse(problem, 400, "the request line does not end in an HTTP version");
    }
    if (text.ptr[5] != '1') {
        return http_refuse(problem, 505, "an HTTP version other than 1.x");
    }
    *minor_version = text.ptr[7] == '0' ? 0 : 1;
    return true;
}

static bool parse_request_line(struct span line, struct request_head *request, struct http_problem *problem) {
    request->method = (struct span){line.ptr, http_span_of(line, HTTP_BYTE_TOKEN)};
    bool is_whole = request->method.len == line.len;
    if (request->method.len == 0 || (!is_whole && line.ptr[request->method.len] != ' ')) {
        request->method = SPAN_NONE;
        return http_refuse(problem, 400, "the method is no token");
    }
    if (span_equal(request->method, SPAN_LITERAL("PRI"))) {
        return http_refuse(problem, 400, "HTTP/2 is not spoken here");
    }
    struct span rest = span_skip(line, request->method.len + 1);
    const char *second = !is_whole ? memchr(rest.ptr, ' ', rest.len) : NULL;
    if (second == NULL) {
        return http_refuse(problem, 400, "the request line has not three words");
    }
    request->target = (struct span){rest.ptr, (size_t)(second - rest.ptr)};
    if (!parse_version(span_skip(rest, request->target.len + 1), &request->minor_version, problem)) {
        return false;
    }
    return !span_equal(request->method, SPAN_LITERAL("CONNECT")) ||
           http_refuse(problem, 405, "CONNECT is not for a reverse proxy");
}

bool http_check_request_line(struct span line, struct http_problem *problem) {
    struct request_head request = {0};
    return parse_request_line(line, &request, problem);
}

static void split_query(struct span text, struct request_head *request) {
    const char *mark = text.len > 0 ? memchr(text.ptr, '?', text.len) : NULL;
    request->path = (struct span){text.ptr, mark != NULL ? (size_t)(mark - text.ptr) : text.len};
    request->query = mark != NULL ? span_skip(text, request->path.len + 1) : SPAN_NONE;
}

/* "http://host:port/path?query": the authority wins over Host (RFC 9112, 3.2.2). */
static bool parse_absolute(struct span target, struct request_head *request, struct http_problem *problem) {
    size_t scheme = 0;
    if (target.len > 7 && strncasecmp(target.ptr, "http://", 7) == 0) {
        scheme = 7;
    } else if (target.len > 8 && strncasecmp(target.ptr, "https://", 8) == 0) {
        scheme = 8;
    } else {
        return http_refuse(problem, 400, "the target is neither a path nor an http URL");
    }
    struct span rest = span_skip(target, scheme);
    size_t length = 0;
    while (length < rest.len && rest.ptr[length] != '/' && rest.ptr[length] != '?') {
        length++;
    }
    request->host = (struct span){rest.ptr, length};
    if (!http_is_host(request->host)) {
        request->host = SPAN_NONE;
        return http_refuse(problem, 400, "the target's host is no host");
    }
    split_query(span_skip(rest, length), request);
    if (request->path.len == 0) {
        bool options = span_equal(request->method, SPAN_LITERAL("OPTIONS")) && request->query.ptr == NULL;
        request->path = options ? SPAN_LITERAL("*") : SPAN_LITERAL("/");
    }
    return true;
}

static bool parse_target(struct request_head *request, struct http_problem *problem) {
    struct span target = request->target;
    if (target.len == 0 || !http_is_path_and_query(target)) {
        return http_refuse(problem, 400, "a byte stands in the target that must be escaped there");
    }
    if (target.ptr[0] == '/') {
        split_query(target, request);
        return true;
    }
    if (span_equal(target, SPAN_LITERAL("*"))) {
        request->path = target;
        return span_equal(request->method, SPAN_LITERAL("OPTIONS")) ||
               http_refuse(problem, 400, "the target * is for OPTIONS alone");
    }
    return parse_absolute(target, request, problem);
}

static bool check_host(struct request_head *request, struct http_problem *problem) {
    size_t count = fields_count_id(&request->fields, FIELD_HOST);
    if (count > 1) {
        return http_refuse(problem, 400, "there are several Host fields");
    }
    if (count == 0) {
        return request->minor_version == 0 || http_refuse(problem, 400, "there is no Host field");
    }
    struct field *host = fields_find_id(&request->fields, FIELD_HOST);
    if (!http_is_host(host->value)) {
        return http_refuse(problem, 400, "Host is no host");
    }
    if (request->host.ptr == NULL) {
        request->host = host->value;
    } else {
        host->value = request->host; /* the origin gets the one that was obeyed */
    }
    return true;
}

static bool check_expect(struct request_head *request, struct http_problem *problem) {
    const struct field *expect = fields_find_id(&request->fields, FIELD_EXPECT);
    if (expect == NULL || request->minor_version == 0) {
        return true; /* RFC 9110, 10.1.1: from an HTTP/1.0 client it means nothing */
    }
    if (!span_equal_nocase(expect->value, SPAN_LITERAL("100-continue")) ||
        fields_count_id(&request->fields, FIELD_EXPECT) != 1) {
        return http_refuse(problem, 417, "Expect asks for something other than 100-continue");
    }
    request->expect_continue = request->framing == BODY_CHUNKED || request->content_length > 0;
    return true;
}

/* Only WebSocket is passed on, and only as RFC 6455, 4.1 has it; any other upgrade is simply not taken up. Some clients
 * say that there is no body by a Content-Length of 0. */
static bool asks_for_websocket(const struct request_head *request) {
    const struct field *upgrade = fields_find_id(&request->fields, FIELD_UPGRADE);
    return upgrade != NULL && request->minor_version == 1 && request->framing != BODY_CHUNKED &&
           request->content_length == 0 && span_equal(request->method, SPAN_LITERAL("GET")) &&
           span_equal_nocase(upgrade->value, SPAN_LITERAL("websocket")) &&
           fields_has_token(&request->fields, FIELD_CONNECTION, SPAN_LITERAL("upgrade"));
}

static bool wants_keep_alive(const struct request_head *request) {
    if (fields_has_token(&request->fields, FIELD_CONNECTION, SPAN_LITERAL("close"))) {
        return false;
    }
    return request->minor_version == 1 ||
           fields_has_token(&request->fields, FIELD_CONNECTION, SPAN_LITERAL("keep-alive"));
}

/* What is known once the fields are. */
static bool weigh_fields(struct request_head *request, struct http_problem *problem) {
    if (!check_host(request, problem) ||
        !http_body_framing(&request->fields, request->minor_version, &request->framing, &request->content_length,
                           problem) ||
        !check_expect(request, problem)) {
        return false;
    }
    request->upgrade_websocket = asks_for_websocket(request);
    request->keep_alive = wants_keep_alive(request);
    return true;
}

bool http_parse_request(struct span bytes, const struct http_limits *limits, bool https, struct arena *arena,
                        struct request_head *request, struct span *request_line, struct http_problem *problem) {
    *request = (struct request_head){.scheme = https ? SPAN_LITERAL("https") : SPAN_LITERAL("http")};
    struct span head = copy_head(bytes, limits->bare_line_feed, arena);
    const char *feed = memchr(head.ptr, '\n', head.len);
    struct span line = {head.ptr, (size_t)(feed - head.ptr) - 1}; /* the scan has seen its CRLF */
    *request_line = line;
    return parse_request_line(line, request, problem) && parse_target(request, problem) &&
           http_parse_fields(span_skip(head, line.len + 2), &request->fields, arena, problem) &&
           weigh_fields(request, problem);
}

size_t http_take_request(struct span bytes, const struct http_limits *limits, bool https, struct arena *arena,
                         struct request_head *request, struct span *request_line) {
    struct http_problem unused;
    struct span head = arena_copy_span(arena, http_within_limits(bytes, limits)); /* seldom more than the head */
    struct span line = http_take_line(head), rest = span_skip(head, line.len + 2);
    *request = (struct request_head){.scheme = https ? SPAN_LITERAL("https") : SPAN_LITERAL("http")};
    size_t length = 0;
    if (line.len > 0 && parse_request_line(line, request, &unused) && parse_target(request, &unused)) {
        length = http_take_fields(rest, limits, &request->fields, arena);
    }
    if (length == 0 || !weigh_fields(request, &unused)) {
        *request = (struct request_head){0};
        return 0;
    }
    *request_line = line;
    return line.len + 2 + length;
}
