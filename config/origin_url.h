/* URLs of origins and balancers as ProxyPass and BalancerMember write them, with their key=value parameters, and the
 * list of origins that they make. Private to config/. */
#ifndef WEIR_CONFIG_ORIGIN_URL_H
#define WEIR_CONFIG_ORIGIN_URL_H

#include "config/parser.h"

struct proxy_url {
    struct origin origin;      /* name, scheme, host, port, host_port, unix_path; parameters at their defaults */
    const char *balancer_name; /* "balancer://name", lower case; NULL: an origin */
    const char *path;          /* what follows host and port, "" for nothing */
};

/* What key=value parameters may stand with. */
enum parameter_kind { PARAMETERS_OF_ORIGIN = 1, PARAMETERS_OF_MEMBER = 2, PARAMETERS_OF_BALANCER = 4 };

struct proxy_parameters {
    struct origin *origin;
    struct balancer_member *member;
    struct balancer *balancer;
};

/* "http://host:port/path", "https://…", "ws://…", "unix:/path|http://host/path", "balancer://name/path". With
 * substitutions "$1" may stand in what follows host and port. False after an error at `word`. */
bool proxy_url_parse(struct parser *parser, const struct word *word, bool substitutions, struct proxy_url *url);

/* One key=value word; kinds tells which keys may stand here. What is wrong is reported. */
void proxy_parameter(struct parser *parser, const struct word *word, unsigned kinds,
                     const struct proxy_parameters *parameters);

/* The origin in config->origins that is equal to this one, new if there is none. */
const struct origin *origin_intern(struct parser *parser, const struct origin *origin);

/* The balancer of a name, "balancer://name"; new and undefined if there is none. `word` is where it was named. */
struct balancer *balancer_named(struct parser *parser, const char *name, const struct word *word, bool defines);

#endif
