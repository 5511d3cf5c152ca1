/* Forgetting what hosts and users have used of their quotas, at an operator's word. Any thread. */
#ifndef WEIR_SHAPER_RESET_H
#define WEIR_SHAPER_RESET_H

#include <stddef.h>
#include <stdint.h>

struct shaper_binding;

/* name: "all"; a ServerName, which may be several hosts; or "NAME:PORT:LINE", which is one (PORT of ServerName or 0,
 * LINE of <VirtualHost>, 0 for the main server). Their classes' and clients' parts are forgotten with them, and a
 * period in seconds begins now. Returns how many quotas that were; 0: nobody has that name. */
size_t shaper_reset_hosts(const struct shaper_binding *binding, const char *name, int64_t wall_s);
/* name: "all", or a user's. */
size_t shaper_reset_users(const struct shaper_binding *binding, const char *name, int64_t wall_s);

#endif
