/* Rules between objects, checked when everything was read: listeners, names, balancers, TLS, accounts and
 * the files that are named. Called by config.c on the thread that loads. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/endpoint.h"
#include "config/parser.h"

/* ---- listeners and hosts -------------------------------------------------------------------------------------- */

static bool address_meets(const struct host_address *address, const struct listener *listener) {
    if (listener->control) {
        return false; /* it serves no host */
    }
    if (listener->unix_path != NULL) {
        return address->address.family == IP_NONE;
    }
    bool same_address =
        address->address.family == IP_NONE || listener->address.family == IP_NONE ||
        ip_address_equal(&address->address, &listener->address) ||
        /* [::] takes IPv4 connections too where the system has it so */
        (listener->address.family == IP_V6 && memcmp(listener->address.bytes, (uint8_t[16]){0}, 16) == 0) ||
        (listener->address.family == IP_V4 && address->address.family == IP_V4 &&
         memcmp(listener->address.bytes, (uint8_t[4]){0}, 4) == 0);
    return same_address && (address->port == 0 || address->port == listener->port);
}

static bool host_meets(const struct virtual_host *host, const struct listener *listener) {
    for (size_t i = 0; i < host->address_count; i++) {
        if (address_meets(&host->addresses[i], listener)) {
            return true;
        }
    }
    return false;
}

static void check_addresses(struct parser *parser, const struct host_build *build) {
    const struct config *config = parser->config;
    const struct virtual_host *host = build->host;
    for (size_t i = 0; i < host->address_count && config->listener_count > 0; i++) {
        bool met = false;
        for (size_t j = 0; j < config->listener_count && !met; j++) {
            met = address_meets(&host->addresses[i], &config->listeners[j]);
        }
        if (!met) {
            const struct host_address *address = &host->addresses[i];
            parser_warn_use(parser, build->use, NULL, "write a Listen line for it, or * for all that there are",
                            "nothing listens on %s, so the host is never reached there",
                            endpoint_name(&parser->scratch, &address->address, address->port));
        }
    }
}

static void check_tls_of_host(struct parser *parser, const struct host_build *build) {
    const struct config *config = parser->config;
    const struct virtual_host *host = build->host;
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener *listener = &config->listeners[i];
        if (!host_meets(host, listener)) {
            continue;
        }
        if (host->tls.engine && !listener->https) {
            /* A Unix socket has no port: it serves the hosts of every port, unless they name an address. */
            const char *other = listener->unix_path != NULL ? "an address" : "another port";
            parser_error_place(
                parser, &host->tls.engine_place, "SSLEngine",
                arena_printf(&parser->scratch, "write Listen %s https, or give the host %s", listener->name, other),
                "the host is on %s, where TLS is not spoken", listener->name);
            return;
        }
        if (listener->https && host->tls.certificate_count == 0 && !host->tls.engine) {
            parser_error_use(parser, build->use, NULL, "write SSLEngine On and SSLCertificateFile",
                             "the host is on %s, where TLS is spoken, and has no certificate", listener->name);
            return;
        }
    }
}

/* Listeners that no host is for are served by the main server. */
static void check_tls_of_main(struct parser *parser) {
    const struct config *config = parser->config;
    const struct virtual_host *main_server = parser->hosts[0].host;
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener *listener = &config->listeners[i];
        bool taken = false;
        for (size_t j = 1; j < parser->host_count && !taken; j++) {
            taken = host_meets(parser->hosts[j].host, listener);
        }
        if (!taken && listener->https && main_server->tls.certificate_count == 0) {
            parser_error_place(parser, &listener->place, "Listen",
                               "write SSLCertificateFile, a <VirtualHost> with one, or Listen ... http",
                               "TLS is spoken on %s, and no host there has a certificate", listener->name);
        }
    }
}

struct served_name { /* one name on one address */
    const char *name;
    const struct host_address *address;
    const struct host_build *build;
};

static int compare_names(const void *left, const void *right) {
    const struct served_name *a = left;
    const struct served_name *b = right;
    int order = strcasecmp(a->name, b->name);
    if (order == 0) {
        order = memcmp(&a->address->address, &b->address->address, sizeof a->address->address);
    }
    if (order == 0) {
        order = (int)a->address->port - (int)b->address->port;
    }
    if (order == 0) {
        order = a->build->host->index < b->build->host->index ? -1 : a->build->host->index > b->build->host->index;
    }
    return order;
}

static bool same_served(const struct served_name *a, const struct served_name *b) {
    return strcasecmp(a->name, b->name) == 0 && a->address->port == b->address->port &&
           memcmp(&a->address->address, &b->address->address, sizeof a->address->address) == 0;
}

static void check_names(struct parser *parser) {
    size_t count = 0;
    for (size_t i = 1; i < parser->host_count; i++) {
        count += parser->hosts[i].host->address_count;
    }
    struct served_name *names = must_calloc(count, sizeof *names);
    size_t used = 0;
    for (size_t i = 1; i < parser->host_count; i++) {
        const struct host_build *build = &parser->hosts[i];
        for (size_t j = 0; j < build->host->address_count && build->server_name != NULL; j++) {
            names[used++] = (struct served_name){build->host->name, &build->host->addresses[j], build};
        }
    }
    qsort(names, used, sizeof *names, compare_names);
    for (size_t i = 1; i < used; i++) {
        if (same_served(&names[i - 1], &names[i]) && names[i - 1].build != names[i].build) {
            const struct directive_use *use = names[i].build->server_name;
            parser_warn_use(parser, use, &use->arguments[0], "the first host in the file answers for it",
                            "another host has this name on the same address, line %u",
                            names[i - 1].build->server_name->name.place.line);
        }
    }
    free(names);
}

/* A Listen line that is wrong has been reported, and is one all the same. */
static void check_listeners(struct parser *parser) {
    bool said = parser->config->listener_count > 0;
    for (size_t i = 0; i < parser->use_count && !said; i++) {
        said = strcmp(parser->uses[i]->directive->name, "Listen") == 0;
    }
    if (said) {
        return;
    }
    struct place place = {.file = parser->options->path != NULL ? parser->options->path : "proxy.conf", .line = 0};
    parser_error_place(parser, &place, "Listen", "write Listen 8080, or Listen 127.0.0.1:8080",
                       "there is no Listen line: weir would serve nobody");
}

/* ---- balancers ------------------------------------------------------------------------------------------------ */

static void check_balancers(struct parser *parser) {
    const char **names = arena_alloc(&parser->scratch, (parser->balancer_count + 1) * sizeof(char *));
    size_t defined = 0;
    for (size_t i = 0; i < parser->balancer_count; i++) {
        if (parser->balancers[i].defined) {
            names[defined++] = parser->balancers[i].balancer->name;
        }
    }
    for (size_t i = 0; i < parser->balancer_count; i++) {
        const struct named_balancer *named = &parser->balancers[i];
        const struct balancer *balancer = named->balancer;
        if (!named->defined) {
            const char *nearest = nearest_word(span_of(balancer->name), names);
            parser_error_use(parser, named->first_use, &named->first_word,
                             nearest != NULL
                                 ? arena_printf(&parser->scratch, "did you mean \"%s\"?", nearest)
                                 : arena_printf(&parser->scratch, "write <Proxy %s> with BalancerMember lines in it",
                                                balancer->name),
                             "there is no balancer \"%s\"", balancer->name);
        } else if (balancer->member_count == 0) {
            parser_error_use(parser, named->first_use, &named->first_word, "write BalancerMember url into its section",
                             "the balancer \"%s\" has no members", balancer->name);
        }
    }
}

/* ---- accounts and files --------------------------------------------------------------------------------------- */

static bool is_number(const char *text) {
    return text[0] == '#' && text[1] != '\0' && strspn(text + 1, "0123456789") == strlen(text + 1);
}

/* The last line of a directive that stands once in a server. */
static const struct directive_use *last_use(const struct parser *parser, const char *name) {
    for (size_t i = parser->server_use_count; i > 0; i--) {
        if (strcasecmp(parser->server_uses[i - 1]->directive->name, name) == 0) {
            return parser->server_uses[i - 1];
        }
    }
    return NULL;
}

static void check_accounts(struct parser *parser) {
    const struct server_settings *server = &parser->config->server;
    if (server->user != NULL && !is_number(server->user) && getpwnam(server->user) == NULL) {
        const struct directive_use *use = last_use(parser, "User");
        parser_error_use(parser, use, use != NULL ? &use->arguments[0] : NULL,
                         "write the name of an account, or #number", "there is no user \"%s\"", server->user);
    }
    if (server->group != NULL && !is_number(server->group) && getgrnam(server->group) == NULL) {
        const struct directive_use *use = last_use(parser, "Group");
        parser_error_use(parser, use, use != NULL ? &use->arguments[0] : NULL, "write the name of a group, or #number",
                         "there is no group \"%s\"", server->group);
    }
}

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The folder in which a file of that path is made. */
static const char *folder_of(struct parser *parser, const char *path) {
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) : 0;
    return length > 0 ? arena_copy(&parser->scratch, (struct span){path, length}) : "/";
}

/* Lines that make files without which weir serves all the same. What a missing folder means is told before it matters:
 * when the first client is blocked, or the usage is gone, nobody looks. */
static void check_optional_folders(struct parser *parser) {
    static const struct {
        const char *directive;
        bool is_folder; /* the argument itself; else what stands in it */
        const char *problem;
    } rows[] = {
        {"DOSLogDir", true, "blocks will have no files"},
        {"CBandScoreboard", false, "usage is forgotten at a restart"},
        {"CBandUserScoreboard", false, "usage is forgotten at a restart"},
    };
    for (size_t i = 0; i < parser->use_count; i++) {
        const struct directive_use *use = parser->uses[i];
        for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
            if (strcmp(use->directive->name, rows[row].directive) != 0 || use->arguments[0].length == 0) {
                continue;
            }
            const char *path = parser_path(parser, use->arguments[0].text);
            const char *folder = rows[row].is_folder ? path : folder_of(parser, path);
            if (!is_folder(folder)) {
                parser_warn_use(parser, use, &use->arguments[0], "make the folder, writable for User, or write another",
                                "there is no folder \"%s\": %s", folder, rows[row].problem);
            }
        }
    }
}

/* The folder in which weir is to make a file must be there. */
static void check_folder(struct parser *parser, const struct directive_use *use, const char *path) {
    if (path == NULL || use == NULL) {
        return;
    }
    const char *folder = folder_of(parser, path);
    if (!is_folder(folder)) {
        parser_error_use(parser, use, &use->arguments[0], "make the folder, or write another path",
                         "there is no folder \"%s\"", folder);
    }
}

static void check_files(struct parser *parser) {
    const struct server_settings *server = &parser->config->server;
    check_accounts(parser);
    check_folder(parser, last_use(parser, "PidFile"), server->pid_file);
    check_folder(parser, last_use(parser, "StateFile"), server->state_file);
    check_folder(parser, last_use(parser, "ControlSocket"), server->control_socket);
    check_folder(parser, last_use(parser, "ErrorLog"), server->log_target == LOG_TO_FILE ? server->log_path : NULL);
    for (size_t i = 0; i < parser->log_count; i++) {
        check_folder(parser, parser->logs[i].use, parser->logs[i].log->path);
    }
    check_optional_folders(parser);
}

/* The control socket is a listener like others, but for what is answered there. */
static void add_control_listener(struct parser *parser) {
    struct config *config = parser->config;
    const char *path = config->server.control_socket;
    if (path == NULL) {
        return;
    }
    const struct listener control = {
        .name = arena_printf(parser_arena(parser), "unix:%s", path), .unix_path = path, .control = true};
    struct listener *listeners =
        list_grow(parser_arena(parser), config->listeners, config->listener_count, sizeof *listeners);
    for (size_t i = 0; i < config->listener_count; i++) {
        if (strcmp(listeners[i].name, control.name) == 0) {
            const struct directive_use *use = last_use(parser, "ControlSocket");
            parser_error_use(parser, use, use != NULL ? &use->arguments[0] : NULL,
                             "choose another path for one of the two", "\"%s\" is listened on already, line %u",
                             control.name, listeners[i].place.line);
            return;
        }
    }
    listeners[config->listener_count++] = control;
    config->listeners = listeners;
    config->server.lists_clients = true;
}

void config_check(struct parser *parser) {
    check_listeners(parser);
    add_control_listener(parser);
    for (size_t i = 1; i < parser->host_count; i++) {
        check_addresses(parser, &parser->hosts[i]);
        check_tls_of_host(parser, &parser->hosts[i]);
    }
    check_tls_of_main(parser);
    check_names(parser);
    check_balancers(parser);
    if (parser->options->check_files) {
        check_files(parser);
    }
}
