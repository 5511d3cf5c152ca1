/* Waiting for more than one byte at the sockets of fast origins. Called by exchange_relay.c and origin_pool.c, on the
 * worker's thread. Always true: a socket has its low-water mark raised exactly while it is in the ring, and the timer
 * is active exactly while somebody is. */
#include "proxy/gather.h"

#include <stddef.h>
#include <sys/socket.h>

#include "proxy/stream.h"
#include "proxy/worker.h"

static bool set_least(const struct stream *stream, int bytes) {
    return setsockopt(stream->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes) == 0;
}

void gather_forget(struct gathering *gathering) {
    if (!gather_is_on(gathering)) {
        return;
    }
    struct worker *worker = gathering->stream->worker;
    gathering->next->previous = gathering->previous;
    gathering->previous->next = gathering->next;
    gathering->next = gathering->previous = NULL;
    struct gathering *head = &worker->gathering.head;
    if (head->next == head) {
        ev_timer_stop(worker->loop, &worker->gathering.timer);
    }
}

void gather_end(struct gathering *gathering) {
    if (gather_is_on(gathering)) {
        gather_forget(gathering);
        (void)set_least(gathering->stream, 1); /* if something waits, the kernel tells now */
    }
}

/* A socket that nobody waits for, because its client takes no more, has not become slow. */
static bool is_stale(const struct gathering *gathering) {
    struct stream *stream = gathering->stream;
    bool is_awaited = ev_is_active(&stream->watcher) && (stream->watcher.events & EV_READ) != 0;
    return is_awaited && stream->bytes_in == gathering->ticked_bytes;
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    struct gather_ring *ring = timer->data;
    for (struct gathering *at = ring->head.next, *next; at != &ring->head; at = next) {
        next = at->next;
        if (is_stale(at)) {
            gather_end(at);
        } else {
            at->ticked_bytes = at->stream->bytes_in;
        }
    }
}

void gather_ring_init(struct gather_ring *ring) {
    ring->head.next = ring->head.previous = &ring->head;
    ev_timer_init(&ring->timer, on_tick, 0., (double)GATHER_TICK_NS / 1e9);
    ring->timer.data = ring;
}

bool gather_emptied(struct gathering *gathering, struct stream *stream) {
    struct worker *worker = stream->worker;
    uint64_t bytes = stream->bytes_in - gathering->mark_bytes;
    if (gather_is_on(gathering) || bytes < GATHER_BYTES) {
        return false;
    }
    int64_t took_ns = worker->now_ns - gathering->mark_ns;
    gathering->mark_bytes = stream->bytes_in;
    gathering->mark_ns = worker->now_ns;
    if (took_ns / GATHER_FAST_NS >= (int64_t)(bytes / GATHER_BYTES) || !set_least(stream, GATHER_BYTES)) {
        return false;
    }
    struct gathering *head = &worker->gathering.head;
    gathering->stream = stream;
    gathering->ticked_bytes = stream->bytes_in;
    gathering->next = head->next;
    gathering->previous = head;
    head->next->previous = gathering;
    head->next = gathering;
    if (!ev_is_active(&worker->gathering.timer)) {
        ev_timer_again(worker->loop, &worker->gathering.timer);
    }
    return true;
}
