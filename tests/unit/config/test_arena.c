/* config/arena.h: alignment, zeroing, copies, the lent first block, and many sizes side by side. */
#include "config/arena.h"

#include <CUnit/Basic.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

static void test_alignment_and_zero(void) {
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t bytes = 0; bytes < 300; bytes++) {
        unsigned char *memory = arena_alloc(&arena, bytes);
        CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
        CU_ASSERT_EQUAL_FATAL((uintptr_t)memory % alignof(max_align_t), 0);
        for (size_t i = 0; i < bytes; i++) {
            CU_ASSERT_EQUAL_FATAL(memory[i], 0);
            memory[i] = 0xff;
        }
    }
    arena_reset(&arena);
    unsigned char *again = arena_alloc(&arena, 64);
    CU_ASSERT_EQUAL(again[0] | again[63], 0);
    arena_reset(&arena);
}

static void test_copies(void) {
    struct arena arena;
    arena_init(&arena, NULL, 0);
    char source[] = "text";
    char *copy = arena_strdup(&arena, source);
    struct span span = arena_copy_span(&arena, (struct span){source, 2});
    char *part = arena_copy(&arena, (struct span){source + 1, 2});
    source[0] = source[1] = 'X';
    CU_ASSERT_STRING_EQUAL(copy, "text");
    CU_ASSERT_STRING_EQUAL(part, "ex");
    CU_ASSERT_TRUE(span_equal(span, span_of("te")));
    CU_ASSERT_STRING_EQUAL(arena_printf(&arena, "%s-%d", "a", 7), "a-7");
    CU_ASSERT_EQUAL(strlen(arena_printf(&arena, "%*s", 5000, "")), 5000);
    CU_ASSERT_STRING_EQUAL(arena_copy(&arena, SPAN_NONE), "");
    arena_reset(&arena);
}

static void test_first_block(void) {
    alignas(max_align_t) char block[256];
    struct arena arena;
    arena_init(&arena, block, sizeof block);
    char *inside = arena_alloc(&arena, 64);
    CU_ASSERT_TRUE(inside >= block && inside + 64 <= block + sizeof block);
    CU_ASSERT_EQUAL(arena_size_bytes(&arena), 0);
    char *outside = arena_alloc(&arena, 1024);
    CU_ASSERT_TRUE(outside + 1024 <= block || outside >= block + sizeof block);
    CU_ASSERT_TRUE(arena_size_bytes(&arena) >= 1024);
    arena_reset(&arena);
    CU_ASSERT_EQUAL(arena_size_bytes(&arena), 0);
    char *again = arena_alloc(&arena, 64);
    CU_ASSERT_TRUE(again >= block && again + 64 <= block + sizeof block);
    arena_reset(&arena);
}

/* A first block may begin and end anywhere, and be too small for anything. */
static void test_an_unaligned_first_block(void) {
    alignas(max_align_t) char block[256];
    for (size_t from = 0; from < 20; from++) {
        for (size_t length = 0; length < 80; length++) {
            struct arena arena;
            arena_init(&arena, block + from, length);
            char *memory = arena_alloc(&arena, 9);
            CU_ASSERT_EQUAL_FATAL((uintptr_t)memory % alignof(max_align_t), 0);
            bool inside = memory >= block && memory < block + sizeof block;
            CU_ASSERT_TRUE_FATAL(!inside || (memory >= block + from && memory + 9 <= block + from + length));
            CU_ASSERT_EQUAL_FATAL(inside, arena_size_bytes(&arena) == 0);
            arena_reset(&arena);
        }
    }
}

/* Nothing overlaps: each piece is filled with its own byte, and all are as they were in the end. */
static void test_many_sizes(void) {
    enum { PIECES = 5000 };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    unsigned char **pieces = must_calloc(PIECES, sizeof *pieces);
    size_t *sizes = must_calloc(PIECES, sizeof *sizes);
    uint32_t random = 1;
    size_t total = 0;
    for (size_t i = 0; i < PIECES; i++) {
        random = random * 1664525 + 1013904223;
        sizes[i] = (random >> 16) % (i % 100 == 0 ? 100000 : 200);
        pieces[i] = arena_alloc_raw(&arena, sizes[i]);
        memset(pieces[i], (int)(i & 0xff), sizes[i]);
        total += sizes[i];
    }
    bool same = true;
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t j = 0; j < sizes[i]; j++) {
            same = same && pieces[i][j] == (i & 0xff);
        }
    }
    CU_ASSERT_TRUE(same);
    CU_ASSERT_TRUE(arena_size_bytes(&arena) >= total);
    CU_ASSERT_TRUE(arena_size_bytes(&arena) < 3 * total + 1000000);
    arena_reset(&arena);
    free(pieces);
    free(sizes);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("arena", NULL, NULL);
    CU_add_test(suite, "alignment and zeroes", test_alignment_and_zero);
    CU_add_test(suite, "copies", test_copies);
    CU_add_test(suite, "the first block", test_first_block);
    CU_add_test(suite, "an unaligned first block", test_an_unaligned_first_block);
    CU_add_test(suite, "many sizes", test_many_sizes);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
