/* What fuzz_request.c and fuzz_response.c share: a head scanned and a body decoded as a connection would, in pieces. */
#ifndef WEIR_TESTS_FUZZ_BODY_H
#define WEIR_TESTS_FUZZ_BODY_H

#include <assert.h>
#include <stdlib.h>

#include "proxy/http_body.h"
#include "proxy/http_head.h"

struct decoded {
    enum body_status status;
    size_t consumed;
    char *data;
    size_t data_bytes;
};

/* Shows the decoder first `cut` bytes, then all: the result must not depend on where the cut is. */
static inline struct decoded decode_body(enum body_framing framing, uint64_t length, struct span input, size_t cut,
                                         struct arena *arena) {
    struct decoded result = {.status = BODY_MORE, .data = malloc(input.len + 1)};
    struct body_decoder decoder;
    struct http_problem problem;
    body_decoder_start(&decoder, framing, length, arena);
    const size_t ends[2] = {cut < input.len ? cut : input.len, input.len};
    for (size_t i = 0; i < 2 && (result.status == BODY_MORE || result.status == BODY_DATA); i++) {
        do {
            struct span rest = {input.ptr + result.consumed, ends[i] - result.consumed};
            struct span data;
            size_t skip = 0;
            result.status = body_decode(&decoder, rest, i == 1, &skip, &data, &problem);
            assert(skip <= rest.len);
            result.consumed += skip;
            if (result.status == BODY_DATA) {
                assert(data.len > 0 && data.ptr == input.ptr + result.consumed && data.len <= rest.len - skip);
                memcpy(result.data + result.data_bytes, data.ptr, data.len);
                result.data_bytes += data.len;
                result.consumed += data.len;
                body_decoder_used(&decoder, data.len);
            }
        } while (result.status == BODY_DATA);
    }
    assert(result.status != BODY_MORE); /* at the end there is a verdict */
    return result;
}

static inline void check_body(enum body_framing framing, uint64_t length, struct span input, size_t cut) {
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct decoded whole = decode_body(framing, length, input, input.len, &arena);
    struct decoded pieces = decode_body(framing, length, input, cut, &arena);
    assert(whole.status == pieces.status);
    if (whole.status == BODY_END) {
        assert(whole.consumed == pieces.consumed && whole.data_bytes == pieces.data_bytes);
        assert(memcmp(whole.data, pieces.data, whole.data_bytes) == 0);
    }
    free(whole.data);
    free(pieces.data);
    arena_reset(&arena);
}

/* The end of the head, found in one go and byte by byte from `cut` on: both must agree. 0: there is none. */
static inline size_t scan_head(struct span input, size_t cut, const struct http_limits *limits) {
    struct head_scan scan = {0}, again = {0};
    struct http_problem problem = {0};
    size_t length = 0, length_again = 0;
    enum head_scan_result result = http_scan_head(&scan, input, limits, &length, &problem);
    enum head_scan_result result_again = HEAD_INCOMPLETE;
    for (size_t end = cut < input.len ? cut : input.len; end <= input.len && result_again == HEAD_INCOMPLETE; end++) {
        result_again = http_scan_head(&again, (struct span){input.ptr, end}, limits, &length_again, &problem);
    }
    assert(result == result_again);
    assert(result != HEAD_REFUSED || problem.text != NULL);
    assert(result != HEAD_COMPLETE || (length == length_again && length <= input.len));
    return result == HEAD_COMPLETE ? length : 0;
}

static inline void check_fields(const struct field_list *fields) {
    for (size_t i = 0; i < fields->count; i++) {
        assert(http_is_token(fields->fields[i].name) && http_is_field_text(fields->fields[i].value));
        assert(fields->fields[i].id == field_id_of(fields->fields[i].name));
        assert(span_trim(fields->fields[i].value).len == fields->fields[i].value.len);
    }
}

/* Written and parsed again, the fields are the same. */
static inline void check_same_fields(const struct field_list *a, const struct field_list *b) {
    assert(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert(span_equal(a->fields[i].name, b->fields[i].name) && span_equal(a->fields[i].value, b->fields[i].value));
    }
}

#endif
