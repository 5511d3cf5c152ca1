/* proxy/utf8.c: what may stand in a log as it is. */
#include "proxy/utf8.h"

#include <string.h>

#include <CUnit/Basic.h>

static void test_characters(void) {
    static const struct {
        const char *text;
        size_t length;
    } characters[] = {
        {"a", 1},
        {" ", 1},
        {"~", 1},
        {"\x1f", 0},
        {"\x7f", 0},
        {"\x80", 0},
        {"\xc2\x9f", 0}, /* the last of C1 */
        {"\xc2\xa0", 2},
        {"\xc1\xbf", 0}, /* over-long */
        {"\xe0\xa0\x80", 3},
        {"\xe0\x9f\xbf", 0}, /* over-long */
        {"\xed\x9f\xbf", 3}, /* the last before the surrogates */
        {"\xed\xa0\x80", 0}, /* a surrogate */
        {"\xee\x80\x80", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf0\x8f\xbf\xbf", 0}, /* over-long */
        {"\xf4\x8f\xbf\xbf", 4}, /* the last of all */
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xe2\x82", 0}, /* cut off */
        {"\xe2(\xa1", 0},
    };
    for (size_t i = 0; i < sizeof characters / sizeof characters[0]; i++) {
        CU_ASSERT_EQUAL(utf8_printable(characters[i].text, strlen(characters[i].text)), characters[i].length);
    }
    CU_ASSERT_EQUAL(utf8_printable("\0", 1), 0);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("utf8", NULL, NULL);
    CU_add_test(suite, "characters", test_characters);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
