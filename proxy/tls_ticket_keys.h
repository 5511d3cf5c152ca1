/* The keys of TLS session tickets: one ring for all workers, so that a session begun on one is resumed on another.
 *
 * A ring renews itself: whoever asks for the newest key makes another when that one is an hour old. Tickets of older
 * keys are read for two hours more, then their keys are forgotten, so that a stolen key opens little. A ring made of
 * SSLSessionTicketKeyFile has that one key for as long as the file holds it. Any thread; a mutex guards the ring for a
 * copy's time, once or twice a handshake. RFC 5077, RFC 8446 (4.6.1). */
#ifndef WEIR_PROXY_TLS_TICKET_KEYS_H
#define WEIR_PROXY_TLS_TICKET_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TLS_TICKET_NAME_BYTES = 16,
    TLS_TICKET_SECRET_MAX = 32,
    TLS_TICKET_FILE_BYTES = 48, /* as Apache's: 16 of name, 16 for HMAC-SHA256, 16 for AES-128 */
    TLS_TICKET_RANDOM_BYTES = TLS_TICKET_NAME_BYTES + 2 * TLS_TICKET_SECRET_MAX,
};
#define TLS_TICKET_LIFE_NS (INT64_C(3600) * 1000000000) /* a key is the newest for so long */
#define TLS_TICKET_KEEP_NS (3 * TLS_TICKET_LIFE_NS)     /* from its making until it is forgotten */

struct tls_ticket_key {
    unsigned char name[TLS_TICKET_NAME_BYTES]; /* stands in the ticket */
    unsigned char hmac[TLS_TICKET_SECRET_MAX], aes[TLS_TICKET_SECRET_MAX];
    size_t secret_bytes; /* of each secret: 16 (AES-128) or 32 (AES-256) */
};

struct tls_ticket_keys;

/* Fills the bytes with random ones; false when there are none to be had. */
typedef bool tls_random(unsigned char *bytes, size_t count);

struct tls_ticket_keys *tls_ticket_keys_new(tls_random *random);
/* One key, of the content of SSLSessionTicketKeyFile. */
struct tls_ticket_keys *tls_ticket_keys_fixed(const unsigned char bytes[TLS_TICKET_FILE_BYTES]);
void tls_ticket_keys_free(struct tls_ticket_keys **keys); /* wipes them; NULL is harmless */

/* The key for new tickets. False when none can be made: then no ticket is given. Times are monotonic. */
bool tls_ticket_keys_newest(struct tls_ticket_keys *keys, int64_t now_ns, struct tls_ticket_key *key);
/* The key of that name; *renew: a newer one is in use, the client should get another ticket. False: not known. */
bool tls_ticket_keys_find(struct tls_ticket_keys *keys, const unsigned char name[TLS_TICKET_NAME_BYTES], int64_t now_ns,
                          struct tls_ticket_key *key, bool *renew);

#endif
