/* shaper/state_database.h: rows, transactions, and what happens to a database at the wrong moment. */
#include "shaper/state_database.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "tests/unit/shaper/given_state.h"

static struct state_usage usage(const char *name, const char *class_name, uint64_t used_bytes) {
    return (struct state_usage){"host", name, class_name, wall_s, wall_s, used_bytes};
}

/* -1: no such row. */
static int64_t used(struct state_database *database, const char *name, const char *class_name) {
    struct arena arena;
    arena_init(&arena, NULL, 0);
    size_t count;
    enum state_result result;
    int64_t found = -1;
    struct state_usage *rows = state_database_read_usage(database, &arena, &count, &result);
    CU_ASSERT_EQUAL(result, STATE_DONE);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0 && strcmp(rows[i].class_name, class_name) == 0) {
            found = (int64_t)rows[i].used_bytes;
        }
    }
    free(rows);
    arena_reset(&arena);
    return found;
}

static void put(struct state_database *database, const char *name, uint64_t used_bytes) {
    struct state_usage row = usage(name, "", used_bytes);
    CU_ASSERT_EQUAL_FATAL(state_database_begin(database), STATE_DONE);
    state_database_put_usage(database, &row);
    CU_ASSERT_EQUAL(state_database_commit(database), STATE_DONE);
}

/* A number that a query answers, by a connection of its own. */
static int64_t ask(const char *path, const char *sql) {
    sqlite3 *connection = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        value = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return value;
}

static void rows_are_kept(void) {
    struct folder folder = new_folder();
    struct state_database *database = open_state(in(&folder, "db"));
    CU_ASSERT_EQUAL(used(database, "a", ""), -1);
    put(database, "a", 5);
    put(database, "a", 7);
    struct state_usage class = usage("a", "lan", 3);
    state_database_begin(database);
    state_database_put_usage(database, &class);
    state_database_roll_back(database);
    CU_ASSERT_EQUAL(used(database, "a", "lan"), -1);
    state_database_begin(database);
    state_database_put_usage(database, &class);
    state_database_commit(database);
    state_database_close(&database);
    CU_ASSERT_PTR_NULL(database);
    CU_ASSERT_EQUAL(names_like(&folder, "db"), 2); /* the file and its lock */
    struct stat status;
    CU_ASSERT_TRUE(stat(in(&folder, "db"), &status) == 0 && (status.st_mode & 0777) == 0600);
    database = open_state(in(&folder, "db"));
    CU_ASSERT_EQUAL(used(database, "a", ""), 7);
    CU_ASSERT_EQUAL(used(database, "a", "lan"), 3);
    put(database, "huge", UINT64_MAX);
    CU_ASSERT_EQUAL(used(database, "huge", ""), INT64_C(1) << 60);
    state_database_close(&database);
    remove_folder(&folder);
}

static void one_process_at_a_time(void) {
    struct folder folder = new_folder();
    const char *path = in(&folder, "db");
    struct state_opened second;
    struct state_database *database = open_state(path);
    CU_ASSERT_EQUAL(state_database_open(path, wall_s, &second), STATE_HELD);
    CU_ASSERT_PTR_NULL(second.database);
    CU_ASSERT_PTR_NOT_NULL(strstr(second.problem.text, "in use by another weir"));
    CU_ASSERT_EQUAL(state_database_join(path, &second), STATE_OPEN); /* for one that has given up the lock */
    put(second.database, "a", 1);
    CU_ASSERT_FALSE(state_database_take_lock(second.database));
    state_database_give_up_lock(database);
    CU_ASSERT_TRUE(state_database_take_lock(second.database));
    CU_ASSERT_FALSE(state_database_take_lock(database));
    state_database_close(&second.database);
    CU_ASSERT_EQUAL(used(database, "a", ""), 1);
    state_database_close(&database);
    CU_ASSERT_EQUAL(state_database_join(in(&folder, "missing"), &second), STATE_FAILED);
    CU_ASSERT_EQUAL(names_like(&folder, "missing"), 0);
    remove_folder(&folder);
}

static void handed_over_rows_are_added_once(void) {
    struct folder folder = new_folder();
    struct state_database *database = open_state(in(&folder, "db"));
    put(database, "a", 100);
    struct state_usage rows[] = {usage("a", "", 5), usage("a", "lan", 4), usage("a", "", 6), usage("a", "", 50),
                                 usage("new", "", 9)};
    rows[3].begin_s = wall_s - 86400; /* of an earlier period: gone */
    state_database_begin(database);
    for (size_t i = 0; i < 5; i++) {
        state_database_put_handover(database, &rows[i]);
    }
    state_database_commit(database);
    struct arena arena;
    arena_init(&arena, NULL, 0);
    size_t count;
    enum state_result result;
    state_database_begin(database);
    struct state_handover *read = state_database_read_handover(database, &arena, 100, &count, &result);
    CU_ASSERT_EQUAL_FATAL(count, 5);
    for (size_t i = 0; i < count; i++) {
        state_database_merge_handover(database, &read[i]);
    }
    CU_ASSERT_EQUAL(state_database_commit(database), STATE_DONE);
    free(read);
    CU_ASSERT_PTR_NULL(state_database_read_handover(database, &arena, 100, &count, &result));
    CU_ASSERT_EQUAL(used(database, "a", ""), 111);
    CU_ASSERT_EQUAL(used(database, "a", "lan"), 4);
    CU_ASSERT_EQUAL(used(database, "new", ""), 9);
    rows[0].begin_s = wall_s + 86400; /* of a later one: takes the place */
    state_database_begin(database);
    state_database_merge_handover(database, &(struct state_handover){1, rows[0]});
    state_database_commit(database);
    CU_ASSERT_EQUAL(used(database, "a", ""), 5);
    arena_reset(&arena);
    state_database_close(&database);
    remove_folder(&folder);
}

static void history_is_added_up_and_goes(void) {
    struct folder folder = new_folder();
    struct state_database *database = open_state(in(&folder, "db"));
    CU_ASSERT_EQUAL(state_database_newest_history_s(database), INT64_MIN);
    state_database_begin(database);
    for (int64_t i = 0; i < 300; i++) {
        state_database_add_history(database, &(struct state_history){i / 3 * 3600, "host", "a", 10, 2, 1});
    }
    CU_ASSERT_EQUAL(state_database_commit(database), STATE_DONE);
    CU_ASSERT_EQUAL(state_database_newest_history_s(database), 99 * 3600);
    CU_ASSERT_EQUAL(ask(in(&folder, "db"), "SELECT count(*) FROM usage_history"), 100);
    CU_ASSERT_EQUAL(ask(in(&folder, "db"), "SELECT bytes_out * 100 + bytes_in * 10 + requests FROM usage_history"),
                    3063);
    state_database_begin(database);
    CU_ASSERT_EQUAL(state_database_drop_history(database, 50 * 3600, 30), 30);
    CU_ASSERT_EQUAL(state_database_drop_history(database, 50 * 3600, 30), 20);
    CU_ASSERT_EQUAL(state_database_drop_history(database, 50 * 3600, 30), 0);
    state_database_commit(database);
    CU_ASSERT_EQUAL(ask(in(&folder, "db"), "SELECT min(hour_s) FROM usage_history"), 50 * 3600);
    state_database_close(&database);
    remove_folder(&folder);
}

static void blocks_are_kept_while_they_hold(void) {
    struct folder folder = new_folder();
    struct state_database *database = open_state(in(&folder, "db"));
    struct arena arena;
    arena_init(&arena, NULL, 0);
    size_t count;
    enum state_result result;
    state_database_begin(database);
    state_database_put_block(
        database,
        &(struct state_block){
            .address = "192.0.2.7", .prefix_bits = 32, .until_s = wall_s + 10, .reason = "page", .host = "a"});
    state_database_put_block(
        database,
        &(struct state_block){
            .address = "192.0.2.7", .prefix_bits = 32, .until_s = wall_s + 20, .reason = "site", .host = "b"});
    state_database_put_block(
        database,
        &(struct state_block){
            .address = "2001:db8::", .prefix_bits = 64, .until_s = wall_s + 5, .reason = "page", .host = "a"});
    state_database_put_block(
        database,
        &(struct state_block){
            .address = "192.0.2.8", .prefix_bits = 32, .until_s = wall_s + 50, .reason = "page", .host = "a"});
    state_database_drop_block(database, "192.0.2.8", 32);
    state_database_commit(database);
    struct state_block *blocks = state_database_read_blocks(database, &arena, wall_s + 7, 100, &count, &result);
    CU_ASSERT_EQUAL_FATAL(count, 1);
    CU_ASSERT_STRING_EQUAL(blocks[0].address, "192.0.2.7");
    CU_ASSERT_STRING_EQUAL(blocks[0].reason, "site");
    CU_ASSERT_STRING_EQUAL(blocks[0].host, "b");
    CU_ASSERT_TRUE(blocks[0].prefix_bits == 32 && blocks[0].until_s == wall_s + 20);
    free(blocks);
    state_database_begin(database);
    state_database_drop_old_blocks(database, wall_s + 7);
    state_database_commit(database);
    CU_ASSERT_EQUAL(ask(in(&folder, "db"), "SELECT count(*) FROM block"), 1);
    arena_reset(&arena);
    state_database_close(&database);
    remove_folder(&folder);
}

/* The files as they stand at any moment, as a crash leaves them: a copy of them has all that was committed. */
static void a_crash_loses_nothing_committed(void) {
    struct folder folder = new_folder();
    struct state_database *database = open_state(in(&folder, "db"));
    uint32_t seed = 3;
    for (unsigned round = 1; round <= 60; round++) {
        uint64_t committed = round;
        put(database, "a", committed);
        struct state_usage more = usage("a", "", 1000000);
        bool is_inside = next_random(&seed) % 2 == 0;
        if (is_inside) {
            state_database_begin(database);
            state_database_put_usage(database, &more);
        }
        copy_file(in(&folder, "db"), in(&folder, "copy"));
        copy_file(in(&folder, "db-wal"), in(&folder, "copy-wal"));
        if (is_inside) {
            state_database_roll_back(database);
        }
        struct state_database *copy = open_state(in(&folder, "copy"));
        CU_ASSERT_EQUAL(used(copy, "a", ""), (int64_t)committed);
        put(copy, "a", 1);
        state_database_close(&copy);
        unlink(in(&folder, "copy"));
    }
    CU_ASSERT_EQUAL(names_like(&folder, "copy.corrupt"), 0);
    state_database_close(&database);
    remove_folder(&folder);
}

/* Whatever is in the files: a database to write to comes of it, or an answer why not; and what was there is kept. */
static void damaged_bytes_never_crash(void) {
    struct folder folder = new_folder();
    struct state_database *database = open_state(in(&folder, "good"));
    for (unsigned i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "host%u", i);
        put(database, name, i);
    }
    copy_file(in(&folder, "good-wal"), in(&folder, "log"));
    state_database_close(&database);
    size_t length = 0, log_length = 0;
    char *good = read_file(in(&folder, "good"), &length), *log = read_file(in(&folder, "log"), &log_length);
    uint32_t seed = 17;
    unsigned opened_count = 0, set_aside = 0;
    for (unsigned round = 0; round < 300; round++) {
        char *bytes = malloc(length);
        memcpy(bytes, good, length);
        for (unsigned i = next_random(&seed) % 30; i > 0; i--) {
            bytes[next_random(&seed) % (round % 2 == 0 ? length : 200)] = (char)next_random(&seed);
        }
        write_file(in(&folder, "db"), bytes, next_random(&seed) % 4 == 0 ? next_random(&seed) % length : length);
        if (next_random(&seed) % 3 == 0) {
            log[next_random(&seed) % log_length] = (char)next_random(&seed);
            write_file(in(&folder, "db-wal"), log, log_length);
        }
        struct state_opened opened;
        enum state_open result = state_database_open(in(&folder, "db"), wall_s + round, &opened);
        set_aside += opened.set_aside.text[0] != '\0';
        CU_ASSERT_TRUE(result == STATE_OPEN || (opened.problem.text[0] != '\0' && opened.database == NULL));
        if (result == STATE_OPEN) {
            opened_count++;
            struct state_usage row = usage("host7", "", 1);
            enum state_result begun = state_database_begin(opened.database);
            if (begun == STATE_DONE) {
                state_database_put_usage(opened.database, &row);
                (void)state_database_commit(opened.database);
            }
            (void)state_database_newest_history_s(opened.database);
            state_database_close(&opened.database);
        }
        free(bytes);
        unlink(in(&folder, "db"));
        unlink(in(&folder, "db-wal"));
        unlink(in(&folder, "db-shm"));
    }
    CU_ASSERT_TRUE(opened_count > 100 && set_aside > 50);
    CU_ASSERT_TRUE(names_like(&folder, "db.corrupt") >= set_aside);
    free(good);
    free(log);
    remove_folder(&folder);
}

static void what_is_not_ours_is_not_touched(void) {
    struct folder folder = new_folder();
    static const char *const texts[][2] = {
        {"CREATE TABLE t (a)", "another program"},
        {"PRAGMA application_id = 0x77656972; PRAGMA user_version = 2; CREATE TABLE t (a)", "a later weir"},
    };
    for (size_t i = 0; i < 2; i++) {
        const char *path = in(&folder, i == 0 ? "first" : "second");
        sqlite3 *connection = NULL;
        sqlite3_open(path, &connection);
        sqlite3_exec(connection, texts[i][0], NULL, NULL, NULL);
        sqlite3_close(connection);
        size_t before_length = 0, after_length = 0;
        char *before = read_file(path, &before_length);
        struct state_opened opened;
        CU_ASSERT_EQUAL(state_database_open(path, wall_s, &opened), STATE_FOREIGN);
        CU_ASSERT_PTR_NOT_NULL(strstr(opened.problem.text, texts[i][1]));
        char *after = read_file(path, &after_length);
        CU_ASSERT_TRUE(before_length == after_length && memcmp(before, after, after_length) == 0);
        free(before);
        free(after);
    }
    remove_folder(&folder);
}

/* A table that is missing, as after a repair by hand. */
static void a_database_without_its_tables_is_set_aside(void) {
    struct folder folder = new_folder();
    struct state_database *database = open_state(in(&folder, "db"));
    state_database_close(&database);
    (void)ask(in(&folder, "db"), "DROP TABLE block");
    struct state_opened opened;
    CU_ASSERT_EQUAL(state_database_open(in(&folder, "db"), wall_s, &opened), STATE_OPEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(opened.set_aside.text, "db.corrupt-"));
    state_database_close(&opened.database);
    remove_folder(&folder);
}

static void a_full_disk_is_an_answer(void) {
    struct folder folder = new_folder();
    struct state_database *database = open_state(in(&folder, "db"));
    struct rlimit before, small;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 200000;
    setrlimit(RLIMIT_FSIZE, &small);
    uint64_t committed = 0;
    enum state_result result = STATE_DONE;
    for (unsigned i = 0; i < 10000 && result == STATE_DONE; i++) {
        struct state_usage row = usage("a", "", i);
        result = state_database_begin(database);
        if (result == STATE_DONE) {
            state_database_put_usage(database, &row);
            state_database_add_history(database, &(struct state_history){i * 3600, "host", "a", 10, 2, 1});
            result = state_database_commit(database);
        }
        committed = result == STATE_DONE ? i : committed;
    }
    CU_ASSERT_EQUAL(result, STATE_UNDONE);
    CU_ASSERT_TRUE(committed > 10 && state_database_problem(database)[0] != '\0');
    CU_ASSERT_EQUAL(used(database, "a", ""), (int64_t)committed);
    setrlimit(RLIMIT_FSIZE, &before);
    put(database, "a", 7);
    CU_ASSERT_EQUAL(used(database, "a", ""), 7);
    state_database_close(&database);
    remove_folder(&folder);
}

static void a_file_that_is_gone_is_noticed(void) {
    struct folder folder = new_folder();
    struct state_database *database = open_state(in(&folder, "db"));
    put(database, "a", 1);
    unlink(in(&folder, "db"));
    CU_ASSERT_EQUAL(state_database_begin(database), STATE_GONE);
    CU_ASSERT_PTR_NOT_NULL(strstr(state_database_problem(database), "was removed or replaced"));
    state_database_close(&database);
    remove_folder(&folder);
}

int main(void) {
    static const CU_TestInfo tests[] = {
        TEST(rows_are_kept),
        TEST(one_process_at_a_time),
        TEST(handed_over_rows_are_added_once),
        TEST(history_is_added_up_and_goes),
        TEST(blocks_are_kept_while_they_hold),
        TEST(a_crash_loses_nothing_committed),
        TEST(damaged_bytes_never_crash),
        TEST(what_is_not_ours_is_not_touched),
        TEST(a_database_without_its_tables_is_set_aside),
        TEST(a_full_disk_is_an_answer),
        TEST(a_file_that_is_gone_is_noticed),
        CU_TEST_INFO_NULL,
    };
    return run_suite("state database", tests);
}
