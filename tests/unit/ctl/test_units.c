/* ctl/units.h, ctl/table.h: numbers as people read them, and texts that do nothing to a terminal. */
#include "ctl/units.h"

#include <CUnit/Basic.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/table.h"

static void sizes_and_speeds(void) {
    static const struct {
        double value;
        const char *bytes, *bits;
    } cases[] = {
        {-1, "0 B", "0 bit/s"},           {0, "0 B", "0 bit/s"},
        {100, "100 B", "800 bit/s"},      {1023, "1023 B", "8.2 kbit/s"},
        {1536, "1.5 KiB", "12.3 kbit/s"}, {1024. * 1023.9, "1.0 MiB", "8.4 Mbit/s"},
        {1e15, "909 TiB", "8000 Tbit/s"}, {1e21, "867 EiB", "8000000000 Tbit/s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[UNIT_TEXT_MAX];
        unit_bytes(cases[i].value, text);
        CU_ASSERT_STRING_EQUAL(text, cases[i].bytes);
        unit_bits_per_s(cases[i].value, text);
        CU_ASSERT_STRING_EQUAL(text, cases[i].bits);
    }
}

static void durations(void) {
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {{-5, "0s"}, {59, "59s"}, {61, "1m 01s"}, {3600, "1h 00m"}, {86399, "23h 59m"}, {90000, "1d 01h"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[UNIT_TEXT_MAX];
        unit_duration(cases[i].seconds, text);
        CU_ASSERT_STRING_EQUAL(text, cases[i].text);
    }
}

static void texts_are_made_harmless(void) {
    static const struct {
        const char *text, *printable;
        size_t columns;
    } cases[] = {
        {"shop.example", "shop.example", 12},
        {"\x1b[2Jred", "?[2Jred", 7},
        {"a\nb\tc\x7f", "a?b?c?", 6},
        {"caf\xc3\xa9", "caf\xc3\xa9", 4},
        {"\xff\xfe", "??", 2},
        {"cut \xe2\x82", "cut ??", 6},
        {"\xe4\xb8\xad", "\xe4\xb8\xad", 2},
        {"", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        CU_ASSERT_EQUAL(unit_printable(cases[i].text, text, sizeof text), cases[i].columns);
        CU_ASSERT_STRING_EQUAL(text, cases[i].printable);
    }
    char small[4];
    unit_printable("ab\xc3\xa9\xc3\xa9", small, sizeof small);
    CU_ASSERT_STRING_EQUAL(small, "ab");
}

static void tables(void) {
    static const char *const cells[][2] = {{"NAME", "SENT"}, {"caf\xc3\xa9", "1.5 GiB"}, {"a,\"b\"\n", "0"}};
    struct table *table = table_new(2);
    for (size_t i = 0; i < 3; i++) {
        table_put(table, cells[i][0], false);
        table_put(table, cells[i][1], true);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    table_print(table, out);
    table_print_csv(table, out);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(text, "NAME       SENT\ncaf\xc3\xa9    1.5 GiB\na,\"b\"?        0\n"
                                 "NAME,SENT\ncaf\xc3\xa9,1.5 GiB\n\"a,\"\"b\"\"\n\",0\n");
    free(text);
    table_free(&table);
    table_free(&table);
}

int main(void) {
    setlocale(LC_CTYPE, "C.UTF-8");
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("units", NULL, NULL);
    CU_ADD_TEST(suite, sizes_and_speeds);
    CU_ADD_TEST(suite, durations);
    CU_ADD_TEST(suite, texts_are_made_harmless);
    CU_ADD_TEST(suite, tables);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
