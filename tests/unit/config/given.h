/* For tests of the language: a configuration from memory, loaded as weir itself does, and everything that was said. */
#ifndef WEIR_TESTS_UNIT_CONFIG_GIVEN_H
#define WEIR_TESTS_UNIT_CONFIG_GIVEN_H

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

struct given {
    struct config *config; /* NULL after an error */
    char *messages;
};

static inline struct given give_with(const struct config_options *options, const char *text) {
    struct given given = {NULL, NULL};
    size_t length = 0;
    FILE *messages = open_memstream(&given.messages, &length);
    given.config = config_load_text(options, span_of(text), messages);
    fclose(messages);
    return given;
}

/* As a build that can do everything; no files are looked at. */
static inline struct given give(const char *text) {
    static const struct config_options options = {.path = "/etc/weir/proxy.conf"};
    return give_with(&options, text);
}

static inline void give_back(struct given *given) {
    config_unref(&given->config);
    free(given->messages);
    given->messages = NULL;
}

static inline void check_says(const struct given *given, const char *part) {
    if (strstr(given->messages, part) == NULL) {
        printf("\n  not said: %s\n  but: %s\n", part, given->messages);
        CU_FAIL("a message is missing");
        return;
    }
    CU_PASS("said");
}

/* Loads, and says nothing. */
static inline struct given give_clean(const char *text) {
    struct given given = give(text);
    if (given.config == NULL || given.messages[0] != '\0') {
        printf("\n  %s\n  of: %s\n", given.messages, text);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(given.config);
    CU_ASSERT_STRING_EQUAL(given.messages, "");
    return given;
}

/* A line in a host is refused (or warned of) with a text that holds `part`. */
static inline void check_line(const char *line, const char *part) {
    char text[4096];
    snprintf(text, sizeof text, "Listen 80\n<VirtualHost *:80>\n%s\n</VirtualHost>\n", line);
    struct given given = give(text);
    check_says(&given, part);
    if (strstr(part, "error") != NULL) {
        CU_ASSERT_PTR_NULL(given.config);
    }
    give_back(&given);
}

#endif
