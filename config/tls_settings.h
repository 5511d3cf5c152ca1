/* What the SSL* and SSLProxy* directives said: plain data, as part of a configuration immutable and shared.
 *
 * A host inherits from the main server, value by value, what it has not said itself; tls_server_inherit() and
 * tls_client_inherit() do that after the whole file was read. File names are absolute or relative to the directory
 * that weir was started in; nothing here has been opened. */
#ifndef WEIR_CONFIG_TLS_SETTINGS_H
#define WEIR_CONFIG_TLS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/place.h"

/* Bits of `protocols`. Older versions than TLS 1.2 are not offered at all (RFC 8996). */
enum tls_protocol {
    TLS_PROTOCOL_1_2 = 1,
    TLS_PROTOCOL_1_3 = 2,
    TLS_PROTOCOL_ALL = 3,
};

enum tls_verify {
    TLS_VERIFY_NONE,     /* no certificate is asked for */
    TLS_VERIFY_OPTIONAL, /* asked for; one that is sent must be valid */
    TLS_VERIFY_REQUIRE,  /* the handshake fails without a valid one */
};

/* SSLCertificateFile with the SSLCertificateKeyFile that belongs to it: the n-th with the n-th. */
struct tls_certificate {
    const char *certificate_file; /* PEM: the host's certificate, then what leads to its authority; never NULL */
    const char *key_file;         /* NULL: the key stands in the certificate's file */
    struct place place;           /* of SSLCertificateFile */
};

/* Bits of `said` in both structs below: which values this scope gave itself. */
enum tls_setting {
    TLS_SAID_ENGINE = 1 << 0,
    TLS_SAID_CERTIFICATE = 1 << 1,
    TLS_SAID_KEY = 1 << 2,
    TLS_SAID_CHAIN = 1 << 3,
    TLS_SAID_PROTOCOL = 1 << 4,
    TLS_SAID_CIPHERS = 1 << 5,
    TLS_SAID_CIPHERSUITES = 1 << 6,
    TLS_SAID_CIPHER_ORDER = 1 << 7,
    TLS_SAID_USE_STAPLING = 1 << 8,
    TLS_SAID_STAPLING_FILE = 1 << 9,
    TLS_SAID_TICKETS = 1 << 10,
    TLS_SAID_TICKET_KEY = 1 << 11,
    TLS_SAID_VERIFY = 1 << 12,
    TLS_SAID_VERIFY_DEPTH = 1 << 13,
    TLS_SAID_CA_FILE = 1 << 14,
    TLS_SAID_CA_PATH = 1 << 15,
    TLS_SAID_CHECK_NAME = 1 << 16,
};

/* TLS to the client. */
struct tls_server {
    uint32_t said;                              /* enum tls_setting */
    uint32_t protocols;                         /* enum tls_protocol; never 0 in a finished configuration */
    const struct tls_certificate *certificates; /* usually one; one more for each kind of key (RSA, ECDSA) */
    size_t certificate_count;
    size_t key_count;            /* SSLCertificateKeyFile lines seen; only the loader needs it */
    const char *chain_file;      /* SSLCertificateChainFile; NULL: none */
    const char *ciphers;         /* SSLCipherSuite, up to TLS 1.2, OpenSSL's syntax; NULL: the library's default */
    const char *ciphersuites;    /* SSLCipherSuite TLSv1.3 …; NULL: the library's default */
    const char *stapling_file;   /* SSLStaplingFile: an OCSP answer in DER, read again when it changes; NULL: none */
    const char *ticket_key_file; /* SSLSessionTicketKeyFile: 48 bytes; NULL: random keys */
    const char *ca_file;         /* SSLCACertificateFile: whose client certificates are valid; NULL: none */
    const char *ca_path;         /* SSLCACertificatePath: a directory of them with hashed names; NULL: none */
    unsigned verify_depth;       /* SSLVerifyDepth: authorities between a client's certificate and a trusted one */
    enum tls_verify verify;      /* SSLVerifyClient */
    bool engine;                 /* SSLEngine On */
    bool honor_cipher_order;     /* SSLHonorCipherOrder On: the server's order of ciphers decides */
    bool use_stapling;           /* SSLUseStapling On */
    bool session_tickets;        /* SSLSessionTickets, default On */
    struct place engine_place;   /* of SSLEngine */
    struct place verify_place;   /* of SSLVerifyClient */
};

/* TLS to the origin: for origins with https:// URLs. */
struct tls_client {
    uint32_t said;            /* enum tls_setting */
    uint32_t protocols;       /* SSLProxyProtocol: enum tls_protocol */
    const char *ciphers;      /* SSLProxyCipherSuite; NULL: the library's default */
    const char *ciphersuites; /* SSLProxyCipherSuite TLSv1.3 … */
    const char *ca_file;      /* SSLProxyCACertificateFile; NULL with no ca_path: the system's authorities */
    const char *ca_path;      /* SSLProxyCACertificatePath */
    const char *machine_certificate_file; /* SSLProxyMachineCertificateFile: our certificate and key; NULL: none */
    unsigned verify_depth;                /* SSLProxyVerifyDepth */
    enum tls_verify verify;               /* SSLProxyVerify, default require */
    bool engine;                          /* SSLProxyEngine On: https:// origins may be used in this host */
    bool check_peer_name;                 /* SSLProxyCheckPeerName, default On */
};

/* A host's and the main server's values before anything was said. */
void tls_server_init(struct tls_server *tls);
void tls_client_init(struct tls_client *tls);

/* Gives `host` the server's values for what it has not said itself. Certificates, chain and keys go together: a host
 * with a certificate of its own takes none of the server's. SSLEngine is inherited as Apache does. */
void tls_server_inherit(struct tls_server *host, const struct tls_server *server);
void tls_client_inherit(struct tls_client *host, const struct tls_client *server);

#endif
