/* Appends to a line of the access log. Called by its steps on workers, some twenty times a request: runs of plain bytes
 * are copied whole. Invariant: next <= end, and once `cut` is set nothing is added. */
#include "proxy/access_log_line.h"

#include <string.h>

#include "proxy/utf8.h"

static const char hex_digits[] = "0123456789abcdef";

void line_put(struct log_line *line, struct span text) {
    if (line->cut || text.len == 0) {
        return;
    }
    size_t room = (size_t)(line->end - line->next);
    size_t bytes = text.len <= room ? text.len : room;
    line->cut = bytes < text.len;
    memcpy(line->next, text.ptr, bytes);
    line->next += bytes;
}

/* All of it or nothing. */
static void put_whole(struct log_line *line, const char *bytes, size_t count) {
    if (count > (size_t)(line->end - line->next)) {
        line->cut = true;
    }
    if (!line->cut) {
        memcpy(line->next, bytes, count);
        line->next += count;
    }
}

void line_put_number(struct log_line *line, uint64_t number) {
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    line_put(line, (struct span){digits + first, sizeof digits - first});
}

void line_put_seconds(struct log_line *line, int64_t duration_ns) {
    uint64_t milliseconds = duration_ns > 0 ? (uint64_t)duration_ns / 1000000 : 0;
    line_put_number(line, milliseconds / 1000);
    unsigned fraction = (unsigned)(milliseconds % 1000);
    const char decimals[] = {'.', (char)('0' + fraction / 100), (char)('0' + fraction / 10 % 10),
                             (char)('0' + fraction % 10)};
    line_put(line, (struct span){decimals, sizeof decimals});
}

static bool is_plain(unsigned char byte) {
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

static size_t plain_run(struct span text) {
    size_t length = 0;
    while (length < text.len && is_plain((unsigned char)text.ptr[length])) {
        length++;
    }
    return length;
}

static char short_escape(unsigned char byte) {
    switch (byte) {
    case '"':
    case '\\':
        return (char)byte;
    case '\b':
        return 'b';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\v':
        return 'v';
    default:
        return '\0';
    }
}

void line_put_escaped(struct log_line *line, struct span text) {
    while (text.len > 0 && !line->cut) {
        size_t run = plain_run(text);
        if (run > 0) {
            line_put(line, (struct span){text.ptr, run});
            text = span_skip(text, run);
            continue;
        }
        unsigned char byte = (unsigned char)text.ptr[0];
        char letter = short_escape(byte);
        if (letter != '\0') {
            put_whole(line, (const char[]){'\\', letter}, 2);
        } else {
            put_whole(line, (const char[]){'\\', 'x', hex_digits[byte >> 4], hex_digits[byte & 15]}, 4);
        }
        text = span_skip(text, 1);
    }
}

/* The escape, or the character itself, that the text begins with; `used` of its bytes. Returns the length in `piece`.
 */
static size_t json_piece(struct span text, char piece[6], size_t *used) {
    unsigned char byte = (unsigned char)text.ptr[0];
    *used = 1;
    if (byte == '"' || byte == '\\') {
        piece[0] = '\\';
        piece[1] = (char)byte;
        return 2;
    }
    size_t bytes = utf8_printable(text.ptr, text.len);
    if (bytes > 0) {
        memcpy(piece, text.ptr, bytes);
        *used = bytes;
        return bytes;
    }
    static const char prefix[4] = {'\\', 'u', '0', '0'};
    memcpy(piece, prefix, sizeof prefix);
    piece[4] = hex_digits[byte >> 4];
    piece[5] = hex_digits[byte & 15];
    return 6;
}

void line_put_json_string(struct log_line *line, struct span text, size_t limit) {
    line_put_char(line, '"');
    while (text.len > 0 && !line->cut) {
        size_t run = plain_run(text);
        if (run > 0) {
            run = run < limit ? run : limit;
            line_put(line, (struct span){text.ptr, run});
            text = span_skip(text, run);
            limit -= run;
            if (limit == 0) {
                break;
            }
            continue;
        }
        char piece[6];
        size_t used;
        size_t bytes = json_piece(text, piece, &used);
        if (bytes > limit) {
            break;
        }
        put_whole(line, piece, bytes);
        limit -= bytes;
        text = span_skip(text, used);
    }
    line_put_char(line, '"');
}
