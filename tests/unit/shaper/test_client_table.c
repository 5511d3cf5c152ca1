/* shaper/client_table.h against a plain list under churn; its bounds, its memory, and eight threads. */
#include "shaper/client_table.h"

#include <string.h>

#include "tests/unit/shaper/given.h"

static const struct siphash_key hash_key = {{7, 7, 7, 1, 2, 3}};

static struct client_key key_of(uint32_t number) {
    struct client_key key = {.address = {.family = IP_V4}, .host_id = number % 3};
    memcpy(key.address.bytes, &number, 4);
    return key;
}

static struct client_table *new_table(size_t max_clients) {
    struct client_table_limits limits = {max_clients, SIZE_MAX};
    return client_table_new(&limits, &hash_key);
}

/* The model remembers each client's pins and what was counted; a record that was evicted begins at zero again. */
static void random_churn_matches_a_list(void) {
    enum { CLIENTS = 400, ROOM = 300 };
    static struct client_record *records[CLIENTS];
    static uint64_t counted[CLIENTS];
    static unsigned pins[CLIENTS];
    memset(pins, 0, sizeof pins);
    struct client_table *table = new_table(ROOM);
    uint32_t seed = 77;
    for (int64_t now_ns = 1; now_ns < 100000; now_ns++) {
        uint32_t i = next_random(&seed) % CLIENTS;
        struct client_key key = key_of(i);
        if (next_random(&seed) % 2 == 0 || pins[i] == 0) {
            struct client_record *record = client_table_pin(table, &key, now_ns);
            CU_ASSERT_PTR_NOT_NULL_FATAL(record);
            CU_ASSERT_TRUE(ip_address_equal(&record->key.address, &key.address) && record->key.host_id == key.host_id);
            CU_ASSERT_TRUE(pins[i] == 0 || record == records[i]);
            uint64_t used = client_record_used_bytes(record, 0);
            CU_ASSERT_TRUE(used == counted[i] || (pins[i] == 0 && used == 0));
            client_record_use(record, 1, 0);
            counted[i] = used + 1;
            records[i] = record;
            if (++pins[i] > 2 || i % 2 == 0) {
                client_table_unpin(table, record, now_ns);
                pins[i]--;
            }
        } else {
            client_table_unpin(table, records[i], now_ns);
            pins[i]--;
        }
        CU_ASSERT_TRUE(client_table_counts(table).clients <= ROOM);
    }
    CU_ASSERT_TRUE(client_table_counts(table).evicted > 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        while (pins[i]-- > 0) {
            client_table_unpin(table, records[i], 100000);
        }
    }
    client_table_free(&table);
    CU_ASSERT_PTR_NULL(table);
}

static void hosts_and_families_are_apart(void) {
    struct client_table *table = new_table(100);
    struct client_key one = {.address = {.family = IP_V4, .bytes = {127, 0, 0, 1}}, .host_id = 1};
    struct client_key other_host = one, other_family = one;
    other_host.host_id = 2;
    other_family.address.family = IP_V6;
    struct client_record *first = client_table_pin(table, &one, 1), *again = client_table_pin(table, &one, 2);
    struct client_record *second = client_table_pin(table, &other_host, 1);
    struct client_record *third = client_table_pin(table, &other_family, 1);
    CU_ASSERT_PTR_EQUAL(first, again);
    CU_ASSERT_TRUE(first != second && second != third && first != third);
    client_table_unpin(table, first, 3);
    client_table_unpin(table, first, 3);
    client_table_unpin(table, second, 3);
    client_table_unpin(table, third, 3);
    client_table_free(&table);
}

static void pinned_clients_are_never_forgotten(void) {
    enum { ROOM = 50 };
    struct client_table *table = new_table(ROOM);
    struct client_record *records[ROOM];
    for (uint32_t i = 0; i < ROOM; i++) {
        struct client_key key = key_of(i);
        records[i] = client_table_pin(table, &key, i);
        client_record_use(records[i], i + 1, 0);
    }
    for (uint32_t i = ROOM; i < 1000; i++) {
        struct client_key key = key_of(i);
        CU_ASSERT_PTR_NULL(client_table_pin(table, &key, i));
    }
    CU_ASSERT_EQUAL(client_table_counts(table).no_room, 1000 - ROOM);
    client_table_unpin(table, records[7], 1000); /* one leaves: there is room for one, whatever its place */
    struct client_key newcomer = key_of(5000);
    records[7] = client_table_pin(table, &newcomer, 1001);
    CU_ASSERT_PTR_NOT_NULL_FATAL(records[7]);
    CU_ASSERT_EQUAL(client_record_used_bytes(records[7], 0), 0);
    for (uint32_t i = 0; i < ROOM; i++) {
        CU_ASSERT_TRUE(i == 7 || client_record_used_bytes(records[i], 0) == i + 1);
        client_table_unpin(table, records[i], 2000);
    }
    client_table_free(&table);
}

/* A client that comes back all the time is kept while 100,000 others pass. */
static void the_one_unused_for_longest_goes_first(void) {
    struct client_table *table = new_table(6400);
    struct client_key regular = key_of(1);
    for (uint32_t i = 0; i < 100000; i++) {
        struct client_record *record = client_table_pin(table, &regular, i);
        CU_ASSERT_EQUAL(client_record_used_bytes(record, 0), i);
        client_record_use(record, 1, 0);
        client_table_unpin(table, record, i);
        struct client_key passer = key_of(10 + i);
        client_table_unpin(table, client_table_pin(table, &passer, i), i);
    }
    CU_ASSERT_EQUAL(client_table_counts(table).clients, 6400);
    client_table_free(&table);
}

static void a_million_clients_fit_into_256_mib(void) {
    CU_ASSERT_TRUE(client_table_memory_bytes(1000000) <= (size_t)256 << 20);
    struct client_table_limits limits = {SIZE_MAX, 1 << 20};
    struct client_table *table = client_table_new(&limits, &hash_key);
    for (uint32_t i = 0; i < 20000; i++) {
        struct client_key key = key_of(i);
        client_table_unpin(table, client_table_pin(table, &key, i), i);
    }
    size_t clients = client_table_counts(table).clients;
    CU_ASSERT_TRUE(clients > 1000 && client_table_memory_bytes(clients) <= limits.max_bytes);
    CU_ASSERT_TRUE(client_table_memory_bytes(clients + 1) > limits.max_bytes);
    client_table_free(&table);
}

static void a_table_without_room_gives_nobody_a_record(void) {
    struct client_table *table = new_table(0);
    struct client_key key = key_of(1);
    CU_ASSERT_PTR_NULL(client_table_pin(table, &key, 1));
    CU_ASSERT_EQUAL(client_table_counts(table).no_room, 1);
    client_table_free(&table);
}

static void a_new_epoch_counts_from_zero(void) {
    struct client_record record = {0};
    client_record_use(&record, 10, 0);
    client_record_use(&record, 5, 0);
    CU_ASSERT_EQUAL(client_record_used_bytes(&record, 0), 15);
    CU_ASSERT_EQUAL(client_record_used_bytes(&record, 1), 0);
    client_record_use(&record, 3, 2);
    CU_ASSERT_EQUAL(client_record_used_bytes(&record, 2), 3);
    client_record_take_back(&record, 2, 1); /* of an epoch that is over */
    CU_ASSERT_EQUAL(client_record_used_bytes(&record, 2), 3);
    client_record_take_back(&record, 2, 2);
    CU_ASSERT_EQUAL(client_record_used_bytes(&record, 2), 1);
}

struct visitor {
    struct client_table *table;
    uint32_t seed;
    uint64_t served;
};

static void *visit(void *argument) {
    struct visitor *visitor = argument;
    for (int64_t i = 0; i < 20000; i++) {
        struct client_key key = key_of(next_random(&visitor->seed) % 500);
        struct client_record *record = client_table_pin(visitor->table, &key, i);
        if (record != NULL) {
            in_flight_enter(&record->scope.in_flight, 0);
            client_record_use(record, 1, (uint64_t)i / 5000);
            in_flight_leave(&record->scope.in_flight);
            client_table_unpin(visitor->table, record, i);
            visitor->served++;
        }
    }
    return NULL;
}

static void eight_threads_share_a_crowded_table(void) {
    struct client_table *table = new_table(100);
    struct visitor visitors[8];
    for (size_t i = 0; i < 8; i++) {
        visitors[i] = (struct visitor){table, (uint32_t)i * 77, 0};
    }
    run_eight_threads(visit, visitors, sizeof *visitors);
    uint64_t served = 0;
    for (size_t i = 0; i < 8; i++) {
        served += visitors[i].served;
    }
    struct client_table_counts counts = client_table_counts(table);
    CU_ASSERT_TRUE(counts.clients <= 100);
    CU_ASSERT_EQUAL(served + counts.no_room, 8 * 20000);
    client_table_free(&table);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(random_churn_matches_a_list),
                                        TEST(hosts_and_families_are_apart),
                                        TEST(pinned_clients_are_never_forgotten),
                                        TEST(the_one_unused_for_longest_goes_first),
                                        TEST(a_million_clients_fit_into_256_mib),
                                        TEST(a_table_without_room_gives_nobody_a_record),
                                        TEST(a_new_epoch_counts_from_zero),
                                        TEST(eight_threads_share_a_crowded_table),
                                        CU_TEST_INFO_NULL};
    return run_suite("client_table", tests);
}
