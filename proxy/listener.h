/* The listening sockets of the process: opened, kept across reloads, handed over to the next process (USR2), closed.
 *
 * Each TCP listener has one SO_REUSEPORT socket a worker, so that the kernel spreads connections and no worker waits
 * for another. A Unix listener is one socket of which each worker has a descriptor. The key is listener->name: the same
 * name in a new configuration is the same sockets, because one that closes drops what waits in its queue. A descriptor
 * is lent to the worker that accepts on it; only that worker closes it, when it is told to. Housekeeping thread. */
#ifndef WEIR_PROXY_LISTENER_H
#define WEIR_PROXY_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

struct listener_set;

/* One socket and whom it belongs to. */
struct listening_socket {
    int fd;
    unsigned worker; /* index of the worker that accepts on it */
    bool lent;       /* the worker has it and will close it; else the set does */
};

struct listener_set *listener_set_new(void);
/* Closes what is not lent. */
void listener_set_free(struct listener_set **set);

/* Opens what `config` names and the set lacks, spread over `workers`; inherited sockets are used first, and several
 * given to one worker where there are more of them than workers. False with *error (malloc'ed, the caller frees) and
 * the set as it was: nothing that was open is closed. */
bool listener_set_open(struct listener_set *set, const struct config *config, unsigned workers, char **error);

/* Forgets listeners that `config` no longer names: their lent sockets are the workers' to close, others are closed
 * here, and the file of a Unix socket is removed. Returns how many listeners went. */
size_t listener_set_drop_others(struct listener_set *set, const struct config *config);

/* Undoes what the last listener_set_open() added and nobody was lent: for a reload that failed afterwards. */
void listener_set_rollback(struct listener_set *set);

/* Each call gives the next socket of a worker that is not lent yet, and marks it lent; false after the last. */
bool listener_set_lend(struct listener_set *set, unsigned worker, const char **name, int *fd);

/* All lent sockets are another process's business from now on (or are being closed): the set forgets them. */
void listener_set_forget(struct listener_set *set);
/* Removes the files of Unix sockets that are still ours; for the end of the process that nobody replaces. */
void listener_set_remove_files(const struct listener_set *set);

/* --- handing over (upgrade.c) --- */
/* "name=fd,fd;name=fd": every socket, names percent-encoded. malloc'ed. */
char *listener_set_describe(const struct listener_set *set);
/* All descriptors, for the child to make inheritable. malloc'ed; *count of them. */
int *listener_set_descriptors(const struct listener_set *set, size_t *count);
/* Takes in what listener_set_describe() of the parent said. Descriptors that are no listening sockets are left out.
 * False when the text is not understood. They are used by the next listener_set_open(); those left are closed by it. */
bool listener_set_inherit(struct listener_set *set, const char *description);

/* --- a single socket; for listener.c and its tests --- */
/* A listening socket of a listener: non-blocking, close-on-exec, or -1 with *error (malloc'ed). `first`: make sure that
 * no other process has the address, which SO_REUSEPORT would hide. */
int listener_open_socket(const struct listener *listener, bool first, char **error);

#endif
