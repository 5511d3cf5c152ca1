/* config/span.h: comparing, cutting and trimming, and the elements of a list. */
#include "config/span.h"

#include <CUnit/Basic.h>

static void test_compare(void) {
    CU_ASSERT_TRUE(span_equal(span_of("ab"), SPAN_LITERAL("ab")));
    CU_ASSERT_FALSE(span_equal(span_of("ab"), span_of("aB")));
    CU_ASSERT_FALSE(span_equal(span_of("ab"), span_of("abc")));
    CU_ASSERT_TRUE(span_equal(SPAN_NONE, span_of("")));
    CU_ASSERT_TRUE(span_equal((struct span){"a\0b", 3}, (struct span){"a\0b", 3}));
    CU_ASSERT_FALSE(span_equal((struct span){"a\0b", 3}, (struct span){"a\0c", 3}));
    CU_ASSERT_TRUE(span_equal_nocase(span_of("Content-LENGTH"), span_of("content-length")));
    CU_ASSERT_FALSE(span_equal_nocase(span_of("["), span_of("{")));
    CU_ASSERT_TRUE(span_equal_nocase(SPAN_NONE, SPAN_NONE));
    CU_ASSERT_TRUE(span_starts_with(span_of("/path/x"), span_of("/path")));
    CU_ASSERT_FALSE(span_starts_with(span_of("/pat"), span_of("/path")));
    CU_ASSERT_TRUE(span_starts_with(SPAN_NONE, span_of("")));
    CU_ASSERT_PTR_NULL(span_of(NULL).ptr);
}

static void test_cut(void) {
    struct span text = span_of("hello");
    CU_ASSERT_TRUE(span_equal(span_skip(text, 2), span_of("llo")));
    CU_ASSERT_EQUAL(span_skip(text, 5).len, 0);
    CU_ASSERT_EQUAL(span_skip(text, 500).len, 0);
    CU_ASSERT_PTR_EQUAL(span_skip(text, 500).ptr, text.ptr + 5);
    CU_ASSERT_TRUE(span_equal(span_trim(span_of(" \t a b \t")), span_of("a b")));
    CU_ASSERT_EQUAL(span_trim(span_of(" \t ")).len, 0);
    CU_ASSERT_TRUE(span_equal(span_trim(span_of("a\r\n")), span_of("a\r\n")));
    CU_ASSERT_EQUAL(span_trim(SPAN_NONE).len, 0);
}

static void test_elements(void) {
    struct span rest = span_of(" a , b,, ,c d,");
    struct span element;
    CU_ASSERT_TRUE(span_next_element(&rest, &element));
    CU_ASSERT_TRUE(span_equal(element, span_of("a")));
    CU_ASSERT_TRUE(span_next_element(&rest, &element));
    CU_ASSERT_TRUE(span_equal(element, span_of("b")));
    CU_ASSERT_TRUE(span_next_element(&rest, &element));
    CU_ASSERT_TRUE(span_equal(element, span_of("c d")));
    CU_ASSERT_FALSE(span_next_element(&rest, &element));
    rest = SPAN_NONE;
    CU_ASSERT_FALSE(span_next_element(&rest, &element));
    rest = span_of(",,, ,");
    CU_ASSERT_FALSE(span_next_element(&rest, &element));
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("span", NULL, NULL);
    CU_add_test(suite, "comparing", test_compare);
    CU_add_test(suite, "cutting and trimming", test_cut);
    CU_add_test(suite, "elements of a list", test_elements);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
