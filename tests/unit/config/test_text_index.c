/* config/text_index.h: what was added is found, and nothing else. */
#include "config/text_index.h"

#include <stdint.h>
#include <stdio.h>

#include <CUnit/Basic.h>

enum { KEYS = 100000 };

static void test_many(void) {
    static char keys[KEYS][16];
    struct arena arena;
    struct text_index index = {.count = 0};
    arena_init(&arena, NULL, 0);
    CU_ASSERT_PTR_NULL(text_index_find(&index, "1"));
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "%zu", i * 7);
        CU_ASSERT_PTR_NULL(text_index_find(&index, keys[i]));
        text_index_add(&index, &arena, keys[i], keys[i]);
    }
    unsigned wrong = 0;
    for (size_t i = 0; i < KEYS * 7; i++) {
        char key[16];
        snprintf(key, sizeof key, "%zu", i);
        wrong += text_index_find(&index, key) != (i % 7 == 0 ? keys[i / 7] : NULL);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_PTR_NULL(text_index_find(&index, ""));
    arena_reset(&arena);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("text_index", NULL, NULL);
    CU_add_test(suite, "many keys", test_many);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
