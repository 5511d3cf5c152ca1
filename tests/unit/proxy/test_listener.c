/* proxy/listener.h: sockets bound as the listener says, kept across configurations, and handed over as text. */
#include "proxy/listener.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct ip_address loopback = {IP_V4, {127, 0, 0, 1}};

static uint16_t bound_port(int fd) {
    struct sockaddr_in6 address;
    socklen_t length = sizeof address;
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin6_port); /* at the same place as sin_port */
}

static int option(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    getsockopt(fd, level, name, &value, &length);
    return value;
}

/* A port that was free a moment ago. */
static uint16_t free_port(void) {
    struct listener any = {.name = "any", .address = loopback};
    char *error = NULL;
    int fd = listener_open_socket(&any, false, &error);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    uint16_t port = bound_port(fd);
    close(fd);
    return port;
}

static int connect_to(int family, uint16_t port) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(family, SOCK_STREAM, 0);
    int result = fd < 0              ? -1
                 : family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof v4)
                                     : connect(fd, (struct sockaddr *)&v6, sizeof v6);
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

static bool has_v6(void) {
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&v6, sizeof v6) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return has;
}

static void test_socket_options(void) {
    struct listener listener = {.name = "127.0.0.1:0", .address = loopback};
    char *error = NULL;
    int fd = listener_open_socket(&listener, false, &error);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_PTR_NULL(error);
    CU_ASSERT_EQUAL(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    CU_ASSERT_EQUAL(option(fd, SOL_SOCKET, SO_REUSEPORT), 1);
    CU_ASSERT_EQUAL(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    CU_ASSERT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CU_ASSERT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void test_any_address_takes_both_families(void) {
    struct listener listener = {.name = "*", .port = free_port()};
    char *error = NULL;
    int fd = listener_open_socket(&listener, true, &error);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(connect_to(AF_INET, listener.port), 0);
    if (has_v6()) {
        CU_ASSERT_EQUAL(connect_to(AF_INET6, listener.port), 0);
    }
    close(fd);
}

static void test_v6_any_is_v6_only(void) {
    if (!has_v6()) {
        return;
    }
    struct listener listener = {.name = "[::]", .address = {.family = IP_V6}, .port = free_port()};
    char *error = NULL;
    int fd = listener_open_socket(&listener, true, &error);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(connect_to(AF_INET6, listener.port), 0);
    CU_ASSERT_NOT_EQUAL(connect_to(AF_INET, listener.port), 0);
    close(fd);
}

static void test_address_in_use(void) {
    struct listener listener = {.name = "127.0.0.1:x", .address = loopback, .port = free_port()};
    char *error = NULL;
    int fd = listener_open_socket(&listener, true, &error);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    int shared = listener_open_socket(&listener, false, &error); /* the second worker's */
    CU_ASSERT_TRUE(shared >= 0);
    CU_ASSERT_EQUAL(listener_open_socket(&listener, true, &error), -1); /* another program */
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "cannot listen on 127.0.0.1:x"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "another program listens there"));
    free(error);
    close(shared);
    close(fd);
}

static void test_unix_socket(void) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/weir-test-listen-%ld", (long)getpid());
    struct listener listener = {.name = "unix:test", .unix_path = path};
    char *error = NULL;
    int fd = listener_open_socket(&listener, true, &error);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    struct stat status;
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0666);
    CU_ASSERT_EQUAL(listener_open_socket(&listener, true, &error), -1); /* alive */
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    free(error);
    error = NULL;
    close(fd);
    fd = listener_open_socket(&listener, true, &error); /* left over */
    CU_ASSERT_TRUE(fd >= 0);
    close(fd);
    unlink(path);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(fd);
    CU_ASSERT_EQUAL(listener_open_socket(&listener, true, &error), -1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "is no socket"));
    CU_ASSERT_EQUAL(access(path, F_OK), 0); /* a file of somebody else is never removed */
    free(error);
    unlink(path);
    char longest[200];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    listener.unix_path = longest;
    CU_ASSERT_EQUAL(listener_open_socket(&listener, true, &error), -1);
    free(error);
}

static struct config config_of(struct listener *listeners, size_t count) {
    return (struct config){.listeners = listeners, .listener_count = count};
}

static size_t lend_all(struct listener_set *set, unsigned worker, int *fds) {
    const char *name;
    size_t count = 0;
    while (listener_set_lend(set, worker, &name, &fds[count])) {
        count++;
    }
    return count;
}

static void close_all(const int *fds, size_t count) {
    for (size_t i = 0; i < count; i++) {
        close(fds[i]);
    }
}

static void test_set_across_reloads(void) {
    struct listener listeners[] = {
        {.name = "a", .address = loopback, .port = free_port()},
        {.name = "b", .address = loopback, .port = free_port()},
    };
    struct config first = config_of(listeners, 1), both = config_of(listeners, 2), second = config_of(listeners + 1, 1);
    struct listener_set *set = listener_set_new();
    char *error;
    int fds[16];
    CU_ASSERT_TRUE_FATAL(listener_set_open(set, &first, 2, &error));
    CU_ASSERT_EQUAL_FATAL(lend_all(set, 0, fds), 1);
    CU_ASSERT_EQUAL_FATAL(lend_all(set, 1, fds + 1), 1);
    CU_ASSERT_EQUAL(lend_all(set, 1, fds + 2), 0);
    CU_ASSERT_EQUAL(bound_port(fds[0]), listeners[0].port);
    CU_ASSERT_NOT_EQUAL(fds[0], fds[1]);

    CU_ASSERT_TRUE(listener_set_open(set, &both, 2, &error)); /* a reload adds one */
    CU_ASSERT_EQUAL_FATAL(lend_all(set, 0, fds + 2), 1);
    CU_ASSERT_EQUAL_FATAL(lend_all(set, 1, fds + 3), 1);
    CU_ASSERT_EQUAL(bound_port(fds[3]), listeners[1].port);
    CU_ASSERT_EQUAL(listener_set_drop_others(set, &both), 0);

    CU_ASSERT_EQUAL(listener_set_drop_others(set, &second), 1); /* lent ones are the workers' to close */
    CU_ASSERT_EQUAL(option(fds[0], SOL_SOCKET, SO_ACCEPTCONN), 1);
    listener_set_free(&set);
    CU_ASSERT_PTR_NULL(set);
    CU_ASSERT_EQUAL(option(fds[2], SOL_SOCKET, SO_ACCEPTCONN), 1);
    close_all(fds, 4);
}

static void test_failed_reload_changes_nothing(void) {
    struct listener listeners[] = {
        {.name = "a", .address = loopback, .port = free_port()},
        {.name = "b", .address = loopback, .port = free_port()},
        {.name = "c", .address = {IP_V4, {192, 0, 2, 1}}, .port = 1}, /* not an address of this machine */
    };
    struct config first = config_of(listeners, 1), all = config_of(listeners, 3);
    struct listener_set *set = listener_set_new();
    char *error;
    int fds[4];
    CU_ASSERT_TRUE_FATAL(listener_set_open(set, &first, 1, &error));
    CU_ASSERT_EQUAL_FATAL(lend_all(set, 0, fds), 1);
    CU_ASSERT_FALSE(listener_set_open(set, &all, 1, &error));
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "cannot listen on c"));
    free(error);
    CU_ASSERT_NOT_EQUAL(connect_to(AF_INET, listeners[1].port), 0); /* b was closed again */
    CU_ASSERT_EQUAL(connect_to(AF_INET, listeners[0].port), 0);
    CU_ASSERT_EQUAL(lend_all(set, 0, fds + 1), 0);
    listener_set_free(&set);
    close(fds[0]);
}

/* Sockets of `before` workers handed over to `after`: the very same, all in use. */
static void hand_over(unsigned before, unsigned after) {
    struct listener listener = {.name = "unix:/a b;c,d=e%", .address = loopback, .port = free_port()};
    struct config config = config_of(&listener, 1);
    struct listener_set *old = listener_set_new(), *new = listener_set_new();
    char *error;
    int fds[16];
    CU_ASSERT_TRUE_FATAL(listener_set_open(old, &config, before, &error));
    size_t lent = 0;
    for (unsigned worker = 0; worker < before; worker++) {
        lent += lend_all(old, worker, fds + lent);
    }
    CU_ASSERT_EQUAL_FATAL(lent, before);
    char *text = listener_set_describe(old);
    size_t count;
    int *descriptors = listener_set_descriptors(old, &count);
    CU_ASSERT_EQUAL(count, before);
    CU_ASSERT_EQUAL(memcmp(descriptors, fds, count * sizeof fds[0]), 0);
    CU_ASSERT_TRUE(listener_set_inherit(new, text));
    CU_ASSERT_TRUE_FATAL(listener_set_open(new, &config, after, &error));
    CU_ASSERT_EQUAL(listener_set_drop_others(new, &config), 0);
    size_t total = 0;
    for (unsigned worker = 0; worker < after; worker++) {
        int mine[16];
        size_t got = lend_all(new, worker, mine);
        CU_ASSERT_TRUE(got >= 1);
        for (size_t i = 0; i < got; i++) {
            bool inherited = false;
            for (size_t k = 0; k < lent; k++) {
                inherited = inherited || fds[k] == mine[i];
            }
            if (!inherited) {
                close(mine[i]);
            }
        }
        total += got;
    }
    CU_ASSERT_EQUAL(total, before > after ? before : after);
    free(text);
    free(descriptors);
    listener_set_free(&old);
    listener_set_free(&new);
    close_all(fds, lent);
}

static void test_hand_over(void) {
    hand_over(2, 2);
    hand_over(4, 1);
    hand_over(5, 2);
    hand_over(1, 3);
}

static void test_bad_descriptions(void) {
    static const char *const texts[] = {"a", "a=", "a=x", "a=5x", "a=-1", "a=1", "=7", "a%4=7", "a%zz=7", "a=7,"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct listener_set *set = listener_set_new();
        CU_ASSERT_FALSE(listener_set_inherit(set, texts[i]));
        listener_set_free(&set);
    }
    struct listener_set *set = listener_set_new();
    CU_ASSERT_TRUE(listener_set_inherit(set, ""));
    CU_ASSERT_TRUE(listener_set_inherit(set, "a=999999")); /* not open: left out */
    struct listener listener = {.name = "a", .address = loopback, .port = free_port()};
    struct config config = config_of(&listener, 1);
    char *error;
    CU_ASSERT_TRUE(listener_set_open(set, &config, 1, &error)); /* and opened anew */
    listener_set_free(&set);
    CU_ASSERT_NOT_EQUAL(connect_to(AF_INET, listener.port), 0);
}

static void test_unix_files(void) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/weir-test-set-%ld", (long)getpid());
    struct listener listener = {.name = "unix", .unix_path = path};
    struct config config = config_of(&listener, 1), none = config_of(NULL, 0);
    struct listener_set *set = listener_set_new();
    char *error;
    CU_ASSERT_TRUE_FATAL(listener_set_open(set, &config, 3, &error));
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    CU_ASSERT_EQUAL(listener_set_drop_others(set, &none), 1);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    CU_ASSERT_TRUE_FATAL(listener_set_open(set, &config, 1, &error));
    listener_set_remove_files(set);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    listener_set_free(&set);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("listener", NULL, NULL);
    CU_add_test(suite, "options of a socket", test_socket_options);
    CU_add_test(suite, "any address takes both families", test_any_address_takes_both_families);
    CU_add_test(suite, "[::] is IPv6 only", test_v6_any_is_v6_only);
    CU_add_test(suite, "address in use", test_address_in_use);
    CU_add_test(suite, "Unix sockets", test_unix_socket);
    CU_add_test(suite, "a set across reloads", test_set_across_reloads);
    CU_add_test(suite, "a failed reload changes nothing", test_failed_reload_changes_nothing);
    CU_add_test(suite, "handed over to more and fewer workers", test_hand_over);
    CU_add_test(suite, "bad descriptions", test_bad_descriptions);
    CU_add_test(suite, "files of Unix sockets", test_unix_files);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
