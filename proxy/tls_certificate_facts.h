/* Gathers what is known of a client's connection once its handshake is over. For tls_link.c. */
#ifndef WEIR_PROXY_TLS_CERTIFICATE_FACTS_H
#define WEIR_PROXY_TLS_CERTIFICATE_FACTS_H

#include <openssl/ssl.h>

#include "proxy/tls_facts.h"

/* The texts of the certificate are copies; the others live as long as the connection. */
struct tls_facts *tls_certificate_facts_new(SSL *ssl, const char *requirements);
void tls_certificate_facts_free(struct tls_facts **facts); /* NULL is harmless */

#endif
