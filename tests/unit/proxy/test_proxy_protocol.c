/* proxy/proxy_protocol.h: both versions, whole and byte by byte, and what is refused. */
#include "proxy/proxy_protocol.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

/* Gives the parser an allocation of exactly that size, so that a sanitizer sees it read beyond. */
static enum proxy_protocol_verdict parse(const void *bytes, size_t length, struct proxy_protocol_header *header) {
    char *exact = malloc(length + (length == 0));
    CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
    memcpy(exact, bytes, length);
    const char *reason = NULL;
    enum proxy_protocol_verdict verdict = proxy_protocol_parse((struct span){exact, length}, header, &reason);
    CU_ASSERT_EQUAL(reason != NULL, verdict == PROXY_PROTOCOL_BAD);
    free(exact);
    return verdict;
}

/* Whole, with the client's first bytes behind it, and cut at every byte before its end. */
static struct proxy_protocol_header parse_whole(const void *bytes, size_t length) {
    char longer[8192];
    CU_ASSERT_TRUE_FATAL(length + 4 < sizeof longer);
    memcpy(longer, bytes, length);
    memcpy(longer + length, "GET ", 4);
    struct proxy_protocol_header header = {0}, again = {0};
    CU_ASSERT_EQUAL(parse(bytes, length, &header), PROXY_PROTOCOL_OK);
    CU_ASSERT_EQUAL(parse(longer, length + 4, &again), PROXY_PROTOCOL_OK);
    CU_ASSERT_EQUAL(header.length, length);
    CU_ASSERT_EQUAL(again.length, length);
    for (size_t cut = 0; cut < length; cut++) {
        CU_ASSERT_EQUAL(parse(bytes, cut, &again), PROXY_PROTOCOL_NEED_MORE);
    }
    return header;
}

static void check_address(const struct ip_address *address, const char *expected) {
    char text[IP_TEXT_MAX];
    ip_address_print(address, text);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void test_v1(void) {
    const char *line = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
    struct proxy_protocol_header header = parse_whole(line, strlen(line));
    CU_ASSERT_TRUE(header.has_addresses);
    check_address(&header.source, "192.0.2.7");
    check_address(&header.destination, "198.51.100.1");
    CU_ASSERT_EQUAL(header.source_port, 56324);
    CU_ASSERT_EQUAL(header.destination_port, 443);

    line = "PROXY TCP6 2001:DB8::7 2001:db8::1 0 65535\r\n";
    header = parse_whole(line, strlen(line));
    CU_ASSERT_TRUE(header.has_addresses);
    check_address(&header.source, "2001:db8::7");
    CU_ASSERT_EQUAL(header.source_port, 0);
    CU_ASSERT_EQUAL(header.destination_port, 65535);

    line = "PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n";
    header = parse_whole(line, strlen(line));
    check_address(&header.source, "192.0.2.7");
}

static void test_v1_unknown(void) {
    static const char *const lines[] = {
        "PROXY UNKNOWN\r\n",
        "PROXY UNKNOWN ffff::1 whatever 1 2 3\r\n",
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        CU_ASSERT_FALSE(parse_whole(lines[i], strlen(lines[i])).has_addresses);
    }
    CU_ASSERT_EQUAL(strlen(lines[2]), PROXY_PROTOCOL_V1_MAX_BYTES);
}

static void test_v1_bad(void) {
    static const char *const lines[] = {
        "GET / HTTP/1.1\r\n",
        "P ",
        "PROXX",
        "proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rX",
        "PROXY TCP4 1.1.1.1\r2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 \r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
        "PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n",
        "PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n",
        "PROXY TCP4 ::1 ::2 1 2\r\n",
        "PROXY TCP4 ::ffff:1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP6 ::1::2 ::1 1 2\r\n",
        "PROXY TCP6 ::1%lo ::1 1 2\r\n",
        "PROXY TCP4\t1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\x80\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct proxy_protocol_header header = {.length = 77};
        CU_ASSERT_EQUAL(parse(lines[i], strlen(lines[i]), &header), PROXY_PROTOCOL_BAD);
        CU_ASSERT_EQUAL(header.length, 77);
    }
    char nul[] = "PROXY TCP4 1.1.1.1 2.2.2.2 1 \0\r\n";
    struct proxy_protocol_header header;
    CU_ASSERT_EQUAL(parse(nul, sizeof nul - 1, &header), PROXY_PROTOCOL_BAD);
}

static void test_v1_too_long(void) {
    char line[200];
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    struct proxy_protocol_header header;
    CU_ASSERT_EQUAL(parse(line, PROXY_PROTOCOL_V1_MAX_BYTES - 1, &header), PROXY_PROTOCOL_NEED_MORE);
    CU_ASSERT_EQUAL(parse(line, PROXY_PROTOCOL_V1_MAX_BYTES, &header), PROXY_PROTOCOL_BAD);
    memcpy(line + PROXY_PROTOCOL_V1_MAX_BYTES - 1, "\r\n", 2); /* one byte too many */
    CU_ASSERT_EQUAL(parse(line, PROXY_PROTOCOL_V1_MAX_BYTES + 1, &header), PROXY_PROTOCOL_BAD);
}

/* A version 2 header with `length` bytes after the fixed part, the first of them given. Returns the whole length. */
static size_t make_v2(unsigned char *bytes, unsigned version_command, unsigned family, size_t length,
                      const unsigned char *payload, size_t payload_length) {
    memcpy(bytes, "\r\n\r\n\0\r\nQUIT\n", 12);
    bytes[12] = (unsigned char)version_command;
    bytes[13] = (unsigned char)family;
    bytes[14] = (unsigned char)(length >> 8);
    bytes[15] = (unsigned char)length;
    memset(bytes + 16, 0xEE, length);
    memcpy(bytes + 16, payload, payload_length < length ? payload_length : length);
    return 16 + length;
}

static const unsigned char payload_v4[] = {192, 0, 2, 7, 198, 51, 100, 1, 0xDC, 0x04, 0x01, 0xBB};
static const unsigned char payload_v6[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0x20, 0x01,
                                           0x0d, 0xb8, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3,    4};

static void test_v2(void) {
    unsigned char bytes[4200];
    struct proxy_protocol_header header = parse_whole(bytes, make_v2(bytes, 0x21, 0x11, 12, payload_v4, 12));
    CU_ASSERT_TRUE(header.has_addresses);
    check_address(&header.source, "192.0.2.7");
    check_address(&header.destination, "198.51.100.1");
    CU_ASSERT_EQUAL(header.source_port, 56324);
    CU_ASSERT_EQUAL(header.destination_port, 443);

    header = parse_whole(bytes, make_v2(bytes, 0x21, 0x21, 36, payload_v6, 36));
    check_address(&header.source, "2001:db8::7");
    check_address(&header.destination, "2001:db8::1");
    CU_ASSERT_EQUAL(header.source_port, 0x0102);
    CU_ASSERT_EQUAL(header.destination_port, 0x0304);

    unsigned char mapped[36] = {[10] = 0xFF, [11] = 0xFF, [12] = 192, [14] = 2, [15] = 7};
    header = parse_whole(bytes, make_v2(bytes, 0x21, 0x21, 36, mapped, 36));
    check_address(&header.source, "192.0.2.7");

    header = parse_whole(bytes, make_v2(bytes, 0x21, 0x11, 500, payload_v4, 12)); /* TLVs are skipped */
    check_address(&header.source, "192.0.2.7");
    header = parse_whole(bytes, make_v2(bytes, 0x21, 0x11, PROXY_PROTOCOL_MAX_BYTES - 16, payload_v4, 12));
    CU_ASSERT_EQUAL(header.length, PROXY_PROTOCOL_MAX_BYTES);
}

static void test_v2_without_addresses(void) {
    static const struct {
        unsigned version_command, family;
        size_t length;
    } cases[] = {
        {0x20, 0x00, 0},  {0x20, 0x11, 12}, {0x20, 0x11, 3},   /* LOCAL: a health check, whatever it says */
        {0x21, 0x00, 0},  {0x21, 0x00, 50}, {0x21, 0x31, 216}, /* UNSPEC, Unix */
        {0x21, 0x12, 12}, {0x21, 0x10, 0},                     /* datagrams, unspecified transport */
    };
    unsigned char bytes[512];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t length = make_v2(bytes, cases[i].version_command, cases[i].family, cases[i].length, payload_v4, 12);
        CU_ASSERT_FALSE(parse_whole(bytes, length).has_addresses);
    }
}

static void test_v2_bad(void) {
    static const struct {
        unsigned version_command, family;
        size_t length;
    } cases[] = {
        {0x11, 0x11, 12},    {0x31, 0x11, 12},
        {0x22, 0x11, 12},    {0x2F, 0x11, 12},
        {0x21, 0x41, 12},    {0x21, 0x13, 12},
        {0x21, 0x11, 11},    {0x21, 0x21, 35},
        {0x21, 0x11, 0},     {0x21, 0x11, PROXY_PROTOCOL_MAX_BYTES - 15},
        {0x20, 0x00, 65535},
    };
    static unsigned char bytes[70000];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct proxy_protocol_header header;
        size_t length = make_v2(bytes, cases[i].version_command, cases[i].family, cases[i].length, payload_v4, 12);
        CU_ASSERT_EQUAL(parse(bytes, length, &header), PROXY_PROTOCOL_BAD);
        CU_ASSERT_EQUAL(parse(bytes, 16, &header), PROXY_PROTOCOL_BAD); /* known by the fixed part */
    }
    struct proxy_protocol_header header;
    CU_ASSERT_EQUAL(parse("\r\n\r\nX", 5, &header), PROXY_PROTOCOL_BAD);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("proxy_protocol", NULL, NULL);
    CU_add_test(suite, "version 1", test_v1);
    CU_add_test(suite, "version 1, UNKNOWN", test_v1_unknown);
    CU_add_test(suite, "version 1, refused", test_v1_bad);
    CU_add_test(suite, "version 1, too long", test_v1_too_long);
    CU_add_test(suite, "version 2", test_v2);
    CU_add_test(suite, "version 2 without addresses", test_v2_without_addresses);
    CU_add_test(suite, "version 2, refused", test_v2_bad);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
