/* stats/usage.h: the same report as a table, as CSV and as JSON; names that want to be something else. */
#include "stats/usage.h"

#include <CUnit/Basic.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct usage_row rows[] = {
    {"host", "shop.example", 1769866200, 1769952600, UINT64_C(1536) << 20, 100, 12},
    {"host", "a,\"b\"\nc\x1b[31m", 1769866200, 1769952600, 1, 0, 0},
};
static const struct usage_report report = {.rows = rows, .count = 2};
static const struct usage_question question = {.from_s = 1769866200, .to_s = 1769952600, .step = USAGE_BY_DAY};

enum shape { TABLE, CSV, JSON };

static char *written(enum shape shape, const struct usage_report *shown) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (shape == TABLE) {
        usage_table(&question, shown, out);
    } else if (shape == CSV) {
        usage_csv(shown, out);
    } else {
        usage_json(&question, shown, out);
    }
    fclose(out);
    return text;
}

static void a_table_for_people(void) {
    char *text = written(TABLE, &report);
    CU_ASSERT_STRING_EQUAL(text,
                           "From 2026-01-31 14:30 to 2026-02-01 14:30\n\n"
                           "kind   name          day                     sent    received    requests\n"
                           "host   shop.example  2026-01-31 14:30     1.5 GiB       100 B          12\n"
                           "host   a,\"b\" c\xef\xbf\xbd[31m  2026-01-31 14:30         1 B         0 B           0\n");
    free(text);
    text = written(TABLE, &(struct usage_report){0});
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Nothing was used."));
    free(text);
}

static void csv_for_programs(void) {
    char *text = written(CSV, &report);
    CU_ASSERT_STRING_EQUAL(text,
                           "kind,name,begin,end,bytes_out,bytes_in,requests\n"
                           "host,shop.example,2026-01-31T14:30:00+01:00,2026-02-01T14:30:00+01:00,1610612736,100,12\n"
                           "host,\"a,\"\"b\"\"\nc\xef\xbf\xbd[31m\",2026-01-31T14:30:00+01:00,"
                           "2026-02-01T14:30:00+01:00,1,0,0\n");
    free(text);
}

static void json_for_programs(void) {
    char *text = written(JSON, &report);
    json_t *document = json_loads(text, 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(document);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(document, "to")), 1769952600);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(document, "by")), "day");
    const json_t *row = json_array_get(json_object_get(document, "rows"), 0);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(row, "bytes_out")), INT64_C(1610612736));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(document, "rows")), 2);
    json_decref(document);
    free(text);
    text = written(JSON, &(struct usage_report){0});
    document = json_loads(text, 0, NULL);
    CU_ASSERT_PTR_NOT_NULL(document);
    json_decref(document);
    free(text);
}

int main(void) {
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("usage", NULL, NULL);
    CU_ADD_TEST(suite, a_table_for_people);
    CU_ADD_TEST(suite, csv_for_programs);
    CU_ADD_TEST(suite, json_for_programs);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
