/* Applies the rows of the directive table that are simple values: reads the argument by the row's kind, checks its
 * bounds, and stores it at the row's offset. Called by parser.c through directive_apply(). */
#include "config/simple_value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/directive.h"
#include "config/parser.h"

static const struct {
    const char *suffix;
    int64_t unit_ns;
} duration_units[] = {
    {"ms", 1000000},
    {"s", 1000000000},
    {"sec", 1000000000},
    {"min", 60 * INT64_C(1000000000)},
    {"mi", 60 * INT64_C(1000000000)},
    {"h", 3600 * INT64_C(1000000000)},
};

/* Reads digits; false when there are none or they do not fit. */
static bool read_digits(struct span *text, uint64_t *number) {
    uint64_t value = 0;
    size_t used = 0;
    while (used < text->len && text->ptr[used] >= '0' && text->ptr[used] <= '9') {
        uint64_t digit = (uint64_t)(text->ptr[used] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
        used++;
    }
    *number = value;
    *text = span_skip(*text, used);
    return used > 0;
}

bool simple_unsigned(struct span text, uint64_t minimum, uint64_t maximum, uint64_t *number) {
    return read_digits(&text, number) && text.len == 0 && *number >= minimum && *number <= maximum;
}

bool simple_duration(struct span text, int64_t default_unit_ns, int64_t *nanoseconds) {
    uint64_t number = 0;
    if (!read_digits(&text, &number)) {
        return false;
    }
    int64_t unit = text.len == 0 ? default_unit_ns : 0;
    for (size_t i = 0; i < sizeof duration_units / sizeof duration_units[0]; i++) {
        if (span_equal_nocase(text, span_of(duration_units[i].suffix))) {
            unit = duration_units[i].unit_ns;
        }
    }
    if (unit == 0 || number > (uint64_t)(INT64_MAX / unit)) {
        return false;
    }
    *nanoseconds = (int64_t)number * unit;
    return true;
}

bool simple_size(struct span text, uint64_t *bytes) {
    uint64_t number = 0;
    if (!read_digits(&text, &number)) {
        return false;
    }
    unsigned shift = 0;
    if (text.len > 0) {
        switch (tolower((unsigned char)text.ptr[0])) {
        case 'k':
            shift = 10;
            break;
        case 'm':
            shift = 20;
            break;
        case 'g':
            shift = 30;
            break;
        default:
            return false;
        }
        text = span_skip(text, 1);
    }
    if (text.len > 0 || number > (UINT64_MAX >> shift)) {
        return false;
    }
    *bytes = number << shift;
    return true;
}

static void *base_object(struct parser *parser, enum value_base base) {
    struct scope *scope = parser_scope(parser);
    switch (base) {
    case BASE_SETTINGS:
        return scope->settings;
    case BASE_SERVER:
        return &parser_config(parser)->server;
    case BASE_HOST:
        return scope->host;
    case BASE_BALANCER:
        return scope->balancer;
    case BASE_USER:
        return scope->user;
    case BASE_CLASS:
        return scope->client_class;
    }
    return NULL;
}

static const char *range_hint(struct parser *parser, const struct directive *row, const char *kind) {
    struct arena *arena = &parser->scratch;
    const char *off = row->off_is_zero ? ", or Off" : "";
    if (row->maximum == 0) {
        return row->minimum == 0 ? arena_printf(arena, "write %s%s", kind, off)
                                 : arena_printf(arena, "write %s of at least %" PRIu64 "%s", kind, row->minimum, off);
    }
    return arena_printf(arena, "write %s from %" PRIu64 " to %" PRIu64 "%s", kind, row->minimum, row->maximum, off);
}

static bool in_bounds(const struct directive *row, uint64_t value, uint64_t type_maximum) {
    uint64_t maximum = row->maximum == 0 ? type_maximum : row->maximum;
    return value >= row->minimum && value <= maximum;
}

static bool store_number(struct parser *parser, const struct directive *row, const struct word *word, void *target) {
    struct span text = {word->text, word->length};
    uint64_t number = 0;
    bool off = row->off_is_zero && strcasecmp(word->text, "off") == 0;
    if (row->kind == VALUE_UNSIGNED) {
        if (!off && !(simple_unsigned(text, 0, UINT64_MAX, &number) && in_bounds(row, number, UINT_MAX))) {
            parser_error_at(parser, word, range_hint(parser, row, "a whole number"), "\"%s\" is %s", word->text,
                            simple_unsigned(text, 0, UINT64_MAX, &number) ? "out of range" : "not a whole number");
            return false;
        }
        *(unsigned *)target = (unsigned)number;
        return true;
    }
    if (!off && !(simple_size(text, &number) && in_bounds(row, number, INT64_MAX))) {
        parser_error_at(parser, word, range_hint(parser, row, "a number of bytes (K, M or G may follow)"),
                        "\"%s\" is %s", word->text,
                        simple_size(text, &number) ? "out of range" : "not a number of bytes");
        return false;
    }
    *(uint64_t *)target = number;
    return true;
}

static bool store_duration(struct parser *parser, const struct directive *row, const struct word *word, void *target) {
    enum { SECOND_NS = 1000000000 };
    int64_t value = 0;
    bool off = row->off_is_zero && strcasecmp(word->text, "off") == 0;
    bool read = simple_duration((struct span){word->text, word->length}, SECOND_NS, &value);
    int64_t least = (int64_t)row->minimum * SECOND_NS;
    int64_t most = row->maximum == 0 ? INT64_MAX : (int64_t)row->maximum * SECOND_NS;
    /* A bound of one second is there to exclude 0: less than a second is then written in ms. */
    if (row->minimum == 1) {
        least = 1;
    }
    if (!off && (!read || value < least || value > most)) {
        parser_error_at(parser, word, range_hint(parser, row, "a number of seconds (or 500ms, 2min)"), "\"%s\" is %s",
                        word->text, read ? "out of range" : "not a time");
        return false;
    }
    *(int64_t *)target = off ? 0 : value;
    return true;
}

static bool store_on_off(struct parser *parser, const struct word *word, void *target) {
    bool on = strcasecmp(word->text, "on") == 0;
    if (!on && strcasecmp(word->text, "off") != 0) {
        parser_error_at(parser, word, "write On or Off", "\"%s\" is neither On nor Off", word->text);
        return false;
    }
    *(bool *)target = on;
    return true;
}

static bool is_without_effect(const struct directive *row, const char *text) {
    for (const char *const *known = row->choices_without_effect; known != NULL && *known != NULL; known++) {
        size_t length = strlen(*known);
        bool begins = (*known)[length - 1] == '*';
        if (begins ? strncasecmp(*known, text, length - 1) == 0 : strcasecmp(*known, text) == 0) {
            return true;
        }
    }
    return false;
}

static bool store_choice(struct parser *parser, const struct directive *row, const struct word *word, void *target) {
    const char *text = word->text;
    if (is_without_effect(row, text)) {
        parser_warn_at(parser, word, NULL, "\"%s\" has no effect in a proxy: taken as %s", text, row->default_text);
        text = row->default_text;
    }
    const char *words[32] = {NULL};
    const char *list = "";
    for (size_t i = 0; row->choices[i].word != NULL; i++) {
        if (strcasecmp(row->choices[i].word, text) == 0) {
            *(unsigned *)target = row->choices[i].value;
            return true;
        }
        list = arena_printf(&parser->scratch, "%s%s%s", list, i == 0 ? "" : ", ", row->choices[i].word);
        words[i] = i + 1 < sizeof words / sizeof words[0] ? row->choices[i].word : NULL;
    }
    const char *nearest = nearest_word((struct span){word->text, word->length}, words);
    const char *hint = nearest != NULL ? arena_printf(&parser->scratch, "did you mean \"%s\"?", nearest)
                                       : arena_printf(&parser->scratch, "write one of: %s", list);
    parser_error_at(parser, word, hint, "\"%s\" is not known here", word->text);
    return false;
}

static bool store_text(struct parser *parser, const struct directive *row, const struct word *word, void *target) {
    if (word->length == 0) {
        parser_error_at(parser, word, NULL, "the text is empty");
        return false;
    }
    *(const char **)target = row->kind == VALUE_PATH ? parser_path(parser, word->text) : word->text;
    return true;
}

static bool store(struct parser *parser, const struct directive *row, const struct word *word, void *target) {
    switch (row->kind) {
    case VALUE_OWN:
        return true;
    case VALUE_ON_OFF:
        return store_on_off(parser, word, target);
    case VALUE_UNSIGNED:
    case VALUE_SIZE:
        return store_number(parser, row, word, target);
    case VALUE_DURATION:
        return store_duration(parser, row, word, target);
    case VALUE_TEXT:
    case VALUE_PATH:
        return store_text(parser, row, word, target);
    case VALUE_CHOICE:
        return store_choice(parser, row, word, target);
    }
    return false;
}

void directive_apply(struct parser *parser, const struct directive_use *use) {
    const struct directive *row = use->directive;
    char *base = base_object(parser, row->base);
    bool good = true;
    if (row->kind != VALUE_OWN) {
        if (base == NULL) {
            parser_error_at(parser, NULL, NULL, "may not stand here");
            return;
        }
        good = store(parser, row, &use->arguments[0], base + row->offset);
    }
    if (good && row->said_mask != 0 && base != NULL) {
        uint64_t said = 0;
        memcpy(&said, base + row->said_offset, sizeof said);
        said |= row->said_mask;
        memcpy(base + row->said_offset, &said, sizeof said);
    }
    if (good && row->apply != NULL) {
        row->apply(parser, use);
    }
}

void parser_apply_defaults(struct parser *parser) {
    struct scope *scope = parser_scope(parser);
    struct scope kept = *scope;
    scope->settings = &parser->defaults;
    const struct directive_use *kept_use = parser->use;
    const struct directive *row;
    for (size_t i = 0; (row = directive_at(i)) != NULL; i++) {
        bool simple = row->kind != VALUE_OWN || row->said_mask != 0;
        bool plain = row->base == BASE_SETTINGS || row->base == BASE_SERVER;
        if (simple && plain && (row->contexts & CONTEXT_SERVER) != 0 && row->default_text != NULL &&
            row->default_text[0] != '(' && !row->ignored) {
            const struct directive_use *use = parser_use_of_text(parser, row, row->default_text);
            parser->use = use;
            directive_apply(parser, use);
        }
    }
    parser->defaults.said = 0;
    parser->use = kept_use;
    *scope = kept;
}
