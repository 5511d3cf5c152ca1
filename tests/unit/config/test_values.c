/* config/values.h: every text that mod_cband is known to read, with what weir makes of it, and round trips. */
#include "config/values.h"

#include <CUnit/Basic.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { WARNS = 1, SILENT = 0 };
#define KI UINT64_C(1024)

struct good_vector {
    const char *text;
    uint64_t value;
    int warns;
};

typedef struct value_result (*parse_function)(struct span text, uint64_t *value);

static void check_good(parse_function parse, const struct good_vector *vectors, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        struct value_result result = parse(span_of(vectors[i].text), &value);
        bool right = result.ok && value == vectors[i].value && (result.warning[0] != '\0') == vectors[i].warns;
        if (!right) {
            printf("\n\"%s\": ok %d, value %" PRIu64 " (expected %" PRIu64 "), warning \"%s\"\n", vectors[i].text,
                   result.ok, value, vectors[i].value, result.warning);
        }
        CU_ASSERT_TRUE(right);
    }
}

static void check_bad(parse_function parse, const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 1;
        struct value_result result = parse(span_of(texts[i]), &value);
        if (result.ok) {
            printf("\n\"%s\" was taken as %" PRIu64 "\n", texts[i], value);
        }
        CU_ASSERT_FALSE(result.ok);
        CU_ASSERT_EQUAL(value, 0);
        CU_ASSERT_PTR_NOT_NULL(result.problem);
        CU_ASSERT_PTR_NOT_NULL(result.hint);
    }
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_speed_of_the_reference(void) {
    static const struct good_vector vectors[] = {
        {"1024", 1024 * KI, SILENT},
        {"1024kbps", 1024 * KI, SILENT},
        {"20kb/s", 160 * KI, SILENT},
        {"20Kb/s", 160 * KI, SILENT},
        {"20kB/s", 160 * KI, WARNS},
        {"20KB/s", 160 * KI, WARNS},
        {"1Mbps", KI * KI, SILENT},
        {"1Mb/s", 8 * KI * KI, SILENT},
        {"1MB/s", 8 * KI * KI, WARNS},
        {"1Gbps", KI * KI * KI, SILENT},
        {"1Gb/s", 8 * KI * KI * KI, SILENT},
        {"128bps", 128, WARNS},
        {"100kb", 100 * KI, WARNS},
        {"100kbit", 100 * KI, WARNS},
        {"100k", 100 * KI, WARNS},
        {"1.5Mbps", 1536 * KI, WARNS},
        {"10mbps", 10 * KI * KI, SILENT},
        {"2Gbit/s", 2 * KI * KI * KI, SILENT},
        {"1Tbps", KI * KI * KI * KI, WARNS},
        {"0", 0, SILENT},
        {"0kbps", 0, SILENT},
        {"0.0", 0, SILENT},
        {"00010kbps", 10 * KI, SILENT},
    };
    check_good(value_parse_speed, vectors, COUNT(vectors));
}

static void test_speed_beyond_the_reference(void) {
    static const struct good_vector vectors[] = {
        {"100kbit/s", 100 * KI, SILENT},
        {"1024bit/s", 1024, WARNS},
        {"100b/s", 800, WARNS},
        {"1TB/s", 8 * KI * KI * KI * KI, WARNS},
        {"0.5kbps", 512, WARNS},
        {"1.000000001Gbps", KI * KI * KI + 1, WARNS},
        {"1.0000000010000Gbps", KI * KI * KI + 1, WARNS},
        {"100kBps", 100 * KI, WARNS},
        {"1.5", 1536, WARNS},
        {"9223372036854775807bps", INT64_MAX, WARNS},
    };
    check_good(value_parse_speed, vectors, COUNT(vectors));
}

static void test_bad_speeds(void) {
    static const char *const texts[] = {
        "",
        "abc",
        "kbps",
        "0x10",
        "-1",
        "-1kbps",
        "10kps",
        "10 kbps",
        "8kbs",
        "100kbp",
        "10kbpsx",
        "1.Mbps",
        ".5Mbps",
        "1.2.3Mbps",
        "1,5Mbps",
        "10Pbps",
        "1e3kbps",
        "+1kbps",
        "0.1bps",
        "1.0000000001Gbps",
        "99999999999999999999",
        "9223372036854775808bps",
        "18446744073709551615Tbps",
        "10b",
        "10kbps ",
        "10k/s",
    };
    check_bad(value_parse_speed, texts, COUNT(texts));
}

static void test_speed_warning_names_both_readings(void) {
    uint64_t value;
    struct value_result result = value_parse_speed(span_of("20kB/s"), &value);
    CU_ASSERT_PTR_NOT_NULL(strstr(result.warning, "160kbps"));
    CU_ASSERT_PTR_NOT_NULL(strstr(result.warning, "20kbps"));
    result = value_parse_quota(span_of("1.5G"), &value);
    CU_ASSERT_PTR_NOT_NULL(strstr(result.warning, "1500000000 bytes"));
    CU_ASSERT_PTR_NOT_NULL(strstr(result.warning, "1K"));
    result = value_parse_time(span_of("1.5H"), &value);
    CU_ASSERT_PTR_NOT_NULL(strstr(result.warning, "5400 seconds"));
}

static void test_quota_of_the_reference(void) {
    static const struct good_vector vectors[] = {
        {"100000", 100000000, SILENT},
        {"10K", 10000, SILENT},
        {"10Ki", 10 * KI, SILENT},
        {"10M", 10000000, SILENT},
        {"10Mi", 10 * KI * KI, SILENT},
        {"10G", UINT64_C(10000000000), SILENT},
        {"1Gi", KI * KI * KI, SILENT},
        {"1.5G", 1500000000, WARNS},
        {"10MB", 10000000, SILENT},
        {"10MiB", 10 * KI * KI, SILENT},
        {"10MI", 10 * KI * KI, SILENT},
        {"10mi", 10 * KI * KI, SILENT},
        {"500B", 500, WARNS},
        {"1T", UINT64_C(1000000000000), WARNS},
        {"1Ti", KI * KI * KI * KI, WARNS},
        {"0", 0, SILENT},
        {"0B", 0, SILENT},
        {"300Mi", 300 * KI * KI, SILENT},
        {"1.5", 1500, WARNS},
        {"9223372036854775807B", INT64_MAX, WARNS},
    };
    static const char *const texts[] = {
        "",
        "abc",
        "M",
        "-5",
        "10 M",
        "10X",
        "10MX",
        "10MBi",
        "10i",
        "10iB",
        "10BB",
        "10Mbit",
        "0.5B",
        "9223372036854775808B",
        "9223372036854775807K",
        "1e6",
        "0x10",
    };
    check_good(value_parse_quota, vectors, COUNT(vectors));
    check_bad(value_parse_quota, texts, COUNT(texts));
}

static void test_time_of_the_reference(void) {
    static const struct good_vector vectors[] = {
        {"3600", 3600, SILENT},
        {"1S", 1, SILENT},
        {"1s", 1, SILENT},
        {"1M", 60, SILENT},
        {"1m", 60, SILENT},
        {"1H", 3600, SILENT},
        {"1D", 86400, SILENT},
        {"1d", 86400, SILENT},
        {"4W", 2419200, SILENT},
        {"1.5H", 5400, WARNS},
        {"0.5D", 43200, WARNS},
        {"1.0H", 3600, SILENT},
        {"9223372036", 9223372036, SILENT},
    };
    static const char *const texts[] = {
        "",   "0",    "0D",  "abc", "-1",   "1Mo", "1mo",        "1Y",
        "1y", "1min", "1 D", "0.5", "0.5S", "1DD", "9223372037", "99999999999999999999W",
        "D",
    };
    check_good(value_parse_time, vectors, COUNT(vectors));
    check_bad(value_parse_time, texts, COUNT(texts));
    uint64_t seconds;
    CU_ASSERT_PTR_NOT_NULL(strstr(value_parse_time(span_of("1Mo"), &seconds).hint, "calendar-month"));
    CU_ASSERT_PTR_NOT_NULL(strstr(value_parse_time(span_of("1Y"), &seconds).hint, "365D"));
}

static void test_seconds(void) {
    int64_t ns;
    CU_ASSERT_TRUE(value_parse_seconds(span_of("10"), 3600, &ns).ok);
    CU_ASSERT_EQUAL(ns, INT64_C(10000000000));
    CU_ASSERT_TRUE(value_parse_seconds(span_of("0.25"), 3600, &ns).ok);
    CU_ASSERT_EQUAL(ns, 250000000);
    CU_ASSERT_TRUE(value_parse_seconds(span_of("0"), 3600, &ns).ok);
    CU_ASSERT_FALSE(value_parse_seconds(span_of("3601"), 3600, &ns).ok);
    CU_ASSERT_FALSE(value_parse_seconds(span_of("1s"), 3600, &ns).ok);
    CU_ASSERT_FALSE(value_parse_seconds(span_of("-1"), 3600, &ns).ok);
}

static void test_whole_numbers(void) {
    uint64_t n;
    CU_ASSERT_TRUE(value_parse_whole(span_of("30"), 0, UINT32_MAX, &n).ok);
    CU_ASSERT_EQUAL(n, 30);
    CU_ASSERT_TRUE(value_parse_whole(span_of("18446744073709551615"), 0, UINT64_MAX, &n).ok);
    CU_ASSERT_EQUAL(n, UINT64_MAX);
    static const char *const texts[] = {
        "", "x", "1.0", "1.5", "5abc", "-1", "0x10", "18446744073709551616", " 1", "1.0000000000001"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        CU_ASSERT_FALSE(value_parse_whole(span_of(texts[i]), 0, UINT64_MAX, &n).ok);
        CU_ASSERT_EQUAL(n, 0);
    }
    CU_ASSERT_FALSE(value_parse_whole(span_of("0"), 1, 10, &n).ok);
    CU_ASSERT_FALSE(value_parse_whole(span_of("11"), 1, 10, &n).ok);
    CU_ASSERT_TRUE(value_parse_whole(span_of("1"), 1, 10, &n).ok);
    CU_ASSERT_TRUE(value_parse_whole(span_of("10"), 1, 10, &n).ok);
}

static void test_on_off(void) {
    bool on = false;
    CU_ASSERT_TRUE(value_parse_on_off(span_of("ON"), false, &on).ok);
    CU_ASSERT_TRUE(on);
    CU_ASSERT_TRUE(value_parse_on_off(span_of("off"), false, &on).ok);
    CU_ASSERT_FALSE(on);
    CU_ASSERT_FALSE(value_parse_on_off(span_of("true"), false, &on).ok);
    CU_ASSERT_TRUE(value_parse_on_off(span_of("True"), true, &on).ok);
    CU_ASSERT_TRUE(on);
    CU_ASSERT_TRUE(value_parse_on_off(span_of("false"), true, &on).ok);
    CU_ASSERT_FALSE(on);
    CU_ASSERT_FALSE(value_parse_on_off(span_of("yes"), true, &on).ok);
    CU_ASSERT_FALSE(value_parse_on_off(span_of(""), true, &on).ok);
}

static uint64_t random_state = 42;
static uint64_t random_u64(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* A number of any magnitude, often a round one. */
static uint64_t random_value(uint64_t maximum) {
    static const uint64_t factors[] = {1, 1000, 1024, 1000000, 1048576, 60, 86400};
    uint64_t value = random_u64() >> (random_u64() % 64);
    uint64_t factor = factors[random_u64() % COUNT(factors)];
    value = value > maximum / factor ? value : value * factor;
    return value % (maximum + 1);
}

static void test_round_trips(void) {
    char text[VALUE_TEXT_MAX];
    for (int i = 0; i < 100000; i++) {
        uint64_t back;
        uint64_t value = random_value(VALUE_SPEED_MAX);
        CU_ASSERT_EQUAL_FATAL(value_print_speed(value, text), strlen(text));
        CU_ASSERT_TRUE_FATAL(value_parse_speed(span_of(text), &back).ok);
        CU_ASSERT_EQUAL_FATAL(back, value);
        value_print_quota(value, text);
        CU_ASSERT_TRUE_FATAL(value_parse_quota(span_of(text), &back).ok);
        CU_ASSERT_EQUAL_FATAL(back, value);
        value = random_value(VALUE_TIME_MAX_S);
        if (value > 0) {
            value_print_time(value, text);
            CU_ASSERT_TRUE_FATAL(value_parse_time(span_of(text), &back).ok);
            CU_ASSERT_EQUAL_FATAL(back, value);
        }
        int64_t ns = (int64_t)random_value(UINT64_C(3600000000000));
        int64_t ns_back;
        value_print_seconds(ns, text);
        CU_ASSERT_TRUE_FATAL(value_parse_seconds(span_of(text), 3600, &ns_back).ok);
        CU_ASSERT_EQUAL_FATAL(ns_back, ns);
    }
}

/* Arbitrary texts are taken or refused, and nothing else happens. */
static void test_random_texts(void) {
    static const char letters[] = "0123456789999..kKmMgGtTiIbBps/sSdDwWhH-+ x";
    for (int i = 0; i < 200000; i++) {
        char text[24];
        size_t length = random_u64() % sizeof text;
        for (size_t j = 0; j < length; j++) {
            text[j] = letters[random_u64() % (sizeof letters - 1)];
        }
        char *copy = malloc(length + 1); /* not terminated: a reader that goes too far is seen by the sanitizer */
        memcpy(copy, text, length);
        struct span span = {copy, length};
        uint64_t value;
        int64_t ns;
        CU_ASSERT_FATAL(value_parse_speed(span, &value).ok ? value <= VALUE_SPEED_MAX : value == 0);
        CU_ASSERT_FATAL(value_parse_quota(span, &value).ok ? value <= VALUE_QUOTA_MAX : value == 0);
        CU_ASSERT_FATAL(value_parse_time(span, &value).ok ? value >= 1 && value <= VALUE_TIME_MAX_S : value == 0);
        CU_ASSERT_FATAL(value_parse_whole(span, 5, 7, &value).ok ? value >= 5 && value <= 7 : value == 0);
        CU_ASSERT_FATAL(value_parse_seconds(span, 60, &ns).ok ? ns >= 0 && ns <= INT64_C(60000000000) : ns == 0);
        free(copy);
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("values", NULL, NULL);
    CU_add_test(suite, "speeds of the reference", test_speed_of_the_reference);
    CU_add_test(suite, "speeds beyond it", test_speed_beyond_the_reference);
    CU_add_test(suite, "bad speeds", test_bad_speeds);
    CU_add_test(suite, "a warning names both readings", test_speed_warning_names_both_readings);
    CU_add_test(suite, "quotas of the reference", test_quota_of_the_reference);
    CU_add_test(suite, "times of the reference", test_time_of_the_reference);
    CU_add_test(suite, "seconds", test_seconds);
    CU_add_test(suite, "whole numbers", test_whole_numbers);
    CU_add_test(suite, "on and off", test_on_off);
    CU_add_test(suite, "what is printed is read back", test_round_trips);
    CU_add_test(suite, "random texts", test_random_texts);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
