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

/* What http_span_of() tells, for HTTP_BYTE_FIELD and HTTP_BYTE_TOKEN, a block at a time; the zeros behind the text end
 * it. */
static inline size_t http_value_length(struct span text) {
    for (size_t at = 0;;) {
        http_mask controls = http_block_controls(http_block_of(text.ptr + at, text.len - at));
        if (controls == 0) {
            at += HTTP_BLOCK_BYTES;
            continue;
        }
        at += http_mask_first(controls);
        if (at == text.len || text.ptr[at] != '\t') {
            return at;
        }
        at++;
    }
}

static inline size_t http_token_length(struct span text) {
    for (size_t at = 0;;) {
        http_mask others = http_block_no_name(http_block_of(text.ptr + at, text.len - at));
        if (others == 0) {
            at += HTTP_BLOCK_BYTES;
            continue;
        }
        at += http_mask_first(others);
        if (at == text.len || !http_is_byte(text.ptr[at], HTTP_BYTE_TOKEN)) {
            return at;
        }
        at++; /* one of the marks that names seldom have */
    }
}

#endif
