/* Opening databases, again and again while it does not work, and saying so once. Called by keeper_apply() and by each
 * flush, housekeeping thread. */
#include <stdio.h>

#include "shaper/keeper_state.h"

void keeper_detach(struct keeper *keeper, size_t database) {
    keeper->databases[database].holds_lock = false;
    for (size_t kind = 0; kind < KEEPER_KINDS && !keeper->is_handed_over; kind++) {
        for (size_t i = 0; i < keeper->records[kind].count; i++) {
            struct kept_record *record = &keeper->records[kind].of[i];
            if (record->database == database) {
                record->is_attached = false;
                keeper_usage_clear(&record->written);
            }
        }
    }
}

void keeper_failed(struct keeper *keeper, size_t database, const char *problem) {
    struct kept_database *kept = &keeper->databases[database];
    keeper->counts.flush_errors++;
    if (!kept->is_failing) {
        kept->is_failing = true;
        keeper_say(keeper, LOG_LEVEL_ERROR,
                   "state: %s; traffic is served and counted in memory, and it is tried again "
                   "every second",
                   problem);
    }
}

static void say_set_aside(struct keeper *keeper, const struct kept_database *kept, const struct state_opened *opened) {
    if (opened->set_aside.text[0] == '\0') {
        return;
    }
    keeper->counts.files_set_aside++;
    if (opened->had_scoreboard) {
        keeper_say(keeper, LOG_LEVEL_NOTICE, "state: %s was a scoreboard of mod_cband; it is kept as %s", kept->path,
                   opened->set_aside.text);
    } else {
        keeper_say(keeper, LOG_LEVEL_ERROR,
                   "state: %s was damaged or no database; it is kept as %s, and a new one is begun", kept->path,
                   opened->set_aside.text);
    }
}

static bool open_anew(struct keeper *keeper, size_t database, int64_t wall_s, struct state_text *problem) {
    struct kept_database *kept = &keeper->databases[database];
    struct state_opened opened;
    enum state_open result = keeper->is_handed_over ? state_database_join(kept->path, &opened)
                                                    : state_database_open(kept->path, wall_s, &opened);
    say_set_aside(keeper, kept, &opened);
    if (result != STATE_OPEN) {
        if (result == STATE_HELD) {
            *problem = opened.problem;
            return false;
        }
        keeper_failed(keeper, database, opened.problem.text);
        return true;
    }
    kept->database = opened.database;
    kept->holds_lock = !keeper->is_handed_over;
    if (kept->holds_lock &&
        keeper_load(keeper, database, wall_s, opened.had_scoreboard ? &opened.scoreboard : NULL) != STATE_DONE) {
        keeper_failed(keeper, database, state_database_problem(kept->database));
        state_database_close(&kept->database);
        keeper_detach(keeper, database);
        return true;
    }
    if (kept->is_failing) {
        kept->is_failing = false;
        keeper_say(keeper, LOG_LEVEL_NOTICE, "state: %s is written again", kept->path);
    }
    return true;
}

bool keeper_open(struct keeper *keeper, size_t database, int64_t wall_s, struct state_text *problem) {
    struct kept_database *kept = &keeper->databases[database];
    if (kept->database == NULL) {
        return open_anew(keeper, database, wall_s, problem);
    }
    if (!kept->holds_lock && !keeper->is_handed_over && state_database_take_lock(kept->database)) {
        if (keeper_reclaim(keeper, database) == STATE_DONE) {
            kept->holds_lock = true;
        } else {
            state_database_give_up_lock(kept->database); /* until the next try */
        }
    }
    return true;
}
