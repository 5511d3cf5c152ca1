/* Tells the service manager how the process does: the sd_notify protocol (man sd_notify), a datagram to $NOTIFY_SOCKET.
 * Without that variable nothing is sent. Never blocks; a service manager that does not listen is not an error. */
#ifndef WEIR_PROXY_SERVICE_NOTIFY_H
#define WEIR_PROXY_SERVICE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Sends `message` ("READY=1\nSTATUS=…") to a socket: an absolute path, or "@name" of the abstract name space. NULL or
 * "" for `address` does nothing and is true. False with errno when it could not be sent. */
bool service_notify_send(const char *address, const char *message);

/* The messages of a life; `address` as above, `status` one line for people, may be NULL. */
void service_notify_ready(const char *address, const char *status);
/* Tells the monotonic time too, as Type=notify-reload wants it. */
void service_notify_reloading(const char *address, int64_t monotonic_ns);
void service_notify_stopping(const char *address, const char *status);
/* Another process is the service from now on. */
void service_notify_main_pid(const char *address, pid_t pid);

#endif
