/* proxy/counters.c: the table of rows, and the sum over blocks. */
#include "proxy/counters.h"

#include <stdbool.h>
#include <string.h>

#include <CUnit/Basic.h>

static bool is_name(const char *name) {
    return name[0] != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz_")] == '\0';
}

static void test_rows(void) {
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = &counter_rows[i];
        size_t length = strlen(row->name);
        bool total = length > 6 && strcmp(row->name + length - 6, "_total") == 0;
        CU_ASSERT_TRUE(is_name(row->name) || strncmp(row->name, "responses_", 10) == 0);
        CU_ASSERT_TRUE(strlen(row->help) > 0);
        CU_ASSERT_EQUAL(total, row->type == COUNTER_TYPE_COUNTER); /* as Prometheus names them */
        for (size_t j = 0; j < i; j++) {
            CU_ASSERT_STRING_NOT_EQUAL(row->name, counter_rows[j].name);
        }
    }
}

static void test_sum(void) {
    static struct counters one, two;
    counters_add(&one, COUNTER_REQUESTS, 3);
    counters_add(&one, COUNTER_REQUESTS, 4);
    counters_add(&two, COUNTER_REQUESTS, 10);
    counters_add(&two, COUNTER_TUNNELS, 5);
    counters_subtract(&two, COUNTER_TUNNELS, 2);
    struct counters_snapshot sum = {{0}};
    counters_sum(&sum, &one);
    counters_sum(&sum, &two);
    CU_ASSERT_EQUAL(sum.value[COUNTER_REQUESTS], 17);
    CU_ASSERT_EQUAL(sum.value[COUNTER_TUNNELS], 3);
    CU_ASSERT_EQUAL(sum.value[COUNTER_BYTES_OUT], 0);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("counters", NULL, NULL);
    CU_add_test(suite, "the table", test_rows);
    CU_add_test(suite, "the sum of blocks", test_sum);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
