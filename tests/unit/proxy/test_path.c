/* Paths: normal forms, encoding, prefixes, wildcards. */
#include <CUnit/Basic.h>

#include "proxy/path.h"
#include "proxy/route.h"

static struct arena arena;

static void check(const char *raw, const char *decoded, const char *written) {
    struct path_forms forms;
    bool valid = path_parse(span_of(raw), &arena, &forms);
    if (!valid || !span_equal(forms.decoded, span_of(decoded)) || !span_equal(forms.written, span_of(written))) {
        fprintf(stderr, "\n%s: %s, decoded %.*s, written %.*s\n", raw, valid ? "valid" : "refused",
                valid ? (int)forms.decoded.len : 0, forms.decoded.ptr, valid ? (int)forms.written.len : 0,
                forms.written.ptr);
        CU_FAIL("not the expected forms");
    }
    CU_PASS("");
}

static void check_refused(const char *raw) {
    struct path_forms forms;
    if (path_parse(span_of(raw), &arena, &forms)) {
        fprintf(stderr, "\n%s became %.*s\n", raw, (int)forms.decoded.len, forms.decoded.ptr);
        CU_FAIL("not refused");
    }
}

static void plain_paths_are_not_copied(void) {
    static const char *const paths[] = {"/", "/a", "/a/b.html", "/a/b/", "/a.b/c..d/", "/~x/;p=1,2"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct path_forms forms;
        CU_ASSERT(path_parse(span_of(paths[i]), &arena, &forms));
        CU_ASSERT_PTR_EQUAL(forms.decoded.ptr, paths[i]);
        CU_ASSERT_PTR_EQUAL(forms.written.ptr, paths[i]);
        CU_ASSERT_EQUAL(forms.decoded.len, strlen(paths[i]));
    }
}

static void what_is_not_plain_is_seen_wherever_it_stands(void) {
    for (int length = 0; length < 40; length++) {
        static const struct {
            const char *end, *decoded;
        } rows[] = {{"//b", "/b"}, {"/./b", "/b"}, {"/%41", "/A"}, {"/b/", "/b/"}, {"/b.c/", "/b.c/"}, {"/.", "/"}};
        static const char segment[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            char raw[80], decoded[80];
            const char *begin = length > 0 ? "/" : "";
            (void)snprintf(raw, sizeof raw, "%s%.*s%s", begin, length, segment, rows[i].end);
            (void)snprintf(decoded, sizeof decoded, "%s%.*s%s", begin, length, segment, rows[i].decoded);
            struct path_forms forms;
            CU_ASSERT_TRUE_FATAL(path_parse(span_of(raw), &arena, &forms));
            CU_ASSERT_TRUE(span_equal(forms.decoded, span_of(decoded)));
        }
    }
}

static void segments_are_removed(void) {
    check("//", "/", "//");
    check("//a", "/a", "//a");
    check("/./", "/", "/");
    check("/.", "/", "/");
    check("/a/..", "/", "/");
    check("/a/../", "/", "/");
    check("/a/.", "/a/", "/a/");
    check("/a/b/..", "/a/", "/a/");
    check("/a/./b/../c", "/a/c", "/a/c");
    check("/a//b///c//", "/a/b/c/", "/a//b///c//");
    check("/app/../secret", "/secret", "/secret");
    check("/app//../secret", "/secret", "/secret");
    check("/a/.../b", "/a/.../b", "/a/.../b");
    check("/.hidden/..x", "/.hidden/..x", "/.hidden/..x");
    check("/a/%2e%2E/b", "/b", "/b");
    check("/a/.%2e/b", "/b", "/b");
    check("/a/%2e/b", "/a/b", "/a/b");
}

static void escapes_are_decoded_once(void) {
    check("/%61dmin", "/admin", "/%61dmin");
    check("/a%20b", "/a b", "/a%20b");
    check("/a%2520b", "/a%20b", "/a%2520b");
    check("/a%252e%252e/b", "/a%2e%2e/b", "/a%252e%252e/b");
    check("/a%2fb", "/a/b", "/a%2fb");
    check("/admin%2F%2Fx", "/admin/x", "/admin%2F%2Fx");
    check("/%2Fx", "/x", "/%2Fx");
    check("/a%3fb%23", "/a?b#", "/a%3fb%23");
    check("/%c3%a4", "/\xc3\xa4", "/%c3%a4");
    check("/x/../%61", "/a", "/%61");
    check("/%0d%0a", "/\r\n", "/%0d%0a");
}

static void bad_paths_are_refused(void) {
    check_refused("");
    check_refused("a");
    check_refused("*");
    check_refused("/%");
    check_refused("/%4");
    check_refused("/%zz");
    check_refused("/%4g");
    check_refused("/a%00b");
    check_refused("/..");
    check_refused("/a/../..");
    check_refused("/%2e%2e/x");
    check_refused("/a/..%2fb");
    check_refused("/a%2f../b");
    check_refused("/a%2f%2e%2e%2fb");
    check_refused("/a%2f.");
    check_refused("/a/b%2F..");
    check_refused("/a/.%2f");
}

static void normal_path_is_the_decoded_one(void) {
    struct span normal;
    CU_ASSERT(route_normalise_path(SPAN_LITERAL("/a/%62//c"), &arena, &normal));
    CU_ASSERT(span_equal(normal, SPAN_LITERAL("/a/b/c")));
    CU_ASSERT_FALSE(route_normalise_path(SPAN_LITERAL("/a/%"), &arena, &normal));
}

static void what_may_not_stand_is_encoded(void) {
    CU_ASSERT(span_equal(path_encode(SPAN_LITERAL("/a b?c#d%e\xff\r\n"), &arena),
                         SPAN_LITERAL("/a%20b%3Fc%23d%25e%FF%0D%0A")));
    struct span plain = SPAN_LITERAL("/a-b_c~d.e/;x=1,2&$!*'()+:@");
    CU_ASSERT_PTR_EQUAL(path_encode(plain, &arena).ptr, plain.ptr);
    CU_ASSERT(span_equal(path_encode((struct span){"a\0b", 3}, &arena), SPAN_LITERAL("a%00b")));
}

static void prefixes_end_at_a_segment(void) {
    static const struct {
        const char *prefix, *path;
        bool covered;
    } rows[] = {
        {"/a", "/a", true},    {"/a", "/a/", true},   {"/a", "/a/b", true}, {"/a", "/ab", false},
        {"/a/", "/a/b", true}, {"/a/", "/a/", true},  {"/a/", "/a", false}, {"/", "/", true},
        {"/", "/x", true},     {"/a/b", "/a", false}, {"", "/x", true},     {"/A", "/a", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CU_ASSERT_EQUAL(path_has_prefix(span_of(rows[i].path), span_of(rows[i].prefix)), rows[i].covered);
    }
}

static void wildcards_stay_in_their_segment(void) {
    static const struct {
        const char *wildcard, *path;
        bool matches;
    } rows[] = {
        {"/*", "/a", true},
        {"/*", "/", true},
        {"/*", "/a/b", false},
        {"/*/b", "/a/b", true},
        {"/*/b", "/a/c/b", false},
        {"/a*z", "/abcz", true},
        {"/a*z", "/abc/z", false},
        {"/?", "/a", true},
        {"/?", "/", false},
        {"/a?b", "/a/b", false},
        {"/[ab]x", "/bx", true},
        {"/[!ab]x", "/bx", false},
        {"/[a-c]", "/b", true},
        {"/[a-c]", "/d", false},
        {"/[]]", "/]", true},
        {"/[", "/[", true},
        {"/a\\*", "/a*", true},
        {"/a\\*", "/ab", false},
        {"/*.php", "/x.php.php", true},
        {"/*a*b*c", "/xaybzc", true},
        {"/*a*b*c", "/xaybz", false},
        {"/a", "/a/", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (path_wildcard_match(span_of(rows[i].wildcard), span_of(rows[i].path)) != rows[i].matches) {
            fprintf(stderr, "\n%s and %s\n", rows[i].wildcard, rows[i].path);
            CU_FAIL("not the expected answer");
        }
    }
}

static void a_wildcard_cannot_take_for_ever(void) {
    char path[8001];
    memset(path, 'a', sizeof path);
    path[0] = '/';
    CU_ASSERT_FALSE(
        path_wildcard_match(SPAN_LITERAL("/*a*a*a*a*a*a*a*a*a*a*a*a*a*b"), (struct span){path, sizeof path}));
}

int main(void) {
    arena_init(&arena, NULL, 0);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("path", NULL, NULL);
    CU_ADD_TEST(suite, plain_paths_are_not_copied);
    CU_ADD_TEST(suite, what_is_not_plain_is_seen_wherever_it_stands);
    CU_ADD_TEST(suite, segments_are_removed);
    CU_ADD_TEST(suite, escapes_are_decoded_once);
    CU_ADD_TEST(suite, bad_paths_are_refused);
    CU_ADD_TEST(suite, normal_path_is_the_decoded_one);
    CU_ADD_TEST(suite, what_may_not_stand_is_encoded);
    CU_ADD_TEST(suite, prefixes_end_at_a_segment);
    CU_ADD_TEST(suite, wildcards_stay_in_their_segment);
    CU_ADD_TEST(suite, a_wildcard_cannot_take_for_ever);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_reset(&arena);
    return failures > 0;
}
