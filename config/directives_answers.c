/* Answers that weir gives itself: Redirect and its like, ErrorDocument, SetHandler. Read by directive.c; applied by
 * parser.c on the thread that loads. */
#include <string.h>
#include <strings.h>

#include "config/directive.h"
#include "config/parser.h"
#include "config/simple_value.h"

enum { ANYWHERE = CONTEXT_SERVER | CONTEXT_HOST | CONTEXT_LOCATION };

/* ---- Redirect ------------------------------------------------------------------------------------------------- */

static const struct choice redirect_words[] = {
    {"permanent", 301}, {"temp", 302}, {"seeother", 303}, {"gone", 410}, {NULL, 0}};

/* A status as number or word. False when the word is something else (then it is a path). */
static bool read_redirect_status(const struct word *word, int *status) {
    for (size_t i = 0; redirect_words[i].word != NULL; i++) {
        if (strcasecmp(redirect_words[i].word, word->text) == 0) {
            *status = (int)redirect_words[i].value;
            return true;
        }
    }
    uint64_t number = 0;
    if (!simple_unsigned((struct span){word->text, word->length}, 0, UINT64_MAX, &number)) {
        return false;
    }
    *status = number <= 999 ? (int)number : 0;
    return true;
}

static bool is_redirection(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool check_target(struct parser *parser, const struct word *word) {
    for (const char *byte = word->text; *byte != '\0'; byte++) {
        if ((unsigned char)*byte <= 0x20 || *byte == 0x7f) {
            parser_error_at(parser, word, "write %20 for a space", "a URL holds no spaces or control characters");
            return false;
        }
    }
    if (word->text[0] != '/' && word->text[0] != '$' && strstr(word->text, "://") == NULL) {
        parser_error_at(parser, word, "write a URL, e.g. https://www.example.org/, or a path that begins with /",
                        "\"%s\" is no URL", word->text);
        return false;
    }
    return true;
}

static void add_redirect(struct parser *parser, const struct redirect *redirect) {
    struct settings *settings = parser_scope(parser)->settings;
    struct redirect *redirects =
        list_grow(parser_arena(parser), settings->redirects, settings->redirect_count, sizeof *redirects);
    redirects[settings->redirect_count++] = *redirect;
    settings->redirects = redirects;
}

struct redirect_words {
    const struct word *from, *to;
};

/* Which of the arguments are status, path and target. False when that was an error. */
static bool sort_arguments(struct parser *parser, const struct directive_use *use, int *status,
                           struct redirect_words *words) {
    size_t next = 0;
    bool in_location = parser_scope(parser)->location != NULL;
    if (use->argument_count > 1 || in_location) {
        next = read_redirect_status(&use->arguments[0], status) ? 1 : 0;
    }
    if (*status < 300 || *status > 599 || (*status < 400 && !is_redirection(*status))) {
        parser_error_at(parser, &use->arguments[0], "write 301, 302, 303, 307, 308, or a status from 400 to 599",
                        "\"%s\" is no status of a redirect", use->arguments[0].text);
        return false;
    }
    size_t left = use->argument_count - next;
    bool has_target = is_redirection(*status);
    size_t wanted = has_target ? 2 : 1;
    if (in_location && left == wanted - 1) {
        words->to = has_target ? &use->arguments[next] : NULL;
        return true;
    }
    if (left != wanted) {
        parser_error_at(parser, left > wanted ? &use->arguments[next + wanted] : NULL,
                        "write Redirect [status] path url; a status from 400 on has no url", "%s",
                        left > wanted ? "too many arguments" : "an argument is missing");
        return false;
    }
    words->from = &use->arguments[next];
    words->to = has_target ? &use->arguments[next + 1] : NULL;
    return true;
}

static void apply_redirect_of(struct parser *parser, const struct directive_use *use, int status) {
    struct redirect_words words = {NULL, NULL};
    const struct location *location = parser_scope(parser)->location;
    struct redirect redirect = {0};
    if (!sort_arguments(parser, use, &status, &words) || (words.to != NULL && !check_target(parser, words.to))) {
        return;
    }
    if (words.from != NULL && words.from->text[0] != '/') {
        parser_error_at(parser, words.from, "write a path that begins with /", "\"%s\" is no path of a URL",
                        words.from->text);
        return;
    }
    redirect.status = status;
    redirect.target = words.to != NULL ? words.to->text : NULL;
    if (words.from != NULL) {
        redirect.path = words.from->text;
    } else {
        redirect.path = location->path;
        redirect.pattern = location->pattern;
    }
    add_redirect(parser, &redirect);
}

static void apply_redirect(struct parser *parser, const struct directive_use *use) {
    apply_redirect_of(parser, use, 302);
}

static void apply_redirect_permanent(struct parser *parser, const struct directive_use *use) {
    apply_redirect_of(parser, use, 301);
}

static void apply_redirect_match(struct parser *parser, const struct directive_use *use) {
    int status = 302;
    size_t next = use->argument_count > 1 && read_redirect_status(&use->arguments[0], &status) ? 1 : 0;
    bool has_target = is_redirection(status);
    if (status < 300 || status > 599 || (status < 400 && !has_target)) {
        parser_error_at(parser, &use->arguments[0], "write 301, 302, 303, 307, 308, or a status from 400 to 599",
                        "\"%s\" is no status of a redirect", use->arguments[0].text);
        return;
    }
    if (use->argument_count - next != (has_target ? 2U : 1U)) {
        parser_error_at(parser, NULL, "write RedirectMatch [status] pattern url; a status from 400 on has no url",
                        "an argument is missing, or one too many");
        return;
    }
    const struct word *target = has_target ? &use->arguments[next + 1] : NULL;
    const struct pattern *pattern = parser_pattern(parser, &use->arguments[next], use->arguments[next].text, false);
    if (pattern != NULL && (target == NULL || check_target(parser, target))) {
        add_redirect(parser, &(struct redirect){
                                 .status = status, .pattern = pattern, .target = target != NULL ? target->text : NULL});
    }
}

/* ---- ErrorDocument -------------------------------------------------------------------------------------------- */

static void apply_error_document(struct parser *parser, const struct directive_use *use) {
    struct settings *settings = parser_scope(parser)->settings;
    const struct word *code = &use->arguments[0];
    const struct word *what = &use->arguments[1];
    uint64_t status = 0;
    if (!simple_unsigned((struct span){code->text, code->length}, 400, 599, &status)) {
        parser_error_at(parser, code, "write a status from 400 to 599, e.g. 503", "\"%s\" is no status of an error",
                        code->text);
        return;
    }
    struct error_document document = {.status = (int)status};
    if (what->text[0] == '/') {
        document.path = what->text;
    } else if (strncasecmp(what->text, "http://", 7) == 0 || strncasecmp(what->text, "https://", 8) == 0) {
        document.url = check_target(parser, what) ? what->text : NULL;
    } else if (strcasecmp(what->text, "default") != 0 || what->quoted) {
        document.text = what->text;
    }
    struct error_document *documents =
        list_grow(parser_arena(parser), settings->error_documents, settings->error_document_count, sizeof *documents);
    documents[settings->error_document_count++] = document;
    settings->error_documents = documents;
}

/* ---- SetHandler ----------------------------------------------------------------------------------------------- */

static const struct choice handlers[] = {{"cband-status", HANDLER_STATUS},
                                         {"cband-status-me", HANDLER_STATUS_ME},
                                         {"weir-metrics", HANDLER_METRICS},
                                         {"none", HANDLER_NONE},
                                         {NULL, 0}};

/* What answers is the origin then, as for any other path. */
static const char *const handlers_of_apache[] = {
    "server-status", "server-info", "balancer-manager", "ldap-status",     "http2-status",
    "md-status",     "jk-manager",  "jk-status",        "cgi-script",      "cgi-bin",
    "send-as-is",    "imap-file",   "type-map",         "fcgid-script",    "fastcgi-script",
    "wsgi-script",   "perl-script", "modperl",          "mod_python",      "python-program",
    "lua-script",    "php-script",  "php5-script",      "default-handler", "application/x-httpd-*",
    "proxy-server",  "proxy:*",     "heartbeat",        "server-parsed",   NULL};

static void after_set_handler(struct parser *parser, const struct directive_use *use) {
    (void)use;
    enum handler_kind handler = parser_scope(parser)->settings->handler;
    if (handler == HANDLER_STATUS || handler == HANDLER_STATUS_ME) {
        parser_config(parser)->server.lists_clients = true;
    }
}

const struct directive directives_answers[] = {
    {.name = "Redirect",
     .contexts = ANYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 3,
     .repeated = true,
     .apply = apply_redirect,
     .syntax = "[status|permanent|temp|seeother|gone] path url",
     .help = "Sends clients of a path and what is below it elsewhere; before ProxyPass; in a location without path"},
    {.name = "RedirectMatch",
     .contexts = ANYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 3,
     .repeated = true,
     .apply = apply_redirect_match,
     .syntax = "[status] pattern url",
     .help = "The same for paths that a regular expression matches; the url may hold $1 to $9"},
    {.name = "RedirectPermanent",
     .contexts = ANYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 2,
     .repeated = true,
     .apply = apply_redirect_permanent,
     .syntax = "path url",
     .help = "Redirect permanent"},
    {.name = "RedirectTemp",
     .contexts = ANYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 2,
     .repeated = true,
     .apply = apply_redirect,
     .syntax = "path url",
     .help = "Redirect temp"},
    {.name = "ErrorDocument",
     .contexts = ANYWHERE,
     .minimum_arguments = 2,
     .maximum_arguments = 2,
     .repeated = true,
     .apply = apply_error_document,
     .syntax = "status path|url|\"text\"|default",
     .default_text = "(built-in pages)",
     .help = "What is shown for an error of weir's own; a path is fetched from the host's origin"},
    {.name = "SetHandler",
     .contexts = ANYWHERE,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .kind = VALUE_CHOICE,
     IN_SETTINGS(handler, SETTING_HANDLER),
     .choices = handlers,
     .choices_without_effect = handlers_of_apache,
     .apply = after_set_handler,
     .syntax = "cband-status|cband-status-me|weir-metrics|none",
     .default_text = "none",
     .help = "A page of weir's own instead of an origin's answer"},
};
const size_t directives_answers_count = sizeof directives_answers / sizeof directives_answers[0];
