/* Directives of the server as a whole: what it listens on, its threads, its rights and its files. Read by directive.c;
 * applied by parser.c on the thread that loads. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "config/directive.h"
#include "config/endpoint.h"
#include "config/parser.h"
#include "config/simple_value.h"

/* ---- Listen --------------------------------------------------------------------------------------------------- */

static const char listen_hint[] =
    "write a port, an address and a port, or unix:/path, e.g. 8080, 127.0.0.1:8080, [::1]:8080";

static bool listen_unix(struct parser *parser, const struct word *word, struct listener *listener) {
    enum { PATH_MAX_BYTES = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 };
    const char *path = word->text + strlen("unix:");
    if (path[0] != '/') {
        parser_error_at(parser, word, "write an absolute path, e.g. unix:/run/weir/http.sock",
                        "\"%s\" is no absolute path", path);
        return false;
    }
    if (strlen(path) > PATH_MAX_BYTES) {
        parser_error_at(parser, word, NULL, "the path is longer than the %d bytes that a Unix socket's may have",
                        PATH_MAX_BYTES);
        return false;
    }
    listener->unix_path = path;
    listener->name = word->text;
    return true;
}

static bool listen_address(struct parser *parser, const struct word *word, struct listener *listener) {
    struct span text = {word->text, word->length};
    bool port_alone = simple_unsigned(text, 0, UINT64_MAX, &(uint64_t){0});
    if (port_alone) {
        uint64_t port = 0;
        if (!simple_unsigned(text, 1, 65535, &port)) {
            parser_error_at(parser, word, "write a port from 1 to 65535", "\"%s\" is no port", word->text);
            return false;
        }
        listener->port = (uint16_t)port;
        listener->name = arena_printf(parser_arena(parser), "*:%u", (unsigned)port);
        return true;
    }
    const char *problem = endpoint_parse(text, &listener->address, &listener->port);
    if (problem == NULL && listener->port == 0) {
        problem = "has no port";
    }
    if (problem != NULL) {
        parser_error_at(parser, word, listen_hint, "\"%s\" %s", word->text, problem);
        return false;
    }
    listener->name = endpoint_name(parser_arena(parser), &listener->address, listener->port);
    return true;
}

static void listen_option(struct parser *parser, const struct word *word, struct listener *listener) {
    if (strcasecmp(word->text, "https") == 0) {
        listener->https = true;
    } else if (strcasecmp(word->text, "proxy-protocol") == 0) {
        listener->proxy_protocol = true;
    } else if (strcasecmp(word->text, "http") != 0) {
        static const char *const words[] = {"http", "https", "proxy-protocol", NULL};
        const char *nearest = nearest_word((struct span){word->text, word->length}, words);
        parser_error_at(parser, word,
                        nearest != NULL ? arena_printf(&parser->scratch, "did you mean \"%s\"?", nearest)
                                        : "write https, proxy-protocol, both, or nothing",
                        "\"%s\" is not known here", word->text);
    }
}

enum { LISTENERS_MAX = 1024 };

static void apply_listen(struct parser *parser, const struct directive_use *use) {
    struct config *config = parser_config(parser);
    struct listener listener = {.place = use->name.place};
    const struct word *address = &use->arguments[0];
    bool good = strncmp(address->text, "unix:", 5) == 0 ? listen_unix(parser, address, &listener)
                                                        : listen_address(parser, address, &listener);
    bool protocol_said = false;
    for (size_t i = 1; i < use->argument_count; i++) {
        protocol_said = protocol_said || strcasecmp(use->arguments[i].text, "http") == 0;
        listen_option(parser, &use->arguments[i], &listener);
    }
    if (listener.port == 443 && !listener.https && !protocol_said) { /* Apache's default for this port */
        listener.https = true;
    }
    if (config->listener_count == LISTENERS_MAX) {
        parser_error_at(parser, address, NULL, "more than %d lines", LISTENERS_MAX);
        return;
    }
    for (size_t i = 0; good && i < config->listener_count; i++) {
        if (strcmp(config->listeners[i].name, listener.name) == 0) {
            parser_error_at(parser, address, "leave one of the two lines out", "\"%s\" is listened on already, line %u",
                            listener.name, config->listeners[i].place.line);
            good = false;
        }
    }
    if (good) {
        struct listener *listeners =
            list_grow(parser_arena(parser), config->listeners, config->listener_count, sizeof *listeners);
        listeners[config->listener_count++] = listener;
        config->listeners = listeners;
    }
}

/* ---- threads and connections ---------------------------------------------------------------------------------- */

enum { WORKERS_MAX = 1024 };

static void apply_workers(struct parser *parser, const struct directive_use *use) {
    const struct word *word = &use->arguments[0];
    uint64_t number = 0;
    if (strcasecmp(word->text, "auto") != 0 &&
        !simple_unsigned((struct span){word->text, word->length}, 1, WORKERS_MAX, &number)) {
        parser_error_at(parser, word, "write auto (one a core) or a whole number from 1 to 1024",
                        "\"%s\" is no number of threads", word->text);
        return;
    }
    parser_config(parser)->server.workers = (unsigned)number;
}

#define SERVER_ROW(name_, kind_, field_, syntax_, default_, help_)                                                     \
    .name = (name_), .contexts = CONTEXT_SERVER, .minimum_arguments = 1, .maximum_arguments = 1, .kind = (kind_),      \
    IN_SERVER(field_), .syntax = (syntax_), .default_text = (default_), .help = (help_)

const struct directive directives_server[] = {
    {.name = "Listen",
     .contexts = CONTEXT_SERVER,
     .minimum_arguments = 1,
     .maximum_arguments = 3,
     .repeated = true,
     .apply = apply_listen,
     .syntax = "[address:]port|unix:/path [http|https] [proxy-protocol]",
     .default_text = "(required)",
     .help = "Where clients connect to; https (usual on 443) speaks TLS, proxy-protocol expects a PROXY header first"},
    {.name = "Workers",
     .contexts = CONTEXT_SERVER,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .apply = apply_workers,
     .syntax = "n|auto",
     .default_text = "auto",
     .help = "Threads that serve; auto is one a core; a change needs USR2"},
    {SERVER_ROW("MaxConnections", VALUE_UNSIGNED, max_connections, "n", "(from the limit of open files)",
                "Client connections at a time; more are refused politely"),
     .minimum = 1, .maximum = 10000000},
    {SERVER_ROW("User", VALUE_TEXT, user, "name|#number", NULL,
                "Who weir runs as once it has bound its ports and read its keys")},
    {SERVER_ROW("Group", VALUE_TEXT, group, "name|#number", "(the user's)", "The group weir runs as")},
    {SERVER_ROW("PidFile", VALUE_PATH, pid_file, "path", NULL, "Holds the process id while weir runs")},
    {SERVER_ROW("StateFile", VALUE_PATH, state_file, "path", NULL, "The database of quotas, blocks and usage history")},
    {SERVER_ROW("UsageHistory", VALUE_UNSIGNED, usage_history_days, "days", "400",
                "Days for which usage by the hour is kept in the StateFile"),
     .minimum = 1, .maximum = 36500},
    {SERVER_ROW("ControlSocket", VALUE_PATH, control_socket, "path", NULL, "The Unix socket that weirctl talks to")},
    {SERVER_ROW("GracefulShutdownTimeout", VALUE_DURATION, graceful_timeout_ns, "seconds", "30",
                "How long a stop waits for requests under way"),
     .maximum = 86400 * 7},
};
const size_t directives_server_count = sizeof directives_server / sizeof directives_server[0];
