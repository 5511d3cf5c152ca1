/* proxy/deadline.h: never early, at most one tick late, whatever callbacks do; against a list that is simply searched.
 */
#include "proxy/deadline.h"

#include <CUnit/Basic.h>
#include <stdlib.h>

#define SECOND_NS INT64_C(1000000000)

enum { ENTRIES = 300, ROUNDS = 20000 };

/* What the wheel ought to know of one entry. */
struct modelled {
    struct deadline deadline; /* first, so that a callback finds its model */
    bool set;
    int64_t at_ns;
    int64_t set_ns; /* when deadline_set() was called */
    unsigned fired;
};

static struct modelled entries[ENTRIES];
static struct deadline_wheel wheel;
static int64_t now_ns;
static uint32_t seed;

static uint32_t next_random(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static void set(struct modelled *entry, int64_t at_ns) {
    deadline_set(&wheel, &entry->deadline, at_ns);
    entry->set = true;
    entry->at_ns = at_ns;
    entry->set_ns = now_ns;
}

static void cancel(struct modelled *entry) {
    deadline_cancel(&wheel, &entry->deadline);
    entry->set = false;
}

/* Mostly soon, some in the past, some beyond a turn of the wheel (51.2 s), some on a tick's edge. */
static int64_t random_time(void) {
    int64_t within = (int64_t)(next_random() % 1000);
    switch (next_random() % 8) {
    case 0:
        return now_ns - within * SECOND_NS / 100;
    case 1:
        return now_ns + within * SECOND_NS / 5;
    case 2:
        return (now_ns / DEADLINE_TICK_NS + within % 20) * DEADLINE_TICK_NS;
    case 3:
        return now_ns;
    default:
        return now_ns + within * SECOND_NS / 200 + (int64_t)(next_random() % 1000);
    }
}

static void change_another(void) {
    struct modelled *other = &entries[next_random() % ENTRIES];
    if (next_random() % 2 == 0) {
        set(other, random_time());
    } else {
        cancel(other);
    }
}

static void expired(struct deadline *deadline) {
    struct modelled *entry = (struct modelled *)deadline;
    CU_ASSERT_TRUE(entry->set);
    CU_ASSERT_TRUE(entry->at_ns <= now_ns);
    CU_ASSERT_FALSE(deadline_is_set(deadline));
    entry->set = false;
    entry->fired++;
    for (uint32_t i = next_random() % 4; i > 0; i--) {
        change_another();
    }
    if (next_random() % 4 == 0) {
        set(entry, random_time());
    }
}

static void begin(int64_t start_ns) {
    now_ns = start_ns;
    deadline_wheel_init(&wheel, start_ns);
    for (size_t i = 0; i < ENTRIES; i++) {
        entries[i] = (struct modelled){.deadline.expired = expired};
    }
}

static void check_against_model(void) {
    size_t count = 0;
    bool alike = true, in_time = true, looks_in_time = true;
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct modelled *entry = &entries[i];
        alike &= deadline_is_set(&entry->deadline) == entry->set;
        count += entry->set ? 1 : 0;
        int64_t due_ns = entry->at_ns > entry->set_ns ? entry->at_ns : entry->set_ns;
        in_time &= !entry->set || due_ns + DEADLINE_TICK_NS > now_ns;
        looks_in_time &= !entry->set || (wheel.due_tick - 1) * DEADLINE_TICK_NS <= due_ns;
    }
    CU_ASSERT_TRUE(looks_in_time);
    CU_ASSERT_TRUE(alike);
    CU_ASSERT_TRUE(in_time);
    CU_ASSERT_EQUAL(wheel.count, count);
}

static int64_t random_step(void) {
    switch (next_random() % 16) {
    case 0:
        return (int64_t)(next_random() % 200) * SECOND_NS; /* the machine slept */
    case 1:
        return 0;
    case 2:
        return DEADLINE_TICK_NS - now_ns % DEADLINE_TICK_NS;
    default:
        return (int64_t)(next_random() % 500) * SECOND_NS / 1000;
    }
}

static void random_work_agrees_with_a_search(void) {
    for (seed = 1; seed < 5;) {
        uint32_t this_seed = seed;
        begin((int64_t)(this_seed - 1) * 12345 * SECOND_NS / 100);
        unsigned fired = 0;
        for (size_t round = 0; round < ROUNDS / 4; round++) {
            for (uint32_t i = next_random() % 8; i > 0; i--) {
                change_another();
            }
            now_ns += random_step();
            deadline_wheel_run(&wheel, now_ns);
            check_against_model();
        }
        for (size_t i = 0; i < ENTRIES; i++) {
            fired += entries[i].fired;
        }
        CU_ASSERT_TRUE(fired > ROUNDS / 10);
        seed = this_seed + 1;
    }
}

static unsigned count_of_calls;

static void count_call(struct deadline *deadline) {
    (void)deadline;
    count_of_calls++;
}

static void an_edge_is_exact(void) {
    static const int64_t edges[] = {0, 1, 17, 511, 512, 513, 5000};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        struct deadline deadline = {.expired = count_call};
        int64_t at_ns = SECOND_NS + edges[i] * DEADLINE_TICK_NS;
        count_of_calls = 0;
        deadline_wheel_init(&wheel, SECOND_NS - 1);
        deadline_set(&wheel, &deadline, at_ns);
        deadline_wheel_run(&wheel, at_ns - 1);
        CU_ASSERT_EQUAL(count_of_calls, 0);
        deadline_wheel_run(&wheel, at_ns);
        CU_ASSERT_EQUAL(count_of_calls, 1);
        CU_ASSERT_EQUAL(wheel.count, 0);
        deadline_wheel_run(&wheel, at_ns + 100 * SECOND_NS);
        CU_ASSERT_EQUAL(count_of_calls, 1);
    }
}

static void setting_again_moves(void) {
    struct deadline deadline = {.expired = count_call};
    count_of_calls = 0;
    deadline_wheel_init(&wheel, 0);
    deadline_set(&wheel, &deadline, SECOND_NS);
    deadline_set(&wheel, &deadline, 10 * SECOND_NS);
    CU_ASSERT_EQUAL(wheel.count, 1);
    deadline_wheel_run(&wheel, 9 * SECOND_NS);
    CU_ASSERT_EQUAL(count_of_calls, 0);
    deadline_set(&wheel, &deadline, 5 * SECOND_NS); /* already past */
    deadline_wheel_run(&wheel, 9 * SECOND_NS + DEADLINE_TICK_NS);
    CU_ASSERT_EQUAL(count_of_calls, 1);
    CU_ASSERT_EQUAL(wheel.count, 0);
}

static void cancelling_what_is_not_set_is_harmless(void) {
    struct deadline deadline = {.expired = count_call};
    count_of_calls = 0;
    deadline_wheel_init(&wheel, 0);
    deadline_cancel(&wheel, &deadline);
    CU_ASSERT_FALSE(deadline_is_set(&deadline));
    deadline_set(&wheel, &deadline, SECOND_NS);
    CU_ASSERT_TRUE(deadline_is_set(&deadline));
    deadline_cancel(&wheel, &deadline);
    deadline_cancel(&wheel, &deadline);
    CU_ASSERT_EQUAL(wheel.count, 0);
    deadline_wheel_run(&wheel, 100 * SECOND_NS);
    CU_ASSERT_EQUAL(count_of_calls, 0);
}

/* Who waits for due_tick is not woken for nothing, but once a turn of the wheel. */
static void nothing_is_due_before_the_first(void) {
    struct deadline deadline = {.expired = count_call}, later = {.expired = count_call};
    count_of_calls = 0;
    deadline_wheel_init(&wheel, SECOND_NS);
    CU_ASSERT_EQUAL(wheel.due_tick, DEADLINE_NEVER);
    deadline_set(&wheel, &later, 8 * SECOND_NS);
    deadline_set(&wheel, &deadline, 5 * SECOND_NS + 1);
    CU_ASSERT_EQUAL(wheel.due_tick, 51);
    deadline_wheel_run(&wheel, 51 * DEADLINE_TICK_NS);
    CU_ASSERT_EQUAL(count_of_calls, 1);
    CU_ASSERT_EQUAL(wheel.due_tick, 80);
    deadline_set(&wheel, &later, 8 * SECOND_NS + 3 * DEADLINE_SLOTS * DEADLINE_TICK_NS);
    unsigned runs = 0;
    while (count_of_calls < 2 && runs < 100) {
        deadline_wheel_run(&wheel, wheel.due_tick * DEADLINE_TICK_NS);
        runs++;
    }
    CU_ASSERT_TRUE(runs <= 5);
    CU_ASSERT_EQUAL(wheel.due_tick, DEADLINE_NEVER);
}

/* "Never" as the largest number there is. */
static void the_end_of_time_never_comes(void) {
    struct deadline deadline = {.expired = count_call};
    count_of_calls = 0;
    deadline_wheel_init(&wheel, SECOND_NS);
    deadline_set(&wheel, &deadline, INT64_MAX);
    for (int64_t at_ns = SECOND_NS; at_ns < 200 * SECOND_NS; at_ns += SECOND_NS / 3) {
        deadline_wheel_run(&wheel, at_ns);
    }
    CU_ASSERT_EQUAL(count_of_calls, 0);
    CU_ASSERT_TRUE(deadline_is_set(&deadline));
}

static struct deadline *pair[2];

/* Whichever comes first frees both, as a connection that ends frees its exchange. */
static void free_both(struct deadline *deadline) {
    (void)deadline;
    count_of_calls++;
    for (size_t i = 0; i < 2; i++) {
        deadline_cancel(&wheel, pair[i]);
        free(pair[i]);
    }
}

static void a_callback_may_free(void) {
    count_of_calls = 0;
    deadline_wheel_init(&wheel, 0);
    for (size_t i = 0; i < 2; i++) {
        pair[i] = calloc(1, sizeof *pair[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(pair[i]);
        pair[i]->expired = free_both;
        deadline_set(&wheel, pair[i], SECOND_NS);
    }
    deadline_wheel_run(&wheel, 2 * SECOND_NS);
    CU_ASSERT_EQUAL(count_of_calls, 1);
    CU_ASSERT_EQUAL(wheel.count, 0);
}

static void set_again_in_the_past(struct deadline *deadline) {
    count_of_calls++;
    deadline_set(&wheel, deadline, 0);
}

/* A callback that always asks to be called at once must not keep the run from returning. */
static void setting_by_a_time_never_moves_away(void) {
    struct deadline deadline = {.expired = set_again_in_the_past};
    deadline_wheel_init(&wheel, 0);
    deadline_set_by(&wheel, &deadline, 5 * SECOND_NS);
    CU_ASSERT_EQUAL(deadline.at_ns, 5 * SECOND_NS);
    deadline_set_by(&wheel, &deadline, 6 * SECOND_NS);
    CU_ASSERT_EQUAL(deadline.at_ns, 5 * SECOND_NS);
    deadline_set_by(&wheel, &deadline, 2 * SECOND_NS);
    CU_ASSERT_EQUAL(deadline.at_ns, 2 * SECOND_NS);
    CU_ASSERT_EQUAL(wheel.count, 1);
    deadline_cancel(&wheel, &deadline);
    CU_ASSERT_EQUAL(wheel.count, 0);
}

static void a_run_always_ends(void) {
    struct deadline deadline = {.expired = set_again_in_the_past};
    count_of_calls = 0;
    deadline_wheel_init(&wheel, 0);
    deadline_set(&wheel, &deadline, 1);
    deadline_wheel_run(&wheel, 1000 * SECOND_NS);
    CU_ASSERT_TRUE(count_of_calls <= DEADLINE_SLOTS);
    CU_ASSERT_TRUE(deadline_is_set(&deadline));
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("deadline", NULL, NULL);
    CU_ADD_TEST(suite, random_work_agrees_with_a_search);
    CU_ADD_TEST(suite, an_edge_is_exact);
    CU_ADD_TEST(suite, setting_again_moves);
    CU_ADD_TEST(suite, setting_by_a_time_never_moves_away);
    CU_ADD_TEST(suite, cancelling_what_is_not_set_is_harmless);
    CU_ADD_TEST(suite, nothing_is_due_before_the_first);
    CU_ADD_TEST(suite, the_end_of_time_never_comes);
    CU_ADD_TEST(suite, a_callback_may_free);
    CU_ADD_TEST(suite, a_run_always_ends);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
