/* Library contexts, one a thread. Called by tls_runtime.c and, at the end of a worker, by worker.c. */
#include "proxy/tls_thread.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "config/arena.h"

struct tls_thread *tls_thread_new(struct tls_runtime *runtime, const BIO_METHOD *method) {
    struct tls_thread *thread = must_malloc(sizeof *thread); /* the buffers need no clearing */
    memset(thread, 0, offsetof(struct tls_thread, in_bytes));
    thread->runtime = runtime;
    thread->library = OSSL_LIB_CTX_new();
    thread->bio = BIO_new(method);
    if (thread->library != NULL && thread->bio != NULL) {
        thread->ticket_ciphers[0] = EVP_CIPHER_fetch(thread->library, "AES-128-CBC", NULL);
        thread->ticket_ciphers[1] = EVP_CIPHER_fetch(thread->library, "AES-256-CBC", NULL);
        BIO_set_data(thread->bio, thread);
        BIO_set_init(thread->bio, 1);
    }
    if (thread->ticket_ciphers[0] == NULL || thread->ticket_ciphers[1] == NULL) {
        tls_thread_free(&thread);
    }
    return thread;
}

void tls_thread_free(struct tls_thread **pointer) {
    struct tls_thread *thread = *pointer;
    *pointer = NULL;
    if (thread == NULL) {
        return;
    }
    EVP_CIPHER_free(thread->ticket_ciphers[0]);
    EVP_CIPHER_free(thread->ticket_ciphers[1]);
    BIO_free(thread->bio);
    tls_thread_leave(thread);
    OSSL_LIB_CTX_free(thread->library);
    free(thread);
}

void tls_thread_leave(struct tls_thread *thread) {
    if (thread != NULL && thread->library != NULL) {
        OPENSSL_thread_stop_ex(thread->library);
    }
}
