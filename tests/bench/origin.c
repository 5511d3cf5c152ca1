/* The server behind the proxies that tests/bench/compare measures: as little work as can be, so that the proxy is what
 * is measured. Compiled by compare at each run; a program of its own, with one thread.
 *
 * "GET /N" is answered with N bytes, kept alive, pipelined or not; any other request with no bytes. Prints the port
 * that it listens on (loopback) and serves until it is killed. Always true: a connection has at most one answer under
 * way, and bytes behind its request stay in `input` until that has gone out. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { INPUT_BYTES = 16384, HEAD_BYTES = 96, BODY_BYTES = 1 << 20, EVENTS = 256, DESCRIPTORS = 65536 };

struct connection {
    int descriptor;
    size_t input_bytes;            /* in `input` */
    size_t head_bytes, body_bytes; /* of the answer under way */
    size_t sent_bytes;             /* of both together */
    char head[HEAD_BYTES];
    char input[INPUT_BYTES];
};

static char body[BODY_BYTES];
static struct connection *connections[DESCRIPTORS];

static void end(struct connection *connection) {
    connections[connection->descriptor] = NULL;
    close(connection->descriptor);
    free(connection);
}

/* Takes one request from the input, if a whole one is there, and prepares its answer. */
static int take_request(struct connection *connection) {
    char *last = memmem(connection->input, connection->input_bytes, "\r\n\r\n", 4);
    if (last == NULL) {
        return 0;
    }
    /* A body of a request is waited for, and skipped; it is within INPUT_BYTES. */
    char *length = memmem(connection->input, (size_t)(last - connection->input), "\r\nContent-Length: ", 18);
    size_t used = (size_t)(last - connection->input) + 4 + (length != NULL ? strtoul(length + 18, NULL, 10) : 0);
    if (used > connection->input_bytes) {
        return 0;
    }
    unsigned long wanted = 0;
    if (memcmp(connection->input, "GET /", 5) == 0) {
        wanted = strtoul(connection->input + 5, NULL, 10);
    }
    connection->body_bytes = wanted;
    connection->head_bytes = (size_t)snprintf(
        connection->head, HEAD_BYTES, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
        connection->body_bytes);
    connection->sent_bytes = 0;
    connection->input_bytes -= used;
    memmove(connection->input, connection->input + used, connection->input_bytes);
    return 1;
}

/* Sends what is left of the answer. 1: all of it has gone; 0: the socket is full; -1: the connection is broken. */
static int send_answer(struct connection *connection) {
    while (connection->sent_bytes < connection->head_bytes + connection->body_bytes) {
        struct iovec parts[2];
        int count = 0;
        size_t body_sent = 0; /* the body is BODY_BYTES again and again */
        if (connection->sent_bytes < connection->head_bytes) {
            parts[count++] = (struct iovec){connection->head + connection->sent_bytes,
                                            connection->head_bytes - connection->sent_bytes};
        } else {
            body_sent = connection->sent_bytes - connection->head_bytes;
        }
        size_t left = connection->body_bytes - body_sent, from = body_sent % BODY_BYTES;
        parts[count++] = (struct iovec){body + from, left < BODY_BYTES - from ? left : BODY_BYTES - from};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        ssize_t sent = sendmsg(connection->descriptor, &message, MSG_NOSIGNAL);
        if (sent < 0) {
            return errno == EAGAIN ? 0 : -1;
        }
        connection->sent_bytes += (size_t)sent;
    }
    connection->head_bytes = connection->body_bytes = connection->sent_bytes = 0;
    return 1;
}

/* 1: the connection goes on. */
static int serve(struct connection *connection) {
    for (;;) {
        if (connection->head_bytes > 0 || take_request(connection)) {
            int result = send_answer(connection);
            if (result <= 0) {
                return result == 0;
            }
            continue;
        }
        if (connection->input_bytes == INPUT_BYTES - 1) {
            return 0; /* no request is as large as that */
        }
        size_t room = INPUT_BYTES - 1 - connection->input_bytes;
        ssize_t got = recv(connection->descriptor, connection->input + connection->input_bytes, room, 0);
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        connection->input_bytes += (size_t)got;
        connection->input[connection->input_bytes] = '\0';
        if ((size_t)got < room && memmem(connection->input, connection->input_bytes, "\r\n\r\n", 4) == NULL) {
            return 1;
        }
        if (take_request(connection)) {
            int result = send_answer(connection);
            if (result <= 0) {
                return result == 0;
            }
        }
        if ((size_t)got < room && connection->input_bytes == 0) {
            return 1; /* all that had come: the loop tells when there is more */
        }
    }
}

static void accept_all(int listener, int loop) {
    int descriptor;
    while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = descriptor < DESCRIPTORS ? calloc(1, sizeof *connection) : NULL;
        if (connection == NULL) {
            close(descriptor);
            continue;
        }
        int on = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connection->descriptor = descriptor;
        connections[descriptor] = connection;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = descriptor};
        epoll_ctl(loop, EPOLL_CTL_ADD, descriptor, &event);
    }
}

static int listen_on_loopback(void) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        perror("origin: cannot listen");
        exit(1);
    }
    printf("%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(void) {
    memset(body, 'x', sizeof body);
    int loop = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on_loopback();
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(loop, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener) {
                accept_all(listener, loop);
                continue;
            }
            struct connection *connection = connections[events[i].data.fd];
            if (connection != NULL && !serve(connection)) {
                end(connection);
            }
        }
    }
}
