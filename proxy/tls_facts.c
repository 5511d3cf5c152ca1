/* mod_ssl's names for the facts. Called on workers. */
#include "proxy/tls_facts.h"

const char *tls_fact(const struct tls_facts *facts, struct span name) {
    static const struct {
        const char *name;
        size_t offset;
    } names[] = {
        {"SSL_PROTOCOL", offsetof(struct tls_facts, protocol)},
        {"SSL_CIPHER", offsetof(struct tls_facts, cipher)},
        {"SSL_TLS_SNI", offsetof(struct tls_facts, server_name)},
        {"SSL_SESSION_RESUMED", offsetof(struct tls_facts, session)},
        {"SSL_CLIENT_VERIFY", offsetof(struct tls_facts, verify)},
        {"SSL_CLIENT_S_DN", offsetof(struct tls_facts, subject)},
        {"SSL_CLIENT_S_DN_CN", offsetof(struct tls_facts, common_name)},
        {"SSL_CLIENT_I_DN", offsetof(struct tls_facts, issuer)},
        {"SSL_CLIENT_M_SERIAL", offsetof(struct tls_facts, serial)},
    };
    for (size_t i = 0; facts != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (span_equal(name, span_of(names[i].name))) {
            return *(const char *const *)((const char *)facts + names[i].offset);
        }
    }
    return NULL;
}
