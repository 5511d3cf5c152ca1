/* Looks directives up over all tables, and finds the known name nearest to a misspelt one. See directive.h. Pure. */
#include "config/directive.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config/parser.h"

struct table {
    const struct directive *rows;
    const size_t *count;
};

/* In the order of the reference. */
static const struct table tables[] = {
    {directives_server, &directives_server_count},
    {directives_log, &directives_log_count},
    {directives_connection, &directives_connection_count},
    {directives_host, &directives_host_count},
    {directives_answers, &directives_answers_count},
    {directives_proxy, &directives_proxy_count},
    {directives_headers, &directives_headers_count},
    {directives_access, &directives_access_count},
    {directives_cband, &directives_cband_count},
    {directives_dos, &directives_dos_count},
    {directives_tls, &directives_tls_count},
    {directives_reading, &directives_reading_count},
    {directives_ignored, &directives_ignored_count},
};

enum { TABLE_COUNT = sizeof tables / sizeof tables[0], NAME_MAX_COMPARED = 64 };

const struct directive *directive_at(size_t index) {
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (index < *tables[i].count) {
            return &tables[i].rows[index];
        }
        index -= *tables[i].count;
    }
    return NULL;
}

const struct directive *directive_find(struct span name, bool section) {
    int first = name.len > 0 ? tolower((unsigned char)name.ptr[0]) : 0; /* spares most of the comparing */
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (size_t j = 0; j < *tables[i].count; j++) {
            const struct directive *row = &tables[i].rows[j];
            if (row->section == section && tolower((unsigned char)row->name[0]) == first &&
                span_equal_nocase(span_of(row->name), name)) {
                return row;
            }
        }
    }
    return NULL;
}

static unsigned smallest(unsigned a, unsigned b, unsigned c) {
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* Insertions, deletions, replacements and swaps of neighbours that make one text the other, in any case. */
static unsigned edit_distance(struct span a, struct span b) {
    unsigned rows[3][NAME_MAX_COMPARED + 1];
    if (a.len > NAME_MAX_COMPARED || b.len > NAME_MAX_COMPARED) {
        return UINT_MAX;
    }
    for (unsigned j = 0; j <= b.len; j++) {
        rows[0][j] = j;
    }
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *now = rows[i % 3];
        const unsigned *before = rows[(i - 1) % 3];
        const unsigned *two_before = rows[(i + 1) % 3];
        int left = tolower((unsigned char)a.ptr[i - 1]);
        now[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            int right = tolower((unsigned char)b.ptr[j - 1]);
            now[j] = smallest(now[j - 1] + 1, before[j] + 1, before[j - 1] + (left != right));
            bool swapped = i > 1 && j > 1 && left == tolower((unsigned char)b.ptr[j - 2]) &&
                           right == tolower((unsigned char)a.ptr[i - 2]);
            if (swapped && two_before[j - 2] + 1 < now[j]) {
                now[j] = two_before[j - 2] + 1;
            }
        }
    }
    return rows[a.len % 3][b.len];
}

/* One mistake in four letters is a misspelling; more is another word. */
static size_t near_enough(size_t length) {
    size_t most = (length + 2) / 4;
    return most < 4 ? most : 4;
}

static bool is_near(unsigned distance, size_t length) {
    return distance <= near_enough(length);
}

/* The distance, or UINT_MAX when the lengths alone tell that it is too much. */
static unsigned distance_if_near(struct span text, struct span word) {
    size_t difference = text.len > word.len ? text.len - word.len : word.len - text.len;
    return difference <= near_enough(text.len) ? edit_distance(text, word) : UINT_MAX;
}

const char *directive_nearest(struct span name, bool section) {
    const char *nearest = NULL;
    unsigned least = UINT_MAX;
    const struct directive *row;
    for (size_t i = 0; (row = directive_at(i)) != NULL; i++) {
        if (row->section != section || row->refused != NULL) {
            continue;
        }
        unsigned distance = distance_if_near(name, span_of(row->name));
        if (distance < least) {
            least = distance;
            nearest = row->name;
        }
    }
    return is_near(least, name.len) ? nearest : NULL;
}

const char *nearest_word(struct span text, const char *const *words) {
    const char *nearest = NULL;
    unsigned least = UINT_MAX;
    for (size_t i = 0; words[i] != NULL; i++) {
        unsigned distance = distance_if_near(text, span_of(words[i]));
        if (distance < least) {
            least = distance;
            nearest = words[i];
        }
    }
    return is_near(least, text.len) ? nearest : NULL;
}

void directive_contexts_text(unsigned contexts, char *text, size_t size) {
    static const char *const names[] = {"server",      "<VirtualHost>", "<Location>",  "<Proxy>",
                                        "<CBandUser>", "<CBandClass>",  "<RequireAny>"};
    size_t length = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((contexts & (1U << i)) != 0 && length < size) {
            int added = snprintf(text + length, size - length, "%s%s", length > 0 ? ", " : "", names[i]);
            length += added > 0 ? (size_t)added : 0;
        }
    }
}
