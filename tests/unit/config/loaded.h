/* For tests of directives: reads a configuration from memory up to the finished objects and keeps its messages.
 *
 * The last step of a real load, which refuses directives that a build cannot act on, is left out: these tests are about
 * what lines mean. */
#ifndef WEIR_TESTS_UNIT_CONFIG_LOADED_H
#define WEIR_TESTS_UNIT_CONFIG_LOADED_H

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/parser.h"

struct loaded {
    struct config *config;
    struct diagnostics *diagnostics;
};

static inline struct loaded load_text(const char *text) {
    static const struct config_options options = {.path = "/etc/weir/proxy.conf"};
    struct loaded loaded = {.config = must_calloc(1, sizeof(struct config)), .diagnostics = diagnostics_new(false)};
    atomic_init(&loaded.config->references, 1);
    arena_init(&loaded.config->arena, NULL, 0);
    struct parser *parser = parser_new(loaded.config, &options, loaded.diagnostics);
    parser->folder = "/etc/weir";
    parser_read_text(parser, "proxy.conf", span_of(text));
    config_build(parser);
    parser_free(&parser);
    return loaded;
}

static inline void unload(struct loaded *loaded) {
    diagnostics_free(&loaded->diagnostics);
    config_unref(&loaded->config);
}

/* Whether there is a message "LINE: error|warning: NAME: MESSAGE (HINT)" of which `part` is a part. */
static inline bool has_message(const struct loaded *loaded, const char *part) {
    for (size_t i = 0; i < loaded->diagnostics->count; i++) {
        const struct diagnostic *item = &loaded->diagnostics->items[i];
        char text[1000];
        snprintf(text, sizeof text, "%u: %s: %s: %s (%s)", item->place.line, item->warning ? "warning" : "error",
                 item->subject != NULL ? item->subject : "", item->message, item->hint != NULL ? item->hint : "");
        if (strstr(text, part) != NULL) {
            return true;
        }
    }
    return false;
}

static inline void check_clean(const struct loaded *loaded) {
    if (loaded->diagnostics->count > 0) {
        diagnostics_print(loaded->diagnostics, stdout);
    }
    CU_ASSERT_EQUAL(loaded->diagnostics->count, 0);
}

struct message_vector {
    const char *text;
    const char *part; /* of the only message; NULL: there must be none */
};

static inline void check_messages(const struct message_vector *vectors, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct loaded loaded = load_text(vectors[i].text);
        bool right = vectors[i].part == NULL ? loaded.diagnostics->count == 0
                                             : loaded.diagnostics->count == 1 && has_message(&loaded, vectors[i].part);
        if (!right) {
            printf("\n%s\n  expected: %s\n  got:\n", vectors[i].text, vectors[i].part != NULL ? vectors[i].part : "-");
            diagnostics_print(loaded.diagnostics, stdout);
        }
        CU_ASSERT_TRUE(right);
        unload(&loaded);
    }
}

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define CHECK_MESSAGES(vectors) check_messages((vectors), COUNT(vectors))

#endif
