/* One listening socket: addresses, options, stale Unix sockets. Called by listener.c on the housekeeping thread.
 * Invariant: a socket that is given back listens, does not block, and is closed on exec. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/listener.h"
#include "proxy/origin_state.h"

enum {
    BACKLOG = 4096, /* the kernel cuts it to net.core.somaxconn */
    UNSENT_BYTES_MAX = 256 * 1024,
};

__attribute__((format(printf, 2, 3))) static int fail(char **error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(error, format, arguments) < 0) {
        *error = NULL;
    }
    va_end(arguments);
    return -1;
}

static const char *advice(int number) {
    switch (number) {
    case EADDRINUSE:
        return "; another program listens there (ss -ltnp shows which)";
    case EACCES:
        return "; ports below 1024 need root or CAP_NET_BIND_SERVICE, also when a reload adds them";
    case EADDRNOTAVAIL:
        return "; this machine has no such address (ip address shows which it has)";
    default:
        return "";
    }
}

static int fail_with_errno(char **error, const struct listener *listener) {
    int number = errno;
    return fail(error, "cannot listen on %s: %s%s", listener->name, strerror(number), advice(number));
}

/* Any address is [::] without V6ONLY, which takes both families; 0.0.0.0 where there is no IPv6. */
static socklen_t socket_address_of(const struct listener *listener, bool no_v6, union socket_address *address) {
    memset(address, 0, sizeof *address);
    if (listener->address.family == IP_V4 || (listener->address.family == IP_NONE && no_v6)) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(listener->port);
        memcpy(&address->v4.sin_addr, listener->address.bytes, 4);
        return sizeof address->v4;
    }
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons(listener->port);
    memcpy(&address->v6.sin6_addr, listener->address.bytes, 16);
    return sizeof address->v6;
}

static bool set_option(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static int bind_tcp(const struct listener *listener, bool no_v6, bool share) {
    union socket_address address;
    socklen_t length = socket_address_of(listener, no_v6, &address);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    bool v6 = address.any.sa_family == AF_INET6;
    /* TCP_NODELAY and TCP_NOTSENT_LOWAT are inherited by what is accepted: no system call a connection. The latter
     * bounds what waits in a client's send queue beyond what its window takes: without it the queue grows to megabytes,
     * and a thousand clients that read slowly use up the TCP memory of the machine, for everybody on it. Who has proved
     * to be fast is let off (http1.c). */
    if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) || (share && !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) ||
        (v6 && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, listener->address.family != IP_NONE)) ||
        !set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) ||
        !set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX) || bind(fd, &address.any, length) != 0) {
        int number = errno;
        close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

static int open_tcp(const struct listener *listener, bool first, char **error) {
    bool no_v6 = false;
    int fd = bind_tcp(listener, no_v6, !first);
    if (fd < 0 && listener->address.family == IP_NONE && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        no_v6 = true;
        fd = bind_tcp(listener, no_v6, !first);
    }
    if (fd >= 0 && first) { /* nobody else has it: once more, to be shared with our other sockets */
        close(fd);
        fd = bind_tcp(listener, no_v6, true);
    }
    if (fd < 0) {
        return fail_with_errno(error, listener);
    }
    if (listen(fd, BACKLOG) != 0) {
        fail_with_errno(error, listener);
        close(fd);
        return -1;
    }
    return fd;
}

/* A socket file that nobody listens on is left over from a process that was killed. */
static bool remove_stale(const struct listener *listener, const struct sockaddr_un *address, char **error) {
    struct stat status;
    if (lstat(listener->unix_path, &status) != 0) {
        return true; /* nothing there, or bind() will say what is wrong */
    }
    if (!S_ISSOCK(status.st_mode)) {
        fail(error, "cannot listen on %s: %s exists and is no socket; remove it or choose another path", listener->name,
             listener->unix_path);
        return false;
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        fail_with_errno(error, listener);
        return false;
    }
    bool alive = connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN;
    close(probe);
    if (alive) {
        errno = EADDRINUSE;
        fail_with_errno(error, listener);
        return false;
    }
    unlink(listener->unix_path);
    return true;
}

static int open_unix(const struct listener *listener, char **error) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(listener->unix_path);
    if (length >= sizeof address.sun_path) {
        return fail(error, "cannot listen on %s: a socket's path has at most %zu bytes", listener->name,
                    sizeof address.sun_path - 1);
    }
    memcpy(address.sun_path, listener->unix_path, length);
    if (!remove_stale(listener, &address, error)) {
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* Everybody may connect who can reach the folder: its permissions decide. The control socket is its owner's alone;
     * nobody can have connected before listen(). */
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(listener->unix_path, listener->control ? 0600 : 0666) != 0 || listen(fd, BACKLOG) != 0) {
        fail_with_errno(error, listener);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

int listener_open_socket(const struct listener *listener, bool first, char **error) {
    return listener->unix_path != NULL ? open_unix(listener, error) : open_tcp(listener, first, error);
}
