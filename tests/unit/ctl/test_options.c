/* ctl/options.h, ctl/commands.h, ctl/client.h: what a command line means, what is wrong with it, and how it is sent. */
#include "ctl/options.h"

#include <CUnit/Basic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/commands.h"

enum { WORDS_MAX = 8 };

/* What was said; NULL: it was good. The caller frees. */
static char *read_line(const char *line, struct options *options) {
    static char buffer[256], *words[WORDS_MAX + 2];
    int count = 1;
    char *text = NULL, *rest = NULL;
    size_t size = 0;
    snprintf(buffer, sizeof buffer, "%s", line);
    words[0] = (char *)(uintptr_t) "weirctl";
    for (char *word = strtok_r(buffer, " ", &rest); word != NULL && count <= WORDS_MAX;
         word = strtok_r(NULL, " ", &rest)) {
        words[count++] = word;
    }
    words[count] = NULL;
    FILE *messages = open_memstream(&text, &size);
    bool is_good = options_read(options, count, words, messages) && command_check(options, messages);
    fclose(messages);
    CU_ASSERT_EQUAL(is_good, size == 0);
    if (is_good) {
        free(text);
        text = NULL;
    }
    return text;
}

static void what_is_understood(void) {
    struct options options;
    CU_ASSERT_PTR_NULL(read_line("usage --month 2026-10 --csv --socket=/x", &options));
    CU_ASSERT_STRING_EQUAL(options.command, "usage");
    CU_ASSERT_STRING_EQUAL(options.month, "2026-10");
    CU_ASSERT_STRING_EQUAL(options.socket, "/x");
    CU_ASSERT_EQUAL(options.format, FORMAT_CSV);
    CU_ASSERT_PTR_NULL(read_line("--config a.conf reset host shop.example", &options));
    CU_ASSERT_EQUAL(options.word_count, 2);
    CU_ASSERT_STRING_EQUAL(options.words[1], "shop.example");
    CU_ASSERT_PTR_NULL(read_line("top --delay 0.5", &options));
    CU_ASSERT_DOUBLE_EQUAL(options.delay_s, 0.5, 1e-9);
}

static void what_is_wrong_is_taught(void) {
    static const struct {
        const char *line, *said;
    } cases[] = {
        {"", "which command?"},
        {"statsu", "did you mean status?"},
        {"usage --mont 3 --bla", "--bla is not understood"},
        {"usage --monthh 3", "did you mean --month?"},
        {"usage --month", "--month needs its YYYY-MM"},
        {"hosts --month 2026-10", "hosts takes no --month"},
        {"status --csv", "status takes no --csv"},
        {"status --json --xml", "one of"},
        {"block", "weirctl block ADDRESS|PREFIX [SECONDS]"},
        {"block a 1 2", "weirctl block ADDRESS|PREFIX [SECONDS]"},
        {"block a 1 2 3", "\"3\" is one word too many"},
        {"reset", "weirctl reset host|user NAME|all, or all"},
        {"top --delay 0", "no delay"},
        {"top --delay x", "no delay"},
        {"-x", "-x is not understood"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options;
        char *said = read_line(cases[i].line, &options);
        bool is_right = said != NULL && strstr(said, cases[i].said) != NULL;
        if (!is_right) {
            printf("\n  %s: %s\n", cases[i].line, said != NULL ? said : "(good)");
        }
        CU_ASSERT_TRUE(is_right);
        free(said);
    }
}

static void arguments_are_encoded(void) {
    struct target target;
    target_begin(&target, "/usage");
    target_add(&target, "host", "a b&c=d%\xc3\xa9/?#");
    target_add(&target, "user", NULL);
    target_add(&target, "by", "day");
    CU_ASSERT_STRING_EQUAL(target.text, "/usage?host=a%20b%26c%3Dd%25%C3%A9%2F%3F%23&by=day");
    CU_ASSERT_FALSE(target.is_cut);
    char longest[TARGET_MAX];
    memset(longest, ' ', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    target_add(&target, "x", longest);
    CU_ASSERT_TRUE(target.is_cut);
}

static void nobody_there_is_said(void) {
    struct client *client = client_new("/nonexistent/control.sock");
    struct client_answer answer;
    CU_ASSERT_FALSE(client_get(client, "/", &answer));
    CU_ASSERT_EQUAL(answer.status, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.problem, "/nonexistent/control.sock: No such file"));
    client_answer_clear(&answer);
    client_free(&client);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("options", NULL, NULL);
    CU_ADD_TEST(suite, what_is_understood);
    CU_ADD_TEST(suite, what_is_wrong_is_taught);
    CU_ADD_TEST(suite, arguments_are_encoded);
    CU_ADD_TEST(suite, nobody_there_is_said);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
