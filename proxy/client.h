/* An accepted client connection, from accept to close. The protocol spoken on it is http1.c's. One worker. */
#ifndef WEIR_PROXY_CLIENT_H
#define WEIR_PROXY_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>

#include "config/ipaddr.h"
#include "proxy/origin_state.h"

struct worker;
struct client;

/* What a client needs to know of the socket it came through; copied. */
struct client_origin {
    struct ip_address local_address;
    uint16_t local_port;
    bool https, proxy_protocol, unix_socket, control;
};

/* Takes over an accepted, non-blocking descriptor. `peer` is as accept4 gave it. Closes it itself when something is
 * wrong. */
void client_accept(struct worker *worker, int fd, const struct client_origin *through,
                   const union socket_address *peer);

/* Beyond MaxConnections: answers 503 where the protocol allows it at once, and closes. */
void client_refuse(struct worker *worker, int fd, const struct client_origin *through);

/* The worker has drained for DRAIN_IDLE_NS: a connection that has been idle for as long is closed now, another when it
 * has, and a busy one after its response, which says so. */
void client_drain(struct client *client);

/* Closes at once, whatever is under way. */
void client_abort(struct client *client);

struct client *client_next(const struct client *client); /* in worker->clients */

#endif
