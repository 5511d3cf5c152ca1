/* proxy/slow_reader.h: only blocked time counts, what was taken counts always, and each window is judged by itself. */
#include "proxy/slow_reader.h"

#include <CUnit/Basic.h>
#include <stdlib.h>

#define SECOND_NS INT64_C(1000000000)

enum { RATE = 1000 };

/* A connection with a clock of its own. */
struct watched {
    struct slow_reader reader;
    int64_t now_ns;
    uint64_t taken;
    unsigned dropped, windows;
};

static struct watched begin(void) {
    return (struct watched){.now_ns = 100 * SECOND_NS};
}

/* So many tenths of a second, in which the client takes bytes_per_s, blocked or not; judged when a window ends. */
static void pass(struct watched *watched, bool blocked, unsigned tenths, unsigned bytes_per_s) {
    for (unsigned i = 0; i < tenths; i++) {
        if (slow_reader_note(&watched->reader, blocked, watched->now_ns)) {
            slow_reader_begin(&watched->reader, watched->taken);
        }
        watched->now_ns += SECOND_NS / 10;
        watched->taken += bytes_per_s / 10;
        int64_t at_ns = slow_reader_deadline_ns(&watched->reader);
        CU_ASSERT_EQUAL(at_ns != 0, blocked);
        if (at_ns != 0 && at_ns <= watched->now_ns) {
            watched->windows++;
            watched->dropped += slow_reader_judge(&watched->reader, RATE, watched->taken, watched->now_ns) ? 1 : 0;
        }
    }
}

static void test_a_client_that_stops(void) {
    struct watched watched = begin();
    pass(&watched, true, 199, 0);
    CU_ASSERT_EQUAL(watched.windows, 0);
    pass(&watched, true, 1, 0);
    CU_ASSERT_EQUAL(watched.dropped, 1);
}

static void test_at_and_below_the_rate(void) {
    struct watched watched = begin();
    pass(&watched, true, 1000, RATE);
    CU_ASSERT_EQUAL(watched.windows, 5);
    CU_ASSERT_EQUAL(watched.dropped, 0);
    watched = begin();
    pass(&watched, true, 200, RATE - 10);
    CU_ASSERT_EQUAL(watched.dropped, 1);
}

static void test_what_is_not_blocked_does_not_count(void) {
    struct watched watched = begin();
    for (unsigned i = 0; i < 1000; i++) { /* paced to a tenth of the rate, and never in the way */
        pass(&watched, false, 100, RATE / 10);
    }
    CU_ASSERT_EQUAL(watched.windows, 0);
    CU_ASSERT_EQUAL(slow_reader_deadline_ns(&watched.reader), 0);
}

static void test_blocked_time_adds_up(void) {
    struct watched watched = begin();
    for (unsigned i = 0; i < 19; i++) {
        pass(&watched, true, 10, 0);
        pass(&watched, false, 50, 0);
    }
    CU_ASSERT_EQUAL(watched.windows, 0);
    pass(&watched, true, 10, 0);
    CU_ASSERT_EQUAL(watched.dropped, 1);
}

static void test_what_is_taken_between_blocks_counts(void) {
    struct watched watched = begin();
    for (unsigned i = 0; i < 20; i++) {
        pass(&watched, true, 10, 0);
        pass(&watched, false, 10, RATE);
    }
    CU_ASSERT_EQUAL(watched.windows, 1);
    CU_ASSERT_EQUAL(watched.dropped, 1); /* the first window ends within its last second of taking nothing */
    watched = begin();
    for (unsigned i = 0; i < 40; i++) {
        pass(&watched, true, 10, 0);
        pass(&watched, false, 10, 2 * RATE);
    }
    CU_ASSERT_EQUAL(watched.windows, 2);
    CU_ASSERT_EQUAL(watched.dropped, 0);
}

static void test_a_long_freedom_begins_anew(void) {
    struct watched watched = begin();
    pass(&watched, true, 190, 0);
    pass(&watched, false, 200, 0);
    pass(&watched, true, 190, 0);
    CU_ASSERT_EQUAL(watched.windows, 0);
    pass(&watched, true, 10, 0);
    CU_ASSERT_EQUAL(watched.dropped, 1);
}

static void test_a_client_that_stops_later(void) {
    struct watched watched = begin();
    pass(&watched, true, 250, 100 * RATE);
    pass(&watched, true, 349, 0);
    CU_ASSERT_EQUAL(watched.windows, 2);
    CU_ASSERT_EQUAL(watched.dropped, 0); /* in the second it took enough before it stopped */
    pass(&watched, true, 1, 0);
    CU_ASSERT_EQUAL(watched.dropped, 1);
}

/* What is queued may be counted with the wire's own bytes: less may seem taken than before. */
static void test_a_figure_that_goes_back(void) {
    struct slow_reader reader = {0};
    CU_ASSERT_TRUE(slow_reader_note(&reader, true, SECOND_NS));
    slow_reader_begin(&reader, 1000000);
    CU_ASSERT_TRUE(slow_reader_judge(&reader, 1, 999990, SECOND_NS + SLOW_READER_WINDOW_NS));
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("slow_reader", NULL, NULL);
    CU_ADD_TEST(suite, test_a_client_that_stops);
    CU_ADD_TEST(suite, test_at_and_below_the_rate);
    CU_ADD_TEST(suite, test_what_is_not_blocked_does_not_count);
    CU_ADD_TEST(suite, test_blocked_time_adds_up);
    CU_ADD_TEST(suite, test_what_is_taken_between_blocks_counts);
    CU_ADD_TEST(suite, test_a_long_freedom_begins_anew);
    CU_ADD_TEST(suite, test_a_client_that_stops_later);
    CU_ADD_TEST(suite, test_a_figure_that_goes_back);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
