/* Which record belongs to which database, and the keeper's beginning and end. Called by the process at start, reload,
 * hand-over and end, on the housekeeping thread: the thread that also makes records, so that their tables stand still
 * here. Always true: a record is attached to at most one database, and what is written there is in `written`. */
#include "shaper/keeper.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shaper/keeper_state.h"

/* ---- small things that several parts need ---- */

void keeper_say(struct keeper *keeper, enum log_level level, const char *format, ...) {
    if (keeper->message_count == KEEPER_MESSAGES) {
        return; /* nobody takes them; the first ones tell most */
    }
    struct keeper_message *message =
        &keeper->messages[(keeper->message_first + keeper->message_count++) % KEEPER_MESSAGES];
    message->level = level;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message->text.text, sizeof message->text.text, format, arguments);
    va_end(arguments);
}

bool keeper_take_message(struct keeper *keeper, struct keeper_message *message) {
    if (keeper->message_count == 0) {
        return false;
    }
    *message = keeper->messages[keeper->message_first];
    keeper->message_first = (keeper->message_first + 1) % KEEPER_MESSAGES;
    keeper->message_count--;
    return true;
}

struct traffic_record *keeper_record(const struct keeper *keeper, size_t kind, size_t id) {
    return (kind == LEDGER_HOST ? &keeper->shaper->hosts : &keeper->shaper->users)->by_id[id];
}

const char *keeper_kind_text(size_t kind) {
    return ledger_kind_text((enum ledger_kind)kind);
}

uint64_t keeper_class_used(const struct kept_usage *usage, size_t class_id) {
    for (size_t i = 0; i < usage->class_count; i++) {
        if (usage->classes[i].class_id == class_id) {
            return usage->classes[i].used_bytes;
        }
    }
    return 0;
}

void keeper_usage_clear(struct kept_usage *usage) {
    free(usage->classes);
    *usage = (struct kept_usage){.total = {.start_s = QUOTA_NOT_BEGUN}};
}

struct keeper_counts keeper_counts(const struct keeper *keeper) {
    struct keeper_counts counts = keeper->counts;
    for (size_t i = 0; i < keeper->paths.count; i++) {
        counts.databases += keeper->databases[i].is_named;
        counts.databases_failing += keeper->databases[i].is_named && keeper->databases[i].is_failing;
    }
    return counts;
}

struct state_database *keeper_state_file(struct keeper *keeper) {
    if (keeper->main == KEEPER_NO_DATABASE) {
        return NULL;
    }
    const struct kept_database *main = &keeper->databases[keeper->main];
    return main->holds_lock && !main->is_failing ? main->database : NULL;
}

/* ---- beginning and end ---- */

struct keeper *keeper_new(struct shaper *shaper) {
    struct keeper *keeper = must_calloc(1, sizeof *keeper);
    keeper->shaper = shaper;
    keeper->main = KEEPER_NO_DATABASE;
    return keeper;
}

void keeper_free(struct keeper **keeper_pointer, int64_t wall_s) {
    struct keeper *keeper = *keeper_pointer;
    if (keeper == NULL) {
        return;
    }
    keeper_flush(keeper, wall_s);
    for (size_t i = 0; i < keeper->paths.count; i++) {
        state_database_close(&keeper->databases[i].database);
    }
    for (size_t kind = 0; kind < KEEPER_KINDS; kind++) {
        for (size_t i = 0; i < keeper->records[kind].count; i++) {
            keeper_usage_clear(&keeper->records[kind].of[i].written);
        }
        free(keeper->records[kind].of);
    }
    keeper_free_history(keeper);
    name_table_clear(&keeper->paths);
    free(keeper->databases);
    free(keeper->touched);
    free(keeper);
    *keeper_pointer = NULL;
}

/* ---- who belongs where ---- */

static size_t database_of(struct keeper *keeper, const char *path) {
    size_t known = keeper->paths.count, number = name_table_number(&keeper->paths, path);
    if (number == known) {
        if (number == keeper->database_room) {
            keeper->database_room = keeper->database_room > 0 ? keeper->database_room * 2 : 4;
            keeper->databases = must_realloc(keeper->databases, keeper->database_room * sizeof *keeper->databases);
        }
        keeper->databases[number] = (struct kept_database){.path = keeper->paths.names[number]};
    }
    keeper->databases[number].is_named = true;
    return number;
}

/* Some tutorials for mod_cband make a folder and name that; it never worked there. */
static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static size_t database_for(struct keeper *keeper, const struct traffic_limits *traffic, const char *directive) {
    if (traffic->scoreboard == NULL) {
        return keeper->main;
    }
    if (is_folder(traffic->scoreboard)) {
        keeper_say(keeper, LOG_LEVEL_WARN, "%s:%u: %s: %s is a folder, not a file: usage is kept in %s",
                   traffic->scoreboard_place.file, traffic->scoreboard_place.line, directive, traffic->scoreboard,
                   keeper->main != KEEPER_NO_DATABASE ? "StateFile" : "memory only, because there is no StateFile");
        return keeper->main;
    }
    return database_of(keeper, traffic->scoreboard);
}

static void make_room(struct kept_records *records, size_t count) {
    if (count > records->count) {
        records->of = must_realloc(records->of, count * sizeof *records->of);
        for (size_t i = records->count; i < count; i++) {
            records->of[i] = (struct kept_record){.database = KEEPER_NO_DATABASE};
            records->of[i].written.total.start_s = records->of[i].pending.total.start_s = QUOTA_NOT_BEGUN;
        }
        records->count = count;
    }
}

static void assign(struct kept_record *record, size_t database) {
    if (record->database != database) {
        record->database = database;
        record->is_attached = false;
        keeper_usage_clear(&record->written);
    }
}

static void assign_all(struct keeper *keeper, const struct shaper_binding *binding) {
    const struct config *config = binding->config;
    make_room(&keeper->records[LEDGER_HOST], keeper->shaper->hosts.names.count);
    make_room(&keeper->records[LEDGER_USER], keeper->shaper->users.names.count);
    for (size_t i = 0; i < config->host_count; i++) {
        assign(&keeper->records[LEDGER_HOST].of[binding->hosts[i].record->id],
               database_for(keeper, &config->hosts[i]->limits.traffic, "CBandScoreboard"));
    }
    for (size_t id = 0; id < binding->user_record_count; id++) {
        if (binding->user_of_record[id] != BINDING_GONE) {
            assign(&keeper->records[LEDGER_USER].of[id],
                   database_for(keeper, &config->users[binding->user_of_record[id]].traffic, "CBandUserScoreboard"));
        }
    }
}

static bool has_new_records(const struct keeper *keeper, size_t database) {
    for (size_t kind = 0; kind < KEEPER_KINDS; kind++) {
        for (size_t i = 0; i < keeper->records[kind].count; i++) {
            if (keeper->records[kind].of[i].database == database && !keeper->records[kind].of[i].is_attached) {
                return true;
            }
        }
    }
    return false;
}

/* A database that the configuration names no more is closed once nothing is counted for it. */
static bool has_records(const struct keeper *keeper, size_t database) {
    for (size_t kind = 0; kind < KEEPER_KINDS; kind++) {
        for (size_t i = 0; i < keeper->records[kind].count; i++) {
            if (keeper->records[kind].of[i].database == database) {
                return true;
            }
        }
    }
    return false;
}

/* Hosts that are new in a database that is open already find their rows. */
static void load_new_records(struct keeper *keeper, size_t database, int64_t wall_s) {
    struct kept_database *kept = &keeper->databases[database];
    if (kept->database != NULL && !keeper->is_handed_over && has_new_records(keeper, database) &&
        keeper_load(keeper, database, wall_s, NULL) != STATE_DONE) {
        keeper_failed(keeper, database, state_database_problem(kept->database));
    }
}

bool keeper_apply(struct keeper *keeper, const struct shaper_binding *binding, int64_t wall_s,
                  struct state_text *held) {
    const struct server_settings *server = &binding->config->server;
    bool is_free = true;
    for (size_t i = 0; i < keeper->paths.count; i++) {
        keeper->databases[i].is_named = false;
    }
    keeper->main = server->state_file != NULL ? database_of(keeper, server->state_file) : KEEPER_NO_DATABASE;
    keeper->history_days = server->usage_history_days;
    keeper->next_prune_s = INT64_MIN;
    keeper->horizon_s = 0;
    assign_all(keeper, binding);
    for (size_t i = 0; i < keeper->paths.count; i++) {
        if (keeper->databases[i].is_named && !keeper_open(keeper, i, wall_s, held)) {
            is_free = false;
        }
        load_new_records(keeper, i, wall_s);
        if (!keeper->databases[i].is_named && !has_records(keeper, i)) {
            state_database_close(&keeper->databases[i].database);
            keeper->databases[i].holds_lock = keeper->databases[i].is_failing = false;
        }
    }
    return is_free;
}

/* ---- another process ---- */

void keeper_hand_over(struct keeper *keeper, int64_t wall_s) {
    keeper_flush(keeper, wall_s);
    keeper->is_handed_over = true;
    for (size_t i = 0; i < keeper->paths.count; i++) {
        if (keeper->databases[i].database != NULL) {
            state_database_give_up_lock(keeper->databases[i].database);
        }
        keeper->databases[i].holds_lock = false;
    }
}

void keeper_take_back(struct keeper *keeper) {
    keeper->is_handed_over = false;
}
