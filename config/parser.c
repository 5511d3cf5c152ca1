/* From lines to uses of directives: names, contexts, numbers of arguments, sections and their nesting. See parser.h.
 * Called by config.c and by Include, on the thread that loads. After an error reading goes on, so that one run reports
 * everything; a section that cannot be opened is skipped with all its lines, so that one mistake is one message. */
#include "config/parser.h"

#include <stdlib.h>
#include <string.h>

struct parser *parser_new(struct config *config, const struct config_options *options,
                          struct diagnostics *diagnostics) {
    struct parser *parser = must_calloc(1, sizeof *parser);
    parser->config = config;
    parser->options = options;
    parser->diagnostics = diagnostics;
    arena_init(&parser->scratch, NULL, 0);
    struct statement *root = arena_alloc(&config->arena, sizeof *root);
    config->statements = root;
    struct virtual_host *main_server = parser_add_host(parser, NULL);
    parser->frames[0] = (struct frame){
        .kind = FRAME_SECTION,
        .scope = {.context = CONTEXT_SERVER, .host = main_server, .settings = &main_server->scope},
        .statement = root,
    };
    for (size_t i = 0; i < options->define_count; i++) {
        const char *equals = strchr(options->defines[i], '=');
        size_t length = equals != NULL ? (size_t)(equals - options->defines[i]) : strlen(options->defines[i]);
        variable_define(parser, arena_copy(&parser->scratch, (struct span){options->defines[i], length}),
                        equals != NULL ? equals + 1 : "");
    }
    return parser;
}

void parser_free(struct parser **parser) {
    if (*parser != NULL) {
        arena_reset(&(*parser)->scratch);
        free((*parser)->hosts);
        free((*parser)->users);
        free((*parser)->classes);
        free((*parser)->variables);
        free(*parser);
        *parser = NULL;
    }
}

static struct frame *top_frame(struct parser *parser) {
    return &parser->frames[parser->depth];
}

static bool is_skipping(struct parser *parser) {
    return parser->skipped_beyond > 0 || top_frame(parser)->kind == FRAME_SKIPPED;
}

/* ---- one line ------------------------------------------------------------------------------------------------- */

static void error_at_name(struct parser *parser, const struct word *name, const char *hint, const char *message) {
    struct directive_use use = {.name = *name};
    parser_error_use(parser, &use, NULL, hint, "%s", message);
}

static void report_unknown(struct parser *parser, const struct word *name, bool section) {
    struct span text = {name->text, name->length};
    const char *hint = NULL;
    if (parser->diagnostics->count == DIAG_MAX) {
        hint = NULL; /* nobody will see it */
    } else if (directive_find(text, !section) != NULL) {
        hint = section ? arena_printf(&parser->scratch, "%s is no section: write it without < and >", name->text)
                       : arena_printf(&parser->scratch, "%s is a section: write <%s ...> and </%s>", name->text,
                                      name->text, name->text);
    } else {
        const char *nearest = directive_nearest(text, section);
        hint = nearest != NULL ? arena_printf(&parser->scratch, "did you mean \"%s\"?", nearest)
                               : "weir -L lists all directives";
    }
    error_at_name(parser, name, hint, section ? "unknown section" : "unknown directive");
}

/* Cuts the joined line from offset to end into words. */
static void read_arguments(struct parser *parser, size_t offset, size_t end, struct directive_use *use) {
    struct word *words = NULL;
    size_t count = 0;
    struct word word;
    bool unclosed = false;
    while (lexer_word(parser->lexer, &offset, end, &word, &unclosed)) {
        if (unclosed) {
            parser_error_use(parser, use, &word, "write the closing quote; inside, write \\\" for a quote itself",
                             "the quote is not closed on this line");
        }
        if (count == PARSER_ARGUMENTS_MAX) {
            parser_error_use(parser, use, &word, "write several lines", "more than %d arguments", PARSER_ARGUMENTS_MAX);
            break;
        }
        variable_expand(parser, &word);
        words = list_grow(&parser->scratch, words, count, sizeof *words);
        words[count++] = word;
    }
    use->arguments = words;
    use->argument_count = count;
}

static const char *syntax_hint(struct parser *parser, const struct directive *directive) {
    const char *space = directive->syntax[0] != '\0' ? " " : "";
    return arena_printf(&parser->scratch, directive->section ? "write <%s%s%s>" : "write %s%s%s", directive->name,
                        space, directive->syntax);
}

static bool right_count(struct parser *parser, const struct directive_use *use) {
    const struct directive *directive = use->directive;
    if (use->argument_count < (size_t)directive->minimum_arguments) {
        parser_error_use(parser, use, NULL, syntax_hint(parser, directive), "%s",
                         use->argument_count == 0 ? "its argument is missing" : "an argument is missing");
        return false;
    }
    if (use->argument_count > (size_t)directive->maximum_arguments) {
        parser_error_use(parser, use, &use->arguments[directive->maximum_arguments], syntax_hint(parser, directive),
                         directive->maximum_arguments == 0 ? "takes no argument" : "too many arguments");
        return false;
    }
    return true;
}

static const char *context_name(const struct scope *scope) {
    switch (scope->context) {
    case CONTEXT_SERVER:
        return "outside all sections";
    case CONTEXT_HOST:
        return "in <VirtualHost>";
    case CONTEXT_LOCATION:
        return "in <Location>";
    case CONTEXT_BALANCER:
        return "in <Proxy balancer://...>";
    case CONTEXT_USER:
        return "in <CBandUser>";
    case CONTEXT_CLASS:
        return "in <CBandClass>";
    case CONTEXT_ACCESS:
        return "in <RequireAll> and its like";
    }
    return "here";
}

static bool right_context(struct parser *parser, const struct directive_use *use) {
    const struct scope *scope = parser_scope(parser);
    if ((use->directive->contexts & scope->context) != 0) {
        return true;
    }
    char allowed[96];
    directive_contexts_text(use->directive->contexts, allowed, sizeof allowed);
    parser_error_use(parser, use, NULL, arena_printf(&parser->scratch, "it may stand in: %s", allowed),
                     "may not stand %s", context_name(scope));
    return false;
}

/* What Apache knows and weir does not. True when that was said, and the line is done with. */
static bool not_for_weir(struct parser *parser, const struct directive_use *use) {
    const struct directive *directive = use->directive;
    if (directive->refused != NULL) {
        parser_error_use(parser, use, NULL, directive->refused, "weir does not have this");
        return true;
    }
    if (!directive->ignored) {
        return false;
    }
    for (size_t i = 0; i < parser->ignored_count && !parser->options->strict; i++) {
        if (parser->ignored[i] == directive) {
            return true;
        }
    }
    const struct directive **seen =
        list_grow(&parser->scratch, parser->ignored, parser->ignored_count, sizeof(const struct directive *));
    seen[parser->ignored_count++] = directive;
    parser->ignored = seen;
    parser_warn_use(parser, use, NULL, NULL, "has no effect in a proxy%s",
                    directive->section ? ", nor has what stands inside" : "");
    return true;
}

static struct directive_use *new_use(struct parser *parser, const struct directive *directive,
                                     const struct word *name) {
    struct directive_use *use = arena_alloc(&parser->scratch, sizeof *use);
    use->directive = directive;
    use->name = *name;
    return use;
}

static void keep_use(struct parser *parser, const struct directive_use ***uses, size_t *count,
                     const struct directive_use *use) {
    *uses = list_grow(&parser->scratch, *uses, *count, sizeof **uses);
    (*uses)[(*count)++] = use;
}

static void apply_use(struct parser *parser, const struct directive_use *use) {
    const struct directive_use *outer = parser->use;
    parser->use = use;
    keep_use(parser, &parser->uses, &parser->use_count, use);
    if (use->directive->base == BASE_SERVER) {
        keep_use(parser, &parser->server_uses, &parser->server_use_count, use);
    }
    directive_apply(parser, use);
    parser->use = outer;
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\v' || byte == '\f' || byte == '\r';
}

static void read_directive(struct parser *parser, size_t start) {
    const struct lexer_line *line = &parser->lexer->line;
    if (is_skipping(parser)) {
        return;
    }
    size_t end = start;
    while (end < line->length && !is_blank(line->text[end])) {
        end++;
    }
    struct word name;
    lexer_raw_word(parser->lexer, start, end, &name);
    const struct directive *directive = directive_find((struct span){name.text, name.length}, false);
    if (directive == NULL) {
        report_unknown(parser, &name, false);
        return;
    }
    struct directive_use *use = new_use(parser, directive, &name);
    if (not_for_weir(parser, use)) {
        return;
    }
    read_arguments(parser, end, line->length, use);
    bool placed = right_context(parser, use);
    if (right_count(parser, use) && placed) {
        if (statement_wanted(directive)) {
            statement_record(parser, top_frame(parser)->statement, use);
        }
        apply_use(parser, use);
    }
}

/* ---- sections ------------------------------------------------------------------------------------------------- */

static struct frame *push_frame(struct parser *parser, enum frame_kind kind, const struct word *name) {
    if (parser->depth == PARSER_SECTION_DEPTH_MAX) {
        if (parser->skipped_beyond++ == 0) {
            error_at_name(parser, name, NULL, "sections are nested too deeply");
        }
        return NULL;
    }
    const struct frame *outer = top_frame(parser);
    struct frame *frame = &parser->frames[++parser->depth];
    *frame = (struct frame){.kind = kind,
                            .name = *name,
                            .scope = outer->scope,
                            .statement = outer->statement,
                            .file_depth = parser->file_depth};
    return frame;
}

static void open_section(struct parser *parser, struct directive_use *use) {
    const struct directive *directive = use->directive;
    bool may_open = right_context(parser, use);
    may_open = right_count(parser, use) && may_open;
    if (!may_open) {
        push_frame(parser, FRAME_SKIPPED, &use->name);
        return;
    }
    if (directive->condition != NULL) {
        parser->use = use;
        bool holds = directive->condition(parser, use);
        parser->use = NULL;
        push_frame(parser, holds ? FRAME_CONDITION : FRAME_SKIPPED, &use->name);
        return;
    }
    struct frame *frame = push_frame(parser, FRAME_SECTION, &use->name);
    if (frame != NULL) {
        frame->use = use;
        frame->statement = statement_record(parser, frame->statement, use);
        apply_use(parser, use);
    }
}

static void read_opening(struct parser *parser, size_t start) {
    const struct lexer_line *line = &parser->lexer->line;
    size_t name_start = start + 1;
    size_t name_end = name_start;
    while (name_end < line->length && !is_blank(line->text[name_end]) && line->text[name_end] != '>') {
        name_end++;
    }
    struct word name;
    lexer_raw_word(parser->lexer, name_start, name_end, &name);
    if (is_skipping(parser)) {
        push_frame(parser, FRAME_SKIPPED, &name);
        return;
    }
    const struct directive *directive = directive_find((struct span){name.text, name.length}, true);
    if (directive == NULL) {
        report_unknown(parser, &name, true);
        push_frame(parser, FRAME_SKIPPED, &name);
        return;
    }
    struct directive_use *use = new_use(parser, directive, &name);
    const char *bracket = memrchr(line->text + name_start, '>', line->length - name_start);
    if (bracket == NULL) {
        parser_error_use(parser, use, NULL, syntax_hint(parser, directive), "the line does not end with \">\"");
    }
    size_t end = bracket != NULL ? (size_t)(bracket - line->text) : line->length;
    if (end + 1 < line->length) {
        struct word rest;
        size_t offset = end + 1;
        bool unclosed = false;
        if (lexer_word(parser->lexer, &offset, line->length, &rest, &unclosed)) {
            parser_warn_use(parser, use, &rest, NULL, "what follows \">\" is not read");
        }
    }
    if (not_for_weir(parser, use)) {
        push_frame(parser, FRAME_SKIPPED, &name);
        return;
    }
    read_arguments(parser, name_end < end ? name_end : end, end, use);
    open_section(parser, use);
}

static void pop_frame(struct parser *parser) {
    struct frame *frame = top_frame(parser);
    if (frame->kind == FRAME_SECTION && frame->use->directive->close != NULL) {
        parser->use = frame->use;
        frame->use->directive->close(parser, frame->use);
        parser->use = NULL;
    }
    parser->depth--;
}

static void pop_unclosed(struct parser *parser) {
    struct frame *frame = top_frame(parser);
    struct directive_use use = {.name = frame->name};
    parser_error_use(parser, &use, NULL, arena_printf(&parser->scratch, "write </%s> at its end", frame->name.text),
                     "the section is not closed");
    pop_frame(parser);
}

static bool same_name(const struct word *a, const struct word *b) {
    return span_equal_nocase((struct span){a->text, a->length}, (struct span){b->text, b->length});
}

/* A name that is no section's, but nearly that of the open one: it is closed, so that one mistake is one message. */
static bool closes_misspelt(struct parser *parser, const struct word *name) {
    const struct frame *inner = top_frame(parser);
    struct span text = {name->text, name->length};
    const char *const open_name[] = {inner->name.text, NULL};
    if (parser->depth == 0 || inner->file_depth != parser->file_depth || same_name(&inner->name, name) ||
        directive_find(text, true) != NULL || nearest_word(text, open_name) == NULL) {
        return false;
    }
    error_at_name(parser, name, arena_printf(&parser->scratch, "did you mean \"</%s>\"?", inner->name.text),
                  "closes a section that is not open");
    pop_frame(parser);
    return true;
}

static void read_closing(struct parser *parser, size_t start) {
    const struct lexer_line *line = &parser->lexer->line;
    size_t name_start = start + 2;
    while (name_start < line->length && is_blank(line->text[name_start])) {
        name_start++;
    }
    size_t name_end = name_start;
    while (name_end < line->length && line->text[name_end] != '>' && !is_blank(line->text[name_end])) {
        name_end++;
    }
    struct word name;
    lexer_raw_word(parser->lexer, name_start, name_end, &name);
    if (memchr(line->text + name_end, '>', line->length - name_end) == NULL) {
        error_at_name(parser, &name, NULL, "the line does not end with \">\"");
    }
    if (parser->skipped_beyond > 0) {
        parser->skipped_beyond--;
        return;
    }
    if (closes_misspelt(parser, &name)) {
        return;
    }
    size_t depth = parser->depth;
    while (depth > 0 && parser->frames[depth].file_depth == parser->file_depth &&
           !same_name(&parser->frames[depth].name, &name)) {
        depth--;
    }
    if (depth == 0 || parser->frames[depth].file_depth != parser->file_depth) {
        const struct frame *inner = top_frame(parser);
        const char *hint = parser->depth > 0 && inner->file_depth == parser->file_depth
                               ? arena_printf(&parser->scratch, "the section that is open is <%s> of line %u",
                                              inner->name.text, inner->name.place.line)
                               : NULL;
        error_at_name(parser, &name, hint, "closes a section that is not open");
        return;
    }
    while (parser->depth > depth) {
        pop_unclosed(parser);
    }
    pop_frame(parser);
}

/* ---- lines of a file ------------------------------------------------------------------------------------------ */

static void read_line(struct parser *parser) {
    const struct lexer_line *line = &parser->lexer->line;
    size_t start = 0;
    while (start < line->length && is_blank(line->text[start])) {
        start++;
    }
    struct word word;
    if (line->too_long || line->has_nul) {
        lexer_raw_word(parser->lexer, start, start + 1, &word);
        struct directive_use use = {.name = word};
        struct diagnostic about = {.place = use.name.place};
        diagnostics_add(parser->diagnostics, &about, "%s",
                        line->too_long ? "the line is longer than 65536 bytes" : "the line holds a zero byte");
        return;
    }
    if (line->text[start] != '<') {
        read_directive(parser, start);
    } else if (start + 1 < line->length && line->text[start + 1] == '/') {
        read_closing(parser, start);
    } else {
        read_opening(parser, start);
    }
}

void parser_read_text(struct parser *parser, const char *name, struct span text) {
    struct lexer lexer;
    struct lexer *outer = parser->lexer;
    const struct directive_use *outer_use = parser->use;
    lexer_init(&lexer, name, text, parser_arena(parser), &parser->scratch);
    parser->lexer = &lexer;
    parser->use = NULL;
    while (lexer_next(&lexer)) {
        read_line(parser);
    }
    parser->skipped_beyond = 0;
    while (parser->depth > 0 && top_frame(parser)->file_depth == parser->file_depth) {
        pop_unclosed(parser);
    }
    lexer_close(&lexer);
    parser->lexer = outer;
    parser->use = outer_use;
}

const struct directive_use *parser_use_of_text(struct parser *parser, const struct directive *directive,
                                               const char *text) {
    struct lexer lexer;
    lexer_init(&lexer, NULL, span_of(text), parser_arena(parser), &parser->scratch);
    struct directive_use *use = arena_alloc(&parser->scratch, sizeof *use);
    use->directive = directive;
    use->name.text = directive->name;
    use->name.length = strlen(directive->name);
    struct lexer *outer = parser->lexer;
    parser->lexer = &lexer;
    if (lexer_next(&lexer)) {
        read_arguments(parser, 0, lexer.line.length, use);
    }
    parser->lexer = outer;
    lexer_close(&lexer);
    return use;
}
