/* What client.c and http1.c share of a client's connection. An idle one is this struct and nothing more: no buffer, no
 * session. One worker. */
#ifndef WEIR_PROXY_CLIENT_CONNECTION_H
#define WEIR_PROXY_CLIENT_CONNECTION_H

#include "proxy/client.h"
#include "proxy/deadline.h"
#include "proxy/exchange.h"
#include "proxy/stream.h"

struct http1_session;

enum client_phase {
    CLIENT_PROXY_HEADER, /* the PROXY protocol's header is awaited */
    CLIENT_HANDSHAKE,    /* TLS begins */
    CLIENT_IDLE,         /* between requests; nothing of the next has come */
    CLIENT_HEAD,         /* a request's head is coming */
    CLIENT_EXCHANGE,     /* a request is being served */
    CLIENT_LINGER,       /* all is said; what still comes is thrown away, so that the last answer is not lost */
    CLIENT_CLOSED,       /* to be freed */
};

struct client {
    struct stream stream; /* first: its events lead back here */
    struct deadline deadline;
    struct client *next, *previous; /* in worker->clients */
    struct http1_session *session;  /* NULL but in HEAD and EXCHANGE */
    struct exchange_client from;
    struct shaper_visitor visitor;
    const struct address_set *local_hosts; /* of the local address; valid in generation `generation_number` alone */
    uint64_t generation_number;            /* 0: of none */
    int64_t since_ns;                      /* when the phase began; for HEAD: the first byte */
    int64_t idle_timeout_ns;               /* KeepAliveTimeout of the host served last, or of the default host */
    uint64_t linger_from;                  /* stream.bytes_in when lingering began */
    unsigned requests;                     /* begun on this connection */
    uint8_t phase;                         /* enum client_phase */
    bool waits_little;                     /* the kernel was told to let little wait unsent: a response was paced */
    bool waits_much;                       /* it was told that much may wait: the client has proved to be fast */
};

#endif
