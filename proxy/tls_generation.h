/* The TLS of one loaded configuration: for each host, on each thread, the context towards clients and towards origins.
 *
 * Hosts whose settings are equal share one context a thread, and what has not changed since the configuration before
 * (settings and the content of files) is taken over from it. Made by housekeeping, constant afterwards, part of a
 * generation. Certificates are read again by every load: an error refuses the load as any other. */
#ifndef WEIR_PROXY_TLS_GENERATION_H
#define WEIR_PROXY_TLS_GENERATION_H

#include "config/config.h"

struct tls_context;
struct tls_generation;
struct tls_runtime;
struct tls_thread;

/* Does anything in it speak TLS? */
bool tls_is_used(const struct config *config);

/* before: the generation that served until now; NULL: none. NULL with *error (malloc'ed): "file:line: directive: …". */
struct tls_generation *tls_generation_new(struct tls_runtime *runtime, const struct config *config,
                                          const struct tls_generation *before, char **error);
void tls_generation_free(struct tls_generation **generation); /* NULL is harmless */

/* For `weir -t`: are the certificates of the configuration good? Its own runtime, freed again. */
bool tls_check(const struct config *config, char **error);

/* Looks whether OCSP answers have changed. Housekeeping. */
void tls_generation_refresh(struct tls_generation *generation);

/* --- the thread of that index: a worker's; the number of workers is housekeeping's --- */
struct tls_thread *tls_generation_thread(const struct tls_generation *generation, unsigned index);
/* NULL: the host has no certificate. */
struct tls_context *tls_generation_server(const struct tls_generation *generation, unsigned index,
                                          const struct virtual_host *host);
/* NULL: SSLProxyEngine is Off. */
struct tls_context *tls_generation_client(const struct tls_generation *generation, unsigned index,
                                          const struct virtual_host *host);
/* Of housekeeping, for health checks of a balancer: as the first host that uses it says. */
struct tls_context *tls_generation_checker(const struct tls_generation *generation, const struct balancer *balancer);

/* What the host asks of a client's connection (tls_facts.h); NULL: it has no certificate. */
const char *tls_generation_requirements(const struct tls_generation *generation, const struct virtual_host *host);

#endif
