/* A request's head and body: any bytes. The first byte chooses where the input is cut and how strict the head is. What
 * is accepted keeps its promises, and what weir writes from it is accepted again and means the same. */
#include "tests/fuzz/fuzz_body.h"

static void check_rewritten(const struct request_head *request, struct arena *arena) {
    static const struct http_limits none = {0};
    const struct http_wire wire = {.framing = BODY_NONE};
    struct span target = request->target.ptr[0] == '/' ? request->target : SPAN_LITERAL("/");
    struct span head = http_write_request(arena, request, target, &request->fields, &wire);
    struct request_head again;
    struct span line;
    struct http_problem problem;
    if (request->minor_version == 0 && request->framing == BODY_CHUNKED) {
        return;
    }
    bool good = http_parse_request(head, &none, false, arena, &again, &line, &problem);
    if (request->minor_version == 0 && !good) {
        return; /* written as HTTP/1.1, it may lack a Host, or expect something */
    }
    assert(good && span_equal(again.method, request->method));
    assert(again.framing == request->framing && again.content_length == request->content_length);
    check_same_fields(&again.fields, &request->fields);
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
        check_rewritten(&request, &arena);
        check_body(request.framing, request.content_length, span_skip(input, length), cut);
    } else {
        assert(problem.status >= 400 && problem.status < 600 && problem.text != NULL);
    }
    arena_reset(&arena);
    return 0;
}
