/* TLS of the process: a tls_thread for each worker and one for housekeeping, and what all of them share: ticket keys,
 * kept sessions, OCSP answers. Made by housekeeping when the first configuration with TLS is loaded, freed at the end.
 */
#ifndef WEIR_PROXY_TLS_RUNTIME_H
#define WEIR_PROXY_TLS_RUNTIME_H

#include <stdbool.h>

struct ev_loop;
struct tls_runtime;
struct tls_session_cache;
struct tls_thread;
struct tls_ticket_keys;

/* loop: housekeeping's, for looking at OCSP answers; NULL: nobody looks. NULL when OpenSSL has no memory. */
struct tls_runtime *tls_runtime_new(struct ev_loop *loop, unsigned workers);
void tls_runtime_free(struct tls_runtime **runtime); /* after all contexts and links; NULL is harmless */

unsigned tls_runtime_workers(const struct tls_runtime *runtime);
/* Of a worker by its index; of housekeeping by the number of workers. */
struct tls_thread *tls_runtime_thread(struct tls_runtime *runtime, unsigned index);

/* --- any thread --- */
struct tls_ticket_keys *tls_runtime_ticket_keys(struct tls_runtime *runtime);
struct tls_session_cache *tls_runtime_sessions(struct tls_runtime *runtime);
/* The kernel can seal records itself. */
bool tls_runtime_kernel_tls(const struct tls_runtime *runtime);

/* --- housekeeping: what is done every ten seconds: OCSP answers that have changed are read --- */
struct tls_generation;
void tls_runtime_set_newest(struct tls_runtime *runtime, struct tls_generation *generation);
/* The generation is freed: nothing of it is looked at any more. */
void tls_runtime_forget(struct tls_runtime *runtime, const struct tls_generation *generation);

#endif
