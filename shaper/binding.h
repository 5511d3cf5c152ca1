/* A configuration tied to its records: what admit.c and grant.c look limits up in. Internal to shaper/, and for whoever
 * shows what it comes to.
 *
 * Built by shaper_apply() and immutable afterwards; reference-counted, any thread. */
#ifndef WEIR_SHAPER_BINDING_H
#define WEIR_SHAPER_BINDING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "shaper/class_index.h"
#include "shaper/records.h"

/* Where requests over quota are sent to, and what may itself be had over quota. Absent path: nowhere. */
struct exceeded_page {
    struct span path;
    struct span site; /* "name" or "name:port" of a URL that is a site's first page; absent: the path alone decides */
};

struct host_binding {
    const struct host_limits *limits;
    struct traffic_record *record;
    struct traffic_record *user_record; /* NULL: the host has no user */
    struct exceeded_page exceeded_page;
    struct exceeded_page user_exceeded_page;
    bool is_capped_per_client;
    bool knows_clients; /* has records of clients, for their caps or for who wants to see them */
    bool is_uncapped;   /* no speed, rate, count or quota over it, nor over its user: its requests are only counted */
    bool slows_nobody;  /* neither the host nor its user has a speed for who exceeds a quota */
    bool tells_classes; /* a class has a speed of its own */
    struct speed_limit remote_speed; /* of a client in no such class */
};

struct shaper_binding {
    atomic_size_t references;
    struct shaper *shaper;
    struct config *config;
    uint64_t generation; /* counts from 1 */
    struct class_index *classes;
    size_t *class_ids;                   /* by index in config->classes: the same over reloads */
    struct class_record **class_records; /* likewise */
    struct host_binding *hosts;
    struct traffic_record **user_records;    /* by index in config->users */
    size_t *host_of_record, *user_of_record; /* record id to index in the configuration; BINDING_GONE */
    size_t host_record_count, user_record_count;
};

#define BINDING_GONE SIZE_MAX
#define BINDING_NO_CLASS SIZE_MAX

/* The speeds of each scope, indexed by enum shaper_scope: in normal times, and while that scope's quota is exceeded.
 * class_id: of the client, or BINDING_NO_CLASS. */
struct scope_speeds {
    struct speed_limit normal, exceeded;
};
void binding_speeds(const struct shaper_binding *binding, const struct host_limits *host, size_t class_id,
                    struct scope_speeds *speeds);

/* Is a request for this path of this site ("name" or "name:port", as the client wrote it; empty: not said) one for the
 * page? */
bool exceeded_page_is(const struct exceeded_page *page, struct span path, struct span site);

bool speed_limit_is_set(const struct speed_limit *speed);

#endif
