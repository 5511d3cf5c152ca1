/* The command line of weirctl: a command, its words, and options that may stand anywhere. */
#ifndef WEIR_CTL_OPTIONS_H
#define WEIR_CTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { OPTION_WORDS_MAX = 3 };

enum option_format { FORMAT_FOR_PEOPLE, FORMAT_JSON, FORMAT_CSV, FORMAT_XML };

/* Texts are those of argv; NULL: not said. */
struct options {
    const char *socket, *config; /* --socket, --config */
    enum option_format format;   /* --json, --csv, --xml */
    const char *host, *user, *class_name, *kind, *month, *from, *to, *by;
    double delay_s; /* --delay, of top */
    bool help, version;

    const char *command; /* NULL: none */
    const char *words[OPTION_WORDS_MAX];
    size_t word_count;
    unsigned given; /* bits of the rows of the option table that were used: options_allowed() */
};

/* False, with what is wrong written to `messages`: exit code 2. Reorders argv as getopt does. */
bool options_read(struct options *options, int argc, char **argv, FILE *messages);

/* Whether only options that the list names were used ("host user csv"); those that always go need not be in it. Writes
 * what is wrong otherwise. */
bool options_allowed(const struct options *options, const char *list, FILE *messages);

/* The lines of --help about options. */
void options_print_help(FILE *out);

#endif
