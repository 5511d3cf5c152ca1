/* Answers that are ready but for a few bytes. Called by exchange_local.c and by the client's side of an exchange, on
 * the worker that they belong to. Always true: an answer never changes once it is made. */
#include "proxy/ready_answer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proxy/http_head.h"
#include "proxy/message.h"

enum { DIGITS_MAX = 20, DATE_BYTES = 29, CHANGING_MAX = 160 };

size_t local_page_write(int status, char *page) {
    const char *reason = status_reason(status);
    int length =
        snprintf(page, LOCAL_PAGE_MAX,
                 "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%d %s</title></head>\n"
                 "<body><h1>%d %s</h1></body></html>\n",
                 status, reason, status, reason);
    assert(length > 0 && length < LOCAL_PAGE_MAX);
    return (size_t)length;
}

static void make(struct ready_answer *answer, int status) {
    answer->page_bytes = (uint16_t)local_page_write(status, answer->page);
    int length = snprintf(answer->head, sizeof answer->head,
                          "HTTP/1.1 %d %s\r\nContent-Type: " LOCAL_PAGE_TYPE "\r\nContent-Length: %u\r\nDate: ", status,
                          status_reason(status), (unsigned)answer->page_bytes);
    assert(length > 0 && length < READY_HEAD_MAX);
    answer->head_bytes = (uint16_t)length;
    answer->status = status;
}

const struct ready_answer *ready_answer_find(struct ready_answer answers[READY_ANSWERS], int status) {
    for (size_t i = 0; i < READY_ANSWERS; i++) {
        if (answers[i].status == 0) {
            make(&answers[i], status);
        }
        if (answers[i].status == status) {
            return &answers[i];
        }
    }
    return NULL;
}

static char *put(char *at, struct span text) {
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static char *put_number(char *at, uint64_t number) {
    char digits[DIGITS_MAX];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return put(at, (struct span){digits + first, sizeof digits - first});
}

struct span ready_answer_write(const struct ready_answer *answer, struct arena *arena, int64_t retry_after_s,
                               const char *http_date, const struct http_wire *wire, size_t *head_bytes) {
    char *start = arena_alloc_raw(arena, (size_t)answer->head_bytes + CHANGING_MAX + answer->page_bytes);
    char *at = put(start, (struct span){answer->head, answer->head_bytes});
    memcpy(at, http_date, DATE_BYTES);
    at = put(at + DATE_BYTES, SPAN_LITERAL("\r\n"));
    if (retry_after_s > 0) {
        at = put(at, SPAN_LITERAL("Retry-After: "));
        at = put_number(at, (uint64_t)retry_after_s);
        at = put(at, SPAN_LITERAL("\r\n"));
    }
    if (wire->close) {
        at = put(at, SPAN_LITERAL("Connection: close\r\n"));
    } else if (wire->keep_alive) {
        at = put(at, SPAN_LITERAL("Connection: keep-alive\r\n"));
    }
    at = put(at, SPAN_LITERAL("\r\n"));
    *head_bytes = (size_t)(at - start);
    at = put(at, (struct span){answer->page, answer->page_bytes});
    return (struct span){start, (size_t)(at - start)};
}
