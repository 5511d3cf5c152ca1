/* Lines and words of a configuration file: see lexer.h. Called by parser.c. Columns and widths of words are those of
 * the file's own lines, whatever was joined or unescaped, so that messages can point at what somebody wrote. */
#include "config/lexer.h"

#include <stdlib.h>
#include <string.h>

void lexer_init(struct lexer *lexer, const char *file, struct span text, struct arena *words, struct arena *lines) {
    *lexer = (struct lexer){.file = file, .rest = text, .words = words, .lines = lines};
    if (span_starts_with(text, SPAN_LITERAL("\xef\xbb\xbf"))) {
        lexer->rest = span_skip(text, 3);
    }
}

void lexer_close(struct lexer *lexer) {
    free(lexer->line.text);
    free(lexer->line.pieces);
    lexer->line = (struct lexer_line){0};
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\v' || byte == '\f' || byte == '\r';
}

/* Takes one line of the file, without its end. */
static bool take_line(struct lexer *lexer, struct span *line) {
    if (lexer->rest.len == 0) {
        return false;
    }
    const char *newline = memchr(lexer->rest.ptr, '\n', lexer->rest.len);
    size_t length = newline != NULL ? (size_t)(newline - lexer->rest.ptr) : lexer->rest.len;
    *line = (struct span){lexer->rest.ptr, length};
    lexer->rest = span_skip(lexer->rest, newline != NULL ? length + 1 : length);
    lexer->line_number++;
    if (line->len > 0 && line->ptr[line->len - 1] == '\r') {
        line->len--;
    }
    return true;
}

static void append_piece(struct lexer *lexer, struct span file_line, size_t skipped, size_t length) {
    struct lexer_line *line = &lexer->line;
    if (line->length + length > LEXER_LINE_MAX) {
        line->too_long = true;
        length = LEXER_LINE_MAX - line->length;
    }
    if (line->piece_count == line->piece_room) {
        line->piece_room = line->piece_room == 0 ? 8 : line->piece_room * 2;
        line->pieces = must_realloc(line->pieces, line->piece_room * sizeof *line->pieces);
    }
    line->pieces[line->piece_count++] =
        (struct lexer_piece){.start = line->length, .skipped = skipped, .line = lexer->line_number, .text = file_line};
    if (line->length + length + 1 > line->room) {
        line->room = (line->length + length + 1) * 2;
        line->text = must_realloc(line->text, line->room);
    }
    if (length > 0) {
        memcpy(line->text + line->length, file_line.ptr + skipped, length);
        line->has_nul = line->has_nul || memchr(file_line.ptr + skipped, '\0', length) != NULL;
    }
    line->length += length;
    line->text[line->length] = '\0';
}

/* Reads one line with those that continue it. */
static bool join_lines(struct lexer *lexer) {
    struct lexer_line *line = &lexer->line;
    line->length = 0;
    line->piece_count = 0;
    line->too_long = false;
    line->has_nul = false;
    struct span file_line;
    bool continued = true;
    while (continued && take_line(lexer, &file_line)) {
        size_t length = file_line.len;
        continued = length > 0 && file_line.ptr[length - 1] == '\\';
        if (continued) {
            length--;
        }
        size_t skipped = 0;
        while (line->piece_count == 0 && skipped < length && is_blank(file_line.ptr[skipped])) {
            skipped++;
        }
        /* Beyond the bound further pieces are read past, not kept: a file of backslashes must not fill the memory. */
        if (!line->too_long) {
            append_piece(lexer, file_line, skipped, length - skipped);
        }
    }
    if (line->piece_count == 0) {
        return false;
    }
    while (line->length > 0 && is_blank(line->text[line->length - 1])) {
        line->length--;
    }
    line->text[line->length] = '\0';
    return true;
}

bool lexer_next(struct lexer *lexer) {
    while (join_lines(lexer)) {
        size_t first = 0;
        while (first < lexer->line.length && is_blank(lexer->line.text[first])) {
            first++; /* only where the first line held nothing but its backslash */
        }
        if (first < lexer->line.length && lexer->line.text[first] != '#') {
            return true;
        }
    }
    return false;
}

static const char *quoted_line(struct lexer *lexer, const struct lexer_piece *piece) {
    if (lexer->quoted_line == NULL || lexer->quoted_line_number != piece->line) {
        char *copy = arena_copy(lexer->lines, piece->text);
        for (size_t i = 0; i < piece->text.len; i++) {
            if (copy[i] == '\0') {
                copy[i] = '?';
            }
        }
        lexer->quoted_line = copy;
        lexer->quoted_line_number = piece->line;
    }
    return lexer->quoted_line;
}

/* Where in the file the bytes from start to end of the joined line stand. */
static void set_place(struct lexer *lexer, size_t start, size_t end, struct word *word) {
    const struct lexer_line *line = &lexer->line;
    size_t index = 0;
    while (index + 1 < line->piece_count && line->pieces[index + 1].start <= start) {
        index++;
    }
    const struct lexer_piece *piece = &line->pieces[index];
    size_t piece_end = index + 1 < line->piece_count ? line->pieces[index + 1].start : line->length;
    if (end > piece_end) {
        end = piece_end;
    }
    word->place = (struct place){.file = lexer->file, .line = piece->line};
    word->column = (unsigned)(piece->skipped + (start - piece->start) + 1);
    word->width = end > start ? (unsigned)(end - start) : 1;
    word->line_text = quoted_line(lexer, piece);
}

/* Copies the inside of a word; "\\" becomes "\", and in quotes the escaped quote a plain one. */
static void set_text(struct lexer *lexer, struct span inside, char quote, struct word *word) {
    char *text = arena_alloc_raw(lexer->words, inside.len + 1);
    size_t length = 0;
    for (size_t i = 0; i < inside.len; i++) {
        if (inside.ptr[i] == '\\' && i + 1 < inside.len &&
            (inside.ptr[i + 1] == '\\' || (quote != '\0' && inside.ptr[i + 1] == quote))) {
            i++;
        }
        text[length++] = inside.ptr[i];
    }
    text[length] = '\0';
    word->text = text;
    word->length = length;
    word->quoted = quote != '\0';
}

bool lexer_word(struct lexer *lexer, size_t *offset, size_t end, struct word *word, bool *unclosed) {
    const char *text = lexer->line.text;
    size_t start = *offset;
    *unclosed = false;
    while (start < end && is_blank(text[start])) {
        start++;
    }
    *offset = start;
    if (start >= end) {
        return false;
    }
    *word = (struct word){0};
    char quote = text[start] == '"' || text[start] == '\'' ? text[start] : '\0';
    size_t inside = quote != '\0' ? start + 1 : start;
    size_t stop = inside;
    while (stop < end && (quote != '\0' ? text[stop] != quote : !is_blank(text[stop]))) {
        bool escape = quote != '\0' && text[stop] == '\\' && stop + 1 < end &&
                      (text[stop + 1] == quote || text[stop + 1] == '\\');
        stop += escape ? 2 : 1;
    }
    set_text(lexer, (struct span){text + inside, stop - inside}, quote, word);
    *unclosed = quote != '\0' && stop >= end;
    *offset = quote != '\0' && stop < end ? stop + 1 : stop;
    set_place(lexer, start, *offset, word);
    return true;
}

void lexer_raw_word(struct lexer *lexer, size_t start, size_t end, struct word *word) {
    *word = (struct word){0};
    word->text = arena_copy(lexer->words, (struct span){lexer->line.text + start, end - start});
    word->length = end - start;
    set_place(lexer, start, end, word);
}
