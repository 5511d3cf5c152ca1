/* The directives as a table: one row says everything about one directive, and everything else reads the rows.
 *
 * Each directives_*.c holds the rows of one subject and the functions that apply them; directive.c looks a name up over
 * all tables, applies the rows that are simple values, and prints the reference. The parser calls apply() for a line
 * whose name, context and number of arguments were right; an apply function checks the values, reports what is wrong
 * with parser_error_at(), and writes into the scope's object. It never logs and never exits. All of this runs on the
 * thread that loads a configuration. */
#ifndef WEIR_CONFIG_DIRECTIVE_H
#define WEIR_CONFIG_DIRECTIVE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/arena.h"
#include "config/config.h"
#include "config/span.h"

struct parser;

/* ---- words and lines ------------------------------------------------------------------------------------------ */

struct word {
    const char *text; /* quotes and escapes removed, ${NAME} replaced; terminated by a zero byte */
    size_t length;
    bool quoted;
    struct place place;
    unsigned column;       /* byte in the line of the file, from 1 */
    unsigned width;        /* bytes that the word takes in that line, quotes included */
    const char *line_text; /* that line as it stands in the file */
};

struct directive_use { /* one line, or the opening line of a section */
    const struct directive *directive;
    struct word name;
    const struct word *arguments;
    size_t argument_count;
};

/* ---- rows ----------------------------------------------------------------------------------------------------- */

enum context {
    CONTEXT_SERVER = 1 << 0,   /* outside all sections */
    CONTEXT_HOST = 1 << 1,     /* <VirtualHost> */
    CONTEXT_LOCATION = 1 << 2, /* <Location>, <LocationMatch> */
    CONTEXT_BALANCER = 1 << 3, /* <Proxy balancer://name> */
    CONTEXT_USER = 1 << 4,     /* <CBandUser> */
    CONTEXT_CLASS = 1 << 5,    /* <CBandClass> */
    CONTEXT_ACCESS = 1 << 6,   /* <RequireAll>, <RequireAny>, <RequireNone> */
};

/* How the argument of a simple row is read and what it is stored as. */
enum value_kind {
    VALUE_OWN = 0,  /* the row's apply function does everything */
    VALUE_ON_OFF,   /* bool */
    VALUE_UNSIGNED, /* unsigned, minimum to maximum */
    VALUE_SIZE,     /* uint64_t bytes, minimum to maximum; K, M and G (1024) may follow */
    VALUE_DURATION, /* int64_t nanoseconds; the argument is seconds, or has ms, s, min, h; bounds in seconds */
    VALUE_TEXT,     /* const char * */
    VALUE_PATH,     /* const char *, made absolute: relative to the folder of the main file */
    VALUE_CHOICE,   /* an enum (as unsigned): one of the words in `choices` */
};

/* The object that `offset` counts from. */
enum value_base { BASE_SETTINGS, BASE_SERVER, BASE_HOST, BASE_BALANCER, BASE_USER, BASE_CLASS };

struct choice { /* ends with a NULL word */
    const char *word;
    unsigned value;
};

enum { MANY_ARGUMENTS = INT_MAX };

struct directive {
    const char *name;
    unsigned contexts; /* bits of enum context */
    int minimum_arguments, maximum_arguments;
    bool unsaid;   /* to say its default may be more than to say nothing: --dump-config leaves it out */
    bool section;  /* <Name …>: apply() opens it by changing parser_scope(), close() may be NULL */
    bool ignored;  /* known from Apache, without effect: one warning; a section swallows its content */
    bool repeated; /* each line adds something; else a later line of a scope replaces the earlier */
    bool
        reading; /* acts on the reading of the files itself (Include, Define): no part of the effective configuration */
    const char *refused; /* known from Apache, but not taken: the hint of the error that says so; NULL: taken */

    enum value_kind kind;
    enum value_base base;
    size_t offset;      /* of the value in its base object */
    size_t said_offset; /* of a uint64_t in the same object in which said_mask is set; unused with mask 0 */
    uint64_t said_mask;
    uint64_t minimum, maximum; /* maximum 0: no bound but the type's */
    bool off_is_zero;          /* VALUE_UNSIGNED, SIZE, DURATION: the word "Off" stands for 0, below minimum too */
    const struct choice *choices;
    /* VALUE_CHOICE: words of Apache's that mean nothing in a proxy, taken as default_text with a warning; "*" at the
     * end of one stands for any; ends with NULL */
    const char *const *choices_without_effect;

    void (*apply)(struct parser *parser, const struct directive_use *use); /* VALUE_OWN; after a simple value: further
                                                                            * checks, may be NULL then */
    void (*close)(struct parser *parser, const struct directive_use *use); /* of a section */
    /* A section whose lines are read as if it were not there, when this says true; else they are skipped. */
    bool (*condition)(struct parser *parser, const struct directive_use *use);

    const char *syntax;       /* the arguments: "On|Off", "[addr:]port [https]"; "" for none */
    const char *default_text; /* as one would write it; "(…)" describes it instead; NULL: none */
    const char *help;         /* one line, no full stop */
};

/* Shorthands for simple rows: {.name = "KeepAlive", .kind = VALUE_ON_OFF, IN_SETTINGS(keepalive, SETTING_KEEPALIVE)}.
 */
#define IN_SETTINGS(field, bit)                                                                                        \
    .base = BASE_SETTINGS, .offset = offsetof(struct settings, field), .said_offset = offsetof(struct settings, said), \
    .said_mask = UINT64_C(1) << (bit)
#define IN_SERVER(field) .base = BASE_SERVER, .offset = offsetof(struct server_settings, field)
#define IN_HOST(field) .base = BASE_HOST, .offset = offsetof(struct virtual_host, field)
#define IN_HOST_SAID(field, said_field, bit)                                                                           \
    .base = BASE_HOST, .offset = offsetof(struct virtual_host, field),                                                 \
    .said_offset = offsetof(struct virtual_host, said_field), .said_mask = UINT64_C(1) << (bit)
#define IN_BALANCER(field) .base = BASE_BALANCER, .offset = offsetof(struct balancer, field)
#define IN_USER(field) .base = BASE_USER, .offset = offsetof(struct user_limits, field)
#define IN_CLASS(field) .base = BASE_CLASS, .offset = offsetof(struct client_class, field)

extern const struct directive directives_server[];
extern const size_t directives_server_count;
extern const struct directive directives_connection[];
extern const size_t directives_connection_count;
extern const struct directive directives_host[];
extern const size_t directives_host_count;
extern const struct directive directives_answers[];
extern const size_t directives_answers_count;
extern const struct directive directives_proxy[];
extern const size_t directives_proxy_count;
extern const struct directive directives_headers[];
extern const size_t directives_headers_count;
extern const struct directive directives_access[];
extern const size_t directives_access_count;
extern const struct directive directives_log[];
extern const size_t directives_log_count;
extern const struct directive directives_cband[];
extern const size_t directives_cband_count;
extern const struct directive directives_dos[];
extern const size_t directives_dos_count;
extern const struct directive directives_tls[];
extern const size_t directives_tls_count;
extern const struct directive directives_ignored[];
extern const size_t directives_ignored_count;

/* Called once when the last line has been read and config->hosts, users and classes stand: defaults and inheritance
 * from the main server (parser_host_at(parser, 0)), names looked up, rules between directives. */
void directives_cband_finish(struct parser *parser);
void directives_dos_finish(struct parser *parser);
void directives_tls_finish(struct parser *parser);

/* Lookup over all tables; names in any case. `section` tells <Name> from Name. NULL: unknown. */
const struct directive *directive_find(struct span name, bool section);
/* The known name nearest to a misspelt one; NULL when none is near. */
const char *directive_nearest(struct span name, bool section);
/* The nearest of a list (ends with NULL), for values: NULL when none is near. */
const char *nearest_word(struct span text, const char *const *words);
/* Rows in the order of the reference: index from 0; NULL after the last. */
const struct directive *directive_at(size_t index);
/* Applies a use: simple value, then apply(). The parser calls it; tests may. */
void directive_apply(struct parser *parser, const struct directive_use *use);
/* "server, host, location": what a row's contexts are called; text needs 96 bytes. */
void directive_contexts_text(unsigned contexts, char *text, size_t size);

/* ---- what an apply function works with ------------------------------------------------------------------------ */

/* Where lines go at the moment. A section's apply function changes the copy that holds inside the section; it has to do
 * so even after an error, since the lines inside are read and checked all the same. */
struct scope {
    enum context context;
    struct virtual_host *host;         /* never NULL: the main server outside all hosts */
    struct settings *settings;         /* of server, host or location; NULL in <CBandUser>, <CBandClass>, <Proxy> */
    struct location *location;         /* NULL outside */
    struct balancer *balancer;         /* NULL outside */
    struct user_limits *user;          /* NULL outside */
    struct client_class *client_class; /* NULL outside */
    struct access_rule *access;        /* NULL outside <RequireAll> and its like */
};

struct scope *parser_scope(struct parser *parser);
struct arena *parser_arena(struct parser *parser);   /* the config's: for everything that it points to */
struct config *parser_config(struct parser *parser); /* the one being built; config->server is written directly */
bool parser_check_files(const struct parser *parser);
bool parser_strict(const struct parser *parser);
/* Hosts so far, the main server first; writable until the load ends. NULL beyond the last. */
struct virtual_host *parser_host_at(struct parser *parser, size_t index);

/* The use that is applied at the moment: it and its words live until the load ends. */
const struct directive_use *parser_use(struct parser *parser);

/* New zeroed objects in the order of the file; they become config->users and config->classes by copying, before the
 * finish functions run. */
struct user_limits *parser_add_user(struct parser *parser);
struct client_class *parser_add_class(struct parser *parser);
struct user_limits *parser_user_at(struct parser *parser, size_t index); /* NULL beyond the last */
struct client_class *parser_class_at(struct parser *parser, size_t index);

/* Compiles a pattern that is freed with the config; reports what is wrong with it and returns NULL then. */
const struct pattern *parser_pattern(struct parser *parser, const struct word *word, const char *text,
                                     bool ignore_case);
/* A path made absolute, relative to the folder of the main file. */
const char *parser_path(struct parser *parser, const char *path);

/* A list as the structs of config.h have them (pointer and count), grown by one zeroed item; the result replaces the
 * pointer, the caller counts:  items = list_grow(arena, s->redirects, s->redirect_count, sizeof *items);
 *                              items[s->redirect_count++] = …;  s->redirects = items; */
void *list_grow(struct arena *arena, const void *items, size_t count, size_t item_bytes);

/* Reports at a word of the current line: "file:line:col: error: Name: <format>", the line, the underlining, the hint.
 * `word` NULL: the directive's name. `hint` NULL: none. With strict, warnings are errors. */
void parser_error_at(struct parser *parser, const struct word *word, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void parser_warn_at(struct parser *parser, const struct word *word, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for any earlier use, kept by the caller (uses live until the load ends), e.g. in a finish function. */
void parser_error_use(struct parser *parser, const struct directive_use *use, const struct word *word, const char *hint,
                      const char *format, ...) __attribute__((format(printf, 5, 6)));
void parser_warn_use(struct parser *parser, const struct directive_use *use, const struct word *word, const char *hint,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same at a place that was kept instead of the use: its line's first argument is the bad word. `name`: the
 * directive it is about; NULL: none. */
void parser_error_place(struct parser *parser, const struct place *place, const char *name, const char *hint,
                        const char *format, ...) __attribute__((format(printf, 5, 6)));
void parser_warn_place(struct parser *parser, const struct place *place, const char *name, const char *hint,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
