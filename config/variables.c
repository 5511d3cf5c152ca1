/* ${NAME} in words: names from Define, -D and the environment. Called by parser.c and directives_reading.c.
 * What is replaced is bounded for one word and for all of a load, since a value may itself have been made of many. */
#include "config/parser.h"

#include <stdlib.h>
#include <string.h>

const struct variable *variable_find(const struct parser *parser, struct span name) {
    for (size_t i = 0; i < parser->variable_count; i++) {
        if (span_equal(span_of(parser->variables[i].name), name)) {
            return &parser->variables[i];
        }
    }
    return NULL;
}

void variable_undefine(struct parser *parser, const char *name) {
    const struct variable *found = variable_find(parser, span_of(name));
    if (found != NULL) {
        parser->variables[found - parser->variables] = parser->variables[--parser->variable_count];
    }
}

void variable_define(struct parser *parser, const char *name, const char *value) {
    variable_undefine(parser, name);
    if (parser->variable_count == parser->variable_room) {
        parser->variable_room = parser->variable_room == 0 ? 16 : parser->variable_room * 2;
        parser->variables = must_realloc(parser->variables, parser->variable_room * sizeof *parser->variables);
    }
    parser->variables[parser->variable_count++] = (struct variable){.name = name, .value = value};
}

/* NULL when the name is nowhere defined. */
static const char *value_of(const struct parser *parser, struct span name) {
    const struct variable *variable = variable_find(parser, name);
    if (variable != NULL) {
        return variable->value;
    }
    char text[256];
    if (name.len == 0 || name.len >= sizeof text) {
        return NULL;
    }
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    return getenv(text);
}

static bool has_control(const char *text) {
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static const char *replacement(struct parser *parser, const struct word *word, struct span name) {
    const char *value = value_of(parser, name);
    struct directive_use use = {.name = *word};
    use.name.text = "${...}";
    if (value == NULL) {
        parser_warn_use(parser, &use, NULL, "write Define NAME value before it, or set it in the environment",
                        "\"%.*s\" is not defined: left as it stands", (int)(name.len < 200 ? name.len : 200), name.ptr);
    } else if (has_control(value)) {
        parser_error_use(parser, &use, NULL, NULL,
                         "the value of \"%.*s\" holds a line break or another control character",
                         (int)(name.len < 200 ? name.len : 200), name.ptr);
        value = NULL;
    }
    return value;
}

static bool append(char *text, size_t *length, struct span piece) {
    if (*length + piece.len > PARSER_VARIABLE_MAX) {
        return false;
    }
    if (piece.len > 0) {
        memcpy(text + *length, piece.ptr, piece.len);
    }
    *length += piece.len;
    return true;
}

static bool expand_into(struct parser *parser, const struct word *word, char *text, size_t *length) {
    struct span rest = {word->text, word->length};
    while (rest.len > 0) {
        const char *start = memmem(rest.ptr, rest.len, "${", 2);
        const char *end = start != NULL ? memchr(start, '}', rest.len - (size_t)(start - rest.ptr)) : NULL;
        if (end == NULL) {
            return append(text, length, rest);
        }
        struct span name = {start + 2, (size_t)(end - start) - 2};
        const char *value = replacement(parser, word, name);
        struct span whole = {start, (size_t)(end - start) + 1};
        if (!append(text, length, (struct span){rest.ptr, (size_t)(start - rest.ptr)}) ||
            !append(text, length, value != NULL ? span_of(value) : whole)) {
            return false;
        }
        rest = span_skip(rest, (size_t)(end - rest.ptr) + 1);
    }
    return true;
}

void variable_expand(struct parser *parser, struct word *word) {
    if (memmem(word->text, word->length, "${", 2) == NULL) {
        return;
    }
    char *text = must_malloc(PARSER_VARIABLE_MAX + 1);
    size_t length = 0;
    bool fits = expand_into(parser, word, text, &length);
    if (fits && parser->expanded_bytes + length <= PARSER_VARIABLES_TOTAL_MAX) {
        parser->expanded_bytes += length;
        word->text = arena_copy(parser_arena(parser), (struct span){text, length});
        word->length = length;
    } else {
        struct directive_use use = {.name = *word};
        use.name.text = "${...}";
        parser_error_use(parser, &use, NULL, NULL, "becomes too long when its variables are replaced");
    }
    free(text);
}
