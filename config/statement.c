/* Keeps the lines as they were understood, for --dump-config: see parser.h. Called by parser.c on the thread that
 * loads; constant afterwards. Of the simple values of a section only the last of each name counts. */
#include "config/parser.h"

bool statement_wanted(const struct directive *directive) {
    return !directive->reading && !directive->ignored && directive->refused == NULL && directive->condition == NULL;
}

/* The list of simple lines holds each name once, so it is never longer than the table has simple rows. */
static void replace_simple(struct statement *section, struct statement *statement) {
    struct statement **link = &section->simple;
    while (*link != NULL && (*link)->directive != statement->directive) {
        link = &(*link)->next_simple;
    }
    if (*link != NULL) {
        (*link)->replaced = true;
        statement->next_simple = (*link)->next_simple;
    }
    *link = statement;
}

struct statement *statement_record(struct parser *parser, struct statement *section, const struct directive_use *use) {
    struct arena *arena = parser_arena(parser);
    struct statement *statement = arena_alloc(arena, sizeof *statement);
    const char **arguments = arena_alloc(arena, (use->argument_count + 1) * sizeof(char *));
    for (size_t i = 0; i < use->argument_count; i++) {
        arguments[i] = use->arguments[i].text;
    }
    statement->directive = use->directive;
    statement->arguments = arguments;
    statement->argument_count = use->argument_count;
    if (section->last != NULL) {
        section->last->next = statement;
    } else {
        section->first = statement;
    }
    section->last = statement;
    if (!use->directive->repeated && !use->directive->section && use->directive->kind != VALUE_OWN) {
        replace_simple(section, statement);
    }
    return statement;
}
