/* A request's head and body: any bytes. The first byte chooses where the input is cut and how strict the head is. What
 * is accepted keeps its promises, and what weir writes from it is accepted again and means the same. */
#include "tests/fuzz/fuzz_body.h"

/* The path and query that the origin is asked for. */
static struct span target_of(const struct request_head *request, struct arena *arena) {
    struct span path = request->path, query = request->query;
    if (query.ptr == NULL) {
        return path;
    }
    return span_of(
        arena_printf(arena, "%.*s?%.*s", (int)path.len, path.ptr != NULL ? path.ptr : "", (int)query.len, query.ptr));
}

static void check_rewritten(const struct request_head *request, struct arena *arena) {
    static const struct http_limits none = {0};
    const struct http_wire wire = {.framing = request->framing, .content_length = request->content_length};
    struct field_list fields = forwarded(&request->fields, arena);
    if (request->host.len == 0 || fields_find_id(&fields, FIELD_HOST) == NULL) {
        fields_set(&fields, arena, SPAN_LITERAL("Host"), request->host.len > 0 ? request->host : SPAN_LITERAL("h"));
    }
    if (request->minor_version == 0) {
        fields_remove_id(&fields, FIELD_EXPECT); /* it meant nothing there */
    }
    struct span head = http_write_request(arena, request, target_of(request, arena), &fields, &wire);
    struct head_scan scan = {0};
    struct request_head again;
    struct span line;
    struct http_problem problem;
    size_t length = 0;
    assert(http_scan_head(&scan, head, &none, &length, &problem) == HEAD_COMPLETE && length == head.len);
    bool good = http_parse_request(head, &none, false, arena, &again, &line, &problem);
    assert(good && span_equal(again.method, request->method));
    assert(span_equal(again.path, request->path) && span_equal(again.query, request->query));
    assert((again.query.ptr == NULL) == (request->query.ptr == NULL));
    assert(request->host.len == 0 || span_equal(again.host, request->host));
    assert(again.framing == request->framing && again.content_length == request->content_length);
    assert(again.expect_continue == request->expect_continue || request->minor_version == 0);
    assert(!again.upgrade_websocket && again.keep_alive);
    check_same_fields(&fields, &again.fields);
}

/* What is taken at once is what scan and parser make of it; it does not point into the bytes. length: of the head; 0:
 * there is none, or it was refused. */
static void check_taken(struct span input, size_t length, const struct http_limits *limits,
                        const struct request_head *request) {
    struct arena arena;
    struct request_head taken;
    struct span line;
    char *copy = malloc(input.len);
    assert(copy != NULL);
    memcpy(copy, input.ptr, input.len);
    arena_init(&arena, NULL, 0);
    size_t bytes = http_take_request((struct span){copy, input.len}, limits, false, &arena, &taken, &line);
    memset(copy, '?', input.len);
    free(copy);
    if (bytes > 0) {
        assert(bytes == length && span_starts_with(input, line) && input.ptr[line.len] == '\r');
        assert(span_equal(taken.method, request->method) && span_equal(taken.target, request->target));
        assert(span_equal(taken.host, request->host) && span_equal(taken.scheme, request->scheme));
        assert(span_equal(taken.path, request->path) && span_equal(taken.query, request->query));
        assert((taken.query.ptr == NULL) == (request->query.ptr == NULL));
        assert(taken.framing == request->framing && taken.content_length == request->content_length);
        assert(taken.minor_version == request->minor_version && taken.keep_alive == request->keep_alive);
        assert(taken.expect_continue == request->expect_continue);
        assert(taken.upgrade_websocket == request->upgrade_websocket);
        assert(taken.fields.count == request->fields.count);
        check_fields(&taken.fields);
        check_same_fields(&taken.fields, &request->fields);
    }
    arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    size_t cut = data[0];
    const struct http_limits limits = {8190, 100, 8190, (data[0] & 1) != 0};
    struct span input = {(const char *)data + 1, size - 1};
    size_t length = scan_head(input, cut, &limits);
    if (length == 0) {
        check_taken(input, 0, &limits, NULL);
        return 0;
    }
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct request_head request;
    struct span line;
    struct http_problem problem = {0};
    if (http_parse_request((struct span){input.ptr, length}, &limits, false, &arena, &request, &line, &problem)) {
        check_fields(&request.fields);
        assert(http_is_token(request.method) && request.path.len > 0);
        assert(request.host.len == 0 ? request.minor_version == 0 : http_is_host(request.host));
        assert(request.framing != BODY_UNTIL_CLOSE);
        check_taken(input, length, &limits, &request);
        check_rewritten(&request, &arena);
        check_body(request.framing, request.content_length, span_skip(input, length), cut);
    } else {
        check_taken(input, 0, &limits, NULL);
        assert(problem.status >= 400 && problem.status < 600 && problem.text != NULL);
    }
    arena_reset(&arena);
    return 0;
}
