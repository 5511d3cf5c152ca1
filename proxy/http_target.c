/* What may stand in a request's target and in Host. Called by http_request.c and route's tests; pure. */
#include "config/ipaddr.h"
#include "proxy/http_bytes.h"
#include "proxy/http_head.h"

static bool is_hex(char byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

/* Refused everywhere in a target: controls, space, 8-bit, '#', and the ones that RFC 3986 leaves out. The back quote is
 * left out there too, but browsers send it raw in queries. */
bool http_is_path_and_query(struct span text) {
    bool in_query = false;
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (!http_is_byte(byte, HTTP_BYTE_TARGET)) {
            return false;
        }
        if (!http_is_byte(byte, HTTP_BYTE_TARGET_MARK)) {
            continue;
        }
        if (byte == '?') {
            in_query = true;
        } else if (!in_query) {
            bool whole = i + 2 < text.len && is_hex(text.ptr[i + 1]) && is_hex(text.ptr[i + 2]);
            if (!whole || (text.ptr[i + 1] == '0' && text.ptr[i + 2] == '0')) {
                return false;
            }
        }
    }
    return true;
}

static bool is_port(struct span text) {
    unsigned value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || value > 65535) {
            return false;
        }
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return value <= 65535;
}

/* How much of the text is a name; 0: it begins with none. reg-name of RFC 3986, 3.2.2, of which a browser sends
 * letters, digits, '-', '.' and '_'; sub-delims and escapes are left out, as Apache's strict check does. */
static size_t name_length(struct span text) {
    size_t length = 0;
    for (;;) {
        size_t label = http_span_of(span_skip(text, length), HTTP_BYTE_NAME);
        length += label;
        if (label == 0 || length == text.len || text.ptr[length] != '.') {
            return length;
        }
        length++;
    }
}

bool http_is_host(struct span text) {
    if (text.len > 0 && text.ptr[0] == '[') {
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
    size_t length = name_length(text);
    return length > 0 && length <= 255 &&
           (length == text.len || (text.ptr[length] == ':' && is_port(span_skip(text, length + 1))));
}
