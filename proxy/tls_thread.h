/* What TLS needs once a thread: a library context of its own, and memory that all its connections use in turn.
 *
 * OpenSSL 3.0 takes locks inside a library context for almost everything, so each worker, and housekeeping for its
 * health checks, has one to itself. Made and freed by housekeeping, used by its thread alone; but housekeeping also
 * makes SSL_CTXs in it when a configuration is loaded, which OpenSSL's own locks allow. */
#ifndef WEIR_PROXY_TLS_THREAD_H
#define WEIR_PROXY_TLS_THREAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct counters;
struct tls_link;
struct tls_runtime;

enum {
    TLS_IN_BYTES = 64 * 1024,    /* of one read */
    TLS_BATCH_BYTES = 64 * 1024, /* of plain text that is sealed before it is written */
    TLS_OUT_BYTES = 96 * 1024,   /* room for a batch in small records, with what they add */
};

struct tls_thread {
    struct tls_runtime *runtime;
    OSSL_LIB_CTX *library;
    EVP_CIPHER *ticket_ciphers[2]; /* AES-128-CBC, AES-256-CBC */
    BIO *bio;                      /* of all links: between OpenSSL and the two buffers below */
    struct counters *counters;     /* the worker's; NULL: nobody counts */

    /* Of the link whose OpenSSL function is being called; empty between calls. */
    struct tls_link *link;
    const char *in; /* bytes from the socket that OpenSSL has not taken */
    size_t in_length;
    size_t out_length;
    char in_bytes[TLS_IN_BYTES];
    char out_bytes[TLS_OUT_BYTES]; /* records that have not gone to the socket */
    char record[16384];            /* a record's text, where it lies in several places */
};

/* NULL when OpenSSL has no memory. method: of tls_bio.h. */
struct tls_thread *tls_thread_new(struct tls_runtime *runtime, const BIO_METHOD *method);
void tls_thread_free(struct tls_thread **thread); /* after all that was made in it */

/* Frees what OpenSSL keeps for the calling thread; the last thing that it does with TLS. NULL is harmless. */
void tls_thread_leave(struct tls_thread *thread);

#endif
