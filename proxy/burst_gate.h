/* Where connections meet burst blocking: before anything is read of them, TLS included. The worker's thread.
 *
 * Requests meet it in exchange_burst.h. Meaning of it all: shaper/burst.h. */
#ifndef WEIR_PROXY_BURST_GATE_H
#define WEIR_PROXY_BURST_GATE_H

#include <stdbool.h>

#include "proxy/exchange.h"

/* Whether a new connection of from->client is let in; host: the default one of its local address. False: close `fd`,
 * which is set to reset where that is the action; what is to be logged and counted was. True: from->connected is set
 * when it is counted. The connection of a proxy that RemoteIPHeader is believed from is nobody's: always true. */
bool burst_gate_admits(struct worker *worker, const struct virtual_host *host, int fd, struct exchange_client *from);

/* The connection is closed. Once; harmless when it was not counted. */
void burst_gate_leave(struct worker *worker, struct exchange_client *from);

#endif
