/* Commands to the process, each the same as a signal or a directive. Called by stats/control.c on the housekeeping
 * thread, between two events: nothing else of the process is under way. */
#include "proxy/process_commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/clock.h"
#include "proxy/log.h"
#include "proxy/process_state.h"

/* Returns `ok`, so that a command can end with it. */
__attribute__((format(printf, 3, 4))) static bool say(char **text, bool ok, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(text, format, arguments) < 0) {
        *text = NULL;
    }
    va_end(arguments);
    return ok;
}

static bool say_reloaded(const struct process *process, const char *warnings, char **text) {
    const struct process_reload_result *result = &process->last_reload;
    if (!result->ok) {
        const char *why = result->text != NULL ? result->text : "the error log says what failed";
        size_t length = strlen(why);
        bool is_line = length > 0 && why[length - 1] == '\n';
        return say(text, false, "%s%sthe old configuration holds on\n", why, is_line ? "" : "\n");
    }
    char status[96];
    process_status(process, status, sizeof status);
    return say(text, true, "configuration reloaded: %s\n%s", status, warnings);
}

bool process_command_reload(struct process *process, char **text) {
    if (process->phase != PROCESS_RUNNING) {
        return say(text, false, "not now: weir is ending\n");
    }
    if (process->upgrade != NULL) {
        return say(text, false, "not now: an upgrade (USR2) is under way\n");
    }
    log_notice("control socket: reload");
    char *warnings = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&warnings, &size); /* NULL: only the log has them */
    process_reload(process, "control socket", out);
    bool is_whole = out != NULL && fclose(out) == 0;
    bool ok = say_reloaded(process, is_whole ? warnings : "", text);
    free(warnings);
    return ok;
}

bool process_command_drain(struct process *process, char **text) {
    if (process->phase != PROCESS_RUNNING) {
        return say(text, false, "weir is ending already\n");
    }
    process_drain(process, "told to drain by the control socket");
    return say(text, true,
               "weir takes no new connections, and ends when what is being served has ended, within %lld s\n",
               (long long)(process->generation->config->server.graceful_timeout_ns / NS_PER_SECOND));
}

bool process_command_log_level(struct span level, char **text) {
    for (enum log_level i = LOG_LEVEL_EMERG; i <= LOG_LEVEL_DEBUG; i++) {
        if (span_equal_nocase(level, span_of(log_level_name(i)))) {
            const char *before = log_level_name(log_level());
            log_set_level(i);
            log_write(i < LOG_LEVEL_NOTICE ? i : LOG_LEVEL_NOTICE, "control socket: log level %s, it was %s",
                      log_level_name(i), before);
            return say(text, true, "log level %s, it was %s; the next reload takes it from the configuration again\n",
                       log_level_name(i), before);
        }
    }
    return say(text, false, "\"%.*s\" is no log level: write emerg, alert, crit, error, warn, notice, info or debug\n",
               (int)level.len, level.ptr);
}

void process_command_write_state(struct process *process) {
    process_keep_now(process);
}
