/* stats/prometheus*.c: the text format, read by a checker of its own and by promtool where there is one. */
#include "stats/prometheus.h"

#include <CUnit/Basic.h>
#include <ctype.h>
#include <math.h>
#include <unistd.h>

#include "tests/unit/stats/given_snapshot.h"

/* ---- a small reader of the text format ---- */

static const char *skip_name(const char *at) {
    while (isalnum((unsigned char)*at) || *at == '_' || *at == ':') {
        at++;
    }
    return at;
}

/* Behind "{a="…",b="…"}"; NULL: not as the format wants it. */
static const char *skip_labels(const char *at) {
    do {
        const char *name = ++at;
        at = skip_name(at);
        if (at == name || isdigit((unsigned char)*name) || at[0] != '=' || at[1] != '"') {
            return NULL;
        }
        for (at += 2; *at != '"'; at++) {
            if (*at == '\0' || *at == '\n' || (*at == '\\' && strchr("\\\"n", *++at) == NULL)) {
                return NULL;
            }
        }
        at++;
    } while (*at == ',');
    return *at == '}' ? at + 1 : NULL;
}

static bool is_sample_of(const char *line, const char *family, const char *type) {
    size_t length = strlen(family);
    static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
    if (strncmp(line, family, length) != 0) {
        return false;
    }
    for (size_t i = 0; strcmp(type, "histogram") == 0 && i < 3; i++) {
        if (strncmp(line + length, suffixes[i], strlen(suffixes[i])) == 0) {
            return true;
        }
    }
    return line[length] == '{' || line[length] == ' ';
}

static int compare_lines(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each line is HELP, TYPE or a sample of the family begun last; no family and no series comes twice. */
static bool is_format(char *text) {
    size_t count = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    char **series = must_calloc(count + 1, sizeof *series);
    size_t series_count = 0;
    char family[128] = "", type[32] = "";
    bool good = text[strlen(text) - 1] == '\n', expects_type = false;
    for (char *line = strtok(text, "\n"); line != NULL && good; line = strtok(NULL, "\n")) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            good = !expects_type && sscanf(line + 7, "%127s", family) == 1 && strlen(line) > 8 + strlen(family);
            series[series_count++] = line;
            line[7 + strlen(family)] = '\0';
            expects_type = true;
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            char same[128] = "";
            good = expects_type && sscanf(line + 7, "%127s %31s", same, type) == 2 && strcmp(same, family) == 0;
            expects_type = false;
        } else {
            char *end = strchr(line, '{') != NULL ? NULL : strchr(line, ' ');
            if (end == NULL) {
                const char *behind = skip_labels(skip_name(line));
                end = behind != NULL ? line + (behind - line) : NULL;
            }
            char *rest = NULL;
            good = !expects_type && is_sample_of(line, family, type) && end != NULL && *end == ' ' &&
                   isfinite(strtod(end + 1, &rest)) && *rest == '\0';
            if (end != NULL) {
                *end = '\0';
            }
            series[series_count++] = line;
        }
        if (!good) {
            printf("\nnot the format, in %s: %s\n", family, line);
        }
    }
    qsort(series, series_count, sizeof *series, compare_lines);
    for (size_t i = 1; i < series_count; i++) {
        if (strcmp(series[i - 1], series[i]) == 0) {
            printf("\ntwice: %s\n", series[i]);
            good = false;
        }
    }
    free(series);
    return good;
}

static void expect_line(const char *text, const char *line) {
    const char *found = strstr(text, line);
    if (found == NULL) {
        printf("\nmissing: %s\n", line);
    }
    CU_ASSERT_PTR_NOT_NULL(found);
}

/* ---- tests ---- */

static void test_server(void) {
    struct stats_snapshot *snapshot = given_snapshot(0, 0);
    char *text = given_document(STATS_DOCUMENT_PROMETHEUS, snapshot, NULL);
    expect_line(text, "# HELP weir_client_sent_bytes_total Bytes of HTTP sent to clients\n"
                      "# TYPE weir_client_sent_bytes_total counter\n"
                      "weir_client_sent_bytes_total 18446744073709551615\n");
    expect_line(text, "# TYPE weir_tunnels gauge\nweir_tunnels 7\n");
    expect_line(text, "\nweir_requests_total 0\n");
    expect_line(text, "\nweir_build_info{version=\"0.1.0\"} 1\n");
    expect_line(text, "# TYPE weir_clients_evicted_total counter\nweir_clients_evicted_total 17\n");
    expect_line(text, "\nweir_housekeeping_lag_seconds 0.00025\n");
    expect_line(text, "\nweir_blocks 20\n");
    expect_line(text, "\nweir_blocks_total{reason=\"page\"} 5\nweir_blocks_total{reason=\"blocklist-uri\"} 0\n");
    expect_line(text, "\nweir_last_reload_timestamp_seconds 1789999940\n");
    CU_ASSERT(is_format(text));
    free(text);
    stats_snapshot_free(&snapshot);
}

static void test_owners(void) {
    struct stats_snapshot *snapshot = given_snapshot(30, 5);
    char *text = given_document(STATS_DOCUMENT_PROMETHEUS, snapshot, NULL);
    static const char *const wanted[] = {
        "weir_host_bytes_total{host=\"host25.example.net\",direction=\"out\"} 26000\n",
        "weir_host_bytes_total{host=\"host25.example.net\",direction=\"in\"} 26001\n",
        "weir_host_requests_total{host=\"host25.example.net\",code=\"4xx\"} 26006\n",
        "weir_host_refused_total{host=\"host25.example.net\",reason=\"host-rate\"} 26\n",
        "weir_host_delayed_total{host=\"host25.example.net\"} 31\n",
        "weir_host_connections{host=\"host25.example.net\"} 26\n",
        "weir_quota_limit_bytes{scope=\"host\",name=\"host25.example.net\",class=\"\"} 524288000\n",
        "weir_quota_used_bytes{scope=\"host\",name=\"host25.example.net\",class=\"163.example.net\"} 7310999\n",
        "weir_quota_allowed_bytes{scope=\"user\",name=\"total\",class=\"\"} 262144000\n",
        "weir_user_bytes_total{user=\"total\",direction=\"out\"} 1017000\n",
        "weir_class_bytes_total{class=\"xml\",direction=\"in\"} 2018001\n",
        "weir_host_connections{host=\"a&<>\\\"'b]]>\"} 4\n",
        "weir_host_connections{host=\"back\\\\slash\"} 5\n",
        "weir_host_connections{host=\"line\\nfeed\ttab\xef\xbf\xbdreturn\"} 7\n",
        "weir_host_connections{host=\"twice.example.net:0:19\"} 20\n",
        "weir_host_connections{host=\"twice.example.net:0:20\"} 21\n",
        "weir_host_connections{host=\"twice.example.net:0:20#2\"} 22\n",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        expect_line(text, wanted[i]);
    }
    CU_ASSERT_PTR_NULL(strstr(text, "10.0.0.")); /* no client has a series */
    CU_ASSERT(is_format(text));
    free(text);
    stats_snapshot_free(&snapshot);
}

static void test_histogram(void) {
    struct stats_snapshot *snapshot = given_snapshot(1, 0);
    char *text = given_document(STATS_DOCUMENT_PROMETHEUS, snapshot, NULL);
#define LABELS "{upstream=\"http://127.0.0.1:8080\",balancer=\"\""
    expect_line(text, "weir_upstream_first_byte_seconds_bucket" LABELS ",le=\"0.001\"} 5\n"
                      "weir_upstream_first_byte_seconds_bucket" LABELS ",le=\"0.0025\"} 5\n"
                      "weir_upstream_first_byte_seconds_bucket" LABELS ",le=\"0.005\"} 12\n");
    expect_line(text, "weir_upstream_first_byte_seconds_bucket" LABELS ",le=\"60\"} 12\n"
                      "weir_upstream_first_byte_seconds_bucket" LABELS ",le=\"+Inf\"} 13\n"
                      "weir_upstream_first_byte_seconds_sum" LABELS "} 61.125\n"
                      "weir_upstream_first_byte_seconds_count" LABELS "} 13\n");
    expect_line(text, "weir_upstream_up" LABELS "} 1\n");
    expect_line(text, "{upstream=\"http://127.0.0.1:8081#2\",balancer=\"a \\\"lb\\\"\\\\\"} 0\n");
    expect_line(text, "{upstream=\"http://127.0.0.1:8081\",balancer=\"\"} 0\n");
    CU_ASSERT(is_format(text));
    free(text);
    stats_snapshot_free(&snapshot);
}

static void test_many_and_narrow(void) {
    struct stats_snapshot *snapshot = given_snapshot(10000, 0);
    char *text = given_document(STATS_DOCUMENT_PROMETHEUS, snapshot, NULL);
    CU_ASSERT(is_format(text));
    free(text);
    text = given_document(STATS_DOCUMENT_PROMETHEUS, snapshot,
                          &(struct stats_view){.only_host = "host5001.example.net:0:5001"});
    CU_ASSERT_PTR_NULL(strstr(text, "weir_workers"));
    expect_line(text, "weir_quota_used_bytes{scope=\"host\",name=\"host5001.example.net\",class=\"\"} 92485000\n");
    CU_ASSERT(is_format(text));
    free(text);
    stats_snapshot_free(&snapshot);
}

static void test_promtool(void) {
    if (system("command -v promtool >/dev/null") != 0) {
        printf("skipped: there is no promtool (Debian package prometheus) ");
        return;
    }
    struct stats_snapshot *snapshot = given_snapshot(50, 5);
    FILE *tool = popen("promtool check metrics", "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(tool);
    stats_render(STATS_DOCUMENT_PROMETHEUS, snapshot, &(struct stats_view){.path = NULL}, tool);
    CU_ASSERT_EQUAL(pclose(tool), 0);
    stats_snapshot_free(&snapshot);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("prometheus", NULL, NULL);
    CU_add_test(suite, "the server", test_server);
    CU_add_test(suite, "hosts, users, classes", test_owners);
    CU_add_test(suite, "histogram", test_histogram);
    CU_add_test(suite, "many hosts, and one", test_many_and_narrow);
    CU_add_test(suite, "promtool", test_promtool);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
