/* Routing: host, locations and their settings, then access rules, Redirect, SetHandler and ProxyPass in that order.
 * Called by the exchange on its worker; pure over the config.
 *
 * Invariant: every decision is made on normal_path. Nothing but written_path, which is the same path in the client's
 * spelling, or normal_path encoded again, is sent to an origin. */
#include "proxy/route.h"

#include "proxy/path.h"
#include "proxy/route_target.h"

enum { FIRST_SCOPES = 6, BAD_REQUEST = 400, FORBIDDEN = 403, NOT_FOUND = 404 };

struct scope_list {
    const struct settings **scopes;
    size_t count, capacity;
};

static void add_scope(struct scope_list *list, struct arena *arena, const struct settings *scope) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : (size_t)FIRST_SCOPES;
        const struct settings **larger = arena_alloc_raw(arena, capacity * sizeof(struct settings *));
        for (size_t i = 0; i < list->count; i++) {
            larger[i] = list->scopes[i];
        }
        list->scopes = larger;
        list->capacity = capacity;
    }
    list->scopes[list->count++] = scope;
}

static bool location_matches(const struct location *location, struct span path, struct pattern_scratch *scratch) {
    if (location->pattern != NULL) {
        return pattern_match(location->pattern, scratch, path, NULL);
    }
    return location->wildcard ? path_wildcard_match(span_of(location->path), path)
                              : path_has_prefix(path, span_of(location->path));
}

/* The host's values serve as they are until a location matches. */
static void apply_locations(struct route *route, struct scope_list *list, const struct route_request *request) {
    struct settings *merged = NULL;
    for (size_t i = 0; i < route->host->location_count; i++) {
        const struct location *location = route->host->locations[i];
        if (location_matches(location, route->normal_path, request->scratch)) {
            if (merged == NULL) {
                merged = arena_alloc_raw(request->arena, sizeof *merged);
                *merged = route->host->effective;
                route->settings = merged;
            }
            settings_merge(merged, &location->settings);
            add_scope(list, request->arena, &location->settings);
        }
    }
}

static bool is_asterisk(const struct request_head *head) {
    return span_equal(head->path, SPAN_LITERAL("*"));
}

void route_begin(struct route *route, const struct host_index *index, const struct route_request *request) {
    const struct request_head *head = request->head;
    const struct address_set *hosts = request->local_hosts != NULL
                                          ? request->local_hosts
                                          : host_index_set(index, &request->local_address, request->local_port);
    const struct virtual_host *host = host_index_find_in(index, hosts, head->host, request->scratch);
    *route = (struct route){.host = host, .settings = &host->effective};

    struct path_forms forms;
    if (is_asterisk(head) || head->path.len == 0) {
        route->normal_path = route->written_path = SPAN_LITERAL("/");
    } else if (path_parse(head->path, request->arena, &forms)) {
        route->normal_path = forms.decoded;
        route->written_path = forms.written;
    } else {
        route->normal_path = SPAN_LITERAL("/");
        route->written_path = SPAN_NONE;
    }

    struct scope_list list = {0};
    if (host->server_scope != NULL) {
        add_scope(&list, request->arena, host->server_scope);
    }
    add_scope(&list, request->arena, &host->scope);
    apply_locations(route, &list, request);
    route->scopes = list.scopes;
    route->scope_count = list.count;
}

static void answer_status(struct route *route, int status) {
    route->action = ROUTE_STATUS;
    route->status = status;
}

static bool search_redirects(struct route *route, const struct route_request *request, const struct settings *scope) {
    for (size_t i = 0; i < scope->redirect_count; i++) {
        const struct redirect *redirect = &scope->redirects[i];
        if (!redirect_target(route, request, redirect, &route->location)) {
            continue;
        }
        if (redirect->target == NULL) {
            answer_status(route, redirect->status);
        } else {
            route->action = ROUTE_REDIRECT;
            route->status = redirect->status;
        }
        return true;
    }
    return false;
}

static inline bool try_redirects(struct route *route, const struct route_request *request,
                                 const struct settings *scope) {
    return scope->redirect_count > 0 && search_redirects(route, request, scope);
}

/* Apache's order: the host's, the server's, then those of the locations, the last section first. */
static bool redirected(struct route *route, const struct route_request *request) {
    const struct virtual_host *host = route->host;
    if (try_redirects(route, request, &host->scope) ||
        (host->server_scope != NULL && try_redirects(route, request, host->server_scope))) {
        return true;
    }
    size_t outer = host->server_scope != NULL ? 2 : 1;
    for (size_t i = route->scope_count; i > outer; i--) {
        if (try_redirects(route, request, route->scopes[i - 1])) {
            return true;
        }
    }
    return false;
}

/* A location's ProxyPass comes before the host's list, of which the first that matches wins. */
static void choose_proxy_pass(struct route *route, const struct route_request *request) {
    const struct proxy_pass *pass = route->settings->proxy_pass;
    if (pass != NULL) {
        proxy_pass_target(route, request, pass, true, &route->target);
    }
    for (size_t i = 0; pass == NULL && i < route->host->proxy_pass_count; i++) {
        const struct proxy_pass *candidate = &route->host->proxy_passes[i];
        if (proxy_pass_target(route, request, candidate, false, &route->target)) {
            pass = candidate;
        }
    }
    if (pass == NULL || pass->exempt) {
        answer_status(route, NOT_FOUND);
        return;
    }
    route->action = ROUTE_PROXY;
    route->proxy_pass = pass;
    if (is_asterisk(request->head)) {
        route->target = request->head->path;
    }
}

void route_decide(struct route *route, const struct route_request *request) {
    if (route->written_path.len == 0) {
        answer_status(route, BAD_REQUEST);
    } else if (route->settings->access != NULL &&
               !access_allowed(route->settings->access, request->client, request->head->method)) {
        answer_status(route, FORBIDDEN);
    } else if (redirected(route, request)) {
        return;
    } else if (route->settings->handler != HANDLER_NONE) {
        route->action = ROUTE_HANDLER;
    } else {
        choose_proxy_pass(route, request);
    }
}
