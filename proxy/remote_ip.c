/* The walk over the hops of RemoteIPHeader. Called by the client's connection for each request, on its worker.
 * Invariant: the address given back is the peer's, or was named by a hop that is itself a trusted proxy. */
#include "proxy/remote_ip.h"

static bool is_proxy(const struct settings *settings, const struct ip_address *address) {
    for (size_t i = 0; i < settings->remote_ip_proxy_count; i++) {
        if (ip_prefix_contains(&settings->remote_ip_proxies[i].prefix, address)) {
            return true;
        }
    }
    return false;
}

bool remote_ip_trusts(const struct settings *settings, const struct ip_address *peer) {
    if (settings->remote_ip_header == NULL) {
        return false;
    }
    if (peer->family != IP_NONE) {
        return is_proxy(settings, peer);
    }
    static const struct ip_address loopback_v4 = {IP_V4, {127, 0, 0, 1}};
    static const struct ip_address loopback_v6 = {IP_V6, {[15] = 1}};
    return is_proxy(settings, &loopback_v4) || is_proxy(settings, &loopback_v6);
}

static bool is_port(struct span text) {
    if (text.len < 1 || text.len > 5) {
        return false;
    }
    unsigned port = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        port = port * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return port <= UINT16_MAX;
}

bool remote_ip_parse_hop(struct span text, struct ip_address *address) {
    text = span_trim(text);
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"') {
        text = (struct span){text.ptr + 1, text.len - 2};
    }
    if (text.len == 0) {
        return false;
    }
    struct ip_address parsed;
    if (text.ptr[0] == '[') {
        const char *close = memchr(text.ptr, ']', text.len);
        if (close == NULL) {
            return false;
        }
        struct span inner = {text.ptr + 1, (size_t)(close - text.ptr) - 1};
        struct span port = span_skip(text, inner.len + 2);
        /* Brackets are for IPv6 alone: an address without a colon in them is nothing that a proxy writes. */
        if ((port.len > 0 && (port.ptr[0] != ':' || !is_port(span_skip(port, 1)))) || inner.len == 0 ||
            memchr(inner.ptr, ':', inner.len) == NULL || !ip_address_parse(inner, &parsed)) {
            return false;
        }
        *address = parsed;
        return true;
    }
    const char *colon = memchr(text.ptr, ':', text.len);
    if (colon != NULL && memchr(text.ptr, '.', (size_t)(colon - text.ptr)) != NULL) { /* IPv4 with a port */
        size_t length = (size_t)(colon - text.ptr);
        if (!is_port(span_skip(text, length + 1))) {
            return false;
        }
        text.len = length;
    }
    if (!ip_address_parse(text, &parsed)) {
        return false;
    }
    *address = parsed;
    return true;
}

/* Takes the right-most element off a list; false when there is none left. Empty elements are skipped. */
static bool take_last_element(struct span *list, struct span *element) {
    while (list->len > 0) {
        const char *comma = memrchr(list->ptr, ',', list->len);
        size_t start = comma != NULL ? (size_t)(comma - list->ptr) + 1 : 0;
        *element = span_trim(span_skip(*list, start));
        list->len = comma != NULL ? start - 1 : 0;
        if (element->len > 0) {
            return true;
        }
    }
    return false;
}

struct ip_address remote_ip_client(const struct settings *settings, const struct ip_address *peer,
                                   const struct span *values, size_t value_count) {
    struct ip_address client = *peer;
    if (!remote_ip_trusts(settings, peer)) {
        return client;
    }
    for (size_t i = value_count; i-- > 0;) {
        struct span list = values[i], element;
        while (take_last_element(&list, &element)) {
            if (!remote_ip_parse_hop(element, &client) || !is_proxy(settings, &client)) {
                return client;
            }
        }
    }
    return client;
}
