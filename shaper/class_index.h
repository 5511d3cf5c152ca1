/* From a client's address to its class: the longest prefix of all classes wins (CBandClassDst).
 *
 * Built once for a configuration, immutable afterwards, read by all threads without a lock. IPv4 and IPv6 apart.
 * Look-ups cost one step a prefix length that is in use, however many classes there are. Pure. */
#ifndef WEIR_SHAPER_CLASS_INDEX_H
#define WEIR_SHAPER_CLASS_INDEX_H

#include "config/ipaddr.h"
#include "config/limits.h"

struct class_index;

/* The classes must outlive the index. The same prefix in two classes: the later class has it. Never NULL. */
struct class_index *class_tree_new(const struct client_class *classes, size_t count);
void class_tree_free(struct class_index **index); /* nulls the pointer; NULL is harmless */

/* NULL when no class has the address. */
const struct client_class *class_tree_find(const struct class_index *index, const struct ip_address *address);

#endif
