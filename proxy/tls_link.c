/* A link: its life, its handshake, its end. Called by stream.c, client.c, the exchange's steps and health checks, on
 * the thread of the link. Reading and writing are in tls_transfer.c. */
#include "proxy/tls_link.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "config/arena.h"
#include "proxy/counters.h"
#include "proxy/tls_bio.h"
#include "proxy/tls_certificate_facts.h"
#include "proxy/tls_context.h"

static struct tls_link *new_link(struct tls_thread *thread, struct tls_context *context, int fd) {
    struct tls_link *link = must_calloc(1, sizeof *link);
    *link = (struct tls_link){.thread = thread, .context = tls_context_ref(context), .fd = fd};
    link->ssl = SSL_new(context->ssl);
    if (link->ssl == NULL) {
        link->broken = true;
        link->failure = "OpenSSL has no memory for a connection";
        return link;
    }
    BIO_up_ref(thread->bio); /* one for both directions */
    SSL_set_bio(link->ssl, thread->bio, thread->bio);
    return link;
}

struct tls_link *tls_link_accept(struct tls_thread *thread, struct tls_context *context, int fd, tls_choose *choose,
                                 void *chooser) {
    struct tls_link *link = new_link(thread, context, fd);
    link->choose = choose;
    link->chooser = chooser;
    if (link->ssl != NULL) {
        SSL_set_accept_state(link->ssl);
    }
    return link;
}

static bool set_name(struct tls_link *link, const char *name, bool check) {
    struct in6_addr address;
    bool is_address = inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
    X509_VERIFY_PARAM *parameters = SSL_get0_param(link->ssl);
    if (is_address) { /* RFC 6066, 3: an address is no name */
        return !check || X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1;
    }
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    char *copied = (char *)(uintptr_t)name; /* OpenSSL copies it */
    return SSL_set_tlsext_host_name(link->ssl, copied) == 1 && (!check || SSL_set1_host(link->ssl, name) == 1);
}

struct tls_link *tls_link_connect(struct tls_thread *thread, struct tls_context *context, int fd, const char *name,
                                  SSL_SESSION **session) {
    struct tls_link *link = new_link(thread, context, fd);
    link->is_client = true;
    link->session = session;
    if (link->ssl == NULL) {
        return link;
    }
    SSL_set_connect_state(link->ssl);
    if (!set_name(link, name, context->verifies && context->check_name)) {
        link->broken = true;
        link->failure = "the origin's name cannot stand in a certificate";
    }
    if (session != NULL && *session != NULL) {
        SSL_set_session(link->ssl, *session);
    }
    return link;
}

void tls_link_free(struct tls_link **pointer) {
    struct tls_link *link = *pointer;
    *pointer = NULL;
    if (link == NULL) {
        return;
    }
    if (link->ssl != NULL && link->established && link->failure == NULL) {
        /* However it is closed, its session stays good: the next connection may resume it. */
        SSL_set_shutdown(link->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(link->ssl);
    tls_context_unref(&link->context);
    free(link->unread);
    free(link->unsent);
    tls_certificate_facts_free(&link->facts);
    free(link);
}

void tls_link_give(struct tls_link *link, struct span bytes) {
    if (bytes.len > 0) {
        link->unread = must_malloc(sizeof *link->unread + bytes.len);
        link->unread->start = 0;
        link->unread->end = (uint32_t)bytes.len;
        memcpy(link->unread->bytes, bytes.ptr, bytes.len);
    }
}

struct span tls_link_plain(const struct tls_link *link) {
    const struct tls_kept *kept = link->unread;
    return kept != NULL ? (struct span){kept->bytes + kept->start, kept->end - kept->start} : SPAN_NONE;
}

/* --- the handshake --- */

static void count(const struct tls_link *link, enum counter client, enum counter origin) {
    if (link->thread->counters != NULL) {
        counters_add(link->thread->counters, link->is_client ? origin : client, 1);
    }
}

static void establish(struct tls_link *link) {
    bool resumed = SSL_session_reused(link->ssl) == 1;
    link->established = true;
    link->failure = NULL;
    count(link, resumed ? COUNTER_TLS_RESUMED : COUNTER_TLS_FULL,
          resumed ? COUNTER_ORIGIN_TLS_RESUMED : COUNTER_ORIGIN_TLS_FULL);
    if (link->sealed_by_kernel) {
        count(link, COUNTER_TLS_KERNEL, COUNTER_TLS_KERNEL);
    }
    if (!link->is_client) {
        link->facts = tls_certificate_facts_new(link->ssl, link->context->requirements);
    }
}

bool tls_link_is_untrusted(const struct tls_link *link) {
    return link->ssl != NULL && link->context->verifies && SSL_get_verify_result(link->ssl) != X509_V_OK;
}

static void note_failure(struct tls_link *link) {
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(error);
    if (tls_link_is_untrusted(link)) {
        reason = X509_verify_cert_error_string(SSL_get_verify_result(link->ssl));
    } else if (link->socket_ended && link->failure == NULL) {
        reason = "the peer closed the connection in the middle of it";
    }
    if (link->failure == NULL || tls_link_is_untrusted(link)) {
        link->failure = reason != NULL ? reason : "OpenSSL gives no reason";
    }
    link->broken = true;
    ERR_clear_error();
    count(link, COUNTER_TLS_FAILED, COUNTER_ORIGIN_TLS_FAILED);
}

/* Every record of a handshake begins with a byte below 0x20; a request with a letter. */
static bool is_plain_http(const struct tls_link *link) {
    const struct tls_thread *thread = link->thread;
    return !link->is_client && SSL_in_before(link->ssl) && thread->in_length > 0 && thread->in[0] >= 'A' &&
           thread->in[0] <= 'Z';
}

enum tls_result tls_link_handshake(struct tls_link *link) {
    if (link->ssl == NULL || link->broken) {
        return TLS_FAILED;
    }
    tls_bio_enter(link);
    if (!link->is_client || !SSL_in_before(link->ssl)) {
        tls_bio_fetch(link, TLS_IN_BYTES);
    }
    if (is_plain_http(link)) {
        tls_bio_leave(link);
        return TLS_PLAIN_HTTP;
    }
    ERR_clear_error();
    int done = SSL_do_handshake(link->ssl);
    int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(link->ssl, done);
    tls_bio_leave(link);
    bool waits = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    if (done == 1) {
        establish(link);
        return TLS_OK;
    }
    if (waits && !link->socket_ended && !link->broken) {
        return TLS_BLOCKED;
    }
    note_failure(link);
    return TLS_FAILED;
}

bool tls_link_is_established(const struct tls_link *link) {
    return link->established;
}

/* --- the end --- */

void tls_link_end(struct tls_link *link) {
    if (!link->established || link->end_sent || link->broken || link->failure != NULL) {
        return;
    }
    link->end_sent = true;
    tls_bio_enter(link);
    ERR_clear_error();
    (void)SSL_shutdown(link->ssl);
    ERR_clear_error();
    tls_bio_leave(link);
}

const struct tls_facts *tls_link_facts(const struct tls_link *link) {
    return link->facts;
}

const char *tls_link_failure(const struct tls_link *link) {
    return link->failure != NULL ? link->failure : "no reason is known";
}
