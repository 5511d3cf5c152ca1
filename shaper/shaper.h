/* The shaper's one door: how much anybody may have, and when.
 *
 * For each request: shaper_admit() decides; while a body moves: shaper_reserve(), then shaper_charge() for what was
 * written (or shaper_return() when it was not); at the end: shaper_release(). No socket, no HTTP, no clock: times are
 * parameters, so that a month of traffic can be tried in a millisecond.
 *
 * Hosts, users, classes and clients are kept by name and address and survive reloads; a binding is one configuration
 * tied to them. Admitting, reserving, charging and releasing may be done by all workers at once; a ticket belongs to
 * one of them. Speeds, rates and their meaning: spec of the CBand* directives, docs in config/limits.h. */
#ifndef WEIR_SHAPER_SHAPER_H
#define WEIR_SHAPER_SHAPER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "config/ipaddr.h"
#include "config/span.h"
#include "shaper/client_table.h"
#include "shaper/reasons.h"
#include "shaper/shaper_time.h"
#include "shaper/siphash.h"
#include "shaper/tally.h"

struct shaper;
struct shaper_binding;

struct shaper_settings {
    struct client_table_limits clients;
    struct siphash_key hash_key; /* random */
    unsigned workers;            /* threads that admit requests, numbered from 0; 0 is 1 */
};

struct shaper *shaper_new(const struct shaper_settings *settings);
/* All bindings must have been given up and all tickets released. Nulls the pointer; NULL is harmless. */
void shaper_free(struct shaper **shaper);

/* How many clients are known, were forgotten for room, or found none. Any thread. */
struct client_table_counts shaper_client_counts(const struct shaper *shaper);

/* Ties a configuration to the records of its hosts, users and classes; its limits hold from now on. The binding keeps
 * a reference to the configuration. Housekeeping thread; the caller owns the one reference. */
struct shaper_binding *shaper_apply(struct shaper *shaper, struct config *config);
struct shaper_binding *shaper_binding_ref(struct shaper_binding *binding); /* any thread */
void shaper_binding_unref(struct shaper_binding **binding);                /* any thread; nulls the pointer */

/* The class that a client is in by its address; NULL: none. Lives as long as the binding. Any thread. */
const struct client_class *shaper_class_of(const struct shaper_binding *binding, const struct ip_address *client);

/* What a host is called wherever its usage is kept or shown: its ServerName, or "_default_" for a main server without
 * one. Lives as long as the host. */
const char *shaper_host_name(const struct virtual_host *host);

/* ---- one request ---- */

/* What a connection keeps of its client's record between its requests, so that they need not look for it. Zeroed:
 * nothing. Keeping it takes no room from others: only while half of the table is free. One worker. */
struct shaper_visitor {
    struct shaper *shaper;
    struct client_record *client; /* pinned; NULL: none, or a ticket has it */
};
/* The connection is closed, and no ticket of it is open. Zeroes it; a zeroed one is harmless. */
void shaper_forget_visitor(struct shaper_visitor *visitor, struct shaper_time now);

struct shaper_request {
    size_t host;                    /* index in config->hosts */
    unsigned worker;                /* whose thread this is, from 0 */
    struct ip_address client;       /* IP_NONE: not known, and not limited by client */
    struct span path;               /* without the query, as the exceeded page is compared with */
    struct span site;               /* "name" or "name:port", as the client wrote it; empty: not said */
    struct shaper_visitor *visitor; /* of the request's connection: outlives the ticket, which is its only one; NULL */
};

/* The things that a request is counted under, in the order in which they are asked. */
enum shaper_scope {
    SHAPER_HOST,
    SHAPER_HOST_CLASS, /* the client's class within the host */
    SHAPER_USER,
    SHAPER_USER_CLASS,
    SHAPER_CLIENT, /* the client's address within the host */
    SHAPER_SCOPES
};

enum shaper_outcome {
    SHAPER_PASS,
    SHAPER_DELAY,    /* serve it after delay_ns; it is admitted already */
    SHAPER_REDIRECT, /* 302 to url, Cache-Control: no-store */
    SHAPER_REFUSE,   /* answer with status */
};

struct shaper_decision {
    enum shaper_outcome outcome;
    enum shaper_reason reason; /* of the outcome; of `slowed` when the request passes */
    int64_t delay_ns;
    int64_t retry_after_s; /* REDIRECT, REFUSE; 0: no such field */
    unsigned status;       /* REFUSE */
    const char *url;       /* REDIRECT: lives as long as the binding */
    bool slowed;           /* a quota is exceeded: it is served at the exceeded speed */
    bool dry_run;          /* CBandDryRun: count and log the decision, then serve the request at once */
};

enum shaper_direction { SHAPER_RESPONSE, SHAPER_REQUEST_BODY, SHAPER_DIRECTIONS };

enum { TICKET_TALLIES = 3, TICKET_COUNTS = SHAPER_SCOPES + 1 };

/* A request under way, for one worker. Zeroed: none. Members are the shaper's own. */
struct shaper_ticket {
    struct shaper *shaper;
    struct traffic_record *host, *user;
    struct traffic_class *host_class, *user_class;
    struct class_record *class; /* of the client, over all hosts; NULL: in none */
    struct client_record *client;
    struct shaper_visitor *visitor;              /* that gets the record back; NULL: the table does */
    struct traffic_scope *scopes[SHAPER_SCOPES]; /* of the five above; NULL: none, or a class's part never limited */
    uint64_t generation;                         /* of the binding that the speeds below come from */
    uint64_t upload_bits_per_s;
    struct ip_address address; /* masked */
    uint64_t first_bytes;      /* still to go out at once */
    struct shaper_foreseen {   /* counted in the quotas before the write; until the next charge */
        uint64_t bytes;        /* 0: none */
        uint64_t host_epoch, user_epoch;
    } foreseen;
    size_t count_count; /* of counts[] below: of scopes, in their order, and of the class */
    bool is_counted;    /* among the requests being served, in all of counts[] */
    bool has_left;      /* it was, and shaper_leave() has given its places back */
    bool has_begun;     /* the response */
    bool follows_quota; /* a speed changes when a quota is exceeded */
    bool dry_run;
    bool is_uncapped;                      /* nothing holds: its bytes are only counted */
    struct tally *tallies[TICKET_TALLIES]; /* of the host, the user and the class, this worker's; so many as are
                                              counted; still there when the ticket is released, for shaper_count() */
    size_t tally_count;
    struct in_flight *counts[TICKET_COUNTS]; /* of requests being served, so many as are counted */
    struct shaper_hold { /* the one reservation of a direction; from here on only so many lanes are set as are counted
                          */
        struct lane *lanes[SHAPER_SCOPES];
        uint64_t bits_per_s[SHAPER_SCOPES]; /* that it was made at */
        int64_t lane_at_ns[SHAPER_SCOPES];
        size_t lane_count;
        uint64_t bytes; /* 0: none */
        bool is_noted;  /* no lane has it yet: it is a small response, on its way out at this moment */
        int64_t at_ns;  /* the latest of them; of first bytes when they were asked for */
    } holds[SHAPER_DIRECTIONS];
    struct shaper_turns {        /* of the response; set when it begins */
        unsigned per_s;          /* the next one is such a part of the share */
        uint64_t bytes_per_s;    /* at which they come, or less */
        uint64_t measured_per_s; /* from the last but one to the last */
        uint64_t bytes;          /* of the last; 0: none yet */
        int64_t at_ns;
    } turns;
    struct shaper_speeds { /* that hold for the response, whatever comes of a quota */
        struct lane *lanes[SHAPER_SCOPES];
        uint64_t bits_per_s[SHAPER_SCOPES];
        uint64_t slowest_bits_per_s; /* of them; 0: there are none */
        size_t count;
    } speeds; /* set unless follows_quota */
    struct shaper_cap {
        uint64_t bits_per_s, exceeded_bits_per_s; /* 0: no cap; the second while the scope's quota is exceeded */
    } caps[SHAPER_SCOPES];                        /* set when follows_quota */
};

/* Decides about a request, in this order: counts of requests being served, request rates, quotas of the host (total,
 * class, client) and of the user (total, class). A request that is to be served (PASS, DELAY, and every one in a dry
 * run) has a ticket afterwards, which must be released; else the ticket is zeroed, and nothing is taken or counted. */
void shaper_admit(struct shaper_binding *binding, const struct shaper_request *request, struct shaper_time now,
                  struct shaper_ticket *ticket, struct shaper_decision *decision);

struct shaper_grant {
    uint64_t bytes;             /* that may be moved, 1 to `wanted_bytes` */
    int64_t at_ns;              /* not before this moment; now or earlier: at once */
    uint64_t turns_bytes_per_s; /* of a response: turns come at about this rate, not less; 0: not known yet */
    bool is_capped; /* some speed holds, and this is not all of a small response: keep little in the socket */
};

/* Responses have about so many turns a second, where a turn is not less than two segments or more than this. */
enum { SHAPER_TURNS_PER_S = LANE_FEW_TURNS_PER_S, SHAPER_TURN_MAX_BYTES = LANE_QUANTUM_MAX_BYTES };

/* Asks for a turn to write (or, for a request's body, to read) up to wanted_bytes, at least 1. Only who has the bytes
 * and can move them should ask. There is one turn at a time: asked again before it is used up, the answer is the same,
 * unless limits have changed. So who waits for longer than 100 ms should ask again every 100 ms, for a changed limit
 * to hold by then. `current` is the worker's present binding, which may be later than the one that admitted. */
struct shaper_grant shaper_reserve(struct shaper_ticket *ticket, const struct shaper_binding *current,
                                   enum shaper_direction direction, uint64_t wanted_bytes, struct shaper_time now);

/* So many bytes were moved, within the turn or, where that could not be helped, beyond it. Those of a response count in
 * the quotas. */
void shaper_charge(struct shaper_ticket *ticket, enum shaper_direction direction, uint64_t bytes,
                   struct shaper_time now);

/* The last bytes of the response are about to be written, so many since the last charge: they count in the quotas
 * before the client can have them, so that when it comes again at once, to whichever worker, it is judged with them.
 * Once before each charge. */
void shaper_foresee(struct shaper_ticket *ticket, uint64_t bytes, struct shaper_time now);

/* The response is to be charged before its worker turns to anything else, even if nothing could be moved: its turn is
 * that of a small response, which is only noted, and taken from the speeds by the charge; or its last bytes were
 * foreseen, of which the charge takes back what was not moved. */
static inline bool shaper_awaits_charge(const struct shaper_ticket *ticket) {
    return ticket->holds[SHAPER_RESPONSE].is_noted || ticket->foreseen.bytes > 0;
}

/* The rest of the turn is not used: the sender has nothing more to send, or cannot. */
void shaper_return(struct shaper_ticket *ticket, enum shaper_direction direction);

/* What came of a request, for everybody's count. */
struct shaper_served {
    size_t host;                        /* index in config->hosts */
    unsigned worker;                    /* whose thread this is */
    struct ip_address client;           /* IP_NONE: not known */
    const struct shaper_ticket *ticket; /* that it was admitted or refused with, and that is released: tells whose
                                           counts these are; a zeroed one, or NULL: it was not asked about */
    unsigned status;                    /* of the response; 0: none was sent */
    uint64_t bytes_in;
    int64_t delay_ns;
    enum shaper_reason refused, delayed; /* SHAPER_REASON_NONE: it was not; not those of a dry run */
};

/* Counts a request that has ended under its host, user and class, whether it was admitted or not. Once a request; the
 * bytes of its response were counted as they were charged. */
void shaper_count(const struct shaper_binding *binding, const struct shaper_served *served);

/* The response is complete and its last bytes are about to be written: the request no longer counts among those being
 * served, so that a client that has them and comes again at once, to whichever worker, finds its place free. Bytes are
 * charged as before. */
void shaper_leave(struct shaper_ticket *ticket);
/* They could not be written yet: it counts again, whatever the limit is. Only after shaper_leave(). */
void shaper_return_to_place(struct shaper_ticket *ticket);

/* The request has ended, or was cancelled. Zeroes the ticket; a zeroed one is harmless. */
void shaper_release(struct shaper_ticket *ticket, struct shaper_time now);

#endif
