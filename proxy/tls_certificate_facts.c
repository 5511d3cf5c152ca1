/* Facts of a connection and of the certificate that its client has shown. Once a handshake, on workers. */
#include "proxy/tls_certificate_facts.h"

#include <openssl/bn.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"

/* As mod_ssl writes it: RFC 2253, with UTF-8 as it is. */
static char *name_text(const X509_NAME *name) {
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (out != NULL && X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        char *bytes;
        long length = BIO_get_mem_data(out, &bytes);
        text = must_malloc((size_t)length + 1);
        memcpy(text, bytes, (size_t)length);
        text[length] = '\0';
    }
    BIO_free(out);
    return text;
}

static char *common_name(const X509_NAME *name) {
    char text[256];
    int length = X509_NAME_get_text_by_NID((X509_NAME *)(uintptr_t)name, NID_commonName, text, sizeof text);
    return length >= 0 ? strdup(text) : NULL;
}

static char *serial_text(const X509 *certificate) {
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *digits = number != NULL ? BN_bn2hex(number) : NULL;
    char *text = digits != NULL ? strdup(digits) : NULL;
    OPENSSL_free(digits);
    BN_free(number);
    return text;
}

struct tls_facts *tls_certificate_facts_new(SSL *ssl, const char *requirements) {
    struct tls_facts *facts = must_calloc(1, sizeof *facts);
    *facts = (struct tls_facts){
        .protocol = SSL_get_version(ssl),
        .cipher = SSL_get_cipher_name(ssl),
        .server_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
        .session = SSL_session_reused(ssl) == 1 ? "Resumed" : "Initial",
        .verify = "NONE",
        .requirements = requirements,
    };
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (certificate != NULL) {
        facts->verify = SSL_get_verify_result(ssl) == X509_V_OK ? "SUCCESS" : "FAILED";
        facts->subject = name_text(X509_get_subject_name(certificate));
        facts->issuer = name_text(X509_get_issuer_name(certificate));
        facts->common_name = common_name(X509_get_subject_name(certificate));
        facts->serial = serial_text(certificate);
    }
    return facts;
}

void tls_certificate_facts_free(struct tls_facts **pointer) {
    struct tls_facts *facts = *pointer;
    *pointer = NULL;
    if (facts != NULL) {
        const char *const copies[] = {facts->subject, facts->issuer, facts->common_name, facts->serial};
        for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++) {
            free((void *)(uintptr_t)copies[i]);
        }
        free(facts);
    }
}
