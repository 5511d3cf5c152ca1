/* What OpenSSL asks weir during handshakes: the host for a name, the protocol, ticket keys, kept sessions, the staple.
 * Set up by tls_context.c; the functions run on the thread of the link. */
#ifndef WEIR_PROXY_TLS_CALLBACKS_H
#define WEIR_PROXY_TLS_CALLBACKS_H

#include <openssl/ssl.h>

void tls_callbacks_server(SSL_CTX *ssl);
void tls_callbacks_client(SSL_CTX *ssl);

/* The protocols that are agreed on by ALPN, best first, as they stand in the extension (RFC 7301). */
extern const unsigned char tls_alpn_protocols[];
extern const unsigned tls_alpn_protocols_length;

#endif
