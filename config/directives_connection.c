/* Directives about connections and the bounds of requests: time-outs, keep-alive, limits of sizes, who the client is
 * behind another proxy. Read by directive.c; applied by parser.c on the thread that loads. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/directive.h"
#include "config/parser.h"
#include "config/simple_value.h"

enum { SERVER_AND_HOST = CONTEXT_SERVER | CONTEXT_HOST, SECOND_NS = 1000000000, DAY_S = 86400 };

/* ---- RequestReadTimeout --------------------------------------------------------------------------------------- */

static const char read_timeout_hint[] =
    "write phases as header=20-40,MinRate=500 body=20,MinRate=500 handshake=0 (seconds, bytes per second; 0 is off)";

static bool read_seconds(struct span text, int64_t *nanoseconds) {
    uint64_t seconds = 0;
    if (!simple_unsigned(text, 0, 7 * DAY_S, &seconds)) {
        return false;
    }
    *nanoseconds = (int64_t)seconds * SECOND_NS;
    return true;
}

/* "20", "20-40", "20,MinRate=500", "20-40,MinRate=500". False when it is none of these. */
static bool read_phase(struct span text, struct read_timeout *phase) {
    static const char rate_name[] = "MinRate=";
    *phase = (struct read_timeout){0};
    const char *comma = memchr(text.ptr, ',', text.len);
    if (comma != NULL) {
        struct span rate = span_skip(text, (size_t)(comma - text.ptr) + 1);
        uint64_t number = 0;
        if (rate.len <= strlen(rate_name) || strncasecmp(rate.ptr, rate_name, strlen(rate_name)) != 0 ||
            !simple_unsigned(span_skip(rate, strlen(rate_name)), 1, UINT32_MAX, &number)) {
            return false;
        }
        phase->min_rate_per_s = (unsigned)number;
        text.len = (size_t)(comma - text.ptr);
    }
    const char *dash = memchr(text.ptr, '-', text.len);
    if (dash == NULL) {
        return read_seconds(text, &phase->initial_ns);
    }
    size_t length = (size_t)(dash - text.ptr);
    return phase->min_rate_per_s > 0 && read_seconds((struct span){text.ptr, length}, &phase->initial_ns) &&
           read_seconds(span_skip(text, length + 1), &phase->maximum_ns) && phase->maximum_ns > phase->initial_ns;
}

static struct read_timeout *phase_of(struct settings *settings, struct span name, enum setting *bit) {
    if (span_equal_nocase(name, SPAN_LITERAL("header"))) {
        *bit = SETTING_READ_HEADER;
        return &settings->read_header;
    }
    if (span_equal_nocase(name, SPAN_LITERAL("body"))) {
        *bit = SETTING_READ_BODY;
        return &settings->read_body;
    }
    if (span_equal_nocase(name, SPAN_LITERAL("handshake"))) {
        *bit = SETTING_READ_HANDSHAKE;
        return &settings->read_handshake;
    }
    return NULL;
}

static void apply_request_read_timeout(struct parser *parser, const struct directive_use *use) {
    struct settings *settings = parser_scope(parser)->settings;
    for (size_t i = 0; i < use->argument_count; i++) {
        const struct word *word = &use->arguments[i];
        const char *equals = strchr(word->text, '=');
        size_t name_length = equals != NULL ? (size_t)(equals - word->text) : word->length;
        enum setting bit = SETTING_READ_HEADER;
        struct read_timeout *phase = phase_of(settings, (struct span){word->text, name_length}, &bit);
        struct read_timeout value;
        if (equals == NULL || phase == NULL) {
            parser_error_at(parser, word, read_timeout_hint,
                            "\"%s\" is none of header=, body=, handshake=", word->text);
        } else if (!read_phase(span_skip((struct span){word->text, word->length}, name_length + 1), &value)) {
            parser_error_at(parser, word, read_timeout_hint, "\"%s\" is not a time-out with an optional rate",
                            word->text);
        } else {
            *phase = value;
            settings->said |= UINT64_C(1) << bit;
        }
    }
}

/* ---- HttpProtocolOptions -------------------------------------------------------------------------------------- */

static void apply_protocol_options(struct parser *parser, const struct directive_use *use) {
    static const char *const words[] = {"Strict",     "Unsafe", "RegisteredMethods", "LenientMethods", "Allow0.9",
                                        "Require1.0", NULL};
    struct settings *settings = parser_scope(parser)->settings;
    for (size_t i = 0; i < use->argument_count; i++) {
        const struct word *word = &use->arguments[i];
        if (strcasecmp(word->text, "Strict") == 0 || strcasecmp(word->text, "Unsafe") == 0) {
            settings->unsafe_protocol = strcasecmp(word->text, "Unsafe") == 0;
            settings->said |= UINT64_C(1) << SETTING_UNSAFE_PROTOCOL;
        } else if (strcasecmp(word->text, "RegisteredMethods") == 0) {
            parser_warn_at(parser, word, NULL, "has no effect: methods that no RFC names are passed to the origin");
        } else if (strcasecmp(word->text, "Allow0.9") == 0) {
            parser_warn_at(parser, word, NULL, "has no effect: HTTP/0.9 is not spoken");
        } else if (strcasecmp(word->text, "LenientMethods") != 0 && strcasecmp(word->text, "Require1.0") != 0) {
            const char *nearest = nearest_word((struct span){word->text, word->length}, words);
            parser_error_at(parser, word,
                            nearest != NULL ? arena_printf(&parser->scratch, "did you mean \"%s\"?", nearest)
                                            : "write Strict or Unsafe",
                            "\"%s\" is not known here", word->text);
        }
    }
}

static void apply_trace_enable(struct parser *parser, const struct directive_use *use) {
    const struct word *word = &use->arguments[0];
    struct settings *settings = parser_scope(parser)->settings;
    bool extended = strcasecmp(word->text, "extended") == 0;
    if (extended) {
        parser_warn_at(parser, word, "write On", "taken as On: TRACE is passed to the origin");
    } else if (strcasecmp(word->text, "on") != 0 && strcasecmp(word->text, "off") != 0) {
        parser_error_at(parser, word, "write On or Off", "\"%s\" is neither On nor Off", word->text);
        return;
    }
    settings->trace_enable = strcasecmp(word->text, "off") != 0;
}

/* ---- RemoteIP* ------------------------------------------------------------------------------------------------ */

static void apply_remote_ip_header(struct parser *parser, const struct directive_use *use) {
    const struct word *word = &use->arguments[0];
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (word->length == 0 || strspn(word->text, allowed) != word->length) {
        parser_error_at(parser, word, "write a header's name, e.g. X-Forwarded-For", "\"%s\" is no name of a header",
                        word->text);
        return;
    }
    struct settings *settings = parser_scope(parser)->settings;
    settings->remote_ip_header = word->text;
    settings->said |= UINT64_C(1) << SETTING_REMOTE_IP_HEADER;
}

static void add_remote_ip_proxies(struct parser *parser, const struct directive_use *use, bool internal) {
    struct settings *settings = parser_scope(parser)->settings;
    for (size_t i = 0; i < use->argument_count; i++) {
        const struct word *word = &use->arguments[i];
        struct ip_prefix prefix;
        if (!ip_prefix_parse_partial((struct span){word->text, word->length}, &prefix)) {
            parser_error_at(parser, word, "write addresses or prefixes, e.g. 10.0.0.0/8 or 2001:db8::/32",
                            "\"%s\" is no address", word->text);
            continue;
        }
        struct remote_ip_proxy *proxies = list_grow(parser_arena(parser), settings->remote_ip_proxies,
                                                    settings->remote_ip_proxy_count, sizeof *proxies);
        proxies[settings->remote_ip_proxy_count++] = (struct remote_ip_proxy){.prefix = prefix, .internal = internal};
        settings->remote_ip_proxies = proxies;
    }
    settings->said |= UINT64_C(1) << SETTING_REMOTE_IP_PROXIES;
}

static void apply_trusted_proxy(struct parser *parser, const struct directive_use *use) {
    add_remote_ip_proxies(parser, use, false);
}

static void apply_internal_proxy(struct parser *parser, const struct directive_use *use) {
    add_remote_ip_proxies(parser, use, true);
}

/* ---- rows ----------------------------------------------------------------------------------------------------- */

#define SETTING_ROW(name_, contexts_, kind_, field_, bit_, syntax_, default_, help_)                                   \
    .name = (name_), .contexts = (contexts_), .minimum_arguments = 1, .maximum_arguments = 1, .kind = (kind_),         \
    IN_SETTINGS(field_, bit_), .syntax = (syntax_), .default_text = (default_), .help = (help_)

const struct directive directives_connection[] = {
    {SETTING_ROW("TimeOut", SERVER_AND_HOST, VALUE_DURATION, timeout_ns, SETTING_TIMEOUT, "seconds", "60",
                 "How long weir waits for either side to go on, where nothing closer is said"),
     .minimum = 1, .maximum = 7 * DAY_S},
    {SETTING_ROW("KeepAlive", SERVER_AND_HOST, VALUE_ON_OFF, keepalive, SETTING_KEEPALIVE, "On|Off", "On",
                 "Keeps a client's connection open for its next request")},
    {SETTING_ROW("KeepAliveTimeout", SERVER_AND_HOST, VALUE_DURATION, keepalive_timeout_ns, SETTING_KEEPALIVE_TIMEOUT,
                 "seconds", "5", "How long an idle connection is kept"),
     .minimum = 1, .maximum = 7 * DAY_S},
    {SETTING_ROW("MaxKeepAliveRequests", SERVER_AND_HOST, VALUE_UNSIGNED, max_keepalive_requests,
                 SETTING_MAX_KEEPALIVE_REQUESTS, "n", "100", "Requests of one connection; 0 is unlimited")},
    {.name = "RequestReadTimeout",
     .contexts = SERVER_AND_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = 3,
     .repeated = true,
     IN_SETTINGS(read_header, SETTING_REQUEST_READ_TIMEOUT),
     .apply = apply_request_read_timeout,
     .syntax = "[header=s[-s],MinRate=n] [body=s[-s],MinRate=n] [handshake=s[-s],MinRate=n]",
     .default_text = "handshake=0 header=20-40,MinRate=500 body=20,MinRate=500",
     .help = "How long a request's parts may take; each MinRate bytes give one more second"},
    {SETTING_ROW("ResponseMinRate", SERVER_AND_HOST, VALUE_UNSIGNED, response_min_rate_per_s, SETTING_RESPONSE_MIN_RATE,
                 "bytes-per-second", "0",
                 "A client that takes less over 20 s for reasons of its own is dropped; 0 is off")},
    {SETTING_ROW("LimitRequestLine", SERVER_AND_HOST, VALUE_UNSIGNED, limit_request_line, SETTING_LIMIT_REQUEST_LINE,
                 "bytes", "8190", "Length of a request line; longer ones get 414; 0 is the bound of a head, 64 KiB"),
     .maximum = 65536},
    {SETTING_ROW("LimitRequestFields", SERVER_AND_HOST, VALUE_UNSIGNED, limit_request_fields,
                 SETTING_LIMIT_REQUEST_FIELDS, "n", "100", "Header fields of a request; 0 is unlimited"),
     .maximum = 32767},
    {SETTING_ROW("LimitRequestFieldSize", SERVER_AND_HOST, VALUE_UNSIGNED, limit_request_field_size,
                 SETTING_LIMIT_REQUEST_FIELD_SIZE, "bytes", "8190", "Length of one header field; longer ones get 431"),
     .maximum = 65536},
    {SETTING_ROW("LimitRequestBody", SERVER_AND_HOST | CONTEXT_LOCATION, VALUE_SIZE, limit_request_body_bytes,
                 SETTING_LIMIT_REQUEST_BODY, "bytes", "1073741824", "Length of a request's body; 0 is unlimited")},
    {.name = "HttpProtocolOptions",
     .contexts = SERVER_AND_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = 3,
     .base = BASE_SETTINGS,
     .apply = apply_protocol_options,
     .syntax = "Strict|Unsafe",
     .default_text = "Strict",
     .help = "Unsafe takes a bare LF as the end of a line in a request's head, for old clients"},
    {.name = "TraceEnable",
     .contexts = SERVER_AND_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     IN_SETTINGS(trace_enable, SETTING_TRACE_ENABLE),
     .apply = apply_trace_enable,
     .syntax = "On|Off",
     .default_text = "Off",
     .help = "Passes TRACE requests to the origin; Off refuses them with 405"},
    {.name = "RemoteIPHeader",
     .contexts = SERVER_AND_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = 1,
     .apply = apply_remote_ip_header,
     .syntax = "name",
     .default_text = "(off)",
     .help = "The header in which a trusted proxy in front of weir names the client"},
    {.name = "RemoteIPTrustedProxy",
     .contexts = SERVER_AND_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = MANY_ARGUMENTS,
     .repeated = true,
     .apply = apply_trusted_proxy,
     .syntax = "address[/bits] ...",
     .help = "Proxies whose RemoteIPHeader is believed"},
    {.name = "RemoteIPInternalProxy",
     .contexts = SERVER_AND_HOST,
     .minimum_arguments = 1,
     .maximum_arguments = MANY_ARGUMENTS,
     .repeated = true,
     .apply = apply_internal_proxy,
     .syntax = "address[/bits] ...",
     .help = "Proxies of one's own, which are believed about private addresses too"},
};
const size_t directives_connection_count = sizeof directives_connection / sizeof directives_connection[0];
