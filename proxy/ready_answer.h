/* Answers of weir's own that are the same for all who get them, but for the date and when to come again: made once for
 * each worker and status, and then only copied, because refusing should cost less than asking. And the page that stands
 * in them and in all other answers of weir's own. One worker; pure. */
#ifndef WEIR_PROXY_READY_ANSWER_H
#define WEIR_PROXY_READY_ANSWER_H

#include <stdint.h>

#include "config/arena.h"
#include "config/span.h"

struct http_wire;

enum { LOCAL_PAGE_MAX = 320, READY_HEAD_MAX = 160, READY_ANSWERS = 4 };

#define LOCAL_PAGE_TYPE "text/html; charset=utf-8"

/* The page that says what a status means; returns its length in bytes, at most LOCAL_PAGE_MAX. */
size_t local_page_write(int status, char *page);

struct ready_answer {
    int status; /* 0: not made yet */
    uint16_t head_bytes, page_bytes;
    char head[READY_HEAD_MAX]; /* the status line, Content-Type and Content-Length */
    char page[LOCAL_PAGE_MAX];
};

/* The answer with that status, made where there is room for it. NULL: there are READY_ANSWERS others already. */
const struct ready_answer *ready_answer_find(struct ready_answer answers[READY_ANSWERS], int status);

/* Head and page in one piece of the arena. retry_after_s: 0: no such field. Of `wire` its connection's part.
 * *head_bytes is how many of them are the head. */
struct span ready_answer_write(const struct ready_answer *answer, struct arena *arena, int64_t retry_after_s,
                               const char *http_date, const struct http_wire *wire, size_t *head_bytes);

#endif
