/* proxy/http_chunk.h: what is sent as chunks is decoded as what it was, through a peer that reads in fits and starts;
 * the end always finds its place; only harmless trailers are passed on. */
#include "proxy/http_chunk.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/http_body.h"
#include "tests/unit/proxy/given_worker.h"

static struct stream stream;
static struct arena arena;
static int peer;
static uint32_t seed;

static char received[1 << 20];
static size_t received_count;

static uint32_t next_random(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static void ready(struct stream *of, int events) {
    (void)of;
    (void)events;
}

static void open_pair(void) {
    int ends[2];
    int smallest = 1;
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
    peer = ends[1];
    received_count = 0;
    arena_init(&arena, NULL, 0);
    stream_open(&stream, &worker, ends[0], ready);
}

static void close_pair(void) {
    stream_close(&stream);
    close(peer);
    arena_reset(&arena);
}

static void receive(size_t most) {
    while (most > 0 && received_count < sizeof received) {
        size_t room = sizeof received - received_count;
        ssize_t count = recv(peer, received + received_count, most < room ? most : room, 0);
        if (count <= 0) {
            return;
        }
        received_count += (size_t)count;
        most -= (size_t)count;
    }
}

static void settle(void) {
    stream_want(&stream, stream.write_blocked ? EV_WRITE : 0);
    ev_run(worker.loop, EVRUN_NOWAIT);
}

static void flush_all(void) {
    while (!stream_flush(&stream) && !stream.unwritable) {
        receive(5000);
        settle();
    }
    receive(SIZE_MAX);
}

/* Decodes what was received and compares it; `head` bytes stand before the body. */
static void expect_body(const char *body, size_t length, size_t head, struct body_decoder *decoder) {
    struct span input = {received + head, received_count - head};
    size_t done = 0;
    bool same = true;
    enum body_status status;
    struct http_problem problem = {0};
    body_decoder_start(decoder, BODY_CHUNKED, 0, &arena);
    for (;;) {
        size_t skip = 0;
        struct span data;
        status = body_decode(decoder, input, true, &skip, &data, &problem);
        input = span_skip(input, skip);
        if (status != BODY_DATA) {
            break;
        }
        same = same && done + data.len <= length && memcmp(body + done, data.ptr, data.len) == 0;
        done += data.len;
        body_decoder_used(decoder, data.len);
        input = span_skip(input, data.len);
    }
    if (status != BODY_END) {
        (void)fprintf(stderr, "after %zu of %zu bytes: %s\n", done, length, problem.text);
    }
    CU_ASSERT_EQUAL(status, BODY_END);
    CU_ASSERT_EQUAL(input.len, 0);
    CU_ASSERT_TRUE(same);
    CU_ASSERT_EQUAL(done, length);
}

static void random_bodies_arrive(void) {
    static char body[200000];
    for (uint32_t round = 1; round <= 150; round++) {
        struct body_decoder decoder;
        seed = round;
        open_pair();
        size_t length = next_random() % (1u << next_random() % 18), done = 0;
        length = length < sizeof body ? length : sizeof body;
        for (size_t i = 0; i < length; i++) {
            body[i] = (char)next_random();
        }
        for (size_t turns = 0; done < length; turns++) {
            CU_ASSERT_TRUE_FATAL(turns < 1000000);
            size_t piece = 1 + next_random() % 40000;
            piece = piece < length - done ? piece : length - done;
            size_t taken = http_send_chunk(&stream, (struct span){body + done, piece});
            CU_ASSERT_TRUE_FATAL(taken <= piece);
            done += taken;
            if (next_random() % 3 == 0) {
                stream_flush(&stream);
            }
            receive(next_random() % 6000);
            settle();
        }
        http_send_last_chunk(&stream, &arena, NULL);
        flush_all();
        expect_body(body, length, 0, &decoder);
        close_pair();
    }
}

static void bytes_are_exact(void) {
    open_pair();
    CU_ASSERT_EQUAL(http_send_chunk(&stream, SPAN_LITERAL("hello")), 5);
    CU_ASSERT_EQUAL(http_send_chunk(&stream, SPAN_LITERAL("")), 0); /* not the last chunk */
    CU_ASSERT_EQUAL(http_send_chunk(&stream, SPAN_LITERAL("0123456789abcdef")), 16);
    http_send_last_chunk(&stream, &arena, NULL);
    flush_all();
    CU_ASSERT_TRUE(span_equal((struct span){received, received_count},
                              SPAN_LITERAL("5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n")));
    close_pair();
}

/* Whatever waits before it, a head queued behind others included, the end of the body is whole. */
static void the_end_always_finds_its_place(void) {
    static char head[BUFFER_LARGE_BYTES];
    memset(head, 'h', sizeof head);
    for (size_t left = 0; left < 40; left++) {
        for (size_t size = BUFFER_BLOCK_BYTES; size <= BUFFER_LARGE_BYTES; size += BUFFER_BLOCK_BYTES) {
            struct body_decoder decoder;
            open_pair();
            while (stream_send(&stream, (struct span){head, 4000}) > 0) {
            }
            size_t before = (size_t)stream.bytes_out;
            stream_put(&stream, SPAN_LITERAL("h"));
            if (!stream_lead(&stream, (struct span){head, size - 1 - left})) {
                CU_FAIL("a head that fits is not queued");
            }
            http_send_last_chunk(&stream, &arena, NULL);
            if (!stream.unwritable) { /* to give up is right; to send half an end is not */
                flush_all();
                expect_body("", 0, before + size - left, &decoder);
            }
            CU_ASSERT_TRUE(!stream.unwritable || (size == BUFFER_LARGE_BYTES && left < 5));
            close_pair();
        }
    }
}

static void harmless_trailers_are_passed_on(void) {
    static const char *const passed[] = {"X-Checksum", "Server-Timing", "ETag", "Digest"};
    static const char *const dropped[] = {
        "Content-Length", "Transfer-Encoding", "Host",       "Connection",       "Trailer",          "TE",
        "Upgrade",        "Authorization",     "Set-Cookie", "Content-Encoding", "Location",         "X-Forwarded-For",
        "content-RANGE",  "Cache-Control",     "Keep-Alive", "Proxy-Connection", "WWW-Authenticate", "Cookie",
        "Content-Type"};
    struct field_list list = {0};
    struct body_decoder decoder;
    open_pair();
    for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++) {
        fields_add(&list, &arena, span_of(dropped[i]), SPAN_LITERAL("no"));
        if (i < sizeof passed / sizeof passed[0]) {
            fields_add(&list, &arena, span_of(passed[i]), SPAN_LITERAL("yes"));
        }
    }
    http_send_last_chunk(&stream, &arena, &list);
    flush_all();
    expect_body("", 0, 0, &decoder);
    CU_ASSERT_EQUAL(decoder.trailers.count, sizeof passed / sizeof passed[0]);
    for (size_t i = 0; i < decoder.trailers.count; i++) {
        CU_ASSERT_TRUE(span_equal(decoder.trailers.fields[i].value, SPAN_LITERAL("yes")));
        CU_ASSERT_TRUE(span_equal(decoder.trailers.fields[i].name, span_of(passed[i])));
    }
    close_pair();
}

static void no_trailer_left_is_a_plain_end(void) {
    struct field_list list = {0};
    open_pair();
    http_send_last_chunk(&stream, &arena, &list);
    flush_all();
    CU_ASSERT_TRUE(span_equal((struct span){received, received_count}, SPAN_LITERAL("0\r\n\r\n")));
    close_pair();
    open_pair();
    list = (struct field_list){0};
    fields_add(&list, &arena, SPAN_LITERAL("Host"), SPAN_LITERAL("h"));
    http_send_last_chunk(&stream, &arena, &list);
    flush_all();
    CU_ASSERT_TRUE(span_equal((struct span){received, received_count}, SPAN_LITERAL("0\r\n\r\n")));
    close_pair();
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http_chunk", begin_worker, end_worker);
    CU_ADD_TEST(suite, random_bodies_arrive);
    CU_ADD_TEST(suite, bytes_are_exact);
    CU_ADD_TEST(suite, the_end_always_finds_its_place);
    CU_ADD_TEST(suite, harmless_trailers_are_passed_on);
    CU_ADD_TEST(suite, no_trailer_left_is_a_plain_end);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
