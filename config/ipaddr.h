/* An Internet address and a prefix as values: parse, print, compare, mask. No sockets, no names, no allocation.
 *
 * IPv4-mapped IPv6 addresses (::ffff:192.0.2.1) are IPv4 everywhere in weir, so that a client is one client whatever
 * socket it came through. Pure, any thread. */
#ifndef WEIR_CONFIG_IPADDR_H
#define WEIR_CONFIG_IPADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "config/span.h"

enum ip_family {
    IP_NONE = 0, /* no address: a Unix socket's peer, or not known */
    IP_V4 = 4,
    IP_V6 = 6,
};

struct ip_address {
    uint8_t family;    /* enum ip_family */
    uint8_t bytes[16]; /* network order; the first 4 for IPv4; the rest is zero */
};

struct ip_prefix {
    struct ip_address address; /* bits beyond the length are zero */
    uint8_t length;            /* bits: 0 to 32 or 0 to 128 */
};

/* An address with some bits that do not matter, wherever they stand: "10.*.3.*". */
struct ip_mask {
    struct ip_address address; /* bits that do not matter are zero */
    uint8_t mask[16];          /* a bit set: it matters */
};

enum { IP_TEXT_MAX = 46 }; /* bytes, with the terminating zero */

/* Numeric addresses only, without brackets, port or zone; the whole text must be one. */
bool ip_address_parse(struct span text, struct ip_address *address);

/* "192.0.2.7", "192.0.2.0/24", "2001:db8::/32"; an address alone is a prefix of full length. Host bits are cleared.
 * short_forms also takes 1 to 3 octets, the rest being zero ("66.249.64/24", "127/8", "10" is 10.0.0.0/32): as
 * CBandClassDst does. Allow and Require take "10.1" as 10.1.0.0/16, and "10.1.0.0/255.255.0.0": that is
 * ip_prefix_parse_partial. */
bool ip_prefix_parse(struct span text, bool short_forms, struct ip_prefix *prefix);
bool ip_prefix_parse_partial(struct span text, struct ip_prefix *prefix);

/* An address, a prefix, or four octets of which some are "*", as DOSWhitelist takes them. */
bool ip_mask_parse(struct span text, struct ip_mask *mask);

/* Writes at most IP_TEXT_MAX bytes with the zero; returns the length without it. IP_NONE prints "-". */
size_t ip_address_print(const struct ip_address *address, char *text);

static inline bool ip_address_equal(const struct ip_address *a, const struct ip_address *b) {
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *address);
bool ip_mask_contains(const struct ip_mask *mask, const struct ip_address *address);
bool ip_address_is_loopback(const struct ip_address *address);
/* 10/8, 172.16/12, 192.168/16, 127/8, 169.254/16, fc00::/7, fe80::/10, ::1. */
bool ip_address_is_private(const struct ip_address *address);
/* "192.0.2.0/24"; needs IP_TEXT_MAX + 4 bytes; returns the length. */
size_t ip_prefix_print(const struct ip_prefix *prefix, char *text);
/* The address with all but its first `length` bits cleared. */
struct ip_address ip_address_mask(const struct ip_address *address, unsigned length);

#endif
