/* Reading the command line by a table, from which --help is printed as well. Called by main() alone. */
#include "proxy/program/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/arena.h"
#include "config/directive.h"

enum option_kind { OPTION_CONFIG, OPTION_DEFINE, OPTION_DETACH, OPTION_STRICT, OPTION_COMMAND };

static const struct option {
    const char *names[2];
    const char *argument; /* NULL: takes none */
    const char *help;
    enum option_kind kind;
    enum command command;
} table[] = {
    {{"-c", "--config"}, "FILE", "the configuration to run with", OPTION_CONFIG, COMMAND_RUN},
    {{"-t", "--test"},
     NULL,
     "check the configuration and end: 0 when it is good, 1 when not",
     OPTION_COMMAND,
     COMMAND_CHECK},
    {{"-S", "--hosts"},
     NULL,
     "print listeners, hosts and where they lead, as understood",
     OPTION_COMMAND,
     COMMAND_HOSTS},
    {{NULL, "--dump-config"}, NULL, "print the effective configuration", OPTION_COMMAND, COMMAND_DUMP_CONFIG},
    {{"-D", "--define"},
     "NAME",
     "define NAME, or NAME=VALUE, for <IfDefine> and ${NAME}; may be repeated",
     OPTION_DEFINE,
     COMMAND_RUN},
    {{NULL, "--strict"}, NULL, "take warnings about the configuration as errors", OPTION_STRICT, COMMAND_RUN},
    {{"-d", "--detach"},
     NULL,
     "go to the background; the command ends when weir serves, or has failed",
     OPTION_DETACH,
     COMMAND_RUN},
    {{"-L", "--directives"},
     NULL,
     "list every directive with context, default and meaning",
     OPTION_COMMAND,
     COMMAND_DIRECTIVES},
    {{NULL, "--print-sample"}, NULL, "print a configuration to begin with", OPTION_COMMAND, COMMAND_PRINT_SAMPLE},
    {{NULL, "--print-manual"}, NULL, "print the manual page weir.conf(5)", OPTION_COMMAND, COMMAND_PRINT_MANUAL},
    {{"-v", "--version"}, NULL, "print the version, and those of the libraries", OPTION_COMMAND, COMMAND_VERSION},
    {{"-h", "--help"}, NULL, "print this", OPTION_COMMAND, COMMAND_HELP},
};
enum { OPTION_COUNT = sizeof table / sizeof table[0] };

void options_print_help(FILE *out) {
    fputs("weir, a reverse proxy that shapes traffic\n\n"
          "Usage: weir -c FILE [-t | -S | --dump-config] [-D NAME]... [--strict] [-d]\n"
          "       weir -L | --print-sample | --print-manual | -v | --help\n\n",
          out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char left[48];
        snprintf(left, sizeof left, "%s%s%s%s%s", table[i].names[0] != NULL ? table[i].names[0] : "    ",
                 table[i].names[0] != NULL ? ", " : "", table[i].names[1], table[i].argument != NULL ? " " : "",
                 table[i].argument != NULL ? table[i].argument : "");
        fprintf(out, "  %-22s %s\n", left, table[i].help);
    }
    fputs("\nSignals: HUP reads the configuration again, USR1 opens the log files again, USR2 starts the binary anew "
          "with none\n"
          "refused, TERM and QUIT end when what is being served has ended, INT ends at once.\n"
          "Exit codes: 0, 1 the configuration or the start failed, 2 a wrong command line.\n",
          out);
}

static const struct option *find(const char *name) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        for (size_t k = 0; k < 2; k++) {
            if (table[i].names[k] != NULL && strcmp(table[i].names[k], name) == 0) {
                return &table[i];
            }
        }
    }
    return NULL;
}

static bool teach_unknown(const char *word, FILE *messages) {
    const char *long_names[OPTION_COUNT + 1] = {NULL};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        long_names[i] = table[i].names[1];
    }
    const char *near = word[0] == '-' ? nearest_word(span_of(word), long_names) : NULL;
    if (word[0] != '-') {
        fprintf(messages, "weir: \"%s\" is not expected here; did you mean: weir -c %s\n", word, word);
    } else if (near != NULL) {
        fprintf(messages, "weir: unknown option %s; did you mean %s?\n", word, near);
    } else {
        fprintf(messages, "weir: unknown option %s\n", word);
    }
    fputs("weir --help lists all options\n", messages);
    return false;
}

static void apply(struct options *options, const struct option *option, const char *argument) {
    switch (option->kind) {
    case OPTION_CONFIG:
        options->config_name = argument;
        break;
    case OPTION_DEFINE:
        options->defines[options->define_count++] = argument;
        break;
    case OPTION_DETACH:
        options->detach = true;
        break;
    case OPTION_STRICT:
        options->strict = true;
        break;
    case OPTION_COMMAND:
        options->command = option->command;
        break;
    }
}

/* One word and, where it takes one, its argument: "-c FILE", "-cFILE", "--config FILE", "--config=FILE". */
static bool read_word(struct options *options, int argc, char **argv, int *at, FILE *messages) {
    const char *word = argv[*at];
    char name[32];
    bool is_long = word[0] == '-' && word[1] == '-';
    size_t name_length = is_long ? strcspn(word, "=") : 2;
    snprintf(name, sizeof name, "%.*s", (int)name_length, word);
    const struct option *option = word[0] == '-' && word[1] != '\0' && name_length < sizeof name ? find(name) : NULL;
    const char *attached = strlen(word) > name_length ? word + name_length + (is_long ? 1 : 0) : NULL;
    if (option == NULL || (option->argument == NULL && attached != NULL)) {
        return teach_unknown(word, messages);
    }
    const char *argument = attached;
    if (option->argument != NULL && argument == NULL) {
        if (*at + 1 >= argc) {
            fprintf(messages, "weir: %s needs its %s, as in: weir %s %s\nweir --help lists all options\n", word,
                    option->argument, word, option->kind == OPTION_CONFIG ? "proxy.conf" : "NAME");
            return false;
        }
        argument = argv[++*at];
    }
    apply(options, option, argument);
    return true;
}

/* Relative to where we are now, links not resolved: what stands there later is what a restart should find. */
static char *make_absolute(const char *path) {
    char *folder = path[0] != '/' ? getcwd(NULL, 0) : NULL;
    size_t size = (folder != NULL ? strlen(folder) : 0) + strlen(path) + 2;
    char *absolute = must_malloc(size);
    snprintf(absolute, size, "%s%s%s", folder != NULL ? folder : "", folder != NULL ? "/" : "", path);
    free(folder);
    return absolute;
}

/* As the shell found it. */
static char *find_program(const char *name) {
    if (strchr(name, '/') != NULL) {
        return make_absolute(name);
    }
    const char *path = getenv("PATH");
    char *copy = strdup(path != NULL ? path : "/usr/sbin:/usr/bin");
    char *found = NULL;
    for (char *rest = copy, *folder; found == NULL && rest != NULL && (folder = strsep(&rest, ":")) != NULL;) {
        char *candidate = NULL;
        if (asprintf(&candidate, "%s/%s", *folder != '\0' ? folder : ".", name) >= 0) {
            found = access(candidate, X_OK) == 0 ? make_absolute(candidate) : NULL;
            free(candidate);
        }
    }
    free(copy);
    if (found == NULL) {
        char link[4096];
        ssize_t length = readlink("/proc/self/exe", link, sizeof link - 1);
        link[length > 0 ? length : 0] = '\0';
        found = make_absolute(length > 0 ? link : name);
    }
    return found;
}

static void make_arguments(struct options *options, const char *name) {
    size_t count = 0;
    options->arguments = must_calloc(options->define_count * 2 + 5, sizeof *options->arguments);
    options->arguments[count++] = name;
    options->arguments[count++] = "-c";
    options->arguments[count++] = options->config_path;
    for (size_t i = 0; i < options->define_count; i++) {
        options->arguments[count++] = "-D";
        options->arguments[count++] = options->defines[i];
    }
    if (options->strict) {
        options->arguments[count++] = "--strict";
    }
}

static bool needs_config(enum command command) {
    return command == COMMAND_RUN || command == COMMAND_CHECK || command == COMMAND_HOSTS ||
           command == COMMAND_DUMP_CONFIG;
}

bool options_read(struct options *options, int argc, char **argv, FILE *messages) {
    *options = (struct options){.command = COMMAND_RUN};
    options->defines = must_calloc((size_t)argc + 1, sizeof *options->defines);
    for (int at = 1; at < argc; at++) {
        if (!read_word(options, argc, argv, &at, messages)) {
            return false;
        }
    }
    if (!needs_config(options->command)) {
        return true;
    }
    if (options->config_name == NULL) {
        fputs("weir: which configuration? Say it with -c, as in: weir -c proxy.conf\n"
              "weir --print-sample prints one to begin with; weir --help lists all options\n",
              messages);
        return false;
    }
    /* Messages name the file as it was written, unless the process is not going to stay where it was started. */
    options->config_path = options->detach ? make_absolute(options->config_name) : strdup(options->config_name);
    options->program = find_program(argv[0]);
    make_arguments(options, argv[0]);
    return true;
}

void options_free(struct options *options) {
    free(options->config_path);
    free(options->program);
    free((void *)(uintptr_t)options->defines);
    free((void *)(uintptr_t)options->arguments);
}
