/* proxy/splice.h: bytes arrive in order through a pipe of either size, and pipes are bounded and used again. */
#include "proxy/splice.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/worker.h"

enum { MANY = 40, SIZE = 300 * 1000, LARGE_BYTES = 1024 * 1024 };

static struct worker worker;

static void ready(struct stream *of, int events) {
    (void)of, (void)events;
}

static int open_stream(struct stream *stream) {
    int ends[2], room_bytes = 4 * LARGE_BYTES;
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room_bytes, sizeof room_bytes);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room_bytes, sizeof room_bytes);
    stream_open(stream, &worker, ends[0], ready);
    return ends[1];
}

/* Through the pipe, round by round, as the relay does. */
static void pass_through(struct splice_pipe *pipe) {
    struct stream from, to;
    int source = open_stream(&from), target = open_stream(&to);
    char *sent = malloc(SIZE), *got = malloc(SIZE);
    CU_ASSERT_FATAL(sent != NULL && got != NULL);
    size_t offered = 0, filled = 0, taken = 0;
    for (size_t i = 0; i < SIZE; i++) {
        sent[i] = (char)(i * 131 + (i >> 8));
    }
    for (int turn = 0; turn < 1000 && taken < SIZE; turn++) {
        ssize_t count = send(source, sent + offered, SIZE - offered, MSG_NOSIGNAL);
        offered += count > 0 ? (size_t)count : 0;
        size_t moved;
        enum stream_result result = splice_fill(pipe, &from, SIZE - filled, &moved);
        CU_ASSERT(result == STREAM_OK || result == STREAM_BLOCKED);
        filled += moved;
        to.write_blocked = false;
        splice_drain(pipe, &to, pipe->bytes);
        count = recv(target, got + taken, SIZE - taken, 0);
        taken += count > 0 ? (size_t)count : 0;
    }
    CU_ASSERT_EQUAL(taken, SIZE);
    CU_ASSERT_EQUAL(pipe->bytes, 0);
    CU_ASSERT_EQUAL(memcmp(sent, got, SIZE), 0);
    free(sent);
    free(got);
    stream_close(&from);
    stream_close(&to);
    close(source);
    close(target);
}

static void bytes_pass_in_order(void) {
    struct splice_pipe *pipe = splice_pipe_lend(&worker);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pipe);
    pass_through(pipe);
    splice_pipe_enlarge(&worker, pipe);
    CU_ASSERT_EQUAL(fcntl(pipe->write_fd, F_GETPIPE_SZ), (int)pipe->capacity);
    pass_through(pipe);
    splice_pipe_take_back(&worker, pipe);
    CU_ASSERT_PTR_EQUAL(splice_pipe_lend(&worker), pipe);
    splice_pipe_take_back(&worker, pipe);
    splice_free_spares(&worker);
    CU_ASSERT_EQUAL(worker.large_pipe_count, 0);
}

static void large_pipes_are_few(void) {
    struct splice_pipe *pipes[MANY];
    size_t large = 0;
    for (size_t i = 0; i < MANY; i++) {
        pipes[i] = splice_pipe_lend(&worker);
        CU_ASSERT_PTR_NOT_NULL_FATAL(pipes[i]);
        splice_pipe_enlarge(&worker, pipes[i]);
        splice_pipe_enlarge(&worker, pipes[i]);
        large += pipes[i]->capacity == LARGE_BYTES ? 1 : 0;
    }
    CU_ASSERT(large > 0 && large < MANY);
    CU_ASSERT_EQUAL(worker.large_pipe_count, large);
    for (size_t i = 0; i < MANY; i++) {
        splice_pipe_take_back(&worker, pipes[i]);
    }
    splice_free_spares(&worker);
    CU_ASSERT_EQUAL(worker.spare_pipe_count, 0);
    CU_ASSERT_EQUAL(worker.large_pipe_count, 0);
}

static void without_descriptors_nobody_asks_for_a_second(void) {
    static struct worker other = {.now_ns = 5};
    struct rlimit before, none;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    CU_ASSERT_PTR_NULL(splice_pipe_lend(&other));
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    other.now_ns += 999999999;
    CU_ASSERT_PTR_NULL(splice_pipe_lend(&other));
    other.now_ns += 1;
    struct splice_pipe *pipe = splice_pipe_lend(&other);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pipe);
    splice_pipe_take_back(&other, pipe);
    splice_free_spares(&other);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("splice", NULL, NULL);
    CU_ADD_TEST(suite, bytes_pass_in_order);
    CU_ADD_TEST(suite, large_pipes_are_few);
    CU_ADD_TEST(suite, without_descriptors_nobody_asks_for_a_second);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
