/* Regular expressions for ProxyPassMatch, RedirectMatch, <LocationMatch>, DOSWhitelistUri and their like.
 *
 * Compiled on the thread that loads a configuration, matched on the workers. Always true: a struct pattern never
 * changes after pattern_new(), and a match costs at most the limits below whatever the subject is. */
#include "config/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum {
    MATCH_LIMIT = 100000,    /* steps of backtracking */
    DEPTH_LIMIT = 20000,     /* nested backtracking points, where there is no JIT */
    HEAP_LIMIT_KIB = 4096,   /* memory for them */
    JIT_STACK_FIRST = 32768, /* bytes */
    JIT_STACK_LAST = 524288,
    NESTING_LIMIT = 100, /* parentheses inside each other in a pattern */
    ERROR_TEXT_BYTES = 256,
};

struct pattern {
    pcre2_code *code;
    size_t prefix_length; /* so many characters behind a leading '^' are what every match begins with */
    char text[];          /* as it was written, with a zero byte */
};

struct pattern_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *jit_stack; /* NULL without JIT */
};

static void *must_have(void *memory) {
    return memory != NULL ? memory : must_malloc(SIZE_MAX / 2); /* which ends the process with its message */
}

static bool is_literal(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '-' ||
           c == '_';
}

/* Most patterns for paths begin like "^/static/", and most paths differ from that early: a comparison spares the match.
 * 0 where it is not plain to see. */
static size_t literal_prefix(const char *text, bool ignore_case) {
    if (text[0] != '^' || ignore_case || strchr(text, '|') != NULL) {
        return 0;
    }
    size_t length = 0;
    while (is_literal(text[1 + length])) {
        length++;
    }
    bool may_be_left_out = strchr("*?{", text[1 + length]) != NULL && text[1 + length] != '\0';
    return length > 0 && may_be_left_out ? length - 1 : length;
}

struct pattern *pattern_new(struct arena *arena, const char *text, bool ignore_case, const char **error,
                            size_t *error_offset) {
    pcre2_compile_context *context = must_have(pcre2_compile_context_create(NULL));
    pcre2_set_parens_nest_limit(context, NESTING_LIMIT);
    /* As Apache compiles its patterns: "." matches a line feed too, or "%0A" in a path would slip past a rule. */
    uint32_t options =
        PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
    if (ignore_case) {
        options |= PCRE2_CASELESS;
    }
    int code_or_error;
    PCRE2_SIZE offset = 0;
    size_t length = strlen(text);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, length, options, &code_or_error, &offset, context);
    pcre2_compile_context_free(context);
    if (code == NULL) {
        PCRE2_UCHAR message[ERROR_TEXT_BYTES];
        if (pcre2_get_error_message(code_or_error, message, sizeof message) < 0) {
            memcpy(message, "no valid pattern", sizeof "no valid pattern");
        }
        *error = arena_strdup(arena, (const char *)message);
        *error_offset = offset;
        return NULL;
    }
    /* Where the system forbids code made at run time, the interpreter does the same work more slowly. */
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    struct pattern *pattern = must_malloc(sizeof *pattern + length + 1);
    pattern->code = code;
    pattern->prefix_length = literal_prefix(text, ignore_case);
    memcpy(pattern->text, text, length + 1);
    return pattern;
}

void pattern_free(struct pattern *pattern) {
    if (pattern != NULL) {
        pcre2_code_free(pattern->code);
        free(pattern);
    }
}

const char *pattern_text(const struct pattern *pattern) {
    return pattern->text;
}

struct pattern_scratch *pattern_scratch_new(void) {
    struct pattern_scratch *scratch = must_malloc(sizeof *scratch);
    scratch->data = must_have(pcre2_match_data_create(PATTERN_GROUPS, NULL));
    scratch->context = must_have(pcre2_match_context_create(NULL));
    pcre2_set_match_limit(scratch->context, MATCH_LIMIT);
    pcre2_set_depth_limit(scratch->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(scratch->context, HEAP_LIMIT_KIB);
    scratch->jit_stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_LAST, NULL);
    if (scratch->jit_stack != NULL) {
        pcre2_jit_stack_assign(scratch->context, NULL, scratch->jit_stack);
    }
    return scratch;
}

void pattern_scratch_free(struct pattern_scratch *scratch) {
    if (scratch != NULL) {
        pcre2_match_data_free(scratch->data);
        pcre2_match_context_free(scratch->context);
        pcre2_jit_stack_free(scratch->jit_stack);
        free(scratch);
    }
}

static void read_groups(const struct pattern_scratch *scratch, size_t count, struct span subject,
                        struct pattern_match *match) {
    const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(scratch->data);
    match->count = count;
    for (size_t i = 0; i < PATTERN_GROUPS; i++) {
        PCRE2_SIZE from = i < count ? offsets[2 * i] : PCRE2_UNSET;
        PCRE2_SIZE to = i < count ? offsets[2 * i + 1] : PCRE2_UNSET;
        if (from == PCRE2_UNSET || to == PCRE2_UNSET) {
            match->group[i] = SPAN_NONE;
        } else { /* \K in a look-ahead can put the start behind the end */
            match->group[i] = (struct span){subject.ptr + from, to > from ? to - from : 0};
        }
    }
}

bool pattern_match(const struct pattern *pattern, struct pattern_scratch *scratch, struct span subject,
                   struct pattern_match *match) {
    if (subject.ptr == NULL) {
        subject = SPAN_LITERAL("");
    }
    if (subject.len < pattern->prefix_length || memcmp(subject.ptr, pattern->text + 1, pattern->prefix_length) != 0) {
        if (match != NULL) {
            *match = (struct pattern_match){0};
        }
        return false;
    }
    int result =
        pcre2_match(pattern->code, (PCRE2_SPTR)subject.ptr, subject.len, 0, 0, scratch->data, scratch->context);
    if (match != NULL) {
        *match = (struct pattern_match){0};
        if (result >= 0) { /* 0: there are more groups than we keep */
            read_groups(scratch, result == 0 ? PATTERN_GROUPS : (size_t)result, subject, match);
        }
    }
    return result >= 0;
}

/* Writes the expansion, or with out == NULL only measures it. */
static size_t expand_into(const char *text, const struct pattern_match *match, char *out) {
    size_t length = 0;
    for (const char *p = text; *p != '\0'; p++) {
        struct span piece = {p, 1};
        if (p[0] == '$' && p[1] >= '0' && p[1] <= '9') {
            piece = match->group[p[1] - '0'];
            p++;
        } else if ((p[0] == '$' || p[0] == '\\') && p[1] == '$') {
            piece.ptr = ++p;
        }
        if (out != NULL && piece.len > 0) {
            memcpy(out + length, piece.ptr, piece.len);
        }
        length += piece.len;
    }
    return length;
}

struct span pattern_expand(struct arena *arena, const char *text, const struct pattern_match *match) {
    size_t length = expand_into(text, match, NULL);
    char *out = arena_alloc_raw(arena, length + 1);
    expand_into(text, match, out);
    out[length] = '\0';
    return (struct span){out, length};
}

static unsigned char lower(char c) {
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Only the last '*' is ever tried again, so the work is at most the product of both lengths. */
bool wildcard_match(const char *wildcard, struct span text) {
    const char *after_star = NULL; /* where to go on when what follows the last '*' does not fit */
    size_t star_at = 0;            /* how much text that '*' has not taken yet begins here */
    size_t at = 0;
    while (at < text.len) {
        if (*wildcard == '*') {
            after_star = ++wildcard;
            star_at = at;
        } else if (*wildcard == '?' || (*wildcard != '\0' && lower(*wildcard) == lower(text.ptr[at]))) {
            wildcard++;
            at++;
        } else if (after_star != NULL) {
            wildcard = after_star;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*wildcard == '*') {
        wildcard++;
    }
    return *wildcard == '\0';
}
