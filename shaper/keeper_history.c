/* Usage by the hour: from the ledger to the StateFile, and out of it after UsageHistory days. Housekeeping thread.
 * Always true: what the ledger told is in memory until a commit has it; of hours that ended while nothing could be
 * written, at most BACKLOG_MAX rows, and then the bytes go into a later hour rather than nowhere. */
#include <stdlib.h>
#include <string.h>

#include "shaper/keeper_state.h"

enum { BACKLOG_MAX = 1 << 16, ROWS_DROPPED_AT_ONCE = 2000, HOUR_S = 3600, DAY_S = 86400 };

static bool is_empty(const struct kept_hour *hour) {
    return hour->bytes_out == 0 && hour->bytes_in == 0 && hour->requests == 0;
}

/* ---- taking ---- */

struct taking {
    struct kept_history *history;
    int64_t hour_s;
};

static void make_room(struct kept_history *history, size_t kind, size_t id) {
    size_t count = history->count[kind];
    if (id < count) {
        return;
    }
    size_t room = id + 1 + count;
    history->of[kind] = must_realloc(history->of[kind], room * sizeof **history->of);
    history->names[kind] = must_realloc(history->names[kind], room * sizeof **history->names);
    memset(history->of[kind] + count, 0, (room - count) * sizeof **history->of);
    memset(history->names[kind] + count, 0, (room - count) * sizeof **history->names);
    history->count[kind] = room;
}

static struct state_history row_of(const struct kept_history *history, size_t kind, size_t id) {
    const struct kept_hour *hour = &history->of[kind][id];
    return (struct state_history){hour->hour_s,    keeper_kind_text(kind), history->names[kind][id],
                                  hour->bytes_out, hour->bytes_in,         hour->requests};
}

/* The hour is over, and the last one is not written yet. */
static void move_to_backlog(struct kept_history *history, size_t kind, size_t id) {
    if (history->backlog_count == history->backlog_room) {
        history->backlog_room = history->backlog_room > 0 ? history->backlog_room * 2 : 256;
        history->backlog = must_realloc(history->backlog, history->backlog_room * sizeof *history->backlog);
    }
    history->backlog[history->backlog_count++] = row_of(history, kind, id);
    history->of[kind][id] = (struct kept_hour){0};
}

static void take(void *context, const struct ledger_change *change) {
    const struct taking *taking = context;
    struct kept_history *history = taking->history;
    make_room(history, change->kind, change->id);
    history->names[change->kind][change->id] = change->name;
    struct kept_hour *hour = &history->of[change->kind][change->id];
    if (!is_empty(hour) && hour->hour_s != taking->hour_s && history->backlog_count < BACKLOG_MAX) {
        move_to_backlog(history, change->kind, change->id);
    }
    hour->hour_s = taking->hour_s;
    hour->bytes_out += change->bytes_out;
    hour->bytes_in += change->bytes_in;
    hour->requests += change->requests;
}

static void forget(void *context, const struct ledger_change *change) {
    (void)context;
    (void)change;
}

void keeper_take_history(struct keeper *keeper, struct ledger *ledger, int64_t wall_s) {
    int64_t into_hour_s = (wall_s % HOUR_S + HOUR_S) % HOUR_S;
    struct taking taking = {&keeper->history, wall_s - into_hour_s};
    ledger_take_changes(ledger, keeper->main != KEEPER_NO_DATABASE ? take : forget, &taking);
}

/* ---- writing ---- */

static void put(struct keeper *keeper, const struct state_history *row) {
    struct state_database *database = keeper_writable(keeper, keeper->main);
    if (database != NULL) {
        state_database_add_history(database, row);
        keeper->rows_pending++;
    }
}

/* Once an hour, in pieces. A clock that is wrong for a while, far in the future, may not empty the history: what counts
 * as old moves by at most a day an hour, from the newest row on. */
static void drop_old(struct keeper *keeper, int64_t wall_s) {
    struct kept_database *main = &keeper->databases[keeper->main];
    bool is_set_back = keeper->next_prune_s > wall_s + HOUR_S;
    if (!main->holds_lock || (wall_s < keeper->next_prune_s && !is_set_back)) {
        return;
    }
    struct state_database *database = keeper_writable(keeper, keeper->main);
    if (database == NULL) {
        return;
    }
    if (keeper->horizon_s == 0) {
        int64_t newest_s = state_database_newest_history_s(database);
        keeper->horizon_s = newest_s != INT64_MIN && newest_s < wall_s ? newest_s : wall_s;
    }
    int64_t before_s = keeper->horizon_s - (int64_t)keeper->history_days * DAY_S;
    size_t dropped = state_database_drop_history(database, before_s, ROWS_DROPPED_AT_ONCE);
    keeper->counts.history_rows_dropped += dropped;
    if (dropped < ROWS_DROPPED_AT_ONCE) {
        keeper->next_prune_s = wall_s + HOUR_S;
        keeper->horizon_s = keeper->horizon_s + DAY_S < wall_s ? keeper->horizon_s + DAY_S : wall_s;
    }
}

void keeper_put_history(struct keeper *keeper, int64_t wall_s) {
    struct kept_history *history = &keeper->history;
    if (keeper->main == KEEPER_NO_DATABASE || keeper->databases[keeper->main].database == NULL) {
        return;
    }
    drop_old(keeper, wall_s);
    for (size_t i = 0; i < history->backlog_count; i++) {
        put(keeper, &history->backlog[i]);
    }
    for (size_t kind = 0; kind < LEDGER_KINDS; kind++) {
        for (size_t id = 0; id < history->count[kind]; id++) {
            if (!is_empty(&history->of[kind][id])) {
                struct state_history row = row_of(history, kind, id);
                put(keeper, &row);
            }
        }
    }
}

void keeper_accept_history(struct keeper *keeper) {
    struct kept_history *history = &keeper->history;
    history->backlog_count = 0;
    for (size_t kind = 0; kind < LEDGER_KINDS; kind++) {
        if (history->count[kind] > 0) {
            memset(history->of[kind], 0, history->count[kind] * sizeof **history->of);
        }
    }
}

void keeper_free_history(struct keeper *keeper) {
    for (size_t kind = 0; kind < LEDGER_KINDS; kind++) {
        free(keeper->history.of[kind]);
        free(keeper->history.names[kind]);
    }
    free(keeper->history.backlog);
}
