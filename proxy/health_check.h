/* Active health checks (ProxyHCInterval, ProxyHCUri): asks each member of a balancer at its interval, and takes it out
 * of use or brings it back. Everything runs on the housekeeping loop, without blocking. */
#ifndef WEIR_PROXY_HEALTH_CHECK_H
#define WEIR_PROXY_HEALTH_CHECK_H

#include "config/config.h"

struct ev_loop;
struct origins;
struct tls_generation;
struct health_checks; /* those of one generation */

/* Only a balancer with a ProxyHCUri is checked. */
bool health_is_checked(const struct balancer *balancer);

/* Starts the checks of all balancers that ask for them. NULL when there is none. */
struct health_checks *health_checks_new(struct ev_loop *loop, const struct config *config,
                                        const struct tls_generation *tls, const struct origins *origins);
void health_checks_free(struct health_checks **checks); /* stops them; NULL is harmless */

/* 1 when the beginning of an answer is that of a good one (HTTP/1.x with a status of 200 to 399), 0 when it is not, -1
 * when more bytes are needed. Pure. */
int health_check_judge(struct span received);

#endif
