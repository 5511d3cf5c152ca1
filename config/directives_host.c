/* Virtual hosts and locations: <VirtualHost>, the names of a host, <Location>. Read by directive.c; applied by parser.c
 * on the thread that loads. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/directive.h"
#include "config/endpoint.h"
#include "config/parser.h"
#include "config/simple_value.h"

/* ---- <VirtualHost> -------------------------------------------------------------------------------------------- */

static void open_virtual_host(struct parser *parser, const struct directive_use *use) {
    struct virtual_host *host = parser_add_host(parser, use);
    struct host_address *addresses = arena_alloc(parser_arena(parser), use->argument_count * sizeof *addresses);
    for (size_t i = 0; i < use->argument_count; i++) {
        const struct word *word = &use->arguments[i];
        struct host_address *address = &addresses[host->address_count];
        const char *problem =
            endpoint_parse((struct span){word->text, word->length}, &address->address, &address->port);
        if (problem != NULL) {
            parser_error_at(parser, word, "write *:80, 192.0.2.1:80 or [2001:db8::1]:80; names belong into ServerName",
                            "\"%s\" %s", word->text, problem);
        } else {
            host->address_count++;
        }
    }
    host->addresses = addresses;
    struct scope *scope = parser_scope(parser);
    scope->context = CONTEXT_HOST;
    scope->host = host;
    scope->settings = &host->scope;
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

/* Letters, digits, '-', '.', '_'; with wildcards '*' and '?' too; or an address. */
static bool is_host_name(struct span text, bool wildcards) {
    struct ip_address address;
    if (text.len > 1 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']') {
        return ip_address_parse((struct span){text.ptr + 1, text.len - 2}, &address);
    }
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        bool plain = isalnum((unsigned char)byte) != 0 || byte == '-' || byte == '.' || byte == '_';
        if (!plain && !(wildcards && (byte == '*' || byte == '?'))) {
            return false;
        }
    }
    return text.len > 0 && text.len <= 253;
}

static void apply_server_name(struct parser *parser, const struct directive_use *use) {
    const struct word *word = &use->arguments[0];
    struct span name = {word->text, word->length};
    const char *scheme_end = strstr(word->text, "://");
    if (scheme_end != NULL) {
        name = span_skip(name, (size_t)(scheme_end - word->text) + 3);
    }
    uint64_t port = 0;
    const char *colon = memrchr(name.ptr, ':', name.len);
    const char *bracket = memrchr(name.ptr, ']', name.len);
    bool good_port = true;
    if (colon != NULL && (bracket == NULL || colon > bracket)) {
        size_t length = (size_t)(colon - name.ptr);
        good_port = simple_unsigned(span_skip(name, length + 1), 1, 65535, &port);
        name.len = length;
    }
    if (!good_port || !is_host_name(name, false)) {
        parser_error_at(parser, word, "write a host's name, e.g. www.example.org or www.example.org:8080",
                        "\"%s\" is no name of a host", word->text);
        return;
    }
    struct virtual_host *host = parser_scope(parser)->host;
    host->name = arena_copy(parser_arena(parser), name);
    host->port = (uint16_t)port;
    parser_host_build(parser, host)->server_name = use;
}

static void apply_server_alias(struct parser *parser, const struct directive_use *use) {
    struct virtual_host *host = parser_scope(parser)->host;
    for (size_t i = 0; i < use->argument_count; i++) {
        const struct word *word = &use->arguments[i];
        if (!is_host_name((struct span){word->text, word->length}, true)) {
            parser_error_at(parser, word, "write host names without port; * and ? may stand in them",
                            "\"%s\" is no name of a host", word->text);
            continue;
        }
        const char **aliases = list_grow(parser_arena(parser), host->aliases, host->alias_count, sizeof(char *));
        aliases[host->alias_count++] = word->text;
        host->aliases = aliases;
    }
}

static void apply_server_alias_match(struct parser *parser, const struct directive_use *use) {
    struct virtual_host *host = parser_scope(parser)->host;
    for (size_t i = 0; i < use->argument_count; i++) {
        const struct pattern *pattern = parser_pattern(parser, &use->arguments[i], use->arguments[i].text, true);
        if (pattern != NULL) {
            const struct pattern **patterns = list_grow(parser_arena(parser), host->alias_patterns,
                                                        host->alias_pattern_count, sizeof(struct pattern *));
            patterns[host->alias_pattern_count++] = pattern;
            host->alias_patterns = patterns;
        }
    }
}

/* ---- <Location> ----------------------------------------------------------------------------------------------- */

struct location *parser_add_location(struct parser *parser, const struct directive_use *use) {
    struct scope *scope = parser_scope(parser);
    struct virtual_host *host = scope->host;
    struct location *location = arena_alloc(parser_arena(parser), sizeof *location);
    location->path = "/";
    location->place = use->name.place;
    const struct location **locations =
        list_grow(parser_arena(parser), host->locations, host->location_count, sizeof(struct location *));
    locations[host->location_count++] = location;
    host->locations = locations;
    scope->context = CONTEXT_LOCATION;
    scope->location = location;
    scope->settings = &location->settings;
    return location;
}

static void set_location_pattern(struct parser *parser, struct location *location, const struct word *word) {
    location->path = NULL;
    location->pattern = parser_pattern(parser, word, word->text, false);
}

static void open_location(struct parser *parser, const struct directive_use *use) {
    struct location *location = parser_add_location(parser, use);
    const struct word *word = &use->arguments[0];
    if (use->argument_count == 2) {
        if (strcmp(word->text, "~") != 0) {
            parser_error_at(parser, &use->arguments[1], "write <Location ~ pattern>, or quote a path that has spaces",
                            "too many arguments");
            return;
        }
        set_location_pattern(parser, location, &use->arguments[1]);
        return;
    }
    if (word->text[0] != '/' && word->text[0] != '*') {
        parser_error_at(parser, word, "write a path that begins with /, e.g. <Location /downloads>",
                        "\"%s\" is no path of a URL", word->text);
        return;
    }
    location->path = word->text;
    location->wildcard = strpbrk(word->text, "*?[") != NULL;
}

static void open_location_match(struct parser *parser, const struct directive_use *use) {
    set_location_pattern(parser, parser_add_location(parser, use), &use->arguments[0]);
}

const struct directive directives_host[] = {
    {.name = "VirtualHost",
     .contexts = CONTEXT_SERVER,
     .minimum_arguments = 1,
     .maximum_arguments = MANY_ARGUMENTS,
     .section = true,
     .apply = open_virtual_host,
     .syntax = "address[:port] ...",
     .help = "A host of its own, chosen by the address that was connected to and the name that was asked for"},
    {.name = "ServerName",
     .contexts = CONTEXT_SERVER | CONTEXT_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .apply = apply_server_name,
     .syntax = "[scheme://]name[:port]",
     .help = "The name of the host"},
    {.name = "ServerAlias",
     .contexts = CONTEXT_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = MANY_ARGUMENTS,
     .repeated = true,
     .apply = apply_server_alias,
     .syntax = "name ...",
     .help = "More names of the host; * stands for any run of characters, ? for one"},
    {.name = "ServerAliasMatch",
     .contexts = CONTEXT_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = MANY_ARGUMENTS,
     .repeated = true,
     .apply = apply_server_alias_match,
     .syntax = "pattern ...",
     .help = "More names of the host, as regular expressions"},
    {.name = "Location",
     .contexts = CONTEXT_SERVER | CONTEXT_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = 2,
     .section = true,
     .apply = open_location,
     .syntax = "path|~ pattern",
     .help = "What holds for the URLs below a path; sections that match apply in file order, later over earlier"},
    {.name = "LocationMatch",
     .contexts = CONTEXT_SERVER | CONTEXT_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .section = true,
     .apply = open_location_match,
     .syntax = "pattern",
     .help = "What holds for the URLs whose path a regular expression matches"},
};
const size_t directives_host_count = sizeof directives_host / sizeof directives_host[0];
