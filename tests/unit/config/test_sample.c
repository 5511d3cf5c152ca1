/* proxy.conf.sample in the project's folder is what config_print_sample() prints, and it works. Runs in that folder. */
#include "given.h"

enum { SAMPLE_MAX = 1 << 20 };

static void test_the_file_is_up_to_date(void) {
    char *printed = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&printed, &length);
    config_print_sample(out);
    fclose(out);
    char *file_text = calloc(1, SAMPLE_MAX);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file_text);
    FILE *file = fopen("proxy.conf.sample", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t got = fread(file_text, 1, SAMPLE_MAX - 1, file);
    fclose(file);
    bool same = got == length && memcmp(file_text, printed, length) == 0;
    if (!same) {
        puts("\n  make it again: weir --print-sample > proxy.conf.sample");
    }
    CU_ASSERT_TRUE(same);
    free(file_text);
    free(printed);
}

static void test_it_works(void) {
    static const struct config_options options = {.path = "proxy.conf.sample", .strict = true, .check_files = true};
    struct given given = {NULL, NULL};
    size_t length = 0;
    FILE *messages = open_memstream(&given.messages, &length);
    given.config = config_load(&options, messages);
    fclose(messages);
    CU_ASSERT_STRING_EQUAL(given.messages, "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(given.config);
    CU_ASSERT_STRING_EQUAL(given.config->listeners[0].name, "127.0.0.1:8080");
    CU_ASSERT_STRING_EQUAL(given.config->hosts[1]->proxy_passes[0].origin->name, "http://127.0.0.1:8081");
    give_back(&given);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("sample", NULL, NULL);
    CU_add_test(suite, "the file is up to date", test_the_file_is_up_to_date);
    CU_add_test(suite, "it works", test_it_works);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
