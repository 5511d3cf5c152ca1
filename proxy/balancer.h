/* Which member of a balancer gets the next request. Shared by all workers without a lock; time is a parameter.
 *
 * byrequests: every member has a virtual time that moves on by 1/loadfactor with each request it gets; the member whose
 * time is earliest is next. So shares follow the load factors exactly over time, across workers, and a member that was
 * away does not have to catch up. bybusyness: the fewest exchanges in flight for its load factor; virtual time decides
 * between equals. */
#ifndef WEIR_PROXY_BALANCER_H
#define WEIR_PROXY_BALANCER_H

#include "config/config.h"

struct origin_runtime;
struct balancer_schedule; /* virtual times of one balancer, of one generation */

struct balancer_schedule *balancer_schedule_new(size_t member_count);
void balancer_schedule_free(struct balancer_schedule *schedule);

/* See origins_choose(). runtimes: by origin->index. */
const struct balancer_member *balancer_choose(struct balancer_schedule *schedule, const struct balancer *balancer,
                                              struct origin_runtime *const *runtimes, struct span cookie_route,
                                              uint64_t tried, int64_t now_ns);

#endif
