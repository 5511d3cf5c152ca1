/* Heads as bytes: one measuring pass, one writing pass into the arena. Called by http1.c for responses and by
 * exchange_origin.c for requests; pure. Only parsed values are written, so nothing that was not understood gets out. */
#include "proxy/http_block.h"
#include "proxy/http_head.h"

struct pen {
    char *at;
};

#define PUT_LITERAL(pen, text)                                                                                         \
    (memcpy((pen)->at, (text), sizeof(text) - 1), (pen)->at += sizeof(text) - 1) /* known at compile time */

/* Most parts are some bytes long: two steps that may overlap take less than a call. */
static inline void put(struct pen *pen, struct span text) {
    struct { /* moved by one instruction where there is one */
        uint64_t words[2];
    } first, last;
    if (text.len <= sizeof first) {
        http_copy_short(pen->at, text.ptr, text.len);
    } else if (text.len <= 2 * sizeof first) {
        memcpy(&first, text.ptr, sizeof first);
        memcpy(&last, text.ptr + text.len - sizeof last, sizeof last);
        memcpy(pen->at, &first, sizeof first);
        memcpy(pen->at + text.len - sizeof last, &last, sizeof last);
    } else {
        memcpy(pen->at, text.ptr, text.len);
    }
    pen->at += text.len;
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
static void put_fields(struct pen *pen, const struct field_list *fields) {
    if (fields->count == 0) {
        return;
    }
    const struct field *field = fields->fields, *end = field + fields->count;
    do {
        struct span text = field->name;
        if (!are_joined(text, field->value, ": ")) {
            put(pen, text);
            PUT_LITERAL(pen, ": ");
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
        put(pen, text);
        PUT_LITERAL(pen, "\r\n");
    } while (field < end);
}

static inline char digit(uint64_t number) {
    return (char)('0' + number % 10);
}

static void put_number(struct pen *pen, uint64_t number) {
    size_t digits = 1;
    for (uint64_t power = 10; digits < 20 && number >= power; power *= 10) {
        digits++;
    }
    pen->at += digits;
    for (char *at = pen->at; digits > 0; digits--, number /= 10) {
        *--at = digit(number);
    }
}

/* The most that put_wire() can write. */
enum { WIRE_BYTES_MAX = 128 };

static void put_wire(struct pen *pen, const struct http_wire *wire) {
    if (wire->framing == BODY_LENGTH) {
        PUT_LITERAL(pen, "Content-Length: ");
        put_number(pen, wire->content_length);
        PUT_LITERAL(pen, "\r\n");
    } else if (wire->framing == BODY_CHUNKED) {
        PUT_LITERAL(pen, "Transfer-Encoding: chunked\r\n");
    }
    if (wire->upgrade) {
        PUT_LITERAL(pen, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    } else if (wire->close) {
        PUT_LITERAL(pen, "Connection: close\r\n");
    } else if (wire->keep_alive) {
        PUT_LITERAL(pen, "Connection: keep-alive\r\n");
    }
    PUT_LITERAL(pen, "\r\n");
}

struct span http_write_request(struct arena *arena, const struct request_head *request, struct span target,
                               const struct field_list *fields, const struct http_wire *wire) {
    size_t bound = request->method.len + target.len + 16 + fields_length(fields) + WIRE_BYTES_MAX;
    char *start = arena_alloc_raw(arena, bound);
    struct pen pen = {start};
    put(&pen, request->method);
    PUT_LITERAL(&pen, " ");
    put(&pen, target);
    PUT_LITERAL(&pen, " HTTP/1.1\r\n");
    put_fields(&pen, fields);
    put_wire(&pen, wire);
    return (struct span){start, (size_t)(pen.at - start)};
}

struct span http_write_response(struct arena *arena, const struct response_head *response,
                                const struct http_wire *wire) {
    size_t bound = 32 + response->reason.len + fields_length(&response->fields) + WIRE_BYTES_MAX;
    char *start = arena_alloc_raw(arena, bound);
    struct pen pen = {start};
    PUT_LITERAL(&pen, "HTTP/1.1 ");
    unsigned status = (unsigned)response->status;
    const char code[] = {digit(status / 100), digit(status / 10), digit(status), ' '};
    memcpy(pen.at, code, sizeof code);
    pen.at += sizeof code;
    put(&pen, response->reason);
    PUT_LITERAL(&pen, "\r\n");
    put_fields(&pen, &response->fields);
    put_wire(&pen, wire);
    return (struct span){start, (size_t)(pen.at - start)};
}
