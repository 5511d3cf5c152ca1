/* What weir changes in the fields that pass through: forwarded fields, Via, Header and RequestHeader, and the URLs and
 * cookies of responses (ProxyPassReverse). Pure over lists of fields; memory from the exchange's arena. One worker. */
#ifndef WEIR_PROXY_HEADERS_H
#define WEIR_PROXY_HEADERS_H

#include "proxy/message.h"
#include "proxy/route.h"
#include "proxy/tls_facts.h"

struct header_context { /* what Apache's format codes in a value may name */
    struct arena *arena;
    struct pattern_scratch *scratch;
    const struct route *route;
    const struct request_head *request;
    const struct ip_address *client; /* real address */
    const struct ip_address *peer;   /* of the connection */
    bool peer_trusted;           /* a RemoteIP proxy, or the PROXY protocol spoke: its forwarded fields are believed */
    int64_t started_wall_us;     /* %t: microseconds since the epoch */
    int64_t duration_ns;         /* %D, which is in microseconds */
    const struct tls_facts *tls; /* of the client's connection; NULL: plain */
    const char *server_name;     /* weir's own name for Via: ServerName or the host's name */
};

/* Request to the origin: hop-by-hop fields go; Forwarded, X-Real-IP and X-Forwarded-* of untrusted peers go and ours
 * are set (ProxyAddHeaders); Via (ProxyVia); RequestHeader. Host becomes the client's (ProxyPreserveHost On) or
 * origin_host. Upgrade: websocket with its Connection is put back by the sender, not here. */
void headers_prepare_request(struct field_list *fields, const struct header_context *context, const char *origin_host);

/* Response to the client: hop-by-hop fields go; Date if missing; ProxyPassReverse; Via; Header. As in Apache, a plain
 * Header line works on all that an origin answers and on weir's own pages, and only `Header always` also on the
 * redirects and errors that weir itself makes. local: weir's own answer. http_date: now, as worker_http_date() has it.
 */
void headers_prepare_response(struct response_head *response, const struct header_context *context, bool local,
                              struct span http_date);

/* Maps a Location, Content-Location or URI value by the ProxyPassReverse lines of the route (the first that matches; as
 * in Apache, a ProxyPass alone maps nothing); the value itself when none matches. A line's URL is compared by scheme,
 * host, port and path; one that is a path, or balancer://name, by the path of what the origin said. */
struct span reverse_map_url(const struct header_context *context, struct span url);

/* Set-Cookie with domain and path attributes mapped. */
struct span reverse_map_cookie(const struct header_context *context, struct span cookie);

#endif
