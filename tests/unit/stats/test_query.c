/* stats/query.h: what is found in a query, and what is not. */
#include "stats/query.h"

#include <CUnit/Basic.h>
#include <string.h>

static void parameters_are_found_and_decoded(void) {
    static const struct {
        const char *query, *name, *value; /* value NULL: not there */
    } cases[] = {
        {"xml", "xml", ""},
        {"XML", "xml", ""},
        {"xml=classic", "xml", "classic"},
        {"xmlish", "xml", NULL},
        {"a=1&b=2", "b", "2"},
        {"a=1&a=2", "a", "1"},
        {"&&a=1&", "a", "1"},
        {"", "a", NULL},
        {"=x", "", "x"},
        {"reset=shop.example%3A80%3a12", "reset", "shop.example:80:12"},
        {"q=a+b%20c%2B", "q", "a b c+"},
        {"q=100%", "q", "100%"},
        {"q=%zz%4", "q", "%zz%4"},
        {"q=a%00b", "q", NULL},
        {"q=a=b", "q", "a=b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char value[QUERY_VALUE_MAX];
        bool found = query_find(span_of(cases[i].query), cases[i].name, value);
        CU_ASSERT_EQUAL(found, cases[i].value != NULL);
        if (found && cases[i].value != NULL) {
            CU_ASSERT_STRING_EQUAL(value, cases[i].value);
        }
    }
}

static void a_value_beyond_the_bound_is_not_there(void) {
    char query[QUERY_VALUE_MAX + 3] = "q=", value[QUERY_VALUE_MAX];
    memset(query + 2, 'x', QUERY_VALUE_MAX);
    CU_ASSERT_FALSE(query_find((struct span){query, QUERY_VALUE_MAX + 2}, "q", value));
    CU_ASSERT_TRUE(query_find((struct span){query, QUERY_VALUE_MAX + 1}, "q", value));
    CU_ASSERT_EQUAL(strlen(value), QUERY_VALUE_MAX - 1);
}

static void all_parameters_are_gone_through(void) {
    struct span query = span_of("&a=1&&b%3d=x+y&c&d=%00&e=2");
    char name[QUERY_VALUE_MAX], value[QUERY_VALUE_MAX];
    static const struct {
        enum query_part part;
        const char *name, *value;
    } expected[] = {
        {QUERY_PARAMETER, "a", "1"}, {QUERY_PARAMETER, "b=", "x y"}, {QUERY_PARAMETER, "c", ""},
        {QUERY_UNREADABLE, "", ""},  {QUERY_PARAMETER, "e", "2"},    {QUERY_END, "", ""},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        enum query_part part = query_next(&query, name, value);
        CU_ASSERT_EQUAL(part, expected[i].part);
        if (part == QUERY_PARAMETER) {
            CU_ASSERT_STRING_EQUAL(name, expected[i].name);
            CU_ASSERT_STRING_EQUAL(value, expected[i].value);
        }
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("query", NULL, NULL);
    CU_ADD_TEST(suite, parameters_are_found_and_decoded);
    CU_ADD_TEST(suite, a_value_beyond_the_bound_is_not_there);
    CU_ADD_TEST(suite, all_parameters_are_gone_through);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
