/* The limit of open files: raised at start, and turned into how many connections there may be. Housekeeping thread. */
#ifndef WEIR_PROXY_OPEN_FILES_H
#define WEIR_PROXY_OPEN_FILES_H

#include <stddef.h>

#include "config/config.h"

/* Raises the soft limit to the hard one (and no higher than a million). Returns the limit that holds. */
size_t open_files_raise(void);

/* How many client connections a configuration may have: MaxConnections, or what the limit allows when each has one
 * connection to an origin. `workers` as they run. *short_of: 0, or the limit that MaxConnections would need. */
size_t open_files_connections(const struct config *config, unsigned workers, size_t limit, size_t *short_of);

#endif
