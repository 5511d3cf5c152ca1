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

/* What is taken at once is what scan and parser make of it; it does not point into the bytes. length: of the head; 0:
 * there is none, or it was refused. */
static void check_taken(struct span input, size_t length, const struct http_limits *limits, struct span method,
                        const struct response_head *response) {
    struct arena arena;
    struct response_head taken;
    char *copy = malloc(input.len);
    assert(copy != NULL);
    memcpy(copy, input.ptr, input.len);
    arena_init(&arena, NULL, 0);
    size_t bytes = http_take_response((struct span){copy, input.len}, limits, method, &arena, &taken);
    memset(copy, '?', input.len);
    free(copy);
    if (bytes > 0) {
        assert(bytes == length && taken.status == response->status && span_equal(taken.reason, response->reason));
        assert(taken.framing == response->framing && taken.content_length == response->content_length);
        assert(taken.minor_version == response->minor_version && taken.keep_alive == response->keep_alive);
        assert(taken.fields.count == response->fields.count);
        check_fields(&taken.fields);
        check_same_fields(&taken.fields, &response->fields);
    }
    arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct http_limits limits = {.field_count = 200};
    static const struct span methods[] = {{"GET", 3}, {"HEAD", 4}, {"POST", 4}};
    if (size < 2) {
        return 0;
    }
    size_t cut = data[0];
    struct span input = {(const char *)data + 1, size - 1};
    struct span method = methods[data[0] % 3];
    size_t length = scan_head(input, cut, &limits);
    if (length == 0) {
        check_taken(input, 0, &limits, method, NULL);
        return 0;
    }
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct response_head response;
    struct http_problem problem = {0};
    if (http_parse_response((struct span){input.ptr, length}, method, &arena, &response, &problem)) {
        check_fields(&response.fields);
        assert(response.status >= 100 && response.status < 600);
        check_taken(input, length, &limits, method, &response);
        check_rewritten(&response, &arena);
        check_body(response.framing, response.content_length, span_skip(input, length), cut);
    } else {
        check_taken(input, 0, &limits, method, NULL);
        assert(problem.status == 502 && problem.text != NULL);
    }
    arena_reset(&arena);
    return 0;
}
