/* Fields that pass through: forwarded fields, Via, Host, Date, Header and RequestHeader. */
#include "proxy/headers.h"

#include <CUnit/Basic.h>
#include <stdlib.h>

#include "config/version.h"
#include "proxy/headers_change.h"

static struct arena arena;
static struct pattern_scratch *scratch;
static struct pattern *patterns[8];
static size_t pattern_count;
static struct settings scope;
static const struct settings *scopes[] = {&scope};
static const struct virtual_host host = {.name = "www.example.net"};
static struct settings settings;
static struct route route;
static struct request_head request;
static struct ip_address client, peer;
static struct header_context context;

static struct ip_address address(const char *text) {
    struct ip_address parsed;
    CU_ASSERT_FATAL(ip_address_parse(span_of(text), &parsed));
    return parsed;
}

static void begin(void) {
    arena_reset(&arena);
    scope = (struct settings){0};
    settings = (struct settings){0};
    route = (struct route){.host = &host, .settings = &settings, .scopes = scopes, .scope_count = 1};
    settings.preserve_host = true;
    settings.add_headers = true;
    request = (struct request_head){.method = SPAN_LITERAL("GET"),
                                    .scheme = SPAN_LITERAL("http"),
                                    .host = SPAN_LITERAL("shop.example.net:8000"),
                                    .path = SPAN_LITERAL("/a"),
                                    .minor_version = 1};
    client = peer = address("192.0.2.7");
    context = (struct header_context){.arena = &arena,
                                      .scratch = scratch,
                                      .route = &route,
                                      .request = &request,
                                      .client = &client,
                                      .peer = &peer,
                                      .started_wall_us = 1234567,
                                      .duration_ns = 89000,
                                      .server_name = "proxy.example.net"};
}

static void add(struct field_list *list, const char *name, const char *value) {
    fields_add(list, &arena, span_of(name), span_of(value));
}

static const char *text_of(const struct field_list *list) {
    const char *text = "";
    for (size_t i = 0; i < list->count; i++) {
        const struct field *field = &list->fields[i];
        text = arena_printf(&arena, "%s%.*s=%.*s;", text, (int)field->name.len, field->name.ptr, (int)field->value.len,
                            field->value.ptr);
    }
    return text;
}

/* The fields of the request as the origin gets them. */
static const char *sent(struct field_list *list) {
    headers_prepare_request(list, &context, "127.0.0.1:8080");
    return text_of(list);
}

static const char *answered(int status, struct field_list list, bool local) {
    struct response_head response = {.status = status, .fields = list, .minor_version = 1};
    headers_prepare_response(&response, &context, local, SPAN_LITERAL("now"));
    return text_of(&response.fields);
}

static void set_changes(struct header_change *changes, size_t count) {
    scope.request_headers = scope.response_headers = changes;
    scope.request_header_count = scope.response_header_count = count;
}

static struct pattern *pattern_of(const char *text) {
    const char *error = NULL;
    size_t offset = 0;
    struct pattern *pattern = pattern_new(&arena, text, false, &error, &offset);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pattern);
    patterns[pattern_count++] = pattern;
    return pattern;
}

static void forwarded_fields_of_strangers_are_replaced(void) {
    begin();
    struct field_list list = {0};
    add(&list, "Host", "shop.example.net:8000");
    add(&list, "X-Forwarded-For", "203.0.113.9");
    add(&list, "Forwarded", "for=203.0.113.9");
    add(&list, "X-Real-IP", "203.0.113.9");
    add(&list, "X-Forwarded-Host", "evil");
    add(&list, "X-Forwarded-Proto", "https");
    add(&list, "X-FORWARDED-Port", "443");
    add(&list, "X-Forwarded-Server", "evil");
    add(&list, "Accept", "a");
    CU_ASSERT_STRING_EQUAL(sent(&list), "Host=shop.example.net:8000;Accept=a;X-Forwarded-For=192.0.2.7;"
                                        "X-Forwarded-Host=shop.example.net:8000;X-Forwarded-Proto=http;");
}

static void without_add_headers_strangers_fields_go_too(void) {
    begin();
    settings.add_headers = false;
    struct field_list list = {0};
    add(&list, "Host", "h");
    add(&list, "X-Forwarded-For", "203.0.113.9");
    CU_ASSERT_STRING_EQUAL(sent(&list), "Host=shop.example.net:8000;");
}

static void a_trusted_list_is_continued(void) {
    begin();
    context.peer_trusted = true;
    client = address("203.0.113.9");
    struct field_list list = {0};
    add(&list, "Host", "h");
    add(&list, "X-Forwarded-For", "198.51.100.1");
    add(&list, "X-Forwarded-Proto", "https");
    add(&list, "X-Forwarded-For", "203.0.113.9");
    CU_ASSERT_STRING_EQUAL(sent(&list), "Host=shop.example.net:8000;X-Forwarded-Proto=https;"
                                        "X-Forwarded-For=198.51.100.1, 203.0.113.9, 192.0.2.7;"
                                        "X-Forwarded-Host=shop.example.net:8000;");
}

static void a_client_told_otherwise_joins_the_list(void) {
    begin();
    context.peer_trusted = true;
    client = address("2001:db8::1");
    struct field_list list = {0};
    add(&list, "X-Forwarded-For", "198.51.100.1");
    headers_prepare_request(&list, &context, "o");
    CU_ASSERT(
        span_equal(fields_find_id(&list, FIELD_X_FORWARDED_FOR)->value, SPAN_LITERAL("198.51.100.1, 2001:db8::1")));
    list = (struct field_list){0};
    headers_prepare_request(&list, &context, "o");
    CU_ASSERT(span_equal(fields_find_id(&list, FIELD_X_FORWARDED_FOR)->value, SPAN_LITERAL("2001:db8::1")));
}

static void a_unix_socket_has_no_address_to_tell(void) {
    begin();
    client = peer = (struct ip_address){.family = IP_NONE};
    struct field_list list = {0};
    headers_prepare_request(&list, &context, "o");
    CU_ASSERT_PTR_NULL(fields_find_id(&list, FIELD_X_FORWARDED_FOR));
}

static void host_is_the_clients_or_the_origins(void) {
    begin();
    settings.add_headers = false;
    struct field_list list = {0};
    add(&list, "Host", "other");
    add(&list, "A", "1");
    CU_ASSERT_STRING_EQUAL(sent(&list), "Host=shop.example.net:8000;A=1;");
    settings.preserve_host = false;
    CU_ASSERT_STRING_EQUAL(sent(&list), "Host=127.0.0.1:8080;A=1;");
    settings.preserve_host = true;
    request.host = SPAN_NONE;
    list = (struct field_list){0};
    CU_ASSERT_STRING_EQUAL(sent(&list), "Host=127.0.0.1:8080;");
}

static void via_in_all_its_modes(void) {
    begin();
    settings.add_headers = false;
    struct field_list list = {0};
    add(&list, "Host", "h");
    add(&list, "Via", "1.0 fred");
    CU_ASSERT_STRING_EQUAL(sent(&list), "Host=shop.example.net:8000;Via=1.0 fred;");
    settings.via = VIA_ON;
    request.minor_version = 0;
    CU_ASSERT_STRING_EQUAL(sent(&list), "Host=shop.example.net:8000;Via=1.0 fred;Via=1.0 proxy.example.net;");
    settings.via = VIA_BLOCK;
    CU_ASSERT_STRING_EQUAL(sent(&list), "Host=shop.example.net:8000;");
    settings.via = VIA_FULL;
    request.minor_version = 1;
    CU_ASSERT_STRING_EQUAL(sent(&list),
                           "Host=shop.example.net:8000;Via=1.1 proxy.example.net (weir/" WEIR_VERSION ");");
    settings.via = VIA_ON;
    CU_ASSERT_STRING_EQUAL(answered(200, (struct field_list){0}, false), "Via=1.1 proxy.example.net;Date=now;");
}

static void date_is_added_when_missing(void) {
    begin();
    struct field_list list = {0};
    CU_ASSERT_STRING_EQUAL(answered(200, list, false), "Date=now;");
    add(&list, "date", "then");
    CU_ASSERT_STRING_EQUAL(answered(200, list, false), "date=then;");
}

static void every_action(void) {
    begin();
    struct header_change changes[] = {
        {.action = HEADER_SET, .name = "A", .value = "new"},
        {.action = HEADER_APPEND, .name = "B", .value = "2"},
        {.action = HEADER_APPEND, .name = "C", .value = "only"},
        {.action = HEADER_ADD, .name = "B", .value = "3"},
        {.action = HEADER_UNSET, .name = "D"},
        {.action = HEADER_MERGE, .name = "M", .value = "y"},
        {.action = HEADER_MERGE, .name = "M", .value = "z"},
        {.action = HEADER_EDIT, .name = "E", .value = "<$1>", .pattern = pattern_of("(o)")},
        {.action = HEADER_EDIT_ALL, .name = "F", .value = "-", .pattern = pattern_of("o")},
        {.action = HEADER_EDIT_ALL, .name = "G", .value = "-", .pattern = pattern_of("x*")},
        {.action = HEADER_EDIT, .name = "Absent", .value = "-", .pattern = pattern_of("x")},
    };
    set_changes(changes, sizeof changes / sizeof *changes);
    struct field_list list = {0};
    add(&list, "a", "1");
    add(&list, "A", "2");
    add(&list, "B", "1");
    add(&list, "D", "1");
    add(&list, "d", "2");
    add(&list, "M", "x, y");
    add(&list, "E", "foo");
    add(&list, "E", "bar boo");
    add(&list, "F", "foo");
    add(&list, "G", "ab");
    headers_change(&list, &context, changes, sizeof changes / sizeof *changes, false);
    CU_ASSERT_STRING_EQUAL(text_of(&list), "B=1, 2;M=x, y, z;E=f<o>o;E=bar b<o>o;F=f--;G=-a-b-;A=new;C=only;B=3;");
}

static void format_codes(void) {
    begin();
    setenv("WEIR_TEST_VARIABLE", "from the environment", 1);
    static const struct {
        const char *format, *value;
    } rows[] = {
        {"plain", "plain"},
        {"100%%", "100%"},
        {"%t %D", "t=1234567 D=89"},
        {"[%{REMOTE_ADDR}e]", "[192.0.2.7]"},
        {"%{REMOTE_ADDR}s", "192.0.2.7"},
        {"%{HTTPS}s", "off"},
        {"%{REQUEST_METHOD}e %{HTTP_HOST}e", "GET shop.example.net:8000"},
        {"%{SERVER_NAME}e", "proxy.example.net"},
        {"%{WEIR_TEST_VARIABLE}e", "from the environment"},
        {"%{WEIR_TEST_NO_SUCH}e", "-"},
        {"%{SSL_PROTOCOL}s", "-"},
        {"%q", "-"},
        {"%{unclosed", "-unclosed"},
        {"x%", "x-"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span value = headers_format(&context, rows[i].format);
        if (!span_equal(value, span_of(rows[i].value))) {
            fprintf(stderr, "\n%s gave %.*s\n", rows[i].format, (int)value.len, value.ptr);
            CU_FAIL("not the expected value");
        }
    }
}

static void values_never_end_a_field(void) {
    begin();
    setenv("WEIR_TEST_VARIABLE", "a\r\nSet-Cookie: b\n", 1);
    struct header_change changes[] = {
        {.action = HEADER_SET, .name = "X", .value = "%{WEIR_TEST_VARIABLE}e"},
        {.action = HEADER_EDIT, .name = "Y", .value = "a\r\nb", .pattern = pattern_of("y")},
        {.action = HEADER_APPEND, .name = "Z", .value = "1\n2"},
    };
    struct field_list list = {0};
    add(&list, "Y", "xyz");
    add(&list, "Z", "0");
    headers_change(&list, &context, changes, 3, false);
    CU_ASSERT_STRING_EQUAL(text_of(&list), "Y=xa  bz;Z=0, 1 2;X=a  Set-Cookie: b;");
}

static void framing_cannot_be_changed(void) {
    begin();
    struct header_change changes[] = {
        {.action = HEADER_SET, .name = "Content-Length", .value = "5"},
        {.action = HEADER_SET, .name = "Transfer-Encoding", .value = "chunked"},
        {.action = HEADER_ADD, .name = "Connection", .value = "x"},
        {.action = HEADER_UNSET, .name = "content-length"},
    };
    struct field_list list = {0};
    add(&list, "Content-Length", "3");
    headers_change(&list, &context, changes, 4, false);
    CU_ASSERT_STRING_EQUAL(text_of(&list), "Content-Length=3;");
}

static void edits_are_bounded(void) {
    begin();
    char long_replacement[301];
    memset(long_replacement, 'r', sizeof long_replacement - 1);
    long_replacement[sizeof long_replacement - 1] = '\0';
    struct header_change change = {
        .action = HEADER_EDIT_ALL, .name = "X", .value = long_replacement, .pattern = pattern_of("a")};
    char value[8001];
    memset(value, 'a', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    struct field_list list = {0};
    add(&list, "X", value);
    headers_change(&list, &context, &change, 1, false);
    CU_ASSERT(span_equal(list.fields[0].value, span_of(value)));
    CU_ASSERT(arena_size_bytes(&arena) < 1024 * 1024);
}

static void plain_lines_spare_own_errors(void) {
    begin();
    struct header_change changes[] = {
        {.action = HEADER_SET, .name = "Plain", .value = "1"},
        {.action = HEADER_SET, .name = "Always", .value = "2", .always = true},
    };
    set_changes(changes, 2);
    const struct field_list none = {0};
    CU_ASSERT_STRING_EQUAL(answered(200, none, false), "Date=now;Plain=1;Always=2;");
    CU_ASSERT_STRING_EQUAL(answered(404, none, false), "Date=now;Plain=1;Always=2;");
    CU_ASSERT_STRING_EQUAL(answered(200, none, true), "Date=now;Plain=1;Always=2;");
    CU_ASSERT_STRING_EQUAL(answered(403, none, true), "Date=now;Always=2;");
    CU_ASSERT_STRING_EQUAL(answered(301, none, true), "Date=now;Always=2;");
}

int main(void) {
    arena_init(&arena, NULL, 0);
    scratch = pattern_scratch_new();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("headers", NULL, NULL);
    CU_ADD_TEST(suite, forwarded_fields_of_strangers_are_replaced);
    CU_ADD_TEST(suite, without_add_headers_strangers_fields_go_too);
    CU_ADD_TEST(suite, a_trusted_list_is_continued);
    CU_ADD_TEST(suite, a_client_told_otherwise_joins_the_list);
    CU_ADD_TEST(suite, a_unix_socket_has_no_address_to_tell);
    CU_ADD_TEST(suite, host_is_the_clients_or_the_origins);
    CU_ADD_TEST(suite, via_in_all_its_modes);
    CU_ADD_TEST(suite, date_is_added_when_missing);
    CU_ADD_TEST(suite, every_action);
    CU_ADD_TEST(suite, format_codes);
    CU_ADD_TEST(suite, values_never_end_a_field);
    CU_ADD_TEST(suite, framing_cannot_be_changed);
    CU_ADD_TEST(suite, edits_are_bounded);
    CU_ADD_TEST(suite, plain_lines_spare_own_errors);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    pattern_scratch_free(scratch);
    for (size_t i = 0; i < pattern_count; i++) {
        pattern_free(patterns[i]);
    }
    arena_reset(&arena);
    return failures > 0;
}
