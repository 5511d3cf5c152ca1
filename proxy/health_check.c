/* Active health checks on the housekeeping loop: for each member a timer, and while a check is under way a socket.
 *
 * Invariant: a check has either its pause timer or its socket and its time-out running, never both; exactly one verdict
 * ends each check. */
#include "proxy/health_check.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/log.h"
#include "proxy/origin_runtime.h"
#include "proxy/tls_context.h"
#include "proxy/tls_generation.h"
#include "proxy/tls_link.h"

#define SECOND_NS INT64_C(1000000000)

enum { ANSWER_BYTES = 12, REQUEST_BYTES_MAX = 2048 }; /* "HTTP/1.1 200": nothing behind it is read */

struct health_check {
    struct ev_loop *loop;
    const struct balancer *balancer;
    const struct balancer_member *member;
    struct origin_runtime *runtime;
    ev_timer pause;   /* until the next check */
    ev_timer timeout; /* of the one under way */
    ev_io io;
    struct tls_context *tls_context; /* reference, for an https:// origin; NULL: plain */
    struct tls_thread *tls_thread;
    struct tls_link *tls; /* NULL: plain, or the handshake has not begun */
    int fd;               /* -1: none under way */
    bool connected;
    unsigned address; /* position of the address being tried */
    char request[REQUEST_BYTES_MAX];
    size_t request_length, sent; /* length 0: too long to be asked; connect only */
    char answer[ANSWER_BYTES];
    size_t received;
};

struct health_checks {
    size_t count;
    struct health_check checks[];
};

int health_check_judge(struct span received) {
    static const char start[] = "HTTP/1.";
    size_t compared = received.len < sizeof start - 1 ? received.len : sizeof start - 1;
    if (memcmp(received.ptr, start, compared) != 0) {
        return 0;
    }
    if (received.len < ANSWER_BYTES) {
        return -1;
    }
    const char *text = received.ptr;
    bool well_formed = text[8] == ' ' && text[10] >= '0' && text[10] <= '9' && text[11] >= '0' && text[11] <= '9';
    return well_formed && (text[9] == '2' || text[9] == '3');
}

static int64_t interval_of(const struct balancer *balancer) {
    return balancer->health_interval_ns > 0 ? balancer->health_interval_ns : 30 * SECOND_NS;
}

static ev_tstamp seconds(int64_t ns) {
    return (ev_tstamp)ns / (ev_tstamp)SECOND_NS;
}

/* --- verdicts --- */

static void close_socket(struct health_check *check) {
    if (check->fd >= 0) {
        ev_io_stop(check->loop, &check->io);
        tls_link_free(&check->tls);
        close(check->fd);
        check->fd = -1;
    }
}

static void count_good(struct health_check *check) {
    struct origin_runtime *runtime = check->runtime;
    unsigned needed = check->balancer->health_passes > 0 ? check->balancer->health_passes : 1;
    runtime->bad_checks = 0;
    runtime->good_checks += runtime->good_checks < needed;
    if (runtime->good_checks < needed) {
        return;
    }
    /* A good answer also ends the time for which a failed connect took the member out. */
    bool was_out = atomic_exchange(&runtime->check_failed, false);
    if (atomic_load(&runtime->out_until_ns) != 0) {
        was_out = true;
        atomic_store(&runtime->out_until_ns, 0);
    }
    if (was_out) {
        log_notice("%s: member %s answers its health checks and is used again", check->balancer->name,
                   check->member->origin->name);
    }
}

static void count_bad(struct health_check *check, const char *why) {
    struct origin_runtime *runtime = check->runtime;
    unsigned needed = check->balancer->health_fails > 0 ? check->balancer->health_fails : 1;
    runtime->good_checks = 0;
    runtime->bad_checks += runtime->bad_checks < needed;
    if (runtime->bad_checks >= needed && !atomic_exchange(&runtime->check_failed, true)) {
        log_warn("%s: member %s fails its health checks and is not used: %s", check->balancer->name,
                 check->member->origin->name, why);
    }
}

/* Ends the check under way; why is NULL for a good one. */
static void end_check(struct health_check *check, const char *why) {
    close_socket(check);
    ev_timer_stop(check->loop, &check->timeout);
    if (why == NULL) {
        count_good(check);
    } else {
        count_bad(check, why);
    }
    ev_timer_again(check->loop, &check->pause);
}

/* --- one check --- */

static void judge(struct health_check *check) {
    int verdict = health_check_judge((struct span){check->answer, check->received});
    if (verdict >= 0) {
        end_check(check, verdict == 1 ? NULL : "its answer is not HTTP with a status of 200 to 399");
    }
}

static void on_readable(struct health_check *check) {
    ssize_t got = read(check->fd, check->answer + check->received, sizeof check->answer - check->received);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        end_check(check, got == 0 ? "it closed the connection without an answer" : strerror(errno)); /* NOLINT */
        return;
    }
    check->received += (size_t)got;
    judge(check);
}

/* TLS reads and writes by itself: it is asked to go on for every event. */
static void wait_for_tls(struct health_check *check) {
    int events = tls_link_is_blocked(check->tls) ? EV_READ | EV_WRITE : EV_READ;
    ev_io_stop(check->loop, &check->io);
    ev_io_set(&check->io, check->fd, events);
    ev_io_start(check->loop, &check->io);
}

static void work_tls(struct health_check *check) {
    if (check->tls == NULL) {
        check->tls =
            tls_link_connect(check->tls_thread, check->tls_context, check->fd, check->member->origin->host, NULL);
    }
    enum tls_result result = TLS_OK;
    if (!tls_link_is_established(check->tls)) {
        result = tls_link_handshake(check->tls);
    }
    if (result == TLS_OK && check->sent < check->request_length) {
        const struct span request = {check->request + check->sent, check->request_length - check->sent};
        check->sent += tls_link_write(check->tls, &request, 1, false, 0);
    }
    (void)tls_link_flush(check->tls);
    size_t got = 0;
    if (result == TLS_OK) {
        result = tls_link_read(check->tls, check->answer + check->received, ANSWER_BYTES - check->received, &got);
        check->received += got;
    }
    if (result == TLS_BLOCKED) {
        wait_for_tls(check);
    } else if (result != TLS_OK) {
        end_check(check,
                  result == TLS_FAILED ? tls_link_failure(check->tls) : "it closed the connection without an answer");
    } else {
        wait_for_tls(check);
        judge(check);
    }
}

static void on_writable(struct health_check *check) {
    ssize_t written = send(check->fd, check->request + check->sent, check->request_length - check->sent, MSG_NOSIGNAL);
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (written < 0) {
        end_check(check, strerror(errno)); /* NOLINT(concurrency-mt-unsafe): glibc's is safe */
        return;
    }
    check->sent += (size_t)written;
    if (check->sent == check->request_length) {
        ev_io_stop(check->loop, &check->io);
        ev_io_set(&check->io, check->fd, EV_READ);
        ev_io_start(check->loop, &check->io);
    }
}

/* Tries the addresses of the origin from check->address on; false with *why when none is left. */
static bool start_connect(struct health_check *check, const char **why) {
    union socket_address address;
    socklen_t length;
    while (origin_address(check->runtime, check->address, &address, &length)) {
        check->address++;
        check->fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (check->fd >= 0 && (connect(check->fd, &address.any, length) == 0 || errno == EINPROGRESS)) {
            ev_io_set(&check->io, check->fd, EV_WRITE);
            ev_io_start(check->loop, &check->io);
            return true;
        }
        *why = strerror(errno); /* NOLINT(concurrency-mt-unsafe) */
        if (check->fd >= 0) {
            close(check->fd);
            check->fd = -1;
        }
    }
    return false;
}

static void on_connected(struct health_check *check) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(check->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
        error = errno;
    }
    if (error != 0) {
        const char *why = strerror(error); /* NOLINT(concurrency-mt-unsafe) */
        close_socket(check);
        if (!start_connect(check, &why)) {
            end_check(check, why);
        }
        return;
    }
    check->connected = true;
    if (check->request_length == 0) {
        end_check(check, NULL);
    } else if (check->tls_context != NULL) {
        work_tls(check);
    } else {
        on_writable(check);
    }
}

static void on_io(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop;
    struct health_check *check = io->data;
    if (!check->connected) {
        on_connected(check);
    } else if (check->tls != NULL) {
        work_tls(check);
    } else if ((events & EV_READ) != 0) {
        on_readable(check);
    } else {
        on_writable(check);
    }
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop;
    (void)events;
    end_check(timer->data, "it does not answer in time");
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)events;
    struct health_check *check = timer->data;
    const char *why = "its name has no address";
    ev_timer_stop(loop, timer);
    check->connected = false;
    check->address = 0;
    check->sent = check->received = 0;
    ev_timer_again(loop, &check->timeout);
    if (!start_connect(check, &why)) {
        end_check(check, why);
    }
}

/* --- */

static void write_request(struct health_check *check) {
    const struct origin *origin = check->member->origin;
    const char *path = check->balancer->health_path;
    const char *base = check->member->path != NULL ? check->member->path : "";
    size_t base_length = strlen(base);
    if (base_length > 0 && base[base_length - 1] == '/') {
        base_length--;
    }
    int length = snprintf(check->request, sizeof check->request,
                          "GET %.*s%s%s HTTP/1.0\r\nHost: %s\r\nUser-Agent: weir (health check)\r\n"
                          "Connection: close\r\n\r\n",
                          (int)base_length, base, path[0] == '/' ? "" : "/", path, origin->host_port);
    if (length > 0 && (size_t)length < sizeof check->request) {
        check->request_length = (size_t)length;
    }
}

static void start_check(struct health_check *check, size_t position) {
    int64_t interval_ns = interval_of(check->balancer);
    int64_t timeout_ns =
        check->member->origin->connect_timeout_ns > 0 ? check->member->origin->connect_timeout_ns : 5 * SECOND_NS;
    write_request(check);
    ev_init(&check->io, on_io);
    check->io.data = check;
    ev_init(&check->timeout, on_timeout);
    check->timeout.repeat = seconds(timeout_ns);
    check->timeout.data = check;
    /* The first checks are spread over the first tenth of a second, so that many members are not asked at one instant.
     */
    ev_timer_init(&check->pause, on_pause_over, 0.001 * (ev_tstamp)(position % 100), seconds(interval_ns));
    check->pause.data = check;
    ev_timer_start(check->loop, &check->pause);
}

bool health_is_checked(const struct balancer *balancer) {
    return balancer->health_path != NULL;
}

/* How TLS is spoken with the member. Without SSLProxyEngine no request reaches it either: connect only. */
static void take_tls(struct health_check *check, const struct tls_generation *tls) {
    if (check->member->origin->scheme != ORIGIN_HTTPS) {
        return;
    }
    struct tls_context *context = tls != NULL ? tls_generation_checker(tls, check->balancer) : NULL;
    if (context == NULL) {
        check->request_length = 0;
        log_warn("%s: member %s is only connected to by its health checks: no host that uses it has SSLProxyEngine On",
                 check->balancer->name, check->member->origin->name);
        return;
    }
    check->tls_context = tls_context_ref(context);
    check->tls_thread = context->thread;
}

struct health_checks *health_checks_new(struct ev_loop *loop, const struct config *config,
                                        const struct tls_generation *tls, const struct origins *origins) {
    size_t count = 0;
    for (size_t i = 0; i < config->balancer_count; i++) {
        count += health_is_checked(config->balancers[i]) ? config->balancers[i]->member_count : 0;
    }
    if (count == 0) {
        return NULL;
    }
    struct health_checks *checks = must_calloc(1, sizeof *checks + count * sizeof *checks->checks);
    for (size_t i = 0; i < config->balancer_count; i++) {
        const struct balancer *balancer = config->balancers[i];
        for (size_t j = 0; health_is_checked(balancer) && j < balancer->member_count; j++) {
            struct health_check *check = &checks->checks[checks->count++];
            check->loop = loop;
            check->balancer = balancer;
            check->member = &balancer->members[j];
            check->runtime = origins_get(origins, check->member->origin);
            check->fd = -1;
            start_check(check, checks->count);
            take_tls(check, tls);
        }
    }
    return checks;
}

void health_checks_free(struct health_checks **checks) {
    if (*checks == NULL) {
        return;
    }
    for (size_t i = 0; i < (*checks)->count; i++) {
        struct health_check *check = &(*checks)->checks[i];
        close_socket(check);
        ev_timer_stop(check->loop, &check->pause);
        ev_timer_stop(check->loop, &check->timeout);
        tls_context_unref(&check->tls_context);
    }
    free(*checks);
    *checks = NULL;
}
