/* Makes texts fit for documents. Called by the renderers for each text they write.
 * Always true: what clean_text() returns can be written into XML, once escaped, and into JSON. */
#include "stats/clean_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "proxy/utf8.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* Bytes of the good character that the text begins with; 0: it has to be replaced. */
static size_t good_bytes(const char *text, size_t left) {
    if (text[0] == '\t' || text[0] == '\n') {
        return 1;
    }
    size_t bytes = utf8_printable(text, left);
    bool is_noncharacter = bytes == 3 && memcmp(text, "\xef\xbf", 2) == 0 && (unsigned char)text[2] >= 0xbe;
    return is_noncharacter ? 0 : bytes;
}

static bool is_clean(const char *text, size_t length) {
    for (size_t at = 0; at < length;) {
        size_t bytes = good_bytes(text + at, length - at);
        if (bytes == 0) {
            return false;
        }
        at += bytes;
    }
    return true;
}

const char *clean_text(struct clean_text *scratch, const char *text) {
    size_t length = strlen(text);
    if (is_clean(text, length)) {
        return text;
    }
    size_t at = 0;
    size_t needed = length * (sizeof replacement - 1) + 1;
    if (scratch->size < needed) {
        scratch->buffer = must_realloc(scratch->buffer, needed);
        scratch->size = needed;
    }
    char *to = scratch->buffer;
    while (at < length) {
        size_t bytes = good_bytes(text + at, length - at);
        if (bytes > 0) {
            memcpy(to, text + at, bytes);
            to += bytes;
            at += bytes;
        } else {
            memcpy(to, replacement, sizeof replacement - 1);
            to += sizeof replacement - 1;
            at++;
        }
    }
    *to = '\0';
    return scratch->buffer;
}

void clean_text_free(struct clean_text *scratch) {
    free(scratch->buffer);
    *scratch = (struct clean_text){NULL, 0};
}

uint32_t clean_text_next(const char **text) {
    const unsigned char *bytes = (const unsigned char *)*text;
    if (bytes[0] == '\0') {
        return 0;
    }
    size_t length = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    uint32_t character = length == 1 ? bytes[0] : bytes[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        character = character << 6 | (bytes[i] & 0x3fU);
    }
    *text += length;
    return character;
}
