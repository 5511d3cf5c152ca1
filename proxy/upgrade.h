/* USR2: another process takes over the listening sockets, so that a new binary, or another number of workers, begins
 * without one connection refused.
 *
 * The old process starts the binary anew with every listening socket inherited, named in WEIR_LISTEN_FDS, and a pipe,
 * named in WEIR_UPGRADE_FD. The new one does all that a start does, reading its configuration first; then it says
 * "ready" on the pipe, and the old one closes its copies of the sockets and drains. Until then both hold the same
 * sockets, so no queue is lost. Before it serves, the new one says "state", and the old one writes its usage and gives
 * up the state files (shaper/keeper.h). When it fails it says why instead, and the old one goes on as if nothing had
 * happened. Housekeeping. */
#ifndef WEIR_PROXY_UPGRADE_H
#define WEIR_PROXY_UPGRADE_H

#include <stdbool.h>

struct listener_set;
struct process;

/* --- the old process --- */
/* Returns at once; what comes of it is logged. */
void upgrade_begin(struct process *process);
/* Ends an upgrade that is under way: the new process is killed. Harmless when there is none. */
void upgrade_cancel(struct process *process);

/* --- the new process --- */
/* Takes the inherited sockets into the set and both variables out of the environment. Returns the descriptor for
 * upgrade_report(), -1 when this process was not started by USR2. */
int upgrade_inherit(struct listener_set *set);
/* Asks the old process for the state files; -1 does nothing. */
void upgrade_ask_for_state(int fd);
/* Tells the old process: NULL for "ready", else why not. Closes the descriptor; -1 does nothing. */
void upgrade_report(int *fd, const char *failure);

#endif
