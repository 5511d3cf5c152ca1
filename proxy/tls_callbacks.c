/* OpenSSL's callbacks. On the thread of the link that is shaking hands; nothing here blocks. */
#include "proxy/tls_callbacks.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "proxy/clock.h"
#include "proxy/tls_bio.h"
#include "proxy/tls_context.h"
#include "proxy/tls_files.h"
#include "proxy/tls_runtime.h"
#include "proxy/tls_session_cache.h"
#include "proxy/tls_staple.h"
#include "proxy/tls_ticket_keys.h"

/* OpenSSL calls back only from within a function that was called for a link, which the thread knows meanwhile. Keeping
 * the link with the SSL would cost a connection a hundred bytes. */
static struct tls_link *link_of(const SSL *ssl) {
    const struct tls_thread *thread = BIO_get_data(SSL_get_rbio(ssl));
    assert(thread->link != NULL && thread->link->ssl == ssl);
    return thread->link;
}

/* --- the host for a name --- */

/* The one host_name of a server_name extension (RFC 6066, 3); empty when it is malformed: OpenSSL refuses it later. */
static struct span name_in(const unsigned char *bytes, size_t length) {
    if (length < 5 || bytes[2] != TLSEXT_NAMETYPE_host_name) {
        return SPAN_LITERAL("");
    }
    size_t list = (size_t)bytes[0] << 8 | bytes[1];
    size_t name = (size_t)bytes[3] << 8 | bytes[4];
    if (list != length - 2 || name != length - 5) {
        return SPAN_LITERAL("");
    }
    return (struct span){(const char *)bytes + 5, name};
}

/* SSL_set_SSL_CTX() takes over the certificates; what else a context says has to be carried over by hand. */
static bool use_context(struct tls_link *link, struct tls_context *context) {
    SSL *ssl = link->ssl;
    SSL_CTX *settings = context->ssl;
    if (SSL_set_SSL_CTX(ssl, settings) == NULL) {
        return false;
    }
    tls_context_unref(&link->context);
    link->context = tls_context_ref(context);
    SSL_clear_options(ssl, SSL_get_options(ssl));
    SSL_set_options(ssl, SSL_CTX_get_options(settings));
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(settings), NULL);
    SSL_set_verify_depth(ssl, SSL_CTX_get_verify_depth(settings));
    unsigned char id[SSL_MAX_SSL_SESSION_ID_LENGTH];
    tls_context_session_context(context, id);
    return SSL_set_min_proto_version(ssl, (int)SSL_CTX_get_min_proto_version(settings)) == 1 &&
           SSL_set_max_proto_version(ssl, (int)SSL_CTX_get_max_proto_version(settings)) == 1 &&
           SSL_set_session_id_context(ssl, id, sizeof id) == 1;
}

static int on_client_hello(SSL *ssl, int *alert, void *unused) {
    (void)unused;
    struct tls_link *link = link_of(ssl);
    const unsigned char *bytes = NULL;
    size_t length = 0;
    struct span name = SPAN_LITERAL("");
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &length) == 1) {
        name = name_in(bytes, length);
    }
    struct tls_context *context = link->choose != NULL ? link->choose(link->chooser, name) : NULL;
    if (context != NULL && context != link->context && !use_context(link, context)) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* OpenSSL acknowledges a name only when somebody asks about it (RFC 6066, 3: "a server_name extension in its reply").
 */
static int on_name(SSL *ssl, int *alert, void *unused) {
    (void)ssl;
    (void)alert;
    (void)unused;
    return SSL_TLSEXT_ERR_OK;
}

/* --- the protocol --- */

/* One row each: its length, its name. A protocol that is added here has to be served by client.c. */
const unsigned char tls_alpn_protocols[] = "\x08http/1.1\x08http/1.0";
const unsigned tls_alpn_protocols_length = sizeof tls_alpn_protocols - 1;

/* A client that names protocols, and none of ours, is refused (RFC 7301, 3.2): what it would send is not HTTP/1.x. */
static int on_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
                   unsigned offered_length, void *unused) {
    (void)ssl;
    (void)unused;
    unsigned char *selected = NULL;
    int result = SSL_select_next_proto(&selected, length, tls_alpn_protocols, tls_alpn_protocols_length, offered,
                                       offered_length);
    *chosen = selected;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* --- tickets --- */

static struct tls_ticket_keys *keys_of(const struct tls_link *link) {
    struct tls_ticket_keys *own = link->context->material->ticket_keys;
    return own != NULL ? own : tls_runtime_ticket_keys(link->thread->runtime);
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *vector, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                     int sealing) {
    struct tls_link *link = link_of(ssl);
    struct tls_ticket_key key;
    bool renew = false;
    int64_t now_ns = clock_monotonic_ns();
    if (sealing) {
        if (!tls_ticket_keys_newest(keys_of(link), now_ns, &key) || RAND_bytes(vector, 16) != 1) {
            return 0;
        }
        memcpy(name, key.name, sizeof key.name);
    } else if (!tls_ticket_keys_find(keys_of(link), name, now_ns, &key, &renew)) {
        return 0; /* a full handshake */
    }
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.hmac, key.secret_bytes),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    const EVP_CIPHER *algorithm = link->thread->ticket_ciphers[key.secret_bytes == 16 ? 0 : 1];
    bool good = EVP_CipherInit_ex(cipher, algorithm, NULL, key.aes, vector, sealing) == 1 &&
                EVP_MAC_CTX_set_params(mac, parameters) == 1;
    explicit_bzero(&key, sizeof key);
    return !good ? -1 : renew ? 2 : 1;
}

/* --- kept sessions --- */

static struct tls_session_cache *cache_of(const SSL *ssl) {
    return tls_runtime_sessions(link_of(ssl)->thread->runtime);
}

/* A session whose client holds a ticket needs no place here. */
static int on_new_session(SSL *ssl, SSL_SESSION *session) {
    unsigned char bytes[TLS_SESSION_BYTES_MAX], *end = bytes;
    bool by_ticket = (SSL_get_options(ssl) & SSL_OP_NO_TICKET) == 0;
    if (by_ticket && SSL_version(ssl) >= TLS1_3_VERSION) {
        return 0;
    }
    int length = i2d_SSL_SESSION(session, NULL);
    unsigned id_length;
    const unsigned char *id = SSL_SESSION_get_id(session, &id_length);
    if (length > 0 && length <= (int)sizeof bytes && i2d_SSL_SESSION(session, &end) == length) {
        tls_session_cache_put(cache_of(ssl), (struct span){(const char *)id, id_length},
                              (struct span){(const char *)bytes, (size_t)length});
    }
    explicit_bzero(bytes, sizeof bytes);
    return 0; /* no reference was taken */
}

static SSL_SESSION *on_find_session(SSL *ssl, const unsigned char *id, int id_length, int *must_copy) {
    char bytes[TLS_SESSION_BYTES_MAX];
    *must_copy = 0;
    size_t length = tls_session_cache_get(cache_of(ssl), (struct span){(const char *)id, (size_t)id_length}, bytes);
    const unsigned char *at = (const unsigned char *)bytes;
    SSL_SESSION *session = length > 0 ? d2i_SSL_SESSION(NULL, &at, (long)length) : NULL;
    explicit_bzero(bytes, length);
    return session;
}

/* --- the staple --- */

static int on_status(SSL *ssl, void *unused) {
    (void)unused;
    struct tls_staple *staple = link_of(ssl)->context->material->staple;
    const X509 *certificate = SSL_get_certificate(ssl);
    size_t length = 0;
    unsigned char *answer =
        staple != NULL && certificate != NULL ? tls_staple_copy(staple, certificate, &length) : NULL;
    if (answer == NULL) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    SSL_set_tlsext_status_ocsp_resp(ssl, answer, (long)length); /* frees it */
    return SSL_TLSEXT_ERR_OK;
}

void tls_callbacks_server(SSL_CTX *ssl) {
    SSL_CTX_set_client_hello_cb(ssl, on_client_hello, NULL);
    SSL_CTX_set_tlsext_servername_callback(ssl, on_name);
    SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket);
    SSL_CTX_set_tlsext_status_cb(ssl, on_status);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, on_new_session);
    SSL_CTX_sess_set_get_cb(ssl, on_find_session);
}

/* --- towards origins --- */

/* The newest session is kept for the next connection; the reference is ours then. */
static int on_origin_session(SSL *ssl, SSL_SESSION *session) {
    SSL_SESSION **place = link_of(ssl)->session;
    if (place == NULL) {
        return 0;
    }
    SSL_SESSION_free(*place);
    *place = session;
    return 1;
}

void tls_callbacks_client(SSL_CTX *ssl) {
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, on_origin_session);
}
