/* Heads as bytes: one measuring pass, one writing pass into the arena. Called by http1.c for responses and by
 * exchange_origin.c for requests; pure. Only parsed values are written, so nothing that was not understood gets out. */
#include "proxy/http_block.h"
#include "proxy/http_head.h"

/* Each of these writes there, and returns where the next is to write. */
#define PUT_LITERAL(at, text) ((char *)mempcpy((at), (text), sizeof(text) - 1)) /* known at compile time */

/* Most parts are some bytes long: two steps that may overlap take less than a call. */
static inline char *put(char *at, struct span text) {
    struct { /* moved by one instruction where there is one */
        uint64_t words[2];
    } first, last;
    if (text.len <= sizeof first) {
        http_copy_short(at, text.ptr, text.len);
    } else if (text.len <= 2 * sizeof first) {
        memcpy(&first, text.ptr, sizeof first);
        memcpy(&last, text.ptr + text.len - sizeof last, sizeof last);
        memcpy(at, &first, sizeof first);
        memcpy(at + text.len - sizeof last, &last, sizeof last);
    } else {
        memcpy(at, text.ptr, text.len);
    }
    return at + text.len;
}

static size_t fields_length(const struct field_list *fields) {
    size_t length = 0;
    for (size_t i = 0; i < fields->count; i++) {
        length += fields->fields[i].name.len + fields->fields[i].value.len + 4;
    }
    return length;
}

/* Do the two lie in memory as they are to be written, with these two bytes between them and nothing else? */
static inline bool are_joined(struct span a, struct span b, const char between[2]) {
    return (uintptr_t)a.ptr + a.len + 2 == (uintptr_t)b.ptr && memcmp(a.ptr + a.len, between, 2) == 0;
}

/* What the peer has sent and nobody has changed lies there as it is to be written: it is copied line after line at
 * once. So the bytes are the same as if each name and value were put by itself. */
static char *put_fields(char *at, const struct field_list *fields) {
    if (fields->count == 0) {
        return at;
    }
    const struct field *field = fields->fields, *end = field + fields->count;
    do {
        struct span text = field->name;
        if (!are_joined(text, field->value, ": ")) {
            at = put(at, text);
            at = PUT_LITERAL(at, ": ");
            text = field->value;
        } else {
            text.len += 2 + field->value.len;
        }
        for (field++; field < end && are_joined(text, field->name, "\r\n"); field++) {
            if (!are_joined(field->name, field->value, ": ")) {
                break;
            }
            text.len += 2 + field->name.len + 2 + field->value.len;
        }
        at = put(at, text);
        at = PUT_LITERAL(at, "\r\n");
    } while (field < end);
    return at;
}

static inline char digit(unsigned number) {
    return (char)('0' + number % 10);
}

static char *put_number(char *at, uint64_t number) {
    size_t digits = 1;
    for (uint64_t rest = number; rest >= 10; rest /= 10) {
        digits++;
    }
    for (size_t i = digits; i > 0; i--, number /= 10) {
        at[i - 1] = digit((unsigned)(number % 10));
    }
    return at + digits;
}

/* The most that put_wire() can write. */
enum { WIRE_BYTES_MAX = 128 };

static char *put_wire(char *at, const struct http_wire *wire) {
    if (wire->framing == BODY_LENGTH) {
        at = PUT_LITERAL(at, "Content-Length: ");
        at = put_number(at, wire->content_length);
        at = PUT_LITERAL(at, "\r\n");
    } else if (wire->framing == BODY_CHUNKED) {
        at = PUT_LITERAL(at, "Transfer-Encoding: chunked\r\n");
    }
    if (wire->upgrade) {
        at = PUT_LITERAL(at, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    } else if (wire->close) {
        at = PUT_LITERAL(at, "Connection: close\r\n");
    } else if (wire->keep_alive) {
        at = PUT_LITERAL(at, "Connection: keep-alive\r\n");
    }
    return PUT_LITERAL(at, "\r\n");
}

struct span http_write_request(struct arena *arena, const struct request_head *request, struct span target,
                               const struct field_list *fields, const struct http_wire *wire) {
    size_t bound = request->method.len + target.len + 16 + fields_length(fields) + WIRE_BYTES_MAX;
    char *start = arena_alloc_raw(arena, bound);
    char *at = put(start, request->method);
    at = PUT_LITERAL(at, " ");
    at = put(at, target);
    at = PUT_LITERAL(at, " HTTP/1.1\r\n");
    at = put_fields(at, fields);
    at = put_wire(at, wire);
    return (struct span){start, (size_t)(at - start)};
}

struct span http_write_response(struct arena *arena, const struct response_head *response,
                                const struct http_wire *wire) {
    size_t bound = 32 + response->reason.len + fields_length(&response->fields) + WIRE_BYTES_MAX;
    char *start = arena_alloc_raw(arena, bound);
    char *at = PUT_LITERAL(start, "HTTP/1.1 ");
    unsigned status = (unsigned)response->status;
    *at++ = digit(status / 100);
    *at++ = digit(status / 10);
    *at++ = digit(status);
    *at++ = ' ';
    at = put(at, response->reason);
    at = PUT_LITERAL(at, "\r\n");
    at = put_fields(at, &response->fields);
    at = put_wire(at, wire);
    return (struct span){start, (size_t)(at - start)};
}
