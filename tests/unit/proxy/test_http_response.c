/* http_parse_response(): an origin's head as values; whatever is wrong with it is a 502. */
#include "proxy/http_head.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES(text)                                                                                                    \
    { (text), sizeof(text) - 1 }

struct response_case {
    struct span bytes;
    const char *method;
    const char *expected; /* "status (reason) 1.minor framing[=length] [keep]"; NULL: refused */
};

#define OK "HTTP/1.1 200 OK\r\n"

static const struct response_case status_lines[] = {
    {BYTES(OK "\r\n"), "GET", "200 (OK) 1.1 close"},
    {BYTES("HTTP/1.1 404 Not Found\r\n\r\n"), "GET", "404 (Not Found) 1.1 close"},
    {BYTES("HTTP/1.1 200 \r\n\r\n"), "GET", "200 () 1.1 close"},
    {BYTES("HTTP/1.1 200\r\n\r\n"), "GET", "200 () 1.1 close"},
    {BYTES("HTTP/1.1 200 gr\xfc\xdf\r\n\r\n"), "GET", "200 (gr\xfc\xdf) 1.1 close"},
    {BYTES("HTTP/1.1 599 a\tb\r\n\r\n"), "GET", "599 (a\tb) 1.1 close"},
    {BYTES("HTTP/1.0 200 OK\r\n\r\n"), "GET", "200 (OK) 1.0 close"},
    {BYTES("HTTP/1.2 200 OK\r\n\r\n"), "GET", "200 (OK) 1.1 close"},
    {BYTES("HTTP/1.1 299 Odd\r\n\r\n"), "GET", "299 (Odd) 1.1 close"},
    {BYTES("\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 \r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 20\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 2000\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 2x0 OK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 -20 OK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 099 OK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 000 OK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 600 OK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 999 OK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1  200 OK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1\t200 OK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 200\tOK\r\n\r\n"), "GET", NULL},
    {BYTES(" HTTP/1.1 200 OK\r\n\r\n"), "GET", NULL},
    {BYTES("http/1.1 200 OK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/2.0 200 OK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/0.9 200 OK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.10 200 OK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.x 200 OK\r\n\r\n"), "GET", NULL},
    {BYTES("ICY 200 OK\r\n\r\n"), "GET", NULL},
    {BYTES("<html>hello</html>\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 200 O\0K\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 200 O\rK\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 200 OK\r\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 200 O\x1b[31mK\r\n\r\n"), "GET", NULL},
};

#define TE "Transfer-Encoding: chunked\r\n"

static const struct response_case bodies[] = {
    {BYTES(OK "Content-Length: 5\r\n\r\n"), "GET", "200 (OK) 1.1 length=5 keep"},
    {BYTES(OK "Content-Length: 0\r\n\r\n"), "GET", "200 (OK) 1.1 length=0 keep"},
    {BYTES(OK "Content-Length: 5\r\nConnection: close\r\n\r\n"), "GET", "200 (OK) 1.1 length=5"},
    {BYTES(OK "Content-Length: 5\r\nConnection: x, Close\r\n\r\n"), "GET", "200 (OK) 1.1 length=5"},
    {BYTES(OK TE "\r\n"), "GET", "200 (OK) 1.1 chunked keep"},
    {BYTES(OK TE "\r\n"), "POST", "200 (OK) 1.1 chunked keep"},
    {BYTES(OK "Connection: keep-alive\r\n\r\n"), "GET", "200 (OK) 1.1 close"},
    {BYTES("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), "GET", "200 (OK) 1.0 length=5"},
    {BYTES("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n"), "GET",
     "200 (OK) 1.0 length=5 keep"},
    /* RFC 9112, 6.3: no body whatever the fields say */
    {BYTES(OK "Content-Length: 5\r\n\r\n"), "HEAD", "200 (OK) 1.1 none keep"},
    {BYTES(OK TE "\r\n"), "HEAD", "200 (OK) 1.1 none keep"},
    {BYTES(OK "\r\n"), "HEAD", "200 (OK) 1.1 none keep"},
    {BYTES(OK "\r\n"), "head", "200 (OK) 1.1 close"},
    {BYTES("HTTP/1.1 204 No Content\r\n\r\n"), "GET", "204 (No Content) 1.1 none keep"},
    {BYTES("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), "GET", "204 (No Content) 1.1 none keep"},
    {BYTES("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), "GET", "304 (Not Modified) 1.1 none keep"},
    {BYTES("HTTP/1.1 304 Not Modified\r\n" TE "\r\n"), "GET", "304 (Not Modified) 1.1 none keep"},
    {BYTES("HTTP/1.1 100 Continue\r\n\r\n"), "POST", "100 (Continue) 1.1 none keep"},
    {BYTES("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"), "GET",
     "101 (Switching Protocols) 1.1 none keep"},
    {BYTES("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), "GET", "103 (Early Hints) 1.1 none keep"},
    {BYTES("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"), "GET", "205 (Reset Content) 1.1 length=0 keep"},
    /* the same checks as for requests */
    {BYTES(OK "Content-Length: 5\r\n" TE "\r\n"), "GET", NULL},
    {BYTES(OK TE "Content-Length: 5\r\n\r\n"), "GET", NULL},
    {BYTES(OK TE "Content-Length: 5\r\n\r\n"), "HEAD", NULL},
    {BYTES(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), "GET", NULL},
    {BYTES(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), "GET", NULL},
    {BYTES(OK "Content-Length: 5, 5\r\n\r\n"), "GET", NULL},
    {BYTES(OK "Content-Length: -1\r\n\r\n"), "GET", NULL},
    {BYTES(OK "Content-Length:\r\n\r\n"), "GET", NULL},
    {BYTES(OK "Content-Length: 99999999999999999999\r\n\r\n"), "GET", NULL},
    {BYTES("HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n"), "GET", NULL},
    {BYTES(OK "Transfer-Encoding: gzip\r\n\r\n"), "GET", NULL},
    {BYTES(OK "Transfer-Encoding: gzip, chunked\r\n\r\n"), "GET", NULL},
    {BYTES(OK "Transfer-Encoding: chunked, identity\r\n\r\n"), "GET", NULL},
    {BYTES(OK TE TE "\r\n"), "GET", NULL},
    {BYTES("HTTP/1.0 200 OK\r\n" TE "\r\n"), "GET", NULL},
    {BYTES(OK "X : y\r\n\r\n"), "GET", NULL},
    {BYTES(OK " X: y\r\n\r\n"), "GET", NULL},
    {BYTES(OK "X: y\r\n z\r\n\r\n"), "GET", NULL},
    {BYTES(OK "X: y\rz\r\n\r\n"), "GET", NULL},
    {BYTES(OK "X: y\0z\r\n\r\n"), "GET", NULL},
    {BYTES(OK "X\r\n\r\n"), "GET", NULL},
    {BYTES(OK ": y\r\n\r\n"), "GET", NULL},
    {BYTES(OK "X: y\nZ: a\r\n\r\n"), "GET", NULL},
};

static void describe(const struct response_head *response, char *text, size_t size) {
    static const char *const framings[] = {
        [BODY_NONE] = "none", [BODY_LENGTH] = "length", [BODY_CHUNKED] = "chunked", [BODY_UNTIL_CLOSE] = "close"};
    char length[32] = "";
    if (response->framing == BODY_LENGTH) {
        (void)snprintf(length, sizeof length, "=%llu", (unsigned long long)response->content_length);
    }
    (void)snprintf(text, size, "%d (%.*s) 1.%u %s%s%s", response->status, (int)response->reason.len,
                   response->reason.ptr, response->minor_version, framings[response->framing], length,
                   response->keep_alive ? " keep" : "");
}

/* What http_take_response() takes must mean the same; the bytes go, and others lie behind them. */
static bool is_taken(const struct response_case *test, struct arena *arena) {
    static const struct http_limits limits = {.field_count = 200};
    char *copy = malloc(test->bytes.len + 4), text[300] = "";
    struct response_head response;
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, test->bytes.ptr, test->bytes.len);
    memcpy(copy + test->bytes.len, "body", 4);
    struct span method = span_of(test->method), bytes = {copy, test->bytes.len + 4};
    size_t length = http_take_response(bytes, &limits, method, arena, &response);
    for (size_t end = 0; end < test->bytes.len; end++) {
        struct response_head unused;
        CU_ASSERT_EQUAL(http_take_response((struct span){copy, end}, &limits, method, arena, &unused), 0);
    }
    memset(copy, '?', bytes.len);
    free(copy);
    if (length > 0) {
        describe(&response, text, sizeof text);
        CU_ASSERT_EQUAL(length, test->bytes.len);
        CU_ASSERT_STRING_EQUAL(text, test->expected != NULL ? test->expected : "refused");
    }
    return length > 0;
}

static void check_all(const struct response_case *tests, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct response_case *test = &tests[i];
        struct arena arena;
        struct response_head response;
        struct http_problem problem = {0};
        char text[300] = "";
        arena_init(&arena, NULL, 0);
        bool good = http_parse_response(test->bytes, span_of(test->method), &arena, &response, &problem);
        if (good) {
            describe(&response, text, sizeof text);
        }
        bool right = test->expected != NULL ? good && strcmp(text, test->expected) == 0
                                            : !good && problem.status == 502 && problem.text != NULL;
        if (!right) {
            (void)fprintf(stderr, "%s %s\n-> %d %s %s\n", test->method, test->bytes.ptr, problem.status,
                          problem.text != NULL ? problem.text : "", text);
        }
        CU_ASSERT_TRUE(right);
        CU_ASSERT_EQUAL(is_taken(test, &arena), good);
        arena_reset(&arena);
    }
}

static void status_lines_are_read(void) {
    check_all(status_lines, sizeof status_lines / sizeof status_lines[0]);
}

static void bodies_are_as_method_status_and_fields_say(void) {
    check_all(bodies, sizeof bodies / sizeof bodies[0]);
}

/* What a HEAD or a 304 tells about the length is for the client. */
static void fields_of_a_bodiless_response_stay(void) {
    struct arena arena;
    struct response_head response;
    struct http_problem problem;
    arena_init(&arena, NULL, 0);
    CU_ASSERT_TRUE_FATAL(http_parse_response(SPAN_LITERAL(OK "Content-Length: 5\r\nX: \t y \r\n\r\n"),
                                             SPAN_LITERAL("HEAD"), &arena, &response, &problem));
    CU_ASSERT_EQUAL(response.content_length, 5);
    CU_ASSERT_EQUAL(response.fields.count, 2);
    CU_ASSERT_TRUE(span_equal(response.fields.fields[1].value, SPAN_LITERAL("y")));
    arena_reset(&arena);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http_response", NULL, NULL);
    CU_ADD_TEST(suite, status_lines_are_read);
    CU_ADD_TEST(suite, bodies_are_as_method_status_and_fields_say);
    CU_ADD_TEST(suite, fields_of_a_bodiless_response_stay);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
