/* What the counts of the workers come to, second by second: rates, the last hour, and what is new for the usage
 * history.
 *
 * A ledger looks at all records of a shaper about once a second. A record in which nothing has happened for an hour
 * costs it a glance and no memory. Housekeeping thread. Pure: the time is a parameter, monotonic nanoseconds. */
#ifndef WEIR_SHAPER_LEDGER_H
#define WEIR_SHAPER_LEDGER_H

#include <stddef.h>
#include <stdint.h>

struct ledger;
struct shaper;

enum ledger_kind { LEDGER_HOST, LEDGER_USER, LEDGER_CLASS, LEDGER_KINDS };
const char *ledger_kind_text(enum ledger_kind kind); /* "host", "user", "class" */

/* The shaper must outlive the ledger. */
struct ledger *ledger_new(struct shaper *shaper);
void ledger_free(struct ledger **ledger); /* nulls the pointer; NULL is harmless */

/* Takes the present counts. About once a second; a late call is measured as what it is. */
void ledger_tick(struct ledger *ledger, int64_t mono_ns);
/* The same between two ticks, for what is new up to this moment; rates stay those of the last tick. However often. */
void ledger_look(struct ledger *ledger, int64_t mono_ns);

/* ---- what is new ---- */

struct ledger_change {
    enum ledger_kind kind;
    size_t id;        /* of the record: the same over reloads */
    const char *name; /* ServerName, or the name of a user or class; several hosts may have the same */
    uint64_t bytes_out, bytes_in, requests;
};
typedef void ledger_visit(void *context, const struct ledger_change *change);

/* Tells for each record what it has counted, up to the last tick or look, since this was last called. */
void ledger_take_changes(struct ledger *ledger, ledger_visit *visit, void *context);

/* ---- rates and the last hour: by the record's id ---- */

enum { LEDGER_MINUTES = 60 };

struct ledger_rates { /* over the last 1, 10 and 60 s before the last tick, or since the start */
    double bytes_per_s_1, bytes_per_s_10, bytes_per_s_60;
    double requests_per_s_1, requests_per_s_10, requests_per_s_60;
};
struct ledger_minute {
    uint64_t bytes_out, requests;
};

struct ledger_rates ledger_rates_of(const struct ledger *ledger, enum ledger_kind kind, size_t id);
/* The oldest first; the last one is the minute under way. */
void ledger_last_hour(const struct ledger *ledger, enum ledger_kind kind, size_t id,
                      struct ledger_minute minutes[LEDGER_MINUTES]);

#endif
