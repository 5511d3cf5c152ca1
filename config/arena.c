/* Arena: chunks in a list, bump allocation in the newest. See arena.h for the contract.
 * Called by config/ at load and by proxy/ for each exchange; one thread at a time. */
#include "config/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
    alignas(max_align_t) char bytes[];
};

enum { CHUNK_BYTES = 8192 - (int)sizeof(struct arena_chunk) };

static _Noreturn void out_of_memory(size_t bytes) {
    fprintf(stderr, "weir: out of memory: could not get %zu bytes\n", bytes);
    abort();
}

void *must_malloc(size_t bytes) {
    void *memory = malloc(bytes > 0 ? bytes : 1);
    if (memory == NULL) {
        out_of_memory(bytes);
    }
    return memory;
}

void *must_calloc(size_t count, size_t bytes) {
    void *memory = calloc(count > 0 ? count : 1, bytes > 0 ? bytes : 1);
    if (memory == NULL) {
        out_of_memory(count * bytes);
    }
    return memory;
}

void *must_realloc(void *memory, size_t bytes) {
    void *larger = realloc(memory, bytes > 0 ? bytes : 1);
    if (larger == NULL) {
        out_of_memory(bytes);
    }
    return larger;
}

void arena_init(struct arena *arena, void *first_block, size_t first_block_len) {
    *arena = (struct arena){.first_block = first_block, .first_block_len = first_block_len};
    arena->next = arena->first_block;
    arena->end = first_block != NULL ? arena->first_block + first_block_len : NULL;
}

void arena_reset(struct arena *arena) {
    while (arena->chunks != NULL) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->older;
        free(chunk);
    }
    arena_init(arena, arena->first_block, arena->first_block_len);
}

void *arena_alloc_chunk(struct arena *arena, size_t bytes) {
    size_t size = bytes > (size_t)CHUNK_BYTES ? bytes : (size_t)CHUNK_BYTES;
    struct arena_chunk *chunk = must_malloc(sizeof *chunk + size);
    chunk->older = arena->chunks;
    chunk->size = size;
    arena->chunks = chunk;
    arena->next = chunk->bytes + bytes;
    arena->end = chunk->bytes + size;
    return chunk->bytes;
}

void *arena_alloc(struct arena *arena, size_t bytes) {
    void *memory = arena_alloc_raw(arena, bytes);
    memset(memory, 0, bytes);
    return memory;
}

char *arena_copy(struct arena *arena, struct span text) {
    char *copy = arena_alloc_raw(arena, text.len + 1);
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    copy[text.len] = '\0';
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text) {
    return arena_copy(arena, span_of(text));
}

struct span arena_copy_span(struct arena *arena, struct span text) {
    return (struct span){arena_copy(arena, text), text.len};
}

char *arena_vprintf(struct arena *arena, const char *format, va_list arguments) {
    assert(format != NULL);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = arena_alloc_raw(arena, (size_t)(length < 0 ? 0 : length) + 1);
    vsnprintf(text, (size_t)(length < 0 ? 0 : length) + 1, format, again);
    va_end(again);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}

size_t arena_size_bytes(const struct arena *arena) {
    size_t total = 0;
    for (const struct arena_chunk *chunk = arena->chunks; chunk != NULL; chunk = chunk->older) {
        total += chunk->size;
    }
    return total;
}
