/* Heads as bytes: one measuring pass, one writing pass into the arena. Called by http1.c for responses and by
 * exchange_origin.c for requests; pure. Only parsed values are written, so nothing that was not understood gets out. */
#include "proxy/http_head.h"

struct pen {
    char *at;
};

#define PUT_LITERAL(pen, text)                                                                                         \
    (memcpy((pen)->at, (text), sizeof(text) - 1), (pen)->at += sizeof(text) - 1) /* known at compile time */

/* Most parts are some bytes long: two steps that may overlap take less than a call. */
static inline void put(struct pen *pen, struct span text) {
    uint64_t first, last;
    uint32_t first_half, last_half;
    if (text.len > 2 * sizeof first) {
        memcpy(pen->at, text.ptr, text.len);
    } else if (text.len >= sizeof first) {
        memcpy(&first, text.ptr, sizeof first);
        memcpy(&last, text.ptr + text.len - sizeof last, sizeof last);
        memcpy(pen->at, &first, sizeof first);
        memcpy(pen->at + text.len - sizeof last, &last, sizeof last);
    } else if (text.len >= sizeof first_half) {
        memcpy(&first_half, text.ptr, sizeof first_half);
        memcpy(&last_half, text.ptr + text.len - sizeof last_half, sizeof last_half);
        memcpy(pen->at, &first_half, sizeof first_half);
        memcpy(pen->at + text.len - sizeof last_half, &last_half, sizeof last_half);
    } else {
        for (size_t i = 0; i < text.len; i++) {
            pen->at[i] = text.ptr[i];
        }
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

static void put_field(struct pen *pen, struct span name, struct span value) {
    put(pen, name);
    PUT_LITERAL(pen, ": ");
    put(pen, value);
    PUT_LITERAL(pen, "\r\n");
}

static void put_fields(struct pen *pen, const struct field_list *fields) {
    for (size_t i = 0; i < fields->count; i++) {
        put_field(pen, fields->fields[i].name, fields->fields[i].value);
    }
}

static void put_number(struct pen *pen, uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(pen, (struct span){digits + at, sizeof digits - at});
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
    char digits[4] = {(char)('0' + response->status / 100 % 10), (char)('0' + response->status / 10 % 10),
                      (char)('0' + response->status % 10), ' '};
    PUT_LITERAL(&pen, "HTTP/1.1 ");
    put(&pen, (struct span){digits, sizeof digits});
    put(&pen, response->reason);
    PUT_LITERAL(&pen, "\r\n");
    put_fields(&pen, &response->fields);
    put_wire(&pen, wire);
    return (struct span){start, (size_t)(pen.at - start)};
}
