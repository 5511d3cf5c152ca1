/* From a request's head to what is to be done with it: the virtual host, the settings that hold, the origin or answer.
 *
 * Pure over an immutable config; allocates from the exchange's arena only. One worker. Apache's order: access rules,
 * then Redirect, then SetHandler, then ProxyPass. */
#ifndef WEIR_PROXY_ROUTE_H
#define WEIR_PROXY_ROUTE_H

#include "config/config.h"
#include "proxy/host_index.h"
#include "proxy/message.h"

enum route_action {
    ROUTE_PROXY,    /* to `proxy_pass`, with `target` */
    ROUTE_REDIRECT, /* `status` with `location` */
    ROUTE_STATUS, /* an answer of weir's own: `status` (403 access, 404 nothing is configured, 410 Redirect gone …) */
    ROUTE_HANDLER, /* a status page: `settings.handler` */
};

struct route {
    const struct virtual_host *host;
    const struct settings *settings;      /* plain values: the host's own, or merged in the arena for this request */
    const struct settings *const *scopes; /* server, host, locations that match, in order: for lists */
    size_t scope_count;
    struct span normal_path;  /* decoded, dot segments and double slashes removed; begins with "/": for rules */
    struct span written_path; /* for the origin: as the client wrote it, without dot segments. Empty: a bad path */

    enum route_action action;
    int status;                          /* REDIRECT, STATUS */
    struct span location;                /* REDIRECT */
    const struct proxy_pass *proxy_pass; /* PROXY */
    struct span target;                  /* PROXY: path and query for the origin */
};

struct route_request {
    const struct request_head *head;
    struct ip_address local_address; /* what the client connected to; IP_NONE for a Unix socket */
    uint16_t local_port;
    const struct address_set *local_hosts; /* of these two, when it is known already; NULL: looked for */
    const struct ip_address *client;       /* real address, for access rules; NULL until it is known */
    struct pattern_scratch *scratch;
    struct arena *arena;
};

/* Two steps, because the client's real address (RemoteIPHeader) depends on the host: first the host and the settings
 * of the locations, then the decision. route_begin sets everything above `action`; a path that can be none is answered
 * 400 by route_decide. */
void route_begin(struct route *route, const struct host_index *index, const struct route_request *request);
void route_decide(struct route *route, const struct route_request *request);

/* The target for a member of the balancer that was chosen: the path of the member's URL before `target`. */
struct span route_member_target(struct arena *arena, const struct balancer_member *member, struct span target);

/* The path as patterns, locations and limits see it: every escape decoded once, "//", "/./" and "/x/../" removed
 * (Apache does the same before it looks at its sections). False when the path cannot be one: a bad escape, %00, ".."
 * above the root, a dot segment made by an encoded slash. */
bool route_normalise_path(struct span path, struct arena *arena, struct span *normal);

/* Is this client allowed by the rules? NULL for rule: everybody is; for client: an address is not known, and no rule
 * about addresses matches. `method` for Require method. */
bool access_allowed(const struct access_rule *rule, const struct ip_address *client, struct span method);

#endif
