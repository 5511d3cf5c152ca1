/* The resolver thread. Names are watched and forgotten by the housekeeping thread; workers read addresses.
 *
 * Invariant: a name is in exactly one queue or is being looked up. All names of a queue have the same delay, so each
 * queue is in the order of its due times and the next name to look up is the head of one of the three.
 * Locks: resolver->lock guards queues and flags, name->lock only the addresses of the name; never both at once. */
#include "proxy/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proxy/log.h"

#define SECOND_NS INT64_C(1000000000)
#define STOP_WAIT_NS (SECOND_NS / 2)

enum queue_kind { QUEUE_NEW, QUEUE_RETRY, QUEUE_REFRESH, QUEUE_COUNT };

struct resolver_name {
    struct resolver_name *next, *previous; /* in its queue */
    struct resolver *resolver;
    char *host;
    uint16_t port;
    int64_t due_ns;
    enum queue_kind queue;
    bool looking_up, forgotten; /* forgotten while being looked up: the thread frees it */
    bool answered;              /* looked up once */
    bool failing;               /* the last look-up failed: said once */

    pthread_mutex_t lock; /* of what follows */
    union socket_address addresses[RESOLVER_ADDRESSES_MAX];
    size_t address_count;
};

struct queue {
    struct resolver_name *first, *last;
};

struct resolver {
    pthread_mutex_t lock;
    pthread_cond_t wake;     /* for the thread: something to do */
    pthread_cond_t answered; /* for resolver_wait */
    pthread_t thread;
    struct queue queues[QUEUE_COUNT];
    struct resolver_options options;
    bool stop;      /* the thread shall end */
    bool abandoned; /* and free the resolver, because nobody waits for it */
    bool ended;     /* the thread has touched the resolver for the last time, but for its lock */
};

static int64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static struct timespec timespec_of(int64_t at_ns) {
    return (struct timespec){.tv_sec = at_ns / SECOND_NS, .tv_nsec = at_ns % SECOND_NS};
}

/* --- addresses --- */

socklen_t socket_address_length(const union socket_address *address) {
    switch (address->any.sa_family) {
    case AF_INET:
        return sizeof address->v4;
    case AF_INET6:
        return sizeof address->v6;
    default:
        return sizeof address->unix_path;
    }
}

bool socket_address_numeric(const char *host, uint16_t port, union socket_address *address) {
    *address = (union socket_address){0};
    if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(port);
        return true;
    }
    *address = (union socket_address){0};
    if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(port);
        return true;
    }
    return false;
}

static size_t lookup_by_system(const char *host, uint16_t port, union socket_address *addresses, size_t max,
                               const char **error) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    int failure = getaddrinfo(host, NULL, &hints, &list);
    if (failure == EAI_NONAME || failure == EAI_ADDRFAMILY) {
        /* A machine with nothing but loopback has no family "configured", yet "localhost" has addresses. */
        hints.ai_flags = 0;
        failure = getaddrinfo(host, NULL, &hints, &list);
    }
    if (failure != 0) {
        *error = gai_strerror(failure);
        return 0;
    }
    size_t count = 0;
    for (const struct addrinfo *each = list; each != NULL && count < max; each = each->ai_next) {
        union socket_address *address = &addresses[count];
        *address = (union socket_address){0};
        if ((each->ai_family != AF_INET && each->ai_family != AF_INET6) || each->ai_addrlen > sizeof *address) {
            continue;
        }
        memcpy(address, each->ai_addr, each->ai_addrlen);
        if (each->ai_family == AF_INET) {
            address->v4.sin_port = htons(port);
        } else {
            address->v6.sin6_port = htons(port);
        }
        count++;
    }
    freeaddrinfo(list);
    *error = "no address of a family that weir speaks";
    return count;
}

bool resolver_address(struct resolver_name *name, size_t position, union socket_address *address) {
    pthread_mutex_lock(&name->lock);
    bool found = position < name->address_count;
    if (found) {
        *address = name->addresses[position];
    }
    pthread_mutex_unlock(&name->lock);
    return found;
}

/* --- queues; resolver->lock is held --- */

static void enqueue(struct resolver *resolver, struct resolver_name *name, enum queue_kind kind) {
    struct queue *queue = &resolver->queues[kind];
    name->queue = kind;
    name->next = NULL;
    name->previous = queue->last;
    if (queue->last != NULL) {
        queue->last->next = name;
    } else {
        queue->first = name;
    }
    queue->last = name;
}

static void dequeue(struct resolver *resolver, struct resolver_name *name) {
    struct queue *queue = &resolver->queues[name->queue];
    if (name->previous != NULL) {
        name->previous->next = name->next;
    } else {
        queue->first = name->next;
    }
    if (name->next != NULL) {
        name->next->previous = name->previous;
    } else {
        queue->last = name->previous;
    }
    name->next = name->previous = NULL;
}

/* The name that is due first; NULL when nothing is watched. */
static struct resolver_name *first_due(const struct resolver *resolver) {
    struct resolver_name *first = NULL;
    for (size_t i = 0; i < QUEUE_COUNT; i++) {
        struct resolver_name *head = resolver->queues[i].first;
        if (head != NULL && (first == NULL || head->due_ns < first->due_ns)) {
            first = head;
        }
    }
    return first;
}

/* --- the thread --- */

static void free_name(struct resolver_name *name) {
    pthread_mutex_destroy(&name->lock);
    free(name->host);
    free(name);
}

static void free_resolver(struct resolver *resolver) {
    pthread_cond_destroy(&resolver->wake);
    pthread_cond_destroy(&resolver->answered);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver);
}

static void publish(struct resolver_name *name, const union socket_address *addresses, size_t count,
                    const char *error) {
    if (count > 0) {
        pthread_mutex_lock(&name->lock);
        memcpy(name->addresses, addresses, count * sizeof *addresses);
        name->address_count = count;
        pthread_mutex_unlock(&name->lock);
    }
    if (count > 0 && name->failing) {
        log_notice("origin name %s is found again", name->host);
    } else if (count == 0 && !name->failing) {
        log_warn("origin name %s: %s; %s", name->host, error,
                 name->answered && name->address_count > 0 ? "the addresses found before stay in use"
                                                           : "it is looked up again every few seconds");
    }
    name->failing = count == 0;
}

/* Looks one name up with resolver->lock released meanwhile; `looking_up` keeps the name from being freed. */
static void look_up(struct resolver *resolver, struct resolver_name *name) {
    union socket_address addresses[RESOLVER_ADDRESSES_MAX];
    const char *error = "no address";
    dequeue(resolver, name);
    name->looking_up = true;
    pthread_mutex_unlock(&resolver->lock);
    size_t count = resolver->options.lookup(name->host, name->port, addresses, RESOLVER_ADDRESSES_MAX, &error);
    publish(name, addresses, count, error);
    pthread_mutex_lock(&resolver->lock);
    name->looking_up = false;
    if (name->forgotten) {
        free_name(name);
        return;
    }
    name->answered = true;
    name->due_ns = monotonic_ns() + (count > 0 ? resolver->options.refresh_ns : resolver->options.retry_ns);
    enqueue(resolver, name, count > 0 ? QUEUE_REFRESH : QUEUE_RETRY);
    pthread_cond_broadcast(&resolver->answered);
}

static void *run(void *argument) {
    struct resolver *resolver = argument;
    log_name_thread("resolver");
    pthread_mutex_lock(&resolver->lock);
    while (!resolver->stop) {
        struct resolver_name *name = first_due(resolver);
        if (name == NULL) {
            pthread_cond_wait(&resolver->wake, &resolver->lock);
        } else if (name->due_ns > monotonic_ns()) {
            struct timespec until = timespec_of(name->due_ns);
            pthread_cond_timedwait(&resolver->wake, &resolver->lock, &until);
        } else {
            look_up(resolver, name);
        }
    }
    resolver->ended = true;
    bool abandoned = resolver->abandoned;
    pthread_cond_broadcast(&resolver->answered);
    pthread_mutex_unlock(&resolver->lock);
    if (abandoned) {
        free_resolver(resolver);
    }
    return NULL;
}

/* --- */

struct resolver *resolver_new(const struct resolver_options *options) {
    struct resolver *resolver = must_calloc(1, sizeof *resolver);
    if (options != NULL) {
        resolver->options = *options;
    }
    struct resolver_options *effective = &resolver->options;
    effective->lookup = effective->lookup != NULL ? effective->lookup : lookup_by_system;
    effective->refresh_ns = effective->refresh_ns > 0 ? effective->refresh_ns : 60 * SECOND_NS;
    effective->retry_ns = effective->retry_ns > 0 ? effective->retry_ns : 5 * SECOND_NS;

    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&resolver->lock, NULL);
    pthread_cond_init(&resolver->wake, &monotonic);
    pthread_cond_init(&resolver->answered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int failure = pthread_create(&resolver->thread, NULL, run, resolver);
    if (failure != 0) {
        log_error("cannot start the thread that looks up names: %s", strerror(failure)); /* NOLINT(concurrency-*) */
        free_resolver(resolver);
        return NULL;
    }
    return resolver;
}

void resolver_free(struct resolver **resolver_pointer) {
    struct resolver *resolver = *resolver_pointer;
    if (resolver == NULL) {
        return;
    }
    *resolver_pointer = NULL;
    struct timespec until = timespec_of(monotonic_ns() + STOP_WAIT_NS);
    pthread_mutex_lock(&resolver->lock);
    resolver->stop = true;
    pthread_cond_signal(&resolver->wake);
    int failure = 0;
    while (!resolver->ended && failure == 0) {
        failure = pthread_cond_timedwait(&resolver->answered, &resolver->lock, &until);
    }
    bool ended = resolver->ended;
    resolver->abandoned = !ended;
    pthread_t thread = resolver->thread;
    pthread_mutex_unlock(&resolver->lock);
    if (ended) {
        pthread_join(thread, NULL);
        free_resolver(resolver);
    } else {
        pthread_detach(thread);
    }
}

struct resolver_name *resolver_watch(struct resolver *resolver, const char *host, uint16_t port) {
    struct resolver_name *name = must_calloc(1, sizeof *name);
    name->resolver = resolver;
    size_t length = strlen(host) + 1;
    name->host = must_malloc(length);
    memcpy(name->host, host, length);
    name->port = port;
    pthread_mutex_init(&name->lock, NULL);
    pthread_mutex_lock(&resolver->lock);
    enqueue(resolver, name, QUEUE_NEW);
    pthread_cond_signal(&resolver->wake);
    pthread_mutex_unlock(&resolver->lock);
    return name;
}

void resolver_forget(struct resolver_name **name_pointer) {
    struct resolver_name *name = *name_pointer;
    if (name == NULL) {
        return;
    }
    *name_pointer = NULL;
    struct resolver *resolver = name->resolver;
    pthread_mutex_lock(&resolver->lock);
    bool looking_up = name->looking_up;
    name->forgotten = true;
    if (!looking_up) {
        dequeue(resolver, name);
    }
    pthread_mutex_unlock(&resolver->lock);
    if (!looking_up) {
        free_name(name);
    }
}

void resolver_wait(struct resolver *resolver, struct resolver_name *const *names, size_t count, int64_t wait_ns) {
    struct timespec until = timespec_of(monotonic_ns() + wait_ns);
    pthread_mutex_lock(&resolver->lock);
    int failure = 0;
    for (size_t i = 0; i < count && failure == 0; i++) {
        while (!names[i]->answered && failure == 0) {
            failure = pthread_cond_timedwait(&resolver->answered, &resolver->lock, &until);
        }
    }
    pthread_mutex_unlock(&resolver->lock);
}
