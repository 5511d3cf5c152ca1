/* Between OpenSSL and the socket: the inside of a link, and the BIO that serves all links of a thread.
 * For tls_link.c, tls_bio.c and tls_handshake.c. */
#ifndef WEIR_PROXY_TLS_BIO_H
#define WEIR_PROXY_TLS_BIO_H

#include <ev.h>
#include <openssl/ssl.h>

#include "proxy/tls_link.h"
#include "proxy/tls_thread.h"

struct tls_kept { /* bytes that wait */
    uint32_t start, end;
    char bytes[];
};

struct tls_link {
    SSL *ssl;
    struct tls_thread *thread;
    struct tls_context *context;
    struct tls_kept *unread; /* from the socket, not taken by OpenSSL; NULL: none */
    struct tls_kept *unsent; /* sealed, not taken by the socket; NULL: none */
    tls_choose *choose;      /* towards a client */
    void *chooser;
    SSL_SESSION **session; /* towards an origin */
    int64_t sent_ns;       /* the last record */
    uint32_t sent;         /* bytes since the last silence, until it no longer matters */
    int fd;
    uint32_t piece_bytes;  /* of one message to the socket; 0: as large as what is written */
    uint8_t kernel_record; /* kernel TLS: the type of the next record when it is not data; 0: it is */
    bool is_client;        /* towards an origin */
    bool established;
    bool sealed_by_kernel;
    bool drained;      /* the last read of the socket left room */
    bool socket_ended; /* the socket has no more to read */
    bool broken;       /* the socket or OpenSSL has failed: nothing can be sent */
    bool end_sent;
    bool end_waits;      /* the last read took data, and the end or the failure behind it is to be told by the next */
    bool resists;        /* the socket did not take the last batch whole: offer it less */
    const char *failure; /* static text */
    ev_timer more;       /* the stream's: see tls_link_timer() */
    struct tls_facts *facts; /* from the handshake on */
};

/* NULL when OpenSSL has no memory. */
BIO_METHOD *tls_bio_method_new(void);

/* Before and after a function of OpenSSL's is called for the link: what was kept is put in its way, what is left is
 * kept, what was sealed is written. */
void tls_bio_enter(struct tls_link *link);
void tls_bio_leave(struct tls_link *link);
/* One read of the socket, of at most so many bytes, where nothing is waiting already. Between enter and leave. */
void tls_bio_fetch(struct tls_link *link, size_t bytes);
/* Writes what is kept. True when nothing is left. */
bool tls_bio_flush(struct tls_link *link);

#endif
