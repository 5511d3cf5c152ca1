/* stats/json.c: read back by a parser, the document says what the snapshot says. */
#include "stats/json.h"

#include <CUnit/Basic.h>
#include <jansson.h>

#include "tests/unit/stats/given_snapshot.h"

static json_t *parsed(const struct stats_snapshot *snapshot, const struct stats_view *view) {
    char *text = given_document(STATS_DOCUMENT_JSON, snapshot, view);
    json_error_t error;
    json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (document == NULL) {
        printf("\nline %d: %s\n", error.line, error.text);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(document);
    return document;
}

static const char *string_of(json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "(none)";
}

static void test_sections(void) {
    static const char *const keys[] = {"server", "hosts", "users", "classes", "clients", "blocks", "upstreams"};
    struct stats_snapshot *snapshot = given_empty_snapshot();
    json_t *document = parsed(snapshot, NULL);
    CU_ASSERT_EQUAL(json_object_size(document), sizeof keys / sizeof keys[0]);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        json_t *section = json_object_get(document, keys[i]);
        CU_ASSERT(i == 0 ? json_is_object(section) : json_is_array(section));
    }
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_object_get(document, "server"), "uptime")), 788645);
    CU_ASSERT(json_is_null(json_object_get(json_object_get(document, "server"), "last_reload")));
    json_decref(document);
    stats_snapshot_free(&snapshot);
}

static void test_values(void) {
    struct stats_snapshot *snapshot = given_snapshot(30, 3);
    json_t *document = parsed(snapshot, NULL);
    json_t *counters = json_object_get(json_object_get(document, "server"), "counters");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(counters, "client_sent_bytes_total")), INT64_MAX);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(counters, "tunnels")), 7);
    CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(counters, "housekeeping_lag_seconds")), 0.00025, 1e-12);
    json_t *host = json_array_get(json_object_get(document, "hosts"), 24);
    json_t *name, *user, *url, *classes;
    json_int_t total, used, left, refused, by_reason;
    double kbps, rps;
    int exceeded;
    CU_ASSERT_EQUAL(json_unpack(host, "{s:o, s:o, s:o, s:{s:I, s:F, s:o}, s:{s:I, s:F}, s:I, s:b, s:{s:{s:I, s:I}}}",
                                "name", &name, "user", &user, "limit_exceeded_url", &url, "limits", "total", &total,
                                "kbps", &kbps, "classes", &classes, "usages", "total", &used, "rps", &rps,
                                "time_to_refresh", &left, "limit_exceeded", &exceeded, "traffic", "refused", "total",
                                &refused, "host_rate", &by_reason),
                    0);
    CU_ASSERT_STRING_EQUAL(json_string_value(name), "host24.example.net");
    CU_ASSERT(json_is_null(user));
    CU_ASSERT_STRING_EQUAL(json_string_value(url), "http://www.example.net/over?a=1&b=<2>");
    CU_ASSERT_EQUAL(total, 524288000);
    CU_ASSERT_DOUBLE_EQUAL(kbps, 2048, 1e-9);
    CU_ASSERT_EQUAL(json_array_size(classes), GIVEN_HOSTILE - 2);
    CU_ASSERT_EQUAL(used, 92485000);
    CU_ASSERT_DOUBLE_EQUAL(rps, 3.46, 1e-9);
    CU_ASSERT_EQUAL(left, 40953);
    CU_ASSERT_EQUAL(exceeded, 0);
    CU_ASSERT_EQUAL(refused, 27);
    CU_ASSERT_EQUAL(by_reason, 25);
    json_t *alone = json_array_get(json_object_get(document, "users"), 2);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(json_object_get(alone, "hosts"), 1)), "163.example.net");
    json_t *upstream = json_array_get(json_object_get(document, "upstreams"), 0);
    json_t *buckets = json_object_get(json_object_get(upstream, "first_byte"), "buckets");
    CU_ASSERT_EQUAL(json_array_size(buckets), STATS_LATENCY_BUCKETS);
    CU_ASSERT(json_is_null(json_object_get(json_array_get(buckets, STATS_LATENCY_BUCKETS - 1), "at_most")));
    json_decref(document);
    stats_snapshot_free(&snapshot);
}

static void test_names(void) {
    struct stats_snapshot *snapshot = given_snapshot(10000, 100);
    json_t *document = parsed(snapshot, NULL);
    json_t *hosts = json_object_get(document, "hosts");
    CU_ASSERT_EQUAL(json_array_size(hosts), 10000);
    CU_ASSERT_STRING_EQUAL(string_of(json_array_get(hosts, 0), "name"), "");
    CU_ASSERT_STRING_EQUAL(string_of(json_array_get(hosts, 3), "name"), "a&<>\"'b]]>");
    CU_ASSERT_STRING_EQUAL(string_of(json_array_get(hosts, 4), "name"), "back\\slash");
    CU_ASSERT_STRING_EQUAL(string_of(json_array_get(hosts, 7), "name"), "latin-1 \xef\xbf\xbd alone");
    CU_ASSERT_STRING_EQUAL(string_of(json_array_get(hosts, 9), "name"), "\xe2\x82\xac");
    json_decref(document);
    stats_snapshot_free(&snapshot);
}

static void test_not_finite(void) {
    struct stats_snapshot *snapshot = given_empty_snapshot();
    snapshot->server.traffic.rates.bytes_per_s_1 = 0.0 / 1e-300 - 0.0;
    snapshot->server.traffic.rates.bytes_per_s_10 = stats_latency_bounds_s[STATS_LATENCY_BUCKETS - 1];
    json_decref(parsed(snapshot, NULL));
    stats_snapshot_free(&snapshot);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("json", NULL, NULL);
    CU_add_test(suite, "sections", test_sections);
    CU_add_test(suite, "values", test_values);
    CU_add_test(suite, "hostile names", test_names);
    CU_add_test(suite, "infinity", test_not_finite);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
