/* proxy/http_body.h: where the data of a body is and where it ends, however it comes in; what is no body is refused. */
#include "proxy/http_body.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES(text)                                                                                                    \
    { (text), sizeof(text) - 1 }

/* What came out of a body. */
struct outcome {
    enum body_status status;
    size_t consumed; /* bytes of the input: framing and data */
    size_t length;   /* of the data */
    char *data;      /* room for the whole input */
    int problem_status;
};

struct pieces {
    size_t first, step; /* bytes that come at first, then each time */
    size_t use;         /* at most so many bytes of data are used at once */
};

/* Plays the owner of a buffer: gives what has come and is not consumed yet, takes what the decoder shows. */
static struct outcome decode(struct body_decoder *decoder, struct span input, struct pieces pieces, bool eof) {
    struct outcome outcome = {.status = BODY_MORE, .data = malloc(input.len + 1)};
    size_t given = pieces.first < input.len ? pieces.first : input.len;
    if (outcome.data == NULL) {
        abort();
    }
    for (;;) {
        size_t skip = 0, waiting = given - outcome.consumed;
        struct span data = SPAN_NONE;
        struct http_problem problem = {0};
        char *copy = malloc(waiting > 0 ? waiting : 1); /* exact: reading one byte too far is seen */
        if (copy == NULL) {
            abort();
        }
        memcpy(copy, input.ptr + outcome.consumed, waiting);
        outcome.status =
            body_decode(decoder, (struct span){copy, waiting}, eof && given == input.len, &skip, &data, &problem);
        outcome.consumed += skip;
        outcome.problem_status = problem.status;
        if (outcome.status == BODY_DATA) {
            size_t used = data.len < pieces.use ? data.len : pieces.use;
            CU_ASSERT_TRUE(used > 0 && data.ptr == copy + skip && data.len <= waiting - skip);
            memcpy(outcome.data + outcome.length, data.ptr, used);
            body_decoder_used(decoder, used);
            outcome.length += used;
            outcome.consumed += used;
        }
        free(copy);
        if (outcome.status == BODY_MORE && given < input.len) {
            given = given + pieces.step < input.len ? given + pieces.step : input.len;
        } else if (outcome.status != BODY_DATA) {
            return outcome;
        }
    }
}

struct body_case {
    struct span input;
    enum body_framing framing;
    uint64_t content_length;
    bool eof;
    enum body_status status;
    const char *data;
    size_t left; /* bytes of the input that are not the body's */
};

#define CHUNKED BODY_CHUNKED, 0

static const struct body_case cases[] = {
    {BYTES(""), BODY_NONE, 0, false, BODY_END, "", 0},
    {BYTES("next"), BODY_NONE, 0, true, BODY_END, "", 4},
    {BYTES(""), BODY_LENGTH, 0, true, BODY_END, "", 0},
    {BYTES("next"), BODY_LENGTH, 0, false, BODY_END, "", 4},
    {BYTES("hello"), BODY_LENGTH, 5, false, BODY_END, "hello", 0},
    {BYTES("hello"), BODY_LENGTH, 5, true, BODY_END, "hello", 0},
    {BYTES("hellonext"), BODY_LENGTH, 5, true, BODY_END, "hello", 4},
    {BYTES("hell"), BODY_LENGTH, 5, false, BODY_MORE, "hell", 0},
    {BYTES("hell"), BODY_LENGTH, 5, true, BODY_BAD, "hell", 0},
    {BYTES(""), BODY_LENGTH, UINT64_MAX, true, BODY_BAD, "", 0},
    {BYTES("a\0b"), BODY_UNTIL_CLOSE, 0, false, BODY_MORE, "a", 0},
    {BYTES("hello"), BODY_UNTIL_CLOSE, 0, true, BODY_END, "hello", 0},
    {BYTES(""), BODY_UNTIL_CLOSE, 0, true, BODY_END, "", 0},
    /* chunked, as RFC 9112, 7.1 has it */
    {BYTES("0\r\n\r\n"), CHUNKED, false, BODY_END, "", 0},
    {BYTES("0\r\n\r\nnext"), CHUNKED, true, BODY_END, "", 4},
    {BYTES("000000000000000\r\n\r\n"), CHUNKED, true, BODY_END, "", 0},
    {BYTES("5\r\nhello\r\n0\r\n\r\n"), CHUNKED, false, BODY_END, "hello", 0},
    {BYTES("05\r\nhello\r\n00\r\n\r\n"), CHUNKED, false, BODY_END, "hello", 0},
    {BYTES("1\r\nh\r\n2\r\nel\r\n2\r\nlo\r\n0\r\n\r\n"), CHUNKED, true, BODY_END, "hello", 0},
    {BYTES("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), CHUNKED, true, BODY_END, "01234567890123456789", 0},
    {BYTES("7\r\n0\r\n\r\nab\r\n0\r\n\r\n"), CHUNKED, true, BODY_END, "0\r\n\r\nab", 0},
    {BYTES("0\r\nX: y\r\n\r\n"), CHUNKED, true, BODY_END, "", 0},
    {BYTES("0\r\nX: y\r\nZ:\r\n\r\nnext"), CHUNKED, true, BODY_END, "", 4},
    /* extensions */
    {BYTES("5;a\r\nhello\r\n0;b\r\n\r\n"), CHUNKED, true, BODY_END, "hello", 0},
    {BYTES("5;a=b;c=\"d;\\\"\\\\e\";f\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_END, "hello", 0},
    {BYTES("5 ; a = b\t;\tc\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_END, "hello", 0},
    {BYTES("5;a=\"\"\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_END, "hello", 0},
    {BYTES("5;a=\"\xe4\t\"\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_END, "hello", 0},
    {BYTES("5;\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;;a\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;=b\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;a=\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;a b\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;a=b c\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;a=\"b\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;a=\"b\\\"\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;a=\"b\\\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;a=\"b\"c\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;a\rb\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;a=\"\rb\"\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;a=\"\0\"\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;a\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5;\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    /* sizes */
    {BYTES("\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES(";a\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES(" 5\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5 \r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("+5\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("-1\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("0x5\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5h\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5,\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5\0\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("g\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("fffffffffffffff\r\nab"), CHUNKED, false, BODY_MORE, "ab", 0},
    {BYTES("0000000000000005\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_END, "hello", 0},
    {BYTES("00000000000000005\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("8000000000000000\r\nhello"), CHUNKED, false, BODY_BAD, "", 0},
    {BYTES("ffffffffffffffff\r\nab"), CHUNKED, false, BODY_BAD, "", 0},
    {BYTES("10000000000000005\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("8000000000000000\r\nab"), CHUNKED, true, BODY_BAD, "", 0},
    /* line ends */
    {BYTES("5\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5\rhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5\r\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5\r\nhello\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "hello", 0},
    {BYTES("5\r\nhello\r0\r\n\r\n"), CHUNKED, true, BODY_BAD, "hello", 0},
    {BYTES("5\r\nhello0\r\n\r\n"), CHUNKED, true, BODY_BAD, "hello", 0},
    {BYTES("5\r\nhello!\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "hello", 0},
    {BYTES("5\r\nhello\r\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "hello", 0},
    {BYTES("5\r\nhello\r\n\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "hello", 0},
    {BYTES("4\r\nhello\r\n0\r\n\r\n"), CHUNKED, true, BODY_BAD, "hell", 0},
    {BYTES("0\n\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("0\r\n\n"), CHUNKED, true, BODY_BAD, "", 0},
    /* trailers */
    {BYTES("0\r\nX : y\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("0\r\n X: y\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("0\r\nX: y\r\n z\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("0\r\nX\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("0\r\nX: y\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("0\r\nX: y\rz\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("0\r\nX: \0\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("0\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    /* the end comes too early */
    {BYTES(""), CHUNKED, false, BODY_MORE, "", 0},
    {BYTES(""), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5"), CHUNKED, false, BODY_MORE, "", 0},
    {BYTES("5\r"), CHUNKED, false, BODY_MORE, "", 0},
    {BYTES("5\r\n"), CHUNKED, true, BODY_BAD, "", 0},
    {BYTES("5\r\nhel"), CHUNKED, true, BODY_BAD, "hel", 0},
    {BYTES("5\r\nhello"), CHUNKED, false, BODY_MORE, "hello", 0},
    {BYTES("5\r\nhello\r"), CHUNKED, false, BODY_MORE, "hello", 0},
    {BYTES("5\r\nhello\r\n"), CHUNKED, true, BODY_BAD, "hello", 0},
    {BYTES("5\r\nhello\r\n0\r\n"), CHUNKED, true, BODY_BAD, "hello", 0},
    {BYTES("5\r\nhello\r\n0\r\n\r"), CHUNKED, false, BODY_MORE, "hello", 0},
    {BYTES("5\r\nhello\r\n0\r\nX: y\r\n"), CHUNKED, true, BODY_BAD, "hello", 0},
};

static void check(const struct body_case *test, struct pieces pieces) {
    struct arena arena;
    struct body_decoder decoder;
    arena_init(&arena, NULL, 0);
    body_decoder_start(&decoder, test->framing, test->content_length, &arena);
    struct outcome outcome = decode(&decoder, test->input, pieces, test->eof);
    size_t expected = strlen(test->data);
    bool good =
        outcome.status == test->status && outcome.length >= expected && memcmp(outcome.data, test->data, expected) == 0;
    if (test->framing != BODY_UNTIL_CLOSE) { /* a case of which has a NUL in its data */
        good &= outcome.length == expected;
    }
    good &= test->status != BODY_END || outcome.consumed == test->input.len - test->left;
    good &= test->status != BODY_BAD || outcome.problem_status == 400;
    good &= body_decoder_done(&decoder) == (test->status == BODY_END);
    good &= decoder.data_bytes == outcome.length;
    if (!good) {
        (void)fprintf(stderr, "%s\nin pieces of %zu, then %zu: status %d, data %.*s, consumed %zu\n", test->input.ptr,
                      pieces.first, pieces.step, (int)outcome.status, (int)outcome.length, outcome.data,
                      outcome.consumed);
    }
    CU_ASSERT_TRUE(good);
    free(outcome.data);
    arena_reset(&arena);
}

static void bodies_end_where_they_should(void) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(&cases[i], (struct pieces){SIZE_MAX, 1, SIZE_MAX});
    }
}

static void pieces_make_no_difference(void) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(&cases[i], (struct pieces){0, 1, SIZE_MAX});
        check(&cases[i], (struct pieces){0, 1, 1});
        check(&cases[i], (struct pieces){SIZE_MAX, 1, 2});
        for (size_t first = 1; first < cases[i].input.len; first++) {
            check(&cases[i], (struct pieces){first, SIZE_MAX / 2, SIZE_MAX});
        }
    }
}

/* --- limits --------------------------------------------------------------------------------------------------------
 */

static char long_text[20000];

static struct span chunk_with_extension(size_t line_bytes) {
    memset(long_text, 'x', sizeof long_text);
    memcpy(long_text, "5;", 2);
    memcpy(long_text + line_bytes - 2, "\r\nhello\r\n0\r\n\r\n", 14);
    return (struct span){long_text, line_bytes + 12};
}

static struct span trailer(size_t section_bytes) {
    memset(long_text, 'x', sizeof long_text);
    memcpy(long_text, "0\r\nX:", 5);
    memcpy(long_text + 3 + section_bytes - 4, "\r\n\r\n", 4);
    return (struct span){long_text, 3 + section_bytes};
}

static void check_long(struct span input, enum body_status status) {
    struct body_case test = {.input = input, .framing = BODY_CHUNKED, .eof = true, .status = status};
    test.data = input.ptr[0] == '5' && status == BODY_END ? "hello" : "";
    check(&test, (struct pieces){SIZE_MAX, 1, SIZE_MAX});
    check(&test, (struct pieces){0, 1, SIZE_MAX});
    check(&test, (struct pieces){500, 7, SIZE_MAX});
}

static void lines_and_trailers_are_bounded(void) {
    check_long(chunk_with_extension(CHUNK_LINE_MAX), BODY_END);
    check_long(chunk_with_extension(CHUNK_LINE_MAX + 1), BODY_BAD);
    check_long(chunk_with_extension(5000), BODY_BAD);
    check_long(trailer(TRAILER_BYTES_MAX), BODY_END);
    check_long(trailer(TRAILER_BYTES_MAX + 1), BODY_BAD);
    check_long(trailer(15000), BODY_BAD);
}

/* A peer that never ends a line is refused without its end having come. */
static void an_endless_line_is_refused(void) {
    struct arena arena;
    struct body_decoder decoder;
    arena_init(&arena, NULL, 0);
    body_decoder_start(&decoder, BODY_CHUNKED, 0, &arena);
    struct outcome outcome = decode(&decoder, chunk_with_extension(5000), (struct pieces){CHUNK_LINE_MAX, 1, 1}, false);
    CU_ASSERT_EQUAL(outcome.status, BODY_BAD);
    free(outcome.data);
    body_decoder_start(&decoder, BODY_CHUNKED, 0, &arena);
    struct span endless = trailer(19000);
    outcome = decode(&decoder, (struct span){endless.ptr, 3 + TRAILER_BYTES_MAX}, (struct pieces){3, 100, 1}, false);
    CU_ASSERT_EQUAL(outcome.status, BODY_BAD);
    free(outcome.data);
    arena_reset(&arena);
}

static void trailers_are_kept(void) {
    struct arena arena;
    struct body_decoder decoder;
    arena_init(&arena, NULL, 0);
    for (size_t step = 1; step < 40; step++) {
        body_decoder_start(&decoder, BODY_CHUNKED, 0, &arena);
        struct outcome outcome = decode(&decoder, SPAN_LITERAL("1\r\na\r\n0\r\nX-Sum: \t1 \r\nDate: d\r\n\r\n"),
                                        (struct pieces){0, step, SIZE_MAX}, false);
        CU_ASSERT_EQUAL(outcome.status, BODY_END);
        CU_ASSERT_EQUAL_FATAL(decoder.trailers.count, 2);
        CU_ASSERT_TRUE(span_equal(decoder.trailers.fields[0].name, SPAN_LITERAL("X-Sum")));
        CU_ASSERT_TRUE(span_equal(decoder.trailers.fields[0].value, SPAN_LITERAL("1")));
        CU_ASSERT_EQUAL(decoder.trailers.fields[1].id, FIELD_DATE);
        free(outcome.data);
    }
    arena_reset(&arena);
}

/* --- against a model: random bodies in random chunks in random pieces ----------------------------------------------
 */

enum { BODY_MAX = 20000 };

static uint32_t seed;

static uint32_t next_random(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static const char *random_extension(void) {
    static const char *const extensions[] = {"", "", "", ";a", ";a=b", " ; a = \"b;c\\\"\"", ";a;b=c;d=\"\""};
    return extensions[next_random() % (sizeof extensions / sizeof extensions[0])];
}

/* Writes the body as chunks; returns the length on the wire. */
static size_t encode(const char *body, size_t length, char *wire, size_t size) {
    static const char *const formats[] = {"%zx%s\r\n", "%zX%s\r\n", "0%zx%s\r\n", "%08zx%s\r\n"};
    uint32_t largest = 1u << next_random() % 14;
    size_t at = 0;
    for (size_t done = 0; done < length;) {
        size_t chunk = 1 + next_random() % largest;
        chunk = chunk < length - done ? chunk : length - done;
        const char *format = formats[next_random() % 4];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        at += (size_t)snprintf(wire + at, size - at, format, chunk, random_extension());
#pragma GCC diagnostic pop
        memcpy(wire + at, body + done, chunk);
        memcpy(wire + at + chunk, "\r\n", 2);
        at += chunk + 2;
        done += chunk;
    }
    at += (size_t)snprintf(wire + at, size - at, "0%s\r\n%s\r\n", random_extension(),
                           next_random() % 2 == 0 ? "" : "X-Trailer: y\r\n");
    return at;
}

static void one_random_body(enum body_framing framing) {
    static char body[BODY_MAX], wire[64 * BODY_MAX];
    size_t length = next_random() % (1u << next_random() % 15);
    length = length < BODY_MAX ? length : BODY_MAX;
    for (size_t i = 0; i < length; i++) {
        body[i] = (char)next_random();
    }
    size_t wire_length = length;
    if (framing == BODY_CHUNKED) {
        wire_length = encode(body, length, wire, sizeof wire);
    } else {
        memcpy(wire, body, length);
    }
    size_t rest = framing == BODY_UNTIL_CLOSE ? 0 : next_random() % 30; /* the next request */
    memset(wire + wire_length, '0', rest);
    struct arena arena;
    struct body_decoder decoder;
    arena_init(&arena, NULL, 0);
    body_decoder_start(&decoder, framing, length, &arena);
    struct pieces pieces = {next_random() % (wire_length + 1), 1 + next_random() % 3000, 1 + next_random() % 5000};
    struct outcome outcome = decode(&decoder, (struct span){wire, wire_length + rest}, pieces, true);
    CU_ASSERT_EQUAL(outcome.status, BODY_END);
    CU_ASSERT_EQUAL(outcome.consumed, wire_length);
    CU_ASSERT_TRUE(outcome.length == length && memcmp(outcome.data, body, length) == 0);
    CU_ASSERT_EQUAL(decoder.data_bytes, length);
    free(outcome.data);
    arena_reset(&arena);
}

static void random_bodies_come_out_as_they_were(void) {
    static const enum body_framing framings[] = {BODY_CHUNKED, BODY_CHUNKED, BODY_LENGTH, BODY_UNTIL_CLOSE};
    for (uint32_t i = 1; i <= 400; i++) {
        seed = i;
        one_random_body(framings[i % 4]);
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http_body", NULL, NULL);
    CU_ADD_TEST(suite, bodies_end_where_they_should);
    CU_ADD_TEST(suite, pieces_make_no_difference);
    CU_ADD_TEST(suite, lines_and_trailers_are_bounded);
    CU_ADD_TEST(suite, an_endless_line_is_refused);
    CU_ADD_TEST(suite, trailers_are_kept);
    CU_ADD_TEST(suite, random_bodies_come_out_as_they_were);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
