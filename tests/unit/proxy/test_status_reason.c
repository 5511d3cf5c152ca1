/* proxy/status_reason.c: phrases by status. */
#include <CUnit/Basic.h>

#include "proxy/message.h"

static void test_phrases(void) {
    CU_ASSERT_STRING_EQUAL(status_reason(100), "Continue");
    CU_ASSERT_STRING_EQUAL(status_reason(200), "OK");
    CU_ASSERT_STRING_EQUAL(status_reason(404), "Not Found");
    CU_ASSERT_STRING_EQUAL(status_reason(431), "Request Header Fields Too Large");
    CU_ASSERT_STRING_EQUAL(status_reason(503), "Service Unavailable");
    CU_ASSERT_STRING_EQUAL(status_reason(509), "Bandwidth Limit Exceeded");
    CU_ASSERT_STRING_EQUAL(status_reason(511), "Network Authentication Required");
}

static void test_unknown(void) {
    int known = 0;
    for (int status = -10; status < 1100; status++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(status_reason(status));
        known += status_reason(status)[0] != '\0' ? 1 : 0;
    }
    CU_ASSERT_EQUAL(known, 63);
    CU_ASSERT_STRING_EQUAL(status_reason(0), "");
    CU_ASSERT_STRING_EQUAL(status_reason(299), "");
    CU_ASSERT_STRING_EQUAL(status_reason(599), "");
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("status_reason", NULL, NULL);
    CU_add_test(suite, "phrases", test_phrases);
    CU_add_test(suite, "codes without one", test_unknown);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
