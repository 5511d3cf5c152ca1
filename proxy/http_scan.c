/* Finding the end of a head, and what its bytes may be. Called by http1.c and origin_connection.c for each read; pure.
 * Always true: scan->line_start <= scan->scanned <= bytes.len. */
#include "proxy/http_bytes.h"
#include "proxy/http_fields.h"

bool http_is_token_byte(unsigned char byte) {
    return http_is_byte((char)byte, HTTP_BYTE_TOKEN);
}

bool http_is_token(struct span text) {
    return text.len > 0 && http_token_length(text) == text.len;
}

size_t http_field_text_length(struct span text) {
    return http_value_length(text);
}

bool http_is_field_text(struct span text) {
    return http_value_length(text) == text.len;
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

/* A CR alone at the start of a line is refused as soon as it shows: a client that waits for the answer to such a head
 * need not wait for the time-out. */
static bool refuse_return(struct http_problem *problem) {
    return http_refuse(problem, 400, "a bare carriage return stands where the head should end");
}

/* The line that begins at scan->line_start and whose line feed is there. */
static bool check_line(const struct head_scan *scan, struct span bytes, size_t feed, const struct http_limits *limits,
                       struct http_problem *problem) {
    const char *line = bytes.ptr + scan->line_start;
    size_t line_bytes = feed - scan->line_start;
    bool has_return = line_bytes > 0 && line[line_bytes - 1] == '\r';
    line_bytes -= has_return ? 1 : 0;
    if (line_bytes > 0 && line[0] == '\r') {
        return refuse_return(problem);
    }
    /* The length first, because that of a line without its end is checked too: the pieces must make no difference. */
    if (!check_line_length(scan, line_bytes, limits, problem)) {
        return false;
    }
    if (!has_return && !limits->bare_line_feed) {
        return http_refuse(problem, 400, "a line ends in a bare line feed");
    }
    if (limits->field_count > 0 && scan->lines > limits->field_count && line_bytes > 0) {
        return http_refuse(problem, 431, "more fields than LimitRequestFields");
    }
    return true;
}

/* What there is of the line that is not finished yet. */
static bool check_unfinished(const struct head_scan *scan, struct span line, const struct http_limits *limits,
                             struct http_problem *problem) {
    if (line.len > 1 && line.ptr[0] == '\r') {
        return refuse_return(problem);
    }
    size_t bytes = line.len - (line.len > 0 && line.ptr[line.len - 1] == '\r' ? 1 : 0);
    return line.len == 0 || check_line_length(scan, bytes, limits, problem);
}

/* A limit as the most that may be. */
static size_t most(unsigned limit) {
    return limit > 0 ? limit : SIZE_MAX;
}

/* The line feeds of a block at once. An ordinary line is seen to be within every limit here; any other is looked at
 * more closely by check_line(), which is exact. */
enum head_scan_result http_scan_head(struct head_scan *scan, struct span bytes, const struct http_limits *limits,
                                     size_t *length, struct http_problem *problem) {
    size_t line_most = most(limits->line_bytes), field_most = most(limits->field_bytes);
    size_t bytes_most = line_most < field_most ? line_most : field_most, lines_most = most(limits->field_count);
    for (size_t at = scan->scanned; at < bytes.len; at += HTTP_BLOCK_BYTES) {
        http_mask feeds = http_block_equal(http_block_of(bytes.ptr + at, bytes.len - at), '\n');
        for (; feeds != 0; feeds &= feeds - 1) {
            size_t feed = at + http_mask_first(feeds);
            size_t line_bytes = feed - scan->line_start; /* with the CR */
            const char *line = bytes.ptr + scan->line_start;
            bool is_plain = (unsigned char)line[0] > '\r' && bytes.ptr[feed - 1] == '\r' && line_bytes <= bytes_most &&
                            scan->lines <= lines_most;
            if (!is_plain && !check_line(scan, bytes, feed, limits, problem)) {
                return HEAD_REFUSED;
            }
            scan->line_start = feed + 1;
            scan->lines++;
            if (line[0] == '\n' || (line_bytes == 1 && line[0] == '\r')) {
                *length = scan->scanned = scan->line_start;
                return HEAD_COMPLETE;
            }
        }
    }
    scan->scanned = bytes.len;
    return check_unfinished(scan, span_skip(bytes, scan->line_start), limits, problem) ? HEAD_INCOMPLETE : HEAD_REFUSED;
}
