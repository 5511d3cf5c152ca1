/* What each byte may be in a message's head, in one table, so that the parsers look at a byte once. Pure, any thread.
 */
#ifndef WEIR_PROXY_HTTP_BYTES_H
#define WEIR_PROXY_HTTP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/span.h"
#include "proxy/http_block.h"

enum http_byte_class {
    HTTP_BYTE_TOKEN = 1,  /* tchar of RFC 9110, 5.6.2 */
    HTTP_BYTE_FIELD = 2,  /* may stand in a field's value (RFC 9110, 5.5): no control but the tab; 8-bit bytes may */
    HTTP_BYTE_TARGET = 4, /* may stand in a request's target: http_target.c says which do not */
    HTTP_BYTE_TARGET_MARK = 8, /* "%" and "?": those of the target that mean something there */
    HTTP_BYTE_NAME = 16,       /* in a host's name: letters, digits, "-" and "_"; a dot needs a look at its place */
    HTTP_BYTE_DIGIT = 32,
};

extern const uint8_t http_byte_classes[256];

static inline bool http_is_byte(char byte, enum http_byte_class class) {
    return (http_byte_classes[(unsigned char)byte] & class) != 0;
}

/* How many bytes from the start of the text on are of the class. */
static inline size_t http_span_of(struct span text, enum http_byte_class class) {
    size_t length = 0;
    while (length < text.len && http_is_byte(text.ptr[length], class)) {
        length++;
    }
    return length;
}

/* Where the bytes end that may stand in a value (HTTP_BYTE_FIELD) or in a token (HTTP_BYTE_TOKEN), looked at a block at
 * a time: the zeros behind `end` are neither. */
static inline const char *http_value_end(const char *at, const char *end) {
    for (;;) {
        http_mask controls;
        while ((controls = http_block_controls(http_block_of(at, (size_t)(end - at)))) == 0) {
            at += HTTP_BLOCK_BYTES;
        }
        at += http_mask_first(controls);
        if (at == end || *at != '\t') {
            return at;
        }
        at++;
    }
}

static inline const char *http_token_end(const char *at, const char *end) {
    for (;;) {
        http_mask others = http_block_no_word(http_block_of(at, (size_t)(end - at)));
        if (others == 0) {
            at += HTTP_BLOCK_BYTES;
            continue;
        }
        at += http_mask_first(others);
        if (at == end || !http_is_byte(*at, HTTP_BYTE_TOKEN)) {
            return at;
        }
        at++; /* a digit, or one of the marks that names seldom have */
    }
}

/* The same as lengths. */
static inline size_t http_value_length(struct span text) {
    return text.len > 0 ? (size_t)(http_value_end(text.ptr, text.ptr + text.len) - text.ptr) : 0;
}

static inline size_t http_token_length(struct span text) {
    return text.len > 0 ? (size_t)(http_token_end(text.ptr, text.ptr + text.len) - text.ptr) : 0;
}

#endif
