/* Adding in what a replaced process goes on to count while it drains. Called by each flush, housekeeping thread.
 * Always true: rows are added to the database and deleted in one transaction; only when that is committed are they
 * added in memory and to what counts as written, so that nothing is added twice. */
#include <stdlib.h>
#include <string.h>

#include "shaper/keeper_state.h"

enum { ROWS_A_FLUSH = 10000 };

struct handed_over {
    struct arena arena;
    struct state_handover *rows;
    size_t count;
};

static bool find_record(const struct keeper *keeper, const struct state_usage *usage, size_t *kind, size_t *id) {
    *kind = strcmp(usage->kind, keeper_kind_text(LEDGER_HOST)) == 0 ? LEDGER_HOST : LEDGER_USER;
    const struct traffic_records *records = *kind == LEDGER_HOST ? &keeper->shaper->hosts : &keeper->shaper->users;
    return name_table_find(&records->names, usage->name, id) && *id < keeper->records[*kind].count;
}

/* Two processes may have begun the same period a moment apart: the row takes the begin that we have written. */
static void align(const struct keeper *keeper, struct state_usage *usage) {
    size_t kind, id;
    if (!find_record(keeper, usage, &kind, &id)) {
        return;
    }
    const struct kept_record *record = &keeper->records[kind].of[id];
    const struct quota_state *ours =
        record->pending.total.start_s != QUOTA_NOT_BEGUN ? &record->pending.total : &record->written.total;
    int64_t same_s = quota_same_period_s(&keeper_record(keeper, kind, id)->quota);
    if (ours->start_s != QUOTA_NOT_BEGUN && usage->begin_s - ours->begin_s <= same_s &&
        ours->begin_s - usage->begin_s <= same_s) {
        usage->start_s = ours->start_s;
        usage->begin_s = ours->begin_s;
    }
}

void keeper_forget_handed_over(struct keeper *keeper, size_t database) {
    struct handed_over *handed_over = keeper->databases[database].handed_over;
    if (handed_over != NULL) {
        free(handed_over->rows);
        arena_reset(&handed_over->arena);
        free(handed_over);
        keeper->databases[database].handed_over = NULL;
    }
}

void keeper_put_handed_over(struct keeper *keeper, size_t database) {
    struct kept_database *kept = &keeper->databases[database];
    struct handed_over *handed_over = must_calloc(1, sizeof *handed_over);
    enum state_result result;
    arena_init(&handed_over->arena, NULL, 0);
    handed_over->rows =
        state_database_read_handover(kept->database, &handed_over->arena, ROWS_A_FLUSH, &handed_over->count, &result);
    kept->handed_over = handed_over;
    struct state_database *writable = handed_over->count > 0 ? keeper_writable(keeper, database) : NULL;
    if (writable == NULL) {
        keeper_forget_handed_over(keeper, database);
        return;
    }
    for (size_t i = 0; i < handed_over->count; i++) {
        align(keeper, &handed_over->rows[i].usage);
        state_database_merge_handover(writable, &handed_over->rows[i]);
    }
    keeper->rows_pending += handed_over->count;
}

/* As the database did it. */
static void add_to_class(struct kept_usage *usage, size_t class_id, uint64_t bytes) {
    for (size_t i = 0; i < usage->class_count; i++) {
        if (usage->classes[i].class_id == class_id) {
            usage->classes[i].used_bytes += bytes;
            return;
        }
    }
    usage->classes = must_realloc(usage->classes, (usage->class_count + 1) * sizeof *usage->classes);
    usage->classes[usage->class_count++] = (struct quota_class_state){class_id, bytes};
}

static void add_to_written(struct kept_usage *written, const struct quota_state *state, size_t class_id) {
    bool is_new = written->total.start_s == QUOTA_NOT_BEGUN || state->begin_s > written->total.begin_s;
    if (is_new && class_id == QUOTA_IN_TOTAL) {
        keeper_usage_clear(written);
        written->total = (struct quota_state){state->start_s, state->begin_s, 0};
    }
    if (written->total.start_s == QUOTA_NOT_BEGUN || state->begin_s != written->total.begin_s) {
        return;
    }
    if (class_id == QUOTA_IN_TOTAL) {
        written->total.used_bytes += state->used_bytes;
    } else {
        add_to_class(written, class_id, state->used_bytes);
    }
}

void keeper_accept_handed_over(struct keeper *keeper, size_t database) {
    const struct handed_over *handed_over = keeper->databases[database].handed_over;
    for (size_t i = 0; handed_over != NULL && i < handed_over->count; i++) {
        const struct state_usage *usage = &handed_over->rows[i].usage;
        struct quota_state state = {usage->start_s, usage->begin_s, usage->used_bytes};
        size_t kind, id, class_id = QUOTA_IN_TOTAL;
        if (!find_record(keeper, usage, &kind, &id) || keeper->records[kind].of[id].database != database) {
            continue; /* the database has it */
        }
        if (usage->class_name[0] != '\0') {
            pthread_mutex_lock(&keeper->shaper->lock);
            class_id = class_record_of(keeper->shaper, usage->class_name);
            pthread_mutex_unlock(&keeper->shaper->lock);
        }
        add_to_written(&keeper->records[kind].of[id].written, &state, class_id);
        quota_merge(&keeper_record(keeper, kind, id)->quota, &state, class_id);
    }
    keeper_forget_handed_over(keeper, database);
}
