/* Reading the command line by a table, from which --help is printed as well. Called by main() and the commands. */
#include "ctl/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "config/directive.h"

enum option_name {
    OPTION_SOCKET,
    OPTION_CONFIG,
    OPTION_JSON,
    OPTION_CSV,
    OPTION_XML,
    OPTION_HOST,
    OPTION_USER,
    OPTION_CLASS,
    OPTION_KIND,
    OPTION_MONTH,
    OPTION_FROM,
    OPTION_TO,
    OPTION_BY,
    OPTION_DELAY,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_COUNT
};

static const struct {
    const char *name, *argument, *help;
    bool always; /* goes with every command */
} rows[OPTION_COUNT] = {
    [OPTION_SOCKET] = {"socket", "PATH",
                       "weir's ControlSocket; default: the configuration's, or /run/weir/control.sock", true},
    [OPTION_CONFIG] = {"config", "FILE", "take the ControlSocket from this configuration", true},
    [OPTION_JSON] = {"json", NULL, "JSON, for programs: all but top and the commands that change something", false},
    [OPTION_CSV] = {"csv", NULL, "comma-separated values, for programs: lists and usage", false},
    [OPTION_XML] = {"xml", NULL, "XML: status", false},
    [OPTION_HOST] = {"host", "NAME", "usage of this host (ServerName)", false},
    [OPTION_USER] = {"user", "NAME", "usage of this user", false},
    [OPTION_CLASS] = {"class", "NAME", "usage of this class of clients", false},
    [OPTION_KIND] = {"kind", "host|user|class", "usage of all hosts, of all users or of all classes", false},
    [OPTION_MONTH] = {"month", "YYYY-MM", "usage in this month; default: the present one", false},
    [OPTION_FROM] = {"from", "TIME", "usage from then on: 2026-10, 2026-10-31, 2026-10-31T14, 2026-10-31T14:30", false},
    [OPTION_TO] = {"to", "TIME", "usage until then; the month, day or hour that it names included", false},
    [OPTION_BY] = {"by", "total|month|day|hour", "usage in one sum, or so many of them", false},
    [OPTION_DELAY] = {"delay", "SECONDS", "how often top looks; default: 2", false},
    [OPTION_HELP] = {"help", NULL, "print this", true},
    [OPTION_VERSION] = {"version", NULL, "print the version", true},
};

void options_print_help(FILE *out) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", rows[i].name, rows[i].argument != NULL ? " " : "",
                 rows[i].argument != NULL ? rows[i].argument : "");
        fprintf(out, "  %-25s %s\n", left, rows[i].help);
    }
}

static bool set_delay(struct options *options, const char *text, FILE *messages) {
    char *end;
    options->delay_s = strtod(text, &end);
    bool is_good = end != text && *end == '\0' && options->delay_s >= 0.1 && options->delay_s <= 3600;
    if (!is_good) {
        fprintf(messages, "weirctl: \"%s\" is no delay: write seconds, from 0.1 to 3600\n", text);
    }
    return is_good;
}

static bool set_format(struct options *options, enum option_format format, FILE *messages) {
    if (options->format != FORMAT_FOR_PEOPLE && options->format != format) {
        fputs("weirctl: write one of --json, --csv and --xml\n", messages);
        return false;
    }
    options->format = format;
    return true;
}

static bool apply(struct options *options, enum option_name name, const char *argument, FILE *messages) {
    options->given |= 1U << name;
    switch (name) {
    case OPTION_JSON:
        return set_format(options, FORMAT_JSON, messages);
    case OPTION_CSV:
        return set_format(options, FORMAT_CSV, messages);
    case OPTION_XML:
        return set_format(options, FORMAT_XML, messages);
    case OPTION_DELAY:
        return set_delay(options, argument, messages);
    case OPTION_HELP:
        options->help = true;
        return true;
    case OPTION_VERSION:
        options->version = true;
        return true;
    default:
        break;
    }
    const char **const texts[OPTION_COUNT] = {[OPTION_SOCKET] = &options->socket,
                                              [OPTION_CONFIG] = &options->config,
                                              [OPTION_HOST] = &options->host,
                                              [OPTION_USER] = &options->user,
                                              [OPTION_KIND] = &options->kind,
                                              [OPTION_MONTH] = &options->month,
                                              [OPTION_CLASS] = &options->class_name,
                                              [OPTION_FROM] = &options->from,
                                              [OPTION_TO] = &options->to,
                                              [OPTION_BY] = &options->by};
    *texts[name] = argument;
    return true;
}

static bool teach_unknown(const char *word, FILE *messages) {
    const char *names[OPTION_COUNT + 1] = {NULL};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        names[i] = rows[i].name;
    }
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + strspn(word, "-"), "="), word + strspn(word, "-"));
    const char *near = nearest_word(span_of(name), names);
    if (near != NULL) {
        fprintf(messages, "weirctl: %s is not understood; did you mean --%s?\n", word, near);
    } else {
        fprintf(messages, "weirctl: %s is not understood\n", word);
    }
    fputs("weirctl --help lists commands and options\n", messages);
    return false;
}

static bool read_words(struct options *options, int argc, char **argv, FILE *messages) {
    for (int at = optind; at < argc; at++) {
        if (options->command == NULL) {
            options->command = argv[at];
        } else if (options->word_count < OPTION_WORDS_MAX) {
            options->words[options->word_count++] = argv[at];
        } else {
            fprintf(messages, "weirctl: \"%s\" is one word too many\nweirctl --help lists commands and options\n",
                    argv[at]);
            return false;
        }
    }
    return true;
}

bool options_read(struct options *options, int argc, char **argv, FILE *messages) {
    struct option table[OPTION_COUNT + 1] = {0};
    for (int i = 0; i < OPTION_COUNT; i++) {
        table[i] =
            (struct option){rows[i].name, rows[i].argument != NULL ? required_argument : no_argument, NULL, 256 + i};
    }
    *options = (struct options){.delay_s = 2};
    opterr = 0;
    optind = 0;
    int code, last = 1;
    while ((code = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
        if (code == ':') {
            fprintf(messages, "weirctl: %s needs its %s\n", argv[optind - 1], rows[optopt - 256].argument);
            return false;
        }
        if (code == '?') {
            return teach_unknown(argv[optind - 1 > last ? optind - 1 : last], messages);
        }
        if (!apply(options, code == 'h' ? OPTION_HELP : (enum option_name)(code - 256), optarg, messages)) {
            return false;
        }
        last = optind;
    }
    return read_words(options, argc, argv, messages);
}

/* Whether the word stands in the list. */
static bool names(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *at = list; *at != '\0'; at += strcspn(at, " "), at += *at == ' ') {
        if (strncmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

bool options_allowed(const struct options *options, const char *list, FILE *messages) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((options->given & 1U << i) != 0 && !rows[i].always && !names(list, rows[i].name)) {
            fprintf(messages, "weirctl: %s takes no --%s\nweirctl --help lists commands and options\n",
                    options->command, rows[i].name);
            return false;
        }
    }
    return true;
}
