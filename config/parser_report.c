/* The side of the parser that apply functions see: scope, arena, objects, and messages at words. See directive.h.
 * Runs on the thread that loads a configuration. */
#include "config/parser.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct scope *parser_scope(struct parser *parser) {
    return &parser->frames[parser->depth].scope;
}

struct arena *parser_arena(struct parser *parser) {
    return &parser->config->arena;
}

struct config *parser_config(struct parser *parser) {
    return parser->config;
}

bool parser_check_files(const struct parser *parser) {
    return parser->options->check_files;
}

bool parser_strict(const struct parser *parser) {
    return parser->options->strict;
}

const struct directive_use *parser_use(struct parser *parser) {
    return parser->use;
}

struct virtual_host *parser_host_at(struct parser *parser, size_t index) {
    return index < parser->host_count ? parser->hosts[index].host : NULL;
}

struct user_limits *parser_user_at(struct parser *parser, size_t index) {
    return index < parser->user_count ? parser->users[index] : NULL;
}

struct client_class *parser_class_at(struct parser *parser, size_t index) {
    return index < parser->class_count ? parser->classes[index] : NULL;
}

struct user_limits *parser_add_user(struct parser *parser) {
    if (parser->user_count == parser->user_room) {
        parser->user_room = parser->user_room == 0 ? 16 : parser->user_room * 2;
        parser->users = must_realloc(parser->users, parser->user_room * sizeof(struct user_limits *));
    }
    struct user_limits *user = arena_alloc(parser_arena(parser), sizeof *user);
    user->index = parser->user_count;
    parser->users[parser->user_count++] = user;
    return user;
}

struct client_class *parser_add_class(struct parser *parser) {
    if (parser->class_count == parser->class_room) {
        parser->class_room = parser->class_room == 0 ? 16 : parser->class_room * 2;
        parser->classes = must_realloc(parser->classes, parser->class_room * sizeof(struct client_class *));
    }
    struct client_class *class = arena_alloc(parser_arena(parser), sizeof *class);
    class->index = parser->class_count;
    parser->classes[parser->class_count++] = class;
    return class;
}

/* A list has room for the next power of two, so it moves only when its count is one. */
void *list_grow(struct arena *arena, const void *items, size_t count, size_t item_bytes) {
    if (count == 0 || (count & (count - 1)) == 0) {
        char *larger = arena_alloc(arena, (count == 0 ? 1 : count * 2) * item_bytes);
        if (count > 0) {
            memcpy(larger, items, count * item_bytes);
        }
        return larger;
    }
    void *same = NULL;
    memcpy(&same, &items, sizeof same); /* the list was allocated here, writable; only its owner shows it as const */
    memset((char *)same + count * item_bytes, 0, item_bytes);
    return same;
}

const char *parser_path(struct parser *parser, const char *path) {
    if (path[0] == '/' || parser->folder == NULL) {
        return path;
    }
    return arena_printf(parser_arena(parser), "%s/%s", strcmp(parser->folder, "/") == 0 ? "" : parser->folder, path);
}

const struct pattern *parser_pattern(struct parser *parser, const struct word *word, const char *text,
                                     bool ignore_case) {
    const char *problem = NULL;
    size_t offset = 0;
    struct pattern *pattern = pattern_new(parser_arena(parser), text, ignore_case, &problem, &offset);
    if (pattern == NULL) {
        parser_error_at(parser, word, "write a Perl-compatible regular expression",
                        "\"%s\" is not a pattern: %s at character %zu", text, problem, offset + 1);
        return NULL;
    }
    struct config *config = parser->config;
    if (config->owned_pattern_count == parser->owned_pattern_room) {
        parser->owned_pattern_room = parser->owned_pattern_room == 0 ? 16 : parser->owned_pattern_room * 2;
        config->owned_patterns = must_realloc(config->owned_patterns, parser->owned_pattern_room * sizeof(void *));
    }
    config->owned_patterns[config->owned_pattern_count++] = pattern;
    return pattern;
}

/* ---- messages ------------------------------------------------------------------------------------------------- */

static struct diagnostic about_word(const struct directive_use *use, const struct word *word, const char *hint,
                                    bool warning) {
    const struct word *at = word != NULL ? word : use != NULL ? &use->name : NULL;
    struct diagnostic about = {.warning = warning, .hint = hint};
    if (use != NULL) {
        about.subject = use->directive != NULL ? use->directive->name : use->name.text;
    }
    if (at != NULL) {
        about.place = at->place;
        about.column = at->place.line > 0 ? at->column : 0;
        about.width = at->width;
        about.line_text = at->line_text;
    }
    return about;
}

void parser_error_at(struct parser *parser, const struct word *word, const char *hint, const char *format, ...) {
    struct diagnostic about = about_word(parser->use, word, hint, false);
    va_list arguments;
    va_start(arguments, format);
    diagnostics_vadd(parser->diagnostics, &about, format, arguments);
    va_end(arguments);
}

void parser_warn_at(struct parser *parser, const struct word *word, const char *hint, const char *format, ...) {
    struct diagnostic about = about_word(parser->use, word, hint, true);
    va_list arguments;
    va_start(arguments, format);
    diagnostics_vadd(parser->diagnostics, &about, format, arguments);
    va_end(arguments);
}

void parser_error_use(struct parser *parser, const struct directive_use *use, const struct word *word, const char *hint,
                      const char *format, ...) {
    struct diagnostic about = about_word(use, word, hint, false);
    va_list arguments;
    va_start(arguments, format);
    diagnostics_vadd(parser->diagnostics, &about, format, arguments);
    va_end(arguments);
}

void parser_warn_use(struct parser *parser, const struct directive_use *use, const struct word *word, const char *hint,
                     const char *format, ...) {
    struct diagnostic about = about_word(use, word, hint, true);
    va_list arguments;
    va_start(arguments, format);
    diagnostics_vadd(parser->diagnostics, &about, format, arguments);
    va_end(arguments);
}

/* The line that stands there. NULL: none, or nobody would see its words any more. */
static const struct directive_use *use_at(const struct parser *parser, const struct place *place) {
    if (place->line == 0 || parser->diagnostics->count == DIAG_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < parser->use_count; i++) {
        const struct place *at = &parser->uses[i]->name.place;
        if (at->line == place->line && at->file == place->file) {
            return parser->uses[i];
        }
    }
    return NULL;
}

/* What such a message is about is the first argument, the name of a user or of a class mostly; but a directive that a
 * section is said to want has no word in the section's line. */
static struct diagnostic about_place(const struct parser *parser, const struct place *place, const char *name,
                                     const char *hint, bool warning) {
    const struct directive_use *use = use_at(parser, place);
    struct diagnostic about = {.place = *place, .hint = hint, .warning = warning};
    if (use != NULL) {
        bool of_section = use->directive->section && name != NULL && strcasecmp(use->directive->name, name) != 0;
        about = about_word(use, use->argument_count > 0 && !of_section ? &use->arguments[0] : NULL, hint, warning);
    }
    about.subject = name;
    return about;
}

void parser_error_place(struct parser *parser, const struct place *place, const char *name, const char *hint,
                        const char *format, ...) {
    struct diagnostic about = about_place(parser, place, name, hint, false);
    va_list arguments;
    va_start(arguments, format);
    diagnostics_vadd(parser->diagnostics, &about, format, arguments);
    va_end(arguments);
}

void parser_warn_place(struct parser *parser, const struct place *place, const char *name, const char *hint,
                       const char *format, ...) {
    struct diagnostic about = about_place(parser, place, name, hint, true);
    va_list arguments;
    va_start(arguments, format);
    diagnostics_vadd(parser->diagnostics, &about, format, arguments);
    va_end(arguments);
}
