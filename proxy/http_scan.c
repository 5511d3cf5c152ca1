/* Finding the end of a head, and what its bytes may be. Called by http1.c and origin_connection.c for each read; pure.
 * Always true: scan->line_start <= scan->scanned <= bytes.len. */
#include <string.h>

#include "proxy/http_bytes.h"
#include "proxy/http_fields.h"

bool http_is_token_byte(unsigned char byte) {
    return http_is_byte((char)byte, HTTP_BYTE_TOKEN);
}

bool http_is_token(struct span text) {
    return text.len > 0 && http_span_of(text, HTTP_BYTE_TOKEN) == text.len;
}

/* Eight bytes at once: the high bit of each byte that is below 0x20 or 0x7f, and perhaps of some behind the first such
 * one, in the order of memory on a little-endian machine. */
static uint64_t suspicious(uint64_t bytes) {
    static const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    uint64_t deletes = bytes ^ (ones * 0x7f);
    return (((bytes - ones * 0x20) & ~bytes) | ((deletes - ones) & ~deletes)) & highs;
}

size_t http_field_text_length(struct span text) {
    size_t at = 0;
    for (uint64_t bytes; text.len - at >= sizeof bytes;) {
        memcpy(&bytes, text.ptr + at, sizeof bytes);
        uint64_t found = suspicious(bytes);
        if (found == 0) {
            at += sizeof bytes;
            continue;
        }
        if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
            at += (size_t)__builtin_ctzll(found) / 8;
        }
        if (!http_is_byte(text.ptr[at], HTTP_BYTE_FIELD)) {
            return at;
        }
        at++; /* a tab; or, on a big-endian machine, a byte before the one that was found */
    }
    return at + http_span_of(span_skip(text, at), HTTP_BYTE_FIELD);
}

bool http_is_field_text(struct span text) {
    return http_field_text_length(text) == text.len;
}

/* Is the line, finished or not, within the limits? bytes counts what there is of it, without its end. */
static bool check_line_length(const struct head_scan *scan, size_t bytes, const struct http_limits *limits,
                              struct http_problem *problem) {
    size_t most = scan->lines == 0 ? limits->line_bytes : limits->field_bytes;
    if (most == 0 || bytes <= most) {
        return true;
    }
    return scan->lines == 0 ? http_refuse(problem, 414, "the request line is longer than LimitRequestLine")
                            : http_refuse(problem, 431, "a field is longer than LimitRequestFieldSize");
}

static bool check_line(const struct head_scan *scan, bool has_return, size_t bytes, const struct http_limits *limits,
                       struct http_problem *problem) {
    /* The length first, because that of a line without its end is checked too: the pieces must make no difference. */
    if (!check_line_length(scan, bytes, limits, problem)) {
        return false;
    }
    if (!has_return && !limits->bare_line_feed) {
        return http_refuse(problem, 400, "a line ends in a bare line feed");
    }
    if (limits->field_count > 0 && scan->lines > limits->field_count && bytes > 0) {
        return http_refuse(problem, 431, "more fields than LimitRequestFields");
    }
    return true;
}

/* Refused as soon as it shows: a client that waits for the answer to such a head need not wait for the time-out. */
static bool check_line_start(struct span line, struct http_problem *problem) {
    return line.len < 2 || line.ptr[0] != '\r' || line.ptr[1] == '\n' ||
           http_refuse(problem, 400, "a bare carriage return stands where the head should end");
}

enum head_scan_result http_scan_head(struct head_scan *scan, struct span bytes, const struct http_limits *limits,
                                     size_t *length, struct http_problem *problem) {
    while (scan->scanned < bytes.len) {
        const char *line = bytes.ptr + scan->line_start, *from = bytes.ptr + scan->scanned;
        if (line[0] == '\r' && !check_line_start(span_skip(bytes, scan->line_start), problem)) {
            return HEAD_REFUSED;
        }
        const char *feed = memchr(from, '\n', bytes.len - scan->scanned);
        if (feed == NULL) {
            scan->scanned = bytes.len;
            break;
        }
        bool has_return = feed > line && feed[-1] == '\r';
        size_t line_bytes = (size_t)(feed - line) - (has_return ? 1 : 0);
        if (!check_line(scan, has_return, line_bytes, limits, problem)) {
            return HEAD_REFUSED;
        }
        scan->scanned = scan->line_start = (size_t)(feed - bytes.ptr) + 1;
        scan->lines++;
        if (line_bytes == 0) {
            *length = scan->line_start;
            return HEAD_COMPLETE;
        }
    }
    if (scan->line_start < bytes.len) {
        size_t unfinished = bytes.len - scan->line_start;
        unfinished -= bytes.ptr[bytes.len - 1] == '\r' ? 1 : 0;
        if (!check_line_length(scan, unfinished, limits, problem)) {
            return HEAD_REFUSED;
        }
    }
    return HEAD_INCOMPLETE;
}
