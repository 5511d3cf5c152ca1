/* Builds targets and Locations. Called by route.c and reverse_map.c on workers; pure.
 *
 * Invariant: a part of the client's path that gets into a target is either as the client wrote it, behind a prefix that
 * the client wrote literally, or encoded anew from the decoded path; so what is sent means what was matched. */
#include "proxy/route_target.h"

#include "proxy/path.h"

static struct span join(struct arena *arena, const struct span *parts, size_t count) {
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        length += parts[i].len;
    }
    char *text = arena_alloc_raw(arena, length + 1);
    size_t filled = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            memcpy(text + filled, parts[i].ptr, parts[i].len);
            filled += parts[i].len;
        }
    }
    text[length] = '\0';
    return (struct span){text, length};
}

static bool ends_in_slash(struct span text) {
    return text.len > 0 && text.ptr[text.len - 1] == '/';
}

/* The path behind the prefix, ready to be sent. The prefix covers normal_path. */
static struct span rest_of_path(const struct route *route, struct arena *arena, struct span prefix) {
    if (path_has_prefix(route->written_path, prefix)) {
        return span_skip(route->written_path, prefix.len);
    }
    return path_encode(span_skip(route->normal_path, prefix.len), arena);
}

/* base and rest with one slash between where both bring one, and a slash before it all. */
static struct span join_path(struct arena *arena, struct span base, struct span rest) {
    if (ends_in_slash(base) && rest.len > 0 && rest.ptr[0] == '/') {
        rest = span_skip(rest, 1);
    }
    bool rooted = base.len > 0 ? base.ptr[0] == '/' : rest.len > 0 && rest.ptr[0] == '/';
    if (rooted && base.len == 0) {
        return rest;
    }
    return join(arena, (struct span[]){rooted ? SPAN_NONE : SPAN_LITERAL("/"), base, rest}, 3);
}

/* A redirect's target and the rest of the path. A target that ends with its authority gets a "/", so that
 * "Redirect / https://example.net" cannot be made to lead to "https://example.net.evil.example" by a request for
 * "/.evil.example". */
static struct span join_location(struct arena *arena, const char *target, struct span rest) {
    struct span base = span_of(target);
    bool rest_rooted = rest.len > 0 && rest.ptr[0] == '/';
    if (ends_in_slash(base) && rest_rooted) {
        rest = span_skip(rest, 1);
    }
    const char *authority = strstr(target, "://");
    bool bare = authority != NULL && strpbrk(authority + 3, "/?#") == NULL && rest.len > 0 && !rest_rooted;
    return join(arena, (struct span[]){base, bare ? SPAN_LITERAL("/") : SPAN_NONE, rest}, 3);
}

static struct span with_query(struct arena *arena, struct span path, struct span query) {
    if (query.ptr == NULL) {
        return path;
    }
    bool has_query = path.len > 0 && memchr(path.ptr, '?', path.len) != NULL;
    return join(arena, (struct span[]){path, has_query ? SPAN_LITERAL("&") : SPAN_LITERAL("?"), query}, 3);
}

/* The client's own path and query without a copy, when they lie side by side as in every origin-form target. */
static struct span untouched_target(const struct route *route, const struct route_request *request) {
    struct span path = request->head->path;
    struct span query = request->head->query;
    if (route->written_path.ptr != path.ptr) {
        path = route->written_path;
    } else if (query.ptr != NULL && query.ptr == path.ptr + path.len + 1) {
        return (struct span){path.ptr, path.len + 1 + query.len};
    }
    return with_query(request->arena, path, query);
}

static bool is_root(const char *path) {
    return path[0] == '/' && path[1] == '\0';
}

static bool prefix_target(const struct route *route, const struct route_request *request, const char *prefix_text,
                          const char *base_text, struct span *target) {
    struct span prefix = span_of(prefix_text);
    struct span base = span_of(base_text);
    if (!path_has_prefix(route->normal_path, prefix)) {
        return false;
    }
    bool literal = route->written_path.ptr == route->normal_path.ptr || path_has_prefix(route->written_path, prefix);
    bool same = span_equal(prefix, base) || (base.len == 0 && span_equal(prefix, SPAN_LITERAL("/")));
    if (same && literal && prefix.len > 0) {
        *target = untouched_target(route, request);
    } else {
        struct span path = join_path(request->arena, base, rest_of_path(route, request->arena, prefix));
        *target = with_query(request->arena, path, request->head->query);
    }
    return true;
}

/* Expands $1 … in text by groups of the decoded path, each encoded again. */
static struct span expand(struct arena *arena, const char *text, const struct pattern_match *match) {
    struct pattern_match encoded = *match;
    for (size_t i = 0; i < PATTERN_GROUPS && i < match->count; i++) {
        if (match->group[i].ptr != NULL) {
            encoded.group[i] = path_encode(match->group[i], arena);
        }
    }
    return pattern_expand(arena, text, &encoded);
}

static bool pattern_target(const struct route *route, const struct route_request *request,
                           const struct proxy_pass *pass, struct span *target) {
    struct pattern_match match;
    if (!pattern_match(pass->pattern, request->scratch, route->normal_path, &match)) {
        return false;
    }
    if (pass->target_path == NULL || pass->target_path[0] == '\0') {
        *target = untouched_target(route, request);
        return true;
    }
    struct span path = expand(request->arena, pass->target_path, &match);
    *target = with_query(request->arena, join_path(request->arena, path, SPAN_NONE), request->head->query);
    return true;
}

__attribute__((noinline)) static bool matched_target(const struct route *route, const struct route_request *request,
                                                     const struct proxy_pass *pass, bool of_location,
                                                     struct span *target) {
    const char *base = pass->target_path != NULL ? pass->target_path : "";
    if (pass->pattern != NULL) {
        if (pattern_target(route, request, pass, target)) {
            return true;
        }
    } else if (pass->path != NULL && prefix_target(route, request, pass->path, base, target)) {
        return true;
    }
    return of_location && prefix_target(route, request, "", base, target);
}

bool proxy_pass_target(const struct route *route, const struct route_request *request, const struct proxy_pass *pass,
                       bool of_location, struct span *target) {
    const char *base = pass->target_path != NULL ? pass->target_path : "";
    if (pass->path != NULL && is_root(pass->path) && (is_root(base) || base[0] == '\0')) {
        *target = untouched_target(route, request); /* by far the most common line: ProxyPass / http://origin/ */
        return true;
    }
    return matched_target(route, request, pass, of_location, target);
}

struct span route_member_target(struct arena *arena, const struct balancer_member *member, struct span target) {
    struct span path = member->path != NULL ? span_of(member->path) : SPAN_NONE;
    if (path.len == 0 || span_equal(path, SPAN_LITERAL("/")) || target.len == 0 || target.ptr[0] != '/') {
        return target;
    }
    return join_path(arena, path, target);
}

struct span own_base_url(struct arena *arena, const struct request_head *head, const struct virtual_host *host) {
    struct span authority = head->host;
    if (authority.len == 0) {
        authority = host->name != NULL && host->name[0] != '\0' ? span_of(host->name) : SPAN_LITERAL("localhost");
    }
    return join(arena, (struct span[]){head->scheme, SPAN_LITERAL("://"), authority}, 3);
}

/* The path of a redirect's target for this request; false when the line does not match. */
static bool redirect_matches(const struct route *route, const struct route_request *request,
                             const struct redirect *redirect, struct span *location) {
    if (redirect->pattern != NULL) {
        struct pattern_match match;
        if (!pattern_match(redirect->pattern, request->scratch, route->normal_path, &match)) {
            return false;
        }
        *location = redirect->target != NULL ? expand(request->arena, redirect->target, &match) : SPAN_NONE;
        return true;
    }
    struct span prefix = redirect->path != NULL ? span_of(redirect->path) : route->normal_path;
    if (!path_has_prefix(route->normal_path, prefix)) {
        return false;
    }
    *location = SPAN_NONE;
    if (redirect->target != NULL) {
        *location = redirect->path == NULL
                        ? span_of(redirect->target)
                        : join_location(request->arena, redirect->target, rest_of_path(route, request->arena, prefix));
    }
    return true;
}

bool redirect_target(const struct route *route, const struct route_request *request, const struct redirect *redirect,
                     struct span *location) {
    if (!redirect_matches(route, request, redirect, location)) {
        return false;
    }
    if (location->ptr == NULL) {
        return true;
    }
    struct arena *arena = request->arena;
    if (request->head->query.ptr != NULL && memchr(location->ptr, '?', location->len) == NULL) {
        *location = with_query(arena, *location, request->head->query);
    }
    if (location->len > 0 && location->ptr[0] == '/') {
        *location = join(arena, (struct span[]){own_base_url(arena, request->head, route->host), *location}, 2);
    }
    return true;
}
