/* Bytes of records: from the socket to OpenSSL and back, through the thread's two buffers. Called by the link's
 * functions and, from inside OpenSSL, as a BIO; on the thread of the link.
 * Always true: between two calls the thread's buffers are empty, and what they held is kept by the link. */
#include "proxy/tls_bio.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/arena.h"
#include "proxy/counters.h"
#include "proxy/smoothing.h"

enum {
    UNSENT_MAX = 192 * 1024, /* a batch, and answers to what the peer sends meanwhile */
    /* OpenSSL's numbers for kernel TLS, which it uses on any BIO (openssl/bio.h names them in a comment) */
    CTRL_SET_KTLS = 72,
    CTRL_SET_RECORD = 74,
    CTRL_CLEAR_RECORD = 75,
    /* linux/tls.h */
    LINUX_SOL_TLS = 282,
    LINUX_TLS_SET_RECORD_TYPE = 1,
};

/* --- to the socket --- */

static void fail(struct tls_link *link, const char *why) {
    link->broken = true;
    if (link->failure == NULL) {
        link->failure = why;
    }
}

/* How many bytes the socket took. */
static size_t write_some(struct tls_link *link, const char *bytes, size_t length) {
    const struct iovec all = {(void *)(uintptr_t)bytes, length}; /* it is only read */
    ssize_t count = link->piece_bytes != 0 ? smoothing_send(link->fd, &all, 1, link->piece_bytes)
                                           : send(link->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
        return (size_t)count;
    }
    if (errno != EAGAIN && errno != EINTR) {
        fail(link, "the connection was closed by the peer");
    }
    return 0;
}

static void keep(struct tls_kept **place, const char *bytes, size_t length) {
    struct tls_kept *old = *place;
    size_t before = old != NULL ? old->end - old->start : 0;
    struct tls_kept *kept = must_malloc(sizeof *kept + before + length);
    kept->start = 0;
    kept->end = (uint32_t)(before + length);
    if (before > 0) {
        memcpy(kept->bytes, old->bytes + old->start, before);
    }
    memcpy(kept->bytes + before, bytes, length);
    free(old);
    *place = kept;
}

bool tls_bio_flush(struct tls_link *link) {
    struct tls_kept *kept = link->unsent;
    if (kept != NULL) {
        kept->start += (uint32_t)write_some(link, kept->bytes + kept->start, kept->end - kept->start);
        if (kept->start < kept->end && !link->broken) {
            return false;
        }
        free(kept);
        link->unsent = NULL;
    }
    return true;
}

/* What was sealed in this call. */
static void write_out(struct tls_link *link) {
    struct tls_thread *thread = link->thread;
    size_t length = thread->out_length;
    if (length == 0) {
        return;
    }
    size_t written = tls_bio_flush(link) && !link->broken ? write_some(link, thread->out_bytes, length) : 0;
    thread->out_length = 0;
    link->resists = written < length;
    if (!link->resists || link->broken) {
        return;
    }
    size_t waiting = link->unsent != NULL ? link->unsent->end - link->unsent->start : 0;
    if (waiting + length - written > UNSENT_MAX) {
        fail(link, "the peer makes us answer and does not read the answers");
        return;
    }
    keep(&link->unsent, thread->out_bytes + written, length - written);
}

/* --- from the socket --- */

void tls_bio_enter(struct tls_link *link) {
    struct tls_thread *thread = link->thread;
    thread->link = link;
    if (link->unread != NULL) {
        thread->in = link->unread->bytes + link->unread->start;
        thread->in_length = link->unread->end - link->unread->start;
    }
}

void tls_bio_leave(struct tls_link *link) {
    struct tls_thread *thread = link->thread;
    struct tls_kept *kept = link->unread;
    if (kept != NULL && thread->in_length > 0) {
        kept->start = kept->end - (uint32_t)thread->in_length;
    } else if (kept != NULL) {
        free(kept);
        link->unread = NULL;
    } else if (thread->in_length > 0) {
        keep(&link->unread, thread->in, thread->in_length);
    }
    thread->in_length = 0;
    thread->link = NULL;
    write_out(link);
}

void tls_bio_fetch(struct tls_link *link, size_t bytes) {
    struct tls_thread *thread = link->thread;
    if (thread->in_length > 0 || link->socket_ended) {
        return;
    }
    free(link->unread); /* all of it was taken: what is left from here on lies in the thread's buffer */
    link->unread = NULL;
    size_t room = bytes < sizeof thread->in_bytes ? bytes : sizeof thread->in_bytes;
    ssize_t count = recv(link->fd, thread->in_bytes, room, MSG_DONTWAIT);
    link->drained = count < (ssize_t)room;
    if (count > 0) {
        thread->in = thread->in_bytes;
        thread->in_length = (size_t)count;
    } else if (count == 0) {
        link->socket_ended = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        link->socket_ended = true;
        fail(link, "the connection was reset by the peer");
    }
}

/* --- the BIO --- */

static int bio_read(BIO *bio, char *into, int size) {
    struct tls_thread *thread = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (thread->link == NULL || size <= 0) {
        return -1;
    }
    if (thread->in_length == 0) {
        if (thread->link->socket_ended) {
            return 0;
        }
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t count = (size_t)size < thread->in_length ? (size_t)size : thread->in_length;
    memcpy(into, thread->in, count);
    thread->in += count;
    thread->in_length -= count;
    return (int)count;
}

/* With kernel TLS all but data is sent by itself, its type beside it. */
static int write_kernel_record(struct tls_link *link, const char *bytes, size_t length) {
    union {
        char bytes[CMSG_SPACE(sizeof(unsigned char))];
        struct cmsghdr aligned;
    } control = {{0}};
    union {
        const char *read_only;
        char *base;
    } memory = {.read_only = bytes}; /* sendmsg does not write to it */
    struct iovec piece = {memory.base, length};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = LINUX_SOL_TLS;
    header->cmsg_type = LINUX_TLS_SET_RECORD_TYPE;
    header->cmsg_len = CMSG_LEN(sizeof(unsigned char));
    *CMSG_DATA(header) = link->kernel_record;
    ssize_t count = sendmsg(link->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) { /* no event would bring us back to a record of OpenSSL's own: better ended than stuck */
        fail(link, errno == EAGAIN ? "the peer does not read, and there is no room for a handshake or an alert"
                                   : "the connection was reset by the peer");
    }
    return (int)count;
}

/* Takes all there is room for: a batch is bounded so that it fits, and a handshake may be long but is not that long. */
static int bio_write(BIO *bio, const char *bytes, int size) {
    struct tls_thread *thread = BIO_get_data(bio);
    struct tls_link *link = thread->link;
    BIO_clear_retry_flags(bio);
    if (link == NULL || size <= 0) {
        return -1;
    }
    if (link->kernel_record != 0) {
        return write_kernel_record(link, bytes, (size_t)size);
    }
    if ((size_t)size > sizeof thread->out_bytes - thread->out_length) {
        write_out(link);
    }
    if (link->broken) {
        return -1;
    }
    memcpy(thread->out_bytes + thread->out_length, bytes, (size_t)size);
    thread->out_length += (size_t)size;
    return size;
}

/* OpenSSL knows how to hand the keys to the kernel, given a BIO of a socket. Only for sending, and only when what was
 * sealed before has all gone: from here on the kernel counts the records. */
static long seal_by_kernel(struct tls_link *link, long sending, void *keys) {
    write_out(link);
    if (!sending || link->unsent != NULL || link->broken) {
        return 0;
    }
    BIO *socket = BIO_new_socket(link->fd, BIO_NOCLOSE);
    long taken = socket != NULL ? BIO_ctrl(socket, CTRL_SET_KTLS, sending, keys) : 0;
    BIO_free(socket);
    link->sealed_by_kernel = taken > 0;
    return link->sealed_by_kernel;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
    struct tls_thread *thread = BIO_get_data(bio);
    struct tls_link *link = thread != NULL ? thread->link : NULL;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return link != NULL && link->socket_ended && thread->in_length == 0;
    case CTRL_SET_KTLS:
        return link != NULL ? seal_by_kernel(link, number, pointer) : 0;
    case BIO_CTRL_GET_KTLS_SEND:
        return link != NULL && link->sealed_by_kernel;
    case CTRL_SET_RECORD:
        if (link != NULL) {
            link->kernel_record = (uint8_t)number;
        }
        return 0;
    case CTRL_CLEAR_RECORD:
        if (link != NULL) {
            link->kernel_record = 0;
        }
        return 0;
    default:
        return 0;
    }
}

BIO_METHOD *tls_bio_method_new(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir");
    if (method != NULL) {
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_control);
    }
    return method;
}
