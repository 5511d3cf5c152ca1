/* weir: reads its command line and does what it says. The only file that knows the process and the statistics together.
 */
#include <ev.h>
#include <fcntl.h>
#include <llhttp.h>
#include <malloc.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <openssl/crypto.h>

#include "config/version.h"
#include "proxy/log.h"
#include "proxy/process.h"
#include "proxy/program/options.h"
#include "proxy/tls_generation.h"
#include "stats/answer.h"
#include "stats/control.h"
#include "stats/summary.h"

enum { EXIT_USAGE = 2 };

/* "libev 4.33", and so on. */
static void print_libraries(const char *separator, char *text, size_t size) {
    char pcre2[64] = "";
    if (pcre2_config(PCRE2_CONFIG_VERSION, NULL) < (int)sizeof pcre2) {
        pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    }
    pcre2[strcspn(pcre2, " ")] = '\0'; /* without the date */
    snprintf(text, size, "libev %d.%d%sllhttp %d.%d.%d%sPCRE2 %s%sSQLite %s%sOpenSSL %s", ev_version_major(),
             ev_version_minor(), separator, LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR, LLHTTP_VERSION_PATCH, separator,
             pcre2, separator, sqlite3_libversion(), separator, OpenSSL_version(OPENSSL_VERSION_STRING));
}

static void print_version(void) {
    char libraries[256];
    print_libraries("\n", libraries, sizeof libraries);
    printf("weir " WEIR_VERSION "\n%s\n", libraries);
}

/* The descriptors 0, 1 and 2 must not become sockets: something always writes to standard error in the end. */
static bool open_standard_descriptors(void) {
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) {
        close(fd);
    }
    return fd >= 0;
}

static struct config_options config_options(const struct options *options) {
    return (struct config_options){
        .path = options->config_path,
        .strict = options->strict,
        .defines = options->defines,
        .define_count = options->define_count,
        .check_files = true,
    };
}

/* What stands in the files that SSL* lines name is part of what -t looks at. */
static int check_certificates(const struct config *config) {
    char *error = NULL;
    bool good = tls_check(config, &error);
    if (!good) {
        fprintf(stderr, "weir: %s\n", error != NULL ? error : "OpenSSL has no memory");
    } else {
        fputs("Syntax OK\n", stderr);
    }
    free(error);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* -t, -S, --dump-config. */
static int examine(const struct options *options) {
    const struct config_options load = config_options(options);
    struct config *config = config_load(&load, stderr);
    if (config == NULL) {
        return EXIT_FAILURE;
    }
    int exit_code = EXIT_SUCCESS;
    if (options->command == COMMAND_CHECK) {
        exit_code = check_certificates(config);
    } else if (options->command == COMMAND_HOSTS) {
        config_print_hosts(config, stdout);
    } else {
        config_dump(config, stdout);
    }
    config_unref(&config);
    return exit_code;
}

static void log_report(const struct process_report *report) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return;
    }
    stats_summary(&report->counters, report->uptime_ns, out);
    fclose(out);
    log_notice("%s; %s", report->occasion, text);
    free(text);
}

/* A status document of many hosts may take a hundred megabytes for a moment. By default the C library learns from the
 * first such block to keep the next ones for itself; with a fixed threshold they go back to the system. */
static void settle_memory(void) {
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

static void answer(struct process *process, const struct status_request *request, struct status_answer *given) {
    if (request->handler == HANDLER_CONTROL) {
        stats_control(process, request, given);
    } else {
        stats_answer(process, request, given);
    }
}

static int serve(const struct options *options) {
    settle_memory();
    char libraries[256];
    print_libraries(", ", libraries, sizeof libraries);
    const struct process_options process = {
        .config = config_options(options),
        .detach = options->detach,
        .program = options->program,
        .arguments = options->arguments,
        .report = log_report,
        .answer = answer,
        .libraries = libraries,
    };
    return process_run(&process);
}

static int obey(const struct options *options) {
    switch (options->command) {
    case COMMAND_RUN:
        return serve(options);
    case COMMAND_CHECK:
    case COMMAND_HOSTS:
    case COMMAND_DUMP_CONFIG:
        return examine(options);
    case COMMAND_DIRECTIVES:
        config_print_directives(stdout);
        break;
    case COMMAND_PRINT_SAMPLE:
        config_print_sample(stdout);
        break;
    case COMMAND_PRINT_MANUAL:
        config_print_manual(stdout);
        break;
    case COMMAND_VERSION:
        print_version();
        break;
    case COMMAND_HELP:
        options_print_help(stdout);
        break;
    }
    return EXIT_SUCCESS;
}

/* Without TZ the C library looks at /etc/localtime again for every calendar period and frees what it knew before, on
 * whichever thread asks. Named once, before there are threads, the time zone is read once. */
static void settle_time_zone(void) {
    (void)setenv("TZ", ":/etc/localtime", 0);
    tzset();
}

int main(int argc, char **argv) {
    settle_time_zone();
    if (!open_standard_descriptors()) {
        return EXIT_FAILURE;
    }
    struct options options;
    int exit_code = options_read(&options, argc, argv, stderr) ? obey(&options) : EXIT_USAGE;
    options_free(&options);
    if (fflush(stdout) != 0) {
        perror("weir: standard output");
        exit_code = exit_code == EXIT_SUCCESS ? EXIT_FAILURE : exit_code;
    }
    return exit_code;
}
