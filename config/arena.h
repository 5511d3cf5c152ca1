/* Memory that is freed all at once: everything of one configuration, or everything of one exchange.
 *
 * An arena belongs to one thread at a time. Allocation never fails: a process that has no memory left ends with a
 * message, because there is nothing useful it could do; bounds on what a peer may make weir hold stand elsewhere. */
#ifndef WEIR_CONFIG_ARENA_H
#define WEIR_CONFIG_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "config/span.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    char *next;                 /* free bytes of the newest chunk, or of the first block; both ends are aligned */
    char *end;
    char *first_block;      /* lent by the owner, used before any chunk is made; NULL for none */
    size_t first_block_len; /* bytes */
};

/* first_block may be NULL; it stays the caller's and must outlive the arena's use. */
void arena_init(struct arena *arena, void *first_block, size_t first_block_len);

/* Frees every chunk and begins again with the first block. All that was allocated is gone. */
void arena_reset(struct arena *arena);

/* Zeroed unless said otherwise, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_alloc_chunk(struct arena *arena, size_t bytes); /* from a new chunk; what arena_alloc_raw() falls back to */
static inline size_t arena_aligned(size_t bytes) {
    return (bytes + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
}
static inline void *arena_alloc_raw(struct arena *arena, size_t bytes) {
    bytes = bytes > 0 ? bytes : 1; /* so that there is a chunk to point into, and no two pointers are equal */
    if (bytes > (size_t)(arena->end - arena->next)) {
        return arena_alloc_chunk(arena, bytes);
    }
    void *memory = arena->next;
    arena->next += arena_aligned(bytes); /* no further than the end, which is aligned */
    return memory;
}

/* Copies, terminated by a zero byte that is not counted. */
char *arena_strdup(struct arena *arena, const char *text);
static inline char *arena_copy(struct arena *arena, struct span text) {
    char *copy = (char *)arena_alloc_raw(arena, text.len + 1);
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    copy[text.len] = '\0';
    return copy;
}
static inline struct span arena_copy_span(struct arena *arena, struct span text) {
    return (struct span){arena_copy(arena, text), text.len};
}
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

/* Bytes in chunks, for memory figures and tests. */
size_t arena_size_bytes(const struct arena *arena);

/* malloc, calloc and realloc that end the process with a message instead of returning NULL; free() frees them. */
void *must_malloc(size_t bytes);
void *must_calloc(size_t count, size_t bytes);
void *must_realloc(void *memory, size_t bytes);

#endif
