/* What an operator may tell the running process, besides signals: what comes through the control socket. Housekeeping
 * thread. Each says how it went in a text for people, which the caller frees; false: it was refused, or it failed. */
#ifndef WEIR_PROXY_PROCESS_COMMANDS_H
#define WEIR_PROXY_PROCESS_COMMANDS_H

#include <stdbool.h>

#include "config/span.h"

struct process;

/* As HUP does; returns when it has been tried. The text of a failure holds every error of the file, with its line, that
 * of a success every warning. */
bool process_command_reload(struct process *process, char **text);

/* As TERM does: the process ends when what is being served has ended. Returns at once. */
bool process_command_drain(struct process *process, char **text);

/* "warn": the error log's level, until the next reload or start takes it from the configuration. Words as LogLevel
 * takes them. */
bool process_command_log_level(struct span level, char **text);

/* Writes what was counted up to now to the state file, so that who reads it next finds everything. */
void process_command_write_state(struct process *process);

#endif
