/* An OCSP answer from SSLStaplingFile, sent along with the certificate that it is about (RFC 6066, 8).
 *
 * Counted; one for each file. Housekeeping looks every ten seconds whether the file has changed. An answer that cannot
 * be read leaves the one before; one whose time is over is not sent. Any thread; a mutex guards the bytes. */
#ifndef WEIR_PROXY_TLS_STAPLE_H
#define WEIR_PROXY_TLS_STAPLE_H

#include <openssl/x509.h>

struct tls_staple;

/* NULL with *why (malloc'ed) when the file holds no OCSP answer. */
struct tls_staple *tls_staple_new(const char *path, char **why);
struct tls_staple *tls_staple_ref(struct tls_staple *staple);
void tls_staple_unref(struct tls_staple **staple); /* nulls the pointer; NULL is harmless */

/* Reads the file again when it has changed; a failure is logged. Housekeeping. */
void tls_staple_refresh(struct tls_staple *staple);

/* A copy by OPENSSL_malloc of the answer when it is about this certificate and still holds; NULL otherwise. */
unsigned char *tls_staple_copy(struct tls_staple *staple, const X509 *certificate, size_t *length);

#endif
