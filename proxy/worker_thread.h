/* What worker.c and worker_accept.c share beyond struct worker: the watchers that nobody else needs to know. */
#ifndef WEIR_PROXY_WORKER_THREAD_H
#define WEIR_PROXY_WORKER_THREAD_H

#include "proxy/worker.h"

struct worker_thread {
    struct worker worker; /* first: a pointer to it is a pointer to this */
    char name[24];        /* "worker 1" */
    atomic_bool ended;    /* set last by the thread, read by any */
    ev_timer wheel_timer; /* active while wheel_tick is not DEADLINE_NEVER */
    int64_t wheel_tick;   /* that the timer waits for */
    ev_timer drain_timer;
    ev_timer rest_timer;       /* active: out of descriptors or memory, nothing is accepted */
    int64_t full_logged_at_ns; /* when MaxConnections was last said to be reached; 0: never */
};

#endif
