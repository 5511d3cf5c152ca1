/* From the bytes of a file to lines and words, as Apache reads its own configuration.
 *
 * A line ends at LF (CR before it is dropped); a backslash at its end joins the next one to it; lines whose first
 * character is '#' are comments (and a backslash continues them too, as in Apache). Words are separated by white space;
 * a word may stand in ' or " quotes, inside which a backslash escapes that quote; "\\" is one backslash everywhere.
 * The lexer knows nothing of directives and of ${NAME}. Used by parser.c, on the thread that loads. */
#ifndef WEIR_CONFIG_LEXER_H
#define WEIR_CONFIG_LEXER_H

#include "config/arena.h"
#include "config/directive.h"
#include "config/span.h"

enum { LEXER_LINE_MAX = 65536 /* bytes of a line with its continuations */ };

struct lexer_piece {  /* one line of the file within a joined line */
    size_t start;     /* offset in the joined text */
    size_t skipped;   /* bytes of the file's line before that offset: always 0 but for the first piece */
    unsigned line;    /* in the file, from 1 */
    struct span text; /* the file's line without its end */
};

struct lexer_line { /* a joined line; valid until the next is read */
    char *text;
    size_t length;
    size_t room;
    struct lexer_piece *pieces;
    size_t piece_count;
    size_t piece_room;
    bool too_long; /* cut at LEXER_LINE_MAX */
    bool has_nul;
};

struct lexer {
    const char *file;
    struct span rest;
    unsigned line_number; /* of the last line read */
    struct lexer_line line;
    struct arena *words;     /* where texts of words go: lives as long as the config */
    struct arena *lines;     /* where quoted lines go: lives as long as the load */
    const char *quoted_line; /* the last one copied, for the words that share it */
    unsigned quoted_line_number;
};

/* `file` and both arenas must outlive the lexer; the text must too. */
void lexer_init(struct lexer *lexer, const char *file, struct span text, struct arena *words, struct arena *lines);
void lexer_close(struct lexer *lexer);

/* The next line that is neither empty nor a comment, in lexer->line. False at the end. */
bool lexer_next(struct lexer *lexer);

/* The word that begins at or after *offset and before `end`, white space skipped; *offset moves behind it. False when
 * there is none. *unclosed tells of a quote that the line does not close; the word then reaches to the end. */
bool lexer_word(struct lexer *lexer, size_t *offset, size_t end, struct word *word, bool *unclosed);

/* The bytes from start to end as they stand, as one word: for names, brackets and messages. */
void lexer_raw_word(struct lexer *lexer, size_t start, size_t end, struct word *word);

#endif
