/* http_write_request() and http_write_response(): byte for byte, and what is written is read again as the same. */
#include "proxy/http_head.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena arena;

static void expect_text(struct span text, const char *expected) {
    bool same = span_equal(text, span_of(expected));
    if (!same) {
        (void)fprintf(stderr, "%.*s\nis not\n%s\n", (int)text.len, text.ptr, expected);
    }
    CU_ASSERT_TRUE(same);
}

static struct field_list two_fields(void) {
    struct field_list list = {0};
    fields_add(&list, &arena, SPAN_LITERAL("Host"), SPAN_LITERAL("h:80"));
    fields_add(&list, &arena, SPAN_LITERAL("x-EMPTY"), SPAN_LITERAL(""));
    return list;
}

struct wire_case {
    struct http_wire wire;
    const char *expected;
};

static const struct wire_case wires[] = {
    {{.framing = BODY_NONE}, "\r\n"},
    {{.framing = BODY_UNTIL_CLOSE}, "\r\n"},
    {{.framing = BODY_LENGTH}, "Content-Length: 0\r\n\r\n"},
    {{.framing = BODY_LENGTH, .content_length = UINT64_MAX}, "Content-Length: 18446744073709551615\r\n\r\n"},
    {{.framing = BODY_CHUNKED}, "Transfer-Encoding: chunked\r\n\r\n"},
    {{.framing = BODY_LENGTH, .content_length = 5, .close = true}, "Content-Length: 5\r\nConnection: close\r\n\r\n"},
    {{.framing = BODY_CHUNKED, .keep_alive = true}, "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"},
    {{.close = true, .keep_alive = true}, "Connection: close\r\n\r\n"},
    {{.upgrade = true}, "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
};

static void a_request_is_written_exactly(void) {
    struct request_head request = {.method = SPAN_LITERAL("PUT")};
    arena_init(&arena, NULL, 0);
    struct field_list fields = two_fields();
    for (size_t i = 0; i < sizeof wires / sizeof wires[0]; i++) {
        char expected[200];
        (void)snprintf(expected, sizeof expected, "PUT /a?b HTTP/1.1\r\nHost: h:80\r\nx-EMPTY: \r\n%s",
                       wires[i].expected);
        expect_text(http_write_request(&arena, &request, SPAN_LITERAL("/a?b"), &fields, &wires[i].wire), expected);
    }
    arena_reset(&arena);
}

static void a_response_is_written_exactly(void) {
    arena_init(&arena, NULL, 0);
    struct response_head response = {.status = 404, .reason = SPAN_LITERAL("Not Found"), .fields = two_fields()};
    for (size_t i = 0; i < sizeof wires / sizeof wires[0]; i++) {
        char expected[200];
        (void)snprintf(expected, sizeof expected, "HTTP/1.1 404 Not Found\r\nHost: h:80\r\nx-EMPTY: \r\n%s",
                       wires[i].expected);
        expect_text(http_write_response(&arena, &response, &wires[i].wire), expected);
    }
    const struct http_wire none = {0};
    struct response_head bare = {.status = 599};
    expect_text(http_write_response(&arena, &bare, &none), "HTTP/1.1 599 \r\n\r\n"); /* RFC 9112, 4: the space stays */
    arena_reset(&arena);
}

static uint32_t seed;

static uint32_t next_random(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static struct span random_text(const char *bytes, size_t shortest, size_t longest) {
    size_t count = strlen(bytes);
    size_t length = shortest + next_random() % (longest - shortest + 1);
    char *text = arena_alloc_raw(&arena, length + 1);
    for (size_t i = 0; i < length; i++) {
        text[i] = bytes[next_random() % count];
    }
    return (struct span){text, length};
}

static void add_random_fields(struct field_list *fields) {
    static const char name[] = "abcXYZ019-_!~|";
    static const char value[] = "abc XYZ\t019:;,=\"\\\xe4\xff()<>";
    for (uint32_t i = next_random() % 60; i > 0; i--) {
        struct span chosen = random_text(name, 1, 30);
        if (field_id_of(chosen) == FIELD_OTHER) {
            fields_add(fields, &arena, chosen, span_trim(random_text(value, 0, 300)));
        }
    }
}

static bool same_fields(const struct field_list *a, const struct field_list *b) {
    bool same = a->count <= b->count;
    for (size_t i = 0; i < a->count && same; i++) {
        same = span_equal(a->fields[i].name, b->fields[i].name) && span_equal(a->fields[i].value, b->fields[i].value);
    }
    return same;
}

static struct http_wire random_wire(void) {
    static const enum body_framing framings[] = {BODY_NONE, BODY_LENGTH, BODY_CHUNKED};
    struct http_wire wire = {.framing = framings[next_random() % 3], .close = next_random() % 2 == 0};
    wire.content_length = wire.framing == BODY_LENGTH ? next_random() : 0;
    return wire;
}

static void a_written_request_is_read_as_the_same(void) {
    static const struct http_limits strict = {0};
    for (seed = 1; seed < 400;) {
        uint32_t this_seed = seed;
        arena_init(&arena, NULL, 0);
        struct request_head request = {.method = random_text("GETPOS-x!", 8, 20)}, again;
        struct span target = random_text("/", 1, 1), line;
        target = random_text("/", 1, 3).len > 1 ? SPAN_LITERAL("/a/b?c=%41") : target;
        fields_add(&request.fields, &arena, SPAN_LITERAL("Host"), SPAN_LITERAL("h"));
        add_random_fields(&request.fields);
        struct http_wire wire = random_wire();
        struct http_problem problem = {0};
        struct span text = http_write_request(&arena, &request, target, &request.fields, &wire);
        bool good = http_parse_request(text, &strict, false, &arena, &again, &line, &problem);
        CU_ASSERT_TRUE(good);
        CU_ASSERT_TRUE(good && span_equal(again.method, request.method) && span_equal(again.target, target));
        CU_ASSERT_TRUE(good && same_fields(&request.fields, &again.fields));
        CU_ASSERT_TRUE(good && again.framing == wire.framing && again.content_length == wire.content_length);
        CU_ASSERT_TRUE(good && again.keep_alive == !wire.close);
        arena_reset(&arena);
        seed = this_seed + 1;
    }
}

static void a_written_response_is_read_as_the_same(void) {
    for (seed = 1; seed < 400;) {
        uint32_t this_seed = seed;
        arena_init(&arena, NULL, 0);
        struct response_head response = {.status = 200 + (int)(next_random() % 4)}, again;
        response.reason = span_trim(random_text("ab c", 0, 40));
        add_random_fields(&response.fields);
        struct http_wire wire = random_wire();
        struct http_problem problem = {0};
        struct span text = http_write_response(&arena, &response, &wire);
        bool good = http_parse_response(text, SPAN_LITERAL("GET"), &arena, &again, &problem);
        enum body_framing framing = wire.framing == BODY_NONE ? BODY_UNTIL_CLOSE : wire.framing;
        CU_ASSERT_TRUE(good);
        CU_ASSERT_TRUE(good && again.status == response.status && span_equal(again.reason, response.reason));
        CU_ASSERT_TRUE(good && same_fields(&response.fields, &again.fields));
        CU_ASSERT_TRUE(good && again.framing == framing && again.content_length == wire.content_length);
        arena_reset(&arena);
        seed = this_seed + 1;
    }
}

/* What lies in memory as it is to be written is copied together: with gaps, changes and other orders in between, too.
 */
static void unchanged_lines_are_written_as_they_came(void) {
    static const char text[] = "A: 1\r\nB: 2\r\nC:3\r\nD:  4\r\nE: 5 \r\nF: \r\nG: 7\r\nH: 8\r\n\r\n";
    static const struct span kept[][2] = {
        {{"ABCDEFGH", 8}, {"A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: \r\nG: 7\r\nH: 8\r\n", 47}},
        {{"ACEG", 4}, {"A: 1\r\nC: 3\r\nE: 5\r\nG: 7\r\n", 24}},
        {{"ABH", 3}, {"A: 1\r\nB: 2\r\nH: 8\r\n", 18}},
        {{"BA", 2}, {"B: 2\r\nA: 1\r\n", 12}},
        {{"GGH", 3}, {"G: 7\r\nG: 7\r\nH: 8\r\n", 18}},
        {{"F", 1}, {"F: \r\n", 5}},
        {{"", 0}, {"", 0}},
    };
    struct field_list all = {0};
    struct http_problem problem;
    CU_ASSERT_TRUE_FATAL(http_parse_fields((struct span){text, sizeof text - 1}, &all, &arena, &problem) &&
                         all.count == 8);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct response_head response = {.status = 200, .reason = SPAN_LITERAL("OK")};
        for (size_t j = 0; j < kept[i][0].len; j++) {
            const struct field *field = &all.fields[kept[i][0].ptr[j] - 'A'];
            fields_add(&response.fields, &arena, field->name, field->value);
        }
        const struct http_wire wire = {.framing = BODY_NONE};
        expect_text(http_write_response(&arena, &response, &wire),
                    arena_printf(&arena, "HTTP/1.1 200 OK\r\n%.*s\r\n", (int)kept[i][1].len, kept[i][1].ptr));
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http_write", NULL, NULL);
    CU_ADD_TEST(suite, a_request_is_written_exactly);
    CU_ADD_TEST(suite, a_response_is_written_exactly);
    CU_ADD_TEST(suite, a_written_request_is_read_as_the_same);
    CU_ADD_TEST(suite, a_written_response_is_read_as_the_same);
    CU_ADD_TEST(suite, unchanged_lines_are_written_as_they_came);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
