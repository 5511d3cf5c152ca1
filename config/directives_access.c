/* Who may ask: Require with its sections, and the older Order, Allow and Deny. Read by directive.c; applied by parser.c
 * on the thread that loads. The lines of one scope make one tree: any of its Require lines, and the Order list. */
#include <string.h>
#include <strings.h>

#include "config/directive.h"
#include "config/parser.h"

enum { ANYWHERE = CONTEXT_SERVER | CONTEXT_HOST | CONTEXT_LOCATION };

static struct access_rule *new_rule(struct parser *parser, enum access_kind kind) {
    struct access_rule *rule = arena_alloc(parser_arena(parser), sizeof *rule);
    rule->kind = kind;
    return rule;
}

static void add_child(struct parser *parser, struct access_rule *parent, const struct access_rule *child) {
    const struct access_rule **children =
        list_grow(parser_arena(parser), parent->children, parent->child_count, sizeof(struct access_rule *));
    children[parent->child_count++] = child;
    parent->children = children;
}

static struct access_rule *child_of_kind(const struct access_rule *parent, enum access_kind kind) {
    for (size_t i = 0; i < parent->child_count; i++) {
        if (parent->children[i]->kind == kind) {
            struct access_rule *found = NULL;
            memcpy(&found, &parent->children[i], sizeof found); /* made here, by new_rule() */
            return found;
        }
    }
    return NULL;
}

/* A scope's rule is ALL of: one ANY of its Require lines, one ORDER. Either is made when its first line comes. */
static struct access_rule *part_of_scope(struct parser *parser, enum access_kind kind) {
    struct settings *settings = parser_scope(parser)->settings;
    struct access_rule *all = NULL;
    if (settings->access == NULL) {
        all = new_rule(parser, ACCESS_ALL);
        settings->access = all;
        settings->said |= UINT64_C(1) << SETTING_ACCESS;
    } else {
        memcpy(&all, &settings->access, sizeof all);
    }
    struct access_rule *part = child_of_kind(all, kind);
    if (part == NULL) {
        part = new_rule(parser, kind);
        part->allow_last = kind == ACCESS_ORDER;
        add_child(parser, all, part);
    }
    return part;
}

static struct access_rule *require_parent(struct parser *parser) {
    struct access_rule *section = parser_scope(parser)->access;
    return section != NULL ? section : part_of_scope(parser, ACCESS_ANY);
}

/* ---- Require -------------------------------------------------------------------------------------------------- */

static bool add_prefix(struct parser *parser, const struct word *word, const struct ip_prefix **prefixes,
                       size_t *count) {
    struct ip_prefix prefix;
    if (!ip_prefix_parse_partial((struct span){word->text, word->length}, &prefix)) {
        parser_error_at(parser, word, "write an address or a prefix, e.g. 192.0.2.0/24, 10.1 or 2001:db8::/32",
                        "\"%s\" is no address", word->text);
        return false;
    }
    struct ip_prefix *grown = list_grow(parser_arena(parser), *prefixes, *count, sizeof *grown);
    grown[(*count)++] = prefix;
    *prefixes = grown;
    return true;
}

static void require_ip(struct parser *parser, const struct directive_use *use, size_t next, struct access_rule *rule) {
    rule->kind = ACCESS_IP;
    if (next == use->argument_count) {
        parser_error_at(parser, NULL, "write Require ip 192.0.2.0/24", "the addresses are missing");
    }
    for (size_t i = next; i < use->argument_count; i++) {
        add_prefix(parser, &use->arguments[i], &rule->prefixes, &rule->prefix_count);
    }
}

static void require_method(struct parser *parser, const struct directive_use *use, size_t next,
                           struct access_rule *rule) {
    rule->kind = ACCESS_METHOD;
    if (next == use->argument_count) {
        parser_error_at(parser, NULL, "write Require method GET POST", "the methods are missing");
    }
    for (size_t i = next; i < use->argument_count; i++) {
        const char **methods = list_grow(parser_arena(parser), rule->methods, rule->method_count, sizeof(char *));
        methods[rule->method_count++] = use->arguments[i].text;
        rule->methods = methods;
    }
}

static void require_all(struct parser *parser, const struct directive_use *use, size_t next, struct access_rule *rule) {
    const struct word *word = next < use->argument_count ? &use->arguments[next] : NULL;
    if (word != NULL && strcasecmp(word->text, "granted") == 0) {
        rule->kind = ACCESS_GRANTED;
    } else if (word != NULL && strcasecmp(word->text, "denied") == 0) {
        rule->kind = ACCESS_DENIED;
    } else {
        parser_error_at(parser, word, "write Require all granted or Require all denied",
                        "neither granted nor denied follows \"all\"");
    }
}

static void require_unknown(struct parser *parser, const struct word *word) {
    static const char *const theirs[] = {
        "user",       "valid-user", "group",      "host", "forward-dns",       "env", "expr", "ldap-user",
        "ldap-group", "dbm-group",  "file-owner", "ssl",  "ssl-verify-client", NULL};
    for (size_t i = 0; theirs[i] != NULL; i++) {
        if (strcasecmp(theirs[i], word->text) == 0) {
            parser_error_at(parser, word,
                            "write Require ip, local, method or all here, and let the origin check the rest",
                            "weir cannot check \"%s\"", word->text);
            return;
        }
    }
    static const char *const known[] = {"all", "ip", "local", "method", "not", NULL};
    const char *nearest = nearest_word((struct span){word->text, word->length}, known);
    parser_error_at(parser, word,
                    nearest != NULL ? arena_printf(&parser->scratch, "did you mean \"%s\"?", nearest)
                                    : "write Require all, ip, local or method",
                    "\"%s\" is nothing that can be required", word->text);
}

static void apply_require(struct parser *parser, const struct directive_use *use) {
    struct access_rule *parent = require_parent(parser);
    struct access_rule *rule = new_rule(parser, ACCESS_DENIED);
    size_t next = 0;
    if (strcasecmp(use->arguments[0].text, "not") == 0) {
        rule->negated = true;
        next = 1;
        if (parent->kind != ACCESS_ALL) {
            parser_error_at(parser, &use->arguments[0], "put it into <RequireAll>, beside what is allowed",
                            "\"not\" decides nothing where one rule that holds is enough");
        }
    }
    if (next == use->argument_count) {
        parser_error_at(parser, NULL, "write Require not ip 192.0.2.7", "an argument is missing");
        return;
    }
    const struct word *kind = &use->arguments[next++];
    if (strcasecmp(kind->text, "all") == 0) {
        require_all(parser, use, next++, rule);
    } else if (strcasecmp(kind->text, "ip") == 0) {
        require_ip(parser, use, next, rule);
        next = use->argument_count;
    } else if (strcasecmp(kind->text, "method") == 0) {
        require_method(parser, use, next, rule);
        next = use->argument_count;
    } else if (strcasecmp(kind->text, "local") == 0) {
        rule->kind = ACCESS_LOCAL;
    } else {
        require_unknown(parser, kind);
        return;
    }
    if (next < use->argument_count) {
        parser_error_at(parser, &use->arguments[next], NULL, "too many arguments");
    }
    add_child(parser, parent, rule);
}

static void open_group(struct parser *parser, enum access_kind kind) {
    struct access_rule *group = new_rule(parser, kind);
    struct access_rule *parent = require_parent(parser);
    add_child(parser, parent, group);
    struct scope *scope = parser_scope(parser);
    scope->context = CONTEXT_ACCESS;
    scope->access = group;
}

static void open_require_all(struct parser *parser, const struct directive_use *use) {
    (void)use;
    open_group(parser, ACCESS_ALL);
}

static void open_require_any(struct parser *parser, const struct directive_use *use) {
    (void)use;
    open_group(parser, ACCESS_ANY);
}

static void open_require_none(struct parser *parser, const struct directive_use *use) {
    (void)use;
    open_group(parser, ACCESS_NONE);
}

static void close_group(struct parser *parser, const struct directive_use *use) {
    const struct access_rule *group = parser_scope(parser)->access;
    bool positive = group->child_count == 0;
    for (size_t i = 0; i < group->child_count; i++) {
        positive = positive || (!group->children[i]->negated && group->children[i]->kind != ACCESS_NONE);
    }
    if (group->child_count == 0) {
        parser_error_use(parser, use, NULL, "write a Require line into it", "the section holds no rule");
    } else if (group->kind == ACCESS_ALL && !positive) {
        parser_error_use(parser, use, NULL, "add who is allowed, e.g. Require all granted",
                         "the section only says who is not allowed");
    }
}

/* ---- Order, Allow, Deny --------------------------------------------------------------------------------------- */

static void apply_order(struct parser *parser, const struct directive_use *use) {
    struct access_rule *order = part_of_scope(parser, ACCESS_ORDER);
    const char *text = use->arguments[0].text;
    if (use->argument_count == 2 && text[strlen(text) - 1] == ',') {
        text = arena_printf(&parser->scratch, "%s%s", text, use->arguments[1].text);
    }
    if (strcasecmp(text, "deny,allow") == 0) {
        order->allow_last = true;
    } else if (strcasecmp(text, "allow,deny") == 0 || strcasecmp(text, "mutual-failure") == 0) {
        order->allow_last = false;
    } else {
        parser_error_at(parser, &use->arguments[0], "write Order deny,allow or Order allow,deny", "\"%s\" is no order",
                        text);
    }
}

static void add_to_order(struct parser *parser, const struct directive_use *use, bool allow) {
    struct access_rule *order = part_of_scope(parser, ACCESS_ORDER);
    if (strcasecmp(use->arguments[0].text, "from") != 0 || use->argument_count < 2) {
        parser_error_at(parser, &use->arguments[0], "write Allow from 192.0.2.0/24, or Deny from all",
                        "\"from\" and what it is about are missing");
        return;
    }
    for (size_t i = 1; i < use->argument_count; i++) {
        const struct word *word = &use->arguments[i];
        if (strcasecmp(word->text, "all") == 0) {
            *(allow ? &order->allow_all : &order->deny_all) = true;
        } else if (strncasecmp(word->text, "env=", 4) == 0) {
            parser_error_at(parser, word, "write addresses or all", "weir has no environment variables of requests");
        } else {
            add_prefix(parser, word, allow ? &order->prefixes : &order->denied,
                       allow ? &order->prefix_count : &order->denied_count);
        }
    }
}

static void apply_allow(struct parser *parser, const struct directive_use *use) {
    add_to_order(parser, use, true);
}

static void apply_deny(struct parser *parser, const struct directive_use *use) {
    add_to_order(parser, use, false);
}

#define RULE_ROW(name_, contexts_, least_, most_, apply_, syntax_, help_)                                              \
    .name = (name_), .contexts = (contexts_), .minimum_arguments = (least_), .maximum_arguments = (most_),             \
    .repeated = true, .apply = (apply_), .syntax = (syntax_), .help = (help_)

const struct directive directives_access[] = {
    {RULE_ROW("Require", ANYWHERE | CONTEXT_ACCESS, 1, MANY_ARGUMENTS, apply_require,
              "[not] all granted|all denied|ip address[/bits] ...|local|method NAME ...",
              "Who is let in; one of several lines that holds is enough")},
    {RULE_ROW("RequireAll", ANYWHERE | CONTEXT_ACCESS, 0, 0, open_require_all, "", "All rules inside must hold"),
     .section = true, .close = close_group},
    {RULE_ROW("RequireAny", ANYWHERE | CONTEXT_ACCESS, 0, 0, open_require_any, "", "One rule inside must hold"),
     .section = true, .close = close_group},
    {RULE_ROW("RequireNone", ANYWHERE | CONTEXT_ACCESS, 0, 0, open_require_none, "", "No rule inside may hold"),
     .section = true, .close = close_group},
    {RULE_ROW("Order", ANYWHERE, 1, 2, apply_order, "deny,allow|allow,deny",
              "Which of Allow and Deny comes last and decides; also for those whom neither names")},
    {RULE_ROW("Allow", ANYWHERE, 1, MANY_ARGUMENTS, apply_allow, "from all|address[/bits] ...",
              "Whom Order's list lets in")},
    {RULE_ROW("Deny", ANYWHERE, 1, MANY_ARGUMENTS, apply_deny, "from all|address[/bits] ...",
              "Whom Order's list keeps out")},
};
const size_t directives_access_count = sizeof directives_access / sizeof directives_access[0];
