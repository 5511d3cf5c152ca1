/* A compiled regular expression (PCRE2, JIT where there is one) with a bound on the work a subject may cause.
 *
 * Compiled while a configuration is loaded, immutable afterwards and shared by all threads; the scratch memory that a
 * match needs belongs to the thread that matches. */
#ifndef WEIR_CONFIG_PATTERN_H
#define WEIR_CONFIG_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "config/arena.h"
#include "config/span.h"

struct pattern;
struct pattern_scratch; /* one a thread */

enum { PATTERN_GROUPS = 10 }; /* $0 to $9, as Apache's substitutions have them */

struct pattern_match {
    size_t count;                      /* groups set, the whole match included; 0 when nothing matched */
    struct span group[PATTERN_GROUPS]; /* point into the subject; ptr NULL for a group that took no part */
};

/* NULL with *error (from the arena) and *error_offset (bytes into text) when text is no pattern. Not anchored. */
struct pattern *pattern_new(struct arena *arena, const char *text, bool ignore_case, const char **error,
                            size_t *error_offset);
void pattern_free(struct pattern *pattern);
const char *pattern_text(const struct pattern *pattern);

struct pattern_scratch *pattern_scratch_new(void);
void pattern_scratch_free(struct pattern_scratch *scratch);

/* match may be NULL. A subject that reaches the match limit does not match. */
bool pattern_match(const struct pattern *pattern, struct pattern_scratch *scratch, struct span subject,
                   struct pattern_match *match);

/* Replaces $0 to $9 in the template by the groups (absent ones by nothing); "$$" and "\$" stand for "$", "&" stays. */
struct span pattern_expand(struct arena *arena, const char *text, const struct pattern_match *match);

/* Apache's host wildcards: '*' any run, '?' any one character; case-insensitive; the whole text must match. */
bool wildcard_match(const char *wildcard, struct span text);

#endif
