/* The ledger: sums over workers, rates over what really passed, the last hour, and changes told once. */
#include "shaper/ledger.h"

#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/records.h"
#include "shaper/shaper.h"
#include "tests/unit/shaper/given.h"

#define SECOND_NS INT64_C(1000000000)

static struct shaper *given_shaper_with(unsigned workers) {
    struct shaper_settings settings = {.clients = {1000, SIZE_MAX}, .workers = workers};
    return shaper_new(&settings);
}

static void count(struct tally_set *set, unsigned worker, uint64_t bytes, uint64_t requests) {
    struct tally *tally = tally_of(set, worker);
    tally_add(&tally->value[TALLY_BYTES_OUT], bytes);
    tally_add(&tally->value[TALLY_REQUESTS], requests);
}

static bool is_about(double value, double expected) {
    return fabs(value - expected) <= expected * 1e-6 + 1e-9;
}

static void rates_are_means_over_all_workers(void) {
    struct shaper *shaper = given_shaper_with(3);
    struct traffic_record *host = traffic_record_of(shaper, &shaper->hosts, "host a", "a");
    struct ledger *ledger = ledger_new(shaper);
    ledger_tick(ledger, 0);
    for (int second = 1; second <= 90; second++) {
        count(host->tallies, (unsigned)second % 3, second <= 80 ? 6000 : 0, 2);
        ledger_tick(ledger, second * SECOND_NS);
    }
    struct ledger_rates rates = ledger_rates_of(ledger, LEDGER_HOST, host->id);
    CU_ASSERT(is_about(rates.bytes_per_s_1, 0));
    CU_ASSERT(is_about(rates.bytes_per_s_10, 0));
    CU_ASSERT(is_about(rates.bytes_per_s_60, 5000));
    CU_ASSERT(is_about(rates.requests_per_s_1, 2));
    CU_ASSERT(is_about(rates.requests_per_s_10, 2));
    CU_ASSERT(is_about(rates.requests_per_s_60, 2));
    ledger_free(&ledger);
    shaper_free(&shaper);
}

static void a_late_tick_is_measured_as_it_is(void) {
    struct shaper *shaper = given_shaper_with(1);
    struct traffic_record *host = traffic_record_of(shaper, &shaper->hosts, "host a", "a");
    struct ledger *ledger = ledger_new(shaper);
    ledger_tick(ledger, 0);
    count(host->tallies, 0, 10000, 5);
    ledger_tick(ledger, 5 * SECOND_NS);
    struct ledger_rates rates = ledger_rates_of(ledger, LEDGER_HOST, host->id);
    CU_ASSERT(is_about(rates.bytes_per_s_1, 2000));
    CU_ASSERT(is_about(rates.requests_per_s_10, 1));
    ledger_free(&ledger);
    shaper_free(&shaper);
}

struct told {
    size_t visits;
    struct ledger_change last;
};

static void note(void *context, const struct ledger_change *change) {
    struct told *told = context;
    told->visits++;
    told->last = *change;
}

static void a_change_is_told_once(void) {
    struct shaper *shaper = given_shaper_with(2);
    struct traffic_record *user = traffic_record_of(shaper, &shaper->users, "alice", "alice");
    (void)traffic_record_of(shaper, &shaper->hosts, "host quiet", "quiet");
    struct ledger *ledger = ledger_new(shaper);
    ledger_tick(ledger, 0);
    count(user->tallies, 0, 100, 1);
    count(user->tallies, 1, 200, 1);
    ledger_tick(ledger, SECOND_NS);
    count(user->tallies, 1, 50, 1); /* after the tick: belongs to the next */
    struct told told = {0};
    ledger_take_changes(ledger, note, &told);
    CU_ASSERT_EQUAL(told.visits, 1);
    CU_ASSERT_EQUAL(told.last.kind, LEDGER_USER);
    CU_ASSERT_STRING_EQUAL(told.last.name, "alice");
    CU_ASSERT_EQUAL(told.last.bytes_out, 300);
    CU_ASSERT_EQUAL(told.last.requests, 2);
    ledger_take_changes(ledger, note, &told);
    CU_ASSERT_EQUAL(told.visits, 1);
    ledger_tick(ledger, 2 * SECOND_NS);
    ledger_take_changes(ledger, note, &told);
    CU_ASSERT_EQUAL(told.visits, 2);
    CU_ASSERT_EQUAL(told.last.bytes_out, 50);
    ledger_free(&ledger);
    shaper_free(&shaper);
}

/* Random traffic and random gaps between the ticks, against plain addition. */
static void the_last_hour_agrees_with_addition(void) {
    struct shaper *shaper = given_shaper_with(2);
    struct ledger *ledger = ledger_new(shaper);
    size_t class_id = class_record_of(shaper, "lan");
    uint64_t by_minute[600] = {0};
    int64_t now_ns = 0;
    srand(1);
    ledger_tick(ledger, 0);
    while (now_ns < 500 * 60 * SECOND_NS) {
        int64_t gap_s = rand() % 100 == 0 ? rand() % 1000 : 1 + rand() % 3;
        now_ns += gap_s * SECOND_NS;
        uint64_t bytes = rand() % 4 == 0 ? (uint64_t)(rand() % 100000) : 0;
        count(shaper->classes[class_id]->tallies, (unsigned)rand() % 2, bytes, bytes > 0);
        by_minute[now_ns / (60 * SECOND_NS)] += bytes;
        ledger_tick(ledger, now_ns);
        struct ledger_minute minutes[LEDGER_MINUTES];
        ledger_last_hour(ledger, LEDGER_CLASS, class_id, minutes);
        int64_t last = now_ns / (60 * SECOND_NS);
        bool same = true;
        for (int64_t i = 0; i < LEDGER_MINUTES; i++) {
            int64_t minute = last - (LEDGER_MINUTES - 1) + i;
            same = same && minutes[i].bytes_out == (minute >= 0 ? by_minute[minute] : 0);
        }
        CU_ASSERT_FATAL(same);
    }
    ledger_free(&ledger);
    shaper_free(&shaper);
}

static void a_quiet_hour_forgets_the_meter_but_no_count(void) {
    struct shaper *shaper = given_shaper_with(1);
    struct traffic_record *host = traffic_record_of(shaper, &shaper->hosts, "host a", "a");
    struct ledger *ledger = ledger_new(shaper);
    ledger_tick(ledger, 0);
    count(host->tallies, 0, 77, 1);
    for (int64_t second = 1; second < 2 * 3600; second++) {
        ledger_tick(ledger, second * SECOND_NS);
    }
    count(host->tallies, 0, 23, 1);
    ledger_tick(ledger, 2 * 3600 * SECOND_NS);
    struct ledger_rates rates = ledger_rates_of(ledger, LEDGER_HOST, host->id);
    CU_ASSERT(is_about(rates.bytes_per_s_1, 23));
    struct told told = {0};
    ledger_take_changes(ledger, note, &told);
    CU_ASSERT_EQUAL(told.last.bytes_out, 100);
    ledger_free(&ledger);
    shaper_free(&shaper);
}

/* Looks between the ticks, however many: what they find is told, and rates, minutes and sums are as if they were not.
 */
static void looks_between_ticks_change_no_rate(void) {
    struct shaper *shaper = given_shaper_with(1);
    struct traffic_record *host = traffic_record_of(shaper, &shaper->hosts, "host a", "a");
    struct ledger *ledger = ledger_new(shaper);
    struct ledger_minute minutes[LEDGER_MINUTES];
    uint64_t told = 0, hour = 0;
    ledger_tick(ledger, 0);
    for (int second = 1; second <= 90; second++) {
        for (int part = 1; part <= 20; part++) {
            struct told now = {0};
            count(host->tallies, 0, 50, 0);
            ledger_look(ledger, (second - 1) * SECOND_NS + part * SECOND_NS / 21);
            ledger_take_changes(ledger, note, &now);
            told += now.last.bytes_out;
        }
        ledger_tick(ledger, second * SECOND_NS);
        CU_ASSERT_EQUAL(told, (uint64_t)second * 1000);
    }
    struct ledger_rates rates = ledger_rates_of(ledger, LEDGER_HOST, host->id);
    CU_ASSERT(is_about(rates.bytes_per_s_1, 1000));
    CU_ASSERT(is_about(rates.bytes_per_s_60, 1000));
    ledger_last_hour(ledger, LEDGER_HOST, host->id, minutes);
    for (size_t i = 0; i < LEDGER_MINUTES; i++) {
        hour += minutes[i].bytes_out;
    }
    CU_ASSERT_EQUAL(hour, 90000);
    ledger_free(&ledger);
    shaper_free(&shaper);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(rates_are_means_over_all_workers),
                                        TEST(a_late_tick_is_measured_as_it_is),
                                        TEST(a_change_is_told_once),
                                        TEST(the_last_hour_agrees_with_addition),
                                        TEST(a_quiet_hour_forgets_the_meter_but_no_count),
                                        TEST(looks_between_ticks_change_no_rate),
                                        CU_TEST_INFO_NULL};
    return run_suite("ledger", tests);
}
