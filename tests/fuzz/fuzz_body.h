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

/* How much comes next: with seed 0 everything, else small pieces mostly. */
static inline size_t next_piece(uint32_t *seed, size_t left) {
    if (*seed == 0) {
        return left;
    }
    *seed = *seed * 1664525u + 1013904223u;
    size_t piece = 1 + (*seed >> 8) % ((*seed & 0x70000000u) != 0 ? 24 : 5000);
    *seed |= 1;
    return piece < left ? piece : left;
}

/* One look at what waits, in memory of exactly that size. */
static inline void decode_step(struct body_decoder *decoder, struct span input, bool eof, struct decoded *result) {
    char *copy = malloc(input.len > 0 ? input.len : 1);
    assert(copy != NULL);
    memcpy(copy, input.ptr, input.len);
    struct span data;
    size_t skip = 0;
    struct http_problem problem = {0};
    result->status = body_decode(decoder, (struct span){copy, input.len}, eof, &skip, &data, &problem);
    assert(skip <= input.len);
    result->consumed += skip;
    if (result->status == BODY_DATA) {
        assert(data.len > 0 && data.ptr == copy + skip && data.len <= input.len - skip);
        memcpy(result->data + result->data_bytes, data.ptr, data.len);
        result->data_bytes += data.len;
        result->consumed += data.len;
        body_decoder_used(decoder, data.len);
    } else if (result->status == BODY_MORE) {
        assert(input.len - skip < TRAILER_BYTES_MAX); /* a peer cannot make weir hold more than this */
    } else if (result->status == BODY_BAD) {
        assert(problem.status == 400 && problem.text != NULL);
    }
    free(copy);
}

/* Plays a connection's buffer: more comes only when the decoder has asked for it. */
static inline struct decoded decode_body(enum body_framing framing, uint64_t length, struct span input, uint32_t seed,
                                         struct arena *arena) {
    struct decoded result = {.status = BODY_MORE, .data = malloc(input.len + 1)};
    assert(result.data != NULL);
    struct body_decoder decoder;
    body_decoder_start(&decoder, framing, length, arena);
    size_t come = next_piece(&seed, input.len);
    for (;;) {
        bool eof = come == input.len;
        decode_step(&decoder, (struct span){input.ptr + result.consumed, come - result.consumed}, eof, &result);
        if (result.status == BODY_MORE && !eof) {
            come += next_piece(&seed, input.len - come);
        } else if (result.status != BODY_DATA) {
            break;
        }
    }
    assert(result.status != BODY_MORE); /* at the end there is a verdict */
    assert(decoder.data_bytes == result.data_bytes);
    assert(body_decoder_done(&decoder) == (result.status == BODY_END));
    return result;
}

static inline void check_body(enum body_framing framing, uint64_t length, struct span input, size_t cut) {
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct decoded whole = decode_body(framing, length, input, 0, &arena);
    for (uint32_t i = 1; i <= 3; i++) {
        struct decoded pieces = decode_body(framing, length, input, (uint32_t)cut * 4 + i, &arena);
        assert(whole.status == pieces.status && whole.consumed == pieces.consumed);
        assert(whole.data_bytes == pieces.data_bytes && memcmp(whole.data, pieces.data, whole.data_bytes) == 0);
        free(pieces.data);
    }
    free(whole.data);
    arena_reset(&arena);
}

/* The end of the head, found in one go and byte by byte from `cut` on: both must agree. 0: there is none. */
static inline size_t scan_head(struct span input, size_t cut, const struct http_limits *limits) {
    struct head_scan scan = {0}, again = {0};
    struct http_problem problem = {0}, problem_again = {0};
    size_t length = 0, length_again = 0;
    enum head_scan_result result = http_scan_head(&scan, input, limits, &length, &problem);
    enum head_scan_result result_again = HEAD_INCOMPLETE;
    for (size_t end = cut < input.len ? cut : input.len; end <= input.len && result_again == HEAD_INCOMPLETE; end++) {
        result_again = http_scan_head(&again, (struct span){input.ptr, end}, limits, &length_again, &problem_again);
    }
    assert(result == result_again);
    assert(result != HEAD_REFUSED || (problem.text != NULL && problem.text == problem_again.text));
    assert(problem.status == problem_again.status);
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

/* The fields as they go on: without those of the connection and of the framing, which the wire writes anew. */
static inline struct field_list forwarded(const struct field_list *fields, struct arena *arena) {
    struct field_list list;
    fields_copy(&list, fields, arena);
    fields_remove_hop_by_hop(&list);
    fields_remove_id(&list, FIELD_CONTENT_LENGTH);
    return list;
}

/* Written and parsed again, the fields are the same; what the wire has added comes last. */
static inline void check_same_fields(const struct field_list *a, const struct field_list *b) {
    assert(a->count <= b->count && b->count <= a->count + 2);
    for (size_t i = 0; i < a->count; i++) {
        assert(span_equal(a->fields[i].name, b->fields[i].name) && span_equal(a->fields[i].value, b->fields[i].value));
    }
}

#endif
