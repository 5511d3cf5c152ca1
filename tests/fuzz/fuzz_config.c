/* Fuzz target: any bytes as a configuration file. Files are neither included nor looked at. What loads is dumped, and
 * the dump must load again and give the same dump. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config *load(struct span text) {
    static const struct config_options options = {.path = "proxy.conf", .forbid_includes = true};
    char *messages = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&messages, &length);
    struct config *config = config_load_text(&options, text, out);
    fclose(out);
    free(messages);
    return config;
}

static char *dump(const struct config *config) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    config_dump(config, out);
    config_print_hosts(config, out);
    fclose(out);
    char *hosts = strstr(text, "\nListeners:\n"); /* only to run the printer */
    if (hosts != NULL) {
        hosts[1] = '\0';
    }
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct config *config = load((struct span){(const char *)data, size});
    if (config != NULL) {
        char *first = dump(config);
        struct config *again = load(span_of(first));
        if (again == NULL) {
            fprintf(stderr, "a dump was refused:\n%s", first);
            abort();
        }
        char *second = dump(again);
        if (strcmp(first, second) != 0) {
            fprintf(stderr, "dumps differ:\n%s\n--\n%s", first, second);
            abort();
        }
        free(first);
        free(second);
        config_unref(&again);
        config_unref(&config);
    }
    return 0;
}
