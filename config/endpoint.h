/* "address:port" as Listen and <VirtualHost> write it. Pure. */
#ifndef WEIR_CONFIG_ENDPOINT_H
#define WEIR_CONFIG_ENDPOINT_H

#include <stdint.h>

#include "config/arena.h"
#include "config/ipaddr.h"
#include "config/span.h"

/* "192.0.2.1:80", "[::1]:80", "*:80", "_default_:80", and each without its port or with ":*" (port 0). IP_NONE for any
 * address. NULL, or a text that completes the sentence '"…" is no …'. */
const char *endpoint_parse(struct span text, struct ip_address *address, uint16_t *port);

/* "192.0.2.1:80", "[::1]:80", "*:80"; without the port when it is 0. */
const char *endpoint_name(struct arena *arena, const struct ip_address *address, uint16_t port);

#endif
