/* The sender of sd_notify datagrams. Called by process.c, reload.c and upgrade.c on the housekeeping thread. Opens a
 * socket for each message: there are few, and a descriptor kept would only be one more to hand over. */
#include "proxy/service_notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool service_notify_send(const char *address, const char *message) {
    if (address == NULL || address[0] == '\0') {
        return true;
    }
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t length = strlen(address);
    if ((address[0] != '/' && address[0] != '@') || length >= sizeof to.sun_path) {
        errno = EINVAL;
        return false;
    }
    memcpy(to.sun_path, address, length);
    socklen_t to_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (address[0] == '@') {
        to.sun_path[0] = '\0'; /* an abstract name is as long as the address says, without a final zero */
    } else {
        to_length++;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    ssize_t sent =
        sendto(fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&to, to_length);
    int number = errno;
    close(fd);
    errno = number;
    return sent >= 0;
}

static void send_with_status(const char *address, const char *what, const char *status) {
    char message[512];
    snprintf(message, sizeof message, "%s%s%s", what, status != NULL ? "\nSTATUS=" : "", status != NULL ? status : "");
    (void)service_notify_send(address, message);
}

void service_notify_ready(const char *address, const char *status) {
    send_with_status(address, "READY=1", status);
}

void service_notify_reloading(const char *address, int64_t monotonic_ns) {
    char message[64];
    snprintf(message, sizeof message, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(monotonic_ns / 1000));
    send_with_status(address, message, "reading the configuration again");
}

void service_notify_stopping(const char *address, const char *status) {
    send_with_status(address, "STOPPING=1", status);
}

void service_notify_main_pid(const char *address, pid_t pid) {
    char message[64];
    snprintf(message, sizeof message, "MAINPID=%ld", (long)pid);
    send_with_status(address, message, NULL);
}
