/* stats/page_values.c: numbers as people read them, and texts that stay texts. */
#include "stats/page_values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

/* What a call writes. The narrow and the unbreakable space are shown as "_" and "~". */
static char written[2048];
static FILE *begin(void) {
    memset(written, 0, sizeof written);
    return fmemopen(written, sizeof written, "w");
}
static const char *end(FILE *out) {
    fclose(out);
    static char shown[2048];
    char *to = shown;
    for (const char *at = written; *at != '\0';) {
        if (strncmp(at, "\u202F", 3) == 0) {
            *to++ = '_';
            at += 3;
        } else if (strncmp(at, "\u00A0", 2) == 0) {
            *to++ = '~';
            at += 2;
        } else {
            *to++ = *at++;
        }
    }
    *to = '\0';
    return shown;
}

#define EXPECT(call, wanted)                                                                                           \
    do {                                                                                                               \
        FILE *out = begin();                                                                                           \
        call;                                                                                                          \
        const char *got = end(out);                                                                                    \
        if (strcmp(got, wanted) != 0) {                                                                                \
            printf("\n%s: \"%s\", not \"%s\"\n", #call, got, wanted);                                                  \
            CU_FAIL(#call);                                                                                            \
        }                                                                                                              \
    } while (0)

static void test_text(void) {
    EXPECT(page_text(out, "shop.example.net"), "shop.example.net");
    EXPECT(page_text(out, "<b a='1' c=\"2\">&amp;</b>"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;&lt;/b&gt;");
    EXPECT(page_text(out, "b\u00FCro \u20AC \U0001F600"), "b\u00FCro \u20AC \U0001F600");
    EXPECT(page_text(out, "a\nb\tc\x01"), "a\uFFFDb\uFFFDc\uFFFD");
    EXPECT(page_text(out, "\xff \xc3 \xc3"), "\uFFFD \uFFFD \uFFFD");
    EXPECT(page_text(out, "\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");
    EXPECT(page_text(out, "\xef\xbf\xbf\xef\xbf\xbe\xef\xbf\xbd"), "\uFFFD\uFFFD\uFFFD");
    EXPECT(page_text(out, "ok\u202Egpj.exe\u2066\u200F\u061C\u2028"), "ok\uFFFDgpj.exe\uFFFD\uFFFD\uFFFD\uFFFD");
    EXPECT(page_text(out, "\u2020\u2065\u0639"), "\u2020\u2065\u0639");
    EXPECT(page_text(out, ""), "");
    EXPECT(page_query_text(out, "hosts.total-desc_~"), "hosts.total-desc_~");
    EXPECT(page_query_text(out, "a&b=c d\"<\xc3\xbc"), "a%26b%3Dc%20d%22%3C%C3%BC");
}

static struct page_size_style style(enum stats_unit unit, bool in_kib, bool is_limit) {
    return (struct page_size_style){unit, in_kib, is_limit};
}

static void test_sizes(void) {
    struct page_size_style used = style(STATS_UNIT_AUTO, false, false), limit = style(STATS_UNIT_AUTO, false, true);
    EXPECT(page_size(out, 0, used), "0~B");
    EXPECT(page_size(out, 999, used), "999~B");
    EXPECT(page_size(out, 1000, used), "1.00~KB");
    EXPECT(page_size(out, 999499, used), "999~KB");
    EXPECT(page_size(out, 999999, used), "1.00~MB");
    EXPECT(page_size(out, 25003000000, used), "25.0~GB");
    EXPECT(page_size(out, 9996000000, used), "10.0~GB");
    EXPECT(page_size(out, UINT64_MAX, used), "18_447~PB");
    EXPECT(page_size(out, 300000000000, limit), "300~GB");
    EXPECT(page_size(out, 1500000, limit), "1.5~MB");
    EXPECT(page_size(out, 10000, limit), "10~KB");
    EXPECT(page_size(out, 307200, style(STATS_UNIT_AUTO, true, true)), "300~KiB");
    EXPECT(page_size(out, UINT64_C(1) << 40, style(STATS_UNIT_AUTO, true, false)), "1.00~TiB");
    EXPECT(page_size(out, 300000000, style(STATS_UNIT_G, false, false)), "0.30~GB");
    EXPECT(page_size(out, 300000000, style(STATS_UNIT_K, false, true)), "300_000~KB");
    EXPECT(page_size(out, 1 << 20, style(STATS_UNIT_M, true, true)), "1~MiB");
    EXPECT(page_size(out, 1, style(STATS_UNIT_G, false, true)), "0~GB");
}

static void test_numbers(void) {
    EXPECT(page_count(out, 0), "0");
    EXPECT(page_count(out, 999), "999");
    EXPECT(page_count(out, 1000), "1_000");
    EXPECT(page_count(out, UINT64_MAX), "18_446_744_073_709_551_615");
    EXPECT(page_kbps(out, 0), "0");
    EXPECT(page_kbps(out, 1024 * 3.42), "3.4");
    EXPECT(page_kbps(out, 1024 * 20480.0), "20_480");
    EXPECT(page_kbps(out, (double)NAN), "0");
    EXPECT(page_kbps(out, -5), "0");
    EXPECT(page_speed(out, 0), "0~kbps");
    EXPECT(page_speed(out, 1048576 * 9.5), "9.50~Mbps");
    EXPECT(page_speed(out, (double)INFINITY), "0~kbps");
    EXPECT(page_rate(out, 0.001), "0");
    EXPECT(page_rate(out, 0.07), "0.07");
    EXPECT(page_rate(out, 11.76), "11.8");
    EXPECT(page_rate(out, 1280.2), "1_280");
    EXPECT(page_latency(out, -1), "\u2013");
    EXPECT(page_latency(out, 0.0008), "0.8~ms");
    EXPECT(page_latency(out, 0.9999), "1.0~s");
    EXPECT(page_latency(out, 60), "60~s");
}

static void test_times(void) {
    EXPECT(page_duration(out, -7), "00:00:00");
    EXPECT(page_duration(out, 86399), "23:59:59");
    EXPECT(page_duration(out, 86400), "1d~00:00");
    EXPECT(page_duration(out, INT64_MAX), "106751991167300d~15:30");
    EXPECT(page_age(out, -1), "now");
    EXPECT(page_age(out, 119), "119~s");
    EXPECT(page_age(out, 120), "2~min");
    EXPECT(page_age(out, 7200), "2~h");
    EXPECT(page_age(out, INT64_MAX), "106751991167300~d");
    EXPECT(page_time(out, 1791209531), "2026-10-05 14:12:11 UTC");
    EXPECT(page_time(out, INT64_MAX), "-");
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("page_values", NULL, NULL);
    CU_add_test(suite, "texts and queries", test_text);
    CU_add_test(suite, "sizes", test_sizes);
    CU_add_test(suite, "counts, speeds, rates, latencies", test_numbers);
    CU_add_test(suite, "times", test_times);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
