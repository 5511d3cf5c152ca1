/* Texts of the configuration and of peers, made fit for a document: valid UTF-8 (RFC 3629) and only characters that
 * XML 1.0 (section 2.2) may hold. What is not becomes U+FFFD, each invalid byte and each control character by itself;
 * tab and line feed stay. Pure; a scratch belongs to one thread. */
#ifndef WEIR_STATS_CLEAN_TEXT_H
#define WEIR_STATS_CLEAN_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct clean_text { /* all zero to begin with */
    char *buffer;
    size_t size; /* bytes */
};

/* The text itself when it is clean, else a copy in the scratch, which holds until the next call. */
const char *clean_text(struct clean_text *scratch, const char *text);
void clean_text_free(struct clean_text *scratch);

/* The character that a clean text begins with, and on to the next; 0 at the end. */
uint32_t clean_text_next(const char **text);

#endif
