/* The reference of all directives, printed from the table: -L, and proxy.conf.sample. Pure but for the FILE. */
#include <string.h>

#include "config/parser.h"

static void print_contexts(FILE *out, unsigned contexts) {
    char text[96];
    directive_contexts_text(contexts, text, sizeof text);
    fputs(text, out);
}

static bool is_shown(const struct directive *row) {
    return !row->ignored && row->refused == NULL;
}

static void print_usage(FILE *out, const struct directive *row) {
    const char *space = row->syntax[0] != '\0' ? " " : "";
    fprintf(out, row->section ? "<%s%s%s>" : "%s%s%s", row->name, space, row->syntax);
}

void config_print_directives(FILE *out) {
    const struct directive *row;
    for (size_t i = 0; (row = directive_at(i)) != NULL; i++) {
        if (!is_shown(row)) {
            continue;
        }
        print_usage(out, row);
        fprintf(out, "\n    %s\n    Allowed in: ", row->help);
        print_contexts(out, row->contexts);
        putc('\n', out);
        if (row->default_text != NULL) {
            fprintf(out, "    Default: %s\n", row->default_text);
        }
    }
}

/* ---- proxy.conf.sample ---------------------------------------------------------------------------------------- */

static const char sample_live_part[] =
    "# proxy.conf: a configuration for weir to begin with, and the list of all directives.\n"
    "#\n"
    "# The language is that of Apache's httpd.conf. Try a file with \"weir -c proxy.conf -t\"; see what weir "
    "understood\n"
    "# with -S and --dump-config. This file is printed by \"weir --print-sample\".\n"
    "\n"
    "Listen 127.0.0.1:8080\n"
    "\n"
    "<VirtualHost *:8080>\n"
    "    ServerName localhost\n"
    "    ProxyPass / http://127.0.0.1:8081/\n"
    "    ProxyPassReverse / http://127.0.0.1:8081/\n"
    "\n"
    "    CBandLimit 300Gi\n"
    "    CBandPeriod 4W\n"
    "    CBandSpeed 100Mbps 0 0\n"
    "\n"
    "    # What weir does; without a Require line, for this machine alone.\n"
    "    <Location /cband-status>\n"
    "        SetHandler cband-status\n"
    "    </Location>\n"
    "</VirtualHost>\n"
    "\n"
    "# All directives. A line that begins with #Name has the default value, or shows how it is written.\n";

/* The lines of a section and of rows without a default show their arguments, the others the default. */
static void print_sample_row(FILE *out, const struct directive *row) {
    fprintf(out, "\n# %s.\n# In: ", row->help);
    print_contexts(out, row->contexts);
    fputs("\n", out);
    if (row->default_text != NULL && row->default_text[0] == '(') {
        fprintf(out, "# Default: %s\n", row->default_text);
    }
    if (row->default_text != NULL && row->default_text[0] != '(') {
        if (strcmp(row->syntax, row->default_text) != 0) {
            fprintf(out, "# Usage: %s %s\n", row->name, row->syntax);
        }
        fprintf(out, "#%s %s\n", row->name, row->default_text);
    } else {
        putc('#', out);
        print_usage(out, row);
        putc('\n', out);
    }
}

void config_print_sample(FILE *out) {
    fputs(sample_live_part, out);
    const struct directive *row;
    for (size_t i = 0; (row = directive_at(i)) != NULL; i++) {
        if (is_shown(row)) {
            print_sample_row(out, row);
        }
    }
}
