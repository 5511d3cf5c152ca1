/* The PROXY protocol, versions 1 and 2: the line or block that a load balancer puts before a connection's first byte
 * (haproxy.org/download/2.9/doc/proxy-protocol.txt). Required on every connection of a listener with `proxy-protocol`,
 * never looked for elsewhere. Pure: bytes in, a verdict out. */
#ifndef WEIR_PROXY_PROXY_PROTOCOL_H
#define WEIR_PROXY_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/ipaddr.h"
#include "config/span.h"

enum {
    PROXY_PROTOCOL_V1_MAX_BYTES = 107, /* a whole line with CR LF (section 2.1) */
    PROXY_PROTOCOL_MAX_BYTES = 4096,   /* a whole version 2 header with its TLVs; longer ones are refused */
};

enum proxy_protocol_verdict {
    PROXY_PROTOCOL_NEED_MORE, /* right so far, not complete */
    PROXY_PROTOCOL_BAD,       /* no such header: the connection is to be closed */
    PROXY_PROTOCOL_OK,
};

struct proxy_protocol_header {
    size_t length;      /* bytes that the header took; what follows is the client's */
    bool has_addresses; /* false: LOCAL, UNKNOWN, or a family that has no Internet addresses: the socket's own hold */
    struct ip_address source, destination;
    uint16_t source_port, destination_port;
};

/* `bytes`: all that was received so far, from the connection's first byte. *header is set only on OK; *reason (static
 * text, may be NULL) only on BAD. Call again with more bytes, old ones included, after NEED_MORE: a verdict is reached
 * by PROXY_PROTOCOL_MAX_BYTES at the latest. */
enum proxy_protocol_verdict proxy_protocol_parse(struct span bytes, struct proxy_protocol_header *header,
                                                 const char **reason);

#endif
