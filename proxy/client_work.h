/* The one function that moves a client's connection on, for whatever reason. client.c; one worker. */
#ifndef WEIR_PROXY_CLIENT_WORK_H
#define WEIR_PROXY_CLIENT_WORK_H

#include <stdint.h>

struct client;
struct virtual_host;

/* Does all that can be done now, then sets what is waited for. The client may be freed by it. */
void client_work(struct client *client);

/* How long the client has taken nothing of what waits at its socket; 0 while nothing waits there. A system call. */
int64_t client_stalled_ns(struct client *client);

/* The host of the worker's generation that serves the client's local address when no name was given. */
const struct virtual_host *client_default_host(struct client *client);

#endif
