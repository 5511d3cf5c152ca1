/* Directives that act on the reading of the files: Include, Define and the sections whose lines are read only when a
 * condition holds. Applied by parser.c while it reads. */
#include "config/parser.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    EVERYWHERE = CONTEXT_SERVER | CONTEXT_HOST | CONTEXT_LOCATION | CONTEXT_BALANCER | CONTEXT_USER | CONTEXT_CLASS |
                 CONTEXT_ACCESS
};

static void apply_include(struct parser *parser, const struct directive_use *use) {
    parser_include(parser, &use->arguments[0], false);
}

static void apply_include_optional(struct parser *parser, const struct directive_use *use) {
    parser_include(parser, &use->arguments[0], true);
}

static void apply_define(struct parser *parser, const struct directive_use *use) {
    const struct word *name = &use->arguments[0];
    if (name->length == 0 || strpbrk(name->text, ":{}$") != NULL) {
        parser_error_at(parser, name, NULL, "\"%s\" is no name of a variable", name->text);
        return;
    }
    variable_define(parser, name->text, use->argument_count > 1 ? use->arguments[1].text : "");
}

static void apply_undefine(struct parser *parser, const struct directive_use *use) {
    variable_undefine(parser, use->arguments[0].text);
}

/* ---- conditions ----------------------------------------------------------------------------------------------- */

/* Modules of Apache whose directives weir knows, by file and by identifier. */
static const char *const modules[] = {
    "mod_cband.c",
    "cband_module",
    "mod_evasive.c",
    "mod_evasive20.c",
    "mod_evasive24.c",
    "evasive_module",
    "evasive20_module",
    "evasive24_module",
    "mod_proxy.c",
    "proxy_module",
    "mod_proxy_http.c",
    "proxy_http_module",
    "mod_proxy_balancer.c",
    "proxy_balancer_module",
    "mod_proxy_hcheck.c",
    "proxy_hcheck_module",
    "mod_proxy_wstunnel.c",
    "proxy_wstunnel_module",
    "mod_lbmethod_byrequests.c",
    "lbmethod_byrequests_module",
    "mod_lbmethod_bybusyness.c",
    "lbmethod_bybusyness_module",
    "mod_headers.c",
    "headers_module",
    "mod_alias.c",
    "alias_module",
    "mod_ssl.c",
    "ssl_module",
    "mod_remoteip.c",
    "remoteip_module",
    "mod_reqtimeout.c",
    "reqtimeout_module",
    "mod_authz_host.c",
    "authz_host_module",
    "mod_authz_core.c",
    "authz_core_module",
    "mod_access_compat.c",
    "access_compat_module",
    "mod_log_config.c",
    "log_config_module",
    "mod_logio.c",
    "logio_module",
    "mod_so.c",
    "so_module",
    "core.c",
    "core_module",
    "http_core.c",
    "http_module",
    NULL,
};

bool module_known(const char *name) {
    for (size_t i = 0; modules[i] != NULL; i++) {
        if (strcasecmp(modules[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* "!name" and "name" of a condition's argument. */
static const char *without_negation(const struct word *word, bool *negated) {
    *negated = word->text[0] == '!';
    return *negated ? word->text + 1 : word->text;
}

static bool if_module(struct parser *parser, const struct directive_use *use) {
    (void)parser;
    bool negated = false;
    const char *name = without_negation(&use->arguments[0], &negated);
    return module_known(name) != negated;
}

static bool if_define(struct parser *parser, const struct directive_use *use) {
    bool negated = false;
    const char *name = without_negation(&use->arguments[0], &negated);
    return (variable_find(parser, span_of(name)) != NULL) != negated;
}

static bool if_directive(struct parser *parser, const struct directive_use *use) {
    (void)parser;
    bool negated = false;
    struct span name = span_of(without_negation(&use->arguments[0], &negated));
    const struct directive *found = directive_find(name, false);
    return (found != NULL && !found->ignored && found->refused == NULL) != negated;
}

static bool if_section(struct parser *parser, const struct directive_use *use) {
    (void)parser;
    bool negated = false;
    struct span name = span_of(without_negation(&use->arguments[0], &negated));
    if (name.len > 2 && name.ptr[0] == '<' && name.ptr[name.len - 1] == '>') {
        name = (struct span){name.ptr + 1, name.len - 2};
    }
    const struct directive *found = directive_find(name, true);
    return (found != NULL && !found->ignored && found->refused == NULL) != negated;
}

static bool if_file(struct parser *parser, const struct directive_use *use) {
    bool negated = false;
    const char *path = without_negation(&use->arguments[0], &negated);
    if (parser->options->forbid_includes) {
        return false;
    }
    return (access(parser_path(parser, path), F_OK) == 0) != negated;
}

/* The version of Apache whose language this is. */
enum { APACHE_MAJOR = 2, APACHE_MINOR = 4, APACHE_PATCH = 60 };

static int compare_version(const char *text, bool *valid) {
    int number[3] = {0, 0, 0};
    int parts = 0;
    const char *rest = text;
    while (parts < 3) {
        char *end = NULL;
        if (*rest < '0' || *rest > '9') {
            break;
        }
        unsigned long value = strtoul(rest, &end, 10);
        number[parts++] = value > 9999 ? 9999 : (int)value;
        if (*end != '.') {
            rest = end;
            break;
        }
        rest = end + 1;
    }
    *valid = parts > 0 && *rest == '\0';
    const int ours[3] = {APACHE_MAJOR, APACHE_MINOR, APACHE_PATCH};
    for (int i = 0; i < parts; i++) {
        if (ours[i] != number[i]) {
            return ours[i] < number[i] ? -1 : 1;
        }
    }
    return 0;
}

static bool if_version(struct parser *parser, const struct directive_use *use) {
    bool negated = use->argument_count > 1 && use->arguments[0].text[0] == '!';
    const char *operator= use->argument_count> 1 ? use->arguments[0].text + negated : "=";
    const struct word *version = &use->arguments[use->argument_count - 1];
    bool valid = false;
    int order = compare_version(version->text, &valid);
    if (!valid) {
        parser_error_at(parser, version, "write a version, e.g. 2.4", "\"%s\" is no version", version->text);
        return false;
    }
    bool holds = false;
    if (strcmp(operator, "=") == 0 || strcmp(operator, "==") == 0) {
        holds = order == 0;
    } else if (strcmp(operator, ">") == 0) {
        holds = order > 0;
    } else if (strcmp(operator, ">=") == 0) {
        holds = order >= 0;
    } else if (strcmp(operator, "<") == 0) {
        holds = order < 0;
    } else if (strcmp(operator, "<=") == 0) {
        holds = order <= 0;
    } else {
        parser_error_at(parser, &use->arguments[0], "write =, <, <=, > or >=", "\"%s\" compares nothing", operator);
        return false;
    }
    return holds != negated;
}

const struct directive directives_reading[] = {
    {.name = "Include",
     .contexts = EVERYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .reading = true,
     .apply = apply_include,
     .syntax = "path",
     .help = "reads another file, the files that a wildcard matches, or those of a folder; relative to this file"},
    {.name = "IncludeOptional",
     .contexts = EVERYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .reading = true,
     .apply = apply_include_optional,
     .syntax = "path",
     .help = "the same, and no error when there is no such file"},
    {.name = "Define",
     .contexts = EVERYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 2,
     .reading = true,
     .apply = apply_define,
     .syntax = "name [value]",
     .help = "gives ${name} a value, and makes <IfDefine name> true"},
    {.name = "UnDefine",
     .contexts = EVERYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .reading = true,
     .apply = apply_undefine,
     .syntax = "name",
     .help = "takes back a Define or -D"},
    {.name = "IfModule",
     .contexts = EVERYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .section = true,
     .reading = true,
     .condition = if_module,
     .syntax = "[!]module",
     .help = "its lines are read when weir knows that module's directives"},
    {.name = "IfDefine",
     .contexts = EVERYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .section = true,
     .reading = true,
     .condition = if_define,
     .syntax = "[!]name",
     .help = "its lines are read when the name is defined"},
    {.name = "IfVersion",
     .contexts = EVERYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 2,
     .section = true,
     .reading = true,
     .condition = if_version,
     .syntax = "[[!]operator] version",
     .help = "its lines are read when an Apache 2.4 would read them"},
    {.name = "IfFile",
     .contexts = EVERYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .section = true,
     .reading = true,
     .condition = if_file,
     .syntax = "[!]path",
     .help = "its lines are read when the file exists"},
    {.name = "IfDirective",
     .contexts = EVERYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .section = true,
     .reading = true,
     .condition = if_directive,
     .syntax = "[!]name",
     .help = "its lines are read when weir knows the directive"},
    {.name = "IfSection",
     .contexts = EVERYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .section = true,
     .reading = true,
     .condition = if_section,
     .syntax = "[!]name",
     .help = "its lines are read when weir knows the section"},
};
const size_t directives_reading_count = sizeof directives_reading / sizeof directives_reading[0];
