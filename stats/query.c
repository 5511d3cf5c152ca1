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

struct part {
    struct span name, value;
};

/* False: there is none left. */
static bool take_part(struct span *query, struct part *part) {
    while (query->len > 0) {
        const char *end = memchr(query->ptr, '&', query->len);
        struct span text = {query->ptr, end != NULL ? (size_t)(end - query->ptr) : query->len};
        *query = span_skip(*query, end != NULL ? text.len + 1 : text.len);
        if (text.len > 0) {
            const char *equals = memchr(text.ptr, '=', text.len);
            part->name = (struct span){text.ptr, equals != NULL ? (size_t)(equals - text.ptr) : text.len};
            part->value = span_skip(text, equals != NULL ? part->name.len + 1 : part->name.len);
            return true;
        }
    }
    return false;
}

bool query_find(struct span query, const char *name, char value[QUERY_VALUE_MAX]) {
    struct part part;
    while (take_part(&query, &part)) {
        if (span_equal_nocase(part.name, span_of(name))) {
            return decode(part.value, value);
        }
    }
    return false;
}

enum query_part query_next(struct span *query, char name[QUERY_VALUE_MAX], char value[QUERY_VALUE_MAX]) {
    struct part part;
    if (!take_part(query, &part)) {
        return QUERY_END;
    }
    return decode(part.name, name) && decode(part.value, value) ? QUERY_PARAMETER : QUERY_UNREADABLE;
}
