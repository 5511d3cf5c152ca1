/* Who the client really is when the connection comes from a proxy in front of weir: RemoteIPHeader,
 * RemoteIPTrustedProxy, RemoteIPInternalProxy.
 *
 * The header's values are walked from the right, the newest hop, to the left. The address that a hop names is believed
 * while that hop itself is a trusted proxy; the first one that is not is the client. A value that is no address ends
 * the walk: the hop that sent it stands. Addresses are parsed, never compared or logged as the text a client wrote.
 * Pure. */
#ifndef WEIR_PROXY_REMOTE_IP_H
#define WEIR_PROXY_REMOTE_IP_H

#include "config/config.h"
#include "config/ipaddr.h"
#include "config/span.h"

/* Whether the peer is one of the proxies, and so its forwarded fields are to be believed. The peer of a Unix socket
 * (IP_NONE) is on this machine: trusted where 127.0.0.1 or ::1 is. False without RemoteIPHeader or proxies. */
bool remote_ip_trusts(const struct settings *settings, const struct ip_address *peer);

/* The client's address. `values` are the values of all fields named settings->remote_ip_header, in the order received;
 * each may be a list. Gives the peer's own address when it is not trusted or nothing usable was said. */
struct ip_address remote_ip_client(const struct settings *settings, const struct ip_address *peer,
                                   const struct span *values, size_t value_count);

/* One hop as proxies write it: "192.0.2.7", "192.0.2.7:4711", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711",
 * with or without quotes. False, with *address untouched, for anything else. */
bool remote_ip_parse_hop(struct span text, struct ip_address *address);

#endif
