/* weirctl: looks at a running weir, and tells it what to do. */
#include <curl/curl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/version.h"
#include "ctl/commands.h"

#define DEFAULT_SOCKET "/run/weir/control.sock"

static void print_help(void) {
    fputs("weirctl, for a running weir\n\nUsage: weirctl [OPTION]... COMMAND [WORD]...\n\nCommands:\n", stdout);
    commands_print_help(stdout);
    fputs("\nOptions:\n", stdout);
    options_print_help(stdout);
    fputs("\nExit codes: 0 done, 1 weir refused it or it failed, 2 a wrong command line, 3 no weir was reached.\n",
          stdout);
}

/* The ControlSocket of a configuration, malloc'ed; NULL, with the reason said. */
static char *socket_of(const char *path) {
    char *messages = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&messages, &size);
    if (out == NULL) {
        return NULL;
    }
    const struct config_options options = {.path = path};
    struct config *config = config_load(&options, out);
    fclose(out);
    char *found = NULL;
    if (config == NULL) {
        fprintf(stderr, "weirctl: %s cannot be used:\n%s", path, messages);
    } else if (config->server.control_socket == NULL) {
        fprintf(stderr, "weirctl: %s has no ControlSocket\n", path);
    } else {
        found = strdup(config->server.control_socket);
    }
    config_unref(&config);
    free(messages);
    return found;
}

static enum exit_code run(const struct options *options) {
    char *socket = options->socket != NULL   ? strdup(options->socket)
                   : options->config != NULL ? socket_of(options->config)
                                             : strdup(DEFAULT_SOCKET);
    if (socket == NULL) {
        return EXIT_USAGE;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct client *client = client_new(socket);
    enum exit_code code = EXIT_UNREACHED;
    if (client != NULL) {
        const struct invocation invocation = {options, client, stdout, stderr};
        code = command_run(&invocation);
    }
    client_free(&client);
    curl_global_cleanup();
    free(socket);
    return code;
}

int main(int argc, char **argv) {
    setlocale(LC_CTYPE, "");
    struct options options;
    enum exit_code code = EXIT_DONE;
    if (!options_read(&options, argc, argv, stderr)) {
        code = EXIT_USAGE;
    } else if (options.help) {
        print_help();
    } else if (options.version) {
        puts("weirctl " WEIR_VERSION);
    } else {
        code = command_check(&options, stderr) ? run(&options) : EXIT_USAGE;
    }
    if (fflush(stdout) != 0 && code == EXIT_DONE) {
        perror("weirctl: standard output");
        code = EXIT_REFUSED;
    }
    return (int)code;
}
