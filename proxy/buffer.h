/* Bounded byte queues in blocks that a worker lends and takes back, so that idle connections hold no memory.
 *
 * One worker. A block is 32 KiB; a head that does not fit grows its buffer to one of 64 KiB, the largest there is, and
 * a body that will fill it is read into one. */
#ifndef WEIR_PROXY_BUFFER_H
#define WEIR_PROXY_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/span.h"

enum { BUFFER_BLOCK_BYTES = 32 * 1024, BUFFER_LARGE_BYTES = 64 * 1024 };

struct buffer_block;

struct buffer_pool {
    struct buffer_block *free_blocks, *free_large;
    size_t free_count, free_large_count;
    size_t lent_bytes; /* for memory figures */
};

struct buffer {
    char *bytes; /* NULL: holds no block */
    uint32_t capacity;
    uint32_t start, end; /* the filled part */
};

void buffer_pool_init(struct buffer_pool *pool);
void buffer_pool_free(struct buffer_pool *pool);

void *buffer_pool_lend(struct buffer_pool *pool); /* BUFFER_BLOCK_BYTES, not cleared */
void buffer_pool_take_back(struct buffer_pool *pool, void *block);

/* Gets a block when there is none and moves the filled part to the front when there is no room behind it. */
void buffer_make_room(struct buffer *buffer, struct buffer_pool *pool);
/* Moves the filled part to the front, so that all the room there is lies behind it. */
void buffer_move_to_front(struct buffer *buffer);
/* To 64 KiB, keeping the content; false when it has that already. */
bool buffer_grow(struct buffer *buffer, struct buffer_pool *pool);
/* Gives the block back; the content is lost. */
void buffer_release(struct buffer *buffer, struct buffer_pool *pool);

static inline size_t buffer_length(const struct buffer *buffer) {
    return buffer->end - buffer->start;
}
static inline size_t buffer_room(const struct buffer *buffer) {
    return buffer->capacity - buffer->end;
}
static inline struct span buffer_content(const struct buffer *buffer) {
    return buffer->bytes != NULL ? (struct span){buffer->bytes + buffer->start, buffer_length(buffer)} : SPAN_NONE;
}
static inline void buffer_consume(struct buffer *buffer, size_t bytes) {
    buffer->start += (uint32_t)bytes;
    if (buffer->start == buffer->end) {
        buffer->start = buffer->end = 0;
    }
}
/* Copies as much as there is room for; returns how much. There must be a block. */
size_t buffer_append(struct buffer *buffer, struct span bytes);

#endif
