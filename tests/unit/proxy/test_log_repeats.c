/* proxy/log_repeats.h: so many of a kind pass in a second; the others are counted, none is lost from the count. */
#include "proxy/log_repeats.h"

#include <stdlib.h>

#include <CUnit/Basic.h>

static const int64_t second_ns = INT64_C(1000000000), start_ns = INT64_C(77000000000);

static struct log_repeats *new_repeats(void) {
    struct log_repeats *repeats = calloc(1, sizeof *repeats);
    CU_ASSERT_PTR_NOT_NULL_FATAL(repeats);
    pthread_mutex_init(&repeats->lock, NULL);
    return repeats;
}

static void end(struct log_repeats *repeats) {
    pthread_mutex_destroy(&repeats->lock);
    free(repeats);
}

static unsigned pass_many(struct log_repeats *repeats, const char *format, unsigned count, int64_t now_ns) {
    unsigned passed = 0;
    for (unsigned i = 0; i < count; i++) {
        if (log_repeats_pass(repeats, format, LOG_LEVEL_WARN, now_ns)) {
            passed++;
            log_repeats_written(repeats, format, format);
        }
    }
    return passed;
}

static void test_a_kind(void) {
    struct log_repeats *repeats = new_repeats();
    struct log_repeats_told told;
    CU_ASSERT_FALSE(log_repeats_is_open(repeats));
    CU_ASSERT_EQUAL(pass_many(repeats, "one", 1000, start_ns), LOG_REPEATS_A_SECOND);
    CU_ASSERT_EQUAL(pass_many(repeats, "two", 5, start_ns), 5);
    CU_ASSERT_TRUE(log_repeats_is_open(repeats));
    CU_ASSERT_FALSE(log_repeats_tell(repeats, start_ns + second_ns - 1, false, &told));
    CU_ASSERT_TRUE(log_repeats_tell(repeats, start_ns + second_ns, false, &told));
    CU_ASSERT_EQUAL(told.held, 1000 - LOG_REPEATS_A_SECOND);
    CU_ASSERT_EQUAL(told.level, LOG_LEVEL_WARN);
    CU_ASSERT_STRING_EQUAL(told.sample, "one");
    CU_ASSERT_FALSE(log_repeats_tell(repeats, start_ns + second_ns, false, &told));
    CU_ASSERT_FALSE(log_repeats_is_open(repeats));
    CU_ASSERT_EQUAL(pass_many(repeats, "one", 7, start_ns + second_ns), 7);
    end(repeats);
}

/* An hour of flood: every line is written or counted, and few are written. */
static void test_flood(void) {
    struct log_repeats *repeats = new_repeats();
    struct log_repeats_told told;
    uint64_t written = 0, counted = 0, tellings = 0;
    for (int64_t ms = 0; ms < 3600 * 1000; ms += 5) {
        int64_t now_ns = start_ns + ms * 1000000;
        written += pass_many(repeats, "flood", 3, now_ns);
        while (ms % 700 == 0 && log_repeats_tell(repeats, now_ns, false, &told)) {
            counted += told.held;
            tellings++;
        }
    }
    while (log_repeats_tell(repeats, start_ns, true, &told)) {
        counted += told.held;
    }
    CU_ASSERT_EQUAL(written + counted, 3600 * 200 * 3);
    CU_ASSERT_TRUE(written <= 3601 * LOG_REPEATS_A_SECOND);
    CU_ASSERT_TRUE(tellings > 2000 && tellings <= 3600);
    end(repeats);
}

/* More kinds than there is room for: those without room pass. */
static void test_full_table(void) {
    static const char formats[2 * LOG_REPEATS_KINDS];
    struct log_repeats *repeats = new_repeats();
    unsigned held_back = 0;
    for (size_t i = 0; i < sizeof formats; i++) {
        held_back += pass_many(repeats, &formats[i], 100, start_ns) == LOG_REPEATS_A_SECOND;
    }
    CU_ASSERT_EQUAL(held_back, LOG_REPEATS_KINDS);
    end(repeats);
}

static void *flood(void *argument) {
    unsigned *passed = argument;
    static struct log_repeats repeats = {.lock = PTHREAD_MUTEX_INITIALIZER};
    *passed = pass_many(&repeats, "shared", 10000, start_ns);
    return NULL;
}

static void test_threads(void) {
    pthread_t threads[8];
    unsigned passed[8], total = 0;
    for (size_t i = 0; i < 8; i++) {
        pthread_create(&threads[i], NULL, flood, &passed[i]);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        total += passed[i];
    }
    CU_ASSERT_EQUAL(total, LOG_REPEATS_A_SECOND);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("log_repeats", NULL, NULL);
    CU_add_test(suite, "a kind", test_a_kind);
    CU_add_test(suite, "an hour of flood", test_flood);
    CU_add_test(suite, "a full table", test_full_table);
    CU_add_test(suite, "eight threads", test_threads);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
