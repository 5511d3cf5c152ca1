/* shaper/usage_report.h: who is counted, in which month, day and hour, and what is too much. */
#include "shaper/usage_report.h"

#include <stdlib.h>
#include <time.h>

#include "tests/unit/shaper/given_state.h"

enum { HOUR = 3600 };

/* 2026-03-29 00:00 in Berlin, the day with 23 hours; UTC+1 before 02:00, UTC+2 from then on. */
static const int64_t day_s = 1774738800;

static void use_berlin(void) {
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
}

static void put(struct state_database *database, int64_t hour_s, const char *kind, const char *name, uint64_t bytes) {
    const struct state_history row = {hour_s, kind, name, bytes, bytes / 2, 1};
    state_database_add_history(database, &row);
}

struct given {
    struct folder folder;
    const char *path;
    struct state_database *database;
};

static struct given given_history(void) {
    use_berlin();
    struct given given = {.folder = new_folder()};
    given.path = strdup(in(&given.folder, "state.db"));
    given.database = open_state(given.path);
    CU_ASSERT_EQUAL(state_database_begin(given.database), STATE_DONE);
    for (int64_t hour = -2; hour < 25; hour++) {
        put(given.database, day_s + hour * HOUR, "host", "b.example", 100);
        put(given.database, day_s + hour * HOUR, "host", "a.example", 10);
        put(given.database, day_s + hour * HOUR, "user", "a.example", 1);
    }
    put(given.database, day_s + HOUR, "class", "local", 6);
    put(given.database, day_s + HOUR, "planet", "mars", 7);
    CU_ASSERT_EQUAL(state_database_commit(given.database), STATE_DONE);
    return given;
}

static void give_back(struct given *given) {
    state_database_close(&given->database);
    free((void *)(uintptr_t)given->path);
    remove_folder(&given->folder);
}

static void check(const struct usage_report *report, size_t at, const char *kind, const char *name, int64_t begin_s,
                  int64_t end_s, uint64_t bytes_out, uint64_t requests) {
    CU_ASSERT_TRUE_FATAL(at < report->count);
    const struct usage_row *row = &report->rows[at];
    CU_ASSERT_STRING_EQUAL(row->kind, kind);
    CU_ASSERT_STRING_EQUAL(row->name, name);
    CU_ASSERT_EQUAL(row->begin_s, begin_s);
    CU_ASSERT_EQUAL(row->end_s, end_s);
    CU_ASSERT_EQUAL(row->bytes_out, bytes_out);
    CU_ASSERT_EQUAL(row->bytes_in, bytes_out / 2);
    CU_ASSERT_EQUAL(row->requests, requests);
}

static void totals_of_everybody(void) {
    struct given given = given_history();
    const struct usage_question question = {.from_s = day_s, .to_s = day_s + 23 * HOUR};
    struct usage_report report = {0};
    CU_ASSERT_EQUAL(usage_report_read(given.path, &question, &report), USAGE_READ);
    CU_ASSERT_EQUAL(report.count, 4);
    check(&report, 0, "host", "a.example", question.from_s, question.to_s, 230, 23);
    check(&report, 1, "host", "b.example", question.from_s, question.to_s, 2300, 23);
    CU_ASSERT_STRING_EQUAL(report.rows[2].kind, "user");
    check(&report, 3, "class", "local", question.from_s, question.to_s, 6, 1);
    usage_report_clear(&report);
    give_back(&given);
}

static void a_day_of_summer_time_has_23_hours(void) {
    struct given given = given_history();
    const struct usage_question question = {.kind = "host",
                                            .name = "a.example",
                                            .from_s = day_s - 2 * HOUR,
                                            .to_s = day_s + 25 * HOUR,
                                            .step = USAGE_BY_DAY};
    struct usage_report report = {0};
    CU_ASSERT_EQUAL(usage_report_read(given.path, &question, &report), USAGE_READ);
    CU_ASSERT_EQUAL(report.count, 3);
    check(&report, 0, "host", "a.example", day_s - 2 * HOUR, day_s, 20, 2);
    check(&report, 1, "host", "a.example", day_s, day_s + 23 * HOUR, 230, 23);
    check(&report, 2, "host", "a.example", day_s + 23 * HOUR, day_s + 25 * HOUR, 20, 2);
    usage_report_clear(&report);
    give_back(&given);
}

static void hours_and_months(void) {
    struct given given = given_history();
    struct usage_question question = {
        .kind = "host", .from_s = day_s + HOUR, .to_s = day_s + 3 * HOUR, .step = USAGE_BY_HOUR};
    struct usage_report report = {0};
    CU_ASSERT_EQUAL(usage_report_read(given.path, &question, &report), USAGE_READ);
    CU_ASSERT_EQUAL(report.count, 4);
    check(&report, 1, "host", "a.example", day_s + 2 * HOUR, day_s + 3 * HOUR, 10, 1);
    check(&report, 2, "host", "b.example", day_s + HOUR, day_s + 2 * HOUR, 100, 1);
    usage_report_clear(&report);

    question = (struct usage_question){.kind = "class", .from_s = 0, .to_s = INT64_MAX, .step = USAGE_BY_MONTH};
    CU_ASSERT_EQUAL(usage_report_read(given.path, &question, &report), USAGE_READ);
    CU_ASSERT_EQUAL(report.count, 1);
    /* 1 March 00:00 is UTC+1, 1 April UTC+2 */
    check(&report, 0, "class", "local", day_s - 28 * 24 * HOUR, day_s + (3 * 24 - 1) * HOUR, 6, 1);
    usage_report_clear(&report);
    give_back(&given);
}

static void nothing_and_no_database(void) {
    struct given given = given_history();
    struct usage_question question = {.kind = "host", .name = "nobody", .from_s = 0, .to_s = INT64_MAX};
    struct usage_report report = {0};
    CU_ASSERT_EQUAL(usage_report_read(given.path, &question, &report), USAGE_READ);
    CU_ASSERT_EQUAL(report.count, 0);
    usage_report_clear(&report);
    CU_ASSERT_EQUAL(usage_report_read(in(&given.folder, "none.db"), &question, &report), USAGE_FAILED);
    CU_ASSERT_PTR_NOT_NULL(strstr(report.problem, "unable to open"));
    usage_report_clear(&report);
    write_file(in(&given.folder, "text.db"), "this is no database, whatever its name may say", 46);
    CU_ASSERT_EQUAL(usage_report_read(in(&given.folder, "text.db"), &question, &report), USAGE_FAILED);
    usage_report_clear(&report);
    CU_ASSERT_EQUAL(names_like(&given.folder, "none.db"), 0);
    give_back(&given);
}

static void too_many_rows_are_refused(void) {
    struct given given = given_history();
    CU_ASSERT_EQUAL(state_database_begin(given.database), STATE_DONE);
    for (int i = 0; i <= USAGE_ROWS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "host-%d", i);
        put(given.database, day_s, "host", name, 1);
    }
    CU_ASSERT_EQUAL(state_database_commit(given.database), STATE_DONE);
    const struct usage_question question = {.from_s = 0, .to_s = INT64_MAX};
    struct usage_report report = {0};
    CU_ASSERT_EQUAL(usage_report_read(given.path, &question, &report), USAGE_TOO_MUCH);
    CU_ASSERT_PTR_NOT_NULL(strstr(report.problem, "ask for"));
    usage_report_clear(&report);
    give_back(&given);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(totals_of_everybody),       TEST(a_day_of_summer_time_has_23_hours),
                                        TEST(hours_and_months),          TEST(nothing_and_no_database),
                                        TEST(too_many_rows_are_refused), CU_TEST_INFO_NULL};
    return run_suite("usage_report", tests);
}
