/* The command line of weir: what was asked for, or what is wrong with it. */
#ifndef WEIR_PROXY_PROGRAM_OPTIONS_H
#define WEIR_PROXY_PROGRAM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum command {
    COMMAND_RUN,
    COMMAND_CHECK,        /* -t */
    COMMAND_HOSTS,        /* -S */
    COMMAND_DUMP_CONFIG,  /* --dump-config */
    COMMAND_DIRECTIVES,   /* -L */
    COMMAND_PRINT_SAMPLE, /* --print-sample */
    COMMAND_PRINT_MANUAL, /* --print-manual */
    COMMAND_VERSION,      /* -v */
    COMMAND_HELP,         /* --help */
};

struct options {
    enum command command;
    const char *config_name; /* -c as it was written */
    char *config_path;       /* the same, made absolute with -d; NULL where the command needs none */
    bool detach;             /* -d */
    bool strict;             /* --strict */
    const char **defines;    /* -D */
    size_t define_count;
    char *program;          /* absolute path of the binary */
    const char **arguments; /* to run it again, ends with NULL */
};

/* Reads the command line. False with what is wrong written to `messages`: exit code 2. Free it in any case. */
bool options_read(struct options *options, int argc, char **argv, FILE *messages);
void options_free(struct options *options);
void options_print_help(FILE *out);

#endif
