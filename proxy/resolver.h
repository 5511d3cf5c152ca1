/* Looks up host names on a thread of its own and keeps the answers, so that workers never wait for a name server.
 *
 * A name is looked up when it is first watched, again every 60 s, and every 5 s after a failure; a failure keeps the
 * addresses of the last answer. Reading an address takes a lock of that name for the time of one copy. */
#ifndef WEIR_PROXY_RESOLVER_H
#define WEIR_PROXY_RESOLVER_H

#include "proxy/origin_state.h"

struct resolver;
struct resolver_name; /* one watched name with a port */

enum { RESOLVER_ADDRESSES_MAX = 16 };

/* Fills at most `max` addresses in the order in which they are to be tried; returns how many, 0 with *error (a static
 * text) when there are none. May block. */
typedef size_t resolver_lookup(const char *host, uint16_t port, union socket_address *addresses, size_t max,
                               const char **error);

struct resolver_options {    /* zero: the defaults */
    resolver_lookup *lookup; /* NULL: getaddrinfo */
    int64_t refresh_ns;      /* 60 s */
    int64_t retry_ns;        /* 5 s */
};

/* Starts the thread. options may be NULL. NULL when no thread can be had. */
struct resolver *resolver_new(const struct resolver_options *options);
/* Stops the thread; all names must have been forgotten. A look-up that does not end within a moment is left to end by
 * itself, so that a silent name server cannot hold up the end of the process. */
void resolver_free(struct resolver **resolver);

/* Watches a name; it is looked up soon. The text is copied. Any thread. */
struct resolver_name *resolver_watch(struct resolver *resolver, const char *host, uint16_t port);
void resolver_forget(struct resolver_name **name);

/* Waits until each of the names was looked up once, with or without success, at most wait_ns. */
void resolver_wait(struct resolver *resolver, struct resolver_name *const *names, size_t count, int64_t wait_ns);

/* The address with that position in the latest answer; false when there are not as many. Any thread. */
bool resolver_address(struct resolver_name *name, size_t position, union socket_address *address);

/* An address of the family's own length; a numeric host without look-up; false when it is no number. */
socklen_t socket_address_length(const union socket_address *address);
bool socket_address_numeric(const char *host, uint16_t port, union socket_address *address);

#endif
