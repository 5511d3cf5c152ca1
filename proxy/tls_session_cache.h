/* Sessions that clients may resume by their id: TLS 1.2 without tickets, and every version where SSLSessionTickets is
 * Off. One cache for all workers, bounded: a session takes the place of an older one. Any thread; 64 shards, a mutex
 * each, held for a copy's time. */
#ifndef WEIR_PROXY_TLS_SESSION_CACHE_H
#define WEIR_PROXY_TLS_SESSION_CACHE_H

#include <stddef.h>

#include "config/span.h"

enum { TLS_SESSION_BYTES_MAX = 4096, TLS_SESSIONS_MAX = 64 * 256 };

struct tls_session_cache;

struct tls_session_cache *tls_session_cache_new(void);
void tls_session_cache_free(struct tls_session_cache **cache); /* NULL is harmless */

/* id: 1 to 32 random bytes. A session of more than TLS_SESSION_BYTES_MAX is not kept. */
void tls_session_cache_put(struct tls_session_cache *cache, struct span id, struct span session);
/* Copies the session; its length, 0 when there is none. */
size_t tls_session_cache_get(struct tls_session_cache *cache, struct span id, char session[TLS_SESSION_BYTES_MAX]);
void tls_session_cache_remove(struct tls_session_cache *cache, struct span id);

#endif
