/* config/csv.h: what is plain stays plain, and what would end a field is within quotes. */
#include "config/csv.h"

#include <stdlib.h>

#include <CUnit/Basic.h>

static void expect(const char *text, const char *field) {
    char *written = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&written, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    csv_put_field(text, out);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(written, field);
    free(written);
}

static void test_plain(void) {
    expect("", "");
    expect("shop.example", "shop.example");
    expect("a b\t'c';d", "a b\t'c';d");
    expect("m\xc3\xbcller", "m\xc3\xbcller");
}

static void test_quoted(void) {
    expect(",", "\",\"");
    expect("a,b", "\"a,b\"");
    expect("\"", "\"\"\"\"");
    expect("say \"a\"", "\"say \"\"a\"\"\"");
    expect("two\nlines", "\"two\nlines\"");
    expect("two\rlines", "\"two\rlines\"");
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("csv", NULL, NULL);
    CU_add_test(suite, "plain fields", test_plain);
    CU_add_test(suite, "fields in quotes", test_quoted);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
