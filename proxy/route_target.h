/* Where a matched line sends a request: the target for an origin, the Location of a redirect. A part of route.c, apart
 * because it is about text. Results live in the request's arena (or point into the request's head). */
#ifndef WEIR_PROXY_ROUTE_TARGET_H
#define WEIR_PROXY_ROUTE_TARGET_H

#include "proxy/route.h"

/* Does the line match the route's path, and to which path and query does it lead? The line of a location has been
 * matched by its section already: it always matches, and replaces what it can. */
bool proxy_pass_target(const struct route *route, const struct route_request *request, const struct proxy_pass *pass,
                       bool of_location, struct span *target);

/* Does the line match, and what does Location say? SPAN_NONE for a status without a target. */
bool redirect_target(const struct route *route, const struct route_request *request, const struct redirect *redirect,
                     struct span *location);

/* The scheme and authority that the client used, "http://www.example.net:8080": before a path in a Location. */
struct span own_base_url(struct arena *arena, const struct request_head *head, const struct virtual_host *host);

#endif
