/* What is known of a TLS connection, under the names that mod_ssl gives: for headers (%{NAME}s) and the access log
 * (%{NAME}x). Plain values that live as long as the connection. */
#ifndef WEIR_PROXY_TLS_FACTS_H
#define WEIR_PROXY_TLS_FACTS_H

#include "config/span.h"

struct tls_facts {           /* NULL: none */
    const char *protocol;    /* "TLSv1.3" */
    const char *cipher;      /* OpenSSL's name */
    const char *server_name; /* SNI */
    const char *session;     /* "Initial" or "Resumed" */
    const char *verify;      /* "NONE" or "SUCCESS": was a client certificate shown? One that is not valid ends all */
    const char *subject;     /* of the client's certificate, as RFC 2253 */
    const char *issuer;
    const char *common_name;  /* the last CN of the subject */
    const char *serial;       /* hexadecimal */
    const char *requirements; /* a text that is the same for hosts that ask the same of a connection */
};

/* NULL: no such name, no TLS, or not known of this connection. */
const char *tls_fact(const struct tls_facts *facts, struct span name);

#endif
