/* What the tests of shaper/ share: random numbers that repeat, threads, and the running of a suite. */
#ifndef WEIR_TESTS_UNIT_SHAPER_GIVEN_H
#define WEIR_TESTS_UNIT_SHAPER_GIVEN_H

#include <CUnit/Basic.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#define SECOND_NS INT64_C(1000000000)

static inline uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Eight threads run the same function, each with its element of an array. */
static inline void run_eight_threads(void *(*run)(void *), void *elements, size_t element_bytes) {
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++) {
        pthread_create(&threads[i], NULL, run, (char *)elements + i * element_bytes);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
}

static inline int run_suite(const char *name, const CU_TestInfo *tests) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite(name, NULL, NULL);
    for (; tests->pName != NULL; tests++) {
        CU_add_test(suite, tests->pName, tests->pTestFunc);
    }
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define TEST(function)                                                                                                 \
    { #function, function }

#endif
