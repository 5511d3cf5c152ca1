/* Words of a line as values: reads one with values.h and reports what is wrong with it, or odd about it, in its place.
 *
 * For the directive tables, on the thread that loads a configuration. Each function returns false after an error, with
 * 0 in its result. */
#ifndef WEIR_CONFIG_VALUE_WORDS_H
#define WEIR_CONFIG_VALUE_WORDS_H

#include "config/directive.h"
#include "config/limits.h"
#include "config/values.h"

/* Reports the problem or the warning of a result; returns its ok. */
bool word_report(struct parser *parser, const struct word *word, const struct value_result *result);

bool word_speed(struct parser *parser, const struct word *word, uint64_t *bits_per_s);
bool word_quota(struct parser *parser, const struct word *word, uint64_t *bytes);
bool word_whole(struct parser *parser, const struct word *word, uint32_t minimum, uint32_t maximum, uint32_t *number);
bool word_on_off(struct parser *parser, const struct word *word, bool *on);
/* An HTTP status from 400 to 599. */
bool word_refusal_status(struct parser *parser, const struct word *word, unsigned *status);
/* "speed rps max_conn"; the last may be left out with optional_connections, with a warning that it is unlimited. */
bool words_speed_limit(struct parser *parser, const struct directive_use *use, size_t first, bool optional_connections,
                       struct speed_limit *limit);
/* One of the words of a list that ends with a NULL word, in any case; the hint names them all and the nearest. */
bool word_choice(struct parser *parser, const struct word *word, const struct choice *choices, unsigned *value);

/* Notes that a value was said in this scope; warns when it was before, because the later line replaces the earlier. */
void mark_said(struct parser *parser, uint32_t *said, uint32_t bit);

#endif
