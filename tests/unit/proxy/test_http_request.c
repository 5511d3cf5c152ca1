/* http_parse_request(): a request's head as values, or the status that it is refused with. */
#include "proxy/http_head.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES(text)                                                                                                    \
    { (text), sizeof(text) - 1 }
#define HOST "Host: h\r\n"
#define END "\r\n"

static const struct http_limits strict = {0};
static const struct http_limits unsafe = {.bare_line_feed = true};

/* What was understood: "METHOD path ?query @host 1.minor framing", then a word for each flag. */
static void describe(const struct request_head *request, char *text, size_t size) {
    static const char *const framings[] = {
        [BODY_NONE] = "none", [BODY_LENGTH] = "length", [BODY_CHUNKED] = "chunked", [BODY_UNTIL_CLOSE] = "close"};
    char length[32] = "";
    if (request->framing == BODY_LENGTH) {
        (void)snprintf(length, sizeof length, "=%llu", (unsigned long long)request->content_length);
    }
    (void)snprintf(text, size, "%.*s %.*s %s%.*s @%.*s 1.%u %s%s%s%s%s", (int)request->method.len, request->method.ptr,
                   (int)request->path.len, request->path.ptr, request->query.ptr != NULL ? "?" : "-",
                   (int)request->query.len, request->query.ptr != NULL ? request->query.ptr : "",
                   (int)request->host.len, request->host.ptr != NULL ? request->host.ptr : "", request->minor_version,
                   framings[request->framing], length, request->keep_alive ? " keep" : "",
                   request->expect_continue ? " expect" : "", request->upgrade_websocket ? " websocket" : "");
}

struct request_case {
    struct span bytes;
    int status;           /* 0: understood */
    const char *expected; /* when understood */
};

#define LINE "GET / HTTP/1.1\r\n"

static const struct request_case start_lines[] = {
    {BYTES(LINE HOST END), 0, "GET / - @h 1.1 none keep"},
    {BYTES("GET /a/b?c=d?e HTTP/1.1\r\n" HOST END), 0, "GET /a/b ?c=d?e @h 1.1 none keep"},
    {BYTES("GET /? HTTP/1.1\r\n" HOST END), 0, "GET / ? @h 1.1 none keep"},
    {BYTES("GET //a//b HTTP/1.1\r\n" HOST END), 0, "GET //a//b - @h 1.1 none keep"},
    {BYTES("GET /%2e%2e/%41 HTTP/1.1\r\n" HOST END), 0, "GET /%2e%2e/%41 - @h 1.1 none keep"},
    /* methods: any token */
    {BYTES("get / HTTP/1.1\r\n" HOST END), 0, "get / - @h 1.1 none keep"},
    {BYTES("PROPFIND / HTTP/1.1\r\n" HOST END), 0, "PROPFIND / - @h 1.1 none keep"},
    {BYTES("X!#$%&'*+-.^_`|~9 / HTTP/1.1\r\n" HOST END), 0, "X!#$%&'*+-.^_`|~9 / - @h 1.1 none keep"},
    {BYTES("TRACE / HTTP/1.1\r\n" HOST END), 0, "TRACE / - @h 1.1 none keep"}, /* TraceEnable decides later */
    {BYTES("connect / HTTP/1.1\r\n" HOST END), 0, "connect / - @h 1.1 none keep"},
    {BYTES("CONNECT h:443 HTTP/1.1\r\n" HOST END), 405, NULL},
    {BYTES("CONNECT / HTTP/1.1\r\n" HOST END), 405, NULL},
    {BYTES("PRI * HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("PRI * HTTP/2.0\r\n\r\n"), 400, NULL},
    {BYTES("G(T / HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("G\0T / HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("G\xc4T / HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES(" / HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES(" GET / HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("\rGET / HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET:/ / HTTP/1.1\r\n" HOST END), 400, NULL},
    /* words and blanks */
    {BYTES("\r\n"), 400, NULL},
    {BYTES("GET\r\n" HOST END), 400, NULL},
    {BYTES("GET \r\n" HOST END), 400, NULL},
    {BYTES("GET /\r\n" HOST END), 400, NULL},
    {BYTES("GET / \r\n" HOST END), 400, NULL},
    {BYTES("GET HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET  HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET  / HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /  HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET / HTTP/1.1 \r\n" HOST END), 400, NULL},
    {BYTES("GET\t/\tHTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /\tHTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /a b HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET / HTTP/1.1\r\r\n" HOST END), 400, NULL},
    {BYTES("GET / HTTP/1.1\0\r\n" HOST END), 400, NULL},
    {BYTES("GET\v/\vHTTP/1.1\r\n" HOST END), 400, NULL},
    /* versions */
    {BYTES("GET / HTTP/1.0\r\n\r\n"), 0, "GET / - @ 1.0 none"},
    {BYTES("GET / HTTP/1.2\r\n" HOST END), 0, "GET / - @h 1.1 none keep"},
    {BYTES("GET / HTTP/1.9\r\n" HOST END), 0, "GET / - @h 1.1 none keep"},
    {BYTES("GET / HTTP/0.9\r\n" HOST END), 505, NULL},
    {BYTES("GET / HTTP/2.0\r\n" HOST END), 505, NULL},
    {BYTES("GET / HTTP/3.1\r\n" HOST END), 505, NULL},
    {BYTES("GET / HTTP/2\r\n" HOST END), 400, NULL},
    {BYTES("GET / HTTP/1.10\r\n" HOST END), 400, NULL},
    {BYTES("GET / HTTP/01.1\r\n" HOST END), 400, NULL},
    {BYTES("GET / HTTP/1.\r\n" HOST END), 400, NULL},
    {BYTES("GET / HTTP/1.x\r\n" HOST END), 400, NULL},
    {BYTES("GET / HTTP/1,1\r\n" HOST END), 400, NULL},
    {BYTES("GET / HTTP 1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET / http/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET / HTTPS/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET / ICY/1.1\r\n" HOST END), 400, NULL},
};

static const struct request_case targets[] = {
    {BYTES("GET http://a/b?c HTTP/1.1\r\n" HOST END), 0, "GET /b ?c @a 1.1 none keep"},
    {BYTES("GET HTTP://A:80/b HTTP/1.1\r\n" HOST END), 0, "GET /b - @A:80 1.1 none keep"},
    {BYTES("GET https://a/ HTTP/1.1\r\n" HOST END), 0, "GET / - @a 1.1 none keep"},
    {BYTES("GET http://a HTTP/1.1\r\n" HOST END), 0, "GET / - @a 1.1 none keep"},
    {BYTES("GET http://a?b HTTP/1.1\r\n" HOST END), 0, "GET / ?b @a 1.1 none keep"},
    {BYTES("GET http://a?/b HTTP/1.1\r\n" HOST END), 0, "GET / ?/b @a 1.1 none keep"},
    {BYTES("GET http://[::1]:80/ HTTP/1.1\r\n" HOST END), 0, "GET / - @[::1]:80 1.1 none keep"},
    {BYTES("GET http://a/ HTTP/1.0\r\n\r\n"), 0, "GET / - @a 1.0 none"},
    {BYTES("OPTIONS http://a HTTP/1.1\r\n" HOST END), 0, "OPTIONS * - @a 1.1 none keep"},
    {BYTES("OPTIONS http://a/ HTTP/1.1\r\n" HOST END), 0, "OPTIONS / - @a 1.1 none keep"},
    {BYTES("OPTIONS http://a?b HTTP/1.1\r\n" HOST END), 0, "OPTIONS / ?b @a 1.1 none keep"},
    {BYTES("OPTIONS * HTTP/1.1\r\n" HOST END), 0, "OPTIONS * - @h 1.1 none keep"},
    {BYTES("OPTIONS /a HTTP/1.1\r\n" HOST END), 0, "OPTIONS /a - @h 1.1 none keep"},
    {BYTES("GET http://a/ HTTP/1.1\r\n\r\n"), 400, NULL}, /* Host is asked for all the same */
    {BYTES("GET * HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("options * HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("OPTIONS ** HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("OPTIONS *?a HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET a HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET ?a HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET h:80 HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET http: HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET http:/a HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET http:// HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET https:// HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET http:///b HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET http://?b HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET http://:80/ HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET http://u@a/ HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET http://u:p@a/ HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET http://a:x/ HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET http://a%41/ HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET http://a,b/ HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET http://[::1/ HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET ftp://a/ HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET ws://a/ HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET file:///etc/passwd HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET httpx://a/ HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /a#b HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /\xc3\xa4 HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /a|b HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /{a} HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /\"a\" HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /a\\b HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /^ HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /<a> HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /?<a> HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /a\0b HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /a\rb HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /%0 HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /%gg HTTP/1.1\r\n" HOST END), 400, NULL},
    {BYTES("GET /%00 HTTP/1.1\r\n" HOST END), 400, NULL},
};

static const struct request_case host_fields[] = {
    {BYTES(LINE "host: H.example:8080\r\n\r\n"), 0, "GET / - @H.example:8080 1.1 none keep"},
    {BYTES(LINE "Host:\t h \t\r\n\r\n"), 0, "GET / - @h 1.1 none keep"},
    {BYTES(LINE "X: y\r\nHOST: [2001:db8::1]\r\n\r\n"), 0, "GET / - @[2001:db8::1] 1.1 none keep"},
    {BYTES("GET / HTTP/1.0\r\nHost: h\r\n\r\n"), 0, "GET / - @h 1.0 none"},
    {BYTES(LINE END), 400, NULL},
    {BYTES(LINE HOST HOST END), 400, NULL},
    {BYTES(LINE HOST "X: y\r\nhOST: i\r\n\r\n"), 400, NULL},
    {BYTES("GET / HTTP/1.0\r\n" HOST HOST END), 400, NULL},
    {BYTES(LINE "Host:\r\n\r\n"), 400, NULL},
    {BYTES(LINE "Host: a b\r\n\r\n"), 400, NULL},
    {BYTES(LINE "Host: a, b\r\n\r\n"), 400, NULL},
    {BYTES(LINE "Host: a/b\r\n\r\n"), 400, NULL},
    {BYTES(LINE "Host: u@a\r\n\r\n"), 400, NULL},
    {BYTES(LINE "Host: a:80x\r\n\r\n"), 400, NULL},
    {BYTES(LINE "Host: a\0b\r\n\r\n"), 400, NULL},
    {BYTES(LINE "Host: \xe4\r\n\r\n"), 400, NULL},
    {BYTES(LINE "Host : h\r\n\r\n"), 400, NULL},
    {BYTES(LINE " Host: h\r\n\r\n"), 400, NULL},
    {BYTES(LINE "Host: h\r\n x\r\n\r\n"), 400, NULL},
    {BYTES("GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n"), 400, NULL},
    {BYTES("GET http://a/ HTTP/1.1\r\n" HOST HOST END), 400, NULL},
};

#define POST "POST / HTTP/1.1\r\n" HOST
#define POST0 "POST / HTTP/1.0\r\n" HOST
#define WS "GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n"

static const struct request_case meanings[] = {
    {BYTES(POST "Content-Length: 007\r\n\r\n"), 0, "POST / - @h 1.1 length=7 keep"},
    {BYTES(POST "Content-Length: 0\r\n\r\n"), 0, "POST / - @h 1.1 length=0 keep"},
    {BYTES(POST "Transfer-Encoding: chunked\r\n\r\n"), 0, "POST / - @h 1.1 chunked keep"},
    {BYTES(POST END), 0, "POST / - @h 1.1 none keep"},
    {BYTES(POST0 "Content-Length: 3\r\n\r\n"), 0, "POST / - @h 1.0 length=3"},
    {BYTES(POST0 "Transfer-Encoding: chunked\r\n\r\n"), 400, NULL},
    {BYTES(POST0 "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, NULL},
    {BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"), 400, NULL},
    {BYTES(POST "Transfer-Encoding: gzip\r\n\r\n"), 400, NULL},
    {BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501, NULL},
    {BYTES(POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"), 400, NULL},
    {BYTES(LINE HOST "Content-Length: 3\r\n\r\n"), 0, "GET / - @h 1.1 length=3 keep"},
    /* keep-alive */
    {BYTES(LINE HOST "Connection: close\r\n\r\n"), 0, "GET / - @h 1.1 none"},
    {BYTES(LINE HOST "Connection: x, CLOSE ,y\r\n\r\n"), 0, "GET / - @h 1.1 none"},
    {BYTES(LINE HOST "Connection: keep-alive\r\nConnection: close\r\n\r\n"), 0, "GET / - @h 1.1 none"},
    {BYTES(LINE HOST "Connection: closed\r\n\r\n"), 0, "GET / - @h 1.1 none keep"},
    {BYTES("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 0, "GET / - @ 1.0 none keep"},
    {BYTES("GET / HTTP/1.0\r\nConnection: Keep-Alive, close\r\n\r\n"), 0, "GET / - @ 1.0 none"},
    {BYTES("GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n"), 0, "GET / - @ 1.0 none"},
    /* Expect */
    {BYTES(POST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"), 0, "POST / - @h 1.1 length=3 keep expect"},
    {BYTES(POST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n"), 0, "POST / - @h 1.1 length=0 keep"},
    {BYTES(POST "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n"), 0,
     "POST / - @h 1.1 chunked keep expect"},
    {BYTES(LINE HOST "Expect: 100-continue\r\n\r\n"), 0, "GET / - @h 1.1 none keep"},
    {BYTES(POST0 "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"), 0, "POST / - @h 1.0 length=3"},
    {BYTES(POST0 "Content-Length: 3\r\nExpect: other\r\n\r\n"), 0, "POST / - @h 1.0 length=3"},
    {BYTES(POST "Content-Length: 3\r\nExpect: other\r\n\r\n"), 417, NULL},
    {BYTES(POST "Content-Length: 3\r\nExpect: 100-continue, other\r\n\r\n"), 417, NULL},
    {BYTES(POST "Content-Length: 3\r\nExpect: 100-continue\r\nExpect: other\r\n\r\n"), 417, NULL},
    {BYTES(POST "Expect:\r\n\r\n"), 417, NULL},
    /* Upgrade */
    {BYTES(WS "Connection: Upgrade\r\n\r\n"), 0, "GET / - @h 1.1 none keep websocket"},
    {BYTES(WS "Connection: keep-alive, upgrade\r\n\r\n"), 0, "GET / - @h 1.1 none keep websocket"},
    {BYTES(WS END), 0, "GET / - @h 1.1 none keep"},
    {BYTES(WS "Connection: Upgrade\r\nContent-Length: 3\r\n\r\n"), 0, "GET / - @h 1.1 length=3 keep"},
    {BYTES(POST "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), 0, "POST / - @h 1.1 none keep"},
    {BYTES("GET / HTTP/1.0\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), 0, "GET / - @h 1.0 none"},
    {BYTES(LINE HOST "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: A\r\n\r\n"), 0,
     "GET / - @h 1.1 none keep"},
    {BYTES(LINE HOST "Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n"), 0, "GET / - @h 1.1 none keep"},
    /* field lines */
    {BYTES(LINE HOST "X : y\r\n\r\n"), 400, NULL},
    {BYTES(LINE HOST "X: a\r\n b\r\n\r\n"), 400, NULL},
    {BYTES(LINE HOST "X: a\rb\r\n\r\n"), 400, NULL},
    {BYTES(LINE HOST "X: a\0b\r\n\r\n"), 400, NULL},
    {BYTES(LINE HOST "X\r\n\r\n"), 400, NULL},
};

/* HttpProtocolOptions Unsafe: a bare LF ends a line, and nothing else is relaxed. */
static const struct request_case unsafe_heads[] = {
    {BYTES("GET / HTTP/1.1\nHost: h\n\n"), 0, "GET / - @h 1.1 none keep"},
    {BYTES("GET / HTTP/1.1\r\nHost: h\nX: y\r\n\n"), 0, "GET / - @h 1.1 none keep"},
    {BYTES("GET / HTTP/1.0\n\n"), 0, "GET / - @ 1.0 none"},
    {BYTES("POST / HTTP/1.1\nHost: h\nContent-Length: 3\n\n"), 0, "POST / - @h 1.1 length=3 keep"},
    {BYTES(LINE HOST END), 0, "GET / - @h 1.1 none keep"},
    {BYTES("\n"), 400, NULL},
    {BYTES("GET /\n\n"), 400, NULL},
    {BYTES("GET / HTTP/1.1\n\n"), 400, NULL},
    {BYTES("GET / HTTP/1.1\nHost: h\nX: a\rb\n\n"), 400, NULL},
    {BYTES("GET / HTTP/1.1\nHost: h\nX: a\r\r\n\n"), 400, NULL},
    {BYTES("GET / HTTP/1.1\r\r\nHost: h\n\n"), 400, NULL},
    {BYTES("GET / HTTP/1.1\nHost: h\nX: a\n b\n\n"), 400, NULL},
    {BYTES("GET / HTTP/1.1\nHost: h\nX : a\n\n"), 400, NULL},
    {BYTES("GET / HTTP/1.1\nHost: h\nX: a\0b\n\n"), 400, NULL},
    {BYTES("GET / HTTP/1.1\nHost: h\nHost: h\n\n"), 400, NULL},
    {BYTES("POST / HTTP/1.1\nHost: h\nContent-Length: 3\nTransfer-Encoding: chunked\n\n"), 400, NULL},
};

static void check_one(const struct request_case *test, const struct http_limits *limits) {
    struct arena arena;
    struct request_head request;
    struct span line = SPAN_NONE;
    struct http_problem problem = {0};
    char text[500] = "";
    arena_init(&arena, NULL, 0);
    bool good = http_parse_request(test->bytes, limits, false, &arena, &request, &line, &problem);
    if (good) {
        describe(&request, text, sizeof text);
    }
    bool right = test->status != 0 ? !good && problem.status == test->status && problem.text != NULL
                                   : good && strcmp(text, test->expected) == 0;
    if (!right) {
        (void)fprintf(stderr, "%s\n-> %d %s %s\n", test->bytes.ptr, problem.status,
                      problem.text != NULL ? problem.text : "", text);
    }
    CU_ASSERT_TRUE(right);
    CU_ASSERT_PTR_NOT_NULL(line.ptr);
    CU_ASSERT_TRUE(line.len <= test->bytes.len);
    arena_reset(&arena);
}

static void check_all(const struct request_case *tests, size_t count, const struct http_limits *limits) {
    for (size_t i = 0; i < count; i++) {
        check_one(&tests[i], limits);
    }
}

static void start_lines_are_read(void) {
    check_all(start_lines, sizeof start_lines / sizeof start_lines[0], &strict);
    check_all(start_lines, sizeof start_lines / sizeof start_lines[0], &unsafe);
}

static void targets_are_read(void) {
    check_all(targets, sizeof targets / sizeof targets[0], &strict);
}

static void hosts_are_read(void) {
    check_all(host_fields, sizeof host_fields / sizeof host_fields[0], &strict);
}

static void fields_mean_what_they_should(void) {
    check_all(meanings, sizeof meanings / sizeof meanings[0], &strict);
    check_all(meanings, sizeof meanings / sizeof meanings[0], &unsafe);
}

static void unsafe_takes_a_bare_line_feed_and_nothing_else(void) {
    check_all(unsafe_heads, sizeof unsafe_heads / sizeof unsafe_heads[0], &unsafe);
}

/* The origin is told the host that was obeyed, and the scheme is the connection's. */
static void an_absolute_target_wins_over_host(void) {
    struct arena arena;
    struct request_head request;
    struct span line;
    struct http_problem problem;
    arena_init(&arena, NULL, 0);
    CU_ASSERT_TRUE_FATAL(http_parse_request(SPAN_LITERAL("GET http://a:81/b HTTP/1.1\r\nHost: other\r\nX: y\r\n\r\n"),
                                            &strict, true, &arena, &request, &line, &problem));
    CU_ASSERT_TRUE(span_equal(request.host, SPAN_LITERAL("a:81")));
    CU_ASSERT_TRUE(span_equal(request.fields.fields[0].value, SPAN_LITERAL("a:81")));
    CU_ASSERT_TRUE(span_equal(request.scheme, SPAN_LITERAL("https")));
    CU_ASSERT_TRUE(span_equal(request.target, SPAN_LITERAL("http://a:81/b")));
    CU_ASSERT_TRUE(span_equal(line, SPAN_LITERAL("GET http://a:81/b HTTP/1.1")));
    CU_ASSERT_EQUAL(request.fields.count, 2);
    arena_reset(&arena);
}

/* A refused head is logged with what could be understood of it. */
static void a_refused_request_is_known_as_far_as_possible(void) {
    struct arena arena;
    struct request_head request;
    struct span line;
    struct http_problem problem;
    arena_init(&arena, NULL, 0);
    CU_ASSERT_FALSE(http_parse_request(SPAN_LITERAL("PUT /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n"),
                                       &strict, false, &arena, &request, &line, &problem));
    CU_ASSERT_TRUE(span_equal(line, SPAN_LITERAL("PUT /a?b HTTP/1.1")));
    CU_ASSERT_TRUE(span_equal(request.method, SPAN_LITERAL("PUT")));
    CU_ASSERT_TRUE(span_equal(request.path, SPAN_LITERAL("/a")));
    CU_ASSERT_FALSE(
        http_parse_request(SPAN_LITERAL("\0\x01\x02 ...\r\n\r\n"), &strict, false, &arena, &request, &line, &problem));
    CU_ASSERT_EQUAL(line.len, 7);
    CU_ASSERT_PTR_NULL(request.method.ptr);
    arena_reset(&arena);
}

/* The read buffer may go as soon as the head is parsed. */
static void nothing_points_into_the_buffer(void) {
    static const char text[] = "GET http://a/b?c HTTP/1.1\r\nHost: h\r\nX-Name: value\r\n\r\n";
    struct arena arena;
    struct request_head request;
    struct span line;
    struct http_problem problem;
    char *bytes = malloc(sizeof text - 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    memcpy(bytes, text, sizeof text - 1);
    arena_init(&arena, NULL, 0);
    CU_ASSERT_TRUE(
        http_parse_request((struct span){bytes, sizeof text - 1}, &strict, false, &arena, &request, &line, &problem));
    memset(bytes, '?', sizeof text - 1);
    free(bytes);
    CU_ASSERT_TRUE(span_equal(request.method, SPAN_LITERAL("GET")));
    CU_ASSERT_TRUE(span_equal(request.target, SPAN_LITERAL("http://a/b?c")));
    CU_ASSERT_TRUE(span_equal(request.path, SPAN_LITERAL("/b")));
    CU_ASSERT_TRUE(span_equal(request.query, SPAN_LITERAL("c")));
    CU_ASSERT_TRUE(span_equal(request.fields.fields[1].name, SPAN_LITERAL("X-Name")));
    CU_ASSERT_TRUE(span_equal(request.fields.fields[1].value, SPAN_LITERAL("value")));
    arena_reset(&arena);
}

/* The head with something behind it, in memory that is gone afterwards. */
static size_t take(struct span head, size_t bytes, const struct http_limits *limits, struct arena *arena,
                   struct request_head *request, struct span *line) {
    static const char behind[] = "body\r\n\r\n";
    char *copy = malloc(head.len + sizeof behind);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, head.ptr, head.len);
    memcpy(copy + head.len, behind, sizeof behind);
    size_t length = http_take_request((struct span){copy, bytes < head.len ? bytes : head.len + sizeof behind - 1},
                                      limits, false, arena, request, line);
    memset(copy, '?', head.len);
    free(copy);
    return length;
}

/* What is taken must be what http_parse_request() understands; whether it is taken is up to http_take_request(). */
static void take_all(const struct request_case *tests, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct arena arena;
        struct request_head request;
        struct span line = SPAN_NONE;
        char text[500] = "";
        arena_init(&arena, NULL, 0);
        if (take(tests[i].bytes, SIZE_MAX, &strict, &arena, &request, &line) > 0) {
            describe(&request, text, sizeof text);
            CU_ASSERT_EQUAL(tests[i].status, 0);
            CU_ASSERT_STRING_EQUAL(text, tests[i].expected);
            CU_ASSERT_TRUE(span_starts_with(tests[i].bytes, line));
        } else {
            CU_ASSERT_PTR_NULL(line.ptr);
            CU_ASSERT_TRUE(request.method.ptr == NULL && request.fields.count == 0);
        }
        arena_reset(&arena);
    }
}

static void what_is_taken_at_once_means_the_same(void) {
    take_all(start_lines, sizeof start_lines / sizeof *start_lines);
    take_all(targets, sizeof targets / sizeof *targets);
    take_all(host_fields, sizeof host_fields / sizeof *host_fields);
    take_all(meanings, sizeof meanings / sizeof *meanings);
    take_all(unsafe_heads, sizeof unsafe_heads / sizeof *unsafe_heads);
}

static void an_ordinary_head_is_taken_whole_and_within_the_limits(void) {
    static const struct span head = BYTES("GET /a?b HTTP/1.1\r\nHost: h.example\r\nX-Long-Name: a value\r\n\r\n");
    static const struct {
        struct http_limits limits;
        size_t bytes;
        bool taken;
    } rows[] = {
        {{0}, SIZE_MAX, true},
        {{.line_bytes = 17, .field_bytes = 21, .field_count = 2}, SIZE_MAX, false}, /* the scan counts exactly */
        {{.line_bytes = 100, .field_bytes = 100, .field_count = 2}, SIZE_MAX, true},
        {{.line_bytes = 16}, SIZE_MAX, false},
        {{.field_bytes = 20}, SIZE_MAX, false},
        {{.field_count = 1}, SIZE_MAX, false},
        {{.bare_line_feed = true}, SIZE_MAX, true},
    };
    struct arena arena;
    struct request_head request;
    struct span line = SPAN_NONE;
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t length = take(head, rows[i].bytes, &rows[i].limits, &arena, &request, &line);
        CU_ASSERT_EQUAL(length, rows[i].taken ? head.len : 0);
    }
    for (size_t bytes = 0; bytes < head.len; bytes++) {
        CU_ASSERT_EQUAL(take(head, bytes, &strict, &arena, &request, &line), 0);
    }
    arena_reset(&arena);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http_request", NULL, NULL);
    CU_ADD_TEST(suite, start_lines_are_read);
    CU_ADD_TEST(suite, targets_are_read);
    CU_ADD_TEST(suite, hosts_are_read);
    CU_ADD_TEST(suite, fields_mean_what_they_should);
    CU_ADD_TEST(suite, unsafe_takes_a_bare_line_feed_and_nothing_else);
    CU_ADD_TEST(suite, an_absolute_target_wins_over_host);
    CU_ADD_TEST(suite, a_refused_request_is_known_as_far_as_possible);
    CU_ADD_TEST(suite, nothing_points_into_the_buffer);
    CU_ADD_TEST(suite, what_is_taken_at_once_means_the_same);
    CU_ADD_TEST(suite, an_ordinary_head_is_taken_whole_and_within_the_limits);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
