/* --dump-config and -S: the configuration as it was understood. A dump is a configuration again, and gives the same
 * dump. Called by the program's options, on any thread that holds a reference. */
#include <string.h>

#include "config/endpoint.h"
#include "config/parser.h"

/* Quoted when the lexer would otherwise read something else. */
static void print_argument(FILE *out, const char *text) {
    bool plain = text[0] != '\0' && strpbrk(text, " \t\v\f\r\"'\\>") == NULL;
    if (plain) {
        fputs(text, out);
        return;
    }
    putc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            putc('\\', out);
        }
        putc(*text, out);
    }
    putc('"', out);
}

static void print_line(FILE *out, const struct statement *statement, unsigned depth) {
    bool section = statement->directive->section;
    fprintf(out, "%*s%s%s", (int)depth * 4, "", section ? "<" : "", statement->directive->name);
    for (size_t i = 0; i < statement->argument_count; i++) {
        putc(' ', out);
        print_argument(out, statement->arguments[i]);
    }
    fputs(section ? ">\n" : "\n", out);
}

/* Nesting is bounded by the parser. */
static void print_statements(FILE *out, const struct statement *statement, unsigned depth) {
    for (; statement != NULL; statement = statement->next) {
        if (statement->replaced) {
            continue;
        }
        print_line(out, statement, depth);
        if (statement->directive->section) {
            print_statements(out, statement->first, depth + 1);
            fprintf(out, "%*s</%s>\n", (int)depth * 4, "", statement->directive->name);
        }
    }
}

static bool is_said(const struct statement *section, const struct directive *directive) {
    for (const struct statement *statement = section->first; statement != NULL; statement = statement->next) {
        if (statement->directive == directive) {
            return true;
        }
    }
    return false;
}

/* The defaults of what nobody said, so that the dump tells everything that holds. */
static void print_defaults(FILE *out, const struct statement *root) {
    const struct directive *row;
    for (size_t i = 0; (row = directive_at(i)) != NULL; i++) {
        bool shown = row->default_text != NULL && row->default_text[0] != '(' && !row->unsaid &&
                     (row->contexts & CONTEXT_SERVER) != 0 && !row->section && !row->ignored && !row->reading;
        if (shown && !is_said(root, row)) {
            fprintf(out, "%s %s\n", row->name, row->default_text);
        }
    }
}

void config_dump(const struct config *config, FILE *out) {
    print_defaults(out, config->statements);
    print_statements(out, config->statements->first, 0);
}

/* ---- -S ------------------------------------------------------------------------------------------------------- */

static void print_host_names(FILE *out, const struct virtual_host *host) {
    for (size_t i = 0; i < host->alias_count; i++) {
        fprintf(out, "                 alias %s\n", host->aliases[i]);
    }
    for (size_t i = 0; i < host->alias_pattern_count; i++) {
        fprintf(out, "                 alias ~ %s\n", pattern_text(host->alias_patterns[i]));
    }
}

static bool same_address(const struct host_address *a, const struct host_address *b) {
    return a->port == b->port && ip_address_equal(&a->address, &b->address);
}

static bool stands_on(const struct virtual_host *host, const struct host_address *address) {
    for (size_t i = 0; i < host->address_count; i++) {
        if (same_address(&host->addresses[i], address)) {
            return true;
        }
    }
    return false;
}

static const char *host_name(const struct virtual_host *host) {
    return host->name[0] != '\0' ? host->name : "(no ServerName)";
}

static void print_address(const struct config *config, const struct host_address *address, FILE *out) {
    struct arena arena;
    char block[256];
    arena_init(&arena, block, sizeof block);
    fprintf(out, "%s\n", endpoint_name(&arena, &address->address, address->port));
    arena_reset(&arena);
    bool first = true;
    for (size_t i = 1; i < config->host_count; i++) {
        const struct virtual_host *host = config->hosts[i];
        if (stands_on(host, address)) {
            fprintf(out, "         %s %s (%s:%u)\n", first ? "default server" : "      namevhost", host_name(host),
                    host->place.file, host->place.line);
            print_host_names(out, host);
            first = false;
        }
    }
}

/* True when an earlier host, or an earlier address of this one, has the same address. */
static bool was_printed(const struct config *config, size_t host_index, size_t address_index) {
    const struct host_address *address = &config->hosts[host_index]->addresses[address_index];
    for (size_t i = 1; i < host_index; i++) {
        if (stands_on(config->hosts[i], address)) {
            return true;
        }
    }
    for (size_t i = 0; i < address_index; i++) {
        if (same_address(&config->hosts[host_index]->addresses[i], address)) {
            return true;
        }
    }
    return false;
}

void config_print_hosts(const struct config *config, FILE *out) {
    fputs("Listeners:\n", out);
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener *listener = &config->listeners[i];
        if (listener->control) {
            continue;
        }
        fprintf(out, "         %s%s%s (%s:%u)\n", listener->name, listener->https ? " https" : "",
                listener->proxy_protocol ? " proxy-protocol" : "", listener->place.file, listener->place.line);
    }
    fputs("VirtualHost configuration:\n", out);
    for (size_t i = 1; i < config->host_count; i++) {
        for (size_t j = 0; j < config->hosts[i]->address_count; j++) {
            if (!was_printed(config, i, j)) {
                print_address(config, &config->hosts[i]->addresses[j], out);
            }
        }
    }
    fprintf(out, "Main server: %s\n", host_name(config->hosts[0]));
}
