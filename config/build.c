/* From what the lines said to the finished arrays of struct config. Called by config.c once the last line was read, and
 * by the parser for each new host; on the thread that loads. Apache's orders: the server's locations before the host's,
 * the host's ProxyPass lines before the server's, a host's own access logs instead of the server's. */
#include <stdlib.h>
#include <string.h>

#include "config/parser.h"

struct virtual_host *parser_add_host(struct parser *parser, const struct directive_use *use) {
    if (parser->host_count == parser->host_room) {
        parser->host_room = parser->host_room == 0 ? 16 : parser->host_room * 2;
        parser->hosts = must_realloc(parser->hosts, parser->host_room * sizeof *parser->hosts);
    }
    struct virtual_host *host = arena_alloc(parser_arena(parser), sizeof *host);
    host->name = "";
    host->is_main = use == NULL;
    host->index = parser->host_count;
    if (use != NULL) {
        host->place = use->name.place;
    } else {
        parser->config->server.log_level = LOG_LEVEL_NOTICE;
    }
    parser->hosts[parser->host_count++] = (struct host_build){.host = host, .use = use};
    return host;
}

struct host_build *parser_host_build(struct parser *parser, const struct virtual_host *host) {
    return &parser->hosts[host->index];
}

static void build_users_and_classes(struct parser *parser) {
    struct config *config = parser->config;
    struct arena *arena = parser_arena(parser);
    struct user_limits *users = arena_alloc(arena, (parser->user_count + 1) * sizeof *users);
    for (size_t i = 0; i < parser->user_count; i++) {
        users[i] = *parser->users[i];
        parser->users[i] = &users[i];
    }
    struct client_class *classes = arena_alloc(arena, (parser->class_count + 1) * sizeof *classes);
    for (size_t i = 0; i < parser->class_count; i++) {
        classes[i] = *parser->classes[i];
        parser->classes[i] = &classes[i];
    }
    config->users = users;
    config->user_count = parser->user_count;
    config->classes = classes;
    config->class_count = parser->class_count;
}

static void build_balancers(struct parser *parser) {
    struct config *config = parser->config;
    const struct balancer **balancers =
        arena_alloc(parser_arena(parser), (parser->balancer_count + 1) * sizeof(struct balancer *));
    for (size_t i = 0; i < parser->balancer_count; i++) {
        balancers[i] = parser->balancers[i].balancer;
    }
    config->balancers = balancers;
    config->balancer_count = parser->balancer_count;
}

/* Joins two lists of items into a new one. */
static void *joined(struct arena *arena, const void *first, size_t first_count, const void *second, size_t second_count,
                    size_t item_bytes) {
    char *items = arena_alloc(arena, (first_count + second_count + 1) * item_bytes);
    if (first_count > 0) {
        memcpy(items, first, first_count * item_bytes);
    }
    if (second_count > 0) {
        memcpy(items + first_count * item_bytes, second, second_count * item_bytes);
    }
    return items;
}

static void inherit_from_main(struct parser *parser, struct virtual_host *host,
                              const struct virtual_host *main_server) {
    struct arena *arena = parser_arena(parser);
    host->server_scope = &main_server->scope;
    if (main_server->location_count > 0) {
        host->locations = joined(arena, main_server->locations, main_server->location_count, host->locations,
                                 host->location_count, sizeof(struct location *));
        host->location_count += main_server->location_count;
    }
    if (main_server->proxy_pass_count > 0) {
        host->proxy_passes = joined(arena, host->proxy_passes, host->proxy_pass_count, main_server->proxy_passes,
                                    main_server->proxy_pass_count, sizeof(struct proxy_pass));
        host->proxy_pass_count += main_server->proxy_pass_count;
    }
    if (host->access_log_count == 0) {
        host->access_logs = main_server->access_logs;
        host->access_log_count = main_server->access_log_count;
    }
}

static void build_effective(struct parser *parser, struct virtual_host *host, const struct virtual_host *main_server) {
    host->effective = parser->defaults;
    settings_merge(&host->effective, &main_server->scope);
    if (!host->is_main) {
        settings_merge(&host->effective, &host->scope);
    }
}

static void build_hosts(struct parser *parser) {
    struct config *config = parser->config;
    const struct virtual_host **hosts =
        arena_alloc(parser_arena(parser), parser->host_count * sizeof(struct virtual_host *));
    const struct virtual_host *main_server = parser->hosts[0].host;
    for (size_t i = 0; i < parser->host_count; i++) {
        struct virtual_host *host = parser->hosts[i].host;
        hosts[i] = host;
        build_effective(parser, host, main_server);
        if (i > 0) {
            inherit_from_main(parser, host, main_server);
        }
    }
    config->hosts = hosts;
    config->host_count = parser->host_count;
}

/* ProxyPassReverse of a balancer stands for one of each of its members. */
static void expand_reverse_maps(struct parser *parser, struct settings *settings) {
    const struct reverse_map *said = settings->reverse_urls;
    size_t said_count = settings->reverse_url_count;
    struct reverse_map *maps = NULL;
    size_t count = 0;
    for (size_t i = 0; i < said_count; i++) {
        const struct balancer *balancer = NULL;
        size_t name_length = 0;
        for (size_t j = 0; j < parser->balancer_count && balancer == NULL; j++) {
            const char *name = parser->balancers[j].balancer->name;
            name_length = strlen(name);
            if (strncmp(said[i].from, name, name_length) == 0 &&
                (said[i].from[name_length] == '/' || said[i].from[name_length] == '\0')) {
                balancer = parser->balancers[j].balancer;
            }
        }
        size_t copies = balancer != NULL ? balancer->member_count : strncmp(said[i].from, "balancer:", 9) != 0;
        for (size_t j = 0; j < copies; j++) {
            maps = list_grow(parser_arena(parser), maps, count, sizeof *maps);
            maps[count] = said[i];
            if (balancer != NULL) {
                const struct origin *origin = balancer->members[j].origin;
                maps[count].from = arena_printf(
                    parser_arena(parser), "%s%s%s%s", origin->scheme == ORIGIN_HTTPS ? "https://" : "http://",
                    origin->host_port, balancer->members[j].path, said[i].from + name_length);
            }
            count++;
        }
    }
    settings->reverse_urls = maps;
    settings->reverse_url_count = count;
}

void config_build(struct parser *parser) {
    logs_finish(parser);
    for (size_t i = 0; i < parser->reverse_scope_count; i++) {
        bool again = false;
        for (size_t j = 0; j < i; j++) {
            again = again || parser->reverse_scopes[j] == parser->reverse_scopes[i];
        }
        if (!again) {
            expand_reverse_maps(parser, parser->reverse_scopes[i]);
        }
    }
    build_users_and_classes(parser);
    build_balancers(parser);
    build_hosts(parser);
    directives_cband_finish(parser);
    directives_dos_finish(parser);
    directives_tls_finish(parser);
}
