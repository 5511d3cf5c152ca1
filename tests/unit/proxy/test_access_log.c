/* proxy/access_log*.c: each code of Apache's and of weir's, escaping, conditions, JSON, cutting, and messages. */
#include "proxy/access_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <CUnit/Basic.h>

enum { LINE_MAX_BYTES = 4096 };

static struct arena arena;
static struct virtual_host host;
static struct request_head request;
static struct response_head response;
static struct access_record record;

static void add(struct field_list *fields, const char *name, const char *value) {
    fields_add(fields, &arena, span_of(name), span_of(value));
}

static struct ip_address address(const char *text) {
    struct ip_address parsed;
    CU_ASSERT_TRUE_FATAL(ip_address_parse(span_of(text), &parsed));
    return parsed;
}

static void given_a_request(void) {
    arena_reset(&arena);
    memset(&host, 0, sizeof host);
    host.name = "shop.example.net";
    host.limits.user_name = "alice";
    request = (struct request_head){.method = SPAN_LITERAL("GET"),
                                    .target = SPAN_LITERAL("/a%20b?x=1"),
                                    .scheme = SPAN_LITERAL("http"),
                                    .host = SPAN_LITERAL("www.example.net:8080"),
                                    .path = SPAN_LITERAL("/a%20b%zz%2"),
                                    .query = SPAN_LITERAL("x=1"),
                                    .minor_version = 1};
    add(&request.fields, "Host", "www.example.net:8080");
    add(&request.fields, "User-Agent", "curl/8 \"x\"");
    add(&request.fields, "X-Two", "one");
    add(&request.fields, "x-two", "two");
    add(&request.fields, "Cookie", "a=1; session = abc=d ;b");
    add(&request.fields, "Cookie", "other=9");
    response = (struct response_head){.status = 200};
    add(&response.fields, "Content-Type", "text/html");
    record = (struct access_record){
        .host = &host,
        .request = &request,
        .response = &response,
        .request_line = SPAN_LITERAL("GET /a%20b?x=1 HTTP/1.1"),
        .client = address("192.0.2.7"),
        .peer = address("10.0.0.1"),
        .local = address("2001:db8::1"),
        .client_port = 4000,
        .peer_port = 4001,
        .local_port = 80,
        .started_wall_us = INT64_C(1795255872045678), /* 2026-11-21 10:11:12.045678 UTC */
        .duration_ns = INT64_C(2345678901),
        .origin_duration_ns = INT64_C(45000000),
        .delay_ns = INT64_C(1500000000),
        .status = 200,
        .body_bytes_out = 1234,
        .bytes_out = 1500,
        .bytes_in = 300,
        .keepalive_number = 3,
        .keep_alive = true,
        .decision = "delayed",
        .reason = "host-speed",
        .class_name = "search",
        .upstream = "http://127.0.0.1:8081",
    };
}

/* The line of a format, without its newline; valid until the next call. */
static const char *line_of(const char *text) {
    static char line[LINE_MAX_BYTES + 1];
    char *error = NULL;
    struct access_log_format *format = access_log_format_new(text, &error);
    if (format == NULL) {
        printf("\n%s\n", error);
        free(error);
        return "(error)";
    }
    size_t length = access_log_format_line(format, &record, line, LINE_MAX_BYTES);
    access_log_format_free(format);
    CU_ASSERT_TRUE_FATAL(length > 0 && line[length - 1] == '\n');
    line[length - 1] = '\0';
    return line;
}

static void expect(const char *format, const char *line) {
    const char *got = line_of(format);
    if (strcmp(got, line) != 0) {
        printf("\n%s\n  gives  %s\n  not    %s\n", format, got, line);
        CU_FAIL("another line was expected");
    }
}

static void test_each_code(void) {
    static const char *const lines[][2] = {
        {"%%", "%"},
        {"%a|%{c}a|%h|%{c}h|%A", "192.0.2.7|10.0.0.1|192.0.2.7|10.0.0.1|2001:db8::1"},
        {"%B %b %O %I %S", "1234 1234 1500 300 1800"},
        {"%D %T %{s}T %{ms}T %{us}T", "2345678 2 2 2345 2345678"},
        {"%f%l%L%u%{note}n%^FB%{X}^ti%{X}^to", "--------"},
        {"%H %m %q %r", "HTTP/1.1 GET ?x=1 GET /a%20b?x=1 HTTP/1.1"},
        {"%{User-agent}i %{X-Two}i %{Absent}i", "curl/8 \\\"x\\\" one, two -"},
        {"%{content-type}o %{Server}o", "text/html -"},
        {"%{session}C %{a}C %{other}C %{none}C", "abc=d 1 9 -"},
        {"%k %X %R", "3 + proxy-server"},
        {"%p %{canonical}p %{local}p %{remote}p", "8080 8080 80 4000"},
        {"%s %>s %<s", "200 200 200"},
        {"%U", "/a b%zz%2"},
        {"%v %V", "shop.example.net www.example.net"},
        {"%{weir-decision}x %{weir-reason}x %{weir-delay}x", "delayed host-speed 1500"},
        {"%{weir-class}x %{weir-user}x %{weir-upstream}x", "search alice http://127.0.0.1:8081"},
        {"%{weir-request-time}x %{weir-origin-time}x", "2.345 0.045"},
        {"%{SSL_PROTOCOL}x %{SSL_CLIENT_S_DN}x %{HTTPS}x", "- - off"},
        {"a\\tb\\nc\\r\\\\d\\e\\", "a\tb\nc\r\\d\\e\\"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        given_a_request();
        expect(lines[i][0], lines[i][1]);
    }
}

static void test_process(void) {
    char ids[64];
    given_a_request();
    snprintf(ids, sizeof ids, "%d %d %d %x", getpid(), getpid(), gettid(), (unsigned)gettid());
    expect("%P %{pid}P %{tid}P %{hextid}P", ids);
    setenv("WEIR_TEST_VARIABLE", "a\"b", 1);
    expect("%{WEIR_TEST_VARIABLE}e %{WEIR_NO_SUCH_VARIABLE}e", "a\\\"b -");
}

static void test_common_formats(void) {
    given_a_request();
    expect("%h %l %u %t \"%r\" %>s %b",
           "192.0.2.7 - - [21/Nov/2026:11:11:12 +0100] \"GET /a%20b?x=1 HTTP/1.1\" 200 1234");
    expect(
        "%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"",
        "shop.example.net:8080 192.0.2.7 - - [21/Nov/2026:11:11:12 +0100] \"GET /a%20b?x=1 HTTP/1.1\" 200 1500 \"-\" "
        "\"curl/8 \\\"x\\\"\"");
}

static void test_nothing_known(void) {
    memset(&record, 0, sizeof record);
    record.origin_duration_ns = -1;
    expect("%a %h %r %s %b %B %U %q %m %H %v %V %{Host}i %{Server}o %{a}C %X %p %R",
           "- - - - - 0 -  - - - - - - - - 80 -");
    expect("%{weir-decision}x%{weir-reason}x%{weir-delay}x%{weir-class}x%{weir-user}x%{weir-upstream}x", "--0---");
    expect("%{weir-request-time}x %{weir-origin-time}x", "0.000 -");
    record.aborted = true;
    record.https = true;
    expect("%X %p", "X 443");
}

static void test_names_and_ports(void) {
    given_a_request();
    request.host = SPAN_LITERAL("[2001:db8::1]:99");
    expect("%V %p", "[2001:db8::1] 99");
    request.host = SPAN_LITERAL("[2001:db8::1]");
    expect("%V %p", "[2001:db8::1] 80");
    host.port = 8443;
    request.host = SPAN_LITERAL("name");
    expect("%V %p", "name 8443");
    request.host = SPAN_LITERAL("12345");
    expect("%V %p", "12345 8443");
    request.host = SPAN_LITERAL("name:");
    expect("%V %p", "name 8443");
    request.host = SPAN_NONE;
    expect("%V %p", "shop.example.net 8443");
}

static void test_times(void) {
    given_a_request();
    expect("%{%Y-%m-%d}t %{begin:%H:%M:%S}t %{end:%H:%M:%S}t", "2026-11-21 11:11:12 11:11:14");
    expect("%{sec}t %{msec}t %{usec}t", "1795255872 1795255872045 1795255872045678");
    expect("%{msec_frac}t %{usec_frac}t %{end:msec_frac}t", "045 045678 391");
    expect("%{end:sec}t %{begin:}t %{}t", "1795255874 [21/Nov/2026:11:11:12 +0100] [21/Nov/2026:11:11:12 +0100]");
    record.started_wall_us += 1000000;
    expect("%t", "[21/Nov/2026:11:11:13 +0100]");
    record.started_wall_us = INT64_C(1782993600000000); /* 2026-07-02 12:00:00 UTC: summer time */
    expect("%t", "[02/Jul/2026:14:00:00 +0200]");
    record.started_wall_us = -1;
    expect("%t %{usec_frac}t", "[01/Jan/1970:00:59:59 +0100] 999999");
}

static void test_time_is_cached_by_second(void) {
    given_a_request();
    char *error;
    struct access_log_format *format = access_log_format_new("%t %{%S}t", &error);
    char line[128];
    for (int64_t second = 0; second < 3; second++) {
        for (int i = 0; i < 3; i++) {
            record.started_wall_us = INT64_C(1795255872000000) + second * 1000000 + i;
            size_t length = access_log_format_line(format, &record, line, sizeof line);
            line[length] = '\0';
            CU_ASSERT_EQUAL(line[length - 2], '2' + second);
            CU_ASSERT_EQUAL(atoi(line + 19), 12 + second);
        }
    }
    access_log_format_free(format);
}

static void test_conditions(void) {
    given_a_request();
    expect("%400,501{User-agent}i %!200,304,302{Host}i %200{Host}i %!400s %200,>s", "- - www.example.net:8080 200 200");
    record.status = 400;
    expect("%400,501s %!200,304,302{Host}i %200{Host}i %>400B", "400 www.example.net:8080 - 1234");
}

static void test_escaping(void) {
    given_a_request();
    record.request_line = (struct span){"G\"\\\b\n\r\t\v\x1b\x7f\xc3\xa9\0z", 14};
    expect("%r", "G\\\"\\\\\\b\\n\\r\\t\\v\\x1b\\x7f\\xc3\\xa9\\x00z");
    request.path = SPAN_LITERAL("/%0a%22%00");
    expect("%U", "/\\n\\\"\\x00");
}

static void test_cutting(void) {
    given_a_request();
    static char name[300];
    memset(name, 1, sizeof name);
    record.request_line = (struct span){name, sizeof name};
    char *error;
    struct access_log_format *format = access_log_format_new("%h %r %s", &error);
    for (size_t size = 0; size < 200; size++) {
        char *line = malloc(size + 1);
        line[size] = 'Z';
        size_t length = access_log_format_line(format, &record, line, size);
        CU_ASSERT_EQUAL(line[size], 'Z');
        CU_ASSERT_TRUE(length <= size);
        if (size > 0) {
            CU_ASSERT_EQUAL(line[length - 1], '\n');
        }
        if (size >= 11) {
            CU_ASSERT_EQUAL((length - 11) % 4, 0); /* whole escapes */
        }
        free(line);
    }
    access_log_format_free(format);
}

static const char json_line[] =
    "{\"time\":\"2026-11-21T10:11:12.045Z\",\"client\":\"192.0.2.7\",\"host\":\"shop.example.net\",\"method\":\"GET\","
    "\"path\":\"/a%20b%zz%2\",\"query\":\"x=1\",\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes_out\":1500,"
    "\"bytes_in\":300,\"duration_us\":2345678,\"upstream\":\"http://127.0.0.1:8081\",\"decision\":\"delayed\","
    "\"reason\":\"host-speed\",\"delay_ms\":1500,\"user\":\"alice\",\"class\":\"search\",\"referer\":null,"
    "\"user_agent\":\"curl/8 \\\"x\\\"\"}";

static void test_json(void) {
    given_a_request();
    expect("json", json_line);
    memset(&record, 0, sizeof record);
    expect("json", "{\"time\":\"1970-01-01T00:00:00.000Z\",\"client\":null,\"host\":null,\"method\":null,\"path\":null,"
                   "\"query\":null,\"protocol\":null,\"status\":null,\"bytes_out\":0,\"bytes_in\":0,\"duration_us\":0,"
                   "\"upstream\":null,\"decision\":null,\"reason\":null,\"delay_ms\":0,\"user\":null,\"class\":null,"
                   "\"referer\":null,\"user_agent\":null}");
}

static void test_json_strings(void) {
    static const char *const texts[][2] = {
        {"\"\\\n\t\x01\x7f", "\\\"\\\\\\u000a\\u0009\\u0001\\u007f"},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff\xc3(", "\\u00ff\\u00c3("},
        {"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82",
         "\\u00c0\\u00af\\u00ed\\u00a0\\u0080\\u00f4\\u0090\\u0080\\u0080\\u00e2\\u0082"},
        {"\xc2\x85", "\\u00c2\\u0085"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        given_a_request();
        add(&request.fields, "Referer", texts[i][0]);
        char wanted[256];
        snprintf(wanted, sizeof wanted, ",\"referer\":\"%s\",\"user_agent\":", texts[i][1]);
        const char *got = line_of("json");
        if (strstr(got, wanted) == NULL) {
            printf("\n%s\n  not in  %s\n", wanted, got);
            CU_FAIL("another text was expected");
        }
    }
}

/* Braces and quotes are balanced, and the line is one object: enough of a parser for what this format writes. */
static bool is_object(const char *line, size_t length) {
    bool in_text = false;
    for (size_t i = 0; i < length; i++) {
        if (in_text && line[i] == '\\') {
            i += line[i + 1] == 'u' ? 5 : 1;
        } else if (line[i] == '"') {
            in_text = !in_text;
        }
    }
    return !in_text && length >= 2 && line[0] == '{' && line[length - 1] == '}' && line[length - 2] != ':';
}

static void test_json_is_always_whole(void) {
    given_a_request();
    static char agent[3000], path[3000];
    memset(agent, '"', sizeof agent);
    memset(path, 0xe9, sizeof path);
    fields_set(&request.fields, &arena, SPAN_LITERAL("User-Agent"), (struct span){agent, sizeof agent});
    request.path = (struct span){path, sizeof path};
    char *error;
    struct access_log_format *format = access_log_format_new("json", &error);
    for (size_t size = 1; size < 30000; size += size < 700 ? 1 : 97) {
        char *line = malloc(size);
        size_t length = access_log_format_line(format, &record, line, size);
        CU_ASSERT_TRUE_FATAL(length >= 1 && length <= size && line[length - 1] == '\n');
        if (size > 2 && !is_object(line, length - 1)) {
            printf("\n%zu: %.*s", size, (int)length, line);
            CU_FAIL("not an object");
        }
        free(line);
    }
    access_log_format_free(format);
}

static void expect_error(const char *text, const char *part) {
    char *error = NULL;
    struct access_log_format *format = access_log_format_new(text, &error);
    CU_ASSERT_PTR_NULL(format);
    access_log_format_free(format);
    if (error == NULL || strstr(error, part) == NULL) {
        printf("\n%s: %s\n", text, error != NULL ? error : "(no error)");
        CU_FAIL("another error was expected");
    }
    free(error);
}

static void test_errors(void) {
    expect_error("%h %Z", "in the format \"%h %Z\": \"%Z\" is no format code that weir knows; write %% for a percent");
    expect_error("%{weir-decisoin}x", "did you mean \"%{weir-decision}x\"?");
}

/* Every row of the table has its function, and every word that it knows is told apart. */
static void test_every_code_has_a_function(void) {
    static const struct {
        const char *code, *words;
    } codes[] = {
#define LOG_CODE(constant, code, argument, words, meaning) {code, words},
#include "config/log_codes.def"
#undef LOG_CODE
    };
    given_a_request();
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char text[64], words[512], *rest = NULL;
        snprintf(text, sizeof text, "%%{Host}%s", codes[i].code);
        if (codes[i].words[0] == '\0') {
            CU_ASSERT_STRING_NOT_EQUAL(line_of(text), "(error)");
        }
        snprintf(words, sizeof words, "%s", codes[i].words);
        for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
            snprintf(text, sizeof text, "%%{%s}%s", word, codes[i].code);
            bool unknown = strncmp(word, "SSL_", 4) == 0;
            CU_ASSERT_EQUAL(strcmp(line_of(text), "-") == 0, unknown);
        }
    }
}

static void test_many_steps(void) {
    given_a_request();
    char text[401];
    for (size_t i = 0; i < 400; i += 2) {
        memcpy(text + i, "%s", 2);
    }
    text[400] = '\0';
    const char *line = line_of(text);
    CU_ASSERT_EQUAL(strlen(line), 600);
    CU_ASSERT_EQUAL(strspn(line, "20"), 600);
}

int main(void) {
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    arena_init(&arena, NULL, 0);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("access_log", NULL, NULL);
    CU_add_test(suite, "each code", test_each_code);
    CU_add_test(suite, "process, thread, environment", test_process);
    CU_add_test(suite, "common formats", test_common_formats);
    CU_add_test(suite, "nothing known", test_nothing_known);
    CU_add_test(suite, "names and ports", test_names_and_ports);
    CU_add_test(suite, "times", test_times);
    CU_add_test(suite, "times are kept by second", test_time_is_cached_by_second);
    CU_add_test(suite, "conditions", test_conditions);
    CU_add_test(suite, "escaping", test_escaping);
    CU_add_test(suite, "cutting", test_cutting);
    CU_add_test(suite, "JSON", test_json);
    CU_add_test(suite, "texts in JSON", test_json_strings);
    CU_add_test(suite, "JSON is always whole", test_json_is_always_whole);
    CU_add_test(suite, "errors", test_errors);
    CU_add_test(suite, "every code has a function", test_every_code_has_a_function);
    CU_add_test(suite, "many steps", test_many_steps);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_reset(&arena);
    return failures == 0 ? 0 : 1;
}
