/* Reading and writing a socket without the C library's wrappers, which ask before and after each call whether the
 * thread has been cancelled: 40 instructions a call, and weir cancels no thread. Same arguments, results and errno. Any
 * thread. Builds with sanitizers, which watch the wrappers, use those. */
#ifndef WEIR_PROXY_SOCKET_CALLS_H
#define WEIR_PROXY_SOCKET_CALLS_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(WEIR_BARE_SYSTEM_CALLS) && defined(SYS_sendto) && defined(SYS_sendmsg)

/* As recv() without flags: on a socket the same as read(). */
static inline ssize_t socket_receive(int fd, void *bytes, size_t length) {
    return (ssize_t)syscall(SYS_read, fd, bytes, length);
}

static inline ssize_t socket_send(int fd, const void *bytes, size_t length, int flags) {
    return (ssize_t)syscall(SYS_sendto, fd, bytes, length, flags, NULL, 0);
}

static inline ssize_t socket_send_message(int fd, const struct msghdr *message, int flags) {
    return (ssize_t)syscall(SYS_sendmsg, fd, message, flags);
}

#else

static inline ssize_t socket_receive(int fd, void *bytes, size_t length) {
    return recv(fd, bytes, length, 0);
}

static inline ssize_t socket_send(int fd, const void *bytes, size_t length, int flags) {
    return send(fd, bytes, length, flags);
}

static inline ssize_t socket_send_message(int fd, const struct msghdr *message, int flags) {
    return sendmsg(fd, message, flags);
}

#endif
#endif
