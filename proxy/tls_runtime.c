/* Made, kept and freed by housekeeping; constant for workers, but for what guards itself. */
#include "proxy/tls_runtime.h"

#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/arena.h"
#include "proxy/tls_bio.h"
#include "proxy/tls_generation.h"
#include "proxy/tls_session_cache.h"
#include "proxy/tls_ticket_keys.h"

#define LOOK_SECONDS 10.0

struct tls_runtime {
    struct ev_loop *loop;
    ev_timer look; /* at OCSP answers */
    struct tls_generation *newest;
    BIO_METHOD *method;
    struct tls_ticket_keys *ticket_keys;
    struct tls_session_cache *sessions;
    bool kernel_tls;
    unsigned workers;
    struct tls_thread *threads[]; /* the workers', then housekeeping's */
};

static bool random_bytes(unsigned char *bytes, size_t count) {
    return RAND_priv_bytes(bytes, (int)count) == 1;
}

/* Asked once, on a connection to ourselves: to find it out for each client would cost system calls each time. */
static bool kernel_can_seal(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int connecting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool can = listening >= 0 && connecting >= 0 && bind(listening, (struct sockaddr *)&address, sizeof address) == 0 &&
               listen(listening, 1) == 0 && getsockname(listening, (struct sockaddr *)&address, &length) == 0 &&
               connect(connecting, (struct sockaddr *)&address, length) == 0 &&
               setsockopt(connecting, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0;
    if (listening >= 0) {
        close(listening);
    }
    if (connecting >= 0) {
        close(connecting);
    }
    return can;
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop;
    (void)events;
    struct tls_runtime *runtime = timer->data;
    if (runtime->newest != NULL) {
        tls_generation_refresh(runtime->newest);
    }
}

struct tls_runtime *tls_runtime_new(struct ev_loop *loop, unsigned workers) {
    struct tls_runtime *runtime = must_calloc(1, sizeof *runtime + (workers + 1) * sizeof(struct tls_thread *));
    runtime->loop = loop;
    runtime->workers = workers;
    runtime->method = tls_bio_method_new();
    runtime->ticket_keys = tls_ticket_keys_new(random_bytes);
    runtime->sessions = tls_session_cache_new();
    runtime->kernel_tls = kernel_can_seal();
    ev_timer_init(&runtime->look, on_look, LOOK_SECONDS, LOOK_SECONDS);
    runtime->look.data = runtime;
    for (unsigned i = 0; runtime->method != NULL && i <= workers; i++) {
        runtime->threads[i] = tls_thread_new(runtime, runtime->method);
        if (runtime->threads[i] == NULL) {
            break;
        }
    }
    if (runtime->threads[workers] == NULL) {
        tls_runtime_free(&runtime);
    }
    return runtime;
}

void tls_runtime_free(struct tls_runtime **pointer) {
    struct tls_runtime *runtime = *pointer;
    *pointer = NULL;
    if (runtime == NULL) {
        return;
    }
    if (runtime->loop != NULL) {
        ev_timer_stop(runtime->loop, &runtime->look);
    }
    for (unsigned i = 0; i <= runtime->workers; i++) {
        tls_thread_free(&runtime->threads[i]);
    }
    tls_session_cache_free(&runtime->sessions);
    tls_ticket_keys_free(&runtime->ticket_keys);
    BIO_meth_free(runtime->method);
    free(runtime);
}

void tls_runtime_set_newest(struct tls_runtime *runtime, struct tls_generation *generation) {
    runtime->newest = generation;
    if (runtime->loop != NULL) {
        ev_timer_start(runtime->loop, &runtime->look);
    }
}

void tls_runtime_forget(struct tls_runtime *runtime, const struct tls_generation *generation) {
    if (runtime->newest == generation) {
        runtime->newest = NULL;
    }
}

unsigned tls_runtime_workers(const struct tls_runtime *runtime) {
    return runtime->workers;
}

struct tls_thread *tls_runtime_thread(struct tls_runtime *runtime, unsigned index) {
    return runtime->threads[index];
}

struct tls_ticket_keys *tls_runtime_ticket_keys(struct tls_runtime *runtime) {
    return runtime->ticket_keys;
}

struct tls_session_cache *tls_runtime_sessions(struct tls_runtime *runtime) {
    return runtime->sessions;
}

bool tls_runtime_kernel_tls(const struct tls_runtime *runtime) {
    return runtime->kernel_tls;
}
