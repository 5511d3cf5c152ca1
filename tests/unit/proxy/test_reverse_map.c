/* ProxyPassReverse: URLs and cookies of origins in the client's terms. */
#include <CUnit/Basic.h>

#include "proxy/headers.h"

static struct arena arena;
static struct settings scope;
static const struct settings *scopes[] = {&scope};
static const struct virtual_host host = {.name = "www.example.net"};
static struct route route;
static struct request_head request;
static struct header_context context;
static struct reverse_map lines[4];

static void begin(void) {
    arena_reset(&arena);
    scope = (struct settings){0};
    route = (struct route){.host = &host, .scopes = scopes, .scope_count = 1};
    request = (struct request_head){.scheme = SPAN_LITERAL("http"), .host = SPAN_LITERAL("shop:8000")};
    context = (struct header_context){.arena = &arena, .route = &route, .request = &request};
}

static void add_line(const char *from, const char *to) {
    lines[scope.reverse_url_count++] = (struct reverse_map){.from = from, .to = to};
    scope.reverse_urls = lines;
}

#define CHECK_URL(url, expected) check(reverse_map_url(&context, span_of(url)), url, expected)
#define CHECK_COOKIE(cookie, expected) check(reverse_map_cookie(&context, span_of(cookie)), cookie, expected)
static void check(struct span result, const char *given, const char *expected) {
    if (!span_equal(result, span_of(expected))) {
        fprintf(stderr, "\n%s became %.*s, not %s\n", given, (int)result.len, result.ptr, expected);
        CU_FAIL("not the expected value");
    }
    CU_PASS("");
}

static void urls_of_the_origin(void) {
    begin();
    add_line("http://127.0.0.1:8080/in", "/out");
    CHECK_URL("http://127.0.0.1:8080/in/a?b#c", "http://shop:8000/out/a?b#c");
    CHECK_URL("HTTP://127.0.0.1:8080/in", "http://shop:8000/out");
    CHECK_URL("http://127.0.0.1:8080/in?x", "http://shop:8000/out?x");
    CHECK_URL("http://127.0.0.1:8080/inner", "http://127.0.0.1:8080/inner");
    CHECK_URL("http://127.0.0.1:80801/in", "http://127.0.0.1:80801/in");
    CHECK_URL("http://127.0.0.1/in", "http://127.0.0.1/in");
    CHECK_URL("https://127.0.0.1:8080/in", "https://127.0.0.1:8080/in");
    CHECK_URL("http://elsewhere.example/in", "http://elsewhere.example/in");
    CHECK_URL("/in/a", "/in/a");
    CHECK_URL("a/b", "a/b");
    CHECK_URL("", "");
    CHECK_URL("http://", "http://");
    CHECK_URL("://", "://");
}

static void slashes_meet_once(void) {
    begin();
    add_line("http://o/", "/");
    CHECK_URL("http://o/a", "http://shop:8000/a");
    CHECK_URL("http://o/", "http://shop:8000/");
    CHECK_URL("http://o", "http://shop:8000/");
    CHECK_URL("http://o:80/a", "http://shop:8000/a");
    begin();
    add_line("http://o/", "/app");
    CHECK_URL("http://o/a", "http://shop:8000/app/a");
    begin();
    add_line("http://o", "/app/");
    CHECK_URL("http://o/a", "http://shop:8000/app/a");
    begin();
    add_line("http://o", "/app");
    CHECK_URL("http://o/a", "http://shop:8000/app/a");
    CHECK_URL("http://o?q", "http://shop:8000/app?q");
}

static void the_first_line_wins(void) {
    begin();
    add_line("http://o/a/", "/one/");
    add_line("http://o/", "/two/");
    CHECK_URL("http://o/a/x", "http://shop:8000/one/x");
    CHECK_URL("http://o/b", "http://shop:8000/two/b");
}

static void paths_alone(void) {
    begin();
    add_line("/in/", "/out/");
    CHECK_URL("/in/x", "http://shop:8000/out/x");
    CHECK_URL("http://any.example:1/in/x", "http://shop:8000/out/x");
    CHECK_URL("/other", "/other");
}

static void without_a_host_the_servers_name_is_told(void) {
    begin();
    request.host = SPAN_NONE;
    add_line("http://o/", "/");
    CHECK_URL("http://o/a", "http://www.example.net/a");
}

static void an_absolute_answer(void) {
    begin();
    add_line("http://o/", "https://public.example/p/");
    CHECK_URL("http://o/a", "https://public.example/p/a");
}

static void members_of_the_balancer(void) {
    begin();
    const struct origin first = {.scheme = ORIGIN_HTTP, .host = "10.0.0.1", .port = 8080};
    const struct origin second = {.scheme = ORIGIN_HTTPS, .host = "2001:db8::1", .port = 443};
    const struct balancer_member members[] = {{.origin = &first, .path = "/base"}, {.origin = &second, .path = ""}};
    const struct balancer balancer = {.name = "balancer://pool", .members = members, .member_count = 2};
    const struct proxy_pass pass = {.balancer = &balancer};
    route.proxy_pass = &pass;
    add_line("balancer://pool/in", "/out");
    CHECK_URL("http://10.0.0.1:8080/base/in/x", "http://shop:8000/out/x");
    CHECK_URL("https://[2001:db8::1]/in/x", "http://shop:8000/out/x");
    CHECK_URL("http://10.0.0.1:8080/in/x", "http://10.0.0.1:8080/in/x");
    CHECK_URL("http://10.0.0.2:8080/base/in/x", "http://10.0.0.2:8080/base/in/x");
    route.proxy_pass = NULL;
    CHECK_URL("http://10.0.0.1:8080/base/in/x", "http://10.0.0.1:8080/base/in/x");
}

static void cookies(void) {
    begin();
    CHECK_COOKIE("a=b; Path=/in", "a=b; Path=/in");
    static const struct reverse_map domains[] = {{"backend.local", "shop.example.net"}};
    static const struct reverse_map paths[] = {{"/in", "/out"}, {"/", "/top/"}};
    scope.reverse_cookie_domains = domains;
    scope.reverse_cookie_domain_count = 1;
    scope.reverse_cookie_paths = paths;
    scope.reverse_cookie_path_count = 2;
    CHECK_COOKIE("a=b; Path=/in; HttpOnly", "a=b; Path=/out; HttpOnly");
    CHECK_COOKIE("a=b;path=/in/x", "a=b;path=/out/x");
    CHECK_COOKIE("a=b; Path=/inner", "a=b; Path=/top/inner");
    CHECK_COOKIE("a=b; Domain=.Backend.local; Path = /in ; Secure",
                 "a=b; Domain=shop.example.net; Path =/out ; Secure");
    CHECK_COOKIE("a=b; Domain=other.local", "a=b; Domain=other.local");
    CHECK_COOKIE("path=/in; Secure", "path=/in; Secure");
    CHECK_COOKIE("a=b; Path", "a=b; Path");
    CHECK_COOKIE("a=b;;; Path=/in;", "a=b;;; Path=/out;");
    CHECK_COOKIE("", "");
    CHECK_COOKIE(";", ";");
}

int main(void) {
    arena_init(&arena, NULL, 0);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("reverse_map", NULL, NULL);
    CU_ADD_TEST(suite, urls_of_the_origin);
    CU_ADD_TEST(suite, slashes_meet_once);
    CU_ADD_TEST(suite, the_first_line_wins);
    CU_ADD_TEST(suite, paths_alone);
    CU_ADD_TEST(suite, without_a_host_the_servers_name_is_told);
    CU_ADD_TEST(suite, an_absolute_answer);
    CU_ADD_TEST(suite, members_of_the_balancer);
    CU_ADD_TEST(suite, cookies);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_reset(&arena);
    return failures > 0;
}
