/* What may stand in a request's target and in Host. Called by http_request.c and route's tests; pure. */
#include "config/ipaddr.h"
#include "proxy/http_bytes.h"
#include "proxy/http_head.h"

static bool is_hex(char byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

/* "%" and two hexadecimal digits, not "%00". */
static bool is_escape(struct span text) {
    return text.len > 2 && is_hex(text.ptr[1]) && is_hex(text.ptr[2]) && (text.ptr[1] != '0' || text.ptr[2] != '0');
}

/* Refused everywhere in a target: controls, space, 8-bit, '#', and the ones that RFC 3986 leaves out. The back quote is
 * left out there too, but browsers send it raw in queries. */
bool http_is_path_and_query(struct span text) {
    bool in_query = false;
    for (size_t at = 0; at < text.len; at += HTTP_BLOCK_BYTES) {
        http_mask others = http_block_no_name(http_block_of(text.ptr + at, text.len - at));
        for (; others != 0; others &= others - 1) { /* letters, digits, "-" and "_" may stand everywhere */
            size_t i = at + http_mask_first(others);
            if (i >= text.len) {
                break; /* the zeros behind the text */
            }
            if (!http_is_byte(text.ptr[i], HTTP_BYTE_TARGET)) {
                return false;
            }
            in_query = in_query || text.ptr[i] == '?';
            if (text.ptr[i] == '%' && !in_query && !is_escape(span_skip(text, i))) {
                return false;
            }
        }
    }
    return true;
}

static bool is_port(struct span text) {
    unsigned value = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
        value = value * 10 + digit;
        if (digit > 9 || value > 65535) {
            return false;
        }
    }
    return true;
}

/* How much of the text is a name; 0: it begins with none. reg-name of RFC 3986, 3.2.2, of which a browser sends
 * letters, digits, '-', '.' and '_'; sub-delims and escapes are left out, as Apache's strict check does. A dot with no
 * label before it ends it. */
static size_t name_length(struct span text) {
    http_mask no_label = HTTP_MASK_FIRST_BYTE; /* the first byte, where a label has to begin */
    for (size_t at = 0;; at += HTTP_BLOCK_BYTES) {
        http_block block = http_block_of(text.ptr + at, text.len - at);
        http_mask dots = http_block_equal(block, '.');
        http_mask ends = http_block_no_name(block) & (~dots | no_label | http_mask_behind(dots));
        if (ends != 0) { /* at the latest where the zeros begin that stand behind the text */
            return at + http_mask_first(ends);
        }
        no_label = http_mask_carried(dots);
    }
}

/* "[v6]" or "[v6]:port". Apart, because only this needs room for an address. */
__attribute__((noinline)) static bool is_bracketed_host(struct span text) {
    const char *close = memchr(text.ptr, ']', text.len);
    if (close == NULL) {
        return false;
    }
    struct ip_address address;
    struct span inside = {text.ptr + 1, (size_t)(close - text.ptr) - 1};
    struct span after = span_skip(text, inside.len + 2);
    return memchr(inside.ptr, ':', inside.len) != NULL && ip_address_parse(inside, &address) &&
           (after.len == 0 || (after.ptr[0] == ':' && is_port(span_skip(after, 1))));
}

bool http_is_host(struct span text) {
    if (text.len > 0 && text.ptr[0] == '[') {
        return is_bracketed_host(text);
    }
    size_t length = name_length(text);
    return length > 0 && length <= 255 &&
           (length == text.len || (text.ptr[length] == ':' && is_port(span_skip(text, length + 1))));
}
