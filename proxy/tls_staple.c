/* OCSP answers from files. Made and refreshed by housekeeping, copied by workers' handshakes. */
#include "proxy/tls_staple.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/arena.h"
#include "proxy/log.h"
#include "proxy/tls_files.h"

struct answer {
    unsigned char *bytes;
    size_t length;
    ASN1_INTEGER *serial;       /* of the certificate that it is about */
    ASN1_GENERALIZEDTIME *next; /* when it ends; NULL: it does not say */
};

struct tls_staple {
    atomic_size_t references;
    char *path;
    struct stat seen; /* of the file when it was read; housekeeping */
    pthread_mutex_t mutex;
    struct answer answer; /* guarded by the mutex */
};

static void free_answer(struct answer *answer) {
    free(answer->bytes);
    ASN1_INTEGER_free(answer->serial);
    ASN1_GENERALIZEDTIME_free(answer->next);
    *answer = (struct answer){0};
}

/* The first of the answers in the response; weir's file holds one. */
static bool parse(struct answer *answer) {
    const unsigned char *at = answer->bytes;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)answer->length);
    OCSP_BASICRESP *basic = NULL;
    if (response != NULL && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        basic = OCSP_response_get1_basic(response);
    }
    OCSP_SINGLERESP *single = basic != NULL ? OCSP_resp_get0(basic, 0) : NULL;
    if (single != NULL) {
        ASN1_INTEGER *serial = NULL;
        ASN1_GENERALIZEDTIME *next = NULL;
        OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single));
        (void)OCSP_single_get0_status(single, NULL, NULL, NULL, &next);
        answer->serial = serial != NULL ? ASN1_INTEGER_dup(serial) : NULL;
        answer->next = next != NULL ? ASN1_STRING_dup(next) : NULL;
    }
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return answer->serial != NULL;
}

static bool read_answer(struct tls_staple *staple, struct answer *answer, char **why) {
    struct tls_file file = {0};
    (void)stat(staple->path, &staple->seen);
    if (!tls_file_read(&file, staple->path, why)) {
        return false;
    }
    *answer = (struct answer){.bytes = (unsigned char *)file.bytes, .length = file.length};
    if (!parse(answer)) {
        free_answer(answer);
        if (asprintf(why, "%s holds no good OCSP answer in DER", staple->path) < 0) {
            *why = NULL;
        }
        return false;
    }
    return true;
}

struct tls_staple *tls_staple_new(const char *path, char **why) {
    struct tls_staple *staple = must_calloc(1, sizeof *staple);
    atomic_init(&staple->references, 1);
    pthread_mutex_init(&staple->mutex, NULL);
    staple->path = memcpy(must_malloc(strlen(path) + 1), path, strlen(path) + 1);
    if (!read_answer(staple, &staple->answer, why)) {
        tls_staple_unref(&staple);
    }
    return staple;
}

struct tls_staple *tls_staple_ref(struct tls_staple *staple) {
    atomic_fetch_add_explicit(&staple->references, 1, memory_order_relaxed);
    return staple;
}

void tls_staple_unref(struct tls_staple **pointer) {
    struct tls_staple *staple = *pointer;
    *pointer = NULL;
    if (staple == NULL || atomic_fetch_sub_explicit(&staple->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    free_answer(&staple->answer);
    pthread_mutex_destroy(&staple->mutex);
    free(staple->path);
    free(staple);
}

static bool has_changed(const struct tls_staple *staple) {
    struct stat now;
    if (stat(staple->path, &now) != 0) {
        return false; /* it is being replaced, perhaps */
    }
    const struct stat *then = &staple->seen;
    return now.st_mtim.tv_sec != then->st_mtim.tv_sec || now.st_mtim.tv_nsec != then->st_mtim.tv_nsec ||
           now.st_ino != then->st_ino || now.st_size != then->st_size;
}

void tls_staple_refresh(struct tls_staple *staple) {
    struct answer answer;
    char *why = NULL;
    if (!has_changed(staple)) {
        return;
    }
    if (!read_answer(staple, &answer, &why)) {
        log_warn("SSLStaplingFile: %s; the answer before is kept", why != NULL ? why : "no memory");
        free(why);
        return;
    }
    pthread_mutex_lock(&staple->mutex);
    struct answer before = staple->answer;
    staple->answer = answer;
    pthread_mutex_unlock(&staple->mutex);
    free_answer(&before);
    log_info("SSLStaplingFile: %s was read again", staple->path);
}

unsigned char *tls_staple_copy(struct tls_staple *staple, const X509 *certificate, size_t *length) {
    unsigned char *copy = NULL;
    pthread_mutex_lock(&staple->mutex);
    const struct answer *answer = &staple->answer;
    bool holds = ASN1_INTEGER_cmp(answer->serial, X509_get0_serialNumber(certificate)) == 0 &&
                 (answer->next == NULL || X509_cmp_current_time(answer->next) > 0);
    if (holds) {
        copy = OPENSSL_memdup(answer->bytes, answer->length);
        *length = answer->length;
    }
    pthread_mutex_unlock(&staple->mutex);
    return copy;
}
