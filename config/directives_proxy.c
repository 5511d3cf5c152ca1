/* Where requests go: ProxyPass, <Proxy balancer://…> with its members, ProxyPassReverse. Read by directive.c; applied
 * by parser.c on the thread that loads. */
#include <string.h>
#include <strings.h>

#include "config/directive.h"
#include "config/origin_url.h"
#include "config/parser.h"

enum {
    SERVER_AND_HOST = CONTEXT_SERVER | CONTEXT_HOST,
    ANYWHERE = SERVER_AND_HOST | CONTEXT_LOCATION,
    MEMBER_RETRY_S = 60,
    SECOND_NS = 1000000000,
};

/* ---- ProxyPass ------------------------------------------------------------------------------------------------ */

static void warn_of_slashes(struct parser *parser, const struct word *path, const struct word *url,
                            const char *target_path) {
    bool path_ends = path->text[path->length - 1] == '/';
    size_t length = strlen(target_path);
    bool target_ends = length > 0 && target_path[length - 1] == '/';
    if (path->length > 1 && length > 0 && path_ends != target_ends) {
        parser_warn_at(parser, url, "let both end with /, or neither",
                       "\"%s\" and the URL's path \"%s\" do not end alike: /x would become %s", path->text, target_path,
                       target_ends ? "//x" : "x");
    }
}

/* Reads URL and parameters: the words from `first` on. False after an error. */
static bool read_target(struct parser *parser, const struct directive_use *use, size_t first, bool substitutions,
                        struct proxy_pass *pass) {
    const struct word *word = &use->arguments[first];
    if (strcmp(word->text, "!") == 0) {
        pass->exempt = true;
        if (use->argument_count > first + 1) {
            parser_error_at(parser, &use->arguments[first + 1], NULL, "nothing may follow \"!\"");
        }
        return true;
    }
    struct proxy_url url;
    if (!proxy_url_parse(parser, word, substitutions, &url)) {
        return false;
    }
    pass->target_path = url.path;
    struct balancer *balancer = NULL;
    if (url.balancer_name != NULL) {
        balancer = balancer_named(parser, url.balancer_name, word, false);
    }
    unsigned kinds = balancer != NULL ? PARAMETERS_OF_BALANCER : PARAMETERS_OF_ORIGIN;
    for (size_t i = first + 1; i < use->argument_count; i++) {
        proxy_parameter(parser, &use->arguments[i], kinds,
                        &(struct proxy_parameters){.origin = &url.origin, .balancer = balancer});
    }
    pass->balancer = balancer;
    pass->origin = balancer == NULL ? origin_intern(parser, &url.origin) : NULL;
    return true;
}

static void add_to_host(struct parser *parser, const struct proxy_pass *pass) {
    struct virtual_host *host = parser_scope(parser)->host;
    struct proxy_pass *passes =
        list_grow(parser_arena(parser), host->proxy_passes, host->proxy_pass_count, sizeof *passes);
    passes[host->proxy_pass_count++] = *pass;
    host->proxy_passes = passes;
}

static void set_in_location(struct parser *parser, const struct proxy_pass *pass) {
    struct settings *settings = parser_scope(parser)->settings;
    struct proxy_pass *copy = arena_alloc(parser_arena(parser), sizeof *copy);
    *copy = *pass;
    settings->proxy_pass = copy;
    settings->said |= UINT64_C(1) << SETTING_PROXY_PASS;
}

/* ProxyPass and ProxyPassMatch in a location: the path is the location's. */
static void proxy_pass_in_location(struct parser *parser, const struct directive_use *use) {
    const struct location *location = parser_scope(parser)->location;
    struct proxy_pass pass = {.path = location->path, .pattern = location->pattern, .place = use->name.place};
    if (use->arguments[0].text[0] == '/') {
        parser_error_at(parser, &use->arguments[0], "write ProxyPass url [key=value ...] here",
                        "the path is the location's: it is not written again");
        return;
    }
    if (location->wildcard) {
        parser_error_at(parser, NULL, "write <LocationMatch pattern>, or a path without wildcards",
                        "cannot tell which part of a path with wildcards it replaces");
        return;
    }
    if (read_target(parser, use, 0, location->pattern != NULL, &pass)) {
        if (pass.path != NULL && strcmp(pass.path, "/") == 0 && pass.target_path != NULL &&
            pass.target_path[0] == '\0') {
            pass.target_path = "/";
        }
        set_in_location(parser, &pass);
    }
}

static void apply_proxy_pass(struct parser *parser, const struct directive_use *use) {
    if (parser_scope(parser)->location != NULL) {
        proxy_pass_in_location(parser, use);
        return;
    }
    const struct word *path = &use->arguments[0];
    if (use->argument_count < 2) {
        parser_error_at(parser, NULL, "write ProxyPass path url [key=value ...]; without path only in a <Location>",
                        "an argument is missing");
        return;
    }
    if (path->text[0] != '/') {
        parser_error_at(parser, path, "write a path that begins with /, e.g. ProxyPass / http://127.0.0.1:8081/",
                        "\"%s\" is no path of a URL", path->text);
        return;
    }
    struct proxy_pass pass = {.path = path->text, .place = use->name.place};
    if (read_target(parser, use, 1, false, &pass)) {
        if (!pass.exempt) {
            bool bare = pass.target_path[0] == '\0' && path->text[path->length - 1] == '/';
            pass.target_path = bare ? "/" : pass.target_path;
            warn_of_slashes(parser, path, &use->arguments[1], pass.target_path);
        }
        add_to_host(parser, &pass);
    }
}

static void apply_proxy_pass_match(struct parser *parser, const struct directive_use *use) {
    if (parser_scope(parser)->location != NULL) {
        proxy_pass_in_location(parser, use);
        return;
    }
    if (use->argument_count < 2) {
        parser_error_at(parser, NULL, "write ProxyPassMatch pattern url [key=value ...]", "an argument is missing");
        return;
    }
    struct proxy_pass pass = {.place = use->name.place};
    pass.pattern = parser_pattern(parser, &use->arguments[0], use->arguments[0].text, false);
    if (read_target(parser, use, 1, true, &pass) && pass.pattern != NULL) {
        add_to_host(parser, &pass);
    }
}

/* ---- <Proxy>, BalancerMember, ProxySet ------------------------------------------------------------------------ */

static void open_proxy(struct parser *parser, const struct directive_use *use) {
    const struct word *word = &use->arguments[0];
    struct scope *scope = parser_scope(parser);
    if (strcmp(word->text, "*") == 0) {
        parser_add_location(parser, use); /* all that is proxied: rules for the path / and below */
        return;
    }
    struct proxy_url url;
    const char *name = "balancer://";
    if (strncasecmp(word->text, "balancer://", 11) != 0) {
        parser_error_at(parser, word, "write <Proxy balancer://name>, or <Location> for rules about paths",
                        "\"%s\" is no balancer", word->text);
    } else if (proxy_url_parse(parser, word, false, &url)) {
        name = url.balancer_name;
    }
    scope->context = CONTEXT_BALANCER;
    scope->settings = NULL;
    scope->balancer = balancer_named(parser, name, word, true);
}

/* The balancer that a line is about: the section's, or the one its first argument names. NULL after an error. */
static struct balancer *balancer_of(struct parser *parser, const struct directive_use *use, size_t *next) {
    struct balancer *balancer = parser_scope(parser)->balancer;
    *next = 0;
    if (balancer != NULL) {
        return balancer;
    }
    struct proxy_url url;
    const struct word *word = &use->arguments[0];
    if (strncasecmp(word->text, "balancer://", 11) != 0) {
        parser_error_at(parser, word, "write it inside <Proxy balancer://name>", "\"%s\" is no balancer", word->text);
        return NULL;
    }
    *next = 1;
    return proxy_url_parse(parser, word, false, &url) ? balancer_named(parser, url.balancer_name, word, true) : NULL;
}

static void apply_balancer_member(struct parser *parser, const struct directive_use *use) {
    size_t next = 0;
    struct balancer *balancer = balancer_of(parser, use, &next);
    struct proxy_url url;
    if (balancer == NULL) {
        return;
    }
    if (next == use->argument_count) {
        parser_error_at(parser, NULL, "write BalancerMember url [key=value ...]", "an argument is missing");
        return;
    }
    const struct word *word = &use->arguments[next];
    if (!proxy_url_parse(parser, word, false, &url)) {
        return;
    }
    if (url.balancer_name != NULL) {
        parser_error_at(parser, word, "write the URL of a server", "a balancer cannot be the member of a balancer");
        return;
    }
    struct balancer_member member = {.path = url.path, .load_factor_x100 = 100, .index = balancer->member_count};
    url.origin.retry_ns = (int64_t)MEMBER_RETRY_S * SECOND_NS;
    for (size_t i = next + 1; i < use->argument_count; i++) {
        proxy_parameter(parser, &use->arguments[i], PARAMETERS_OF_MEMBER,
                        &(struct proxy_parameters){.origin = &url.origin, .member = &member, .balancer = balancer});
    }
    member.origin = origin_intern(parser, &url.origin);
    struct balancer_member *members =
        list_grow(parser_arena(parser), balancer->members, balancer->member_count, sizeof *members);
    members[balancer->member_count++] = member;
    balancer->members = members;
}

static void apply_proxy_set(struct parser *parser, const struct directive_use *use) {
    size_t next = 0;
    struct balancer *balancer = balancer_of(parser, use, &next);
    for (size_t i = next; balancer != NULL && i < use->argument_count; i++) {
        proxy_parameter(parser, &use->arguments[i], PARAMETERS_OF_BALANCER,
                        &(struct proxy_parameters){.balancer = balancer});
    }
}

static void after_health_uri(struct parser *parser, const struct directive_use *use) {
    if (use->arguments[0].text[0] != '/' || strpbrk(use->arguments[0].text, " \t#") != NULL) {
        parser_error_at(parser, &use->arguments[0], "write a path that begins with /", "\"%s\" is no path of a URL",
                        use->arguments[0].text);
    }
}

/* ---- ProxyPassReverse ----------------------------------------------------------------------------------------- */

static void add_map(struct parser *parser, const struct reverse_map **maps, size_t *count, const char *from,
                    const char *to) {
    struct reverse_map *grown = list_grow(parser_arena(parser), *maps, *count, sizeof *grown);
    grown[(*count)++] = (struct reverse_map){.from = from, .to = to};
    *maps = grown;
}

static void apply_reverse(struct parser *parser, const struct directive_use *use) {
    struct scope *scope = parser_scope(parser);
    struct settings *settings = scope->settings;
    size_t count = use->argument_count;
    if (count > 1 && strcasecmp(use->arguments[count - 1].text, "interpolate") == 0) {
        parser_warn_at(parser, &use->arguments[count - 1], NULL, "\"interpolate\" has no effect in weir");
        count--;
    }
    const char *path = count == 2 ? use->arguments[0].text : scope->location != NULL ? scope->location->path : NULL;
    if (count > 2 || path == NULL || path[0] != '/') {
        parser_error_at(parser, NULL, "write ProxyPassReverse path url; without path only in a <Location path>",
                        "there is no path to map to");
        return;
    }
    const struct word *word = &use->arguments[count - 1];
    struct proxy_url url;
    bool good = proxy_url_parse(parser, word, false, &url);
    if (!good) {
        return;
    }
    const char *scheme = url.origin.scheme == ORIGIN_HTTPS ? "https://" : "http://";
    const char *from = url.balancer_name != NULL
                           ? arena_printf(parser_arena(parser), "%s%s", url.balancer_name, url.path)
                           : arena_printf(parser_arena(parser), "%s%s%s", scheme, url.origin.host_port, url.path);
    add_map(parser, &settings->reverse_urls, &settings->reverse_url_count, from, path);
    if (url.balancer_name != NULL) {
        struct settings **scopes =
            list_grow(&parser->scratch, parser->reverse_scopes, parser->reverse_scope_count, sizeof(struct settings *));
        scopes[parser->reverse_scope_count++] = settings;
        parser->reverse_scopes = scopes;
    }
}

static void apply_reverse_cookie_domain(struct parser *parser, const struct directive_use *use) {
    struct settings *settings = parser_scope(parser)->settings;
    add_map(parser, &settings->reverse_cookie_domains, &settings->reverse_cookie_domain_count, use->arguments[0].text,
            use->arguments[1].text);
}

static void apply_reverse_cookie_path(struct parser *parser, const struct directive_use *use) {
    struct settings *settings = parser_scope(parser)->settings;
    add_map(parser, &settings->reverse_cookie_paths, &settings->reverse_cookie_path_count, use->arguments[0].text,
            use->arguments[1].text);
}

/* ---- rows ----------------------------------------------------------------------------------------------------- */

static void apply_proxy_requests(struct parser *parser, const struct directive_use *use) {
    const struct word *word = &use->arguments[0];
    if (strcasecmp(word->text, "on") == 0) {
        parser_error_at(parser, word, "write Off, or leave the line out", "weir is no forward proxy");
    } else if (strcasecmp(word->text, "off") != 0) {
        parser_error_at(parser, word, "write Off", "\"%s\" is neither On nor Off", word->text);
    }
}

static const struct choice via_words[] = {
    {"Off", VIA_OFF}, {"On", VIA_ON}, {"Full", VIA_FULL}, {"Block", VIA_BLOCK}, {NULL, 0}};

#define OWN_ROW(name_, contexts_, least_, most_, apply_, syntax_, help_)                                               \
    .name = (name_), .contexts = (contexts_), .minimum_arguments = (least_), .maximum_arguments = (most_),             \
    .repeated = true, .apply = (apply_), .syntax = (syntax_), .help = (help_)

#define BALANCER_ROW(name_, kind_, field_, syntax_, default_, help_)                                                   \
    .name = (name_), .contexts = CONTEXT_BALANCER, .minimum_arguments = 1, .maximum_arguments = 1, .kind = (kind_),    \
    IN_BALANCER(field_), .syntax = (syntax_), .default_text = (default_), .help = (help_)

#define SETTING_ROW(name_, contexts_, kind_, field_, bit_, syntax_, default_, help_)                                   \
    .name = (name_), .contexts = (contexts_), .minimum_arguments = 1, .maximum_arguments = 1, .kind = (kind_),         \
    IN_SETTINGS(field_, bit_), .syntax = (syntax_), .default_text = (default_), .help = (help_)

const struct directive directives_proxy[] = {
    {OWN_ROW(
        "ProxyPass", ANYWHERE, 1, MANY_ARGUMENTS, apply_proxy_pass, "path url|! [key=value ...]",
        "Sends the requests for a path to an origin; the first line that matches wins; in a location without path")},
    {OWN_ROW("ProxyPassMatch", ANYWHERE, 1, MANY_ARGUMENTS, apply_proxy_pass_match, "pattern url|! [key=value ...]",
             "The same for paths that a regular expression matches; the url may hold $1 to $9")},
    {.name = "Proxy",
     .contexts = SERVER_AND_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .section = true,
     .apply = open_proxy,
     .syntax = "balancer://name",
     .help = "Several origins that share the requests; <Proxy *> is a <Location /> for rules"},
    {OWN_ROW("BalancerMember", SERVER_AND_HOST | CONTEXT_BALANCER, 1, MANY_ARGUMENTS, apply_balancer_member,
             "url [loadfactor=n] [route=name] [status=+H] [key=value ...]", "One origin of a balancer")},
    {OWN_ROW("ProxySet", SERVER_AND_HOST | CONTEXT_BALANCER, 1, MANY_ARGUMENTS, apply_proxy_set,
             "lbmethod=byrequests|bybusyness stickysession=COOKIE",
             "How a balancer chooses, and the cookie whose end names the member's route")},
    {BALANCER_ROW("ProxyHCUri", VALUE_TEXT, health_path, "path", "(no active checks)",
                  "The path that is asked of each member to see whether it is well"),
     .apply = after_health_uri},
    {BALANCER_ROW("ProxyHCInterval", VALUE_DURATION, health_interval_ns, "seconds", "30", "Time between two checks"),
     .minimum = 1, .maximum = 86400},
    {BALANCER_ROW("ProxyHCPasses", VALUE_UNSIGNED, health_passes, "n", "1",
                  "Good answers in a row that bring a member back"),
     .minimum = 1, .maximum = 1000},
    {BALANCER_ROW("ProxyHCFails", VALUE_UNSIGNED, health_fails, "n", "1",
                  "Bad answers in a row that take a member out"),
     .minimum = 1, .maximum = 1000},
    {OWN_ROW("ProxyPassReverse", ANYWHERE, 1, 3, apply_reverse, "path url",
             "Changes an origin's own URL in Location, Content-Location and URI fields to this host's")},
    {OWN_ROW("ProxyPassReverseCookieDomain", ANYWHERE, 2, 3, apply_reverse_cookie_domain, "origin's host's",
             "Changes the domain of cookies")},
    {OWN_ROW("ProxyPassReverseCookiePath", ANYWHERE, 2, 3, apply_reverse_cookie_path, "origin's host's",
             "Changes the path of cookies")},
    {SETTING_ROW("ProxyPreserveHost", ANYWHERE, VALUE_ON_OFF, preserve_host, SETTING_PRESERVE_HOST, "On|Off", "On",
                 "Sends the client's Host to the origin; Off sends the origin's own name")},
    {SETTING_ROW("ProxyTimeout", SERVER_AND_HOST, VALUE_DURATION, proxy_timeout_ns, SETTING_PROXY_TIMEOUT, "seconds",
                 "(TimeOut)", "How long weir waits for an origin"),
     .minimum = 1, .maximum = 86400 * 7},
    {SETTING_ROW("ProxyAddHeaders", ANYWHERE, VALUE_ON_OFF, add_headers, SETTING_ADD_HEADERS, "On|Off", "On",
                 "Tells the origin about the client in X-Forwarded-For, -Host and -Proto")},
    {SETTING_ROW("ProxyVia", SERVER_AND_HOST, VALUE_CHOICE, via, SETTING_VIA, "On|Off|Full|Block", "Off",
                 "Adds weir to the Via field; Block removes the field"),
     .choices = via_words},
    {.name = "ProxyRequests",
     .contexts = SERVER_AND_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .apply = apply_proxy_requests,
     .syntax = "Off",
     .default_text = "Off",
     .help = "Accepted as Off: weir is no forward proxy"},
};
const size_t directives_proxy_count = sizeof directives_proxy / sizeof directives_proxy[0];
