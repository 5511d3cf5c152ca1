/* Reads URLs of origins and keeps the lists of origins and balancers: see origin_url.h. Called by directives_proxy.c on
 * the thread that loads. */
#include "config/origin_url.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "config/endpoint.h"
#include "config/simple_value.h"

static const char url_hint[] =
    "write http://host[:port][/path], https://..., unix:/path|http://host/, or balancer://name/";

struct scheme {
    const char *text;
    enum origin_scheme scheme;
    bool websocket;
};

static const struct scheme schemes[] = {
    {"http://", ORIGIN_HTTP, false},
    {"https://", ORIGIN_HTTPS, false},
    {"ws://", ORIGIN_HTTP, true},
    {"wss://", ORIGIN_HTTPS, true},
};

static bool starts_nocase(struct span text, const char *prefix) {
    size_t length = strlen(prefix);
    return text.len >= length && strncasecmp(text.ptr, prefix, length) == 0;
}

static bool bad_url(struct parser *parser, const struct word *word, const char *problem) {
    parser_error_at(parser, word, url_hint, "\"%s\" %s", word->text, problem);
    return false;
}

static char *lower_copy(struct parser *parser, struct span text) {
    char *copy = arena_copy(parser_arena(parser), text);
    for (size_t i = 0; i < text.len; i++) {
        copy[i] = (char)tolower((unsigned char)copy[i]);
    }
    return copy;
}

static bool has_unprintable(struct span text) {
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] <= 0x20 || text.ptr[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool is_host(struct span host) {
    for (size_t i = 0; i < host.len; i++) {
        char byte = host.ptr[i];
        if (!isalnum((unsigned char)byte) && byte != '-' && byte != '.' && byte != '_') {
            return false;
        }
    }
    return host.len > 0 && host.len <= 253;
}

/* Takes "host", "host:port", "[v6]:port" off the front of a URL without its scheme. NULL, or what is wrong with it. */
static const char *take_authority(struct parser *parser, struct span *rest, bool substitutions, struct origin *origin) {
    size_t length = 0;
    while (length < rest->len && rest->ptr[length] != '/' && !(substitutions && rest->ptr[length] == '$')) {
        length++;
    }
    struct span authority = {rest->ptr, length};
    *rest = span_skip(*rest, length);
    uint64_t port = origin->scheme == ORIGIN_HTTPS ? 443 : 80;
    const uint64_t usual = port;
    const char *colon = memrchr(authority.ptr, ':', authority.len);
    const char *bracket = memrchr(authority.ptr, ']', authority.len);
    if (memchr(authority.ptr, '@', authority.len) != NULL) {
        return "holds a user name, which weir does not send";
    }
    if (colon != NULL && (bracket == NULL || colon > bracket)) {
        size_t used = (size_t)(colon - authority.ptr);
        if (!simple_unsigned(span_skip(authority, used + 1), 1, 65535, &port)) {
            return "has no port from 1 to 65535 after its colon";
        }
        authority.len = used;
    }
    struct ip_address address;
    bool brackets = authority.len > 2 && authority.ptr[0] == '[' && authority.ptr[authority.len - 1] == ']';
    struct span host = brackets ? (struct span){authority.ptr + 1, authority.len - 2} : authority;
    if (brackets ? !ip_address_parse(host, &address) : !is_host(host)) {
        return "has no host";
    }
    origin->host = lower_copy(parser, host);
    origin->port = (uint16_t)port;
    const char *shown = brackets ? arena_printf(parser_arena(parser), "[%s]", origin->host) : origin->host;
    origin->host_port =
        port == usual ? shown : arena_printf(parser_arena(parser), "%s:%u", shown, (unsigned)origin->port);
    return NULL;
}

static const char *take_unix_path(struct parser *parser, struct span *rest, struct origin *origin) {
    enum { PATH_BYTES = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 };
    *rest = span_skip(*rest, strlen("unix:"));
    const char *bar = memchr(rest->ptr, '|', rest->len);
    if (bar == NULL) {
        return "has no \"|http://host/\" after the path of its socket";
    }
    struct span path = {rest->ptr, (size_t)(bar - rest->ptr)};
    if (path.len == 0 || path.ptr[0] != '/' || path.len > PATH_BYTES) {
        return "has no absolute path of at most 107 bytes after \"unix:\"";
    }
    origin->unix_path = arena_copy(parser_arena(parser), path);
    *rest = span_skip(*rest, path.len + 1);
    return NULL;
}

static bool parse_balancer(struct parser *parser, const struct word *word, struct span rest, struct proxy_url *url) {
    struct span name = span_skip(rest, strlen("balancer://"));
    const char *slash = memchr(name.ptr, '/', name.len);
    if (slash != NULL) {
        url->path = arena_copy(parser_arena(parser), span_skip(name, (size_t)(slash - name.ptr)));
        name.len = (size_t)(slash - name.ptr);
    }
    if (!is_host(name)) {
        return bad_url(parser, word, "has no name of a balancer");
    }
    url->balancer_name = arena_printf(parser_arena(parser), "balancer://%s", lower_copy(parser, name));
    return true;
}

bool proxy_url_parse(struct parser *parser, const struct word *word, bool substitutions, struct proxy_url *url) {
    *url = (struct proxy_url){.path = ""};
    struct span rest = {word->text, word->length};
    if (has_unprintable(rest) || memchr(rest.ptr, '#', rest.len) != NULL) {
        return bad_url(parser, word, "holds a space, a control character or #");
    }
    if (starts_nocase(rest, "balancer://")) {
        return parse_balancer(parser, word, rest, url);
    }
    struct origin *origin = &url->origin;
    origin->place = word->place;
    const char *problem = starts_nocase(rest, "unix:") ? take_unix_path(parser, &rest, origin) : NULL;
    if (problem != NULL) {
        return bad_url(parser, word, problem);
    }
    const struct scheme *scheme = NULL;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        scheme = starts_nocase(rest, schemes[i].text) ? &schemes[i] : scheme;
    }
    if (scheme == NULL) {
        return bad_url(parser, word, "is not a URL that weir can proxy to");
    }
    origin->scheme = scheme->scheme;
    rest = span_skip(rest, strlen(scheme->text));
    problem = take_authority(parser, &rest, substitutions, origin);
    if (problem != NULL) {
        return bad_url(parser, word, problem);
    }
    url->path = arena_copy(parser_arena(parser), rest);
    const char *name = origin->scheme == ORIGIN_HTTPS ? "https://" : "http://";
    origin->name = origin->unix_path != NULL
                       ? arena_printf(parser_arena(parser), "unix:%s|%s%s", origin->unix_path, name, origin->host_port)
                       : arena_printf(parser_arena(parser), "%s%s", name, origin->host_port);
    return true;
}

static bool same_parameters(const struct origin *a, const struct origin *b) {
    return a->timeout_ns == b->timeout_ns && a->connect_timeout_ns == b->connect_timeout_ns &&
           a->retry_ns == b->retry_ns && a->max_connections == b->max_connections && a->ttl_ns == b->ttl_ns &&
           a->keepalive == b->keepalive && a->disable_reuse == b->disable_reuse;
}

/* Origins are told apart by name at run time: a second one of the same URL says in its name what is different. */
static const char *distinct_name(struct parser *parser, const struct origin *origin) {
    const char *name =
        arena_printf(parser_arena(parser), "%s retry=%lld", origin->name, (long long)(origin->retry_ns / 1000000000));
    if (origin->timeout_ns > 0 || origin->connect_timeout_ns > 0) {
        name =
            arena_printf(parser_arena(parser), "%s timeout=%lldms connectiontimeout=%lldms", name,
                         (long long)(origin->timeout_ns / 1000000), (long long)(origin->connect_timeout_ns / 1000000));
    }
    if (origin->max_connections > 0 || origin->ttl_ns > 0) {
        name = arena_printf(parser_arena(parser), "%s max=%u ttl=%lld", name, origin->max_connections,
                            (long long)(origin->ttl_ns / 1000000000));
    }
    return arena_printf(parser_arena(parser), "%s%s%s", name, origin->keepalive ? " keepalive=On" : "",
                        origin->disable_reuse ? " disablereuse=On" : "");
}

/* Origins of one URL, told apart by their parameters. */
struct equal_url {
    const struct origin *origin;
    struct equal_url *next;
};

static const struct origin *add_origin(struct parser *parser, const struct origin *origin, const char *name) {
    struct config *config = parser_config(parser);
    struct origin *added = arena_alloc(parser_arena(parser), sizeof *added);
    *added = *origin;
    added->index = config->origin_count;
    added->name = name;
    const struct origin **origins =
        list_grow(parser_arena(parser), config->origins, config->origin_count, sizeof(struct origin *));
    origins[config->origin_count++] = added;
    config->origins = origins;
    return added;
}

const struct origin *origin_intern(struct parser *parser, const struct origin *origin) {
    const char *key = arena_printf(&parser->scratch, "%d %s:%u %s", (int)origin->scheme, origin->host,
                                   (unsigned)origin->port, origin->unix_path != NULL ? origin->unix_path : "");
    struct equal_url *first = text_index_find(&parser->origin_index, key);
    for (const struct equal_url *other = first; other != NULL; other = other->next) {
        if (same_parameters(other->origin, origin)) {
            return other->origin;
        }
    }
    struct equal_url *added = arena_alloc(&parser->scratch, sizeof *added);
    added->origin = add_origin(parser, origin, first != NULL ? distinct_name(parser, origin) : origin->name);
    if (first == NULL) {
        text_index_add(&parser->origin_index, &parser->scratch, key, added);
    } else {
        added->next = first->next;
        first->next = added;
    }
    return added->origin;
}

struct balancer *balancer_named(struct parser *parser, const char *name, const struct word *word, bool defines) {
    size_t position = (size_t)(uintptr_t)text_index_find(&parser->balancer_index, name);
    struct named_balancer *named = position > 0 ? &parser->balancers[position - 1] : NULL;
    if (named == NULL) {
        enum { SECOND_NS = 1000000000, INTERVAL_S = 30 };
        struct balancer *balancer = arena_alloc(parser_arena(parser), sizeof *balancer);
        *balancer = (struct balancer){.name = name,
                                      .health_interval_ns = (int64_t)INTERVAL_S * SECOND_NS,
                                      .health_passes = 1,
                                      .health_fails = 1,
                                      .index = parser->balancer_count,
                                      .place = word->place};
        struct named_balancer *list =
            list_grow(&parser->scratch, parser->balancers, parser->balancer_count, sizeof *list);
        parser->balancers = list;
        named = &list[parser->balancer_count++];
        text_index_add(&parser->balancer_index, &parser->scratch, name, (void *)(uintptr_t)parser->balancer_count);
        *named = (struct named_balancer){.balancer = balancer, .first_use = parser->use, .first_word = *word};
    }
    if (defines && !named->defined) {
        named->defined = true;
        named->balancer->place = word->place;
    }
    return named->balancer;
}
