/* Words of a line as values, for the tables directives_cband.c, directives_dos.c and directives_tls.c.
 *
 * Always true: after false an error has been reported, so the caller need not say anything more. */
#include "config/value_words.h"

#include <stdio.h>
#include <string.h>

static struct span span_of_word(const struct word *word) {
    return (struct span){word->text, word->length};
}

bool word_report(struct parser *parser, const struct word *word, const struct value_result *result) {
    if (!result->ok) {
        parser_error_at(parser, word, result->hint, "\"%s\" %s", word->text, result->problem);
    } else if (result->warning[0] != '\0') {
        parser_warn_at(parser, word, result->hint, "%s", result->warning);
    }
    return result->ok;
}

bool word_speed(struct parser *parser, const struct word *word, uint64_t *bits_per_s) {
    struct value_result result = value_parse_speed(span_of_word(word), bits_per_s);
    return word_report(parser, word, &result);
}

bool word_quota(struct parser *parser, const struct word *word, uint64_t *bytes) {
    struct value_result result = value_parse_quota(span_of_word(word), bytes);
    return word_report(parser, word, &result);
}

bool word_whole(struct parser *parser, const struct word *word, uint32_t minimum, uint32_t maximum, uint32_t *number) {
    uint64_t value;
    struct value_result result = value_parse_whole(span_of_word(word), minimum, maximum, &value);
    *number = (uint32_t)value;
    if (!result.ok) {
        char hint[80];
        snprintf(hint, sizeof hint, "write a whole number from %u to %u", minimum, maximum);
        parser_error_at(parser, word, hint, "\"%s\" %s", word->text, result.problem);
    }
    return result.ok;
}

bool word_on_off(struct parser *parser, const struct word *word, bool *on) {
    struct value_result result = value_parse_on_off(span_of_word(word), false, on);
    return word_report(parser, word, &result);
}

bool word_refusal_status(struct parser *parser, const struct word *word, unsigned *status) {
    uint64_t value;
    struct value_result result = value_parse_whole(span_of_word(word), 400, 599, &value);
    *status = (unsigned)value;
    if (!result.ok) {
        parser_error_at(parser, word, "write a status from 400 to 599, e.g. 403, 429 or 503",
                        "\"%s\" is not the status of a refusal", word->text);
    }
    return result.ok;
}

static bool word_count(struct parser *parser, const struct word *word, const char *what, uint32_t *number) {
    uint64_t value;
    struct value_result result = value_parse_whole(span_of_word(word), 0, UINT32_MAX, &value);
    *number = (uint32_t)value;
    if (!result.ok) {
        parser_error_at(parser, word, "write a whole number; 0 is unlimited", "\"%s\" %s, and %s is asked for here",
                        word->text, result.problem, what);
    }
    return result.ok;
}

bool words_speed_limit(struct parser *parser, const struct directive_use *use, size_t first, bool optional_connections,
                       struct speed_limit *limit) {
    *limit = (struct speed_limit){0};
    if (use->argument_count < first + (optional_connections ? 2 : 3)) {
        parser_error_at(parser, NULL, "write speed, requests per second and connections, e.g. \"1024kbps 10 30\"",
                        "three values make a speed limit");
        return false;
    }
    const struct word *words = use->arguments + first;
    bool good = word_speed(parser, &words[0], &limit->bits_per_s);
    good = word_count(parser, &words[1], "the number of requests per second", &limit->requests_per_s) && good;
    if (use->argument_count < first + 3) {
        parser_warn_at(parser, NULL, "write the number of connections at the end; 0 is unlimited",
                       "max_conn is missing and taken as 0, unlimited");
    } else {
        good = word_count(parser, &words[2], "the number of connections", &limit->connections) && good;
    }
    return good;
}

bool word_choice(struct parser *parser, const struct word *word, const struct choice *choices, unsigned *value) {
    char hint[160] = "write ";
    size_t length = strlen(hint);
    *value = 0;
    for (size_t i = 0; choices[i].word != NULL; i++) {
        if (span_equal_nocase(span_of_word(word), span_of(choices[i].word))) {
            *value = choices[i].value;
            return true;
        }
        const char *between = i == 0 ? "" : choices[i + 1].word == NULL ? " or " : ", ";
        int added = snprintf(hint + length, sizeof hint - length, "%s%s", between, choices[i].word);
        length = added > 0 && (size_t)added < sizeof hint - length ? length + (size_t)added : sizeof hint - 1;
    }
    parser_error_at(parser, word, hint, "\"%s\" is not one of the words known here", word->text);
    return false;
}

void mark_said(struct parser *parser, uint32_t *said, uint32_t bit) {
    if ((*said & bit) != 0) {
        parser_warn_at(parser, NULL, "keep one of the two lines",
                       "was given before in this section; this line replaces the earlier one");
    }
    *said |= bit;
}
