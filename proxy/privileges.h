/* User and Group: whom the process becomes once its sockets are bound and its files open. Housekeeping thread, before
 * any other thread runs. */
#ifndef WEIR_PROXY_PRIVILEGES_H
#define WEIR_PROXY_PRIVILEGES_H

#include <stdbool.h>

#include "config/config.h"

/* Gives log and pid files to the user, so that they can be opened again after USR1, HUP and USR2, then becomes it. Does
 * nothing without User and Group. Keeps CAP_NET_ADMIN when there is a DOSFirewall, and lets programs gain privileges
 * (no PR_SET_NO_NEW_PRIVS) when there is a DOSEmailNotify or DOSSystemCommand. False with *error (malloc'ed, the caller
 * frees). *notice (malloc'ed or NULL): something to be said although it worked, as when the process was not root to
 * begin with. */
bool privileges_drop(const struct config *config, char **error, char **notice);

#endif
