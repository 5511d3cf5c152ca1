/* Paths of requests: the form that decisions are made on, the form that is sent on, and how they are compared.
 *
 * A path has many spellings: "/admin", "/%61dmin" and "/x/../admin" are one. Rules are matched against one form only,
 * the decoded one, and what is sent to the origin never means another path than the one that was matched. Pure. */
#ifndef WEIR_PROXY_PATH_H
#define WEIR_PROXY_PATH_H

#include "config/arena.h"
#include "config/span.h"

struct path_forms {
    struct span decoded; /* every escape decoded, "//", "/./" and "/x/../" removed: for rules */
    struct span written; /* for the origin: as the client wrote it, but without "/./" and "/x/../" */
};

/* The results point into `raw` when there was nothing to do, else into the arena. False for what can be no path: one
 * that does not begin with "/", a bad escape, %00, "..", that leads above the root, "." or ".." beside an encoded
 * slash. */
bool path_parse(struct span raw, struct arena *arena, struct path_forms *forms);

/* Encodes all that may not stand in a path as it is (RFC 3986, 3.3), "%" and "?" among it; "/" stays. */
struct span path_encode(struct span decoded, struct arena *arena);

/* Apache's prefix rule of Location, ProxyPass and Redirect: "/a" covers "/a" and "/a/b" but not "/ab"; "/a/" covers
 * what begins with it. */
bool path_has_prefix(struct span path, struct span prefix);

/* Apache's wildcards in <Location>: "*", "?" and "[…]" never match a "/", "\" escapes; the whole path must match. */
bool path_wildcard_match(struct span wildcard, struct span path);

#endif
