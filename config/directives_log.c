/* The error log and the access logs. Read by directive.c; applied by parser.c on the thread that loads. The name of a
 * format may be defined after the line that uses it, as in Apache: logs_finish() looks it up at the end. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/directive.h"
#include "config/log_format.h"
#include "config/parser.h"

enum { SERVER_AND_HOST = CONTEXT_SERVER | CONTEXT_HOST };

/* ---- ErrorLog, LogLevel --------------------------------------------------------------------------------------- */

static const char *const facilities[] = {"auth",   "authpriv", "cron",   "daemon", "kern",   "lpr",    "mail",
                                         "news",   "syslog",   "user",   "uucp",   "local0", "local1", "local2",
                                         "local3", "local4",   "local5", "local6", "local7", NULL};

static bool in_host(struct parser *parser) {
    if (parser_scope(parser)->context != CONTEXT_HOST) {
        return false;
    }
    parser_warn_at(parser, NULL, "write it outside of <VirtualHost>",
                   "has no effect in a host: weir has one error log");
    return true;
}

static void set_syslog(struct parser *parser, const struct word *word) {
    struct server_settings *server = &parser_config(parser)->server;
    const char *facility = word->text[strlen("syslog")] == ':' ? word->text + strlen("syslog:") : "daemon";
    for (size_t i = 0; facilities[i] != NULL; i++) {
        if (strcasecmp(facilities[i], facility) == 0) {
            server->log_target = LOG_TO_SYSLOG;
            server->log_facility = facilities[i];
            return;
        }
    }
    parser_error_at(parser, word, "write syslog:daemon, syslog:local0 and so on", "\"%s\" is no facility of syslog",
                    facility);
}

static void apply_error_log(struct parser *parser, const struct directive_use *use) {
    const struct word *word = &use->arguments[0];
    struct server_settings *server = &parser_config(parser)->server;
    if (in_host(parser)) {
        return;
    }
    if (word->length == 0 || word->text[0] == '|') {
        parser_error_at(parser, word, "write a path, stderr or syslog", "weir does not log to a program");
    } else if (strcasecmp(word->text, "stderr") == 0) {
        server->log_target = LOG_TO_STDERR;
    } else if (strcasecmp(word->text, "syslog") == 0 || strncasecmp(word->text, "syslog:", 7) == 0) {
        set_syslog(parser, word);
    } else {
        server->log_target = LOG_TO_FILE;
        server->log_path = parser_path(parser, word->text);
    }
}

static const char *const levels[] = {"emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", NULL};

static void apply_log_level(struct parser *parser, const struct directive_use *use) {
    if (in_host(parser)) {
        return;
    }
    for (size_t i = 0; i < use->argument_count; i++) {
        const struct word *word = &use->arguments[i];
        size_t level = 0;
        while (levels[level] != NULL && strcasecmp(levels[level], word->text) != 0) {
            level++;
        }
        if (levels[level] != NULL) {
            parser_config(parser)->server.log_level = (enum log_level)level;
        } else if (strncasecmp(word->text, "trace", 5) == 0 && word->length == 6 && word->text[5] >= '1' &&
                   word->text[5] <= '8') {
            parser_config(parser)->server.log_level = LOG_LEVEL_DEBUG;
        } else if (strchr(word->text, ':') != NULL) {
            parser_warn_at(parser, word, NULL, "has no effect: weir has one level for all its parts");
        } else {
            const char *nearest = nearest_word((struct span){word->text, word->length}, levels);
            parser_error_at(parser, word,
                            nearest != NULL ? arena_printf(&parser->scratch, "did you mean \"%s\"?", nearest)
                                            : "write emerg, alert, crit, error, warn, notice, info or debug",
                            "\"%s\" is no level", word->text);
        }
    }
}

/* ---- formats -------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *format;
} built_in_formats[] = {
    {"combined", "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""},
    {"common", "%h %l %u %t \"%r\" %>s %b"},
    {"vhost_combined", "%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""},
    {"referer", "%{Referer}i -> %U"},
    {"agent", "%{User-Agent}i"},
    {"json", "json"},
};

enum { BUILT_IN_COUNT = sizeof built_in_formats / sizeof built_in_formats[0] };

static bool check_format(struct parser *parser, const struct word *word) {
    struct log_format format;
    const char *problem, *hint;
    if (!log_format_parse(word->text, &parser->scratch, &format, &problem, &hint)) {
        parser_error_at(parser, word, hint, "%s", problem);
        return false;
    }
    return true;
}

static void apply_log_format(struct parser *parser, const struct directive_use *use) {
    const struct word *format = &use->arguments[0];
    const struct word *name = use->argument_count > 1 ? &use->arguments[1] : NULL;
    if (use->argument_count > 1 && (name->length == 0 || strchr(name->text, '%') != NULL)) {
        parser_error_at(parser, name, "write LogFormat \"format\" name", "\"%s\" is no name of a format", name->text);
        return;
    }
    if (!check_format(parser, format)) {
        return;
    }
    struct named_format *formats = list_grow(&parser->scratch, parser->formats, parser->format_count, sizeof *formats);
    formats[parser->format_count++] = (struct named_format){.host = parser_scope(parser)->host,
                                                            .name = use->argument_count > 1 ? name->text : NULL,
                                                            .format = format->text};
    parser->formats = formats;
}

/* The last definition in the host, then in the main server, then the built-in one. Name NULL: TransferLog's. */
static const char *format_named(struct parser *parser, const struct virtual_host *host, const char *name) {
    const struct virtual_host *scopes[] = {host, parser_host_at(parser, 0)};
    for (size_t scope = 0; scope < 2; scope++) {
        for (size_t i = parser->format_count; i > 0; i--) {
            const struct named_format *format = &parser->formats[i - 1];
            bool same = name == NULL ? format->name == NULL : format->name != NULL && strcmp(format->name, name) == 0;
            bool nickname = name == NULL && strchr(format->format, '%') == NULL;
            if (same && format->host == scopes[scope]) {
                return nickname ? format_named(parser, host, format->format) : format->format;
            }
        }
    }
    for (size_t i = 0; i < BUILT_IN_COUNT; i++) {
        if (strcmp(built_in_formats[i].name, name != NULL ? name : "common") == 0) {
            return built_in_formats[i].format;
        }
    }
    return NULL;
}

/* ---- access logs ---------------------------------------------------------------------------------------------- */

static void add_log(struct parser *parser, const struct directive_use *use, const struct word *format) {
    const struct word *path = &use->arguments[0];
    if (path->length == 0 || path->text[0] == '|') {
        parser_error_at(parser, path, "write a path; weir opens it again on USR1, for logrotate",
                        "weir does not log to a program");
        return;
    }
    struct virtual_host *host = parser_scope(parser)->host;
    struct access_log *log = arena_alloc(parser_arena(parser), sizeof *log);
    *log = (struct access_log){.path = parser_path(parser, path->text), .place = use->name.place};
    struct pending_log *logs = list_grow(&parser->scratch, parser->logs, parser->log_count, sizeof *logs);
    logs[parser->log_count++] = (struct pending_log){.host = host, .log = log, .format = format, .use = use};
    parser->logs = logs;
}

static void apply_custom_log(struct parser *parser, const struct directive_use *use) {
    const struct word *format = use->argument_count > 1 ? &use->arguments[1] : NULL;
    if (use->argument_count > 2) {
        parser_error_at(parser, &use->arguments[2], "leave the condition out, and filter the log when it is read",
                        "weir logs every request: env= and expr= are not known");
        return;
    }
    if (use->argument_count > 1 &&
        (strncasecmp(format->text, "env=", 4) == 0 || strncasecmp(format->text, "expr=", 5) == 0)) {
        parser_error_at(parser, format, "write the name of a format, e.g. combined",
                        "weir logs every request: env= and expr= are not known");
        return;
    }
    if (use->argument_count > 1 && strchr(format->text, '%') != NULL && !check_format(parser, format)) {
        return;
    }
    add_log(parser, use, format);
}

static void apply_transfer_log(struct parser *parser, const struct directive_use *use) {
    add_log(parser, use, NULL);
}

static const char *format_of(struct parser *parser, const struct pending_log *pending) {
    bool custom = strcasecmp(pending->use->directive->name, "CustomLog") == 0;
    if (pending->format == NULL) {
        return format_named(parser, pending->host, custom ? "combined" : NULL);
    }
    if (strchr(pending->format->text, '%') != NULL) {
        return pending->format->text;
    }
    const char *format = format_named(parser, pending->host, pending->format->text);
    if (format == NULL) {
        const char **names =
            arena_alloc(&parser->scratch, (parser->format_count + BUILT_IN_COUNT + 1) * sizeof(char *));
        size_t count = 0;
        for (size_t i = 0; i < BUILT_IN_COUNT; i++) {
            names[count++] = built_in_formats[i].name;
        }
        for (size_t i = 0; i < parser->format_count; i++) {
            if (parser->formats[i].name != NULL) {
                names[count++] = parser->formats[i].name;
            }
        }
        const char *nearest = nearest_word((struct span){pending->format->text, pending->format->length}, names);
        parser_error_use(parser, pending->use, pending->format,
                         nearest != NULL ? arena_printf(&parser->scratch, "did you mean \"%s\"?", nearest)
                                         : "write LogFormat \"format\" name, or use combined, common or json",
                         "there is no LogFormat \"%s\"", pending->format->text);
    }
    return format;
}

void logs_finish(struct parser *parser) {
    for (size_t i = 0; i < parser->log_count; i++) {
        const struct pending_log *pending = &parser->logs[i];
        pending->log->format = format_of(parser, pending);
        struct virtual_host *host = pending->host;
        struct access_log *logs =
            list_grow(parser_arena(parser), host->access_logs, host->access_log_count, sizeof *logs);
        logs[host->access_log_count++] = *pending->log;
        host->access_logs = logs;
    }
}

#define LOG_ROW(name_, contexts_, least_, most_, apply_, syntax_, default_, help_)                                     \
    .name = (name_), .contexts = (contexts_), .minimum_arguments = (least_), .maximum_arguments = (most_),             \
    .apply = (apply_), .syntax = (syntax_), .default_text = (default_), .help = (help_)

const struct directive directives_log[] = {
    {LOG_ROW("ErrorLog", SERVER_AND_HOST, 1, 1, apply_error_log, "path|stderr|syslog[:facility]", "stderr",
             "Where weir's own messages go"),
     .base = BASE_SERVER},
    {LOG_ROW("LogLevel", SERVER_AND_HOST, 1, MANY_ARGUMENTS, apply_log_level,
             "emerg|alert|crit|error|warn|notice|info|debug", "notice", "How much is said there")},
    {LOG_ROW("LogFormat", SERVER_AND_HOST, 1, 2, apply_log_format, "\"format\" name",
             "(combined, common, vhost_combined, referer, agent and json are built in)",
             "Gives a format of access logs a name; Apache's % codes, and %{weir-decision}x and its like"),
     .repeated = true},
    {LOG_ROW("CustomLog", SERVER_AND_HOST, 1, 3, apply_custom_log, "path [name|\"format\"]", "(none; combined)",
             "An access log; a host with one of its own does not write the server's"),
     .repeated = true},
    {LOG_ROW("TransferLog", SERVER_AND_HOST, 1, 1, apply_transfer_log, "path", NULL,
             "An access log in the format of the last LogFormat without a name, else common"),
     .repeated = true},
};
const size_t directives_log_count = sizeof directives_log / sizeof directives_log[0];
