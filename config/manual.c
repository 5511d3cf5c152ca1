/* The manual page weir.conf(5), printed from the table by "weir --print-manual" in the language of man(7). Pure but for
 * the FILE. */
#include <string.h>

#include "config/parser.h"
#include "config/version.h"

/* What is no ordinary character in man(7). */
static const struct {
    char character;
    const char *escape;
} escapes[] = {{'\\', "\\e"}, {'\'', "\\(aq"}, {'"', "\\(dq"}, {'^', "\\(ha"}, {'~', "\\(ti"}, {'`', "\\(ga"}};

static const char *escape_of(char character) {
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        if (escapes[i].character == character) {
            return escapes[i].escape;
        }
    }
    return NULL;
}

/* A character beyond ASCII as \[uXXXX]; the table's texts are UTF-8. Returns its bytes. */
static size_t put_unicode(FILE *out, const char *text) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    unsigned character = bytes[0] & (0xffU >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        character = character << 6 | (bytes[i] & 0x3fU);
    }
    fprintf(out, "\\[u%04X]", character);
    return length;
}

/* A hyphen in what one types is "\-", so that it can be copied from the page. */
static void put_text(FILE *out, const char *text, bool is_typed) {
    while (*text != '\0') {
        const char *escape = escape_of(*text);
        if ((unsigned char)*text >= 0x80) {
            text += put_unicode(out, text);
            continue;
        }
        if (escape != NULL || (*text == '-' && is_typed)) {
            fputs(escape != NULL ? escape : "\\-", out);
        } else {
            putc(*text, out);
        }
        text++;
    }
}

static bool is_shown(const struct directive *row) {
    return !row->ignored && row->refused == NULL;
}

/* "\&" so that no first word is taken for a command. */
static void put_row(FILE *out, const struct directive *row) {
    fputs(".TP\n\\fB", out);
    fputs(row->section ? "<" : "\\&", out);
    put_text(out, row->name, true);
    fputs("\\fR", out);
    if (row->syntax[0] != '\0') {
        putc(' ', out);
        put_text(out, row->syntax, true);
    }
    if (row->section) {
        fputs("\\fB>\\fR", out);
    }
    fputs("\n\\&", out);
    put_text(out, row->help, false);
    fputs(".\n.br\nIn: ", out);
    char contexts[96];
    directive_contexts_text(row->contexts, contexts, sizeof contexts);
    put_text(out, contexts, false);
    fputs(".\n", out);
    if (row->default_text != NULL) {
        fputs("Default: ", out);
        put_text(out, row->default_text, true);
        putc('\n', out);
    }
}

static const char beginning[] =
    ".TH WEIR.CONF 5 \"2026-11-21\" \"weir " WEIR_VERSION "\" \"File formats\"\n"
    ".SH NAME\n"
    "weir.conf \\- configuration of the reverse proxy weir\n"
    ".SH DESCRIPTION\n"
    "The language is that of Apache\\(aqs httpd.conf.\n"
    "A line is a directive: a name and its arguments.\n"
    "Names are the same in upper and lower case.\n"
    "An argument with blanks stands in double quotes; a backslash before a quote or a backslash makes it an ordinary\n"
    "character; a backslash at the end of a line joins the next one to it; a line that begins with # is a comment.\n"
    ".PP\n"
    "A section begins with a line <\\fIName\\fR arguments> and ends with </\\fIName\\fR>.\n"
    "Directives outside all sections hold for the whole server, and are what hosts begin with.\n"
    ".PP\n"
    "${NAME} stands for a variable that\n.B Define\nor the environment has.\n"
    "Durations are seconds, or have one of the units ms, s, min and h; sizes are bytes, or have K, M or G, which are "
    "powers\n"
    "of 1024, unless a directive says something else.\n"
    "Paths are relative to the folder of the main file.\n"
    ".PP\n"
    "A mistake is reported with file, line and column, and weir does not start, or goes on with the configuration that "
    "it\n"
    "has.\n"
    "\\fBweir \\-t \\-c\\fR \\fIfile\\fR checks a file; \\fBweir \\-\\-print\\-sample\\fR prints one to begin with.\n"
    "Directives of Apache that have no meaning here are accepted with a warning.\n"
    ".SH DIRECTIVES\n";

static const char end[] = ".SH EXAMPLES\n"
                          ".EX\n"
                          "Listen 80\n"
                          "StateFile /var/lib/weir/state.db\n"
                          "ControlSocket /run/weir/control.sock\n"
                          "\n"
                          "<VirtualHost *:80>\n"
                          "    ServerName shop.example.net\n"
                          "    ProxyPass / http://127.0.0.1:8080/\n"
                          "    CBandLimit 100G\n"
                          "    CBandPeriod 4W\n"
                          "</VirtualHost>\n"
                          ".EE\n"
                          ".SH SEE ALSO\n"
                          ".BR weir (8),\n"
                          ".BR weirctl (1)\n";

void config_print_manual(FILE *out) {
    const struct directive *row;
    fputs(beginning, out);
    for (size_t i = 0; (row = directive_at(i)) != NULL; i++) {
        if (is_shown(row)) {
            put_row(out, row);
        }
    }
    fputs(end, out);
}
