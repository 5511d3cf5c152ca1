/* What may stand in Host (RFC 9110, 7.2) and in a target's path and query (RFC 3986). */
#include "proxy/http_head.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES(text)                                                                                                    \
    { (text), sizeof(text) - 1 }

static const struct span hosts[] = {
    BYTES("a"),
    BYTES("localhost"),
    BYTES("LOCALHOST"),
    BYTES("www.example.org"),
    BYTES("www.example.org."),
    BYTES("www.example.org:80"),
    BYTES("www.example.org:"),
    BYTES("a_b.example"),
    BYTES("xn--bcher-kva.example"),
    BYTES("1.2.3.4"),
    BYTES("1.2.3.4:65535"),
    BYTES("a:0080"),
    BYTES("[::1]"),
    BYTES("[::1]:8080"),
    BYTES("[2001:db8::1]:"),
    BYTES("[::ffff:192.0.2.1]"),
};

static const struct span no_hosts[] = {
    BYTES(""),
    BYTES(" "),
    BYTES("a b"),
    BYTES("a,b"),
    BYTES("a/b"),
    BYTES("a?b"),
    BYTES("a#b"),
    BYTES("user@a"),
    BYTES("a\\b"),
    BYTES("a\0b"),
    BYTES("a\tb"),
    BYTES("http://a"),
    BYTES("a%41"),
    BYTES("\xc3\xa4.example"),
    BYTES(".a"),
    BYTES("."),
    BYTES("a..b"),
    BYTES(":80"),
    BYTES("a:b"),
    BYTES("a:65536"),
    BYTES("a:80:80"),
    BYTES("a:-1"),
    BYTES("a:+80"),
    BYTES("a: 80"),
    BYTES("a:99999999999999999999"),
    BYTES("["),
    BYTES("[]"),
    BYTES("[]:80"),
    BYTES("[::1"),
    BYTES("::1"),
    BYTES("[::1]x"),
    BYTES("[::1]80"),
    BYTES("[::1]:x"),
    BYTES("[::1]:65536"),
    BYTES("[::1]]"),
    BYTES("[[::1]]"),
    BYTES("[::1%eth0]"),
    BYTES("[1.2.3.4]"),
    BYTES("[v1.a]"),
    BYTES("[12345::]"),
    BYTES("a[::1]"),
    BYTES("<script>"),
};

static void check(bool is, bool expected, struct span text) {
    if (is != expected) {
        (void)fprintf(stderr, "\"%.*s\" is taken for %s\n", (int)text.len, text.ptr, is ? "good" : "bad");
    }
    CU_ASSERT_EQUAL(is, expected);
}

static void hosts_are_told_from_others(void) {
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        check(http_is_host(hosts[i]), true, hosts[i]);
    }
    for (size_t i = 0; i < sizeof no_hosts / sizeof no_hosts[0]; i++) {
        check(http_is_host(no_hosts[i]), false, no_hosts[i]);
    }
    CU_ASSERT_FALSE(http_is_host(SPAN_NONE));
}

static void a_host_has_an_end(void) {
    static char text[300];
    memset(text, 'a', sizeof text);
    CU_ASSERT_TRUE(http_is_host((struct span){text, 255}));
    CU_ASSERT_FALSE(http_is_host((struct span){text, 256}));
}

static void labels_are_not_empty_wherever_they_stand(void) {
    for (int length = 1; length < 40; length++) {
        static const char label[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        static const char *const good[] = {".", ".b", ".b.", ":80", ".:80", ".b-c.d_e:80"};
        static const char *const bad[] = {"..", "..b", ".b..", "..:80", "./", "/", ":80.", ":80:80"};
        char text[80];
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
            (void)snprintf(text, sizeof text, "%.*s%s", length, label, good[i]);
            check(http_is_host(span_of(text)), true, span_of(text));
        }
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            (void)snprintf(text, sizeof text, "%.*s%s", length, label, bad[i]);
            check(http_is_host(span_of(text)), false, span_of(text));
        }
    }
}

static void every_byte_of_a_host(void) {
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[] = "aXb";
        text[1] = (char)byte;
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool digit = byte >= '0' && byte <= '9';
        CU_ASSERT_EQUAL(http_is_host((struct span){text, 3}),
                        letter || digit || byte == '-' || byte == '.' || byte == '_');
    }
}

static const struct span targets[] = {
    BYTES("/"),       BYTES("/a/b.html"), BYTES("/a?b=c&d=e"),         BYTES("/a?b?c/d"), BYTES("/%41%20%e4%FF"),
    BYTES("/a?100%"), BYTES("/a?%zz"),    BYTES("/-._~!$&'()*+,;=:@"), BYTES("/[x]"),     BYTES("/?q=`"),
    BYTES("//a"),     BYTES("/../.."),    BYTES("/%2e%2e%2f"),
};

static const struct span no_targets[] = {
    BYTES("/%"),      BYTES("/%4"),    BYTES("/%4?1"),     BYTES("/%zz"),   BYTES("/%4g"), BYTES("/%00"),
    BYTES("/a%00?b"), BYTES("/a#b"),   BYTES("/a?b#c"),    BYTES("/a b"),   BYTES("/\t"),  BYTES("/\0"),
    BYTES("/\x7f"),   BYTES("/a?b c"), BYTES("/\xc3\xa4"), BYTES("/?\xe4"), BYTES("/\r"),  BYTES("/%%41"),
};

static void targets_are_told_from_others(void) {
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        check(http_is_path_and_query(targets[i]), true, targets[i]);
    }
    for (size_t i = 0; i < sizeof no_targets / sizeof no_targets[0]; i++) {
        check(http_is_path_and_query(no_targets[i]), false, no_targets[i]);
    }
}

/* config.md: "raw 8-bit octets or any of |{}"\^<> in a target: 400", a fragment, controls and blanks. */
static void every_byte_of_a_target(void) {
    for (unsigned byte = 0; byte < 256; byte++) {
        bool named = byte != 0 && byte < 128 && strchr("|{}\"\\^<>#", (int)byte) != NULL;
        bool allowed = byte > 0x20 && byte < 0x7f && !named;
        char in_path[] = "/aXb", in_query[] = "/a?bXc";
        in_path[2] = (char)byte;
        in_query[4] = (char)byte;
        CU_ASSERT_EQUAL(http_is_path_and_query((struct span){in_path, 4}), allowed && byte != '%');
        CU_ASSERT_EQUAL(http_is_path_and_query((struct span){in_query, 6}), allowed);
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http_target", NULL, NULL);
    CU_ADD_TEST(suite, hosts_are_told_from_others);
    CU_ADD_TEST(suite, a_host_has_an_end);
    CU_ADD_TEST(suite, labels_are_not_empty_wherever_they_stand);
    CU_ADD_TEST(suite, every_byte_of_a_host);
    CU_ADD_TEST(suite, targets_are_told_from_others);
    CU_ADD_TEST(suite, every_byte_of_a_target);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
