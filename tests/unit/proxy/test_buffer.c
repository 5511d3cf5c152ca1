/* proxy/buffer.h: bytes come out as they went in, blocks come back, and memory is counted. */
#include "proxy/buffer.h"

#include <CUnit/Basic.h>
#include <stdlib.h>

static uint32_t seed;

static uint32_t next_random(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static void an_empty_buffer_holds_no_block(void) {
    struct buffer_pool pool;
    struct buffer buffer = {0};
    buffer_pool_init(&pool);
    CU_ASSERT_PTR_NULL(buffer_content(&buffer).ptr);
    CU_ASSERT_EQUAL(buffer_room(&buffer), 0);
    buffer_release(&buffer, &pool);
    CU_ASSERT_EQUAL(pool.lent_bytes, 0);
    buffer_make_room(&buffer, &pool);
    CU_ASSERT_EQUAL(buffer_room(&buffer), BUFFER_BLOCK_BYTES);
    CU_ASSERT_EQUAL(pool.lent_bytes, BUFFER_BLOCK_BYTES);
    CU_ASSERT_EQUAL(buffer_content(&buffer).len, 0);
    buffer_release(&buffer, &pool);
    CU_ASSERT_PTR_NULL(buffer.bytes);
    CU_ASSERT_EQUAL(pool.lent_bytes, 0);
    buffer_pool_free(&pool);
}

static void a_block_is_lent_again(void) {
    struct buffer_pool pool;
    buffer_pool_init(&pool);
    void *first = buffer_pool_lend(&pool);
    void *second = buffer_pool_lend(&pool);
    CU_ASSERT_PTR_NOT_EQUAL(first, second);
    buffer_pool_take_back(&pool, first);
    CU_ASSERT_EQUAL(pool.free_count, 1);
    CU_ASSERT_PTR_EQUAL(buffer_pool_lend(&pool), first);
    CU_ASSERT_EQUAL(pool.free_count, 0);
    CU_ASSERT_EQUAL(pool.lent_bytes, 2 * BUFFER_BLOCK_BYTES);
    buffer_pool_take_back(&pool, first);
    buffer_pool_take_back(&pool, second);
    buffer_pool_free(&pool);
}

/* What a burst of connections needed is not kept for ever. */
static void a_burst_is_forgotten(void) {
    enum { MANY = 1000 };
    static void *blocks[MANY];
    struct buffer_pool pool;
    buffer_pool_init(&pool);
    for (size_t i = 0; i < MANY; i++) {
        blocks[i] = buffer_pool_lend(&pool);
    }
    CU_ASSERT_EQUAL(pool.lent_bytes, (size_t)MANY * BUFFER_BLOCK_BYTES);
    for (size_t i = 0; i < MANY; i++) {
        buffer_pool_take_back(&pool, blocks[i]);
    }
    CU_ASSERT_EQUAL(pool.lent_bytes, 0);
    CU_ASSERT_TRUE(pool.free_count < MANY / 2);
    buffer_pool_free(&pool);
    CU_ASSERT_PTR_NULL(pool.free_blocks);
}

static void appending_stops_where_the_room_ends(void) {
    static char bytes[BUFFER_LARGE_BYTES + 100];
    struct buffer_pool pool;
    struct buffer buffer = {0};
    buffer_pool_init(&pool);
    buffer_make_room(&buffer, &pool);
    CU_ASSERT_EQUAL(buffer_append(&buffer, (struct span){bytes, sizeof bytes}), BUFFER_BLOCK_BYTES);
    CU_ASSERT_EQUAL(buffer_append(&buffer, (struct span){bytes, 1}), 0);
    CU_ASSERT_EQUAL(buffer_append(&buffer, SPAN_NONE), 0);
    CU_ASSERT_TRUE(buffer_grow(&buffer, &pool));
    CU_ASSERT_EQUAL(pool.lent_bytes, BUFFER_LARGE_BYTES);
    CU_ASSERT_EQUAL(buffer_append(&buffer, (struct span){bytes, sizeof bytes}),
                    BUFFER_LARGE_BYTES - BUFFER_BLOCK_BYTES);
    CU_ASSERT_FALSE(buffer_grow(&buffer, &pool));
    CU_ASSERT_EQUAL(buffer_length(&buffer), BUFFER_LARGE_BYTES);
    buffer_consume(&buffer, BUFFER_LARGE_BYTES);
    CU_ASSERT_EQUAL(buffer_room(&buffer), BUFFER_LARGE_BYTES);
    buffer_release(&buffer, &pool);
    CU_ASSERT_EQUAL(pool.lent_bytes, 0);
    buffer_pool_free(&pool);
}

static void growing_gets_a_first_block_too(void) {
    struct buffer_pool pool;
    struct buffer buffer = {0};
    buffer_pool_init(&pool);
    CU_ASSERT_TRUE(buffer_grow(&buffer, &pool));
    CU_ASSERT_EQUAL(buffer_room(&buffer), BUFFER_LARGE_BYTES);
    buffer_release(&buffer, &pool);
    CU_ASSERT_EQUAL(pool.lent_bytes, 0);
    buffer_pool_free(&pool);
}

/* The n-th byte that goes in is pattern(n); so must be the n-th that comes out. */
static char pattern(uint64_t n) {
    return (char)(n * 131 + (n >> 8) * 7);
}

struct queue {
    struct buffer buffer;
    uint64_t in, out; /* bytes so far */
};

static void fill(struct queue *queue) {
    static char piece[5000];
    size_t length = next_random() % sizeof piece;
    for (size_t i = 0; i < length; i++) {
        piece[i] = pattern(queue->in + i);
    }
    queue->in += buffer_append(&queue->buffer, (struct span){piece, length});
}

static bool drain(struct queue *queue) {
    struct span content = buffer_content(&queue->buffer);
    size_t length = content.len > 0 ? next_random() % (content.len + 1) : 0;
    if (length > 6000) {
        length = next_random() % 6000;
    }
    bool same = content.len == queue->in - queue->out;
    for (size_t i = 0; i < length; i++) {
        same &= content.ptr[i] == pattern(queue->out + i);
    }
    buffer_consume(&queue->buffer, length);
    queue->out += length;
    return same;
}

static void a_random_queue_keeps_its_bytes(void) {
    struct buffer_pool pool;
    buffer_pool_init(&pool);
    for (seed = 1; seed < 20;) {
        uint32_t this_seed = seed;
        struct queue queue = {0};
        bool same = true;
        for (size_t i = 0; i < 2000 && same; i++) {
            buffer_make_room(&queue.buffer, &pool);
            fill(&queue);
            if (next_random() % 500 == 0) {
                buffer_grow(&queue.buffer, &pool);
            }
            same = drain(&queue);
        }
        CU_ASSERT_TRUE(same);
        CU_ASSERT_TRUE(queue.out > 1000000);
        buffer_release(&queue.buffer, &pool);
        seed = this_seed + 1;
    }
    CU_ASSERT_EQUAL(pool.lent_bytes, 0);
    buffer_pool_free(&pool);
}

/* A full buffer of which something was consumed has room again: nobody waits for ever. */
static void a_full_buffer_moves_to_the_front(void) {
    static char bytes[BUFFER_BLOCK_BYTES];
    struct buffer_pool pool;
    struct buffer buffer = {0};
    buffer_pool_init(&pool);
    buffer_make_room(&buffer, &pool);
    bytes[BUFFER_BLOCK_BYTES - 1] = 'z';
    buffer_append(&buffer, (struct span){bytes, sizeof bytes});
    buffer_make_room(&buffer, &pool);
    CU_ASSERT_EQUAL(buffer_room(&buffer), 0);
    buffer_consume(&buffer, 1);
    buffer_make_room(&buffer, &pool);
    CU_ASSERT_EQUAL(buffer_room(&buffer), 1);
    buffer_consume(&buffer, BUFFER_BLOCK_BYTES - 2);
    CU_ASSERT_EQUAL(buffer_content(&buffer).len, 1);
    CU_ASSERT_EQUAL(buffer_content(&buffer).ptr[0], 'z');
    buffer_release(&buffer, &pool);
    buffer_pool_free(&pool);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("buffer", NULL, NULL);
    CU_ADD_TEST(suite, an_empty_buffer_holds_no_block);
    CU_ADD_TEST(suite, a_block_is_lent_again);
    CU_ADD_TEST(suite, a_burst_is_forgotten);
    CU_ADD_TEST(suite, appending_stops_where_the_room_ends);
    CU_ADD_TEST(suite, growing_gets_a_first_block_too);
    CU_ADD_TEST(suite, a_random_queue_keeps_its_bytes);
    CU_ADD_TEST(suite, a_full_buffer_moves_to_the_front);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
