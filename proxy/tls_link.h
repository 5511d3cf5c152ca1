/* TLS on one connected, non-blocking socket: handshake, reading, writing, and what is known of the other side.
 *
 * A link reads whole batches of records with one system call and writes whole batches with one. What was sealed into
 * records is the link's: OpenSSL is never asked to try a write again, because everything that it wants to write is
 * taken, and what the socket does not take is kept (at most one batch, and what answers the peer). So a write that
 * cannot be completed has no bytes that the caller must offer again. One thread, that of its tls_thread. */
#ifndef WEIR_PROXY_TLS_LINK_H
#define WEIR_PROXY_TLS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/span.h"
#include "proxy/tls_facts.h"

struct ev_timer;

struct ssl_session_st;
struct tls_context;
struct tls_link;
struct tls_thread;

enum tls_result {
    TLS_OK,         /* the handshake is over; something was read */
    TLS_BLOCKED,    /* wait for the socket */
    TLS_ENDED,      /* the peer said that it will send no more (close_notify) */
    TLS_CUT,        /* towards an origin: the connection ended without that */
    TLS_FAILED,     /* tls_link_failure() says why; close */
    TLS_PLAIN_HTTP, /* the client does not speak TLS but HTTP: nothing was read from the socket's point of view */
};

/* Chooses the context for the name that a client asks for (empty: none). NULL: the one the link was made with. */
typedef struct tls_context *tls_choose(void *chooser, struct span name);

/* Towards a client. A reference to the context is taken. */
struct tls_link *tls_link_accept(struct tls_thread *thread, struct tls_context *context, int fd, tls_choose *choose,
                                 void *chooser);
/* Towards an origin. name: sent as SNI and, if the context says so, looked for in the certificate. session: where the
 * last session with this origin is kept, for as long as the link lives; NULL: nowhere. */
struct tls_link *tls_link_connect(struct tls_thread *thread, struct tls_context *context, int fd, const char *name,
                                  struct ssl_session_st **session);
void tls_link_free(struct tls_link **link); /* the socket stays open; NULL is harmless */

/* Bytes that were read from the socket already, before the link was made. */
void tls_link_give(struct tls_link *link, struct span bytes);
/* After TLS_PLAIN_HTTP: the bytes that came instead; valid until the link is used again. */
struct span tls_link_plain(const struct tls_link *link);

/* To be called at first and for each event, until it says something else than TLS_BLOCKED. */
enum tls_result tls_link_handshake(struct tls_link *link);
bool tls_link_is_established(const struct tls_link *link);

/* One system call at most; *count says how much was read. */
enum tls_result tls_link_read(struct tls_link *link, char *into, size_t room, size_t *count);
/* Something can be read without an event of the socket. */
bool tls_link_has_more(const struct tls_link *link);
/* The last read took all that the socket had. */
bool tls_link_is_drained(const struct tls_link *link);

/* Seals the pieces and writes the records. Returns how many bytes were sealed: they count as sent. Fewer than offered:
 * tls_link_is_blocked() or tls_link_is_broken(). */
size_t tls_link_write(struct tls_link *link, const struct span *pieces, size_t count, bool paced, int64_t now_ns);
/* What is written from now on goes in messages of so many bytes (smoothing.h); 0: as it comes. */
void tls_link_cut(struct tls_link *link, uint32_t piece_bytes);
/* Sealed records go to the socket as far as it takes them; true when none is left. */
bool tls_link_flush(struct tls_link *link);
bool tls_link_is_blocked(const struct tls_link *link); /* records wait for the socket */
size_t tls_link_waiting(const struct tls_link *link);  /* how many bytes of them */
bool tls_link_is_broken(const struct tls_link *link);  /* nothing can be sent any more */
/* A timer that lives with the link, for its stream: active while reading is wanted and something can be read without an
 * event of the socket. Whoever starts it stops it before the link is freed. */
struct ev_timer *tls_link_timer(struct tls_link *link);
/* The kernel seals from here on (SSL_OP_ENABLE_KTLS): write to the socket as if it were plain. */
bool tls_link_is_sealed_by_kernel(const struct tls_link *link);

/* close_notify: no more will be sent. Once; as far as the socket takes it at once. */
void tls_link_end(struct tls_link *link);

/* After the handshake; lives as long as the link. */
const struct tls_facts *tls_link_facts(const struct tls_link *link);
/* A text for the log, of static life: why the handshake or the connection failed. */
const char *tls_link_failure(const struct tls_link *link);
/* The origin's certificate was refused. */
bool tls_link_is_untrusted(const struct tls_link *link);

#endif
