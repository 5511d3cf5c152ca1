/* proxy/smoothing.h: pieces carry what they were cut from, whatever its parts and however little the socket takes. */
#include "proxy/smoothing.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/stream.h"

enum { ROUNDS = 400, PART_MAX = 40000 };

static uint32_t seed;

static uint32_t next_random(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

/* Reads what is there and says whether it goes on as it should. */
static bool reads_on(int fd, const char *expected, size_t *at, size_t length) {
    static char bytes[PART_MAX];
    bool alike = true;
    for (;;) {
        ssize_t count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (count <= 0) {
            return alike;
        }
        alike &= *at + (size_t)count <= length && memcmp(bytes, expected + *at, (size_t)count) == 0;
        *at += (size_t)count;
    }
}

static void skip(struct iovec *parts, size_t *first, size_t count) {
    while (count > 0) {
        size_t taken = count < parts[*first].iov_len ? count : parts[*first].iov_len;
        parts[*first].iov_base = (char *)parts[*first].iov_base + taken;
        parts[*first].iov_len -= taken;
        count -= taken;
        *first += parts[*first].iov_len == 0 ? 1 : 0;
    }
}

static void pieces_carry_all_in_order(void) {
    static char all[3 * PART_MAX];
    int ends[2];
    unsigned blocked = 0;
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (char)next_random();
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct iovec parts[3];
        size_t count = 1 + next_random() % 3, length = 0, first = 0, sent = 0, got = 0;
        for (size_t i = 0; i < count; i++) {
            parts[i] = (struct iovec){all + length, 1 + next_random() % (PART_MAX - 1)};
            length += parts[i].iov_len;
        }
        size_t piece_bytes = 1 + next_random() % 20000;
        piece_bytes = length / piece_bytes < 60 ? piece_bytes : 2896;
        while (sent < length) {
            ssize_t taken = smoothing_send(ends[0], parts + first, count - first, piece_bytes);
            if (taken < 0) {
                CU_ASSERT_EQUAL_FATAL(errno, EAGAIN);
                blocked++;
                CU_ASSERT_TRUE(reads_on(ends[1], all, &got, length));
                continue;
            }
            sent += (size_t)taken;
            skip(parts, &first, (size_t)taken);
        }
        CU_ASSERT_TRUE(reads_on(ends[1], all, &got, length));
        CU_ASSERT_EQUAL(got, length);
    }
    CU_ASSERT_TRUE(blocked > 0);
    close(ends[0]);
    close(ends[1]);
}

static void a_broken_socket_is_an_error(void) {
    int ends[2];
    char bytes[10] = "";
    const struct iovec part = {bytes, sizeof bytes};
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    close(ends[1]);
    CU_ASSERT_EQUAL(smoothing_send(ends[0], &part, 1, 3), -1);
    CU_ASSERT_EQUAL(errno, EPIPE);
    close(ends[0]);
}

/* What the kernel was told, by what it says. */
static unsigned pace_of(int fd) {
    unsigned pace = 0;
    socklen_t length = sizeof pace;
    CU_ASSERT_EQUAL(getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pace, &length), 0);
    return pace;
}

static void only_turns_with_several_pieces_are_spread(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    struct stream stream = {.fd = fd};
    smoothing_set(&stream, 1000000);
    CU_ASSERT_EQUAL(pace_of(fd), 1125000);
    CU_ASSERT_TRUE(stream.piece_bytes >= 10000 && stream.piece_bytes < 11500);
    smoothing_set(&stream, 1040000); /* not worth telling */
    CU_ASSERT_EQUAL(pace_of(fd), 1125000);
    smoothing_set(&stream, 500000);
    CU_ASSERT_EQUAL(pace_of(fd), 562500);
    smoothing_set(&stream, 20000); /* a turn is a piece */
    CU_ASSERT_EQUAL(pace_of(fd), UINT32_MAX);
    CU_ASSERT_EQUAL(stream.piece_bytes, 0);
    smoothing_set(&stream, 2000000);
    CU_ASSERT_EQUAL(pace_of(fd), 2250000);
    smoothing_set(&stream, 100000000); /* turns follow each other closely */
    CU_ASSERT_EQUAL(pace_of(fd), UINT32_MAX);
    smoothing_set(&stream, 2000000);
    smoothing_end(&stream);
    CU_ASSERT_EQUAL(pace_of(fd), UINT32_MAX);
    close(fd);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("smoothing", NULL, NULL);
    CU_ADD_TEST(suite, pieces_carry_all_in_order);
    CU_ADD_TEST(suite, a_broken_socket_is_an_error);
    CU_ADD_TEST(suite, only_turns_with_several_pieces_are_spread);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
