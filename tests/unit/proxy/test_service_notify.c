/* proxy/service_notify.h: the datagrams, to a path and to an abstract name. */
#include "proxy/service_notify.h"

#include <CUnit/Basic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A receiver bound to an address of service_notify_send(). */
static int receiver(const char *address) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t length = strlen(address);
    memcpy(to.sun_path, address, length);
    if (address[0] == '@') {
        to.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (address[0] == '/' ? 1 : 0));
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&to, size), 0);
    return fd;
}

static const char *received(int fd) {
    static char text[1024];
    ssize_t length = recv(fd, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    return text;
}

static void check_messages(const char *address) {
    int fd = receiver(address);
    CU_ASSERT_TRUE(service_notify_send(address, "FOO=bar"));
    CU_ASSERT_STRING_EQUAL(received(fd), "FOO=bar");
    service_notify_ready(address, "serving");
    CU_ASSERT_STRING_EQUAL(received(fd), "READY=1\nSTATUS=serving");
    service_notify_reloading(address, 1234567000);
    CU_ASSERT_STRING_EQUAL(received(fd), "RELOADING=1\nMONOTONIC_USEC=1234567\nSTATUS=reading the configuration again");
    service_notify_main_pid(address, 4711);
    CU_ASSERT_STRING_EQUAL(received(fd), "MAINPID=4711");
    service_notify_stopping(address, NULL);
    CU_ASSERT_STRING_EQUAL(received(fd), "STOPPING=1");
    close(fd);
}

static void test_path(void) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/weir-test-notify-%ld", (long)getpid());
    check_messages(path);
    unlink(path);
}

static void test_abstract(void) {
    char name[64];
    snprintf(name, sizeof name, "@weir-test-notify-%ld", (long)getpid());
    check_messages(name);
}

static void test_nobody_listens(void) {
    CU_ASSERT_TRUE(service_notify_send(NULL, "READY=1"));
    CU_ASSERT_TRUE(service_notify_send("", "READY=1"));
    CU_ASSERT_FALSE(service_notify_send("relative", "READY=1"));
    CU_ASSERT_FALSE(service_notify_send("/tmp/weir-test-nobody-is-here", "READY=1"));
    char longest[300];
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    CU_ASSERT_FALSE(service_notify_send(longest, "READY=1"));
    service_notify_ready("/tmp/weir-test-nobody-is-here", longest);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("service_notify", NULL, NULL);
    CU_add_test(suite, "to a path", test_path);
    CU_add_test(suite, "to an abstract name", test_abstract);
    CU_add_test(suite, "to nobody", test_nobody_listens);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
