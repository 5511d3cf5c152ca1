/* Path normalisation and comparison. Called by route*.c on the worker that owns the exchange.
 *
 * Invariant: `written` of a parsed path, decoded once, has no "." or ".." segment however slashes are read; so an
 * origin that decodes "%2F" and one that does not both stay below the prefix that was matched. */
#include "proxy/path.h"

#include <assert.h>

#include "proxy/http_block.h"
#include "proxy/route.h"

/* True when nothing in the path needs another form: no escape, no empty segment, no segment that begins with a dot. */
static bool is_plain(struct span raw) {
    http_mask begun = 0; /* the first byte of the block, if a slash stands before it */
    for (size_t at = 0; at < raw.len; at += HTTP_BLOCK_BYTES) {
        http_block block = http_block_of(raw.ptr + at, raw.len - at);
        http_mask slashes = http_block_equal(block, '/');
        http_mask reducible = (slashes | http_block_equal(block, '.')) & (begun | http_mask_behind(slashes));
        if ((reducible | http_block_equal(block, '%')) != 0) {
            return false;
        }
        begun = http_mask_carried(slashes);
    }
    return true;
}

static int hex_digit(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The byte that "%xx" at the start of text stands for; -1 when that is no escape. */
static int escaped_byte(struct span text) {
    if (text.len < 3) {
        return -1;
    }
    int high = hex_digit(text.ptr[1]);
    int low = hex_digit(text.ptr[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* 1 or 2 for a segment that is "." or "..", escaped or not; 0 for any other. */
static unsigned dots_of(struct span segment) {
    unsigned dots = 0;
    while (segment.len > 0) {
        size_t length = 1;
        if (segment.ptr[0] == '%' && escaped_byte(segment) == '.') {
            length = 3;
        } else if (segment.ptr[0] != '.') {
            return 0;
        }
        segment = span_skip(segment, length);
        if (++dots > 2) {
            return 0;
        }
    }
    return dots;
}

/* Removes empty and dot segments (RFC 3986, 5.2.4); *dotted: there were dot segments. False when ".." leads above the
 * root, which Apache refuses too. */
static bool remove_segments(struct span raw, struct arena *arena, struct span *short_form, bool *dotted) {
    char *out = arena_alloc_raw(arena, raw.len + 1);
    size_t length = 0; /* of what is kept; always a path without its last "/" */
    struct span rest = span_skip(raw, 1);
    bool open = true; /* the path ends in "/" */
    while (rest.len > 0) {
        const char *slash = memchr(rest.ptr, '/', rest.len);
        struct span segment = {rest.ptr, slash != NULL ? (size_t)(slash - rest.ptr) : rest.len};
        unsigned dots = dots_of(segment);
        open = slash != NULL || dots > 0;
        *dotted |= dots > 0;
        rest = span_skip(rest, segment.len + (slash != NULL));
        if (segment.len == 0 || dots == 1) {
            continue;
        }
        if (dots == 2) {
            if (length == 0) {
                return false;
            }
            while (out[--length] != '/') {
            }
            continue;
        }
        out[length++] = '/';
        memcpy(out + length, segment.ptr, segment.len);
        length += segment.len;
    }
    if (open || length == 0) {
        out[length++] = '/';
    }
    *short_form = (struct span){out, length};
    return true;
}

/* After "%2F" was decoded a segment may be empty or made of dots. Empty ones are removed in place; dots are refused. */
static bool settle_slashes(char *path, size_t *length) {
    size_t kept = 0;
    for (size_t i = 0; i < *length; i++) {
        if (path[i] == '/' && kept > 0 && path[kept - 1] == '/') {
            continue;
        }
        path[kept++] = path[i];
    }
    *length = kept;
    for (size_t i = 0; i < kept; i++) {
        if (path[i] != '/') {
            continue;
        }
        const char *end = memchr(path + i + 1, '/', kept - i - 1);
        size_t segment_length = end != NULL ? (size_t)(end - (path + i + 1)) : kept - i - 1;
        if (segment_length > 0 && dots_of((struct span){path + i + 1, segment_length}) > 0) {
            return false;
        }
    }
    return true;
}

static bool decode(struct span encoded, struct arena *arena, struct span *decoded) {
    if (memchr(encoded.ptr, '%', encoded.len) == NULL) {
        *decoded = encoded;
        return true;
    }
    char *out = arena_alloc_raw(arena, encoded.len + 1);
    size_t length = 0;
    bool encoded_slash = false;
    for (size_t i = 0; i < encoded.len; i++) {
        char byte = encoded.ptr[i];
        if (byte == '%') {
            int value = escaped_byte(span_skip(encoded, i));
            if (value <= 0) { /* no escape, or %00 */
                return false;
            }
            byte = (char)value;
            encoded_slash |= byte == '/';
            i += 2;
        }
        out[length++] = byte;
    }
    if (encoded_slash && !settle_slashes(out, &length)) {
        return false;
    }
    *decoded = (struct span){out, length};
    return true;
}

bool path_parse(struct span raw, struct arena *arena, struct path_forms *forms) {
    if (raw.len == 0 || raw.ptr[0] != '/') {
        return false;
    }
    *forms = (struct path_forms){raw, raw};
    if (is_plain(raw)) {
        return true;
    }
    struct span short_form;
    bool dotted = false;
    if (!remove_segments(raw, arena, &short_form, &dotted)) {
        return false;
    }
    if (dotted) {
        forms->written = short_form;
    }
    return decode(short_form, arena, &forms->decoded);
}

bool route_normalise_path(struct span path, struct arena *arena, struct span *normal) {
    struct path_forms forms;
    if (!path_parse(path, arena, &forms)) {
        return false;
    }
    *normal = forms.decoded;
    return true;
}

static bool may_stand(unsigned char byte) {
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9')) {
        return true;
    }
    return byte != 0 && strchr("/-._~!$&'()*+,;=:@", byte) != NULL;
}

struct span path_encode(struct span decoded, struct arena *arena) {
    static const char digits[] = "0123456789ABCDEF";
    size_t escapes = 0;
    for (size_t i = 0; i < decoded.len; i++) {
        escapes += !may_stand((unsigned char)decoded.ptr[i]);
    }
    if (escapes == 0) {
        return decoded;
    }
    char *out = arena_alloc_raw(arena, decoded.len + 2 * escapes);
    size_t length = 0;
    for (size_t i = 0; i < decoded.len; i++) {
        unsigned char byte = (unsigned char)decoded.ptr[i];
        if (may_stand(byte)) {
            out[length++] = (char)byte;
        } else {
            out[length++] = '%';
            out[length++] = digits[byte >> 4];
            out[length++] = digits[byte & 15];
        }
    }
    assert(length == decoded.len + 2 * escapes);
    return (struct span){out, length};
}

bool path_has_prefix(struct span path, struct span prefix) {
    if (prefix.len == 1 && prefix.ptr[0] == '/') {
        return path.len > 0 && path.ptr[0] == '/'; /* by far the most common one */
    }
    return span_starts_with(path, prefix) && (prefix.len == 0 || prefix.ptr[prefix.len - 1] == '/' ||
                                              path.len == prefix.len || path.ptr[prefix.len] == '/');
}

/* Does the set at the start of *wildcard ("[a-z]", "[!x]") hold the byte? *wildcard is moved behind it. An unclosed "["
 * stands for itself. */
static bool set_matches(struct span *wildcard, char byte) {
    struct span set = span_skip(*wildcard, 1);
    bool negated = set.len > 0 && (set.ptr[0] == '!' || set.ptr[0] == '^');
    if (negated) {
        set = span_skip(set, 1);
    }
    bool found = false;
    bool first = true;
    while (set.len > 0 && (first || set.ptr[0] != ']')) {
        first = false;
        char low = set.ptr[0];
        set = span_skip(set, 1);
        char high = low;
        if (set.len >= 2 && set.ptr[0] == '-' && set.ptr[1] != ']') {
            high = set.ptr[1];
            set = span_skip(set, 2);
        }
        found |= (unsigned char)byte >= (unsigned char)low && (unsigned char)byte <= (unsigned char)high;
    }
    if (set.len == 0) {
        *wildcard = span_skip(*wildcard, 1);
        return byte == '[';
    }
    *wildcard = span_skip(set, 1);
    return found != negated;
}

/* Takes one item other than "*" off the wildcard and says whether it matches the byte. */
static bool item_matches(struct span *wildcard, char byte) {
    char item = wildcard->ptr[0];
    if (item == '[') {
        return set_matches(wildcard, byte);
    }
    if (item == '\\' && wildcard->len > 1) {
        *wildcard = span_skip(*wildcard, 1);
        item = wildcard->ptr[0];
        *wildcard = span_skip(*wildcard, 1);
        return item == byte;
    }
    *wildcard = span_skip(*wildcard, 1);
    return item == '?' || item == byte;
}

/* One segment. Only the last "*" ever needs to be tried again, so the work is bounded by the product of the lengths. */
static bool segment_matches(struct span wildcard, struct span text) {
    struct span star = SPAN_NONE; /* what follows the last "*" */
    struct span retry = SPAN_NONE;
    while (text.len > 0) {
        if (wildcard.len > 0 && wildcard.ptr[0] == '*') {
            wildcard = span_skip(wildcard, 1);
            star = wildcard;
            retry = text;
        } else if (wildcard.len > 0 && item_matches(&wildcard, text.ptr[0])) {
            text = span_skip(text, 1);
        } else if (star.ptr != NULL) {
            retry = span_skip(retry, 1);
            text = retry;
            wildcard = star;
        } else {
            return false;
        }
    }
    while (wildcard.len > 0 && wildcard.ptr[0] == '*') {
        wildcard = span_skip(wildcard, 1);
    }
    return wildcard.len == 0;
}

/* Takes the text up to the next "/" off *rest. */
static struct span take_segment(struct span *rest, bool *last) {
    const char *slash = memchr(rest->ptr, '/', rest->len);
    struct span segment = {rest->ptr, slash != NULL ? (size_t)(slash - rest->ptr) : rest->len};
    *last = slash == NULL;
    *rest = span_skip(*rest, segment.len + (slash != NULL));
    return segment;
}

bool path_wildcard_match(struct span wildcard, struct span path) {
    for (;;) {
        bool last_wildcard;
        bool last_path;
        struct span segment_wildcard = take_segment(&wildcard, &last_wildcard);
        struct span segment = take_segment(&path, &last_path);
        if (last_wildcard != last_path || !segment_matches(segment_wildcard, segment)) {
            return false;
        }
        if (last_path) {
            return true;
        }
    }
}
