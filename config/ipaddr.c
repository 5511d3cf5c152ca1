/* Internet addresses and prefixes as values; used by every part of weir, on any thread; nothing is shared or allocated.
 *
 * Always true of an address made here: bytes beyond its family's are zero, and an IPv6 address is never an IPv4-mapped
 * one; so two addresses are equal when their bytes are. */
#include "config/ipaddr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void clear_after(uint8_t *bytes, size_t count, unsigned length) {
    for (size_t i = 0; i < count; i++) {
        unsigned kept = length > i * 8 ? length - (unsigned)i * 8 : 0;
        if (kept < 8) {
            bytes[i] = (uint8_t)(bytes[i] & (0xff00U >> kept));
        }
    }
}

/* A number of at most three digits up to `maximum`; takes it off the front of *text. */
static bool take_number(struct span *text, unsigned maximum, unsigned *number) {
    size_t digits = 0;
    unsigned value = 0;
    while (digits < text->len && text->ptr[digits] >= '0' && text->ptr[digits] <= '9') {
        value = value * 10 + (unsigned)(text->ptr[digits] - '0');
        digits++;
        if (digits > 3 || value > maximum) {
            return false;
        }
    }
    if (digits == 0 || (digits > 1 && text->ptr[0] == '0')) {
        return false;
    }
    *text = span_skip(*text, digits);
    *number = value;
    return true;
}

/* One to four octets, the others zero; the whole text. */
static bool parse_octets(struct span text, bool trailing_dot, uint8_t *bytes, unsigned *count) {
    memset(bytes, 0, 16);
    *count = 0;
    while (*count < 4) {
        unsigned octet;
        if (!take_number(&text, 255, &octet)) {
            return false;
        }
        bytes[(*count)++] = (uint8_t)octet;
        if (text.len == 0) {
            return true;
        }
        if (text.ptr[0] != '.') {
            return false;
        }
        text = span_skip(text, 1);
        if (text.len == 0) {
            return trailing_dot && *count < 4;
        }
    }
    return false;
}

static bool parse_ipv6(struct span text, uint8_t *bytes) {
    char copy[IP_TEXT_MAX];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET6, copy, bytes) == 1;
}

static void unmap(struct ip_address *address) {
    if (address->family == IP_V6 && memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix) == 0) {
        address->family = IP_V4;
        memmove(address->bytes, address->bytes + 12, 4);
        memset(address->bytes + 4, 0, 12);
    }
}

static bool has_colon(struct span text) {
    return text.len > 0 && memchr(text.ptr, ':', text.len) != NULL;
}

bool ip_address_parse(struct span text, struct ip_address *address) {
    *address = (struct ip_address){0};
    struct ip_address parsed = {0};
    if (has_colon(text)) {
        parsed.family = IP_V6;
        if (!parse_ipv6(text, parsed.bytes)) {
            return false;
        }
        unmap(&parsed);
    } else {
        unsigned octets;
        parsed.family = IP_V4;
        if (!parse_octets(text, false, parsed.bytes, &octets) || octets != 4) {
            return false;
        }
    }
    *address = parsed;
    return true;
}

/* A dotted netmask whose set bits stand together at the front. */
static bool parse_netmask(struct span text, unsigned *length) {
    uint8_t bytes[16];
    unsigned octets;
    if (!parse_octets(text, false, bytes, &octets) || octets != 4) {
        return false;
    }
    uint32_t mask = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    uint32_t inverse = ~mask;
    if ((inverse & (inverse + 1)) != 0) {
        return false;
    }
    *length = 32;
    while (inverse != 0) {
        inverse >>= 1;
        (*length)--;
    }
    return true;
}

static bool parse_ipv6_prefix(struct span text, struct span length_text, bool has_length, struct ip_prefix *prefix) {
    unsigned length = 128;
    struct ip_address address = {.family = IP_V6};
    if (!parse_ipv6(text, address.bytes)) {
        return false;
    }
    if (has_length && (!take_number(&length_text, 128, &length) || length_text.len != 0)) {
        return false;
    }
    if (length >= 96) {
        unmap(&address);
    }
    if (address.family == IP_V4) {
        length -= 96;
    }
    prefix->address = ip_address_mask(&address, length);
    prefix->length = (uint8_t)length;
    return true;
}

enum octet_forms { ALL_FOUR, ZERO_FILLED, PARTIAL };

static bool parse_prefix(struct span text, enum octet_forms forms, struct ip_prefix *prefix) {
    *prefix = (struct ip_prefix){0};
    const char *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;
    struct span address_text = {text.ptr, slash != NULL ? (size_t)(slash - text.ptr) : text.len};
    struct span length_text = slash != NULL ? span_skip(text, address_text.len + 1) : SPAN_NONE;
    if (has_colon(address_text)) {
        return parse_ipv6_prefix(address_text, length_text, slash != NULL, prefix);
    }
    struct ip_address address = {.family = IP_V4};
    unsigned octets;
    if (!parse_octets(address_text, forms == PARTIAL, address.bytes, &octets) || (forms == ALL_FOUR && octets != 4)) {
        return false;
    }
    unsigned length = forms == PARTIAL ? octets * 8 : 32;
    if (slash != NULL && !(forms == PARTIAL && parse_netmask(length_text, &length)) &&
        (!take_number(&length_text, 32, &length) || length_text.len != 0)) {
        return false;
    }
    prefix->address = ip_address_mask(&address, length);
    prefix->length = (uint8_t)length;
    return true;
}

bool ip_prefix_parse(struct span text, bool short_forms, struct ip_prefix *prefix) {
    return parse_prefix(text, short_forms ? ZERO_FILLED : ALL_FOUR, prefix);
}

bool ip_prefix_parse_partial(struct span text, struct ip_prefix *prefix) {
    return parse_prefix(text, PARTIAL, prefix);
}

static bool parse_wildcard_octets(struct span text, struct ip_mask *mask) {
    mask->address.family = IP_V4;
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0) {
            if (text.len == 0 || text.ptr[0] != '.') {
                return false;
            }
            text = span_skip(text, 1);
        }
        unsigned octet;
        if (text.len > 0 && text.ptr[0] == '*') {
            text = span_skip(text, 1);
        } else if (take_number(&text, 255, &octet)) {
            mask->address.bytes[i] = (uint8_t)octet;
            mask->mask[i] = 0xff;
        } else {
            return false;
        }
    }
    return text.len == 0;
}

bool ip_mask_parse(struct span text, struct ip_mask *mask) {
    *mask = (struct ip_mask){0};
    if (text.len > 0 && memchr(text.ptr, '*', text.len) != NULL) {
        return parse_wildcard_octets(text, mask);
    }
    struct ip_prefix prefix;
    if (!ip_prefix_parse(text, false, &prefix)) {
        return false;
    }
    mask->address = prefix.address;
    memset(mask->mask, 0xff, sizeof mask->mask);
    clear_after(mask->mask, sizeof mask->mask, prefix.length);
    return true;
}

bool ip_mask_contains(const struct ip_mask *mask, const struct ip_address *address) {
    if (address->family == IP_NONE || mask->address.family != address->family) {
        return false;
    }
    unsigned different = 0;
    for (size_t i = 0; i < sizeof address->bytes; i++) {
        different |= (unsigned)((address->bytes[i] ^ mask->address.bytes[i]) & mask->mask[i]);
    }
    return different == 0;
}

/* By hand, because it is done for each request (X-Forwarded-For) and the C library takes 1,700 instructions for it. */
/* An octet in decimals and their number; what of the first three bytes is no digit does not matter. */
#define OCTET(n)                                                                                                       \
    {                                                                                                                  \
        (char)('0' + ((n) > 99  ? (n) / 100                                                                            \
                      : (n) > 9 ? (n) / 10                                                                             \
                                : (n))),                                                                               \
            (char)('0' + ((n) > 99 ? (n) / 10 % 10 : (n) % 10)), (char)('0' + (n) % 10),                               \
            (n) > 99  ? 3                                                                                              \
            : (n) > 9 ? 2                                                                                              \
                      : 1                                                                                              \
    }
#define OCTETS_4(n) OCTET(n), OCTET((n) + 1), OCTET((n) + 2), OCTET((n) + 3)
#define OCTETS_16(n) OCTETS_4(n), OCTETS_4((n) + 4), OCTETS_4((n) + 8), OCTETS_4((n) + 12)
#define OCTETS_64(n) OCTETS_16(n), OCTETS_16((n) + 16), OCTETS_16((n) + 32), OCTETS_16((n) + 48)
static const char octets[256][4] = {OCTETS_64(0), OCTETS_64(64), OCTETS_64(128), OCTETS_64(192)};

/* By hand, because it is done for each request (X-Forwarded-For) and the C library takes 1,700 instructions for it.
 * Four bytes are written for each octet, 16 in all. */
static size_t print_v4(const uint8_t *bytes, char *text) {
    char *at = text;
    for (size_t i = 0; i < 4; i++) {
        const char *octet = octets[bytes[i]];
        memcpy(at, octet, 4);
        at += octet[3];
        *at++ = '.';
    }
    at[-1] = '\0';
    return (size_t)(at - text) - 1;
}

size_t ip_address_print(const struct ip_address *address, char *text) {
    if (address->family == IP_V4) {
        return print_v4(address->bytes, text);
    }
    if (address->family == IP_NONE || inet_ntop(AF_INET6, address->bytes, text, IP_TEXT_MAX) == NULL) {
        memcpy(text, "-", 2);
    }
    return strlen(text);
}

size_t ip_prefix_print(const struct ip_prefix *prefix, char *text) {
    size_t length = ip_address_print(&prefix->address, text);
    return length + (size_t)snprintf(text + length, 5, "/%u", (unsigned)prefix->length);
}

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *address) {
    if (address->family == IP_NONE || prefix->address.family != address->family) {
        return false;
    }
    size_t whole = prefix->length / 8U;
    if (memcmp(prefix->address.bytes, address->bytes, whole) != 0) {
        return false;
    }
    unsigned rest = prefix->length % 8U;
    return rest == 0 || ((prefix->address.bytes[whole] ^ address->bytes[whole]) & (0xff00U >> rest) & 0xffU) == 0;
}

static bool in_any(const struct ip_address *address, const struct ip_prefix *prefixes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (ip_prefix_contains(&prefixes[i], address)) {
            return true;
        }
    }
    return false;
}

static const struct ip_prefix loopback_prefixes[] = {
    {{IP_V4, {127}}, 8},
    {{IP_V6, {[15] = 1}}, 128},
};

static const struct ip_prefix private_prefixes[] = {
    {{IP_V4, {10}}, 8},        {{IP_V4, {172, 16}}, 12}, {{IP_V4, {192, 168}}, 16},
    {{IP_V4, {169, 254}}, 16}, {{IP_V6, {0xfc}}, 7},     {{IP_V6, {0xfe, 0x80}}, 10},
};

bool ip_address_is_loopback(const struct ip_address *address) {
    return in_any(address, loopback_prefixes, sizeof loopback_prefixes / sizeof *loopback_prefixes);
}

bool ip_address_is_private(const struct ip_address *address) {
    return ip_address_is_loopback(address) ||
           in_any(address, private_prefixes, sizeof private_prefixes / sizeof *private_prefixes);
}

struct ip_address ip_address_mask(const struct ip_address *address, unsigned length) {
    struct ip_address masked = *address;
    if (length < (address->family == IP_V6 ? 128 : 32)) {
        clear_after(masked.bytes, sizeof masked.bytes, length);
    }
    return masked;
}
