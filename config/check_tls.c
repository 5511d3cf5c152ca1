/* SSL* when all lines have been read: defaults, what hosts take from the server, and rules between the lines of a host.
 *
 * tls_server_inherit() and tls_client_inherit() are pure; directives_tls_finish() is called once by the loader, and
 * then every certificate has a file and every host that asks for client certificates has authorities to check them by,
 * or an error has been reported. */
#include "config/directive.h"

/* Apache's default is 1 for both, which is too short for the chains of public authorities that origins have. */
enum { DEFAULT_VERIFY_DEPTH = 1, DEFAULT_ORIGIN_DEPTH = 9 };

void tls_server_init(struct tls_server *tls) {
    *tls = (struct tls_server){
        .protocols = TLS_PROTOCOL_ALL,
        .session_tickets = true,
        .verify_depth = DEFAULT_VERIFY_DEPTH,
        .verify = TLS_VERIFY_NONE,
    };
}

void tls_client_init(struct tls_client *tls) {
    *tls = (struct tls_client){
        .protocols = TLS_PROTOCOL_ALL,
        .verify = TLS_VERIFY_REQUIRE,
        .verify_depth = DEFAULT_ORIGIN_DEPTH,
        .check_peer_name = true,
    };
}

void tls_server_inherit(struct tls_server *host, const struct tls_server *server) {
    uint32_t said = host->said;
#define TAKE(bit, field) host->field = (said & (bit)) != 0 ? host->field : server->field
    TAKE(TLS_SAID_ENGINE, engine);
    TAKE(TLS_SAID_ENGINE, engine_place);
    TAKE(TLS_SAID_PROTOCOL, protocols);
    TAKE(TLS_SAID_CIPHERS, ciphers);
    TAKE(TLS_SAID_CIPHERSUITES, ciphersuites);
    TAKE(TLS_SAID_CIPHER_ORDER, honor_cipher_order);
    TAKE(TLS_SAID_USE_STAPLING, use_stapling);
    TAKE(TLS_SAID_TICKETS, session_tickets);
    TAKE(TLS_SAID_TICKET_KEY, ticket_key_file);
    TAKE(TLS_SAID_VERIFY, verify);
    TAKE(TLS_SAID_VERIFY, verify_place);
    TAKE(TLS_SAID_VERIFY_DEPTH, verify_depth);
    TAKE(TLS_SAID_CA_FILE, ca_file);
    TAKE(TLS_SAID_CA_PATH, ca_path);
    /* These four speak of one certificate: another's chain or OCSP answer would be wrong for it. */
    uint32_t identity = TLS_SAID_CERTIFICATE | TLS_SAID_KEY | TLS_SAID_CHAIN | TLS_SAID_STAPLING_FILE;
    TAKE(identity, certificates);
    TAKE(identity, certificate_count);
    TAKE(identity, key_count);
    TAKE(identity, chain_file);
    TAKE(identity, stapling_file);
#undef TAKE
}

void tls_client_inherit(struct tls_client *host, const struct tls_client *server) {
    uint32_t said = host->said;
#define TAKE(bit, field) host->field = (said & (bit)) != 0 ? host->field : server->field
    TAKE(TLS_SAID_ENGINE, engine);
    TAKE(TLS_SAID_PROTOCOL, protocols);
    TAKE(TLS_SAID_CIPHERS, ciphers);
    TAKE(TLS_SAID_CIPHERSUITES, ciphersuites);
    TAKE(TLS_SAID_CA_FILE, ca_file);
    TAKE(TLS_SAID_CA_PATH, ca_path);
    TAKE(TLS_SAID_CERTIFICATE, machine_certificate_file);
    TAKE(TLS_SAID_VERIFY_DEPTH, verify_depth);
    TAKE(TLS_SAID_VERIFY, verify);
    TAKE(TLS_SAID_CHECK_NAME, check_peer_name);
#undef TAKE
}

static void check_host(struct parser *parser, const struct virtual_host *host) {
    const struct tls_server *tls = &host->tls;
    if (tls->key_count > tls->certificate_count) {
        parser_error_place(parser, &host->place, "SSLCertificateKeyFile", "write as many SSLCertificateFile lines",
                           "there are more keys (%zu) than certificates (%zu)", tls->key_count, tls->certificate_count);
    }
    if (!tls->engine) {
        return;
    }
    bool said = (tls->said & TLS_SAID_CERTIFICATE) != 0; /* what is wrong with it has been reported then */
    if (tls->certificate_count == 0 && !said && !host->is_main) {
        parser_error_place(parser, &tls->engine_place, "SSLEngine",
                           "write SSLCertificateFile, and SSLCertificateKeyFile if the key is in another file",
                           "the host \"%s\" is served over TLS and has no certificate", host->name);
    }
    if (tls->verify != TLS_VERIFY_NONE && tls->ca_file == NULL && tls->ca_path == NULL) {
        parser_error_place(parser, &tls->verify_place, "SSLVerifyClient",
                           "write SSLCACertificateFile with the authorities of your clients",
                           "there is no authority that a client's certificate could be checked by");
    }
    if (tls->use_stapling && tls->stapling_file == NULL) {
        parser_warn_place(parser, &host->place, "SSLUseStapling",
                          "write SSLStaplingFile with an OCSP answer that another program keeps fresh",
                          "has no effect without SSLStaplingFile: OCSP answers are not fetched");
    }
}

void directives_tls_finish(struct parser *parser) {
    struct tls_server server_defaults;
    struct tls_client client_defaults;
    tls_server_init(&server_defaults);
    tls_client_init(&client_defaults);
    struct virtual_host *main_server = parser_host_at(parser, 0);
    struct virtual_host *host;
    for (size_t i = 0; (host = parser_host_at(parser, i)) != NULL; i++) {
        tls_server_inherit(&host->tls, host->is_main ? &server_defaults : &main_server->tls);
        tls_client_inherit(&host->tls_proxy, host->is_main ? &client_defaults : &main_server->tls_proxy);
        check_host(parser, host);
    }
}
