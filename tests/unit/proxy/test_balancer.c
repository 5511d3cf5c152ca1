/* Balancers and the run-time state of origins: shares, stickiness, standby, health, across threads and reloads. */
#include "proxy/balancer.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <pthread.h>

#include "proxy/origin_state.h"

#define SECOND INT64_C(1000000000)

enum { MEMBERS = 4 };

static const char *const names[MEMBERS] = {"http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3",
                                           "http://127.0.0.1:4"};
static const char *const routes[MEMBERS] = {"a", "b", "c", "d"};
static struct origin origins[MEMBERS];
static struct balancer_member members[MEMBERS];
static struct balancer balancer;
static const struct origin *origin_list[MEMBERS];
static const struct balancer *balancer_list[1];
static struct config config;
static struct origin_table *table;
static struct origins *state;

static void begin(size_t count, const unsigned *factors) {
    origins_free(&state);
    origin_table_free(&table);
    balancer = (struct balancer){.name = "balancer://pool", .members = members, .member_count = count};
    config =
        (struct config){.origins = origin_list, .origin_count = count, .balancers = balancer_list, .balancer_count = 1};
    balancer_list[0] = &balancer;
    for (size_t i = 0; i < count; i++) {
        origins[i] = (struct origin){
            .name = names[i], .host = "127.0.0.1", .port = (uint16_t)(i + 1), .index = i, .retry_ns = 60 * SECOND};
        members[i] = (struct balancer_member){.origin = &origins[i],
                                              .path = "",
                                              .route = routes[i],
                                              .load_factor_x100 = factors != NULL ? factors[i] : 100,
                                              .index = i};
        origin_list[i] = &origins[i];
    }
    table = origin_table_new(NULL);
    state = origins_new(table, &config, NULL, 0);
}

static struct origin_runtime *runtime(size_t i) {
    return origins_get(state, &origins[i]);
}

/* The index of the chosen member; -1 for none. */
static int choose(const char *cookie, uint64_t tried, int64_t now_ns) {
    const struct balancer_member *member = origins_choose(state, &balancer, span_of(cookie), tried, now_ns);
    return member != NULL ? (int)member->index : -1;
}

static void equal_members_take_turns(void) {
    begin(3, NULL);
    for (int i = 0; i < 9; i++) {
        CU_ASSERT_EQUAL(choose(NULL, 0, 0), i % 3);
    }
}

static void shares_follow_the_load_factors(void) {
    begin(3, (const unsigned[]){500, 100, 250});
    unsigned counts[3] = {0};
    for (int i = 0; i < 8500; i++) {
        counts[choose(NULL, 0, 0)]++;
    }
    CU_ASSERT(counts[0] >= 4999 && counts[0] <= 5001);
    CU_ASSERT(counts[1] >= 999 && counts[1] <= 1001);
    CU_ASSERT(counts[2] >= 2499 && counts[2] <= 2501);
}

static void a_failed_member_rests_and_comes_back(void) {
    begin(2, NULL);
    origin_failed(runtime(0), &origins[0], 10 * SECOND);
    CU_ASSERT_FALSE(origin_usable(runtime(0), 69 * SECOND));
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(choose(NULL, 0, 11 * SECOND), 1);
    }
    CU_ASSERT(origin_usable(runtime(0), 70 * SECOND));
    /* It does not catch up on what it missed. */
    unsigned counts[2] = {0};
    for (int i = 0; i < 10; i++) {
        counts[choose(NULL, 0, 70 * SECOND)]++;
    }
    CU_ASSERT(counts[0] >= 5 && counts[0] <= 6);
    origin_failed(runtime(0), &origins[0], 80 * SECOND);
    origin_worked(runtime(0));
    CU_ASSERT(origin_usable(runtime(0), 81 * SECOND));
}

static void none_is_left(void) {
    begin(2, NULL);
    origin_failed(runtime(0), &origins[0], 0);
    CU_ASSERT_EQUAL(choose(NULL, 1U << 1, SECOND), -1);
    origin_failed(runtime(1), &origins[1], 0);
    CU_ASSERT_EQUAL(choose(NULL, 0, SECOND), -1);
}

static void tried_members_are_passed_over(void) {
    begin(3, NULL);
    CU_ASSERT_EQUAL(choose(NULL, 3, 0), 2);
    CU_ASSERT_EQUAL(choose(NULL, 5, 0), 1);
    CU_ASSERT_EQUAL(choose(NULL, 7, 0), -1);
}

static void cookies_stick(void) {
    begin(3, NULL);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(choose("session.with.dots.c", 0, 0), 2);
        CU_ASSERT_EQUAL(choose("b", 0, 0), 1);
    }
    CU_ASSERT_EQUAL(choose("x.unknown", 0, 0), 0);
    CU_ASSERT_EQUAL(choose("x.", 0, 0), 0);
    origin_failed(runtime(2), &origins[2], 0);
    CU_ASSERT_NOT_EQUAL(choose("x.c", 0, SECOND), 2);
    CU_ASSERT_NOT_EQUAL(choose("x.b", 1U << 1, SECOND), 1);
}

static void standbys_wait_for_need(void) {
    begin(3, NULL);
    members[2].hot_standby = true;
    members[1].disabled = true;
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(choose(NULL, 0, 0), 0);
    }
    origin_failed(runtime(0), &origins[0], 0);
    CU_ASSERT_EQUAL(choose(NULL, 0, SECOND), 2);
    CU_ASSERT_EQUAL(choose(NULL, 0, 61 * SECOND), 0);
}

static void the_least_busy_is_next(void) {
    begin(3, (const unsigned[]){100, 200, 100});
    balancer.method = BALANCE_BY_BUSYNESS;
    unsigned counts[3] = {0};
    for (int i = 0; i < 40; i++) {
        int chosen = choose(NULL, 0, 0);
        counts[chosen]++;
        origin_begin(runtime((size_t)chosen));
    }
    CU_ASSERT_EQUAL(counts[0], 10);
    CU_ASSERT_EQUAL(counts[1], 20);
    CU_ASSERT_EQUAL(counts[2], 10);
    origin_end(runtime(2));
    CU_ASSERT_EQUAL(choose(NULL, 0, 0), 2);
}

static void idle_members_take_turns_by_busyness_too(void) {
    begin(2, NULL);
    balancer.method = BALANCE_BY_BUSYNESS;
    CU_ASSERT_EQUAL(choose(NULL, 0, 0), 0);
    CU_ASSERT_EQUAL(choose(NULL, 0, 0), 1);
    CU_ASSERT_EQUAL(choose(NULL, 0, 0), 0);
}

enum { THREADS = 4, CHOICES = 50000 };

static void *choose_often(void *argument) {
    unsigned *counts = argument;
    for (int i = 0; i < CHOICES; i++) {
        int chosen = choose(NULL, 0, SECOND);
        counts[chosen]++;
        origin_begin(runtime((size_t)chosen));
        origin_failed(runtime(3), &origins[3], SECOND);
        origin_end(runtime((size_t)chosen));
    }
    return NULL;
}

static void shares_hold_across_threads(void) {
    begin(4, (const unsigned[]){300, 100, 100, 100});
    origin_failed(runtime(3), &origins[3], SECOND);
    pthread_t threads[THREADS];
    unsigned counts[THREADS][MEMBERS] = {0};
    for (size_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, choose_often, counts[i]);
    }
    unsigned total[MEMBERS] = {0};
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        for (size_t j = 0; j < MEMBERS; j++) {
            total[j] += counts[i][j];
        }
    }
    const unsigned fifth = THREADS * CHOICES / 5;
    CU_ASSERT(total[0] + 2 >= 3 * fifth && total[0] <= 3 * fifth + 2);
    CU_ASSERT(total[1] + 2 >= fifth && total[1] <= fifth + 2);
    CU_ASSERT(total[2] + 2 >= fifth && total[2] <= fifth + 2);
    CU_ASSERT_EQUAL(total[3], 0);
}

static void addresses_of_numbers_and_paths(void) {
    begin(2, NULL);
    union socket_address address;
    socklen_t length = 0;
    CU_ASSERT(origin_address(runtime(1), 0, &address, &length));
    CU_ASSERT_EQUAL(address.v4.sin_family, AF_INET);
    CU_ASSERT_EQUAL(ntohs(address.v4.sin_port), 2);
    CU_ASSERT_EQUAL(length, sizeof address.v4);
    CU_ASSERT_FALSE(origin_address(runtime(1), 1, &address, &length));

    origins_free(&state);
    origins[0] = (struct origin){.name = "unix:/run/app.sock|http://app", .host = "app", .unix_path = "/run/app.sock"};
    char long_path[200];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    origins[1] = (struct origin){.name = "unix:long", .host = "app", .unix_path = long_path, .index = 1};
    state = origins_new(table, &config, NULL, 0);
    CU_ASSERT(origin_address(runtime(0), 0, &address, &length));
    CU_ASSERT_EQUAL(address.any.sa_family, AF_UNIX);
    CU_ASSERT_STRING_EQUAL(address.unix_path.sun_path, "/run/app.sock");
    CU_ASSERT_FALSE(origin_address(runtime(1), 0, &address, &length));
}

static void health_survives_a_reload(void) {
    begin(2, NULL);
    origin_failed(runtime(0), &origins[0], 0);
    struct origins *next = origins_new(table, &config, NULL, 0);
    CU_ASSERT_PTR_EQUAL(origins_get(next, &origins[0]), runtime(0));
    origins_free(&state);
    state = next;
    CU_ASSERT_FALSE(origin_usable(runtime(0), SECOND));
    CU_ASSERT_EQUAL(choose(NULL, 0, SECOND), 1);
}

static void a_plain_origin_is_always_usable(void) {
    begin(1, NULL);
    origin_failed(runtime(0), &origins[0], 0);
    config.balancer_count = 0;
    struct origins *plain = origins_new(table, &config, NULL, 0);
    struct origin_runtime *other = origins_get(plain, &origins[0]);
    CU_ASSERT_PTR_NOT_EQUAL(other, runtime(0));
    const struct origin without_retry = {.name = names[0]};
    origin_failed(other, &without_retry, 0);
    CU_ASSERT(origin_usable(other, 0));
    CU_ASSERT_FALSE(origin_usable(runtime(0), 0));
    origins_free(&plain);
    config.balancer_count = 1;
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("balancer", NULL, NULL);
    CU_ADD_TEST(suite, equal_members_take_turns);
    CU_ADD_TEST(suite, shares_follow_the_load_factors);
    CU_ADD_TEST(suite, a_failed_member_rests_and_comes_back);
    CU_ADD_TEST(suite, none_is_left);
    CU_ADD_TEST(suite, tried_members_are_passed_over);
    CU_ADD_TEST(suite, cookies_stick);
    CU_ADD_TEST(suite, standbys_wait_for_need);
    CU_ADD_TEST(suite, the_least_busy_is_next);
    CU_ADD_TEST(suite, idle_members_take_turns_by_busyness_too);
    CU_ADD_TEST(suite, shares_hold_across_threads);
    CU_ADD_TEST(suite, addresses_of_numbers_and_paths);
    CU_ADD_TEST(suite, health_survives_a_reload);
    CU_ADD_TEST(suite, a_plain_origin_is_always_usable);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    origins_free(&state);
    origin_table_free(&table);
    return failures > 0;
}
