/* config/pattern.h: groups, expansion, bounds on work, and wildcards against a model. */
#include "config/pattern.h"

#include <CUnit/Basic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static struct arena arena;
static struct pattern_scratch *scratch;

static struct pattern *compiled(const char *text, bool ignore_case) {
    const char *error = NULL;
    size_t offset = 0;
    struct pattern *pattern = pattern_new(&arena, text, ignore_case, &error, &offset);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pattern);
    return pattern;
}

static bool matches(const char *text, bool ignore_case, struct span subject, struct pattern_match *match) {
    struct pattern *pattern = compiled(text, ignore_case);
    bool result = pattern_match(pattern, scratch, subject, match);
    pattern_free(pattern);
    return result;
}

static void test_match(void) {
    struct pattern_match match;
    CU_ASSERT_TRUE(matches("^/img/(.*)\\.(gif|png)$", false, span_of("/img/a/b.png"), &match));
    CU_ASSERT_EQUAL(match.count, 3);
    CU_ASSERT_TRUE(span_equal(match.group[0], span_of("/img/a/b.png")));
    CU_ASSERT_TRUE(span_equal(match.group[1], span_of("a/b")));
    CU_ASSERT_TRUE(span_equal(match.group[2], span_of("png")));
    CU_ASSERT_PTR_NULL(match.group[3].ptr);
    CU_ASSERT_FALSE(matches("^/IMG/", false, span_of("/img/"), &match));
    CU_ASSERT_EQUAL(match.count, 0);
    CU_ASSERT_TRUE(matches("^/IMG/", true, span_of("/img/"), NULL));
    CU_ASSERT_TRUE(matches("b", false, span_of("abc"), &match));
    CU_ASSERT_TRUE(matches("", false, SPAN_NONE, &match));
    CU_ASSERT_FALSE(matches("a$", false, span_of("a\n"), &match));
    CU_ASSERT_TRUE(matches("(a)|(b)", false, span_of("b"), &match));
    CU_ASSERT_EQUAL(match.count, 3);
    CU_ASSERT_PTR_NULL(match.group[1].ptr);
    CU_ASSERT_EQUAL(match.group[2].len, 1);
}

/* A plain begin is compared before anything is matched: that must not change what matches. */
static void test_plain_beginnings(void) {
    static const struct {
        const char *pattern, *subject;
        bool matches;
    } rows[] = {
        {"^/static/", "/static/a", true},
        {"^/static/", "/stati", false},
        {"^/static/", "", false},
        {"^/a*b", "/b", true},
        {"^/ab?c", "/ac", true},
        {"^/ab{0,1}c", "/ac", true},
        {"^/ab+c", "/ac", false},
        {"^/ab+c", "/abbc", true},
        {"^/a|b", "xb", true},
        {"^/a(x|y)", "/ay", true},
        {"(?i)^/A", "/a", true},
        {"^/a(?i)B", "/ab", true},
        {"^(?i)/A", "/a", true},
        {"(?m)^/b", "/a\n/b", true},
        {"^/a$", "/a", true},
        {"^/a$", "/ab", false},
        {"^/a.c", "/abc", true},
        {"^\\/a", "/a", true},
        {"(?x)^/a b", "/ab", true},
        {"^", "", true},
        {"^/a?", "/", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CU_ASSERT_EQUAL(matches(rows[i].pattern, false, span_of(rows[i].subject), NULL), rows[i].matches);
    }
    CU_ASSERT_TRUE(matches("^/STATIC/", true, span_of("/static/"), NULL));
}

static void test_many_groups(void) {
    struct pattern_match match;
    CU_ASSERT_TRUE(matches("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)(l)", false, span_of("abcdefghijkl"), &match));
    CU_ASSERT_EQUAL(match.count, PATTERN_GROUPS);
    CU_ASSERT_TRUE(span_equal(match.group[9], span_of("i")));
}

static void test_bytes_of_any_value(void) {
    struct pattern_match match;
    CU_ASSERT_TRUE(matches("\\xff\\x00(.)", false, (struct span){"\xff\0\x80", 3}, &match));
    CU_ASSERT_EQUAL(match.group[1].len, 1);
}

static void test_bad_patterns(void) {
    static const char *const texts[] = {"(", "[a", "a{2,1}", "*", "(?<n", "\\", "(*UTF)a"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *error = NULL;
        size_t offset = SIZE_MAX;
        CU_ASSERT_PTR_NULL(pattern_new(&arena, texts[i], false, &error, &offset));
        CU_ASSERT_PTR_NOT_NULL_FATAL(error);
        CU_ASSERT_TRUE(strlen(error) > 0);
        CU_ASSERT_TRUE(offset <= strlen(texts[i]));
    }
    char deep[1001];
    memset(deep, '(', 500);
    memset(deep + 500, ')', 500);
    deep[1000] = '\0';
    const char *error;
    size_t offset;
    CU_ASSERT_PTR_NULL(pattern_new(&arena, deep, false, &error, &offset));
}

/* Patterns that take exponential time elsewhere end soon, and do not match. */
static void test_bounded_work(void) {
    static const char *const texts[] = {"^(a+)+$", "^(a|aa)+$", "^(a|a?)+$", "(x+x+)+y", "^(?:.*.*.*.*.*)*b$"};
    char subject[8192];
    memset(subject, 'a', sizeof subject);
    subject[sizeof subject - 1] = '!';
    clock_t begin = clock();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        CU_ASSERT_FALSE(matches(texts[i], false, (struct span){subject, sizeof subject}, NULL));
    }
    CU_ASSERT_TRUE((clock() - begin) / CLOCKS_PER_SEC < 10);
    CU_ASSERT_TRUE(matches("^.*!$", false, (struct span){subject, sizeof subject}, NULL));
    CU_ASSERT_TRUE(matches("^(?:a|b)*!$", false, (struct span){subject, sizeof subject}, NULL));
}

static void check_expand(const char *text, const struct pattern_match *match, const char *expected) {
    struct span expanded = pattern_expand(&arena, text, match);
    CU_ASSERT_TRUE(span_equal(expanded, span_of(expected)));
    CU_ASSERT_EQUAL(expanded.ptr[expanded.len], '\0');
}

static void test_expand(void) {
    struct pattern *pattern = compiled("^/(\\w+)/(x)?(.*)$", false);
    struct pattern_match match;
    CU_ASSERT_TRUE_FATAL(pattern_match(pattern, scratch, span_of("/a/rest"), &match));
    check_expand("http://h/$1/$3", &match, "http://h/a/rest");
    check_expand("$0", &match, "/a/rest");
    check_expand("[$2][$9]", &match, "[][]");
    check_expand("$$1 \\$1 $", &match, "$1 $1 $");
    check_expand("a&b $x \\n", &match, "a&b $x \\n");
    check_expand("", &match, "");
    check_expand("$1$1$1", &match, "aaa");
    check_expand("\\", &match, "\\");
    CU_ASSERT_STRING_EQUAL(pattern_text(pattern), "^/(\\w+)/(x)?(.*)$");
    pattern_free(pattern);
    pattern_free(NULL);
}

static void test_wildcards(void) {
    CU_ASSERT_TRUE(wildcard_match("*.example.org", span_of("WWW.Example.ORG")));
    CU_ASSERT_FALSE(wildcard_match("*.example.org", span_of("example.org")));
    CU_ASSERT_TRUE(wildcard_match("*", span_of("")));
    CU_ASSERT_TRUE(wildcard_match("", span_of("")));
    CU_ASSERT_FALSE(wildcard_match("", span_of("a")));
    CU_ASSERT_TRUE(wildcard_match("a?c", span_of("abc")));
    CU_ASSERT_FALSE(wildcard_match("a?c", span_of("ac")));
    CU_ASSERT_TRUE(wildcard_match("**a**", span_of("xax")));
    CU_ASSERT_TRUE(wildcard_match("*ab", span_of("aab")));
}

static uint64_t random_state = 99;
static uint64_t random_u64(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static bool model_match(const char *wildcard, const char *text) {
    if (*wildcard == '\0') {
        return *text == '\0';
    }
    if (*wildcard == '*') {
        return model_match(wildcard + 1, text) || (*text != '\0' && model_match(wildcard, text + 1));
    }
    return *text != '\0' && (*wildcard == '?' || *wildcard == *text) && model_match(wildcard + 1, text + 1);
}

static void random_text(char *text, size_t size, const char *letters) {
    size_t length = random_u64() % size;
    for (size_t i = 0; i < length; i++) {
        text[i] = letters[random_u64() % strlen(letters)];
    }
    text[length] = '\0';
}

static void test_wildcards_against_model(void) {
    int matched = 0;
    for (int i = 0; i < 300000; i++) {
        char wildcard[8];
        char text[10];
        random_text(wildcard, sizeof wildcard, "ab**?");
        random_text(text, sizeof text, "ab");
        bool expected = model_match(wildcard, text);
        CU_ASSERT_FATAL(wildcard_match(wildcard, span_of(text)) == expected);
        matched += expected;
    }
    CU_ASSERT_TRUE(matched > 30000);
}

static void test_wildcard_work(void) {
    char wildcard[2001];
    static char text[100000];
    for (size_t i = 0; i < 2000; i += 2) {
        memcpy(wildcard + i, "*a", 2);
    }
    wildcard[1999] = 'b';
    wildcard[2000] = '\0';
    memset(text, 'a', sizeof text);
    clock_t begin = clock();
    CU_ASSERT_FALSE(wildcard_match(wildcard, (struct span){text, sizeof text}));
    CU_ASSERT_TRUE((clock() - begin) / CLOCKS_PER_SEC < 5);
}

int main(void) {
    arena_init(&arena, NULL, 0);
    scratch = pattern_scratch_new();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pattern", NULL, NULL);
    CU_add_test(suite, "matches and groups", test_match);
    CU_add_test(suite, "more groups than are kept", test_plain_beginnings);
    CU_add_test(suite, "more groups than are kept", test_many_groups);
    CU_add_test(suite, "bytes of any value", test_bytes_of_any_value);
    CU_add_test(suite, "bad patterns", test_bad_patterns);
    CU_add_test(suite, "bounded work", test_bounded_work);
    CU_add_test(suite, "expansion", test_expand);
    CU_add_test(suite, "wildcards", test_wildcards);
    CU_add_test(suite, "wildcards against a model", test_wildcards_against_model);
    CU_add_test(suite, "work of a wildcard", test_wildcard_work);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    pattern_scratch_free(scratch);
    arena_reset(&arena);
    return failures == 0 ? 0 : 1;
}
