/* SSL_CTXs from settings and files. Housekeeping makes them; see the header for who uses them. Every failure says which
 * line named the file and what is wrong with it. */
#include "proxy/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "config/arena.h"
#include "proxy/log.h"
#include "proxy/tls_callbacks.h"
#include "proxy/tls_files.h"
#include "proxy/tls_runtime.h"
#include "proxy/tls_thread.h"

/* Mozilla's "intermediate" profile without DHE, whose key exchange is dear to servers alone (CVE-2002-20001). */
static const char default_ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

enum { SESSION_SECONDS = 7200 }; /* not longer than a ticket's key is kept */

static const char *last_reason(void) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "OpenSSL gives no reason";
}

static void free_certificates(STACK_OF(X509) * certificates) {
    sk_X509_pop_free(certificates, X509_free);
}

/* All certificates of a PEM file; NULL when there is none, or one that cannot be read. */
static STACK_OF(X509) * read_certificates(struct tls_thread *thread, const struct tls_file *file) {
    BIO *in = BIO_new_mem_buf(file->bytes, (int)file->length);
    STACK_OF(X509) *certificates = sk_X509_new_null();
    bool good = true;
    while (good) {
        X509 *certificate = X509_new_ex(thread->library, NULL);
        if (certificate == NULL || PEM_read_bio_X509(in, &certificate, NULL, NULL) == NULL) {
            X509_free(certificate);
            break;
        }
        good = sk_X509_push(certificates, certificate) > 0;
    }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(in);
    if (sk_X509_num(certificates) == 0 || !at_end) {
        free_certificates(certificates);
        return NULL;
    }
    ERR_clear_error();
    return certificates;
}

static int no_password(char *into, int size, int writing, void *was_asked) {
    (void)into;
    (void)size;
    (void)writing;
    *(bool *)was_asked = true;
    return -1;
}

static EVP_PKEY *read_key(struct tls_thread *thread, const struct tls_file *file, const char **why) {
    bool is_encrypted = false;
    BIO *in = BIO_new_mem_buf(file->bytes, (int)file->length);
    EVP_PKEY *key = PEM_read_bio_PrivateKey_ex(in, NULL, no_password, &is_encrypted, thread->library, NULL);
    BIO_free(in);
    *why = is_encrypted ? "the key is encrypted; remove its password (openssl pkey)" : "no private key in PEM is in it";
    ERR_clear_error();
    return key;
}

struct identity { /* one certificate with its key, as the configuration names them */
    const struct tls_file *certificate, *key;
    const char *certificate_path, *key_path;
    const struct place *place;
    const char *certificate_directive, *key_directive;
};

static void warn_of_time(const X509 *certificate, const struct identity *identity) {
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
        log_warn("%s:%u: %s: the certificate in %s has expired", identity->place->file, identity->place->line,
                 identity->certificate_directive, identity->certificate_path);
    }
}

static bool use_identity(struct tls_context *context, const struct identity *identity, char **error) {
    struct tls_thread *thread = context->thread;
    STACK_OF(X509) *chain = read_certificates(thread, identity->certificate);
    if (chain == NULL) {
        return tls_error(error, identity->place, identity->certificate_directive, "no certificate in PEM is in %s (%s)",
                         identity->certificate_path, last_reason());
    }
    const char *why;
    const struct tls_file *key_file = identity->key->bytes != NULL ? identity->key : identity->certificate;
    const char *key_path = identity->key->bytes != NULL ? identity->key_path : identity->certificate_path;
    EVP_PKEY *key = read_key(thread, key_file, &why);
    X509 *own = sk_X509_shift(chain);
    bool good = false;
    if (key == NULL) {
        tls_error(error, identity->place, identity->key_directive, "cannot use %s: %s", key_path, why);
    } else if (X509_check_private_key(own, key) != 1) {
        tls_error(error, identity->place, identity->key_directive,
                  "the key in %s does not belong to the certificate in %s", key_path, identity->certificate_path);
    } else if (SSL_CTX_use_cert_and_key(context->ssl, own, key, sk_X509_num(chain) > 0 ? chain : NULL, 1) != 1) {
        tls_error(error, identity->place, identity->certificate_directive, "cannot use %s: %s",
                  identity->certificate_path, last_reason());
    } else {
        good = true;
        warn_of_time(own, identity);
    }
    ERR_clear_error();
    X509_free(own);
    EVP_PKEY_free(key);
    free_certificates(chain);
    return good;
}

/* The authorities of a file are trusted; for a server their names are told to clients too. */
static bool trust_file(struct tls_context *context, const char *path, const char *directive, bool tell, char **error) {
    const struct tls_material *material = context->material;
    if (path == NULL) {
        return true;
    }
    STACK_OF(X509) *authorities = read_certificates(context->thread, &material->authorities);
    if (authorities == NULL) {
        return tls_error(error, &material->place, directive, "no certificate in PEM is in %s (%s)", path,
                         last_reason());
    }
    X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
    bool good = true;
    for (int i = 0; i < sk_X509_num(authorities); i++) {
        X509 *authority = sk_X509_value(authorities, i);
        good = good && X509_STORE_add_cert(store, authority) == 1;
        good = good && (!tell || SSL_CTX_add_client_CA(context->ssl, authority) == 1);
    }
    free_certificates(authorities);
    return good || tls_error(error, &material->place, directive, "cannot use %s: %s", path, last_reason());
}

static bool trust_folder(struct tls_context *context, const char *path, const char *directive, bool tell,
                         char **error) {
    if (path == NULL) {
        return true;
    }
    bool good = SSL_CTX_load_verify_dir(context->ssl, path) == 1;
    if (good && tell) {
        STACK_OF(X509_NAME) *names = SSL_CTX_get_client_CA_list(context->ssl);
        names = names != NULL ? SSL_dup_CA_list(names) : sk_X509_NAME_new_null();
        good = SSL_add_dir_cert_subjects_to_stack(names, path) == 1;
        SSL_CTX_set_client_CA_list(context->ssl, names); /* takes it */
    }
    return good || tls_error(error, &context->material->place, directive, "cannot use %s: %s", path, last_reason());
}

/* ciphers, ciphersuites: NULL for OpenSSL's own. */
static bool set_versions(struct tls_context *context, uint32_t protocols, const char *ciphers, const char *ciphersuites,
                         const char *directive, char **error) {
    SSL_CTX *ssl = context->ssl;
    SSL_CTX_set_min_proto_version(ssl, (protocols & TLS_PROTOCOL_1_2) != 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(ssl, (protocols & TLS_PROTOCOL_1_3) != 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
    const struct place *place = &context->material->place;
    if (ciphers != NULL && SSL_CTX_set_cipher_list(ssl, ciphers) != 1) {
        return tls_error(error, place, directive, "none of \"%s\" is a cipher that OpenSSL knows (openssl ciphers)",
                         ciphers);
    }
    if (ciphersuites != NULL && SSL_CTX_set_ciphersuites(ssl, ciphersuites) != 1) {
        return tls_error(error, place, directive, "\"%s\" are no ciphers of TLS 1.3 (openssl ciphers -tls1_3)",
                         ciphersuites);
    }
    return true;
}

static struct tls_context *new_context(struct tls_thread *thread, const SSL_METHOD *method,
                                       struct tls_material *material) {
    struct tls_context *context = must_calloc(1, sizeof *context);
    atomic_init(&context->references, 1);
    context->thread = thread;
    context->material = tls_material_ref(material);
    context->requirements = material->requirements;
    context->ssl = SSL_CTX_new_ex(thread->library, NULL, method);
    if (context->ssl == NULL) {
        tls_context_unref(&context);
        return NULL;
    }
    SSL_CTX_set_mode(context->ssl,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    if (tls_runtime_kernel_tls(thread->runtime)) {
        SSL_CTX_set_options(context->ssl, SSL_OP_ENABLE_KTLS);
    }
    return context;
}

static bool use_certificates(struct tls_context *context, const struct tls_server *settings, char **error) {
    const struct tls_material *material = context->material;
    for (size_t i = 0; i < material->certificate_count; i++) {
        const struct tls_certificate *named = &settings->certificates[i];
        const struct identity identity = {
            .certificate = &material->certificates[i].certificate,
            .key = &material->certificates[i].key,
            .certificate_path = named->certificate_file,
            .key_path = named->key_file,
            .place = &named->place,
            .certificate_directive = "SSLCertificateFile",
            .key_directive = named->key_file != NULL ? "SSLCertificateKeyFile" : "SSLCertificateFile",
        };
        if (!use_identity(context, &identity, error)) {
            return false;
        }
    }
    return true;
}

/* SSLCertificateChainFile speaks of the last certificate; with several kinds of keys its certificates lead from all. */
static bool use_chain(struct tls_context *context, const struct tls_server *settings, char **error) {
    if (settings->chain_file == NULL) {
        return true;
    }
    STACK_OF(X509) *chain = read_certificates(context->thread, &context->material->chain);
    if (chain == NULL) {
        return tls_error(error, &settings->certificates[0].place, "SSLCertificateChainFile",
                         "no certificate in PEM is in %s (%s)", settings->chain_file, last_reason());
    }
    bool good = true;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        good = good && SSL_CTX_add1_chain_cert(context->ssl, sk_X509_value(chain, i)) == 1;
    }
    free_certificates(chain);
    return good || tls_error(error, &settings->certificates[0].place, "SSLCertificateChainFile", "cannot use %s: %s",
                             settings->chain_file, last_reason());
}

static int verify_mode(enum tls_verify verify) {
    return verify == TLS_VERIFY_NONE       ? SSL_VERIFY_NONE
           : verify == TLS_VERIFY_OPTIONAL ? SSL_VERIFY_PEER
                                           : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

static void set_session_context(struct tls_context *context) {
    unsigned length = 0;
    EVP_Digest(context->requirements, strlen(context->requirements), context->session_context, &length, EVP_sha256(),
               NULL);
    SSL_CTX_set_session_id_context(context->ssl, context->session_context, sizeof context->session_context);
}

struct tls_context *tls_context_new_server(struct tls_thread *thread, const struct tls_server *settings,
                                           struct tls_material *material, char **error) {
    struct tls_context *context = new_context(thread, TLS_server_method(), material);
    if (context == NULL) {
        tls_error(error, &material->place, "SSLEngine", "OpenSSL cannot make a context: %s", last_reason());
        return NULL;
    }
    context->verifies = settings->verify != TLS_VERIFY_NONE;
    SSL_CTX_set_verify(context->ssl, verify_mode(settings->verify), NULL);
    SSL_CTX_set_verify_depth(context->ssl, (int)settings->verify_depth);
    SSL_CTX_set_timeout(context->ssl, SESSION_SECONDS);
    set_session_context(context);
    /* A client that only closes its side may still get its answer: without this OpenSSL calls it a failure, sends an
     * alert and nothing more. HTTP says itself where a request ends. */
    SSL_CTX_set_options(context->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (settings->honor_cipher_order) {
        SSL_CTX_set_options(context->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    }
    if (!settings->session_tickets) {
        SSL_CTX_set_options(context->ssl, SSL_OP_NO_TICKET);
    }
    SSL_CTX_set_dh_auto(context->ssl, 1); /* where SSLCipherSuite asks for DHE */
    tls_callbacks_server(context->ssl);
    char groups[] = "X25519:prime256v1:secp384r1"; /* of the same profile */
    SSL_CTX_set1_groups_list(context->ssl, groups);
    bool asks = context->verifies;
    const char *ciphers = settings->ciphers != NULL ? settings->ciphers : default_ciphers;
    if (!set_versions(context, settings->protocols, ciphers, settings->ciphersuites, "SSLCipherSuite", error) ||
        !use_certificates(context, settings, error) || !use_chain(context, settings, error) ||
        !trust_file(context, asks ? settings->ca_file : NULL, "SSLCACertificateFile", true, error) ||
        !trust_folder(context, asks ? settings->ca_path : NULL, "SSLCACertificatePath", true, error)) {
        tls_context_unref(&context);
    }
    ERR_clear_error();
    return context;
}

struct tls_context *tls_context_new_client(struct tls_thread *thread, const struct tls_client *settings,
                                           struct tls_material *material, char **error) {
    struct tls_context *context = new_context(thread, TLS_client_method(), material);
    if (context == NULL) {
        tls_error(error, &material->place, "SSLProxyEngine", "OpenSSL cannot make a context: %s", last_reason());
        return NULL;
    }
    context->verifies = settings->verify != TLS_VERIFY_NONE;
    context->check_name = settings->check_peer_name;
    SSL_CTX_set_verify(context->ssl, context->verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_verify_depth(context->ssl, (int)settings->verify_depth);
    tls_callbacks_client(context->ssl);
    SSL_CTX_set_alpn_protos(context->ssl, (const unsigned char *)"\x08http/1.1", 9);
    const struct identity own = {
        .certificate = &material->certificates[0].certificate,
        .key = &material->certificates[0].key,
        .certificate_path = settings->machine_certificate_file,
        .place = &material->place,
        .certificate_directive = "SSLProxyMachineCertificateFile",
        .key_directive = "SSLProxyMachineCertificateFile",
    };
    bool by_system = settings->ca_file == NULL && settings->ca_path == NULL;
    if (by_system) {
        SSL_CTX_set_default_verify_paths(context->ssl);
    }
    if (!set_versions(context, settings->protocols, settings->ciphers, settings->ciphersuites, "SSLProxyCipherSuite",
                      error) ||
        (material->certificate_count > 0 && !use_identity(context, &own, error)) ||
        !trust_file(context, settings->ca_file, "SSLProxyCACertificateFile", false, error) ||
        !trust_folder(context, settings->ca_path, "SSLProxyCACertificatePath", false, error)) {
        tls_context_unref(&context);
    }
    ERR_clear_error();
    return context;
}

void tls_context_session_context(const struct tls_context *context, unsigned char id[32]) {
    memcpy(id, context->session_context, sizeof context->session_context);
}

struct tls_context *tls_context_ref(struct tls_context *context) {
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void tls_context_unref(struct tls_context **pointer) {
    struct tls_context *context = *pointer;
    *pointer = NULL;
    if (context == NULL || atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    SSL_CTX_free(context->ssl);
    tls_material_unref(&context->material);
    free(context);
}
