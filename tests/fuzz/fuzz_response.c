/* An origin's response head and body: any bytes. The first byte chooses where the input is cut and what was asked. */
#include "tests/fuzz/fuzz_body.h"

static void check_rewritten(const struct response_head *response, struct arena *arena) {
    const struct http_wire wire = {.framing = BODY_NONE};
    struct span head = http_write_response(arena, response, &wire);
    struct response_head again;
    struct http_problem problem;
    if (response->minor_version == 0 && response->framing == BODY_CHUNKED) {
        return;
    }
    bool good = http_parse_response(head, SPAN_LITERAL("GET"), arena, &again, &problem);
    assert(good && again.status == response->status && span_equal(again.reason, response->reason));
    check_same_fields(&again.fields, &response->fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct http_limits limits = {.field_count = 200};
    static const struct span methods[] = {{"GET", 3}, {"HEAD", 4}, {"POST", 4}};
    if (size < 2) {
        return 0;
    }
    size_t cut = data[0];
    struct span input = {(const char *)data + 1, size - 1};
    size_t length = scan_head(input, cut, &limits);
    if (length == 0) {
        return 0;
    }
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct response_head response;
    struct http_problem problem = {0};
    if (http_parse_response((struct span){input.ptr, length}, methods[data[0] % 3], &arena, &response, &problem)) {
        check_fields(&response.fields);
        assert(response.status >= 100 && response.status < 600);
        check_rewritten(&response, &arena);
        check_body(response.framing, response.content_length, span_skip(input, length), cut);
    } else {
        assert(problem.status == 502 && problem.text != NULL);
    }
    arena_reset(&arena);
    return 0;
}
