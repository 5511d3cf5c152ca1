/* Loads, shares and frees a configuration: see config.h. Loading runs on the housekeeping thread or at start;
 * references may be taken and dropped on any thread. */
#include "config/config.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/parser.h"

/* Absolute, without looking whether links lead elsewhere when the file is not there. */
static const char *absolute_path(struct arena *arena, const char *path) {
    char *real = realpath(path, NULL);
    if (real != NULL) {
        const char *copy = arena_strdup(arena, real);
        free(real);
        return copy;
    }
    char folder[PATH_MAX];
    if (path[0] == '/' || getcwd(folder, sizeof folder) == NULL) {
        return arena_strdup(arena, path);
    }
    return arena_printf(arena, "%s/%s", folder, path);
}

static struct config *load(const struct config_options *options, const struct span *text, FILE *messages) {
    struct config *config = must_calloc(1, sizeof *config);
    atomic_init(&config->references, 1);
    arena_init(&config->arena, NULL, 0);
    config->path = absolute_path(&config->arena, options->path != NULL ? options->path : "proxy.conf");
    struct diagnostics *diagnostics = diagnostics_new(options->strict);
    struct parser *parser = parser_new(config, options, diagnostics);
    const char *slash = strrchr(config->path, '/');
    parser->folder = slash == NULL || slash == config->path
                         ? "/"
                         : arena_copy(&parser->scratch, (struct span){config->path, (size_t)(slash - config->path)});
    parser_apply_defaults(parser);
    if (text != NULL) {
        parser_read_given(parser, *text);
    } else {
        parser_read_main(parser);
    }
    if (parser->files_read > 0) { /* else nothing was read, and that was said */
        config_build(parser);
        config_check(parser);
    }
    diagnostics_print(diagnostics, messages);
    if (diagnostics->error_count > 0) {
        config_unref(&config);
    }
    parser_free(&parser);
    diagnostics_free(&diagnostics);
    return config;
}

struct config *config_load(const struct config_options *options, FILE *messages) {
    return load(options, NULL, messages);
}

struct config *config_load_text(const struct config_options *options, struct span text, FILE *messages) {
    return load(options, &text, messages);
}

struct config *config_ref(struct config *config) {
    atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
    return config;
}

void config_unref(struct config **config) {
    struct config *gone = *config;
    *config = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < gone->owned_pattern_count; i++) {
        pattern_free(gone->owned_patterns[i]);
    }
    free(gone->owned_patterns);
    arena_reset(&gone->arena);
    free(gone);
}

static bool has(const struct settings *settings, enum setting setting) {
    return (settings->said & (UINT64_C(1) << setting)) != 0;
}

void settings_merge(struct settings *into, const struct settings *later) {
#define TAKE(setting, field)                                                                                           \
    do {                                                                                                               \
        if (has(later, (setting))) {                                                                                   \
            into->field = later->field;                                                                                \
        }                                                                                                              \
    } while (0)
    TAKE(SETTING_TIMEOUT, timeout_ns);
    TAKE(SETTING_KEEPALIVE, keepalive);
    TAKE(SETTING_KEEPALIVE_TIMEOUT, keepalive_timeout_ns);
    TAKE(SETTING_MAX_KEEPALIVE_REQUESTS, max_keepalive_requests);
    TAKE(SETTING_READ_HEADER, read_header);
    TAKE(SETTING_READ_BODY, read_body);
    TAKE(SETTING_READ_HANDSHAKE, read_handshake);
    TAKE(SETTING_LIMIT_REQUEST_LINE, limit_request_line);
    TAKE(SETTING_LIMIT_REQUEST_FIELDS, limit_request_fields);
    TAKE(SETTING_LIMIT_REQUEST_FIELD_SIZE, limit_request_field_size);
    TAKE(SETTING_LIMIT_REQUEST_BODY, limit_request_body_bytes);
    TAKE(SETTING_RESPONSE_MIN_RATE, response_min_rate_per_s);
    TAKE(SETTING_UNSAFE_PROTOCOL, unsafe_protocol);
    TAKE(SETTING_TRACE_ENABLE, trace_enable);
    TAKE(SETTING_PRESERVE_HOST, preserve_host);
    TAKE(SETTING_PROXY_TIMEOUT, proxy_timeout_ns);
    TAKE(SETTING_ADD_HEADERS, add_headers);
    TAKE(SETTING_VIA, via);
    TAKE(SETTING_HANDLER, handler);
    TAKE(SETTING_ACCESS, access);
    TAKE(SETTING_PROXY_PASS, proxy_pass);
    TAKE(SETTING_REMOTE_IP_HEADER, remote_ip_header);
    TAKE(SETTING_REMOTE_IP_PROXIES, remote_ip_proxies);
    TAKE(SETTING_REMOTE_IP_PROXIES, remote_ip_proxy_count);
#undef TAKE
    into->said |= later->said;
}
