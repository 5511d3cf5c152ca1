/* config/lexer.h: lines, continuations, comments, words, quotes, and where in the file each word stands. */
#include "config/lexer.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

struct reading {
    struct lexer lexer;
    struct arena words, lines;
};

static void begin_span(struct reading *reading, struct span text) {
    arena_init(&reading->words, NULL, 0);
    arena_init(&reading->lines, NULL, 0);
    lexer_init(&reading->lexer, "a.conf", text, &reading->words, &reading->lines);
}

static void begin(struct reading *reading, const char *text) {
    begin_span(reading, span_of(text));
}

static void end(struct reading *reading) {
    lexer_close(&reading->lexer);
    arena_reset(&reading->words);
    arena_reset(&reading->lines);
}

/* The words of one line as "[a][b c]"; an unclosed quote as "!" behind. */
static void check_words(const char *line, const char *expected) {
    struct reading reading;
    char text[512] = "";
    begin(&reading, line);
    CU_ASSERT_TRUE_FATAL(lexer_next(&reading.lexer));
    size_t offset = 0;
    struct word word;
    bool unclosed = false;
    while (lexer_word(&reading.lexer, &offset, reading.lexer.line.length, &word, &unclosed)) {
        CU_ASSERT_EQUAL(strlen(word.text), word.length);
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "[%s]%s", word.text, unclosed ? "!" : "");
    }
    if (strcmp(text, expected) != 0) {
        printf("\n  %s: %s, not %s\n", line, text, expected);
    }
    CU_ASSERT_STRING_EQUAL(text, expected);
    end(&reading);
}

static void test_words(void) {
    check_words("Listen 80", "[Listen][80]");
    check_words(" \t Listen \t 80 \t", "[Listen][80]");
    check_words("A \"b c\" 'd e'", "[A][b c][d e]");
    check_words("A \"\" ''", "[A][][]");
    check_words("A b\"c d\"", "[A][b\"c][d\"]");
    check_words("A \"b\"c", "[A][b][c]");
    check_words("A \"say \\\"hi\\\"\"", "[A][say \"hi\"]");
    check_words("A 'it\\'s' \"it\\'s\"", "[A][it's][it\\'s]");
    check_words("A \"\\\\\" \\\\x \\d+", "[A][\\][\\x][\\d+]");
    check_words("A \"(\\\\.gif)$\" x#y", "[A][(\\.gif)$][x#y]");
    check_words("A \"b c", "[A][b c]!");
    check_words("A \"", "[A][]!");
}

static void test_lines_and_comments(void) {
    struct reading reading;
    begin(&reading, "\n# comment\n   # too\nA 1\r\n\r\n  B 2 # no comment\nC 3");
    static const struct {
        const char *text;
        unsigned line;
    } expected[] = {{"A 1", 4}, {"B 2 # no comment", 6}, {"C 3", 7}};
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_TRUE_FATAL(lexer_next(&reading.lexer));
        CU_ASSERT_STRING_EQUAL(reading.lexer.line.text, expected[i].text);
        struct word word;
        lexer_raw_word(&reading.lexer, 0, 1, &word);
        CU_ASSERT_EQUAL(word.place.line, expected[i].line);
        CU_ASSERT_STRING_EQUAL(word.place.file, "a.conf");
    }
    CU_ASSERT_FALSE(lexer_next(&reading.lexer));
    CU_ASSERT_FALSE(lexer_next(&reading.lexer));
    end(&reading);
}

static void test_continuations(void) {
    struct reading reading;
    begin(&reading, "ServerAlias a \\\n  b\\\nc\n# comment \\\n still comment\n\\\nD\n\\");
    CU_ASSERT_TRUE_FATAL(lexer_next(&reading.lexer));
    CU_ASSERT_STRING_EQUAL(reading.lexer.line.text, "ServerAlias a   bc");
    CU_ASSERT_TRUE_FATAL(lexer_next(&reading.lexer));
    CU_ASSERT_STRING_EQUAL(reading.lexer.line.text, "D");
    CU_ASSERT_FALSE(lexer_next(&reading.lexer));
    end(&reading);
}

static void test_places(void) {
    struct reading reading;
    begin(&reading, "\n  Name \"a b\" \\\n\tcd  \\\r\n e");
    CU_ASSERT_TRUE_FATAL(lexer_next(&reading.lexer));
    static const struct {
        const char *text;
        unsigned line, column, width;
        const char *line_text;
    } expected[] = {
        {"Name", 2, 3, 4, "  Name \"a b\" \\"},
        {"a b", 2, 8, 5, "  Name \"a b\" \\"},
        {"cd", 3, 2, 2, "\tcd  \\"},
        {"e", 4, 2, 1, " e"},
    };
    size_t offset = 0;
    struct word word;
    bool unclosed = false;
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_TRUE_FATAL(lexer_word(&reading.lexer, &offset, reading.lexer.line.length, &word, &unclosed));
        CU_ASSERT_STRING_EQUAL(word.text, expected[i].text);
        CU_ASSERT_EQUAL(word.place.line, expected[i].line);
        CU_ASSERT_EQUAL(word.column, expected[i].column);
        CU_ASSERT_EQUAL(word.width, expected[i].width);
        CU_ASSERT_STRING_EQUAL(word.line_text, expected[i].line_text);
    }
    CU_ASSERT_FALSE(lexer_word(&reading.lexer, &offset, reading.lexer.line.length, &word, &unclosed));
    end(&reading);
}

static void test_bounds(void) {
    struct reading reading;
    size_t length = LEXER_LINE_MAX + 10;
    char *text = must_malloc(length + 3);
    memset(text, 'x', length);
    memcpy(text + length, "\nA", 3);
    begin(&reading, text);
    CU_ASSERT_TRUE(lexer_next(&reading.lexer));
    CU_ASSERT_TRUE(reading.lexer.line.too_long);
    CU_ASSERT_TRUE(lexer_next(&reading.lexer));
    CU_ASSERT_FALSE(reading.lexer.line.too_long);
    CU_ASSERT_STRING_EQUAL(reading.lexer.line.text, "A");
    end(&reading);
    free(text);
    begin_span(&reading, (struct span){"A b\0c\nB", 7});
    CU_ASSERT_TRUE(lexer_next(&reading.lexer));
    CU_ASSERT_TRUE(reading.lexer.line.has_nul);
    CU_ASSERT_TRUE(lexer_next(&reading.lexer));
    CU_ASSERT_FALSE(reading.lexer.line.has_nul);
    end(&reading);
    begin(&reading, "\xef\xbb\xbfListen 80");
    CU_ASSERT_TRUE(lexer_next(&reading.lexer));
    CU_ASSERT_STRING_EQUAL(reading.lexer.line.text, "Listen 80");
    end(&reading);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("lexer", NULL, NULL);
    CU_add_test(suite, "words", test_words);
    CU_add_test(suite, "lines and comments", test_lines_and_comments);
    CU_add_test(suite, "continuations", test_continuations);
    CU_add_test(suite, "places", test_places);
    CU_add_test(suite, "bounds", test_bounds);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
