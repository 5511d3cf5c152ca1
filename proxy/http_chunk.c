/* Chunked coding on the way out. Called by http1.c for responses and origin_connection.c for requests. */
#include "proxy/http_chunk.h"

#include <stdio.h>

#include "proxy/worker.h"

enum { FRAME_BYTES = 16, LAST_BYTES = 5 };

/* One chunk of what fits now; room is kept for the last chunk, so that the end of a body always finds a place. */
static size_t put_chunk(struct stream *stream, struct span data) {
    buffer_make_room(&stream->out, &stream->worker->buffers);
    size_t room = buffer_room(&stream->out);
    if (room <= FRAME_BYTES + LAST_BYTES) {
        return 0;
    }
    room -= FRAME_BYTES + LAST_BYTES;
    size_t length = data.len < room ? data.len : room;
    char size[FRAME_BYTES];
    int digits = snprintf(size, sizeof size, "%zx\r\n", length);
    stream_put(stream, (struct span){size, (size_t)digits});
    stream_put(stream, (struct span){data.ptr, length});
    stream_put(stream, SPAN_LITERAL("\r\n"));
    return length;
}

size_t http_send_chunk(struct stream *stream, struct span data) {
    size_t taken = 0;
    while (taken < data.len) {
        size_t count = put_chunk(stream, span_skip(data, taken));
        taken += count;
        if (count == 0 && !stream_flush(stream)) {
            break;
        }
    }
    return taken;
}

/* What must not come in a trailer: framing, routing, authentication, and what belongs to one connection. */
static bool may_be_trailer(const struct field *field) {
    static const char *const never[] = {"authorization", "cache-control", "content-encoding",
                                        "content-range", "max-forwards",  "www-authenticate",
                                        "if-match",      "if-none-match", "range",
                                        "age",           "expires",       "vary"};
    switch (field->id) {
    case FIELD_CONNECTION:
    case FIELD_CONTENT_LENGTH:
    case FIELD_CONTENT_TYPE:
    case FIELD_COOKIE:
    case FIELD_DATE:
    case FIELD_EXPECT:
    case FIELD_HOST:
    case FIELD_KEEP_ALIVE:
    case FIELD_LOCATION:
    case FIELD_PROXY_AUTHENTICATE:
    case FIELD_PROXY_AUTHORIZATION:
    case FIELD_PROXY_CONNECTION:
    case FIELD_SET_COOKIE:
    case FIELD_TE:
    case FIELD_TRAILER:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
        return false;
    default:
        break;
    }
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        if (span_equal_nocase(field->name, span_of(never[i]))) {
            return false;
        }
    }
    return !fields_is_forwarded(field);
}

/* The last chunk as text in the arena. */
static struct span last_chunk(struct arena *arena, const struct field_list *trailers) {
    size_t bound = sizeof "0\r\n\r\n";
    for (size_t i = 0; i < trailers->count; i++) {
        bound += trailers->fields[i].name.len + trailers->fields[i].value.len + 4;
    }
    char *text = arena_alloc_raw(arena, bound);
    size_t length = 0;
    for (size_t i = 0; i < trailers->count; i++) {
        const struct field *field = &trailers->fields[i];
        if (may_be_trailer(field)) {
            length += (size_t)snprintf(text + length, bound - length, "%s%.*s: %.*s\r\n", length == 0 ? "0\r\n" : "",
                                       (int)field->name.len, field->name.ptr, (int)field->value.len, field->value.ptr);
        }
    }
    length += (size_t)snprintf(text + length, bound - length, "%s\r\n", length == 0 ? "0\r\n" : "");
    return (struct span){text, length};
}

void http_send_last_chunk(struct stream *stream, struct arena *arena, const struct field_list *trailers) {
    static const struct span bare = {"0\r\n\r\n", 5};
    struct span end = trailers != NULL && trailers->count > 0 ? last_chunk(arena, trailers) : bare;
    struct buffer *out = &stream->out;
    buffer_make_room(out, &stream->worker->buffers);
    if (buffer_room(out) < end.len) {
        stream_flush(stream);
        buffer_make_room(out, &stream->worker->buffers);
    }
    if (buffer_room(out) < end.len && !buffer_grow(out, &stream->worker->buffers)) {
        buffer_move_to_front(out);
    }
    /* Trailers are optional, a body's end is not. put_chunk() has kept room for it; a head queued behind others fills
     * the buffer to its last byte at times. */
    if (buffer_room(out) < end.len) {
        end = bare;
    }
    if (buffer_room(out) < end.len) {
        stream->unwritable = true;
        return;
    }
    stream_put(stream, end);
}
