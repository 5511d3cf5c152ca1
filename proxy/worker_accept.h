/* The accepting half of a worker: its listening sockets, MaxConnections, and the rest taken when the machine has run
 * out of descriptors or memory. For worker.c. The worker's thread, or housekeeping before that thread runs. */
#ifndef WEIR_PROXY_WORKER_ACCEPT_H
#define WEIR_PROXY_WORKER_ACCEPT_H

#include "proxy/worker_thread.h"

void worker_init_accept(struct worker_thread *thread);

/* Takes over the descriptors; what a listener is (https, proxy-protocol) is looked up in the worker's generation. */
void worker_add_listeners(struct worker_thread *thread, const struct worker_socket *sockets, size_t socket_count);

/* Closes those that `keep` does not name (NULL: all), and looks up anew what the others are. */
void worker_close_listeners(struct worker_thread *thread, const struct config *keep);

/* Accepts what the kernel has accepted already: closing a listening socket would reset these connections. */
void worker_accept_rest_of_queue(struct worker_thread *thread);

#endif
