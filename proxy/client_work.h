/* The one function that moves a client's connection on, for whatever reason. client.c; one worker. */
#ifndef WEIR_PROXY_CLIENT_WORK_H
#define WEIR_PROXY_CLIENT_WORK_H

#include <stdbool.h>
#include <stdint.h>

struct address_set;
struct client;

/* Does all that can be done now, then sets what is waited for. The client may be freed by it. */
void client_work(struct client *client);

/* How long the client has taken nothing of what waits at its socket; 0 while nothing waits there. A system call. */
int64_t client_stalled_ns(struct client *client);

/* The hosts of the worker's generation that serve the client's local address. */
const struct address_set *client_local_hosts(struct client *client);

/* client_tls.c: phase HANDSHAKE. begin: false when the connection is to be closed. work: as the other phases'. */
bool client_tls_begin(struct client *client);
bool client_tls_work(struct client *client);
int64_t client_tls_deadline_ns(struct client *client);
/* The time for it is up. */
void client_tls_expired(struct client *client);
/* The next phase (enum client_phase) begins now. */
void client_enter(struct client *client, int phase);

#endif
