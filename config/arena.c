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
_Static_assert(CHUNK_BYTES % _Alignof(max_align_t) == 0, "a chunk's end is aligned");

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
    size_t padding = (size_t)(-(uintptr_t)first_block) & (_Alignof(max_align_t) - 1);
    if (first_block != NULL && first_block_len >= padding) {
        arena->next = arena->first_block + padding;
        arena->end = arena->next + ((first_block_len - padding) & ~(_Alignof(max_align_t) - 1));
    }
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
    size_t size = bytes > (size_t)CHUNK_BYTES ? arena_aligned(bytes) : (size_t)CHUNK_BYTES;
    if (size < bytes) {
        out_of_memory(bytes);
    }
    struct arena_chunk *chunk = must_malloc(sizeof *chunk + size);
    chunk->older = arena->chunks;
    chunk->size = size;
    arena->chunks = chunk;
    arena->next = chunk->bytes + arena_aligned(bytes);
    arena->end = chunk->bytes + size;
    return chunk->bytes;
}

void *arena_alloc(struct arena *arena, size_t bytes) {
    void *memory = arena_alloc_raw(arena, bytes);
    memset(memory, 0, bytes);
    return memory;
}

char *arena_strdup(struct arena *arena, const char *text) {
    return arena_copy(arena, span_of(text));
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
