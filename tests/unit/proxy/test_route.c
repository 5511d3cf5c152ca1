/* Routing: locations, access, redirects, handlers, ProxyPass, and what is sent to the origin. */
#include <CUnit/Basic.h>

#include "proxy/route.h"

static struct arena arena;
static struct pattern_scratch *scratch;
static struct pattern *patterns[16];
static size_t pattern_count;

static const struct origin app = {.name = "http://127.0.0.1:8080", .host = "127.0.0.1", .port = 8080};
static struct virtual_host host; /* the main server, and the only one */
static const struct virtual_host *const hosts[] = {&host};
static struct location locations[4];
static const struct location *location_list[4];
static struct proxy_pass passes[8];
static struct redirect redirects[4];
static struct settings server_scope;
static struct config config;
static struct host_index *host_index;

static const struct access_rule denied = {.kind = ACCESS_DENIED};
static const struct access_rule granted = {.kind = ACCESS_GRANTED};

static void begin(void) {
    arena_reset(&arena);
    host_index_free(&host_index);
    server_scope = (struct settings){0};
    host = (struct virtual_host){.name = "www.example.net",
                                 .is_main = true,
                                 .locations = location_list,
                                 .proxy_passes = passes,
                                 .server_scope = &server_scope};
    config = (struct config){.hosts = hosts, .host_count = 1};
    host_index = host_index_new(&config);
}

static struct pattern *pattern_of(const char *text) {
    const char *error = NULL;
    size_t offset = 0;
    struct pattern *pattern = pattern_new(&arena, text, false, &error, &offset);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pattern);
    patterns[pattern_count++] = pattern;
    return pattern;
}

static void add_pass(const char *path, const char *target_path) {
    passes[host.proxy_pass_count++] =
        (struct proxy_pass){.path = path, .origin = &app, .target_path = target_path, .exempt = target_path == NULL};
}

static struct settings *add_location(const char *path) {
    struct location *location = &locations[host.location_count];
    *location = (struct location){.path = path, .wildcard = strpbrk(path, "*?[") != NULL};
    location_list[host.location_count++] = location;
    return &location->settings;
}

static void add_redirect(int status, const char *path, const char *target) {
    redirects[host.scope.redirect_count++] = (struct redirect){.status = status, .path = path, .target = target};
    host.scope.redirects = redirects;
}

/* "GET /path?query" becomes a request. */
static struct route route_of(const char *method, const char *target) {
    struct request_head *head = arena_alloc(&arena, sizeof *head);
    struct span text = span_of(target);
    const char *mark = strchr(target, '?');
    *head = (struct request_head){.method = span_of(method),
                                  .target = text,
                                  .scheme = SPAN_LITERAL("http"),
                                  .host = SPAN_LITERAL("www.example.net:8000"),
                                  .path = text,
                                  .minor_version = 1};
    if (mark != NULL) {
        head->path.len = (size_t)(mark - target);
        head->query = span_of(mark + 1);
    }
    struct ip_address client;
    CU_ASSERT(ip_address_parse(SPAN_LITERAL("192.0.2.7"), &client));
    struct route_request request = {.head = head, .local_port = 80, .scratch = scratch, .arena = &arena};
    struct route route;
    route_begin(&route, host_index, &request);
    request.client = &client;
    route_decide(&route, &request);
    return route;
}

/* What the origin is asked for; "404" and the like when it is asked for nothing; the Location of a redirect. */
static const char *answer_to(const char *target) {
    struct route route = route_of("GET", target);
    switch (route.action) {
    case ROUTE_PROXY:
        return arena_copy(&arena, route.target);
    case ROUTE_REDIRECT:
        return arena_printf(&arena, "%d %s", route.status, arena_copy(&arena, route.location));
    case ROUTE_STATUS:
        return arena_printf(&arena, "%d", route.status);
    default:
        return "handler";
    }
}
#define CHECK(request, expected) check(request, expected, __LINE__)
static void check(const char *request, const char *expected, int line) {
    const char *answer = answer_to(request);
    if (strcmp(answer, expected) != 0) {
        fprintf(stderr, "\nline %d: %s gave %s, not %s\n", line, request, answer, expected);
        CU_FAIL("not the expected answer");
    }
    CU_PASS("");
}

static void nothing_configured_is_404(void) {
    begin();
    CHECK("/", "404");
}

static void prefixes_are_replaced(void) {
    begin();
    add_pass("/app", "/x");
    add_pass("/dir/", "/y/");
    add_pass("/slash", "/z/");
    add_pass("/bare", "");
    CHECK("/app", "/x");
    CHECK("/app/a?q=1", "/x/a?q=1");
    CHECK("/app?", "/x?");
    CHECK("/apple", "404");
    CHECK("/dir/a%20b", "/y/a%20b");
    CHECK("/dir", "404");
    CHECK("/slash/a", "/z/a");
    CHECK("/slash", "/z/");
    CHECK("/bare/a", "/a");
    CHECK("/bare", "/");
}

static void the_first_line_wins(void) {
    begin();
    add_pass("/app/static", NULL);
    add_pass("/app", "/one");
    add_pass("/", "/");
    CHECK("/app/static/x", "404");
    CHECK("/app/x", "/one/x");
    CHECK("/x/y?z", "/x/y?z");
}

static void an_unchanged_target_is_not_copied(void) {
    begin();
    add_pass("/", "/");
    const char *target = "/a/b%2Fc?q=%20";
    CU_ASSERT_PTR_EQUAL(route_of("GET", target).target.ptr, target);
    CU_ASSERT_EQUAL(route_of("GET", target).target.len, strlen(target));
    begin();
    add_pass("/a", "/a");
    CU_ASSERT_PTR_EQUAL(route_of("GET", target).target.ptr, target);
    begin();
    add_pass("/", "");
    CU_ASSERT_PTR_EQUAL(route_of("GET", target).target.ptr, target);
}

static void what_was_matched_is_what_is_sent(void) {
    begin();
    add_location("/admin")->access = &denied;
    locations[0].settings.said = UINT64_C(1) << SETTING_ACCESS;
    add_pass("/app/", "/x/");
    add_pass("/", "/");
    CHECK("/admin", "403");
    CHECK("/admin/x", "403");
    CHECK("/%61dmin/x", "403");
    CHECK("/app/../admin", "403");
    CHECK("//admin", "403");
    CHECK("/./admin", "403");
    CHECK("/admin%2fx", "403");
    CHECK("/%2fadmin", "403");
    CHECK("/x/%2e%2e/admin", "403");
    CHECK("/x/..%2fadmin", "400");
    CHECK("/administrator", "/administrator");
    CHECK("/app/../b?q", "/b?q");
    CHECK("/app/./b", "/x/b");
    CHECK("/%61pp/b%20c/%7e", "/x/b%20c/~");
    CHECK("/app/%62%20c", "/x/%62%20c");
    CHECK("/app//b", "/x/b");
    CHECK("/app%2Fb", "/x/b");
    CHECK("//app/b", "/x/b");
    CHECK("/c//d", "/c//d");
    CHECK("//c", "//c");
    CHECK("/a%zz", "400");
    CHECK("/a%00", "400");
    CHECK("/../a", "400");
}

static void locations_apply_in_file_order(void) {
    begin();
    struct settings *all = add_location("/");
    struct settings *pub = add_location("/public");
    struct settings *wild = add_location("/*/secret");
    all->access = &denied;
    pub->access = &granted;
    wild->access = &denied;
    all->said = pub->said = wild->said = UINT64_C(1) << SETTING_ACCESS;
    add_pass("/", "/");
    CHECK("/x", "403");
    CHECK("/public/x", "/public/x");
    CHECK("/public/secret", "403");
    struct route route = route_of("GET", "/public/x");
    CU_ASSERT_EQUAL_FATAL(route.scope_count, 4);
    CU_ASSERT_PTR_EQUAL(route.scopes[0], &server_scope);
    CU_ASSERT_PTR_EQUAL(route.scopes[1], &host.scope);
    CU_ASSERT_PTR_EQUAL(route.scopes[2], all);
    CU_ASSERT_PTR_EQUAL(route.scopes[3], pub);
}

static void a_locations_proxy_pass_comes_first(void) {
    begin();
    const struct proxy_pass own = {.path = "/app", .origin = &app, .target_path = "/own"};
    const struct proxy_pass unmatched = {.origin = &app, .target_path = "/base"};
    const struct proxy_pass exempt = {.exempt = true};
    add_location("/app")->proxy_pass = &own;
    add_location("/b?g")->proxy_pass = &unmatched;
    add_location("/no")->proxy_pass = &exempt;
    for (size_t i = 0; i < 3; i++) {
        locations[i].settings.said = UINT64_C(1) << SETTING_PROXY_PASS;
    }
    add_pass("/", "/all/");
    CHECK("/app/x?q", "/own/x?q");
    CHECK("/big", "/base/big");
    CHECK("/no/x", "404");
    CHECK("/other", "/all/other");
}

static void patterns_expand_to_encoded_groups(void) {
    begin();
    struct location *location = &locations[0];
    *location = (struct location){.pattern = pattern_of("\\.(php|cgi)$")};
    location->settings = (struct settings){.access = &denied, .said = UINT64_C(1) << SETTING_ACCESS};
    location_list[host.location_count++] = location;
    passes[host.proxy_pass_count++] =
        (struct proxy_pass){.pattern = pattern_of("^/img/(.*)\\.png$"), .origin = &app, .target_path = "/i?f=$1"};
    passes[host.proxy_pass_count++] = (struct proxy_pass){.pattern = pattern_of("^/same/"), .origin = &app};
    CHECK("/a.php", "403");
    CHECK("/a.ph%70", "403");
    CHECK("/img/a%26b%20%3fc.png", "/i?f=a&b%20%3Fc");
    CHECK("/img/a.png?x=1", "/i?f=a&x=1");
    CHECK("/same/%41?q", "/same/%41?q");
    CHECK("/else", "404");
}

static void redirects_come_before_proxy_pass(void) {
    begin();
    add_redirect(301, "/old", "https://new.example.net/n");
    add_redirect(302, "/here", "/there");
    add_redirect(410, "/gone", NULL);
    redirects[3] = (struct redirect){.status = 303, .pattern = pattern_of("^/r/([^/]*)$"), .target = "http://r/?p=$1"};
    host.scope.redirect_count = 4;
    add_pass("/", "/");
    CHECK("/old", "301 https://new.example.net/n");
    CHECK("/old/a%20b/%0d%0aX", "301 https://new.example.net/n/a%20b/%0d%0aX");
    CHECK("/%6fld/%0d%0aX", "301 https://new.example.net/n/%0D%0AX");
    CHECK("/old?q=1", "301 https://new.example.net/n?q=1");
    CHECK("/older", "/older");
    CHECK("/here/x", "302 http://www.example.net:8000/there/x");
    CHECK("/gone/x", "410");
    CHECK("/r/a%0Ab?x", "303 http://r/?p=a%0Ab");
}

static void a_redirect_stays_on_its_host(void) {
    begin();
    add_redirect(302, "/", "https://new.example.net");
    CHECK("/.evil.example", "302 https://new.example.net/.evil.example");
    CHECK("/@evil.example", "302 https://new.example.net/@evil.example");
    CHECK("/", "302 https://new.example.net");
    CHECK("/a/b", "302 https://new.example.net/a/b");
}

static void access_comes_before_redirects(void) {
    begin();
    host.effective.access = &denied;
    add_redirect(301, "/", "https://new.example.net/");
    CHECK("/x", "403");
}

static void later_sections_redirect_first(void) {
    begin();
    const struct redirect outer = {.status = 301, .path = "/a", .target = "http://outer/"};
    const struct redirect inner = {.status = 302, .target = "http://inner/"};
    struct settings *first = add_location("/a");
    struct settings *second = add_location("/a/b");
    first->redirects = &outer;
    second->redirects = &inner;
    first->redirect_count = second->redirect_count = 1;
    CHECK("/a/b/c", "302 http://inner/");
    CHECK("/a/c", "301 http://outer/c");
}

static void handlers_come_before_proxy_pass(void) {
    begin();
    struct settings *status = add_location("/status");
    struct settings *reset = add_location("/status/app");
    status->handler = HANDLER_STATUS;
    reset->handler = HANDLER_NONE;
    status->said = reset->said = UINT64_C(1) << SETTING_HANDLER;
    add_pass("/", "/");
    CHECK("/status", "handler");
    CHECK("/status/app/x", "/status/app/x");
}

static void options_asterisk_stays_one(void) {
    begin();
    add_pass("/app", "/app");
    CHECK("*", "404");
    add_pass("/", "/base/");
    CHECK("*", "*");
}

static void a_members_path_comes_first(void) {
    const struct balancer_member plain = {.path = ""};
    const struct balancer_member base = {.path = "/base"};
    const struct balancer_member slash = {.path = "/base/"};
    struct span target = SPAN_LITERAL("/a?b");
    CU_ASSERT(span_equal(route_member_target(&arena, &plain, target), target));
    CU_ASSERT(span_equal(route_member_target(&arena, &base, target), SPAN_LITERAL("/base/a?b")));
    CU_ASSERT(span_equal(route_member_target(&arena, &slash, target), SPAN_LITERAL("/base/a?b")));
    CU_ASSERT(span_equal(route_member_target(&arena, &base, SPAN_LITERAL("*")), SPAN_LITERAL("*")));
}

int main(void) {
    arena_init(&arena, NULL, 0);
    scratch = pattern_scratch_new();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("route", NULL, NULL);
    CU_ADD_TEST(suite, nothing_configured_is_404);
    CU_ADD_TEST(suite, prefixes_are_replaced);
    CU_ADD_TEST(suite, the_first_line_wins);
    CU_ADD_TEST(suite, an_unchanged_target_is_not_copied);
    CU_ADD_TEST(suite, what_was_matched_is_what_is_sent);
    CU_ADD_TEST(suite, locations_apply_in_file_order);
    CU_ADD_TEST(suite, a_locations_proxy_pass_comes_first);
    CU_ADD_TEST(suite, patterns_expand_to_encoded_groups);
    CU_ADD_TEST(suite, redirects_come_before_proxy_pass);
    CU_ADD_TEST(suite, a_redirect_stays_on_its_host);
    CU_ADD_TEST(suite, access_comes_before_redirects);
    CU_ADD_TEST(suite, later_sections_redirect_first);
    CU_ADD_TEST(suite, handlers_come_before_proxy_pass);
    CU_ADD_TEST(suite, options_asterisk_stays_one);
    CU_ADD_TEST(suite, a_members_path_comes_first);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    host_index_free(&host_index);
    pattern_scratch_free(scratch);
    for (size_t i = 0; i < pattern_count; i++) {
        pattern_free(patterns[i]);
    }
    arena_reset(&arena);
    return failures > 0;
}
