/* ProxyPassReverse and its cookie forms: what an origin says about itself, in the client's terms. Called by headers.c
 * on workers; pure.
 *
 * Invariant: a value that no line covers passes unchanged, so a redirect to a third party stays one. */
#include <stdlib.h>

#include "proxy/headers.h"
#include "proxy/path.h"
#include "proxy/route_target.h"

struct url { /* "scheme://host:port/path"; the path with query and fragment, may be empty */
    struct span scheme, host, path;
    unsigned port; /* 0: not given and not known from the scheme */
};

static unsigned default_port(struct span scheme) {
    return span_equal_nocase(scheme, SPAN_LITERAL("https"))  ? 443
           : span_equal_nocase(scheme, SPAN_LITERAL("http")) ? 80
                                                             : 0;
}

static unsigned parse_port(struct span digits, unsigned otherwise) {
    unsigned port = 0;
    if (digits.len == 0 || digits.len > 5) {
        return otherwise;
    }
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9') {
            return otherwise;
        }
        port = port * 10 + (unsigned)(digits.ptr[i] - '0');
    }
    return port;
}

static const char *find(struct span text, const char *what) {
    return memmem(text.ptr, text.len, what, strlen(what)); /* never called with an empty `what` */
}

/* False for what has no scheme and authority. */
static bool parse_url(struct span text, struct url *url) {
    const char *mark = text.len > 0 ? find(text, "://") : NULL;
    if (mark == NULL || memchr(text.ptr, '/', (size_t)(mark - text.ptr)) != NULL) {
        return false;
    }
    url->scheme = (struct span){text.ptr, (size_t)(mark - text.ptr)};
    struct span rest = span_skip(text, url->scheme.len + 3);
    size_t length = 0;
    while (length < rest.len && strchr("/?#", rest.ptr[length]) == NULL) {
        length++;
    }
    url->host = (struct span){rest.ptr, length};
    url->path = span_skip(rest, length);
    url->port = default_port(url->scheme);
    const char *bracket = memchr(url->host.ptr, ']', url->host.len);
    size_t from = bracket != NULL ? (size_t)(bracket - url->host.ptr) : 0;
    const char *colon = memchr(url->host.ptr + from, ':', url->host.len - from);
    if (colon != NULL) {
        size_t host_length = (size_t)(colon - url->host.ptr);
        url->port = parse_port(span_skip(url->host, host_length + 1), url->port);
        url->host.len = host_length;
    }
    return true;
}

static bool same_server(const struct url *a, const struct url *b) {
    return a->port == b->port && span_equal_nocase(a->scheme, b->scheme) && span_equal_nocase(a->host, b->host);
}

/* "/app" covers "/app", "/app/x" and "/app?x"; "" and "/" cover everything. *rest is what follows. */
static bool covers(struct span prefix, struct span path, struct span *rest) {
    if (span_equal(prefix, SPAN_LITERAL("/")) && (path.len == 0 || path.ptr[0] != '/')) {
        prefix.len = 0;
    }
    if (!span_starts_with(path, prefix)) {
        return false;
    }
    *rest = span_skip(path, prefix.len);
    return prefix.len == 0 || prefix.ptr[prefix.len - 1] == '/' || rest->len == 0 ||
           strchr("/?#", rest->ptr[0]) != NULL;
}

/* `to` and the rest with exactly one slash between them where there has to be one. */
static struct span mapped(const struct header_context *context, const char *to, struct span from_path,
                          struct span rest) {
    size_t to_length = strlen(to);
    bool to_slash = to_length > 0 && to[to_length - 1] == '/';
    const char *between = "";
    if (to_slash && rest.len > 0 && rest.ptr[0] == '/') {
        rest = span_skip(rest, 1);
    } else if (!to_slash && rest.len > 0 && strchr("/?#", rest.ptr[0]) == NULL && from_path.len > 0) {
        between = "/";
    }
    struct span base = SPAN_NONE;
    if (strstr(to, "://") == NULL) {
        base = own_base_url(context->arena, context->request, context->route->host);
    }
    return span_of(arena_printf(context->arena, "%.*s%s%s%.*s", (int)base.len, base.len > 0 ? base.ptr : "", to,
                                between, (int)rest.len, rest.ptr));
}

/* Is the URL that of a member of the balancer that the request went to? The rest is its path behind the member's. */
static bool member_covers(const struct header_context *context, struct span name, const struct url *url,
                          struct span *path) {
    const struct proxy_pass *pass = context->route->proxy_pass;
    const struct balancer *balancer = pass != NULL ? pass->balancer : NULL;
    if (balancer == NULL || !span_equal_nocase(span_of(balancer->name), name)) {
        return false;
    }
    for (size_t i = 0; i < balancer->member_count; i++) {
        const struct origin *origin = balancer->members[i].origin;
        const struct url member = {.scheme = span_of(origin->scheme == ORIGIN_HTTPS ? "https" : "http"),
                                   .host = span_of(origin->host),
                                   .port = origin->port};
        struct url bare = *url;
        if (bare.host.len >= 2 && bare.host.ptr[0] == '[') {
            bare.host = (struct span){bare.host.ptr + 1, bare.host.len - 2};
        }
        struct span member_path = balancer->members[i].path != NULL ? span_of(balancer->members[i].path) : SPAN_NONE;
        if (same_server(&member, &bare) && covers(member_path, url->path, path)) {
            return true;
        }
    }
    return false;
}

static bool map_by_line(const struct header_context *context, const struct reverse_map *line, struct span text,
                        struct span *result) {
    struct url url;
    bool absolute = parse_url(text, &url);
    struct span from = span_of(line->from);
    struct span rest;
    if (from.len > 0 && from.ptr[0] == '/') {
        struct span path = absolute ? url.path : text;
        if (path.len == 0 || path.ptr[0] != '/' || !covers(from, path, &rest)) {
            return false;
        }
        *result = mapped(context, line->to, from, rest);
        return true;
    }
    struct url from_url;
    if (!absolute || !parse_url(from, &from_url)) {
        return false;
    }
    struct span path = url.path;
    if (span_equal_nocase(from_url.scheme, SPAN_LITERAL("balancer"))) {
        struct span name = {from.ptr, from.len - from_url.path.len};
        if (!member_covers(context, name, &url, &path)) {
            return false;
        }
    } else if (!same_server(&from_url, &url)) {
        return false;
    }
    if (!covers(from_url.path, path, &rest)) {
        return false;
    }
    *result = mapped(context, line->to, from_url.path, rest);
    return true;
}

struct span reverse_map_url(const struct header_context *context, struct span url) {
    struct span result;
    for (size_t i = 0; i < context->route->scope_count; i++) {
        const struct settings *scope = context->route->scopes[i];
        for (size_t j = 0; j < scope->reverse_url_count; j++) {
            if (map_by_line(context, &scope->reverse_urls[j], url, &result)) {
                return result;
            }
        }
    }
    return url;
}

/* --- cookies --- */

static struct span without_leading_dot(struct span domain) {
    return domain.len > 0 && domain.ptr[0] == '.' ? span_skip(domain, 1) : domain;
}

static bool map_domain(const struct header_context *context, struct span value, struct span *result) {
    for (size_t i = 0; i < context->route->scope_count; i++) {
        const struct settings *scope = context->route->scopes[i];
        for (size_t j = 0; j < scope->reverse_cookie_domain_count; j++) {
            const struct reverse_map *line = &scope->reverse_cookie_domains[j];
            if (span_equal_nocase(without_leading_dot(span_of(line->from)), without_leading_dot(value))) {
                *result = span_of(line->to);
                return true;
            }
        }
    }
    return false;
}

static bool map_path(const struct header_context *context, struct span value, struct span *result) {
    for (size_t i = 0; i < context->route->scope_count; i++) {
        const struct settings *scope = context->route->scopes[i];
        for (size_t j = 0; j < scope->reverse_cookie_path_count; j++) {
            const struct reverse_map *line = &scope->reverse_cookie_paths[j];
            struct span rest;
            if (!covers(span_of(line->from), value, &rest)) {
                continue;
            }
            size_t to_length = strlen(line->to);
            bool to_slash = to_length > 0 && line->to[to_length - 1] == '/';
            if (to_slash && rest.len > 0 && rest.ptr[0] == '/') {
                rest = span_skip(rest, 1);
            }
            bool between = !to_slash && rest.len > 0 && rest.ptr[0] != '/';
            *result = span_of(
                arena_printf(context->arena, "%s%s%.*s", line->to, between ? "/" : "", (int)rest.len, rest.ptr));
            return true;
        }
    }
    return false;
}

/* Maps the value of one attribute, "Path=/app". */
static bool map_attribute(const struct header_context *context, struct span attribute, struct span *mapped_value) {
    const char *equals = memchr(attribute.ptr, '=', attribute.len);
    if (equals == NULL) {
        return false;
    }
    struct span name = span_trim((struct span){attribute.ptr, (size_t)(equals - attribute.ptr)});
    struct span value = span_trim(span_skip(attribute, (size_t)(equals - attribute.ptr) + 1));
    if (span_equal_nocase(name, SPAN_LITERAL("domain"))) {
        return map_domain(context, value, mapped_value);
    }
    return span_equal_nocase(name, SPAN_LITERAL("path")) && map_path(context, value, mapped_value);
}

/* Replaces `part` of the cookie, returns the whole; *part is moved to the end of what was put in. */
static struct span replace(struct arena *arena, struct span cookie, struct span *rest, struct span part,
                           struct span name, struct span value) {
    size_t before = (size_t)(part.ptr - cookie.ptr);
    char *text = arena_printf(arena, "%.*s%.*s=%.*s%.*s", (int)before, cookie.ptr, (int)name.len, name.ptr,
                              (int)value.len, value.ptr, (int)(cookie.len - before - part.len), part.ptr + part.len);
    size_t length = before + name.len + 1 + value.len + (cookie.len - before - part.len);
    size_t done = before + name.len + 1 + value.len;
    *rest = (struct span){text + done, length - done};
    return (struct span){text, length};
}

static bool maps_cookies(const struct header_context *context) {
    for (size_t i = 0; i < context->route->scope_count; i++) {
        const struct settings *scope = context->route->scopes[i];
        if (scope->reverse_cookie_domain_count > 0 || scope->reverse_cookie_path_count > 0) {
            return true;
        }
    }
    return false;
}

struct span reverse_map_cookie(const struct header_context *context, struct span cookie) {
    if (cookie.len == 0 || !maps_cookies(context)) {
        return cookie;
    }
    const char *semicolon = memchr(cookie.ptr, ';', cookie.len);
    struct span rest = semicolon != NULL ? span_skip(cookie, (size_t)(semicolon - cookie.ptr)) : SPAN_NONE;
    while (rest.len > 0) { /* rest begins with ";" */
        struct span attribute = span_skip(rest, 1);
        const char *end = memchr(attribute.ptr, ';', attribute.len);
        attribute.len = end != NULL ? (size_t)(end - attribute.ptr) : attribute.len;
        rest = span_skip(rest, attribute.len + 1);
        struct span trimmed = span_trim(attribute);
        struct span value = SPAN_NONE;
        if (trimmed.len > 0 && map_attribute(context, trimmed, &value)) {
            const char *equals = memchr(trimmed.ptr, '=', trimmed.len);
            struct span name = {trimmed.ptr, (size_t)(equals - trimmed.ptr)};
            cookie = replace(context->arena, cookie, &rest, trimmed, name, value);
            if (rest.len > 0 && rest.ptr[0] != ';') {
                const char *next = memchr(rest.ptr, ';', rest.len);
                rest = next != NULL ? span_skip(rest, (size_t)(next - rest.ptr)) : SPAN_NONE;
            }
        }
    }
    return cookie;
}
