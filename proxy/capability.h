/* CAP_NET_ADMIN, the one privilege that weir may keep: DOSFirewall needs it. Linux capabilities(7).
 *
 * Housekeeping thread, while there is no other thread: capabilities belong to threads, and later ones take them from
 * the one that starts them. */
#ifndef WEIR_PROXY_CAPABILITY_H
#define WEIR_PROXY_CAPABILITY_H

#include <stdbool.h>

/* Before a change of user by root: lets capabilities outlast it, until capability_settle(). */
bool capability_hold(void);

/* After a change of user: of all capabilities keeps CAP_NET_ADMIN alone when `keep`, else none. False with errno. */
bool capability_settle(bool keep);

/* In a process that did not change its user itself: takes CAP_NET_ADMIN from what children inherit, where the former
 * process left it (USR2), and gives it up unless `keep`. Other capabilities are left as they are. */
void capability_keep_from_children(bool keep);

/* In a child between fork and exec, if we have CAP_NET_ADMIN: the program that is executed has it too.
 * Async-signal-safe; fails silently, and then that program says what it misses. */
void capability_pass_on(void);

#endif
