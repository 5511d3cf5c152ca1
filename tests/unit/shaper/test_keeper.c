/* shaper/keeper.h: restarts, reloads, several databases, and two processes that count at once. */
#include "shaper/keeper.h"

#include "shaper/keeper_state.h"
#include "tests/unit/shaper/given_shaper.h"
#include "tests/unit/shaper/given_state.h"

/* One process. */
struct side {
    struct shaper *shaper;
    struct shaper_binding *binding;
    struct keeper *keeper;
};

static const char *const two_hosts = "Listen 80\nStateFile %s/state\n<CBandClass lan>\nCBandClassDst 10.0.1.0/24\n"
                                     "</CBandClass>\n<CBandUser u>\nCBandUserPeriod 1D\n</CBandUser>\n"
                                     "<VirtualHost *:80>\nServerName a\nCBandUser u\nCBandPeriod 1D\n</VirtualHost>\n"
                                     "<VirtualHost *:80>\nServerName b\nCBandUser u\n</VirtualHost>\n";

static struct shaper_binding *apply_in(struct shaper *shaper, const struct folder *folder, const char *text) {
    char whole[2000];
    int length = 0;
    for (const char *at = text; *at != '\0'; at++) { /* every %s is the folder */
        bool is_folder = at[0] == '%' && at[1] == 's';
        length += snprintf(whole + length, sizeof whole - (size_t)length, "%.*s", is_folder ? 64 : 1,
                           is_folder ? folder->path : at);
        at += is_folder;
    }
    return apply(shaper, whole);
}

static struct side start_at(const struct folder *folder, const char *text, int64_t now_s) {
    struct state_text held = {""};
    struct side side = {.shaper = new_shaper()};
    side.binding = apply_in(side.shaper, folder, text);
    side.keeper = keeper_new(side.shaper);
    CU_ASSERT_TRUE(keeper_apply(side.keeper, side.binding, now_s, &held));
    CU_ASSERT_STRING_EQUAL(held.text, "");
    return side;
}

static struct side start(const struct folder *folder, const char *text) {
    return start_at(folder, text, wall_s);
}

static void reload(struct side *side, const struct folder *folder, const char *text) {
    struct state_text held;
    shaper_binding_unref(&side->binding);
    side->binding = apply_in(side->shaper, folder, text);
    CU_ASSERT_TRUE(keeper_apply(side->keeper, side->binding, wall_s, &held));
}

static void stop(struct side *side) {
    keeper_free(&side->keeper, wall_s);
    end(side->shaper, side->binding);
}

/* A process that is killed: it writes nothing more. */
static void crash(struct side *side) {
    struct keeper *keeper = side->keeper;
    for (size_t i = 0; i < keeper->paths.count; i++) {
        state_database_close(&keeper->databases[i].database);
        keeper->databases[i].is_named = false;
    }
    stop(side);
}

static uint64_t used(const struct side *side, size_t host) {
    struct quota_state state;
    quota_snapshot(&side->binding->hosts[host].record->quota, &state, NULL, 0);
    return state.used_bytes;
}

static uint64_t used_by_user(const struct side *side) {
    struct quota_state state;
    quota_snapshot(&side->binding->hosts[1].user_record->quota, &state, NULL, 0);
    return state.used_bytes;
}

static uint64_t used_by_class(const struct side *side, size_t host) {
    struct quota_state state;
    struct quota_class_state classes[8];
    size_t count = quota_snapshot(&side->binding->hosts[host].record->quota, &state, classes, 8);
    return count > 0 ? classes[0].used_bytes : 0;
}

/* Whether there is a message with this in it; takes all of them. */
static bool says(struct side *side, const char *text) {
    struct keeper_message message;
    bool found = false;
    while (keeper_take_message(side->keeper, &message)) {
        found = found || strstr(message.text.text, text) != NULL;
    }
    return found;
}

static void usage_is_restored(void) {
    struct folder folder = new_folder();
    struct side side = start(&folder, two_hosts);
    serve(side.binding, 1, 256, 0, 1000); /* 10.0.1.0: of class lan */
    serve(side.binding, 2, 1, 5, 300);
    stop(&side);
    side = start(&folder, two_hosts);
    CU_ASSERT_EQUAL(used(&side, 1), 1000);
    CU_ASSERT_EQUAL(used_by_class(&side, 1), 1000);
    CU_ASSERT_EQUAL(used(&side, 2), 300);
    CU_ASSERT_EQUAL(used_by_user(&side), 1300);
    serve(side.binding, 1, 1, 10, 1);
    keeper_flush(side.keeper, wall_s);
    serve(side.binding, 1, 1, 11, 50);
    crash(&side);
    side = start(&folder, two_hosts);
    CU_ASSERT_EQUAL(used(&side, 1), 1001);
    serve(side.binding, 1, 1, 86400 - 1, 1); /* the period goes on from its own begin */
    CU_ASSERT_EQUAL(used(&side, 1), 1002);
    serve(side.binding, 1, 1, 86400, 1);
    CU_ASSERT_EQUAL(used(&side, 1), 1);
    CU_ASSERT_EQUAL(used_by_class(&side, 1), 0);
    stop(&side);
    side = start(&folder, two_hosts);
    CU_ASSERT_EQUAL(used(&side, 1), 1);
    CU_ASSERT_EQUAL(used_by_class(&side, 1), 0);
    stop(&side);
    remove_folder(&folder);
}

static void only_what_changed_is_written(void) {
    struct folder folder = new_folder();
    struct side side = start(&folder, two_hosts);
    keeper_flush(side.keeper, wall_s);
    uint64_t before = keeper_counts(side.keeper).rows_written;
    serve(side.binding, 2, 1, 0, 300);
    keeper_flush(side.keeper, wall_s);
    CU_ASSERT_EQUAL(keeper_counts(side.keeper).rows_written - before, 2); /* the host and its user */
    uint64_t flushes = keeper_counts(side.keeper).flushes;
    keeper_flush(side.keeper, wall_s);
    keeper_flush(side.keeper, wall_s);
    CU_ASSERT_EQUAL(keeper_counts(side.keeper).flushes, flushes);
    CU_ASSERT_EQUAL(keeper_counts(side.keeper).databases, 1);
    stop(&side);
    remove_folder(&folder);
}

/* A file from the future, and one whose clock was a year behind. */
static void a_clock_that_stepped_loses_nothing(void) {
    static const int64_t steps_s[] = {-5, -86400 * 3, -31536000, 5};
    for (size_t i = 0; i < sizeof steps_s / sizeof *steps_s; i++) {
        struct folder folder = new_folder();
        struct side side = start(&folder, two_hosts);
        serve(side.binding, 1, 1, 0, 1000);
        stop(&side);
        side = start_at(&folder, two_hosts, wall_s + steps_s[i]);
        serve(side.binding, 1, 1, (double)steps_s[i], 10);
        keeper_flush(side.keeper, wall_s + steps_s[i]);
        CU_ASSERT_EQUAL(used(&side, 1), 1010);
        crash(&side);
        side = start_at(&folder, two_hosts, wall_s + steps_s[i] + 1);
        serve(side.binding, 1, 1, (double)steps_s[i] + 1, 5);
        CU_ASSERT_EQUAL(used(&side, 1), 1015);
        stop(&side);
        remove_folder(&folder);
    }
}

static const char *const no_state = "Listen 80\n<VirtualHost *:80>\nServerName a\nCBandPeriod 1D\n</VirtualHost>\n";
static const char *const scoreboard =
    "Listen 80\nStateFile %s/state\n<VirtualHost *:80>\nServerName a\nCBandPeriod 1D\n"
    "CBandScoreboard %s/score\n</VirtualHost>\n";

static void a_reload_changes_where_usage_is_kept(void) {
    struct folder folder = new_folder();
    struct side side = start(&folder, two_hosts);
    serve(side.binding, 1, 1, 0, 1000);
    stop(&side);
    side = start(&folder, no_state);
    serve(side.binding, 1, 1, 10, 7);
    keeper_flush(side.keeper, wall_s);
    reload(&side, &folder, two_hosts); /* what was kept, and what was counted since */
    CU_ASSERT_EQUAL(used(&side, 1), 1007);
    keeper_flush(side.keeper, wall_s);
    reload(&side, &folder, scoreboard);
    CU_ASSERT_EQUAL(used(&side, 1), 1007); /* not once more */
    serve(side.binding, 1, 1, 20, 1);
    keeper_flush(side.keeper, wall_s);
    reload(&side, &folder, two_hosts); /* its old row there is not the truth any more */
    CU_ASSERT_EQUAL(used(&side, 1), 1008);
    stop(&side);
    side = start(&folder, two_hosts);
    CU_ASSERT_EQUAL(used(&side, 1), 1008);
    stop(&side);
    side = start(&folder, scoreboard);
    CU_ASSERT_EQUAL(used(&side, 1), 1008);
    stop(&side);
    remove_folder(&folder);
}

static void mod_cbands_file_is_imported(void) {
    struct folder folder = new_folder();
    uint64_t words[7] = {5000, 40, 0, 0, (uint64_t)wall_s - 100, 0, 0};
    write_file(in(&folder, "score"), words, sizeof words);
    struct side side = start(&folder, scoreboard);
    CU_ASSERT_TRUE(says(&side, "5000 bytes are taken over from mod_cband"));
    CU_ASSERT_EQUAL(used(&side, 1), 5000);
    size_t length = 0;
    char *kept = read_file(in(&folder, "score.mod_cband"), &length);
    CU_ASSERT_TRUE(length == sizeof words && memcmp(kept, words, length) == 0);
    free(kept);
    stop(&side);
    side = start(&folder, scoreboard);
    CU_ASSERT_EQUAL(used(&side, 1), 5000);
    serve(side.binding, 1, 1, 86400 - 101, 1);
    CU_ASSERT_EQUAL(used(&side, 1), 5001);
    serve(side.binding, 1, 1, 86400 - 99, 2); /* mod_cband's period ends where it would have ended */
    CU_ASSERT_EQUAL(used(&side, 1), 2);
    stop(&side);
    remove_folder(&folder);
}

static void a_folder_is_not_a_scoreboard(void) {
    struct folder folder = new_folder();
    CU_ASSERT_EQUAL(mkdir(in(&folder, "score"), 0700), 0);
    struct side side = start(&folder, scoreboard);
    CU_ASSERT_TRUE(says(&side, "score is a folder, not a file: usage is kept in StateFile"));
    serve(side.binding, 1, 1, 0, 7);
    stop(&side);
    side = start(&folder, two_hosts);
    CU_ASSERT_EQUAL(used(&side, 1), 7);
    stop(&side);
    remove_folder(&folder);
}

static void what_fails_is_tried_again_and_said_once(void) {
    struct folder folder = new_folder();
    struct side side = start(&folder, two_hosts);
    serve(side.binding, 1, 1, 0, 1000);
    stop(&side);
    char away[100];
    snprintf(away, sizeof away, "%s", in(&folder, "away"));
    CU_ASSERT_EQUAL(rename(in(&folder, "state"), away), 0);
    CU_ASSERT_EQUAL(mkdir(in(&folder, "state"), 0700), 0);
    side = start(&folder, two_hosts);
    CU_ASSERT_TRUE(says(&side, "is a folder"));
    serve(side.binding, 1, 1, 1, 10);
    for (unsigned i = 0; i < 5; i++) {
        keeper_flush(side.keeper, wall_s);
        CU_ASSERT_FALSE(says(&side, ""));
    }
    CU_ASSERT_EQUAL(keeper_counts(side.keeper).databases_failing, 1);
    CU_ASSERT_EQUAL(keeper_counts(side.keeper).flush_errors, 6);
    CU_ASSERT_EQUAL(rmdir(in(&folder, "state")), 0);
    CU_ASSERT_EQUAL(rename(away, in(&folder, "state")), 0);
    keeper_flush(side.keeper, wall_s);
    CU_ASSERT_TRUE(says(&side, "is written again"));
    CU_ASSERT_EQUAL(used(&side, 1), 1010);
    CU_ASSERT_EQUAL(keeper_counts(side.keeper).databases_failing, 0);
    stop(&side);
    remove_folder(&folder);
}

static void another_process_is_refused(void) {
    struct folder folder = new_folder();
    struct side first = start(&folder, two_hosts), second = {.shaper = new_shaper()};
    struct state_text held = {""};
    second.binding = apply_in(second.shaper, &folder, two_hosts);
    second.keeper = keeper_new(second.shaper);
    CU_ASSERT_FALSE(keeper_apply(second.keeper, second.binding, wall_s, &held));
    CU_ASSERT_PTR_NOT_NULL(strstr(held.text, "is in use by another weir"));
    serve(first.binding, 1, 1, 0, 1000);
    stop(&first);
    CU_ASSERT_TRUE(keeper_apply(second.keeper, second.binding, wall_s, &held));
    CU_ASSERT_EQUAL(used(&second, 1), 1000);
    stop(&second);
    remove_folder(&folder);
}

/* ---- two processes ---- */

static void both_are_counted(void) {
    struct folder folder = new_folder();
    struct side old = start(&folder, two_hosts);
    serve(old.binding, 1, 256, 0, 1000);
    keeper_hand_over(old.keeper, wall_s);
    struct side new = start(&folder, two_hosts);
    CU_ASSERT_EQUAL(used(&new, 1), 1000);
    serve(old.binding, 1, 256, 1, 200);
    serve(new.binding, 1, 256, 1, 30);
    serve(old.binding, 2, 1, 1, 5); /* a host that neither knew: each begins its period by itself */
    serve(new.binding, 2, 1, 3, 4);
    for (unsigned i = 0; i < 4; i++) {
        keeper_flush(old.keeper, wall_s);
        keeper_flush(new.keeper, wall_s);
    }
    CU_ASSERT_EQUAL(used(&new, 1), 1230);
    CU_ASSERT_EQUAL(used_by_class(&new, 1), 1230);
    CU_ASSERT_EQUAL(used(&new, 2), 9);
    CU_ASSERT_EQUAL(used_by_user(&new), 1239);
    serve(old.binding, 1, 1, 2, 1);
    stop(&new);
    serve(old.binding, 1, 1, 2, 1);
    stop(&old);
    new = start(&folder, two_hosts); /* rows that nobody was left to add are found at the start */
    keeper_flush(new.keeper, wall_s);
    CU_ASSERT_EQUAL(used(&new, 1), 1232);
    stop(&new);
    remove_folder(&folder);
}

static void a_period_that_ends_meanwhile(void) {
    struct folder folder = new_folder();
    struct side old = start(&folder, two_hosts);
    serve(old.binding, 1, 1, 0, 1000);
    keeper_hand_over(old.keeper, wall_s);
    struct side new = start(&folder, two_hosts);
    serve(new.binding, 1, 1, 86400, 7);
    serve(old.binding, 1, 1, 86399, 1); /* of the old period: gone */
    keeper_flush(old.keeper, wall_s);
    keeper_flush(new.keeper, wall_s);
    CU_ASSERT_EQUAL(used(&new, 1), 7);
    serve(old.binding, 1, 1, 86401, 20);
    keeper_flush(old.keeper, wall_s);
    keeper_flush(new.keeper, wall_s);
    CU_ASSERT_EQUAL(used(&new, 1), 27);
    serve(old.binding, 1, 1, 2 * 86400, 3); /* the old one is first in the next period */
    keeper_flush(old.keeper, wall_s);
    keeper_flush(new.keeper, wall_s);
    CU_ASSERT_EQUAL(used(&new, 1), 3);
    serve(new.binding, 1, 1, 2 * 86400 + 1, 2);
    CU_ASSERT_EQUAL(used(&new, 1), 5);
    stop(&old);
    stop(&new);
    new = start(&folder, two_hosts);
    CU_ASSERT_EQUAL(used(&new, 1), 5);
    stop(&new);
    remove_folder(&folder);
}

static void a_process_that_fails_gives_it_back(void) {
    struct folder folder = new_folder();
    struct side old = start(&folder, two_hosts);
    serve(old.binding, 1, 1, 0, 1000);
    keeper_hand_over(old.keeper, wall_s);
    struct side new = start(&folder, two_hosts);
    serve(new.binding, 1, 1, 1, 30);
    serve(old.binding, 1, 1, 1, 200);
    keeper_flush(old.keeper, wall_s);
    keeper_flush(new.keeper, wall_s);
    serve(old.binding, 1, 1, 1, 4);
    keeper_flush(old.keeper, wall_s);
    serve(old.binding, 1, 1, 1, 5);
    keeper_take_back(old.keeper);
    keeper_flush(old.keeper, wall_s); /* it is not gone yet */
    crash(&new);
    keeper_flush(old.keeper, wall_s);
    CU_ASSERT_EQUAL(used(&old, 1), 1239);
    CU_ASSERT_PTR_NOT_NULL(keeper_state_file(old.keeper));
    stop(&old);
    new = start(&folder, two_hosts);
    CU_ASSERT_EQUAL(used(&new, 1), 1239);
    CU_ASSERT_EQUAL(used_by_user(&new), 1239);
    stop(&new);
    remove_folder(&folder);
}

/* Whatever happens in whatever order, what was served and flushed is what is used: by chance, many times. */
static void nothing_is_lost_or_doubled(void) {
    uint32_t seed = 99;
    for (unsigned round = 0; round < 40; round++) {
        struct folder folder = new_folder();
        struct side sides[3] = {start(&folder, two_hosts)}; /* the last one holds the lock; the others drain */
        size_t count = 1;
        uint64_t total = 0;
        for (unsigned step = 0; step < 60; step++) {
            size_t one = next_random(&seed) % count;
            uint64_t bytes = next_random(&seed) % 1000;
            unsigned dice = next_random(&seed) % 20;
            if (dice < 10) {
                serve(sides[one].binding, 1, next_random(&seed) % 2 * 256, step, bytes);
                total += bytes;
            } else if (dice < 15) {
                keeper_flush(sides[one].keeper, wall_s + step);
            } else if (dice < 16 && count < 3) {
                keeper_hand_over(sides[count - 1].keeper, wall_s + step);
                sides[count++] = start(&folder, two_hosts);
            } else if (dice < 17 && count > 1) { /* a draining one ends */
                stop(&sides[0]);
                memmove(&sides[0], &sides[1], --count * sizeof *sides);
            } else if (dice < 18) { /* the serving one is killed behind a flush, and started again */
                keeper_flush(sides[count - 1].keeper, wall_s + step);
                crash(&sides[count - 1]);
                sides[count - 1] = start(&folder, two_hosts);
            } else if (dice < 19 && count == 2) { /* the new one fails behind a flush: the old one goes on */
                keeper_flush(sides[1].keeper, wall_s + step);
                crash(&sides[1]);
                keeper_take_back(sides[0].keeper);
                keeper_flush(sides[0].keeper, wall_s + step);
                count = 1;
            }
        }
        while (count > 0) {
            stop(&sides[--count]);
        }
        struct side last = start(&folder, two_hosts);
        keeper_flush(last.keeper, wall_s);
        CU_ASSERT_EQUAL(used(&last, 1), total);
        CU_ASSERT_EQUAL(used_by_user(&last), total);
        stop(&last);
        remove_folder(&folder);
    }
}

int main(void) {
    static const CU_TestInfo tests[] = {
        TEST(usage_is_restored),
        TEST(only_what_changed_is_written),
        TEST(a_clock_that_stepped_loses_nothing),
        TEST(a_reload_changes_where_usage_is_kept),
        TEST(mod_cbands_file_is_imported),
        TEST(a_folder_is_not_a_scoreboard),
        TEST(what_fails_is_tried_again_and_said_once),
        TEST(another_process_is_refused),
        TEST(both_are_counted),
        TEST(a_period_that_ends_meanwhile),
        TEST(a_process_that_fails_gives_it_back),
        TEST(nothing_is_lost_or_doubled),
        CU_TEST_INFO_NULL,
    };
    return run_suite("keeper", tests);
}
