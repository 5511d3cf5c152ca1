/* From rows to records: at the start, when a reload names a host or database for the first time, and when a database
 * comes back. Called by keeper.c and keeper_open.c, housekeeping thread, before anybody counts in what is new.
 *
 * What is in memory already is never lost: a record that no database knew yet adds what is kept to what it has counted;
 * one that was kept before, here or in another database, is the truth and is written anew. */
#include <stdlib.h>
#include <string.h>

#include "shaper/keeper_state.h"

/* Times that arithmetic is safe with: no file can say anything that overflows. */
static const int64_t time_max_s = INT64_C(1) << 40;

static bool is_plausible(int64_t moment_s) {
    return moment_s > -time_max_s && moment_s < time_max_s;
}

/* ---- one host's or user's rows ---- */

/* The first row of `rows` is the total. */
static struct kept_usage usage_of(struct keeper *keeper, const struct state_usage *rows, size_t count, int64_t wall_s) {
    struct kept_usage usage = {.total = {rows->start_s, rows->begin_s, rows->used_bytes}};
    if (!is_plausible(rows->start_s) || !is_plausible(rows->begin_s)) {
        usage.total.start_s = usage.total.begin_s = wall_s;
    }
    usage.classes = must_calloc(count, sizeof *usage.classes);
    pthread_mutex_lock(&keeper->shaper->lock);
    for (size_t i = 1; i < count; i++) {
        if (rows[i].begin_s >= rows->begin_s) {
            usage.classes[usage.class_count++] =
                (struct quota_class_state){class_record_of(keeper->shaper, rows[i].class_name), rows[i].used_bytes};
        }
    }
    pthread_mutex_unlock(&keeper->shaper->lock);
    return usage;
}

/* The flush looks at the record, whatever it thinks of it now. */
static void look_again(struct kept_record *record) {
    record->mark = (struct quota_mark){UINT64_MAX, UINT64_MAX};
}

static void attach(struct keeper *keeper, size_t kind, size_t id, const struct state_usage *rows, size_t count,
                   int64_t wall_s) {
    struct kept_record *record = &keeper->records[kind].of[id];
    keeper_usage_clear(&record->written);
    if (rows != NULL && !record->is_known) {
        record->written = usage_of(keeper, rows, count, wall_s);
        quota_resume(&keeper_record(keeper, kind, id)->quota, &record->written.total, record->written.classes,
                     record->written.class_count, wall_s);
    }
    record->is_attached = record->is_known = true;
    look_again(record);
}

/* ---- all of a database ---- */

static bool find_record(const struct keeper *keeper, const char *kind_text, const char *name, size_t *kind,
                        size_t *id) {
    *kind = strcmp(kind_text, keeper_kind_text(LEDGER_HOST)) == 0 ? LEDGER_HOST : LEDGER_USER;
    const struct traffic_records *records = *kind == LEDGER_HOST ? &keeper->shaper->hosts : &keeper->shaper->users;
    return strcmp(kind_text, keeper_kind_text(*kind)) == 0 && name_table_find(&records->names, name, id) &&
           *id < keeper->records[*kind].count;
}

static size_t rows_of_one(const struct state_usage *rows, size_t count) {
    size_t same = 1;
    while (same < count && strcmp(rows[same].name, rows->name) == 0 && strcmp(rows[same].kind, rows->kind) == 0) {
        same++;
    }
    return same;
}

typedef void use_rows(struct keeper *keeper, size_t kind, size_t id, const struct state_usage *rows, size_t count,
                      int64_t wall_s);

/* Calls `use` for each record of the database that has rows. */
static void use_all(struct keeper *keeper, size_t database, const struct state_usage *rows, size_t count, use_rows *use,
                    int64_t wall_s) {
    size_t kind, id;
    for (size_t at = 0, same = 0; at < count; at += same) {
        same = rows_of_one(&rows[at], count - at);
        if (rows[at].class_name[0] == '\0' && find_record(keeper, rows[at].kind, rows[at].name, &kind, &id) &&
            keeper->records[kind].of[id].database == database) {
            use(keeper, kind, id, &rows[at], same, wall_s);
        }
    }
}

static void attach_new(struct keeper *keeper, size_t kind, size_t id, const struct state_usage *rows, size_t count,
                       int64_t wall_s) {
    if (!keeper->records[kind].of[id].is_attached) {
        attach(keeper, kind, id, rows, count, wall_s);
    }
}

/* mod_cband has one file for one host or user; what it counted is added to what weir has. */
static void import(struct keeper *keeper, size_t kind, size_t id, const struct mod_cband_file *scoreboard,
                   int64_t wall_s) {
    struct kept_record *record = &keeper->records[kind].of[id];
    struct traffic_record *traffic = keeper_record(keeper, kind, id);
    int64_t start_s = scoreboard->start_s > 0 ? scoreboard->start_s : wall_s;
    struct quota_state state = {start_s, start_s, scoreboard->used_bytes};
    struct quota_class_state classes[MOD_CBAND_CLASSES];
    size_t class_count = 0;
    for (size_t i = 0; i < MOD_CBAND_CLASSES && i < keeper->shaper->class_names.count; i++) {
        classes[class_count++] = (struct quota_class_state){i, scoreboard->class_used_bytes[i]};
    }
    quota_resume(&traffic->quota, &state, classes, class_count, wall_s);
    record->is_attached = record->is_known = true;
    look_again(record);
    keeper_say(keeper, LOG_LEVEL_NOTICE, "state: %s %s: %llu bytes are taken over from mod_cband",
               keeper_kind_text(kind), traffic->name, (unsigned long long)scoreboard->used_bytes);
}

enum state_result keeper_load(struct keeper *keeper, size_t database, int64_t wall_s,
                              const struct mod_cband_file *scoreboard) {
    struct arena arena;
    arena_init(&arena, NULL, 0);
    size_t count;
    enum state_result result;
    struct state_usage *rows = state_database_read_usage(keeper->databases[database].database, &arena, &count, &result);
    if (result == STATE_DONE) {
        use_all(keeper, database, rows, count, attach_new, wall_s);
    }
    for (size_t kind = 0; kind < KEEPER_KINDS && result == STATE_DONE; kind++) {
        for (size_t id = 0; id < keeper->records[kind].count; id++) {
            struct kept_record *record = &keeper->records[kind].of[id];
            if (record->database == database && !record->is_attached && scoreboard != NULL) {
                import(keeper, kind, id, scoreboard, wall_s);
                scoreboard = NULL;
            } else if (record->database == database && !record->is_attached) {
                attach(keeper, kind, id, NULL, 0, wall_s);
            }
        }
    }
    free(rows);
    arena_reset(&arena);
    return result;
}

/* ---- taking back ---- */

/* What others have added since we wrote: of the same period the difference, of a later one all. */
static void add_difference(struct keeper *keeper, size_t kind, size_t id, const struct state_usage *rows, size_t count,
                           int64_t wall_s) {
    struct kept_record *record = &keeper->records[kind].of[id];
    struct quota *quota = &keeper_record(keeper, kind, id)->quota;
    struct kept_usage now = usage_of(keeper, rows, count, wall_s);
    bool is_same =
        record->written.total.start_s != QUOTA_NOT_BEGUN && record->written.total.begin_s == now.total.begin_s;
    uint64_t before = is_same ? record->written.total.used_bytes : 0;
    struct quota_state added = now.total;
    added.used_bytes = now.total.used_bytes > before ? now.total.used_bytes - before : 0;
    quota_merge(quota, &added, QUOTA_IN_TOTAL);
    for (size_t i = 0; i < now.class_count; i++) {
        before = is_same ? keeper_class_used(&record->written, now.classes[i].class_id) : 0;
        added.used_bytes = now.classes[i].used_bytes > before ? now.classes[i].used_bytes - before : 0;
        quota_merge(quota, &added, now.classes[i].class_id);
    }
    keeper_usage_clear(&record->written);
    record->written = now;
    record->is_attached = record->is_known = true;
    look_again(record);
}

static enum state_result merge_all_handover(struct state_database *database) {
    enum state_result result = state_database_begin(database);
    if (result != STATE_DONE) {
        return result;
    }
    struct arena arena;
    arena_init(&arena, NULL, 0);
    size_t count;
    struct state_handover *rows = state_database_read_handover(database, &arena, SIZE_MAX / 2, &count, &result);
    for (size_t i = 0; i < count; i++) {
        state_database_merge_handover(database, &rows[i]);
    }
    free(rows);
    arena_reset(&arena);
    return state_database_commit(database);
}

enum state_result keeper_reclaim(struct keeper *keeper, size_t database) {
    struct state_database *open = keeper->databases[database].database;
    enum state_result result = merge_all_handover(open);
    if (result != STATE_DONE) {
        return result;
    }
    struct arena arena;
    arena_init(&arena, NULL, 0);
    size_t count;
    struct state_usage *rows = state_database_read_usage(open, &arena, &count, &result);
    if (result == STATE_DONE) {
        use_all(keeper, database, rows, count, add_difference, 0);
    }
    free(rows);
    arena_reset(&arena);
    return result;
}
