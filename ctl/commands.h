/* The commands of weirctl: one table, by which they are found, checked, and listed in --help. */
#ifndef WEIR_CTL_COMMANDS_H
#define WEIR_CTL_COMMANDS_H

#include <stdio.h>

#include "ctl/client.h"
#include "ctl/options.h"

/* What weirctl ends with. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,  /* weir said no, or it failed: the reason is on standard error */
    EXIT_USAGE = 2,    /* the command line is wrong */
    EXIT_UNREACHED = 3 /* no weir answers at the socket */
};

struct invocation {
    const struct options *options;
    struct client *client;
    FILE *out, *messages;
};

/* Checks the command and its words and options. False, with the reason written: EXIT_USAGE. Needs no client. */
bool command_check(const struct options *options, FILE *messages);
/* After that. */
enum exit_code command_run(const struct invocation *invocation);

void commands_print_help(FILE *out);

/* Says why there is no good answer. For who asked by client_get() or client_post(). */
enum exit_code command_failed(const struct invocation *invocation, const struct client_answer *answer);

/* top.c */
enum exit_code command_top(const struct invocation *invocation);
/* command_status.c */
enum exit_code command_status(const struct invocation *invocation);

#endif
