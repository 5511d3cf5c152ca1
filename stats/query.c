/* Parameters. Called for status requests and commands, on the housekeeping thread. */
#include "stats/query.h"

#include <string.h>

static int hexadecimal(char digit) {
    static const char digits[] = "0123456789abcdef";
    const char *at = digit != '\0' ? strchr(digits, digit >= 'A' && digit <= 'F' ? digit + ('a' - 'A') : digit) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* "%41" is 'A', "+" a space; a "%" that begins no escape stands for itself. */
static char next_byte(struct span *text) {
    char byte = text->ptr[0];
    size_t used = 1;
    if (byte == '%' && text->len >= 3) {
        int high = hexadecimal(text->ptr[1]), low = hexadecimal(text->ptr[2]);
        if (high >= 0 && low >= 0) {
            byte = (char)(unsigned char)(high * 16 + low);
            used = 3;
        }
    } else if (byte == '+') {
        byte = ' ';
    }
    *text = span_skip(*text, used);
    return byte;
}

static bool decode(struct span text, char value[QUERY_VALUE_MAX]) {
    size_t length = 0;
    while (text.len > 0) {
        char byte = next_byte(&text);
        if (byte == '\0' || length + 1 == QUERY_VALUE_MAX) {
            return false;
        }
        value[length++] = byte;
    }
    value[length] = '\0';
    return true;
}

bool query_find(struct span query, const char *name, char value[QUERY_VALUE_MAX]) {
    while (query.len > 0) {
        const char *end = memchr(query.ptr, '&', query.len);
        struct span part = {query.ptr, end != NULL ? (size_t)(end - query.ptr) : query.len};
        query = span_skip(query, end != NULL ? part.len + 1 : part.len);
        const char *equals = part.len > 0 ? memchr(part.ptr, '=', part.len) : NULL;
        struct span key = {part.ptr, equals != NULL ? (size_t)(equals - part.ptr) : part.len};
        if (span_equal_nocase(key, span_of(name))) {
            return decode(span_skip(part, equals != NULL ? key.len + 1 : key.len), value);
        }
    }
    return false;
}
