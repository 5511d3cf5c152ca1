/* shaper/state_file.h: what stands at a path, the lock, and moving away without losing anything. */
#include "shaper/state_file.h"

#include "tests/unit/shaper/given_state.h"

static enum state_file_kind look(const char *path) {
    struct mod_cband_file scoreboard;
    struct state_text problem;
    return state_file_look(path, wall_s, &scoreboard, &problem);
}

static void files_are_told_apart(void) {
    struct folder folder = new_folder();
    static const char zeros[MOD_CBAND_FILE_BYTES + 1];
    write_file(in(&folder, "empty"), "", 0);
    write_file(in(&folder, "database"), "SQLite format 3\0rest", 20);
    write_file(in(&folder, "scoreboard"), zeros, MOD_CBAND_FILE_BYTES);
    write_file(in(&folder, "longer"), zeros, MOD_CBAND_FILE_BYTES + 1);
    CU_ASSERT_EQUAL(look(in(&folder, "missing")), STATE_FILE_NONE);
    CU_ASSERT_EQUAL(look(in(&folder, "empty")), STATE_FILE_EMPTY);
    CU_ASSERT_EQUAL(look(in(&folder, "database")), STATE_FILE_DATABASE);
    CU_ASSERT_EQUAL(look(in(&folder, "scoreboard")), STATE_FILE_MOD_CBAND);
    CU_ASSERT_EQUAL(look(in(&folder, "longer")), STATE_FILE_OTHER);
    CU_ASSERT_EQUAL(look(folder.path), STATE_FILE_FOLDER);
    CU_ASSERT_EQUAL(look("/dev/null"), STATE_FILE_UNUSABLE);
    CU_ASSERT_EQUAL(mkfifo(in(&folder, "pipe"), 0600), 0);
    CU_ASSERT_EQUAL(look(in(&folder, "pipe")), STATE_FILE_UNUSABLE); /* and nobody waits for its writer */
    remove_folder(&folder);
}

static void one_at_a_time_has_the_lock(void) {
    struct folder folder = new_folder();
    struct state_text problem;
    char expected[128];
    int first, second;
    const char *path = in(&folder, "state");
    CU_ASSERT_EQUAL(state_file_lock(path, &first, &problem), STATE_LOCK_TAKEN);
    CU_ASSERT_EQUAL(state_file_lock(path, &second, &problem), STATE_LOCK_HELD);
    CU_ASSERT_EQUAL(second, -1);
    snprintf(expected, sizeof expected, "%s is in use by another weir, process %ld:", path, (long)getpid());
    CU_ASSERT_EQUAL(strncmp(problem.text, expected, strlen(expected)), 0);
    close(first);
    CU_ASSERT_EQUAL(state_file_lock(path, &second, &problem), STATE_LOCK_TAKEN);
    close(second);
    CU_ASSERT_EQUAL(state_file_lock("/nowhere/at/all", &first, &problem), STATE_LOCK_FAILED);
    remove_folder(&folder);
}

static void setting_aside_overwrites_nothing(void) {
    struct folder folder = new_folder();
    struct state_text name, problem;
    for (unsigned i = 0; i < 20; i++) {
        char text[8];
        int length = snprintf(text, sizeof text, "%u", i);
        write_file(in(&folder, "state"), text, (size_t)length);
        write_file(in(&folder, "state-wal"), text, (size_t)length);
        CU_ASSERT_TRUE(state_file_set_aside(in(&folder, "state"), "corrupt", &name, &problem));
        size_t read = 0;
        char *bytes = read_file(name.text, &read);
        CU_ASSERT_TRUE(bytes != NULL && read == (size_t)length && memcmp(bytes, text, read) == 0);
        free(bytes);
        CU_ASSERT_EQUAL(look(in(&folder, "state")), STATE_FILE_NONE);
        CU_ASSERT_EQUAL(look(in(&folder, "state-wal")), STATE_FILE_NONE);
    }
    CU_ASSERT_EQUAL(names_like(&folder, "state.corrupt"), 40);
    CU_ASSERT_FALSE(state_file_set_aside(in(&folder, "missing"), "corrupt", &name, &problem));
    CU_ASSERT_PTR_NOT_NULL(strstr(problem.text, "cannot be renamed to"));
    remove_folder(&folder);
}

static void the_name_has_the_time(void) {
    char suffix[32];
    setenv("TZ", "UTC", 1);
    tzset();
    state_file_corrupt_suffix(1700000000, suffix);
    CU_ASSERT_STRING_EQUAL(suffix, "corrupt-20231114-221320");
    state_file_corrupt_suffix(INT64_MAX, suffix);
    CU_ASSERT_EQUAL(strncmp(suffix, "corrupt", 7), 0);
}

int main(void) {
    static const CU_TestInfo tests[] = {
        TEST(files_are_told_apart),
        TEST(one_at_a_time_has_the_lock),
        TEST(setting_aside_overwrites_nothing),
        TEST(the_name_has_the_time),
        CU_TEST_INFO_NULL,
    };
    return run_suite("files of the state", tests);
}
