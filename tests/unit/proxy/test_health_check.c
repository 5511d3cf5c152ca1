/* Active health checks on a real loop against a small origin of the test's own. */
#include "proxy/health_check.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <ev.h>
#include <string.h>
#include <unistd.h>

#include "proxy/origin_state.h"

#define SECOND INT64_C(1000000000)

static void answers_are_judged_by_their_first_line(void) {
    static const struct {
        const char *received;
        int verdict;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\n", 1},
        {"HTTP/1.0 302", 1},
        {"HTTP/1.1 404 ", 0},
        {"HTTP/1.1 503", 0},
        {"HTTP/1.1 100", 0},
        {"HTTP/1.1", -1},
        {"", -1},
        {"HTTP/1.1 20", -1},
        {"SSH-2.0", 0},
        {"HTTP/2.0 200", 0},
        {"HTTP/1.1 2x0", 0},
        {"HTTP/1.1x200", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CU_ASSERT_EQUAL(health_check_judge(span_of(rows[i].received)), rows[i].verdict);
    }
}

/* --- an origin that answers every connection with `answer` --- */

static struct ev_loop *loop;
static int listening = -1;
static uint16_t port;
static const char *answer; /* NULL: accepts and says nothing */
static char asked[2048];
static unsigned connections;
static int silent[64]; /* connections left open */
static size_t silent_count;

static void on_connection(struct ev_loop *own_loop, ev_io *io, int events) {
    (void)own_loop;
    (void)events;
    int fd = accept(io->fd, NULL, NULL);
    if (fd < 0) {
        return;
    }
    connections++;
    if (answer == NULL) {
        if (silent_count < sizeof silent / sizeof *silent) {
            silent[silent_count++] = fd;
        }
        return;
    }
    usleep(2000); /* for the request to arrive: both ends live in this thread's loop */
    ssize_t got = recv(fd, asked, sizeof asked - 1, MSG_DONTWAIT);
    asked[got > 0 ? got : 0] = '\0';
    ssize_t sent = send(fd, answer, strlen(answer), MSG_NOSIGNAL);
    CU_ASSERT(sent >= 0 || answer[0] == '\0');
    close(fd);
}

static ev_io acceptor;

static void listen_again(void) {
    listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_EQUAL_FATAL(bind(listening, (const struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listening, 64), 0);
    socklen_t length = sizeof address;
    getsockname(listening, (struct sockaddr *)&address, &length);
    port = ntohs(address.sin_port);
    ev_io_init(&acceptor, on_connection, listening, EV_READ);
    ev_io_start(loop, &acceptor);
}

static void stop_listening(void) {
    ev_io_stop(loop, &acceptor);
    close(listening);
    listening = -1;
}

static void on_tick(struct ev_loop *own_loop, ev_timer *timer, int events) {
    (void)own_loop;
    (void)timer;
    (void)events;
}

/* Runs the loop until the origin's usability is as expected; false after two seconds. */
static bool becomes(struct origin_runtime *origin, bool usable, int64_t now_ns) {
    ev_timer tick;
    ev_timer_init(&tick, on_tick, 0.005, 0.005);
    ev_timer_start(loop, &tick);
    for (int i = 0; i < 400 && origin_usable(origin, now_ns) != usable; i++) {
        ev_run(loop, EVRUN_ONCE);
    }
    ev_timer_stop(loop, &tick);
    return origin_usable(origin, now_ns) == usable;
}

static enum origin_scheme scheme = ORIGIN_HTTP;
static struct origin origin;
static struct balancer_member member;
static struct balancer balancer;
static const struct origin *const origin_list[] = {&origin};
static const struct balancer *const balancer_list[] = {&balancer};
static struct config config;
static struct origin_table *table;
static struct origins *state;

static void begin(const char *path, unsigned fails, unsigned passes) {
    connections = 0;
    port = 0;
    loop = ev_loop_new(EVFLAG_AUTO);
    listen_again();
    origin = (struct origin){.name = "http://127.0.0.1:1",
                             .scheme = scheme,
                             .host = "127.0.0.1",
                             .port = port,
                             .host_port = "127.0.0.1:1",
                             .retry_ns = 60 * SECOND,
                             .connect_timeout_ns = SECOND / 20};
    member = (struct balancer_member){.origin = &origin, .path = "/base/"};
    balancer = (struct balancer){.name = "balancer://pool",
                                 .members = &member,
                                 .member_count = 1,
                                 .health_path = path,
                                 .health_interval_ns = SECOND / 100,
                                 .health_passes = passes,
                                 .health_fails = fails};
    config =
        (struct config){.origins = origin_list, .origin_count = 1, .balancers = balancer_list, .balancer_count = 1};
    table = origin_table_new(loop);
    state = origins_new(table, &config, NULL, 0);
}

static void end(void) {
    origins_free(&state);
    origin_table_free(&table);
    if (listening >= 0) {
        stop_listening();
    }
    while (silent_count > 0) {
        close(silent[--silent_count]);
    }
    ev_loop_destroy(loop);
}

static void bad_answers_take_out_and_good_ones_bring_back(void) {
    answer = "HTTP/1.1 500 Broken\r\n\r\n";
    begin("/health", 3, 2);
    struct origin_runtime *runtime = origins_get(state, &origin);
    CU_ASSERT(origin_usable(runtime, 0));
    CU_ASSERT(becomes(runtime, false, 0));
    CU_ASSERT(connections >= 3);
    CU_ASSERT_PTR_EQUAL(strstr(asked, "GET /base/health HTTP/1.0\r\nHost: 127.0.0.1:1\r\n"), asked);
    answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    unsigned before = connections;
    CU_ASSERT(becomes(runtime, true, 0));
    CU_ASSERT(connections >= before + 2);
    end();
}

static void a_closed_port_is_noticed_and_a_good_check_ends_the_rest(void) {
    answer = "HTTP/1.1 200 OK\r\n\r\n";
    begin("/", 1, 1);
    struct origin_runtime *runtime = origins_get(state, &origin);
    stop_listening();
    CU_ASSERT(becomes(runtime, false, 0));
    origin_failed(runtime, &origin, 0);
    listen_again();
    CU_ASSERT(becomes(runtime, true, SECOND));
    end();
}

static void silence_is_no_answer(void) {
    answer = NULL;
    begin("/", 1, 1);
    CU_ASSERT(becomes(origins_get(state, &origin), false, 0));
    end();
}

static void of_an_https_origin_a_connect_is_enough(void) {
    answer = NULL;
    scheme = ORIGIN_HTTPS;
    begin("/", 1, 1);
    scheme = ORIGIN_HTTP;
    struct origin_runtime *runtime = origins_get(state, &origin);
    stop_listening();
    CU_ASSERT(becomes(runtime, false, 0));
    listen_again();
    CU_ASSERT(becomes(runtime, true, 0));
    end();
}

static void a_verdict_ends_with_the_checks(void) {
    answer = "no";
    begin("/", 1, 1);
    struct origin_runtime *runtime = origins_get(state, &origin);
    CU_ASSERT(becomes(runtime, false, 0));
    struct balancer unchecked = balancer;
    unchecked.health_path = NULL;
    const struct balancer *const list[] = {&unchecked};
    struct config next_config = {.origins = origin_list, .origin_count = 1, .balancers = list, .balancer_count = 1};
    struct origins *next = origins_new(table, &next_config, NULL, 0);
    CU_ASSERT(origin_usable(runtime, 0));
    origins_free(&next); /* the load failed after all: the generation before checks again */
    CU_ASSERT(becomes(runtime, false, 0));
    end();
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("health_check", NULL, NULL);
    CU_ADD_TEST(suite, answers_are_judged_by_their_first_line);
    CU_ADD_TEST(suite, bad_answers_take_out_and_good_ones_bring_back);
    CU_ADD_TEST(suite, a_closed_port_is_noticed_and_a_good_check_ends_the_rest);
    CU_ADD_TEST(suite, silence_is_no_answer);
    CU_ADD_TEST(suite, of_an_https_origin_a_connect_is_enough);
    CU_ADD_TEST(suite, a_verdict_ends_with_the_checks);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
