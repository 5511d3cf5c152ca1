/* What has happened to each host and user: records by name, which outlive configurations.
 *
 * Internal to shaper/, and for whoever shows or keeps usage. A record is made when a configuration first names it and
 * lives as long as the shaper, so that a host that is taken out and put back has not lost its count, and an exchange
 * that began before a reload ends on the record it began on. */
#ifndef WEIR_SHAPER_RECORDS_H
#define WEIR_SHAPER_RECORDS_H

#include <pthread.h>
#include <stdint.h>

#include "shaper/client_table.h"
#include "shaper/name_table.h"
#include "shaper/quota.h"
#include "shaper/tally.h"
#include "shaper/traffic_scope.h"

/* A class of clients within one host or user. */
struct traffic_class {
    struct quota_class usage; /* first: the quota allocates it */
    struct traffic_scope scope;
};

struct traffic_record {
    size_t id;  /* counts from 0, hosts and users apart */
    char *name; /* for people: ServerName, or the user's; several hosts may have the same */
    struct quota quota;
    struct traffic_scope scope;
    struct lane upload; /* bodies of requests; hosts only */
    struct tally_set *tallies;
};

/* A class of clients, over all hosts. */
struct class_record {
    struct tally_set *tallies;
    struct in_flight in_flight;
};

struct traffic_records {
    struct name_table names;
    struct traffic_record **by_id;
    size_t room;
};

struct shaper {
    pthread_mutex_t lock; /* guards all but the client table */
    struct traffic_records hosts, users;
    struct name_table class_names; /* a class's number is its id */
    struct class_record **classes;
    size_t class_room;
    unsigned workers;
    struct client_table *clients;
    uint64_t generation;
};

/* The record of that key, made when there is none. `name` is what people call it. Under the lock. */
struct traffic_record *traffic_record_of(struct shaper *shaper, struct traffic_records *records, const char *key,
                                         const char *name);
/* The id of the class of that name, whose record is made when there is none. Under the lock. */
size_t class_record_of(struct shaper *shaper, const char *name);

struct traffic_class *traffic_class_of(struct traffic_record *record, size_t class_id);

#endif
