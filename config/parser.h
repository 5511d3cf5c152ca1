/* Reading a configuration: the state of one load, and the steps that config.c takes. Private to config/.
 *
 * parser_read_file() or parser_read_text() turns lines into uses of directives and applies them; build.c then makes the
 * finished arrays of struct config; check.c looks at rules between objects. Apply functions see directive.h only. One
 * load belongs to one thread. */
#ifndef WEIR_CONFIG_PARSER_H
#define WEIR_CONFIG_PARSER_H

#include "config/config.h"
#include "config/diag.h"
#include "config/directive.h"
#include "config/lexer.h"
#include "config/text_index.h"

enum {
    PARSER_INCLUDE_DEPTH_MAX = 16,
    PARSER_FILES_MAX = 4096,
    PARSER_SECTION_DEPTH_MAX = 64,
    PARSER_ARGUMENTS_MAX = 4096,
    PARSER_FILE_BYTES_MAX = 256 * 1024 * 1024,
    PARSER_VARIABLE_MAX = 65536,                   /* bytes of a word after ${NAME} was replaced */
    PARSER_VARIABLES_TOTAL_MAX = 64 * 1024 * 1024, /* bytes of all of them together */
};

/* One understood line, for the dump: args as they were after ${NAME}, sections with their lines. */
struct statement {
    const struct directive *directive;
    const char *const *arguments;
    size_t argument_count;
    struct statement *first, *last; /* lines of a section */
    struct statement *next;
    struct statement *simple, *next_simple; /* of a section: its simple values, the last of each name */
    bool replaced;                          /* a later line of the section gives the value */
};

struct variable { /* Define, -D */
    const char *name;
    const char *value; /* "" for a name alone */
};

enum frame_kind {
    FRAME_SECTION,   /* an opened section */
    FRAME_CONDITION, /* <IfModule> and its like, true: its lines belong to the frame around it */
    FRAME_SKIPPED,   /* its lines are not read, only its nesting is followed */
};

struct frame {
    enum frame_kind kind;
    struct word name; /* of the section, without "<" */
    const struct directive_use *use;
    struct scope scope;          /* that holds inside */
    struct statement *statement; /* where lines inside are recorded */
    size_t file_depth;           /* a section ends in the file that it began in */
};

struct open_file {               /* of the chain of includes */
    const char *name;            /* as shown in messages */
    const char *folder;          /* includes are relative to it */
    unsigned long device, inode; /* 0: not a file */
};

struct named_balancer { /* known from <Proxy>, or only from a URL so far */
    struct balancer *balancer;
    bool defined;
    const struct directive_use *first_use; /* for the message when it is never defined */
    struct word first_word;
};

struct pending_log { /* a CustomLog whose format is looked up at the end */
    struct virtual_host *host;
    struct access_log *log;
    const struct word *format; /* NULL: TransferLog, the default format */
    const struct directive_use *use;
};

struct named_format { /* LogFormat */
    const struct virtual_host *host;
    const char *name; /* NULL: the default format of TransferLog */
    const char *format;
};

struct host_build { /* what check.c wants to point at */
    struct virtual_host *host;
    const struct directive_use *use;         /* <VirtualHost>; NULL: main server */
    const struct directive_use *server_name; /* NULL: none */
};

struct parser {
    struct config *config;
    struct diagnostics *diagnostics;
    const struct config_options *options;
    const char *folder;   /* of the main file, absolute */
    struct arena scratch; /* lives as long as the load: uses, quoted lines */

    struct frame frames[PARSER_SECTION_DEPTH_MAX + 1]; /* [0]: outside all sections */
    size_t depth;
    size_t skipped_beyond; /* sections nested deeper than frames can hold */
    struct open_file files[PARSER_INCLUDE_DEPTH_MAX];
    size_t file_depth;
    size_t files_read;
    struct lexer *lexer; /* of the file being read */
    const struct directive_use *use;

    struct variable *variables;
    size_t variable_count, variable_room;
    size_t expanded_bytes;

    struct settings defaults;
    struct host_build *hosts;
    size_t host_count, host_room;
    struct settings **reverse_scopes; /* scopes with ProxyPassReverse balancer://… */
    size_t reverse_scope_count;
    const struct named_format *formats;
    size_t format_count;
    const struct pending_log *logs;
    size_t log_count;
    struct named_balancer *balancers;
    size_t balancer_count;
    struct text_index balancer_index; /* by name: where in `balancers`, plus 1 */
    struct text_index origin_index;   /* by URL: a list of struct equal_url */
    struct user_limits **users;
    size_t user_count, user_room;
    struct client_class **classes;
    size_t class_count, class_room;
    const struct directive_use **server_uses; /* lines of context server with a simple value, and ErrorLog */
    size_t server_use_count;
    const struct directive_use **uses; /* every line that was applied: parser_error_place() finds its words there */
    size_t use_count;
    const struct directive **ignored; /* those already warned of */
    size_t ignored_count;
    size_t owned_pattern_room;
};

/* `config` is owned by the caller; options and diagnostics must outlive the parser. */
struct parser *parser_new(struct config *config, const struct config_options *options, struct diagnostics *diagnostics);
void parser_free(struct parser **parser);

/* Reads the main file. What is wrong is reported. */
void parser_read_main(struct parser *parser);
/* The lines of a text, in the scope that is open; its sections must be closed in it. */
void parser_read_text(struct parser *parser, const char *name, struct span text);

/* A text that stands for the main file, from memory. */
void parser_read_given(struct parser *parser, struct span text);

/* Include: the files that the word names, read in the scope that is open. */
void parser_include(struct parser *parser, const struct word *word, bool optional);

/* Does <IfModule> hold for this name? */
bool module_known(const char *name);

/* Define, UnDefine, -D; NULL when not defined. A later value replaces. */
void variable_define(struct parser *parser, const char *name, const char *value);
void variable_undefine(struct parser *parser, const char *name);
const struct variable *variable_find(const struct parser *parser, struct span name);
/* Replaces ${NAME} in the word's text; what is not defined stays, with a warning. */
void variable_expand(struct parser *parser, struct word *word);

/* statement.c: does a directive belong into the dump; adds a line to a section's. */
bool statement_wanted(const struct directive *directive);
struct statement *statement_record(struct parser *parser, struct statement *section, const struct directive_use *use);

/* Applies the default_text of all simple rows of settings and server. */
void parser_apply_defaults(struct parser *parser);
/* Makes words of a text that stands in no file, as the default of a row. */
const struct directive_use *parser_use_of_text(struct parser *parser, const struct directive *directive,
                                               const char *text);

/* The finished arrays of parser->config, in one step after the last line. */
void config_build(struct parser *parser);
/* Rules between objects. */
void config_check(struct parser *parser);

/* A host for <VirtualHost>, or the main server when use is NULL. */
struct virtual_host *parser_add_host(struct parser *parser, const struct directive_use *use);
/* A scope for the lines of a <Location>: in the host of the current scope, which it becomes. */
struct location *parser_add_location(struct parser *parser, const struct directive_use *use);
struct host_build *parser_host_build(struct parser *parser, const struct virtual_host *host);

/* directives_log.c: CustomLog formats by name. */
void logs_finish(struct parser *parser);

extern const struct directive directives_reading[];
extern const size_t directives_reading_count;

#endif
