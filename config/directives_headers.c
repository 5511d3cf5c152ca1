/* Header and RequestHeader: changes of fields. Read by directive.c; applied by parser.c on the thread that loads. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "config/directive.h"
#include "config/parser.h"

enum { ANYWHERE = CONTEXT_SERVER | CONTEXT_HOST | CONTEXT_LOCATION };

static const struct {
    const char *word;
    enum header_action action;
    size_t values; /* arguments after the field's name */
} actions[] = {
    {"set", HEADER_SET, 1},   {"append", HEADER_APPEND, 1},  {"add", HEADER_ADD, 1},     {"unset", HEADER_UNSET, 0},
    {"edit", HEADER_EDIT, 2}, {"edit*", HEADER_EDIT_ALL, 2}, {"merge", HEADER_MERGE, 1},
};

enum { ACTION_COUNT = sizeof actions / sizeof actions[0] };

static const char action_hint[] = "write set, append, add, unset, edit, edit* or merge";

/* Fields that belong to one connection or frame the message: weir makes them itself. */
static const char *const framing_fields[] = {"Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length",
                                             "TE",         "Trailer",    "Upgrade",           "Proxy-Connection",
                                             NULL};

static bool read_name(struct parser *parser, const struct word *word, struct header_change *change) {
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t length = word->length;
    if (length > 1 && word->text[length - 1] == ':') {
        length--; /* Apache takes "Name:" too */
    }
    if (length == 0 || strspn(word->text, allowed) < length) {
        parser_error_at(parser, word, "write a header's name, e.g. X-Frame-Options", "\"%s\" is no name of a header",
                        word->text);
        return false;
    }
    change->name = arena_copy(parser_arena(parser), (struct span){word->text, length});
    for (size_t i = 0; framing_fields[i] != NULL; i++) {
        if (strcasecmp(framing_fields[i], change->name) == 0) {
            parser_error_at(parser, word, NULL, "\"%s\" belongs to the connection: weir sets it itself", change->name);
            return false;
        }
    }
    return true;
}

/* Apache's format codes: %%, %t, %D, %{NAME}e, %{NAME}s. */
static bool check_value(struct parser *parser, const struct word *word, bool format) {
    if (strncasecmp(word->text, "expr=", 5) == 0) {
        parser_error_at(parser, word, "write the value itself", "weir has no expressions");
        return false;
    }
    for (size_t i = 0; i < word->length; i++) {
        unsigned char byte = (unsigned char)word->text[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            parser_error_at(parser, word, NULL, "a header's value holds no control characters");
            return false;
        }
        if (!format || byte != '%') {
            continue;
        }
        const char *code = word->text + i + 1;
        const char *brace = *code == '{' ? strchr(code, '}') : NULL;
        char letter = brace != NULL ? brace[1] : *code;
        bool known = brace != NULL ? letter == 'e' || letter == 's' : letter == '%' || letter == 't' || letter == 'D';
        if (letter == '\0' || !known) {
            parser_error_at(parser, word, "write %% for a percent sign; known are %t, %D, %{NAME}e and %{NAME}s",
                            "\"%%%.20s\" is no format code that weir knows", code);
            return false;
        }
        i += (size_t)((brace != NULL ? brace + 1 : code) - (word->text + i));
    }
    return true;
}

/* What Apache allows behind the value. */
static void read_conditions(struct parser *parser, const struct directive_use *use, size_t next) {
    for (size_t i = next; i < use->argument_count; i++) {
        const struct word *word = &use->arguments[i];
        if (strcasecmp(word->text, "early") == 0) {
            parser_warn_at(parser, word, NULL, "\"early\" has no effect in weir");
        } else if (strncasecmp(word->text, "env=", 4) == 0 || strncasecmp(word->text, "expr=", 5) == 0) {
            parser_error_at(parser, word, "put the line into a <Location>, or leave the condition out",
                            "weir has no environment variables and no expressions");
        } else {
            parser_error_at(parser, word, "quote a value that has spaces", "too many arguments");
        }
    }
}

static void add_change(struct parser *parser, const struct header_change *change, bool request) {
    struct settings *settings = parser_scope(parser)->settings;
    const struct header_change **list = request ? &settings->request_headers : &settings->response_headers;
    size_t *count = request ? &settings->request_header_count : &settings->response_header_count;
    struct header_change *grown = list_grow(parser_arena(parser), *list, *count, sizeof *grown);
    grown[(*count)++] = *change;
    *list = grown;
}

/* RFC 9112, 3.2: a request without Host, or with two, is malformed. */
static bool keeps_one_host(struct parser *parser, const struct word *action, const struct header_change *change) {
    if (strcasecmp(change->name, "Host") != 0 || change->action == HEADER_SET || change->action == HEADER_EDIT ||
        change->action == HEADER_EDIT_ALL) {
        return true;
    }
    parser_error_at(parser, action, "write set, or ProxyPreserveHost Off for the name in ProxyPass",
                    "a request has one Host, no more and no less");
    return false;
}

static const struct word *argument(const struct directive_use *use, size_t index) {
    return index < use->argument_count ? &use->arguments[index] : NULL;
}

static void apply_change(struct parser *parser, const struct directive_use *use, size_t next, bool always,
                         bool request) {
    struct header_change change = {.always = always};
    const struct word *action = argument(use, next);
    size_t index = 0;
    while (action != NULL && index < ACTION_COUNT && strcasecmp(actions[index].word, action->text) != 0) {
        index++;
    }
    if (action == NULL || index == ACTION_COUNT) {
        const char *words[ACTION_COUNT + 1] = {NULL};
        for (size_t i = 0; i < ACTION_COUNT; i++) {
            words[i] = actions[i].word;
        }
        const char *nearest = action != NULL ? nearest_word((struct span){action->text, action->length}, words) : NULL;
        parser_error_at(parser, action,
                        nearest != NULL ? arena_printf(&parser->scratch, "did you mean \"%s\"?", nearest) : action_hint,
                        "\"%s\" is no change that weir knows", action != NULL ? action->text : "");
        return;
    }
    change.action = actions[index].action;
    size_t values = actions[index].values;
    const struct word *name = argument(use, next + 1);
    const struct word *value = argument(use, next + 2);
    if (use->argument_count < next + 2 + values) {
        parser_error_at(parser, NULL, values == 2 ? "write edit name pattern replacement" : "write set name \"value\"",
                        "an argument is missing");
        return;
    }
    if (!read_name(parser, name, &change) || (request && !keeps_one_host(parser, action, &change))) {
        return;
    }
    if (values == 2) {
        change.pattern = parser_pattern(parser, value, value->text, false);
        change.value = argument(use, next + 3)->text;
        if (change.pattern == NULL || !check_value(parser, argument(use, next + 3), false)) {
            return;
        }
    } else if (values == 1) {
        if (!check_value(parser, value, true)) {
            return;
        }
        change.value = value->text;
    }
    read_conditions(parser, use, next + 2 + values);
    add_change(parser, &change, request);
}

static void apply_header(struct parser *parser, const struct directive_use *use) {
    const char *first = use->arguments[0].text;
    bool always = strcasecmp(first, "always") == 0;
    size_t next = always || strcasecmp(first, "onsuccess") == 0 ? 1 : 0;
    apply_change(parser, use, next, always, false);
}

static void apply_request_header(struct parser *parser, const struct directive_use *use) {
    apply_change(parser, use, 0, false, true);
}

const struct directive directives_headers[] = {
    {.name = "RequestHeader",
     .contexts = ANYWHERE,
     .minimum_arguments = 2,
     .maximum_arguments = 6,
     .repeated = true,
     .apply = apply_request_header,
     .syntax = "set|append|add|merge|unset|edit|edit* name [\"value\"] [replacement]",
     .help = "Changes a field of the request before the origin gets it"},
    {.name = "Header",
     .contexts = ANYWHERE,
     .minimum_arguments = 2,
     .maximum_arguments = 7,
     .repeated = true,
     .apply = apply_header,
     .syntax = "[always] set|append|add|merge|unset|edit|edit* name [\"value\"] [replacement]",
     .help = "Changes a field of the response; with always also on errors and on weir's own answers"},
};
const size_t directives_headers_count = sizeof directives_headers / sizeof directives_headers[0];
