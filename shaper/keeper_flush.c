/* Writing what changed. Called about once a second, housekeeping thread.
 *
 * One transaction a database, begun by the first row. What a transaction takes is noted as pending; only its commit
 * makes it written, so that whatever fails is written by a later flush. */
#include <stdlib.h>

#include "shaper/keeper_state.h"

enum { CLASSES_AT_FIRST = 8, LOOK_FOR_HANDOVER_EVERY = 16 };

struct state_database *keeper_writable(struct keeper *keeper, size_t database) {
    struct kept_database *kept = &keeper->databases[database];
    if (kept->in_transaction || kept->is_refused || kept->database == NULL) {
        return kept->in_transaction ? kept->database : NULL;
    }
    enum state_result result = state_database_begin(kept->database);
    kept->in_transaction = result == STATE_DONE;
    if (result == STATE_DONE) {
        return kept->database;
    }
    kept->is_refused = true;
    keeper_failed(keeper, database, state_database_problem(kept->database));
    if (result == STATE_GONE) {
        state_database_close(&kept->database);
        keeper_detach(keeper, database);
    }
    return NULL;
}

/* ---- usage ---- */

static struct kept_usage snapshot(struct quota *quota) {
    struct kept_usage usage = {.classes = must_calloc(CLASSES_AT_FIRST, sizeof *usage.classes)};
    size_t room = CLASSES_AT_FIRST;
    usage.class_count = quota_snapshot(quota, &usage.total, usage.classes, room);
    while (usage.class_count > room) {
        room = usage.class_count;
        usage.classes = must_realloc(usage.classes, room * sizeof *usage.classes);
        usage.class_count = quota_snapshot(quota, &usage.total, usage.classes, room);
    }
    return usage;
}

static bool same_total(const struct quota_state *a, const struct quota_state *b) {
    return a->start_s == b->start_s && a->begin_s == b->begin_s && a->used_bytes == b->used_bytes;
}

struct change {
    struct keeper *keeper;
    struct kept_record *record;
    const char *kind, *name;
    bool same_period; /* as written */
};

/* With the lock the row is what there is; without it, what there is more than we wrote. */
static void put_row(const struct change *change, struct state_database *database, const char *class_name,
                    uint64_t used_bytes, uint64_t written_bytes) {
    struct keeper *keeper = change->keeper;
    const struct quota_state *total = &change->record->pending.total;
    struct state_usage usage = {change->kind, change->name, class_name, total->start_s, total->begin_s, used_bytes};
    if (keeper->databases[change->record->database].holds_lock) {
        state_database_put_usage(database, &usage);
    } else {
        uint64_t before = change->same_period ? written_bytes : 0;
        usage.used_bytes = used_bytes > before ? used_bytes - before : 0;
        if (usage.used_bytes == 0) {
            return;
        }
        state_database_put_handover(database, &usage);
    }
    keeper->rows_pending++;
}

static void put_usage(const struct change *change, struct state_database *database) {
    const struct kept_usage *now = &change->record->pending, *written = &change->record->written;
    if (!same_total(&now->total, &written->total)) {
        put_row(change, database, "", now->total.used_bytes, written->total.used_bytes);
    }
    for (size_t i = 0; i < now->class_count; i++) {
        const struct quota_class_state *class = &now->classes[i];
        uint64_t before = keeper_class_used(written, class->class_id);
        if (change->same_period ? class->used_bytes != before : class->used_bytes > 0) {
            put_row(change, database, change->keeper->shaper->class_names.names[class->class_id], class->used_bytes,
                    before);
        }
    }
}

static void note_touched(struct keeper *keeper, size_t kind, size_t id) {
    if (keeper->touched_count == keeper->touched_room) {
        keeper->touched_room = keeper->touched_room > 0 ? keeper->touched_room * 2 : 64;
        keeper->touched = must_realloc(keeper->touched, keeper->touched_room * sizeof *keeper->touched);
    }
    keeper->touched[keeper->touched_count++] = (struct touched){kind, id};
}

static void put_record(struct keeper *keeper, size_t kind, size_t id) {
    struct kept_record *record = &keeper->records[kind].of[id];
    struct traffic_record *traffic = keeper_record(keeper, kind, id);
    struct quota_mark mark = quota_mark(&traffic->quota);
    bool has_changed = mark.used_bytes != record->mark.used_bytes || mark.epoch != record->mark.epoch;
    if (!has_changed || record->database == KEEPER_NO_DATABASE || !(record->is_attached || keeper->is_handed_over)) {
        return;
    }
    struct state_database *database = keeper_writable(keeper, record->database);
    if (database == NULL) {
        return;
    }
    record->pending = snapshot(&traffic->quota);
    record->pending_mark = mark;
    note_touched(keeper, kind, id);
    if (record->pending.total.start_s != QUOTA_NOT_BEGUN) {
        const struct traffic_records *records = kind == LEDGER_HOST ? &keeper->shaper->hosts : &keeper->shaper->users;
        struct change change = {keeper, record, keeper_kind_text(kind), records->names.names[id],
                                record->written.total.start_s != QUOTA_NOT_BEGUN &&
                                    record->written.total.begin_s == record->pending.total.begin_s};
        put_usage(&change, database);
    }
}

/* ---- committing ---- */

static void condemn(struct keeper *keeper, size_t database, int64_t wall_s) {
    struct kept_database *kept = &keeper->databases[database];
    struct state_text name, problem;
    if (!kept->holds_lock) {
        state_database_close(&kept->database); /* it is for its holder to set aside */
    } else if (state_database_condemn(&kept->database, wall_s, &name, &problem)) {
        keeper->counts.files_set_aside++;
        keeper_say(keeper, LOG_LEVEL_ERROR, "state: %s is damaged; it is kept as %s, and a new one is begun",
                   kept->path, name.text);
    }
    keeper_detach(keeper, database);
}

static bool commit(struct keeper *keeper, size_t database, int64_t wall_s) {
    struct kept_database *kept = &keeper->databases[database];
    enum state_result result = state_database_commit(kept->database);
    if (result != STATE_DONE) {
        keeper_forget_handed_over(keeper, database);
        keeper_failed(keeper, database, state_database_problem(kept->database));
        if (result == STATE_DAMAGED) {
            condemn(keeper, database, wall_s);
        }
        return false;
    }
    if (kept->is_failing) {
        kept->is_failing = false;
        keeper_say(keeper, LOG_LEVEL_NOTICE, "state: %s is written again", kept->path);
    }
    keeper->counts.flushes++;
    keeper->counts.last_flush_s = wall_s;
    return true;
}

/* is_committed: by the number of the database. */
static void accept_records(struct keeper *keeper, const bool *is_committed) {
    for (size_t i = 0; i < keeper->touched_count; i++) {
        struct kept_record *record = &keeper->records[keeper->touched[i].kind].of[keeper->touched[i].id];
        if (is_committed[record->database]) {
            keeper_usage_clear(&record->written);
            record->written = record->pending;
            record->mark = record->pending_mark;
            record->pending.classes = NULL;
        }
        keeper_usage_clear(&record->pending);
    }
    keeper->touched_count = 0;
}

static void commit_all(struct keeper *keeper, int64_t wall_s) {
    bool *is_committed = must_calloc(keeper->paths.count + 1, sizeof *is_committed);
    for (size_t i = 0; i < keeper->paths.count; i++) {
        is_committed[i] = keeper->databases[i].in_transaction && commit(keeper, i, wall_s);
        keeper->databases[i].in_transaction = keeper->databases[i].is_refused = false;
    }
    accept_records(keeper, is_committed);
    for (size_t i = 0; i < keeper->paths.count; i++) {
        if (is_committed[i]) {
            keeper_accept_handed_over(keeper, i);
        }
    }
    if (keeper->main != KEEPER_NO_DATABASE && is_committed[keeper->main]) {
        keeper_accept_history(keeper);
    }
    free(is_committed);
}

/* ---- all of it ---- */

/* A database that nothing else is written to is asked less often. */
static void put_handed_over(struct keeper *keeper) {
    for (size_t i = 0; i < keeper->paths.count; i++) {
        struct kept_database *kept = &keeper->databases[i];
        bool is_asked =
            i == keeper->main || kept->in_transaction || (keeper->flush_number + i) % LOOK_FOR_HANDOVER_EVERY == 0;
        if (kept->database != NULL && kept->holds_lock && is_asked && !kept->is_refused) {
            keeper_put_handed_over(keeper, i);
        }
    }
}

void keeper_flush(struct keeper *keeper, int64_t wall_s) {
    struct state_text problem;
    keeper->flush_number++;
    keeper->rows_pending = 0;
    for (size_t i = 0; i < keeper->paths.count; i++) {
        bool is_wanted = keeper->databases[i].is_named || keeper->databases[i].database != NULL;
        if (is_wanted && !keeper_open(keeper, i, wall_s, &problem)) {
            keeper_failed(keeper, i, problem.text);
        }
    }
    for (size_t kind = 0; kind < KEEPER_KINDS; kind++) {
        for (size_t id = 0; id < keeper->records[kind].count; id++) {
            put_record(keeper, kind, id);
        }
    }
    put_handed_over(keeper);
    keeper_put_history(keeper, wall_s);
    keeper->counts.rows_written += keeper->rows_pending;
    commit_all(keeper, wall_s);
}
