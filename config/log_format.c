/* Takes the text of a LogFormat apart. Called on the thread that loads a configuration, by directives_log.c and by the
 * access log. What is a code and what it takes stands in log_codes.def alone. */
#include "config/log_format.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/directive.h"

enum { STATUSES_MAX = 64, WORDS_MAX = 32, CODES_TEXT_MAX = 512 };

enum argument_use { IGNORED, OPTIONAL, REQUIRED };

static const struct code_row {
    const char *code;
    enum argument_use argument;
    const char *words;
} codes[] = {
#define LOG_CODE(constant, code, argument, words, meaning) {code, argument, words},
#include "config/log_codes.def"
#undef LOG_CODE
};

struct reading {
    struct arena *arena;
    const char *next; /* of the format */
    struct log_item *items;
    size_t count, room;
    const char **problem, **hint;
};

static bool fail(struct reading *reading, const char *problem, const char *hint) {
    *reading->problem = problem;
    *reading->hint = hint;
    return false;
}

static void add_item(struct reading *reading, const struct log_item *item) {
    if (reading->count == reading->room) {
        reading->room = reading->room > 0 ? reading->room * 2 : 32;
        struct log_item *items = arena_alloc(reading->arena, reading->room * sizeof *items);
        if (reading->count > 0) {
            memcpy(items, reading->items, reading->count * sizeof *items);
        }
        reading->items = items;
    }
    reading->items[reading->count++] = *item;
}

/* Text up to the next code, with the escapes that Apache knows there: \n \r \t \\. */
static void read_text(struct reading *reading) {
    const char *from = reading->next;
    size_t length = strcspn(from, "%");
    char *text = arena_alloc(reading->arena, length + 1);
    size_t written = 0;
    for (size_t i = 0; i < length; i++) {
        static const char letters[] = "nrt\\", meanings[] = "\n\r\t\\";
        const char *letter = from[i] == '\\' && i + 1 < length ? strchr(letters, from[i + 1]) : NULL;
        text[written++] = letter != NULL ? meanings[letter - letters] : from[i];
        i += letter != NULL ? 1 : 0;
    }
    add_item(reading, &(struct log_item){.code = LOG_CODE_NONE, .text = {text, written}});
    reading->next = from + length;
}

static bool read_statuses(struct reading *reading, struct log_item *item, const char *from) {
    int statuses[STATUSES_MAX] = {0};
    size_t count = 0;
    while (*reading->next >= '0' && *reading->next <= '9') {
        size_t digits = strspn(reading->next, "0123456789");
        if (digits != 3 || count == STATUSES_MAX) {
            return fail(
                reading, arena_printf(reading->arena, "\"%.24s\" does not begin with status codes", from),
                "write up to 64 of three digits with commas, e.g. %400,501{User-agent}i or %!200,304{Referer}i");
        }
        statuses[count++] = (int)strtol(reading->next, NULL, 10);
        reading->next += digits;
        reading->next += *reading->next == ',' ? 1 : 0;
    }
    int *copy = arena_alloc(reading->arena, count * sizeof *copy);
    memcpy(copy, statuses, count * sizeof *copy);
    item->statuses = copy;
    item->status_count = count;
    return true;
}

/* What stands between "%" and the code, in any order: "!", "<", ">", status codes, "{argument}". */
static bool read_prefix(struct reading *reading, struct log_item *item, const char *from) {
    for (;;) {
        char character = *reading->next;
        if (character == '!') {
            item->statuses_negated = true;
            reading->next++;
        } else if (character == '<' || character == '>' || character == ',') {
            reading->next++; /* a request is never redirected inside weir: original and final are the same */
        } else if (character >= '0' && character <= '9') {
            if (!read_statuses(reading, item, from)) {
                return false;
            }
        } else if (character == '{') {
            const char *end = strchr(reading->next, '}');
            if (end == NULL) {
                return fail(reading, arena_printf(reading->arena, "\"%.24s\" has no closing }", from),
                            "write %{Name}i, with the code after the \"}\"");
            }
            struct span argument = {reading->next + 1, (size_t)(end - reading->next) - 1};
            item->text = argument.len > 0 ? arena_copy_span(reading->arena, argument) : SPAN_NONE;
            reading->next = end + 1;
        } else {
            return true;
        }
    }
}

static bool find_code(struct reading *reading, struct log_item *item, const char *from) {
    for (size_t i = 0; i < LOG_CODE_COUNT; i++) {
        size_t length = strlen(codes[i].code);
        if (strncmp(reading->next, codes[i].code, length) == 0) {
            item->code = (enum log_code)i;
            reading->next += length;
            return true;
        }
    }
    char *known = arena_alloc(reading->arena, CODES_TEXT_MAX);
    size_t length = 0;
    for (size_t i = 1; i < LOG_CODE_COUNT && length < CODES_TEXT_MAX - 16; i++) {
        length += (size_t)snprintf(known + length, CODES_TEXT_MAX - length, " %%%s%s",
                                   codes[i].argument == REQUIRED ? "{…}" : "", codes[i].code);
    }
    return fail(reading, arena_printf(reading->arena, "\"%.24s\" is no format code that weir knows", from),
                arena_printf(reading->arena, "write %%%% for a percent sign, or one of%s", known));
}

/* One of the words that the code knows, as the table spells it. */
static bool check_words(struct reading *reading, struct log_item *item, const struct code_row *row) {
    char *words = arena_strdup(reading->arena, row->words), *rest = NULL;
    const char *list[WORDS_MAX + 1] = {NULL};
    size_t count = 0;
    for (char *word = strtok_r(words, " ", &rest); word != NULL && count < WORDS_MAX;
         word = strtok_r(NULL, " ", &rest)) {
        size_t length = strlen(word);
        if (span_equal_nocase(item->text, (struct span){word, length})) {
            item->text = (struct span){word, length};
            return true;
        }
        if (word[length - 1] == '*' && span_starts_with(item->text, (struct span){word, length - 1})) {
            return true;
        }
        list[count++] = word;
    }
    const char *nearest = nearest_word(item->text, list);
    return fail(reading, arena_printf(reading->arena, "\"%%{%s}%s\" is not known", item->text.ptr, row->code),
                nearest != NULL
                    ? arena_printf(reading->arena, "did you mean \"%%{%s}%s\"?", nearest, row->code)
                    : arena_printf(reading->arena, "in the braces before %s may stand %s", row->code, row->words));
}

static bool read_code(struct reading *reading) {
    const char *from = reading->next++;
    struct log_item item = {.text = SPAN_NONE};
    if (!read_prefix(reading, &item, from) || !find_code(reading, &item, from)) {
        return false;
    }
    const struct code_row *row = &codes[item.code];
    if (row->argument == REQUIRED && item.text.len == 0) {
        return fail(reading, arena_printf(reading->arena, "\"%.24s\" lacks a name", from),
                    arena_printf(reading->arena, "write %%{name}%s", row->code));
    }
    if (row->argument == IGNORED) {
        item.text = SPAN_NONE;
    } else if (item.text.len > 0 && row->words[0] != '\0' && !check_words(reading, &item, row)) {
        return false;
    }
    add_item(reading, &item);
    return true;
}

bool log_format_parse(const char *text, struct arena *arena, struct log_format *format, const char **problem,
                      const char **hint) {
    struct reading reading = {.arena = arena, .next = text, .problem = problem, .hint = hint};
    while (*reading.next != '\0') {
        if (*reading.next != '%') {
            read_text(&reading);
        } else if (!read_code(&reading)) {
            return false;
        }
    }
    *format = (struct log_format){.items = reading.items, .item_count = reading.count};
    return true;
}
