/* Blocks of bytes: every byte at every place means what the table says. test_http_block_words.c runs the same over
 * words of eight, which other machines have. */
#include "proxy/http_block.h"

#include "proxy/http_bytes.h"

#include <CUnit/Basic.h>
#include <stdlib.h>

static bool has(http_mask mask, size_t at) {
    for (; mask != 0; mask &= mask - 1) {
        if (http_mask_first(mask) == at) {
            return true;
        }
    }
    return false;
}

/* In memory of exactly that size, so that a byte too far is seen. */
static void check_block(const char *bytes, size_t count) {
    char *copy = malloc(count > 0 ? count : 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, bytes, count);
    http_block block = http_block_of(copy, count);
    http_mask feeds = http_block_equal(block, '\n'), high = http_block_equal(block, (char)0x8a);
    http_mask controls = http_block_controls(block), no_name = http_block_no_name(block);
    http_mask no_word = http_block_no_word(block);
    for (size_t i = 0; i < HTTP_BLOCK_BYTES; i++) {
        unsigned char byte = i < count ? (unsigned char)bytes[i] : 0;
        CU_ASSERT_EQUAL(has(feeds, i), byte == '\n');
        CU_ASSERT_EQUAL(has(high, i), byte == 0x8a);
        CU_ASSERT_EQUAL(has(controls, i), byte < 0x20 || byte == 0x7f);
        CU_ASSERT_EQUAL(has(no_name, i), !http_is_byte((char)byte, HTTP_BYTE_NAME));
        bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        CU_ASSERT_EQUAL(has(no_word, i), !is_letter && byte != '-');
    }
    free(copy);
}

static void each_byte_is_what_it_is_wherever_it_stands(void) {
    static const char others[] = {'a', '\n', '\0', (char)0xff, (char)0x80, 0x7f, 0x1f};
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < HTTP_BLOCK_BYTES; at++) {
            char bytes[HTTP_BLOCK_BYTES];
            memset(bytes, others[(byte + at) % sizeof others], sizeof bytes);
            bytes[at] = (char)byte;
            check_block(bytes, sizeof bytes);
        }
    }
}

static void zeros_stand_behind_the_end(void) {
    static const char bytes[] = "a\nB-\x7f_9\x8a\tz:;\r\n.~";
    for (size_t count = 0; count <= HTTP_BLOCK_BYTES; count++) {
        check_block(bytes, count);
    }
}

static void the_byte_behind_is_found_in_the_next_block_too(void) {
    CU_ASSERT_EQUAL(http_mask_first(HTTP_MASK_FIRST_BYTE), 0);
    for (size_t at = 0; at < HTTP_BLOCK_BYTES; at++) {
        char bytes[HTTP_BLOCK_BYTES];
        memset(bytes, 'a', sizeof bytes);
        bytes[at] = '.';
        http_mask dots = http_block_equal(http_block_load(bytes), '.');
        bool is_last = at == HTTP_BLOCK_BYTES - 1;
        CU_ASSERT_EQUAL(http_mask_carried(dots), is_last ? HTTP_MASK_FIRST_BYTE : 0);
        for (size_t i = 0; i < HTTP_BLOCK_BYTES; i++) {
            CU_ASSERT_EQUAL(has(http_mask_behind(dots), i), i == at + 1);
        }
    }
}

static void short_texts_are_copied_as_they_are(void) {
    static const char bytes[] = "0123456789abcdef";
    for (size_t count = 0; count <= 16; count++) {
        char copy[18];
        memset(copy, '#', sizeof copy);
        http_copy_short(copy + 1, bytes, count);
        CU_ASSERT_TRUE(copy[0] == '#' && copy[count + 1] == '#' && memcmp(copy + 1, bytes, count) == 0);
    }
}

static void lengths_are_those_of_a_look_at_each_byte(void) {
    static const enum http_byte_class classes[] = {HTTP_BYTE_TOKEN, HTTP_BYTE_FIELD};
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 40; at++) {
            char text[40];
            memset(text, at % 3 == 0 ? '!' : 'n', sizeof text);
            text[at] = (char)byte;
            struct span span = {text, sizeof text};
            CU_ASSERT_EQUAL(http_token_length(span), http_span_of(span, classes[0]));
            CU_ASSERT_EQUAL(http_value_length(span), http_span_of(span, classes[1]));
        }
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http_block", NULL, NULL);
    CU_ADD_TEST(suite, each_byte_is_what_it_is_wherever_it_stands);
    CU_ADD_TEST(suite, zeros_stand_behind_the_end);
    CU_ADD_TEST(suite, the_byte_behind_is_found_in_the_next_block_too);
    CU_ADD_TEST(suite, short_texts_are_copied_as_they_are);
    CU_ADD_TEST(suite, lengths_are_those_of_a_look_at_each_byte);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
