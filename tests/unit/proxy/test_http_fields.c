/* http_parse_fields() and http_body_framing(): which field sections are understood and as what, and which length they
 * give the body (RFC 9112, 5 and 6.3). */
#include "proxy/http_fields.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES(text)                                                                                                    \
    { (text), sizeof(text) - 1 }

struct section_case {
    struct span lines;    /* without the empty line */
    const char *expected; /* "name=value;" for each; NULL: refused with 400 */
};

static const struct section_case sections[] = {
    {BYTES(""), ""},
    {BYTES("Host: h\r\n"), "Host=h;"},
    {BYTES("Host:h\r\n"), "Host=h;"},
    {BYTES("Host:   h\r\n"), "Host=h;"},
    {BYTES("Host: \t h \t\r\n"), "Host=h;"},
    {BYTES("X-A: a  b\tc\r\n"), "X-A=a  b\tc;"},
    {BYTES("X-A:\r\n"), "X-A=;"},
    {BYTES("X-A: \t \r\n"), "X-A=;"},
    {BYTES("X-A: :b:\r\n"), "X-A=:b:;"},
    {BYTES("X-A: 1\r\nx-a: 2\r\nX-A: 1\r\n"), "X-A=1;x-a=2;X-A=1;"},
    {BYTES("!#$%&'*+-.^_`|~09azAZ: b\r\n"), "!#$%&'*+-.^_`|~09azAZ=b;"},
    {BYTES("X-A: gr\xfc\xc3\x9f\r\n"), "X-A=gr\xfc\xc3\x9f;"},
    {BYTES("X-A: \"quoted, \\\" string\"\r\n"), "X-A=\"quoted, \\\" string\";"},
    {BYTES("Connection:\r\nUpgrade:\r\n"), "Connection=;Upgrade=;"},
    {BYTES("Connection: close, x-a\r\n"), "Connection=close, x-a;"},
    {BYTES("Connection: ,,keep-alive ,\r\n"), "Connection=,,keep-alive ,;"},
    {BYTES("Connection: closed\r\nConnection: upgraded\r\n"), "Connection=closed;Connection=upgraded;"},
    {BYTES("Proxy-Connection: keep-alive\r\n"), "Proxy-Connection=keep-alive;"},
    {BYTES("Upgrade: websocket\r\nConnection: upgrade\r\n"), "Upgrade=websocket;Connection=upgrade;"},
    {BYTES("Content-Length: 5\r\n"), "Content-Length=5;"},
    {BYTES("Content-Length:    5   \r\n"), "Content-Length=5;"},
    {BYTES("Content-Length: 0005\r\n"), "Content-Length=0005;"},
    {BYTES("Content-Lengthy: x\r\nContent-Lengt: y\r\n"), "Content-Lengthy=x;Content-Lengt=y;"},
    {BYTES("Transfer-Encoding: chunked\r\n"), "Transfer-Encoding=chunked;"},
    {BYTES("Transfer-Encoding: foo, chunked\r\n"), "Transfer-Encoding=foo, chunked;"},
    {BYTES("Transfer-Encodings: x\r\n"), "Transfer-Encodings=x;"},
    /* white space where it may not be */
    {BYTES("Host : h\r\n"), NULL},
    {BYTES("Host\t: h\r\n"), NULL},
    {BYTES("Transfer-Encoding : chunked\r\n"), NULL},
    {BYTES("Ho st: h\r\n"), NULL},
    {BYTES(" Host: h\r\n"), NULL},
    {BYTES("\tHost: h\r\n"), NULL},
    {BYTES("X-A: b\r\n c\r\n"), NULL},
    {BYTES("X-A: b\r\n\tc\r\n"), NULL},
    {BYTES("X-A:\r\n b\r\n"), NULL},
    {BYTES("X-A: b\r\n \r\n"), NULL},
    {BYTES(" \r\n"), NULL},
    /* names */
    {BYTES(": b\r\n"), NULL},
    {BYTES(":\r\n"), NULL},
    {BYTES("X-A\r\n"), NULL},
    {BYTES("hello world\r\n"), NULL},
    {BYTES("GET / HTTP/1.1\r\n"), NULL},
    {BYTES("(X): b\r\n"), NULL},
    {BYTES("\"X\": b\r\n"), NULL},
    {BYTES("X/A: b\r\n"), NULL},
    {BYTES("X@A: b\r\n"), NULL},
    {BYTES("X[A]: b\r\n"), NULL},
    {BYTES("{X}: b\r\n"), NULL},
    {BYTES("X,A: b\r\n"), NULL},
    {BYTES("X;A: b\r\n"), NULL},
    {BYTES("X=A: b\r\n"), NULL},
    {BYTES("X?: b\r\n"), NULL},
    {BYTES("X\\A: b\r\n"), NULL},
    {BYTES("<X>: b\r\n"), NULL},
    {BYTES("X\xe4: b\r\n"), NULL},
    {BYTES("X\0: b\r\n"), NULL},
    {BYTES("X\x7f: b\r\n"), NULL},
    /* line ends */
    {BYTES("X-A: b\n"), NULL},
    {BYTES("X-A: b\nX-B: c\r\n"), NULL},
    {BYTES("X-A: b\rX-B: c\r\n"), NULL},
    {BYTES("X-A: b\r\r\n"), NULL},
    {BYTES("X-A: \r\r\n"), NULL},
    {BYTES("X-A\r: b\r\n"), NULL},
    {BYTES("\rX-A: b\r\n"), NULL},
    {BYTES("\n"), NULL},
    {BYTES("\r\r\n"), NULL},
    {BYTES("\r\nX-A: b\r\n"), NULL},
    {BYTES("X-A: b"), NULL},
};

static bool parse(struct span lines, struct field_list *list, struct arena *arena, struct http_problem *problem) {
    char *text = arena_alloc_raw(arena, lines.len + 2);
    memcpy(text, lines.ptr, lines.len);
    memcpy(text + lines.len, "\r\n", 2);
    *list = (struct field_list){0};
    *problem = (struct http_problem){0};
    return http_parse_fields((struct span){text, lines.len + 2}, list, arena, problem);
}

static void print_list(const struct field_list *list, char *text, size_t size) {
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < list->count; i++) {
        const struct field *field = &list->fields[i];
        length += (size_t)snprintf(text + length, size - length, "%.*s=%.*s;", (int)field->name.len, field->name.ptr,
                                   (int)field->value.len, field->value.ptr);
    }
}

static void sections_are_understood_or_refused(void) {
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        struct arena arena;
        struct field_list list;
        struct http_problem problem;
        char text[500];
        arena_init(&arena, NULL, 0);
        bool good = parse(sections[i].lines, &list, &arena, &problem);
        print_list(&list, text, sizeof text);
        bool right = sections[i].expected != NULL ? good && strcmp(text, sections[i].expected) == 0
                                                  : !good && problem.status == 400 && problem.text != NULL;
        if (!right) {
            (void)fprintf(stderr, "%s -> %s %d %s\n", sections[i].lines.ptr, text, problem.status,
                          problem.text != NULL ? problem.text : "");
        }
        CU_ASSERT_TRUE(right);
        arena_reset(&arena);
    }
}

static void no_control_stands_in_a_value(void) {
    for (unsigned byte = 0; byte < 256; byte++) {
        static const size_t places[] = {5, 6, 8}; /* begin, middle, end of the value */
        for (size_t i = 0; i < 3; i++) {
            char line[] = "X-A: abcd\r\n";
            struct arena arena;
            struct field_list list;
            struct http_problem problem;
            arena_init(&arena, NULL, 0);
            line[places[i]] = (char)byte;
            bool allowed = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
            CU_ASSERT_EQUAL(parse((struct span){line, sizeof line - 1}, &list, &arena, &problem), allowed);
            arena_reset(&arena);
        }
    }
}

static void many_fields_keep_their_order(void) {
    enum { MANY = 1000, LINE = 32 };
    static char lines[MANY * LINE];
    struct arena arena;
    struct field_list list;
    struct http_problem problem;
    arena_init(&arena, NULL, 0);
    size_t length = 0;
    for (int i = 0; i < MANY; i++) {
        length += (size_t)snprintf(lines + length, sizeof lines - length, "X-%d: v%d\r\n", i, i * 7);
    }
    CU_ASSERT_TRUE_FATAL(parse((struct span){lines, length}, &list, &arena, &problem));
    CU_ASSERT_EQUAL(list.count, MANY);
    for (int i = 0; i < MANY; i++) {
        char name[16], value[16];
        (void)snprintf(name, sizeof name, "X-%d", i);
        (void)snprintf(value, sizeof value, "v%d", i * 7);
        CU_ASSERT_TRUE(span_equal(list.fields[i].name, span_of(name)));
        CU_ASSERT_TRUE(span_equal(list.fields[i].value, span_of(value)));
    }
    arena_reset(&arena);
}

struct framing_case {
    const char *lines;
    uint8_t minor_version;
    int status; /* 0: understood */
    enum body_framing framing;
    uint64_t length;
};

#define CL "Content-Length: "
#define TE "Transfer-Encoding: "

static const struct framing_case framings[] = {
    {"", 1, 0, BODY_NONE, 0},
    {"Host: h\r\n", 0, 0, BODY_NONE, 0},
    {CL "0\r\n", 1, 0, BODY_LENGTH, 0},
    {CL "5\r\n", 1, 0, BODY_LENGTH, 5},
    {CL "5\r\n", 0, 0, BODY_LENGTH, 5},
    {"content-LENGTH: 5\r\n", 1, 0, BODY_LENGTH, 5},
    {CL "00000000000000000000000005\r\n", 1, 0, BODY_LENGTH, 5},
    {CL "9223372036854775807\r\n", 1, 0, BODY_LENGTH, INT64_MAX},
    {CL "9223372036854775808\r\n", 1, 400, BODY_NONE, 0},
    {CL "18446744073709551616\r\n", 1, 400, BODY_NONE, 0},
    {CL "18446744073709551621\r\n", 1, 400, BODY_NONE, 0},
    {CL "9999999999999999999999999999999999999999\r\n", 1, 400, BODY_NONE, 0},
    {CL "\r\n", 1, 400, BODY_NONE, 0},
    {CL " \t\r\n", 1, 400, BODY_NONE, 0},
    {CL "+5\r\n", 1, 400, BODY_NONE, 0},
    {CL "-1\r\n", 1, 400, BODY_NONE, 0},
    {CL "5x\r\n", 1, 400, BODY_NONE, 0},
    {CL "0x5\r\n", 1, 400, BODY_NONE, 0},
    {CL "1e1\r\n", 1, 400, BODY_NONE, 0},
    {CL "5.0\r\n", 1, 400, BODY_NONE, 0},
    {CL "\"5\"\r\n", 1, 400, BODY_NONE, 0},
    {CL "5 5\r\n", 1, 400, BODY_NONE, 0},
    {CL "5, 5\r\n", 1, 400, BODY_NONE, 0},
    {CL "5,\r\n", 1, 400, BODY_NONE, 0},
    {CL ",5\r\n", 1, 400, BODY_NONE, 0},
    {CL "5;q=1\r\n", 1, 400, BODY_NONE, 0},
    {CL "\xb2\r\n", 1, 400, BODY_NONE, 0},
    {CL "5\r\n" CL "5\r\n", 1, 400, BODY_NONE, 0},
    {CL "5\r\n" CL "6\r\n", 1, 400, BODY_NONE, 0},
    {CL "5\r\nX: y\r\ncontent-length: 0\r\n", 1, 400, BODY_NONE, 0},
    {CL "\r\n" CL "5\r\n", 1, 400, BODY_NONE, 0},
    {TE "chunked\r\n", 1, 0, BODY_CHUNKED, 0},
    {TE "CHUNKED\r\n", 1, 0, BODY_CHUNKED, 0},
    {TE " \t chunked \t \r\n", 1, 0, BODY_CHUNKED, 0},
    {TE ", chunked\r\n", 1, 0, BODY_CHUNKED, 0},
    {TE "chunked,\r\n", 1, 0, BODY_CHUNKED, 0},
    {TE "chunked, ,\r\n", 1, 0, BODY_CHUNKED, 0},
    {TE ",,chunked,,\t,\r\n", 1, 0, BODY_CHUNKED, 0},
    {TE "chunked\r\n" TE ",\r\n", 1, 0, BODY_CHUNKED, 0},
    {TE "chunked\r\n", 0, 400, BODY_NONE, 0},
    {TE "\r\n", 1, 400, BODY_NONE, 0},
    {TE ", ,\r\n", 1, 400, BODY_NONE, 0},
    {TE "identity\r\n", 1, 400, BODY_NONE, 0},
    {TE "gzip\r\n", 1, 400, BODY_NONE, 0},
    {TE "chunked, gzip\r\n", 1, 400, BODY_NONE, 0},
    {TE "chunked\r\n" TE "gzip\r\n", 1, 400, BODY_NONE, 0},
    {TE "chunked, chunked\r\n", 1, 400, BODY_NONE, 0},
    {TE "chunked\r\n" TE "chunked\r\n", 1, 400, BODY_NONE, 0},
    {TE "xchunked\r\n", 1, 400, BODY_NONE, 0},
    {TE "chunkedx\r\n", 1, 400, BODY_NONE, 0},
    {TE "\"chunked\"\r\n", 1, 400, BODY_NONE, 0},
    {TE "chunked foo\r\n", 1, 400, BODY_NONE, 0},
    {TE "foo chunked\r\n", 1, 400, BODY_NONE, 0},
    {TE "gzip, chunked\r\n", 1, 501, BODY_NONE, 0},
    {TE "foo\r\n" TE "chunked\r\n", 1, 501, BODY_NONE, 0},
    {TE "identity, chunked\r\n", 1, 501, BODY_NONE, 0},
    {CL "5\r\n" TE "chunked\r\n", 1, 400, BODY_NONE, 0},
    {TE "chunked\r\n" CL "5\r\n", 1, 400, BODY_NONE, 0},
    {TE "chunked\r\n" CL "0\r\n", 1, 400, BODY_NONE, 0},
    {CL "5\r\n" TE "identity\r\n", 1, 400, BODY_NONE, 0},
    {CL "5\r\n" TE "\r\n", 1, 400, BODY_NONE, 0},
};

static void framing_is_as_the_fields_say(void) {
    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++) {
        const struct framing_case *test = &framings[i];
        struct arena arena;
        struct field_list list;
        struct http_problem problem;
        enum body_framing framing = BODY_UNTIL_CLOSE;
        uint64_t length = 77;
        arena_init(&arena, NULL, 0);
        bool good = parse(span_of(test->lines), &list, &arena, &problem) &&
                    http_body_framing(&list, test->minor_version, &framing, &length, &problem);
        bool right = test->status != 0 ? !good && problem.status == test->status
                                       : good && framing == test->framing && length == test->length;
        if (!right) {
            (void)fprintf(stderr, "%s -> %d framing %d length %llu %s\n", test->lines, problem.status, (int)framing,
                          (unsigned long long)length, problem.text != NULL ? problem.text : "");
        }
        CU_ASSERT_TRUE(right);
        arena_reset(&arena);
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http_fields", NULL, NULL);
    CU_ADD_TEST(suite, sections_are_understood_or_refused);
    CU_ADD_TEST(suite, no_control_stands_in_a_value);
    CU_ADD_TEST(suite, many_fields_keep_their_order);
    CU_ADD_TEST(suite, framing_is_as_the_fields_say);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
