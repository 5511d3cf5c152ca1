/* Body framing, both directions. Called by http1.c for requests and by origin_connection.c for responses; pure.
 * Always true: `remaining` never exceeds what the framing promised; a phase is left only when its bytes were consumed.
 */
#include "proxy/http_body.h"

#include <assert.h>

void body_decoder_start(struct body_decoder *decoder, enum body_framing framing, uint64_t content_length,
                        struct arena *arena) {
    *decoder = (struct body_decoder){.framing = framing, .remaining = content_length, .arena = arena};
    if (framing == BODY_CHUNKED) {
        decoder->phase = BODY_PHASE_SIZE;
        decoder->remaining = 0;
    } else if (framing == BODY_NONE || (framing == BODY_LENGTH && content_length == 0)) {
        decoder->phase = BODY_PHASE_DONE;
    } else {
        decoder->phase = BODY_PHASE_DATA;
    }
}

static enum body_status bad(struct http_problem *problem, const char *text) {
    *problem = (struct http_problem){400, text};
    return BODY_BAD;
}

static int hex_digit(char byte) {
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

static size_t skip_blanks(struct span text, size_t at) {
    while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\t')) {
        at++;
    }
    return at;
}

static size_t skip_token(struct span text, size_t at) {
    while (at < text.len && http_is_token_byte((unsigned char)text.ptr[at])) {
        at++;
    }
    return at;
}

/* A quoted-string from its first quote on; 0 when it does not end. */
static size_t skip_quoted(struct span text, size_t at) {
    for (at++; at < text.len && text.ptr[at] != '"'; at++) {
        at += text.ptr[at] == '\\' ? 1 : 0;
    }
    return at < text.len ? at + 1 : 0;
}

/* chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ), RFC 9112, 7.1.1. Extensions mean nothing
 * to weir and are not passed on; they are read so that nothing hides in them. */
static bool is_extension_list(struct span text, bool padded) {
    size_t at = 0;
    while (at < text.len) {
        at = skip_blanks(text, at);
        if (at == text.len || text.ptr[at] != ';') {
            return at == text.len && padded;
        }
        at = skip_blanks(text, at + 1);
        size_t name = at;
        at = skip_token(text, at);
        if (at == name) {
            return false;
        }
        size_t equals = skip_blanks(text, at);
        if (equals == text.len || text.ptr[equals] != '=') {
            continue;
        }
        at = skip_blanks(text, equals + 1);
        size_t value = at;
        at = at < text.len && text.ptr[at] == '"' ? skip_quoted(text, at) : skip_token(text, at);
        if (at <= value) {
            return false;
        }
    }
    return http_is_field_text(text);
}

/* One line up to CRLF: BODY_DATA with *line when it is whole. */
static enum body_status take_line(struct span input, size_t longest, struct span *line, struct http_problem *problem) {
    const char *feed = memchr(input.ptr, '\n', input.len < longest ? input.len : longest);
    if (feed == NULL) {
        return input.len >= longest ? bad(problem, "a line of the chunked body is too long") : BODY_MORE;
    }
    size_t length = (size_t)(feed - input.ptr);
    if (length == 0 || input.ptr[length - 1] != '\r') {
        return bad(problem, "a line of the chunked body ends in a bare line feed");
    }
    *line = (struct span){input.ptr, length - 1};
    return BODY_DATA;
}

static enum body_status read_size(struct body_decoder *decoder, struct span input, size_t *used,
                                  struct http_problem *problem) {
    if (input.len > 0 && hex_digit(input.ptr[0]) < 0) {
        return bad(problem, "a chunk does not begin with its size");
    }
    struct span line;
    enum body_status status = take_line(input, CHUNK_LINE_MAX, &line, problem);
    if (status != BODY_DATA) {
        return status;
    }
    uint64_t size = 0;
    size_t digits = 0;
    for (; digits < line.len && hex_digit(line.ptr[digits]) >= 0; digits++) {
        size = size << 4 | (uint64_t)hex_digit(line.ptr[digits]);
        if (digits >= 16 || size > INT64_MAX) {
            return bad(problem, "a chunk size is too large");
        }
    }
    if (!is_extension_list(span_skip(line, digits), decoder->padded_sizes)) {
        return bad(problem, "a chunk size is followed by something that is no extension");
    }
    *used = line.len + 2;
    decoder->remaining = size;
    decoder->phase = size > 0 ? BODY_PHASE_DATA : BODY_PHASE_TRAILER;
    return BODY_DATA;
}

static enum body_status read_data_end(struct body_decoder *decoder, struct span input, size_t *used,
                                      struct http_problem *problem) {
    if (input.len > 0 && input.ptr[0] != '\r') {
        return bad(problem, "a chunk is longer than its size");
    }
    if (input.len < 2) {
        return BODY_MORE;
    }
    if (input.ptr[1] != '\n') {
        return bad(problem, "a chunk does not end in CRLF");
    }
    *used = 2;
    decoder->phase = BODY_PHASE_SIZE;
    return BODY_DATA;
}

/* The trailer section lies in the buffer as a whole before it is parsed. */
static enum body_status read_trailer(struct body_decoder *decoder, struct span input, size_t *used,
                                     struct http_problem *problem) {
    static const struct http_limits no_line_limits = {0};
    struct head_scan scan = {.lines = 1}; /* there is no start line */
    struct span bounded = {input.ptr, input.len < TRAILER_BYTES_MAX ? input.len : TRAILER_BYTES_MAX};
    switch (http_scan_head(&scan, bounded, &no_line_limits, used, problem)) {
    case HEAD_REFUSED:
        return BODY_BAD;
    case HEAD_INCOMPLETE:
        return bounded.len >= TRAILER_BYTES_MAX ? bad(problem, "the trailers are longer than 8 KiB") : BODY_MORE;
    case HEAD_COMPLETE:
        break;
    }
    if (*used > 2) {
        struct span lines = arena_copy_span(decoder->arena, (struct span){input.ptr, *used});
        if (!http_parse_trailers(lines, &decoder->trailers, decoder->arena, problem)) {
            return BODY_BAD;
        }
        if (decoder->head != NULL) {
            fields_remove_named(&decoder->trailers, decoder->head);
        }
    }
    decoder->phase = BODY_PHASE_DONE;
    return BODY_DATA;
}

static enum body_status show_data(struct body_decoder *decoder, struct span input, struct span *data) {
    if (input.len == 0) {
        return BODY_MORE;
    }
    *data = input;
    if (decoder->framing != BODY_UNTIL_CLOSE && data->len > decoder->remaining) {
        data->len = (size_t)decoder->remaining;
    }
    return BODY_DATA;
}

static enum body_status step(struct body_decoder *decoder, struct span input, size_t *used,
                             struct http_problem *problem) {
    switch (decoder->phase) {
    case BODY_PHASE_SIZE:
        return read_size(decoder, input, used, problem);
    case BODY_PHASE_DATA_END:
        return read_data_end(decoder, input, used, problem);
    case BODY_PHASE_TRAILER:
        return read_trailer(decoder, input, used, problem);
    case BODY_PHASE_DATA:
    case BODY_PHASE_DONE:
        break;
    }
    assert(false);
    return BODY_BAD;
}

enum body_status body_decode(struct body_decoder *decoder, struct span input, bool eof, size_t *skip, struct span *data,
                             struct http_problem *problem) {
    enum body_status status = BODY_DATA;
    *skip = 0;
    while (status == BODY_DATA && decoder->phase != BODY_PHASE_DONE) {
        if (decoder->phase == BODY_PHASE_DATA) {
            status = show_data(decoder, input, data);
            break;
        }
        size_t used = 0;
        status = input.len > 0 ? step(decoder, input, &used, problem) : BODY_MORE;
        *skip += used;
        input = span_skip(input, used);
    }
    if (decoder->phase == BODY_PHASE_DONE) {
        return BODY_END;
    }
    if (status == BODY_MORE && eof) {
        if (decoder->framing != BODY_UNTIL_CLOSE) {
            return bad(problem, "the body ends before it is complete");
        }
        decoder->phase = BODY_PHASE_DONE;
        return BODY_END;
    }
    return status;
}

void body_decoder_used(struct body_decoder *decoder, size_t bytes) {
    assert(decoder->phase == BODY_PHASE_DATA);
    decoder->data_bytes += bytes;
    if (decoder->framing == BODY_UNTIL_CLOSE) {
        return;
    }
    assert(bytes <= decoder->remaining);
    decoder->remaining -= bytes;
    if (decoder->remaining == 0) {
        decoder->phase = decoder->framing == BODY_CHUNKED ? BODY_PHASE_DATA_END : BODY_PHASE_DONE;
    }
}
