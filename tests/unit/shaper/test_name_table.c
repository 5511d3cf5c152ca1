/* shaper/name_table.h: the same number for the same name, whatever comes in between. */
#include "shaper/name_table.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/shaper/given.h"

static void names_keep_their_numbers(void) {
    struct name_table table = {0};
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < 5000; i++) {
            char name[32];
            snprintf(name, sizeof name, "host-%zu.example", i);
            CU_ASSERT_EQUAL(name_table_number(&table, name), i);
            CU_ASSERT_STRING_EQUAL(table.names[i], name);
        }
    }
    CU_ASSERT_EQUAL(table.count, 5000);
    CU_ASSERT_EQUAL(name_table_number(&table, ""), 5000);
    name_table_clear(&table);
    CU_ASSERT_EQUAL(name_table_number(&table, "a"), 0);
    name_table_clear(&table);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(names_keep_their_numbers), CU_TEST_INFO_NULL};
    return run_suite("name_table", tests);
}
