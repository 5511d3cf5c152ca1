/* The ledger. Called by housekeeping, once a second and for each status document.
 *
 * Always true: an entry's `seen` are the record's counts when it was last looked at; a meter holds the counts of the
 * last ticks in the ledger's ring, so that a rate is the difference of two of them over the time that really passed. */
#include "shaper/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "shaper/records.h"
#include "shaper/shaper.h"

#define SECOND_NS INT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS (60 * MINUTE_NS)

enum { RING = 64 }; /* ticks that are remembered: more than 60 s of them */

struct counts {
    uint64_t bytes_out, bytes_in, requests;
};

struct meter {
    struct {
        uint64_t bytes_out, requests;
    } ring[RING];
    struct ledger_minute minutes[LEDGER_MINUTES]; /* by minute number */
    int64_t active_ns;
};

struct entry {
    struct counts seen, taken;
    struct meter *meter; /* NULL: nothing has happened for an hour */
};

struct entries {
    struct entry *of;
    size_t count;
};

struct ledger {
    struct shaper *shaper;
    struct entries kinds[LEDGER_KINDS];
    int64_t ring_ns[RING]; /* when the ticks were */
    uint64_t ticks;
    int64_t looked_ns; /* the last tick, or a look between two ticks */
};

const char *ledger_kind_text(enum ledger_kind kind) {
    static const char *const texts[LEDGER_KINDS] = {"host", "user", "class"};
    return texts[kind];
}

struct ledger *ledger_new(struct shaper *shaper) {
    struct ledger *ledger = must_calloc(1, sizeof *ledger);
    ledger->shaper = shaper;
    return ledger;
}

void ledger_free(struct ledger **ledger) {
    if (*ledger == NULL) {
        return;
    }
    for (size_t kind = 0; kind < LEDGER_KINDS; kind++) {
        for (size_t i = 0; i < (*ledger)->kinds[kind].count; i++) {
            free((*ledger)->kinds[kind].of[i].meter);
        }
        free((*ledger)->kinds[kind].of);
    }
    free(*ledger);
    *ledger = NULL;
}

/* ---- records by kind ---- */

static size_t record_count(const struct shaper *shaper, enum ledger_kind kind) {
    return kind == LEDGER_HOST   ? shaper->hosts.names.count
           : kind == LEDGER_USER ? shaper->users.names.count
                                 : shaper->class_names.count;
}

static const struct tally_set *tallies_of(const struct shaper *shaper, enum ledger_kind kind, size_t id) {
    return kind == LEDGER_HOST   ? shaper->hosts.by_id[id]->tallies
           : kind == LEDGER_USER ? shaper->users.by_id[id]->tallies
                                 : shaper->classes[id]->tallies;
}

static const char *name_of(const struct shaper *shaper, enum ledger_kind kind, size_t id) {
    return kind == LEDGER_HOST   ? shaper->hosts.by_id[id]->name
           : kind == LEDGER_USER ? shaper->users.by_id[id]->name
                                 : shaper->class_names.names[id];
}

/* ---- ticking ---- */

static size_t slot_of(uint64_t tick) {
    return (size_t)(tick % RING);
}

static size_t minute_slot(int64_t mono_ns) {
    return (size_t)(mono_ns / MINUTE_NS % LEDGER_MINUTES);
}

/* As if the record had stood still so far. */
static struct meter *new_meter(const struct counts *seen, int64_t mono_ns) {
    struct meter *meter = must_calloc(1, sizeof *meter);
    for (size_t i = 0; i < RING; i++) {
        meter->ring[i].bytes_out = seen->bytes_out;
        meter->ring[i].requests = seen->requests;
    }
    meter->active_ns = mono_ns;
    return meter;
}

/* Minutes in which no tick fell are empty ones. */
static void clear_minutes(struct meter *meter, int64_t from_ns, int64_t to_ns) {
    int64_t minutes = to_ns / MINUTE_NS - from_ns / MINUTE_NS;
    for (int64_t i = 0; i < minutes && i < LEDGER_MINUTES; i++) {
        meter->minutes[minute_slot(to_ns - i * MINUTE_NS)] = (struct ledger_minute){0, 0};
    }
}

static void update(struct ledger *ledger, struct entry *entry, const struct counts *now, int64_t mono_ns,
                   bool is_tick) {
    bool has_moved = memcmp(now, &entry->seen, sizeof *now) != 0;
    if (entry->meter == NULL && !has_moved) {
        return;
    }
    if (entry->meter == NULL) {
        entry->meter = new_meter(&entry->seen, mono_ns);
    }
    struct meter *meter = entry->meter;
    if (ledger->ticks > 0) {
        clear_minutes(meter, ledger->looked_ns, mono_ns);
    }
    struct ledger_minute *minute = &meter->minutes[minute_slot(mono_ns)];
    minute->bytes_out += now->bytes_out - entry->seen.bytes_out;
    minute->requests += now->requests - entry->seen.requests;
    if (is_tick) {
        meter->ring[slot_of(ledger->ticks)].bytes_out = now->bytes_out;
        meter->ring[slot_of(ledger->ticks)].requests = now->requests;
    }
    meter->active_ns = has_moved ? mono_ns : meter->active_ns;
    entry->seen = *now;
    if (mono_ns - meter->active_ns > HOUR_NS) {
        free(entry->meter);
        entry->meter = NULL;
    }
}

static void look_at_kind(struct ledger *ledger, enum ledger_kind kind, int64_t mono_ns, bool is_tick) {
    struct entries *entries = &ledger->kinds[kind];
    size_t count = record_count(ledger->shaper, kind);
    if (count > entries->count) {
        entries->of = must_realloc(entries->of, count * sizeof *entries->of);
        memset(entries->of + entries->count, 0, (count - entries->count) * sizeof *entries->of);
        entries->count = count;
    }
    for (size_t i = 0; i < count; i++) {
        struct counts now;
        tally_glance(tallies_of(ledger->shaper, kind, i), &now.requests, &now.bytes_out, &now.bytes_in);
        update(ledger, &entries->of[i], &now, mono_ns, is_tick);
    }
}

static void look(struct ledger *ledger, int64_t mono_ns, bool is_tick) {
    pthread_mutex_lock(&ledger->shaper->lock);
    for (enum ledger_kind kind = 0; kind < LEDGER_KINDS; kind++) {
        look_at_kind(ledger, kind, mono_ns, is_tick);
    }
    pthread_mutex_unlock(&ledger->shaper->lock);
    ledger->looked_ns = mono_ns;
}

void ledger_look(struct ledger *ledger, int64_t mono_ns) {
    look(ledger, mono_ns, false);
}

void ledger_tick(struct ledger *ledger, int64_t mono_ns) {
    look(ledger, mono_ns, true);
    ledger->ring_ns[slot_of(ledger->ticks)] = mono_ns;
    ledger->ticks++;
}

void ledger_take_changes(struct ledger *ledger, ledger_visit *visit, void *context) {
    for (enum ledger_kind kind = 0; kind < LEDGER_KINDS; kind++) {
        for (size_t i = 0; i < ledger->kinds[kind].count; i++) {
            struct entry *entry = &ledger->kinds[kind].of[i];
            const struct ledger_change change = {
                .kind = kind,
                .id = i,
                .name = name_of(ledger->shaper, kind, i),
                .bytes_out = entry->seen.bytes_out - entry->taken.bytes_out,
                .bytes_in = entry->seen.bytes_in - entry->taken.bytes_in,
                .requests = entry->seen.requests - entry->taken.requests,
            };
            if (change.bytes_out > 0 || change.bytes_in > 0 || change.requests > 0) {
                entry->taken = entry->seen;
                visit(context, &change);
            }
        }
    }
}

/* ---- reading ---- */

static const struct meter *meter_of(const struct ledger *ledger, enum ledger_kind kind, size_t id) {
    return id < ledger->kinds[kind].count ? ledger->kinds[kind].of[id].meter : NULL;
}

/* The youngest tick that is at least so old, or the oldest there is. */
static uint64_t tick_before(const struct ledger *ledger, int64_t age_ns) {
    uint64_t last = ledger->ticks - 1;
    uint64_t tick = last;
    int64_t wanted_ns = ledger->ring_ns[slot_of(last)] - age_ns;
    while (tick > 0 && last - tick < RING - 1 && ledger->ring_ns[slot_of(tick)] > wanted_ns) {
        tick--;
    }
    return tick;
}

static void rate_over(const struct ledger *ledger, const struct meter *meter, int64_t seconds, double *bytes_per_s,
                      double *requests_per_s) {
    size_t last = slot_of(ledger->ticks - 1);
    /* Half a tick of grace: ticks come about, not exactly, a second apart. */
    size_t first = slot_of(tick_before(ledger, seconds * SECOND_NS - SECOND_NS / 2));
    double elapsed_s = (double)(ledger->ring_ns[last] - ledger->ring_ns[first]) / (double)SECOND_NS;
    if (elapsed_s > 0) {
        *bytes_per_s = (double)(meter->ring[last].bytes_out - meter->ring[first].bytes_out) / elapsed_s;
        *requests_per_s = (double)(meter->ring[last].requests - meter->ring[first].requests) / elapsed_s;
    }
}

struct ledger_rates ledger_rates_of(const struct ledger *ledger, enum ledger_kind kind, size_t id) {
    struct ledger_rates rates = {0};
    const struct meter *meter = meter_of(ledger, kind, id);
    if (meter != NULL && ledger->ticks > 1) {
        rate_over(ledger, meter, 1, &rates.bytes_per_s_1, &rates.requests_per_s_1);
        rate_over(ledger, meter, 10, &rates.bytes_per_s_10, &rates.requests_per_s_10);
        rate_over(ledger, meter, 60, &rates.bytes_per_s_60, &rates.requests_per_s_60);
    }
    return rates;
}

void ledger_last_hour(const struct ledger *ledger, enum ledger_kind kind, size_t id,
                      struct ledger_minute minutes[LEDGER_MINUTES]) {
    memset(minutes, 0, LEDGER_MINUTES * sizeof *minutes);
    const struct meter *meter = meter_of(ledger, kind, id);
    if (meter == NULL) {
        return;
    }
    size_t last = minute_slot(ledger->ring_ns[slot_of(ledger->ticks - 1)]);
    for (size_t i = 0; i < LEDGER_MINUTES; i++) {
        minutes[i] = meter->minutes[(last + 1 + i) % LEDGER_MINUTES];
    }
}
