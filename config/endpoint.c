/* Reads and prints "address:port": see endpoint.h. Used by Listen and <VirtualHost>. */
#include "config/endpoint.h"

#include <string.h>

#include "config/simple_value.h"

static const char *parse_port(struct span text, uint16_t *port) {
    uint64_t number = 0;
    if (span_equal(text, SPAN_LITERAL("*"))) {
        *port = 0;
        return NULL;
    }
    if (!simple_unsigned(text, 1, 65535, &number)) {
        return "has no port from 1 to 65535 after its colon";
    }
    *port = (uint16_t)number;
    return NULL;
}

const char *endpoint_parse(struct span text, struct ip_address *address, uint16_t *port) {
    *address = (struct ip_address){0};
    *port = 0;
    struct span host = text;
    const char *colon = NULL;
    if (text.len > 0 && text.ptr[0] == '[') {
        const char *bracket = memchr(text.ptr, ']', text.len);
        if (bracket == NULL) {
            return "has no closing bracket";
        }
        host = (struct span){text.ptr + 1, (size_t)(bracket - text.ptr) - 1};
        size_t used = host.len + 2;
        if (used < text.len && text.ptr[used] != ':') {
            return "has something else than a port after its bracket";
        }
        colon = used < text.len ? text.ptr + used : NULL;
    } else if ((colon = memrchr(text.ptr, ':', text.len)) != NULL) {
        host.len = (size_t)(colon - text.ptr);
        if (memchr(host.ptr, ':', host.len) != NULL) {
            return "has several colons: write an IPv6 address in brackets";
        }
    }
    if (!span_equal(host, SPAN_LITERAL("*")) && !span_equal_nocase(host, SPAN_LITERAL("_default_")) &&
        !ip_address_parse(host, address)) {
        return "is no numeric address";
    }
    size_t used = colon != NULL ? (size_t)(colon - text.ptr) + 1 : 0;
    return colon != NULL ? parse_port(span_skip(text, used), port) : NULL;
}

const char *endpoint_name(struct arena *arena, const struct ip_address *address, uint16_t port) {
    char text[IP_TEXT_MAX] = "*";
    if (address->family != IP_NONE) {
        ip_address_print(address, text);
    }
    bool brackets = address->family == IP_V6;
    const char *open = brackets ? "[" : "";
    const char *close = brackets ? "]" : "";
    return port == 0 ? arena_printf(arena, "%s%s%s", open, text, close)
                     : arena_printf(arena, "%s%s%s:%u", open, text, close, port);
}
