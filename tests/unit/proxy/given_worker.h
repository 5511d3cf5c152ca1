/* A worker with a loop and buffers, and nothing else: enough for streams. For a suite's begin and end. */
#ifndef WEIR_TESTS_UNIT_PROXY_GIVEN_WORKER_H
#define WEIR_TESTS_UNIT_PROXY_GIVEN_WORKER_H

#include "proxy/worker.h"

static struct worker worker;

static inline int begin_worker(void) {
    worker.loop = ev_loop_new(0);
    buffer_pool_init(&worker.buffers);
    return worker.loop != NULL ? 0 : 1;
}

static inline int end_worker(void) {
    buffer_pool_free(&worker.buffers);
    ev_loop_destroy(worker.loop);
    return 0;
}

#endif
