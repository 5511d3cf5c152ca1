/* The clients of tests/bench/bulk, connections and workers: a load whose requests are counted exactly and that leaves
 * most of its core to the origin. Compiled by them at each run; a program of its own, with one thread.
 *
 *     requests PORT PATH CONNECTIONS MILLISECONDS kept|new [tls]
 *
 * Asks 127.0.0.1 for PATH on so many connections at once, for so long; what is under way then is waited for, so that
 * every request that was sent is one that was answered. new: each request on a connection of its own, which it asks to
 * be closed. tls: TLS 1.3 with X25519; each connection is a full handshake, as no session is ever offered again.
 *
 * Prints JSON: "requests", "bytes" of bodies, "seconds", "connections" that were made, "resumed" sessions. An answer
 * that is not 200, or a connection that breaks, ends it with 1 and a line that says so. Always true: a connection has
 * at most one request under way, and plain bodies are thrown away in the kernel. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_BYTES = 4096, DISCARD_BYTES = 1 << 20, RECORD_BYTES = 1 << 16, EVENTS = 64 };

struct connection {
    int descriptor;
    SSL *tls; /* NULL: plain */
    bool is_asked, has_head;
    size_t head_bytes;   /* in `head` */
    uint64_t body_bytes; /* still to come */
    char head[HEAD_BYTES];
};

static struct {
    uint16_t port;
    bool is_new, is_tls;
    char request[512];
    SSL_CTX *context;
    int loop;
    int64_t end_ns;
    unsigned active;
    uint64_t requests, bytes, connections, resumed;
} run;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "requests: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void open_connection(struct connection *connection) {
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(run.port)};
    int on = 1, descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* On the loopback the kernel shakes hands at once: there is nothing to wait for. */
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&to, sizeof to) != 0 ||
        fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) {
        die("connect");
    }
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->descriptor = descriptor;
    run.connections++;
    if (run.is_tls) {
        connection->tls = SSL_new(run.context);
        if (connection->tls == NULL || SSL_set_fd(connection->tls, descriptor) != 1) {
            die("TLS");
        }
        SSL_set_connect_state(connection->tls);
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    epoll_ctl(run.loop, EPOLL_CTL_ADD, descriptor, &event);
}

static void close_connection(struct connection *connection) {
    if (connection->tls != NULL) {
        run.resumed += (uint64_t)SSL_session_reused(connection->tls);
        SSL_shutdown(connection->tls); /* says goodbye, and does not wait for the answer */
        SSL_free(connection->tls);
        connection->tls = NULL;
    }
    close(connection->descriptor);
}

/* What a TLS call that did not succeed means: true, that the socket is not ready. */
static bool must_wait(struct connection *connection, int result) {
    int error = SSL_get_error(connection->tls, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* Sends the request, or as much of a handshake as the socket is ready for. */
static void ask(struct connection *connection) {
    size_t length = strlen(run.request);
    if (connection->tls != NULL) {
        int result = SSL_do_handshake(connection->tls);
        result = result == 1 ? SSL_write(connection->tls, run.request, (int)length) : result;
        if (result != (int)length) {
            if (!must_wait(connection, result)) {
                die("TLS handshake or write");
            }
            return;
        }
    } else if (send(connection->descriptor, run.request, length, MSG_NOSIGNAL) != (ssize_t)length) {
        die("send");
    }
    connection->is_asked = true;
}

/* Bytes into `to`, or past it; 0: the socket is not ready. */
static size_t take(struct connection *connection, char *to, size_t room) {
    if (connection->tls != NULL) {
        static char nowhere[RECORD_BYTES];
        size_t wanted = to == NULL && room > sizeof nowhere ? sizeof nowhere : room;
        int result = SSL_read(connection->tls, to != NULL ? to : nowhere, (int)wanted);
        if (result <= 0 && !must_wait(connection, result)) {
            die("TLS read, or the connection was closed");
        }
        return result > 0 ? (size_t)result : 0;
    }
    size_t wanted = to == NULL && room > DISCARD_BYTES ? DISCARD_BYTES : room;
    ssize_t got = recv(connection->descriptor, to, wanted, to != NULL ? 0 : MSG_TRUNC);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        die(got == 0 ? "an answer was cut" : "recv");
    }
    return got > 0 ? (size_t)got : 0;
}

/* What is behind the head in `head` belongs to the body. */
static void read_head(struct connection *connection) {
    connection->head[connection->head_bytes] = '\0';
    char *last = strstr(connection->head, "\r\n\r\n");
    if (last == NULL) {
        return;
    }
    char *length = strcasestr(connection->head, "\r\nContent-Length:");
    if (strncmp(connection->head, "HTTP/1.1 200 ", 13) != 0 || length == NULL || length > last) {
        errno = 0;
        die(connection->head);
    }
    uint64_t whole = strtoull(length + 17, NULL, 10);
    connection->has_head = true;
    connection->body_bytes = whole - (connection->head_bytes - (size_t)(last + 4 - connection->head));
    run.bytes += whole;
}

/* False: the socket is not ready. */
static bool read_some(struct connection *connection) {
    if (!connection->has_head) {
        size_t room = HEAD_BYTES - 1 - connection->head_bytes;
        size_t got = take(connection, connection->head + connection->head_bytes, room);
        connection->head_bytes += got;
        read_head(connection);
        return got > 0;
    }
    size_t got = take(connection, NULL, connection->body_bytes);
    connection->body_bytes -= got;
    return got > 0;
}

/* As far as it goes without waiting. */
static void advance(struct connection *connection) {
    for (;;) {
        if (!connection->is_asked) {
            ask(connection);
            return; /* the loop tells when the answer comes, or when the handshake goes on */
        }
        while (!connection->has_head || connection->body_bytes > 0) {
            if (!read_some(connection)) {
                return;
            }
        }
        run.requests++;
        connection->is_asked = connection->has_head = false;
        connection->head_bytes = 0;
        bool is_last = now_ns() >= run.end_ns;
        if (run.is_new || is_last) {
            close_connection(connection);
            if (is_last) {
                run.active--;
                return;
            }
            open_connection(connection);
        }
    }
}

static void prepare(char **argv, int argc) {
    run.port = (uint16_t)atoi(argv[1]);
    run.is_new = strcmp(argv[5], "new") == 0;
    run.is_tls = argc == 7;
    snprintf(run.request, sizeof run.request, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", argv[2],
             run.is_new ? "Connection: close\r\n" : "");
    if (run.is_tls) {
        run.context = SSL_CTX_new(TLS_client_method());
        if (run.context == NULL || SSL_CTX_set_min_proto_version(run.context, TLS1_3_VERSION) != 1 ||
            SSL_CTX_set1_groups_list(run.context, "X25519") != 1) {
            die("TLS");
        }
    }
    run.loop = epoll_create1(EPOLL_CLOEXEC);
}

int main(int argc, char **argv) {
    if (argc != 6 && argc != 7) {
        fprintf(stderr, "usage: see the beginning of requests.c\n");
        return 2;
    }
    prepare(argv, argc);
    unsigned count = (unsigned)atoi(argv[3]);
    struct connection *connections = calloc(count, sizeof *connections);
    int64_t start_ns = now_ns();
    run.end_ns = start_ns + atoll(argv[4]) * 1000000;
    for (run.active = 0; run.active < count; run.active++) {
        open_connection(&connections[run.active]);
    }
    while (run.active > 0) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(run.loop, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            advance(events[i].data.ptr);
        }
    }
    printf("{\"requests\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"connections\": %llu, \"resumed\": %llu}\n",
           (unsigned long long)run.requests, (unsigned long long)run.bytes, (double)(now_ns() - start_ns) / 1e9,
           (unsigned long long)run.connections, (unsigned long long)run.resumed);
    SSL_CTX_free(run.context);
    free(connections);
    return 0;
}
