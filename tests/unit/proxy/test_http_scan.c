/* http_scan_head() and the classes of bytes: where a head ends, what is refused on the way, and that neither depends on
 * the pieces in which it comes. */
#include "proxy/http_fields.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES(text)                                                                                                    \
    { (text), sizeof(text) - 1 }

enum { NOTHING = 0 };

struct scan_case {
    struct span bytes;
    struct http_limits limits;
    int status;    /* of the refusal; 0: none */
    size_t length; /* of the head; 0: not complete */
};

#define GET "GET / HTTP/1.1\r\n" /* 14 and 2 bytes */
#define HOST "Host: h\r\n"       /* 7 and 2 bytes */

static const struct http_limits loose = {.bare_line_feed = true};

static const struct scan_case cases[] = {
    {BYTES(""), {0}, 0, NOTHING},
    {BYTES("G"), {0}, 0, NOTHING},
    {BYTES(GET), {0}, 0, NOTHING},
    {BYTES(GET HOST), {0}, 0, NOTHING},
    {BYTES(GET HOST "\r"), {0}, 0, NOTHING},
    {BYTES(GET HOST "\r\n"), {0}, 0, 27},
    {BYTES(GET HOST "\r\nbody"), {0}, 0, 27},
    {BYTES(GET HOST "\r\n" GET HOST "\r\n"), {0}, 0, 27},
    {BYTES(GET "\r\n"), {0}, 0, 18},
    {BYTES("\r\n"), {0}, 0, 2},
    /* bare line feeds */
    {BYTES("GET / HTTP/1.1\nHost: h\n\n"), {0}, 400, 0},
    {BYTES(GET "Host: h\n\r\n"), {0}, 400, 0},
    {BYTES(GET HOST "\n"), {0}, 400, 0},
    {BYTES(GET "X: a\nTransfer-Encoding: chunked\r\n\r\n"), {0}, 400, 0},
    {BYTES("\n"), {0}, 400, 0},
    {BYTES("GET / HTTP/1.1\nHost: h\n\nrest"), {.bare_line_feed = true}, 0, 24},
    {BYTES("GET / HTTP/1.1\nHost: h\r\n\nrest"), {.bare_line_feed = true}, 0, 25},
    {BYTES("GET / HTTP/1.1\r\nHost: h\n\r\nrest"), {.bare_line_feed = true}, 0, 26},
    {BYTES("GET / HTTP/1.1\n\r\n"), {.bare_line_feed = true}, 0, 17},
    /* a CR alone ends no line here; it is refused when the line is looked at */
    {BYTES(GET "X: a\rb\r\n\r\n"), {0}, 0, 26},
    {BYTES(GET "X: a\r\r\n\r\n"), {0}, 0, 25},
    {BYTES(GET "X: a\r\r\r\r"), {0}, 0, NOTHING},
    /* but one where the empty line should be is refused as soon as it shows */
    {BYTES(GET HOST "\rX"), {0}, 400, 0},
    {BYTES(GET HOST "\r\r"), {0}, 400, 0},
    {BYTES(GET HOST "\r\r\n"), {0}, 400, 0},
    {BYTES("\rGET / HTTP/1.1\n"), {.line_bytes = 4}, 400, 0},
    {BYTES(GET "\rlong line\n"), {.field_bytes = 4}, 400, 0},
    /* limits: the line without its end */
    {BYTES(GET HOST "\r\n"), {.line_bytes = 14}, 0, 27},
    {BYTES(GET HOST "\r\n"), {.line_bytes = 13}, 414, 0},
    {BYTES("GET / HTTP/1.1"), {.line_bytes = 13}, 414, 0},
    {BYTES("GET / HTTP/1.1\r"), {.line_bytes = 14}, 0, NOTHING},
    {BYTES(GET HOST "\r\n"), {.field_bytes = 7}, 0, 27},
    {BYTES(GET HOST "\r\n"), {.field_bytes = 6}, 431, 0},
    {BYTES(GET "Host: h"), {.field_bytes = 6}, 431, 0},
    {BYTES(GET HOST "\r\n"), {.field_count = 1}, 0, 27},
    {BYTES(GET HOST "X: y\r\n\r\n"), {.field_count = 1}, 431, 0},
    {BYTES(GET HOST "X: y\r\n\r\n"), {.field_count = 2}, 0, 33},
    {BYTES(GET HOST "X: y\r\n"), {.field_count = 1, .field_bytes = 7}, 431, 0},
    {BYTES("GET /long HTTP/1.1\n"), {.line_bytes = 4}, 414, 0},
    {BYTES(GET "Long: field\n"), {.field_bytes = 4}, 431, 0},
    {BYTES("GET /long HTTP/1.1\nHost: h\n\n"), {.line_bytes = 17, .bare_line_feed = true}, 414, 0},
};

/* The head as it comes in pieces: `first` bytes, then `step` at a time. */
static enum head_scan_result scan(const struct scan_case *test, size_t first, size_t step, size_t *length,
                                  int *status) {
    struct head_scan state = {0};
    struct http_problem problem = {0};
    enum head_scan_result result = HEAD_INCOMPLETE;
    size_t given = first < test->bytes.len ? first : test->bytes.len;
    *length = 0;
    *status = 0;
    for (;;) {
        char *copy = malloc(given > 0 ? given : 1); /* exact: reading one byte too far is seen */
        if (copy == NULL) {
            abort();
        }
        memcpy(copy, test->bytes.ptr, given);
        result = http_scan_head(&state, (struct span){copy, given}, &test->limits, length, &problem);
        free(copy);
        if (result != HEAD_INCOMPLETE || given == test->bytes.len) {
            break;
        }
        given = given + step < test->bytes.len ? given + step : test->bytes.len;
    }
    if (result == HEAD_REFUSED) {
        *status = problem.status;
        CU_ASSERT_PTR_NOT_NULL(problem.text);
    }
    return result;
}

static void check(size_t index, size_t first, size_t step) {
    const struct scan_case *test = &cases[index];
    size_t length = 0;
    int status = 0;
    enum head_scan_result result = scan(test, first, step, &length, &status);
    enum head_scan_result expected = test->status != 0   ? HEAD_REFUSED
                                     : test->length == 0 ? HEAD_INCOMPLETE
                                                         : HEAD_COMPLETE;
    bool good = result == expected && status == test->status && (result != HEAD_COMPLETE || length == test->length);
    if (!good) {
        (void)fprintf(stderr, "case %zu, split %zu and every %zu: result %d, status %d, length %zu\n", index, first,
                      step, (int)result, status, length);
    }
    CU_ASSERT_TRUE(good);
}

static void heads_end_where_they_should(void) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(i, cases[i].bytes.len, 1);
    }
}

static void pieces_make_no_difference(void) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(i, 0, 1);
        for (size_t first = 1; first < cases[i].bytes.len; first++) {
            check(i, first, cases[i].bytes.len);
        }
    }
}

/* A head that never ends is looked at once, not once for each byte that comes. */
static void no_byte_is_looked_at_twice(void) {
    enum { LARGE = 60000 };
    static char bytes[LARGE];
    memset(bytes, 'a', sizeof bytes);
    struct head_scan state = {0};
    struct http_problem problem;
    size_t length = 0;
    for (size_t given = 1; given <= LARGE; given++) {
        enum head_scan_result result = http_scan_head(&state, (struct span){bytes, given}, &loose, &length, &problem);
        if (result != HEAD_INCOMPLETE || state.scanned != given) {
            CU_FAIL("the scan does not go on where it stopped");
            return;
        }
    }
}

static void token_bytes_are_those_of_rfc_9110(void) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (unsigned byte = 0; byte < 256; byte++) {
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool digit = byte >= '0' && byte <= '9';
        bool other = byte != 0 && byte < 128 && strchr(others, (int)byte) != NULL;
        CU_ASSERT_EQUAL(http_is_token_byte((unsigned char)byte), letter || digit || other);
    }
    CU_ASSERT_TRUE(http_is_token(SPAN_LITERAL("M-SEARCH")));
    CU_ASSERT_FALSE(http_is_token(SPAN_LITERAL("")));
    CU_ASSERT_FALSE(http_is_token(SPAN_NONE));
    CU_ASSERT_FALSE(http_is_token(SPAN_LITERAL("a b")));
    CU_ASSERT_FALSE(http_is_token(SPAN_LITERAL("a\0b")));
    CU_ASSERT_FALSE(http_is_token(SPAN_LITERAL("gr\xc3\xbc")));
}

static void field_text_has_no_controls_but_tabs(void) {
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 40; at += 13) {
            char text[40];
            memset(text, 'x', sizeof text);
            text[at] = (char)byte;
            bool allowed = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
            CU_ASSERT_EQUAL(http_is_field_text((struct span){text, sizeof text}), allowed);
        }
    }
    CU_ASSERT_TRUE(http_is_field_text(SPAN_NONE));
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http_scan", NULL, NULL);
    CU_ADD_TEST(suite, heads_end_where_they_should);
    CU_ADD_TEST(suite, pieces_make_no_difference);
    CU_ADD_TEST(suite, no_byte_is_looked_at_twice);
    CU_ADD_TEST(suite, token_bytes_are_those_of_rfc_9110);
    CU_ADD_TEST(suite, field_text_has_no_controls_but_tabs);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
