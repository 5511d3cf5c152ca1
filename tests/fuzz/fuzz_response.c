/* An origin's response head and body: any bytes. The first byte chooses where the input is cut and what was asked. */
#include "tests/fuzz/fuzz_body.h"

static void check_rewritten(const struct response_head *response, struct arena *arena) {
    static const struct http_limits none = {0};
    const struct http_wire wire = {.framing = response->framing, .content_length = response->content_length};
    struct response_head written = *response, again;
    written.fields = forwarded(&response->fields, arena);
    struct span head = http_write_response(arena, &written, &wire);
    struct head_scan scan = {0};
    struct http_problem problem;
    size_t length = 0;
    assert(http_scan_head(&scan, head, &none, &length, &problem) == HEAD_COMPLETE && length == head.len);
    bool good = http_parse_response(head, SPAN_LITERAL("GET"), arena, &again, &problem);
    assert(good && again.status == response->status && span_equal(again.reason, response->reason));
    bool bodiless = response->status < 200 || response->status == 204 || response->status == 304;
    enum body_framing framing = response->framing == BODY_NONE && !bodiless ? BODY_UNTIL_CLOSE : response->framing;
    assert(again.framing == framing);
    assert(framing != BODY_LENGTH || again.content_length == response->content_length);
    check_same_fields(&written.fields, &again.fields);
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
