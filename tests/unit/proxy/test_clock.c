/* proxy/clock.c: the two clocks, and wall time as text, compared with the C library's own. */
#include "proxy/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CUnit/Basic.h>

static const int64_t november = INT64_C(1795255872345678); /* 2026-11-21 10:11:12.345678 UTC */

static void test_clocks(void) {
    int64_t before = clock_monotonic_ns();
    CU_ASSERT_TRUE(clock_monotonic_ns() >= before);
    int64_t seconds = clock_wall_us() / US_PER_SECOND;
    CU_ASSERT_TRUE(llabs((long long)time(NULL) - (long long)seconds) <= 1);
}

static void test_http_date(void) {
    char text[CLOCK_HTTP_DATE_MAX];
    clock_http_date(november, text);
    CU_ASSERT_STRING_EQUAL(text, "Sat, 21 Nov 2026 10:11:12 GMT");
    clock_http_date(0, text);
    CU_ASSERT_STRING_EQUAL(text, "Thu, 01 Jan 1970 00:00:00 GMT");
    clock_http_date(-1, text);
    CU_ASSERT_STRING_EQUAL(text, "Wed, 31 Dec 1969 23:59:59 GMT");
    clock_http_date(INT64_MAX, text);
    CU_ASSERT_STRING_EQUAL(text, "Fri, 31 Dec 9999 23:59:59 GMT");
    clock_http_date(INT64_MIN, text);
    CU_ASSERT_STRING_EQUAL(text, "Sat, 01 Jan 0000 00:00:00 GMT");
}

static void test_like_the_library(void) {
    for (int64_t second = INT64_C(-62167219200); second <= INT64_C(253402300799); second += INT64_C(86399) * 37) {
        char ours[CLOCK_HTTP_DATE_MAX], theirs[64];
        clock_http_date(second * US_PER_SECOND, ours);
        time_t time = (time_t)second;
        struct tm parts;
        gmtime_r(&time, &parts);
        strftime(theirs, sizeof theirs, "%a, %d %b ", &parts);
        size_t length = strlen(theirs);
        if (strncmp(ours, theirs, length) != 0 || atoi(ours + length) != parts.tm_year + 1900 ||
            atoi(ours + 17) != parts.tm_hour || atoi(ours + 20) != parts.tm_min || atoi(ours + 23) != parts.tm_sec) {
            CU_FAIL("a date differs from gmtime_r()");
            return;
        }
    }
}

static void test_sortable(void) {
    char utc[CLOCK_RFC3339_MAX], local[CLOCK_LOCAL_MAX];
    clock_rfc3339(november, utc);
    CU_ASSERT_STRING_EQUAL(utc, "2026-11-21T10:11:12.345Z");
    clock_rfc3339(INT64_C(1709164800000000), utc);
    CU_ASSERT_STRING_EQUAL(utc, "2024-02-29T00:00:00.000Z");
    clock_rfc3339(INT64_MAX, utc);
    CU_ASSERT_STRING_EQUAL(utc, "9999-12-31T23:59:59.999Z");
    clock_local(november, local);
    CU_ASSERT_STRING_EQUAL(local, "2026-11-21 11:11:12.345");
    clock_local(INT64_MAX, local);
    CU_ASSERT_EQUAL(strncmp(local, "9999-12-3", 9), 0);
    clock_local(INT64_MIN, local);
    CU_ASSERT_EQUAL(strncmp(local, "0000-01-0", 9), 0);
}

int main(void) {
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("clock", NULL, NULL);
    CU_add_test(suite, "the clocks go", test_clocks);
    CU_add_test(suite, "HTTP dates", test_http_date);
    CU_add_test(suite, "as gmtime_r() has them", test_like_the_library);
    CU_add_test(suite, "RFC 3339 and local time", test_sortable);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
