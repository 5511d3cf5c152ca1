/* proxy/gather.h over a TCP connection of this machine: who begins to gather, what the kernel then tells of, and that
 * nothing waits for ever. */
#include "proxy/gather.h"

#include <CUnit/Basic.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/origin_state.h"
#include "proxy/stream.h"
#include "tests/unit/proxy/given_worker.h"

#define MS INT64_C(1000000)

static unsigned events_seen;

struct pair {
    struct stream stream;
    struct gathering gathering;
    int peer;
};

/* As the relay would: takes what is there. */
static void ready(struct stream *of, int events) {
    (void)events;
    static char bytes[65536];
    events_seen++;
    ssize_t count = recv(of->fd, bytes, sizeof bytes, 0);
    of->bytes_in += count > 0 ? (uint64_t)count : 0;
    stream_want(of, 0);
}

static void open_pair(struct pair *pair) {
    *pair = (struct pair){.peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    union socket_address address = {.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address.v4;
    CU_ASSERT_EQUAL_FATAL(bind(listener, &address.any, length), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 1), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(listener, &address.any, &length), 0);
    CU_ASSERT_EQUAL_FATAL(connect(pair->peer, &address.any, length), 0);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CU_ASSERT_FATAL(fd >= 0);
    close(listener);
    stream_open(&pair->stream, &worker, fd, ready);
    events_seen = 0;
}

static void close_pair(struct pair *pair) {
    gather_forget(&pair->gathering);
    stream_close(&pair->stream);
    close(pair->peer);
    CU_ASSERT_FALSE(ev_is_active(&worker.gathering.timer));
    CU_ASSERT_PTR_EQUAL(worker.gathering.head.next, &worker.gathering.head);
}

static int least_of(const struct pair *pair) {
    int bytes = 0;
    socklen_t length = sizeof bytes;
    CU_ASSERT_EQUAL(getsockopt(pair->stream.fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, &length), 0);
    return bytes;
}

static bool is_readable(const struct pair *pair, int wait_ms) {
    struct pollfd wanted = {.fd = pair->stream.fd, .events = POLLIN};
    return poll(&wanted, 1, wait_ms) == 1;
}

static void send_bytes(const struct pair *pair, size_t count) {
    static const char bytes[GATHER_BYTES];
    while (count > 0) {
        ssize_t sent = send(pair->peer, bytes, count < sizeof bytes ? count : sizeof bytes, MSG_NOSIGNAL);
        CU_ASSERT_FATAL(sent > 0);
        count -= (size_t)sent;
    }
}

/* As if so much had come in that time, and all of it had been read. */
static bool emptied(struct pair *pair, uint64_t bytes, int64_t took_ns) {
    pair->stream.bytes_in += bytes;
    worker.now_ns += took_ns;
    return gather_emptied(&pair->gathering, &pair->stream);
}

static void make_it_gather(struct pair *pair) {
    (void)emptied(pair, GATHER_BYTES, 1000 * MS);
    CU_ASSERT_TRUE_FATAL(emptied(pair, GATHER_BYTES, MS / 2));
    CU_ASSERT_TRUE(gather_is_on(&pair->gathering));
}

/* One that gathers, to which so much has been sent meanwhile. */
static void open_gathering_pair(struct pair *pair, size_t sent_bytes) {
    open_pair(pair);
    make_it_gather(pair);
    send_bytes(pair, sent_bytes);
}

static void on_stop(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)events;
    *(bool *)timer->data = true;
    ev_break(loop, EVBREAK_ALL);
}

/* Runs the loop for so long, or until there was an event. */
static void run_loop(double seconds) {
    bool over = false;
    ev_timer stop;
    ev_timer_init(&stop, on_stop, seconds, 0.);
    stop.data = &over;
    ev_now_update(worker.loop);
    ev_timer_start(worker.loop, &stop);
    while (!over && events_seen == 0) {
        ev_run(worker.loop, EVRUN_ONCE);
    }
    ev_timer_stop(worker.loop, &stop);
}

static void only_what_came_fast_gathers(void) {
    struct pair pair;
    open_pair(&pair);
    CU_ASSERT_FALSE(emptied(&pair, GATHER_BYTES, 1000 * MS)); /* a mark to measure from */
    CU_ASSERT_FALSE(emptied(&pair, GATHER_BYTES, 2 * MS));
    CU_ASSERT_FALSE(emptied(&pair, GATHER_BYTES - 1, 0)); /* too little to tell: the mark stays */
    CU_ASSERT_FALSE(emptied(&pair, 1, MS));
    CU_ASSERT_FALSE(emptied(&pair, 4 * GATHER_BYTES, 4 * MS));
    CU_ASSERT_EQUAL(least_of(&pair), 1);
    CU_ASSERT_TRUE(emptied(&pair, 4 * GATHER_BYTES, 3 * MS));
    CU_ASSERT_EQUAL(least_of(&pair), GATHER_BYTES);
    CU_ASSERT_FALSE(emptied(&pair, 4 * GATHER_BYTES, 0)); /* it does already */
    gather_end(&pair.gathering);
    gather_end(&pair.gathering);
    CU_ASSERT_FALSE(gather_is_on(&pair.gathering));
    CU_ASSERT_EQUAL(least_of(&pair), 1);
    close_pair(&pair);
}

static void the_kernel_waits_for_enough(void) {
    struct pair pair;
    open_gathering_pair(&pair, 1000);
    CU_ASSERT_FALSE(is_readable(&pair, 50));
    send_bytes(&pair, GATHER_BYTES - 1000);
    CU_ASSERT_TRUE(is_readable(&pair, 5000));
    close_pair(&pair);
}

static void what_waits_is_told_of_at_the_end(void) {
    struct pair pair;
    open_gathering_pair(&pair, 1000);
    CU_ASSERT_FALSE(is_readable(&pair, 50));
    gather_end(&pair.gathering);
    CU_ASSERT_TRUE(is_readable(&pair, 5000));
    close_pair(&pair);
}

static void the_peers_end_is_told_of_at_once(void) {
    struct pair pair;
    open_gathering_pair(&pair, 1000);
    shutdown(pair.peer, SHUT_WR);
    CU_ASSERT_TRUE(is_readable(&pair, 5000));
    CU_ASSERT_TRUE(gather_is_on(&pair.gathering));
    close_pair(&pair);
}

static void a_peer_that_slows_down_is_read_all_the_same(void) {
    struct pair pair;
    open_gathering_pair(&pair, 1000);
    stream_want(&pair.stream, EV_READ);
    run_loop(10.);
    CU_ASSERT_EQUAL(events_seen, 1);
    CU_ASSERT_FALSE(gather_is_on(&pair.gathering));
    CU_ASSERT_EQUAL(least_of(&pair), 1);
    close_pair(&pair);
}

static void who_is_not_waited_for_has_not_slowed_down(void) {
    struct pair pair, other;
    open_gathering_pair(&pair, 0);
    open_gathering_pair(&other, 1000);
    stream_want(&other.stream, EV_READ);
    run_loop(10.);
    CU_ASSERT_EQUAL(events_seen, 1);
    events_seen = 0;
    run_loop(0.05); /* many ticks */
    CU_ASSERT_FALSE(gather_is_on(&other.gathering));
    CU_ASSERT_TRUE(gather_is_on(&pair.gathering));
    CU_ASSERT_EQUAL(least_of(&pair), GATHER_BYTES);
    stream_close(&other.stream);
    close(other.peer);
    close_pair(&pair);
}

static int begin(void) {
    worker.now_ns = 1000000 * MS;
    gather_ring_init(&worker.gathering);
    return begin_worker();
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("gather", begin, end_worker);
    CU_ADD_TEST(suite, only_what_came_fast_gathers);
    CU_ADD_TEST(suite, the_kernel_waits_for_enough);
    CU_ADD_TEST(suite, what_waits_is_told_of_at_the_end);
    CU_ADD_TEST(suite, the_peers_end_is_told_of_at_once);
    CU_ADD_TEST(suite, a_peer_that_slows_down_is_read_all_the_same);
    CU_ADD_TEST(suite, who_is_not_waited_for_has_not_slowed_down);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
