/* Answers that are ready but for the date: whole responses, the same as those made from scratch. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/http_head.h"
#include "proxy/ready_answer.h"

static const char date[] = "Sat, 21 Nov 2026 10:11:12 GMT";

static const char page[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>403 Forbidden</title></head>\n"
    "<body><h1>403 Forbidden</h1></body></html>\n";

static void expect(const struct ready_answer *answer, int64_t retry_after_s, struct http_wire wire,
                   const char *fields) {
    struct arena arena;
    arena_init(&arena, NULL, 0);
    size_t head_bytes;
    struct span text = ready_answer_write(answer, &arena, retry_after_s, date, &wire, &head_bytes);
    char wanted[1024];
    int length = snprintf(wanted, sizeof wanted,
                          "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %zu\r\n"
                          "Date: %s\r\n%s\r\n%s",
                          strlen(page), date, fields, page);
    CU_ASSERT_EQUAL(text.len, (size_t)length);
    CU_ASSERT_EQUAL(memcmp(text.ptr, wanted, text.len), 0);
    CU_ASSERT_EQUAL(head_bytes, text.len - strlen(page));
    arena_reset(&arena);
}

static void what_is_written(void) {
    struct ready_answer answers[READY_ANSWERS] = {0};
    const struct ready_answer *answer = ready_answer_find(answers, 403);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    expect(answer, 0, (struct http_wire){0}, "");
    expect(answer, 10, (struct http_wire){.close = true}, "Retry-After: 10\r\nConnection: close\r\n");
    expect(answer, INT64_MAX, (struct http_wire){.keep_alive = true},
           "Retry-After: 9223372036854775807\r\nConnection: keep-alive\r\n");
}

static void each_status_is_made_once(void) {
    struct ready_answer answers[READY_ANSWERS] = {0};
    for (int status = 500; status < 500 + READY_ANSWERS; status++) {
        const struct ready_answer *answer = ready_answer_find(answers, status);
        CU_ASSERT_EQUAL(answer != NULL ? answer->status : 0, status);
        CU_ASSERT_PTR_EQUAL(ready_answer_find(answers, status), answer);
    }
    CU_ASSERT_PTR_NULL(ready_answer_find(answers, 403));
}

static void every_status_fits(void) {
    for (int status = 200; status < 600; status++) {
        struct ready_answer answers[READY_ANSWERS] = {0};
        const struct ready_answer *answer = ready_answer_find(answers, status);
        CU_ASSERT_TRUE(answer != NULL && answer->page_bytes > 0 && answer->page_bytes < LOCAL_PAGE_MAX);
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("ready_answer", NULL, NULL);
    CU_add_test(suite, "what is written", what_is_written);
    CU_add_test(suite, "each status is made once", each_status_is_made_once);
    CU_add_test(suite, "every status fits", every_status_fits);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
