/* shaper/mod_cband_file.h: files as the module writes them, and everything else. */
#include "shaper/mod_cband_file.h"

#include <string.h>

#include "tests/unit/shaper/given.h"

static const int64_t now_s = 1700000000;

/* The fields in the order of the file. */
static void write_scoreboard(uint8_t bytes[MOD_CBAND_FILE_BYTES], const uint64_t classes[MOD_CBAND_CLASSES],
                             uint64_t total, uint64_t start_s, int64_t count_down, int32_t flag) {
    memset(bytes, 0xaa, MOD_CBAND_FILE_BYTES); /* padding may be anything */
    memcpy(bytes, &total, 8);
    memcpy(bytes + 8, classes, 24);
    memcpy(bytes + 32, &start_s, 8);
    memcpy(bytes + 40, &count_down, 8);
    memcpy(bytes + 48, &flag, 4);
}

static void what_the_module_writes_is_read(void) {
    uint8_t bytes[MOD_CBAND_FILE_BYTES];
    struct mod_cband_file file;
    write_scoreboard(bytes, (uint64_t[]){1, 2, 3}, 1231, 1699990000, -3, 1);
    CU_ASSERT_TRUE(mod_cband_file_read(bytes, sizeof bytes, now_s, &file));
    CU_ASSERT_EQUAL(file.used_bytes, 1231);
    CU_ASSERT_EQUAL(file.class_used_bytes[0], 1);
    CU_ASSERT_EQUAL(file.class_used_bytes[2], 3);
    CU_ASSERT_EQUAL(file.start_s, 1699990000);
    write_scoreboard(bytes, (uint64_t[]){0, 0, 0}, 0, 0, 0, 0);
    CU_ASSERT_TRUE(mod_cband_file_read(bytes, sizeof bytes, now_s, &file));
    CU_ASSERT_EQUAL(file.start_s, 0);
}

static void what_it_cannot_have_written_is_not(void) {
    static const struct {
        uint64_t classes[MOD_CBAND_CLASSES], total, start_s;
        int64_t count_down;
        int32_t flag;
    } vectors[] = {
        {{11, 0, 0}, 10, 0, 0, 0},                 /* a class has more than all */
        {{0, 0, 0}, UINT64_MAX, 0, 0, 0},          /* nobody has sent that */
        {{0, 0, 0}, 10, 1700000000 + 90000, 0, 0}, /* it begins after tomorrow */
        {{0, 0, 0}, 10, UINT64_MAX, 0, 0},         /* it began before everything */
        {{0, 0, 0}, 10, 0, INT64_MAX, 0},          /* a count-down of an int */
        {{0, 0, 0}, 10, 0, 0, 2},                  /* a flag */
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t bytes[MOD_CBAND_FILE_BYTES];
        struct mod_cband_file file = {.used_bytes = 77};
        write_scoreboard(bytes, vectors[i].classes, vectors[i].total, vectors[i].start_s, vectors[i].count_down,
                         vectors[i].flag);
        CU_ASSERT_FALSE(mod_cband_file_read(bytes, sizeof bytes, now_s, &file));
        CU_ASSERT_EQUAL(file.used_bytes, 77);
    }
}

static void other_sizes_are_not(void) {
    uint8_t bytes[MOD_CBAND_FILE_BYTES + 8] = {0};
    struct mod_cband_file file;
    for (size_t length = 0; length <= sizeof bytes; length++) {
        CU_ASSERT_EQUAL(mod_cband_file_read(bytes, length, now_s, &file), length == MOD_CBAND_FILE_BYTES);
    }
}

static void random_bytes_give_nothing_absurd(void) {
    uint32_t seed = 5;
    for (unsigned round = 0; round < 100000; round++) {
        uint8_t bytes[MOD_CBAND_FILE_BYTES];
        for (size_t i = 0; i < sizeof bytes; i++) { /* mostly zeros, so that some are plausible */
            bytes[i] = next_random(&seed) % 8 == 0 ? (uint8_t)next_random(&seed) : 0;
        }
        struct mod_cband_file file;
        if (mod_cband_file_read(bytes, sizeof bytes, now_s, &file)) {
            CU_ASSERT_TRUE(file.used_bytes <= UINT64_C(1) << 60);
            CU_ASSERT_TRUE(file.start_s >= 0 && file.start_s <= now_s + 86400);
        }
    }
}

int main(void) {
    static const CU_TestInfo tests[] = {
        TEST(what_the_module_writes_is_read),
        TEST(what_it_cannot_have_written_is_not),
        TEST(other_sizes_are_not),
        TEST(random_bytes_give_nothing_absurd),
        CU_TEST_INFO_NULL,
    };
    return run_suite("mod_cband's file", tests);
}
