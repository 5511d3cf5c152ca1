/* stats/prometheus.c: every counter once, with its help and type. */
#include "stats/prometheus.h"

#include <string.h>

#include <CUnit/Basic.h>

static void test_document(void) {
    static char text[65536];
    struct counters_snapshot snapshot = {{0}};
    snapshot.value[COUNTER_BYTES_OUT] = UINT64_MAX;
    snapshot.value[COUNTER_TUNNELS] = 7;
    FILE *out = fmemopen(text, sizeof text, "w");
    stats_prometheus(&snapshot, out);
    fclose(out);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "# HELP weir_client_sent_bytes_total Bytes of HTTP sent to clients\n"
                                        "# TYPE weir_client_sent_bytes_total counter\n"
                                        "weir_client_sent_bytes_total 18446744073709551615\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "# TYPE weir_tunnels gauge\nweir_tunnels 7\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nweir_requests_total 0\n"));
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    CU_ASSERT_EQUAL(lines, 3 * COUNTER_COUNT);
    CU_ASSERT_EQUAL(text[strlen(text) - 1], '\n');
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("prometheus", NULL, NULL);
    CU_add_test(suite, "the document", test_document);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
