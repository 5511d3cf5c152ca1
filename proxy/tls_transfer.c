/* A link's reading and writing, once the handshake is over. Called by stream.c and health checks, on the thread of the
 * link. Always true: a function of OpenSSL's that seals is called only when nothing sealed before is waiting, so what
 * waits is bounded by one batch. */
#include <openssl/err.h>

#include "proxy/tls_bio.h"
#include "proxy/tls_record.h"

/* Beyond the text that there is room for: what records add to it. */
enum { RECORDS_ADD = 256 };

static enum tls_result note_end(struct tls_link *link, int result) {
    int error = SSL_get_error(link->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return link->broken ? TLS_FAILED : TLS_BLOCKED;
    }
    if (error == SSL_ERROR_ZERO_RETURN) {
        return TLS_ENDED;
    }
    bool cut = link->socket_ended && !link->broken && link->thread->in_length == 0;
    if (!cut) {
        const char *reason = ERR_reason_error_string(ERR_peek_error());
        link->failure = link->failure != NULL ? link->failure : reason != NULL ? reason : "OpenSSL gives no reason";
        link->broken = true;
    }
    ERR_clear_error();
    if (!cut) {
        return TLS_FAILED;
    }
    return link->is_client ? TLS_CUT : TLS_ENDED; /* a request says itself how long it is; a response may not */
}

static bool nothing_waits(const struct tls_link *link) {
    return link->thread->in_length == 0 && SSL_pending(link->ssl) == 0;
}

enum tls_result tls_link_read(struct tls_link *link, char *into, size_t room, size_t *count) {
    enum tls_result result = TLS_OK;
    bool may_fetch = true;
    *count = 0;
    tls_bio_enter(link);
    ERR_clear_error();
    while (*count < room) {
        size_t left = room - *count;
        if (may_fetch && nothing_waits(link)) {
            may_fetch = false;
            tls_bio_fetch(link, left + RECORDS_ADD);
        }
        int got = SSL_read(link->ssl, into + *count, left < TLS_IN_BYTES ? (int)left : TLS_IN_BYTES);
        may_fetch = may_fetch && !link->drained; /* what was kept was the beginning of a record, or there is room */
        if (got > 0) {
            *count += (size_t)got;
        } else if ((result = note_end(link, got)) != TLS_BLOCKED || !nothing_waits(link)) {
            break;
        }
        if (nothing_waits(link) && !may_fetch) {
            break;
        }
    }
    tls_bio_leave(link);
    link->end_waits = *count > 0 && result != TLS_OK && result != TLS_BLOCKED;
    return *count > 0 ? TLS_OK : result;
}

bool tls_link_has_more(const struct tls_link *link) {
    return link->unread != NULL || link->end_waits || (link->established && SSL_pending(link->ssl) > 0);
}

bool tls_link_is_drained(const struct tls_link *link) {
    return link->drained && !tls_link_has_more(link);
}

/* So many bytes from an offset on: as they lie, or copied together. */
static const char *gather(struct tls_thread *thread, const struct span *pieces, size_t offset, size_t length) {
    while (offset >= pieces->len) {
        offset -= pieces->len;
        pieces++;
    }
    if (pieces->len - offset >= length) {
        return pieces->ptr + offset;
    }
    for (size_t copied = 0; copied < length; offset = 0, pieces++) {
        size_t left = pieces->len - offset;
        size_t taken = left < length - copied ? left : length - copied;
        if (taken > 0) {
            memcpy(thread->record + copied, pieces->ptr + offset, taken);
            copied += taken;
        }
    }
    return thread->record;
}

/* Seals up to `end`; returns the new offset. */
static size_t seal(struct tls_link *link, const struct span *pieces, size_t offset, size_t end, size_t turn,
                   bool paced) {
    while (offset < end) {
        size_t size = tls_record_bytes(link->sent, turn, paced);
        size = size < end - offset ? size : end - offset;
        int sealed = SSL_write(link->ssl, gather(link->thread, pieces, offset, size), (int)size);
        if (sealed <= 0) {
            link->broken = true;
            link->failure = "a record could not be sealed";
            ERR_clear_error();
            break;
        }
        offset += (size_t)sealed;
        link->sent += link->sent < TLS_SMALL_FIRST ? (uint32_t)sealed : 0;
    }
    return offset;
}

size_t tls_link_write(struct tls_link *link, const struct span *pieces, size_t count, bool paced, int64_t now_ns) {
    size_t total = 0, offset = 0;
    for (size_t i = 0; i < count; i++) {
        total += pieces[i].len;
    }
    if (now_ns - link->sent_ns > TLS_SILENCE_NS) {
        link->sent = 0;
    }
    link->sent_ns = now_ns;
    while (offset < total && !link->broken && link->unsent == NULL) {
        size_t batch = link->resists ? TLS_RECORD_FULL : TLS_BATCH_BYTES;
        size_t end = total - offset < batch ? total : offset + batch;
        tls_bio_enter(link);
        offset = seal(link, pieces, offset, end, total, paced);
        tls_bio_leave(link);
    }
    return offset;
}

void tls_link_cut(struct tls_link *link, uint32_t piece_bytes) {
    link->piece_bytes = piece_bytes;
}

bool tls_link_flush(struct tls_link *link) {
    return tls_bio_flush(link);
}

bool tls_link_is_blocked(const struct tls_link *link) {
    return link->unsent != NULL;
}

size_t tls_link_waiting(const struct tls_link *link) {
    return link->unsent != NULL ? link->unsent->end - link->unsent->start : 0;
}

struct ev_timer *tls_link_timer(struct tls_link *link) {
    return &link->more;
}

bool tls_link_is_broken(const struct tls_link *link) {
    return link->broken;
}

bool tls_link_is_sealed_by_kernel(const struct tls_link *link) {
    return link->sealed_by_kernel && link->established;
}
