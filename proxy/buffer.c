/* Buffers in lent blocks. Called by stream.c and whoever fills or empties a stream, on the worker's thread.
 * Always true: start <= end <= capacity; bytes == NULL exactly when capacity == 0. */
#include "proxy/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"

struct buffer_block {
    struct buffer_block *next;
};

/* Free blocks kept for the next connection; more than these go back to the system, so that a burst is forgotten. */
enum { FREE_BLOCKS_MAX = 256, FREE_LARGE_MAX = 64 };

void buffer_pool_init(struct buffer_pool *pool) {
    *pool = (struct buffer_pool){0};
}

static void free_list(struct buffer_block *block) {
    while (block != NULL) {
        struct buffer_block *next = block->next;
        free(block);
        block = next;
    }
}

void buffer_pool_free(struct buffer_pool *pool) {
    free_list(pool->free_blocks);
    free_list(pool->free_large);
    buffer_pool_init(pool);
}

static void *take(struct buffer_block **list, size_t *count, size_t bytes) {
    struct buffer_block *block = *list;
    if (block == NULL) {
        return must_malloc(bytes);
    }
    *list = block->next;
    (*count)--;
    return block;
}

static void put_back(struct buffer_block **list, size_t *count, size_t most, void *memory) {
    if (*count >= most) {
        free(memory);
        return;
    }
    struct buffer_block *block = memory;
    block->next = *list;
    *list = block;
    (*count)++;
}

void *buffer_pool_lend(struct buffer_pool *pool) {
    pool->lent_bytes += BUFFER_BLOCK_BYTES;
    return take(&pool->free_blocks, &pool->free_count, BUFFER_BLOCK_BYTES);
}

void buffer_pool_take_back(struct buffer_pool *pool, void *memory) {
    pool->lent_bytes -= BUFFER_BLOCK_BYTES;
    put_back(&pool->free_blocks, &pool->free_count, FREE_BLOCKS_MAX, memory);
}

void buffer_move_to_front(struct buffer *buffer) {
    if (buffer->start > 0) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, buffer_length(buffer));
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
}

void buffer_make_room(struct buffer *buffer, struct buffer_pool *pool) {
    if (buffer->bytes == NULL) {
        *buffer = (struct buffer){.bytes = buffer_pool_lend(pool), .capacity = BUFFER_BLOCK_BYTES};
    } else if (buffer->end == buffer->capacity) {
        buffer_move_to_front(buffer);
    }
}

bool buffer_grow(struct buffer *buffer, struct buffer_pool *pool) {
    if (buffer->capacity >= BUFFER_LARGE_BYTES) {
        return false;
    }
    char *larger = take(&pool->free_large, &pool->free_large_count, BUFFER_LARGE_BYTES);
    size_t length = buffer_length(buffer);
    if (length > 0) {
        memcpy(larger, buffer->bytes + buffer->start, length);
    }
    buffer_release(buffer, pool);
    pool->lent_bytes += BUFFER_LARGE_BYTES;
    *buffer = (struct buffer){.bytes = larger, .capacity = BUFFER_LARGE_BYTES, .end = (uint32_t)length};
    return true;
}

void buffer_release(struct buffer *buffer, struct buffer_pool *pool) {
    if (buffer->capacity == BUFFER_LARGE_BYTES) {
        pool->lent_bytes -= BUFFER_LARGE_BYTES;
        put_back(&pool->free_large, &pool->free_large_count, FREE_LARGE_MAX, buffer->bytes);
    } else if (buffer->bytes != NULL) {
        buffer_pool_take_back(pool, buffer->bytes);
    }
    *buffer = (struct buffer){0};
}

size_t buffer_append(struct buffer *buffer, struct span bytes) {
    assert(buffer->bytes != NULL);
    size_t room = buffer_room(buffer);
    size_t count = bytes.len < room ? bytes.len : room;
    if (count > 0) {
        memcpy(buffer->bytes + buffer->end, bytes.ptr, count);
        buffer->end += (uint32_t)count;
    }
    return count;
}
