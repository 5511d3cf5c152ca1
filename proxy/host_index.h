/* Finds the virtual host of a request: by the address it came to and the name it asked for, as Apache does.
 *
 * Built once for a config on the housekeeping thread, immutable afterwards, read by all workers without a lock; lives
 * as long as the generation it belongs to. Exact names and names of the form "*.example.net" cost a few look-ups in a
 * hash table however many hosts there are; other wildcards and patterns are tried one after another. */
#ifndef WEIR_PROXY_HOST_INDEX_H
#define WEIR_PROXY_HOST_INDEX_H

#include "config/config.h"

struct host_index;
struct address_set; /* the hosts of one local address, or the main server for an address of none; as old as the index */

/* The config must outlive the index; no reference is taken. */
struct host_index *host_index_new(const struct config *config);
void host_index_free(struct host_index **index); /* nulls the pointer; NULL is harmless */

const struct config *host_index_config(const struct host_index *index);

/* The host that serves a name on an address. Of all <VirtualHost>s only those of the most specific address count
 * (address and port, then address, then port, then any); among them the first in file order with that ServerName,
 * ServerAlias or ServerAliasMatch, else the first of them. The main server when no <VirtualHost> has the address.
 * host: as http_is_host() lets it pass; may be empty, may end in a port or a dot, in any case. local_address of family
 * IP_NONE: a Unix socket, served by the hosts of any address. scratch: of the calling thread; NULL skips
 * ServerAliasMatch. Never NULL. */
const struct virtual_host *host_index_find(const struct host_index *index, const struct ip_address *local_address,
                                           uint16_t local_port, struct span host, struct pattern_scratch *scratch);

/* The same in two steps, for a connection whose requests all come to one address. Never NULL. */
const struct address_set *host_index_set(const struct host_index *index, const struct ip_address *local_address,
                                         uint16_t local_port);
const struct virtual_host *host_index_find_in(const struct host_index *index, const struct address_set *set,
                                              struct span host, struct pattern_scratch *scratch);
/* The host of a request that names none. */
const struct virtual_host *host_index_default(const struct address_set *set);

#endif
