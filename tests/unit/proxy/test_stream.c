/* proxy/stream.h over a socket pair with tiny buffers: lead, queue and borrowed bytes arrive in order and once,
 * whatever the kernel takes; ends and failures are told as what they are. */
#include "proxy/stream.h"

#include <CUnit/Basic.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/proxy/given_worker.h"

static struct stream stream;
static int peer;
static uint32_t seed;

static uint32_t next_random(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static int events_seen;

static void ready(struct stream *of, int events) {
    CU_ASSERT_PTR_EQUAL(of, &stream);
    events_seen |= events;
}

static void open_pair(void) {
    int ends[2];
    int smallest = 1; /* the kernel makes it its least */
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
    peer = ends[1];
    events_seen = 0;
    stream_open(&stream, &worker, ends[0], ready);
}

static void close_pair(void) {
    stream_close(&stream);
    if (peer >= 0) {
        close(peer);
    }
    CU_ASSERT_EQUAL(worker.buffers.lent_bytes, 0);
}

/* --- writing -------------------------------------------------------------------------------------------------------
 */

/* The n-th byte that is meant to arrive. */
static char pattern(uint64_t n) {
    return (char)(n * 131 + (n >> 8) * 7 + (n >> 16));
}

struct flow {
    uint64_t promised; /* bytes handed to the stream for good */
    uint64_t arrived;
    bool same;
};

static char scratch[40000];
static char lead[3000];

static struct span next_bytes(const struct flow *flow, char *memory, size_t length) {
    for (size_t i = 0; i < length; i++) {
        memory[i] = pattern(flow->promised + i);
    }
    return (struct span){memory, length};
}

static void receive(struct flow *flow, size_t most) {
    static char bytes[8192];
    while (most > 0) {
        ssize_t count = recv(peer, bytes, most < sizeof bytes ? most : sizeof bytes, 0);
        if (count <= 0) {
            return;
        }
        for (ssize_t i = 0; i < count; i++) {
            flow->same &= bytes[i] == pattern(flow->arrived + (uint64_t)i);
        }
        flow->arrived += (uint64_t)count;
        most -= (size_t)count;
    }
}

static void write_something(struct flow *flow) {
    size_t length;
    switch (next_random() % 5) {
    case 0:
        /* A head stays where it is until the stream is empty, so there is one at a time here. */
        if (stream_out_empty(&stream)) {
            length = 1 + next_random() % sizeof lead;
            flow->same &= stream_lead(&stream, next_bytes(flow, lead, length));
            flow->promised += length;
        }
        break;
    case 1:
        length = next_random() % 5000;
        flow->promised += stream_put(&stream, next_bytes(flow, scratch, length));
        break;
    case 2:
        flow->same &= stream_flush(&stream) == stream_out_empty(&stream);
        break;
    default:
        length = next_random() % sizeof scratch;
        flow->promised += stream_send(&stream, next_bytes(flow, scratch, length));
        break;
    }
}

static void settle(void) {
    stream_want(&stream, stream.write_blocked ? EV_WRITE : 0);
    ev_run(worker.loop, EVRUN_NOWAIT);
}

static void bytes_arrive_in_order_and_once(void) {
    for (uint32_t round = 1; round <= 25; round++) {
        struct flow flow = {.same = true};
        seed = round;
        open_pair();
        for (size_t i = 0; i < 1500 && flow.same; i++) {
            write_something(&flow);
            if (next_random() % 3 == 0) {
                receive(&flow, next_random() % 9000);
            }
            settle();
        }
        while (!stream_flush(&stream) && !stream.unwritable) {
            receive(&flow, 1000);
            settle();
        }
        receive(&flow, SIZE_MAX);
        CU_ASSERT_TRUE(flow.same);
        CU_ASSERT_TRUE(flow.promised > 100000);
        CU_ASSERT_EQUAL(flow.arrived, flow.promised);
        CU_ASSERT_EQUAL(stream.bytes_out, flow.promised);
        close_pair();
    }
}

/* Heads behind what waits are copied, so theirs may be anywhere and gone the next moment. */
static void a_head_behind_others_is_queued(void) {
    for (uint32_t round = 1; round <= 40; round++) {
        struct flow flow = {.same = true};
        seed = round;
        open_pair();
        stream_put(&stream, next_bytes(&flow, scratch, 10));
        flow.promised += 10;
        for (size_t i = 0; i < 400 && flow.same && !stream.unwritable; i++) {
            size_t length = 1 + next_random() % 5000;
            size_t queued = buffer_length(&stream.out);
            bool fits = queued + length <= BUFFER_LARGE_BYTES && queued > 0;
            if (fits) {
                char *head = malloc(length);
                CU_ASSERT_PTR_NOT_NULL_FATAL(head);
                flow.same &= stream_lead(&stream, next_bytes(&flow, head, length));
                free(head);
                flow.promised += length;
            } else {
                flow.promised += stream_put(&stream, next_bytes(&flow, scratch, 1));
            }
            stream_flush(&stream);
            if (next_random() % 2 == 0) {
                receive(&flow, next_random() % 9000);
            }
            settle();
        }
        while (!stream_flush(&stream) && !stream.unwritable) {
            receive(&flow, 1000);
            settle();
        }
        receive(&flow, SIZE_MAX);
        CU_ASSERT_FALSE(stream.unwritable);
        CU_ASSERT_TRUE(flow.same);
        CU_ASSERT_EQUAL(flow.arrived, flow.promised);
        close_pair();
    }
}

/* What a peer that does not read can make weir hold ends at 64 KiB. */
static void heads_do_not_queue_without_bound(void) {
    open_pair();
    memset(scratch, 'x', sizeof scratch);
    while (stream_send(&stream, (struct span){scratch, sizeof scratch}) > 0) {
    }
    stream_put(&stream, SPAN_LITERAL("x"));
    size_t heads = 0;
    while (heads < 1000 && stream_lead(&stream, (struct span){scratch, 3000})) {
        heads++;
    }
    CU_ASSERT_TRUE(heads >= 20 && heads < 25);
    CU_ASSERT_TRUE(stream.unwritable);
    CU_ASSERT_EQUAL(stream_send(&stream, SPAN_LITERAL("y")), 0);
    CU_ASSERT_FALSE(stream_flush(&stream));
    close_pair();
}

static void a_blocked_write_waits_for_its_event(void) {
    open_pair();
    while (stream_send(&stream, (struct span){scratch, sizeof scratch}) > 0) {
    }
    CU_ASSERT_TRUE(stream.write_blocked);
    struct flow flow = {0};
    receive(&flow, SIZE_MAX);
    CU_ASSERT_EQUAL(stream_send(&stream, SPAN_LITERAL("y")), 0); /* nobody has said that it can be written to */
    stream_want(&stream, EV_WRITE);
    ev_run(worker.loop, EVRUN_NOWAIT);
    CU_ASSERT_EQUAL(events_seen, EV_WRITE);
    CU_ASSERT_FALSE(stream.write_blocked);
    CU_ASSERT_EQUAL(stream_send(&stream, SPAN_LITERAL("y")), 1);
    close_pair();
}

static void writing_to_nobody_fails_softly(void) {
    open_pair();
    close(peer);
    peer = -1;
    CU_ASSERT_EQUAL(stream_send(&stream, SPAN_LITERAL("hello")), 0); /* and no SIGPIPE */
    CU_ASSERT_TRUE(stream.unwritable);
    CU_ASSERT_EQUAL(stream_send(&stream, SPAN_LITERAL("hello")), 0);
    close_pair();
}

static void sending_nothing_is_nothing(void) {
    open_pair();
    CU_ASSERT_EQUAL(stream_send(&stream, SPAN_NONE), 0);
    CU_ASSERT_TRUE(stream_flush(&stream));
    CU_ASSERT_FALSE(stream.write_blocked);
    CU_ASSERT_EQUAL(stream.bytes_out, 0);
    close_pair();
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

static void what_comes_is_read_in_order(void) {
    struct flow flow = {.same = true};
    seed = 5;
    open_pair();
    for (size_t i = 0; i < 3000; i++) {
        size_t length = next_random() % 9000;
        ssize_t sent = send(peer, next_bytes(&flow, scratch, length).ptr, length, MSG_NOSIGNAL);
        flow.promised += sent > 0 ? (uint64_t)sent : 0;
        size_t before = buffer_length(&stream.in);
        enum stream_result result = stream_fill(&stream);
        size_t now = buffer_length(&stream.in);
        CU_ASSERT_TRUE(result == STREAM_OK || result == STREAM_BLOCKED);
        CU_ASSERT_EQUAL(result == STREAM_OK, now > before);
        struct span content = buffer_content(&stream.in);
        size_t use = now > 0 ? next_random() % (now + 1) : 0;
        for (size_t at = 0; at < use; at++) {
            flow.same &= content.ptr[at] == pattern(flow.arrived + at);
        }
        buffer_consume(&stream.in, use);
        flow.arrived += use;
    }
    CU_ASSERT_TRUE(flow.same);
    CU_ASSERT_TRUE(flow.arrived > 1000000);
    CU_ASSERT_EQUAL(stream.bytes_in, flow.arrived + buffer_length(&stream.in));
    close_pair();
}

static void a_full_buffer_blocks(void) {
    open_pair();
    size_t given = 0;
    enum stream_result result = STREAM_OK;
    for (size_t i = 0; i < 10000 && result == STREAM_OK; i++) {
        ssize_t sent = send(peer, scratch, 1000, MSG_NOSIGNAL);
        given += sent > 0 ? (size_t)sent : 0;
        result = stream_fill(&stream);
    }
    CU_ASSERT_EQUAL(result, STREAM_BLOCKED);
    CU_ASSERT_EQUAL(buffer_length(&stream.in), BUFFER_BLOCK_BYTES);
    CU_ASSERT_TRUE(given > BUFFER_BLOCK_BYTES);
    CU_ASSERT_FALSE(stream.read_short); /* more is waiting */
    buffer_consume(&stream.in, 100);
    CU_ASSERT_EQUAL(stream_fill(&stream), STREAM_OK);
    close_pair();
}

static void a_short_read_says_that_no_more_waits(void) {
    open_pair();
    CU_ASSERT_EQUAL(stream_fill(&stream), STREAM_BLOCKED);
    CU_ASSERT_TRUE(stream.read_short);
    CU_ASSERT_EQUAL(send(peer, "abc", 3, 0), 3);
    stream_want(&stream, EV_READ);
    ev_run(worker.loop, EVRUN_NOWAIT);
    CU_ASSERT_EQUAL(events_seen, EV_READ);
    CU_ASSERT_FALSE(stream.read_short);
    CU_ASSERT_EQUAL(stream_fill(&stream), STREAM_OK);
    CU_ASSERT_TRUE(stream.read_short);
    CU_ASSERT_TRUE(span_equal(buffer_content(&stream.in), SPAN_LITERAL("abc")));
    close_pair();
}

static void the_peers_end_is_told_after_its_bytes(void) {
    open_pair();
    CU_ASSERT_EQUAL(send(peer, "abc", 3, 0), 3);
    shutdown(peer, SHUT_WR);
    CU_ASSERT_EQUAL(stream_fill(&stream), STREAM_OK);
    CU_ASSERT_EQUAL(stream_fill(&stream), STREAM_EOF);
    CU_ASSERT_TRUE(stream.eof);
    CU_ASSERT_EQUAL(stream_fill(&stream), STREAM_EOF);
    CU_ASSERT_TRUE(span_equal(buffer_content(&stream.in), SPAN_LITERAL("abc")));
    CU_ASSERT_EQUAL(stream_send(&stream, SPAN_LITERAL("still")), 5); /* a half-closed peer is served to the end */
    CU_ASSERT_FALSE(stream.unwritable);
    close_pair();
}

static void our_end_is_told_to_the_peer(void) {
    char byte;
    open_pair();
    CU_ASSERT_EQUAL(stream_send(&stream, SPAN_LITERAL("x")), 1);
    stream_shutdown(&stream);
    CU_ASSERT_EQUAL(recv(peer, &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(recv(peer, &byte, 1, 0), 0);
    CU_ASSERT_EQUAL(send(peer, "y", 1, MSG_NOSIGNAL), 1);
    CU_ASSERT_EQUAL(stream_fill(&stream), STREAM_OK);
    close_pair();
}

/* --- watching ------------------------------------------------------------------------------------------------------
 */

static void what_is_wanted_is_watched(void) {
    static const int wants[] = {0, EV_READ, EV_READ | EV_WRITE, EV_WRITE, 0, EV_WRITE, EV_READ, EV_READ, 0};
    open_pair();
    CU_ASSERT_EQUAL(send(peer, "x", 1, 0), 1);
    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++) {
        stream_want(&stream, wants[i]);
        events_seen = 0;
        ev_run(worker.loop, EVRUN_NOWAIT);
        CU_ASSERT_EQUAL(events_seen, wants[i]);
    }
    close_pair();
}

static void closing_twice_is_harmless(void) {
    open_pair();
    stream_want(&stream, EV_READ | EV_WRITE);
    stream_put(&stream, SPAN_LITERAL("x"));
    stream_fill(&stream);
    stream_close(&stream);
    CU_ASSERT_EQUAL(stream.fd, -1);
    CU_ASSERT_EQUAL(worker.buffers.lent_bytes, 0);
    CU_ASSERT_TRUE(stream_out_empty(&stream));
    stream_close(&stream);
    stream_want(&stream, EV_READ);
    stream_shutdown(&stream);
    events_seen = 0;
    ev_run(worker.loop, EVRUN_NOWAIT);
    CU_ASSERT_EQUAL(events_seen, 0);
    close_pair();
}

/* --- the end of a connection ---------------------------------------------------------------------------------------
 */

/* TCP, because it is there that bytes wait for the end. */
static void open_tcp_pair(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 1), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    CU_ASSERT_EQUAL_FATAL(connect(peer, (const struct sockaddr *)&address, sizeof address), 0);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    close(listener);
    stream_open(&stream, &worker, fd, ready);
}

/* Bytes wait for the end and arrive with it, also when the peer has sent something that nobody reads: a socket that is
 * closed then is reset. */
static void last_bytes_arrive_with_the_end(void) {
    for (int unread = 0; unread < 2; unread++) {
        open_tcp_pair();
        stream.ends = true;
        CU_ASSERT_EQUAL(stream_send(&stream, SPAN_LITERAL("the last")), 8);
        char bytes[32];
        int waiting = 0;
        CU_ASSERT_EQUAL(ioctl(stream.fd, SIOCOUTQNSD, &waiting), 0);
        CU_ASSERT_EQUAL(waiting, 8);
        CU_ASSERT_EQUAL(send(peer, "more", 4, 0), 4);
        if (unread == 0) {
            struct pollfd comes = {.fd = stream.fd, .events = POLLIN};
            CU_ASSERT_EQUAL(poll(&comes, 1, 5000), 1);
            CU_ASSERT_EQUAL(recv(stream.fd, bytes, sizeof bytes, 0), 4);
        }
        stream_say_end(&stream);
        stream_close(&stream);
        CU_ASSERT_EQUAL(recv(peer, bytes, sizeof bytes, 0), 8);
        CU_ASSERT_EQUAL(memcmp(bytes, "the last", 8), 0);
        close_pair();
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stream", begin_worker, end_worker);
    CU_ADD_TEST(suite, bytes_arrive_in_order_and_once);
    CU_ADD_TEST(suite, a_head_behind_others_is_queued);
    CU_ADD_TEST(suite, heads_do_not_queue_without_bound);
    CU_ADD_TEST(suite, a_blocked_write_waits_for_its_event);
    CU_ADD_TEST(suite, writing_to_nobody_fails_softly);
    CU_ADD_TEST(suite, sending_nothing_is_nothing);
    CU_ADD_TEST(suite, what_comes_is_read_in_order);
    CU_ADD_TEST(suite, a_full_buffer_blocks);
    CU_ADD_TEST(suite, a_short_read_says_that_no_more_waits);
    CU_ADD_TEST(suite, the_peers_end_is_told_after_its_bytes);
    CU_ADD_TEST(suite, our_end_is_told_to_the_peer);
    CU_ADD_TEST(suite, last_bytes_arrive_with_the_end);
    CU_ADD_TEST(suite, what_is_wanted_is_watched);
    CU_ADD_TEST(suite, closing_twice_is_harmless);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
