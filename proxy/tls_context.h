/* An SSL_CTX with what belongs to it: one for each thread and each different set of settings.
 *
 * Counted: a generation holds one reference, each link another, and a later generation takes over what has not changed.
 * Made by housekeeping in the library context of the thread that uses it; the last reference may be dropped by either.
 */
#ifndef WEIR_PROXY_TLS_CONTEXT_H
#define WEIR_PROXY_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "config/config.h"

struct tls_material;
struct tls_staple;
struct tls_thread;
struct tls_ticket_keys;

struct tls_context {
    atomic_size_t references;
    SSL_CTX *ssl;
    struct tls_thread *thread;
    struct tls_material *material; /* reference: keys, texts, staple */
    const char *requirements;      /* the material's: tls_facts.h */
    unsigned char session_context[32];
    bool check_name; /* towards an origin: its certificate must name it */
    bool verifies;   /* the peer's certificate is checked */
};

/* NULL with *error, "file:line: directive: what is wrong" (malloc'ed). */
struct tls_context *tls_context_new_server(struct tls_thread *thread, const struct tls_server *settings,
                                           struct tls_material *material, char **error);
struct tls_context *tls_context_new_client(struct tls_thread *thread, const struct tls_client *settings,
                                           struct tls_material *material, char **error);

/* Sessions are resumed only where the same is asked of a connection: they carry this mark. */
void tls_context_session_context(const struct tls_context *context, unsigned char id[32]);

struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context **context); /* nulls the pointer; NULL is harmless */

#endif
