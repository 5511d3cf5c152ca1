/* A run of bytes that somebody else owns: how weir passes text around without copying it.
 *
 * A span is never terminated by a zero byte and may hold any byte. It is valid as long as what it points into
 * (a read buffer, an arena); every interface that hands one out says how long that is. Pure, any thread. */
#ifndef WEIR_CONFIG_SPAN_H
#define WEIR_CONFIG_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *ptr; /* NULL means "absent", which is not the same as empty */
    size_t len;
};

#define SPAN_NONE ((struct span){NULL, 0})
#define SPAN_LITERAL(text) ((struct span){(text), sizeof(text) - 1})

static inline struct span span_of(const char *text) {
    return (struct span){text, text != NULL ? strlen(text) : 0};
}

static inline bool span_equal(struct span a, struct span b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ASCII case-insensitive, as names of fields, hosts and tokens are compared. */
static inline bool span_equal_nocase(struct span a, struct span b) {
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_starts_with(struct span text, struct span prefix) {
    return text.len >= prefix.len && (prefix.len == 0 || memcmp(text.ptr, prefix.ptr, prefix.len) == 0);
}

static inline struct span span_skip(struct span text, size_t count) {
    if (count > text.len) {
        count = text.len;
    }
    return count > 0 ? (struct span){text.ptr + count, text.len - count} : text; /* no arithmetic on NULL */
}

/* Without spaces and tabs at both ends: what RFC 9110, 5.6.3 calls optional white space. */
static inline struct span span_trim(struct span text) {
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* Takes the next element of a comma-separated list off the front of *rest, trimmed; empty elements are skipped
 * (RFC 9110, 5.6.1). False when there is none left. Quoted strings are not looked into. */
static inline bool span_next_element(struct span *rest, struct span *element) {
    while (rest->len > 0) {
        const char *comma = memchr(rest->ptr, ',', rest->len);
        size_t length = comma != NULL ? (size_t)(comma - rest->ptr) : rest->len;
        *element = span_trim((struct span){rest->ptr, length});
        *rest = span_skip(*rest, comma != NULL ? length + 1 : length);
        if (element->len > 0) {
            return true;
        }
    }
    return false;
}

#endif
