/* The codes of Apache's mod_log_config and mod_logio, one function each, and the table of them. Runs on workers. A code
 * that has no meaning in a proxy, or nothing to tell of this request, writes "-". */
#include <stdlib.h>
#include <unistd.h>

#include "proxy/access_log_steps.h"

#define CODE(function)                                                                                                 \
    static void function(const struct access_step *step, const struct access_record *record, struct log_line *line)

void access_write_constant(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    (void)record;
    line_put(line, step->argument);
}

void access_write_dash(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    (void)step;
    (void)record;
    line_put_char(line, '-');
}

static void put_or_dash(struct log_line *line, struct span text) {
    if (text.len == 0) {
        line_put_char(line, '-');
    } else {
        line_put_escaped(line, text);
    }
}

static void put_address(struct log_line *line, const struct ip_address *address) {
    char text[IP_TEXT_MAX];
    size_t length = ip_address_print(address, text);
    line_put(line, (struct span){text, length});
}

static uint64_t positive(int64_t value) {
    return value > 0 ? (uint64_t)value : 0;
}

/* ---- addresses and ports ---- */

CODE(write_client) {
    (void)step;
    put_address(line, &record->client);
}

CODE(write_peer) {
    (void)step;
    put_address(line, &record->peer);
}

CODE(write_local) {
    (void)step;
    put_address(line, &record->local);
}

static bool prepare_address(struct access_step *step, struct arena *arena) {
    (void)arena;
    step->write = write_peer;
    return span_equal(step->argument, SPAN_LITERAL("c"));
}

/* The port of the Host field, of ServerName, or the scheme's: UseCanonicalName Off. */
static uint64_t canonical_port(const struct access_record *record) {
    struct span host = record->request != NULL ? record->request->host : SPAN_NONE;
    uint64_t port = 0, scale = 1;
    size_t digits = 0;
    while (digits < host.len && digits < 5 && host.ptr[host.len - 1 - digits] >= '0' &&
           host.ptr[host.len - 1 - digits] <= '9') {
        port += (uint64_t)(host.ptr[host.len - 1 - digits] - '0') * scale;
        scale *= 10;
        digits++;
    }
    if (digits > 0 && digits < host.len && host.ptr[host.len - 1 - digits] == ':' && port > 0) {
        return port;
    }
    if (record->host != NULL && record->host->port != 0) {
        return record->host->port;
    }
    return record->https ? 443 : 80;
}

CODE(write_canonical_port) {
    (void)step;
    line_put_number(line, canonical_port(record));
}

CODE(write_local_port) {
    (void)step;
    line_put_number(line, record->local_port);
}

CODE(write_remote_port) {
    (void)step;
    line_put_number(line, record->client_port);
}

static bool prepare_port(struct access_step *step, struct arena *arena) {
    (void)arena;
    if (span_equal_nocase(step->argument, SPAN_LITERAL("local"))) {
        step->write = write_local_port;
    } else if (span_equal_nocase(step->argument, SPAN_LITERAL("remote"))) {
        step->write = write_remote_port;
    } else {
        return span_equal_nocase(step->argument, SPAN_LITERAL("canonical"));
    }
    return true;
}

/* ---- the request ---- */

CODE(write_request_line) {
    (void)step;
    put_or_dash(line, record->request_line);
}

CODE(write_method) {
    (void)step;
    put_or_dash(line, record->request != NULL ? record->request->method : SPAN_NONE);
}

CODE(write_protocol) {
    (void)step;
    line_put(line, record->request == NULL               ? SPAN_LITERAL("-")
                   : record->request->minor_version == 0 ? SPAN_LITERAL("HTTP/1.0")
                                                         : SPAN_LITERAL("HTTP/1.1"));
}

CODE(write_query) {
    (void)step;
    if (record->request != NULL && record->request->query.ptr != NULL) {
        line_put_char(line, '?');
        line_put_escaped(line, record->request->query);
    }
}

static int hex_value(char digit) {
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

/* The path with its percent-encoding undone, as Apache's is. */
CODE(write_path) {
    (void)step;
    struct span path = record->request != NULL ? record->request->path : SPAN_NONE;
    if (path.len == 0) {
        line_put_char(line, '-');
        return;
    }
    while (path.len > 0) {
        const char *percent = memchr(path.ptr, '%', path.len);
        size_t plain = percent != NULL ? (size_t)(percent - path.ptr) : path.len;
        line_put_escaped(line, (struct span){path.ptr, plain});
        path = span_skip(path, plain);
        int high = path.len >= 3 ? hex_value(path.ptr[1]) : -1;
        int low = high >= 0 ? hex_value(path.ptr[2]) : -1;
        if (low >= 0) {
            char byte = (char)(high * 16 + low);
            line_put_escaped(line, (struct span){&byte, 1});
            path = span_skip(path, 3);
        } else if (path.len > 0) {
            line_put_char(line, '%');
            path = span_skip(path, 1);
        }
    }
}

/* ServerName of the host that served the request. */
CODE(write_server_name) {
    (void)step;
    put_or_dash(line, span_of(record->host != NULL ? record->host->name : NULL));
}

/* What the client asked for, as with UseCanonicalName Off, without port. */
CODE(write_requested_name) {
    struct span host = record->request != NULL ? record->request->host : SPAN_NONE;
    if (host.len == 0) {
        write_server_name(step, record, line);
        return;
    }
    const char *bracket = host.ptr[0] == '[' ? memchr(host.ptr, ']', host.len) : NULL;
    const char *name_end = bracket != NULL ? bracket + 1 : memchr(host.ptr, ':', host.len);
    size_t length = name_end != NULL ? (size_t)(name_end - host.ptr) : host.len;
    put_or_dash(line, (struct span){host.ptr, length});
}

/* ---- the answer ---- */

CODE(write_status) {
    (void)step;
    if (record->status > 0) {
        line_put_number(line, (uint64_t)record->status);
    } else {
        line_put_char(line, '-');
    }
}

CODE(write_body_bytes) {
    (void)step;
    line_put_number(line, record->body_bytes_out);
}

CODE(write_body_bytes_or_dash) {
    if (record->body_bytes_out == 0) {
        line_put_char(line, '-');
    } else {
        write_body_bytes(step, record, line);
    }
}

CODE(write_bytes_in) {
    (void)step;
    line_put_number(line, record->bytes_in);
}

CODE(write_bytes_out) {
    (void)step;
    line_put_number(line, record->bytes_out);
}

CODE(write_bytes_both) {
    (void)step;
    line_put_number(line, record->bytes_in + record->bytes_out);
}

CODE(write_handler) {
    (void)step;
    line_put(line, record->upstream != NULL ? SPAN_LITERAL("proxy-server") : SPAN_LITERAL("-"));
}

CODE(write_keepalive_number) {
    (void)step;
    line_put_number(line, record->keepalive_number);
}

CODE(write_connection_state) {
    (void)step;
    line_put_char(line, record->aborted ? 'X' : record->keep_alive ? '+' : '-');
}

/* ---- how long ---- */

CODE(write_duration_us) {
    (void)step;
    line_put_number(line, positive(record->duration_ns / 1000));
}

CODE(write_duration_ms) {
    (void)step;
    line_put_number(line, positive(record->duration_ns / 1000000));
}

CODE(write_duration_s) {
    (void)step;
    line_put_number(line, positive(record->duration_ns / 1000000000));
}

static bool prepare_duration(struct access_step *step, struct arena *arena) {
    (void)arena;
    if (span_equal(step->argument, SPAN_LITERAL("us"))) {
        step->write = write_duration_us;
    } else if (span_equal(step->argument, SPAN_LITERAL("ms"))) {
        step->write = write_duration_ms;
    } else {
        return span_equal(step->argument, SPAN_LITERAL("s"));
    }
    return true;
}

/* ---- the process ---- */

CODE(write_process) {
    (void)step;
    (void)record;
    line_put_number(line, (uint64_t)getpid());
}

CODE(write_thread) {
    (void)step;
    (void)record;
    line_put_number(line, (uint64_t)gettid());
}

CODE(write_thread_hex) {
    (void)step;
    (void)record;
    char digits[16];
    size_t first = sizeof digits;
    uint64_t thread = (uint64_t)gettid();
    do {
        digits[--first] = "0123456789abcdef"[thread % 16];
        thread /= 16;
    } while (thread > 0);
    line_put(line, (struct span){digits + first, sizeof digits - first});
}

static bool prepare_process(struct access_step *step, struct arena *arena) {
    (void)arena;
    if (span_equal(step->argument, SPAN_LITERAL("tid"))) {
        step->write = write_thread;
    } else if (span_equal(step->argument, SPAN_LITERAL("hextid"))) {
        step->write = write_thread_hex;
    } else {
        return span_equal(step->argument, SPAN_LITERAL("pid"));
    }
    return true;
}

/* The process's environment when the configuration was loaded; no request changes it. */
static bool prepare_environment(struct access_step *step, struct arena *arena) {
    const char *value = getenv(step->argument.ptr);
    step->argument = value != NULL ? arena_copy_span(arena, span_of(value)) : SPAN_NONE;
    return true;
}

CODE(write_environment) {
    (void)record;
    put_or_dash(line, step->argument);
}

CODE(write_percent) {
    (void)step;
    (void)record;
    line_put_char(line, '%');
}

const struct access_code access_codes[] = {
    {"%", ARGUMENT_IGNORED, write_percent, NULL, NULL},
    {"a", ARGUMENT_OPTIONAL, write_client, prepare_address, "c: the address of the connection"},
    {"A", ARGUMENT_IGNORED, write_local, NULL, NULL},
    {"b", ARGUMENT_IGNORED, write_body_bytes_or_dash, NULL, NULL},
    {"B", ARGUMENT_IGNORED, write_body_bytes, NULL, NULL},
    {"C", ARGUMENT_REQUIRED, access_write_cookie, NULL, "cookie-name"},
    {"D", ARGUMENT_IGNORED, write_duration_us, NULL, NULL},
    {"e", ARGUMENT_REQUIRED, write_environment, prepare_environment, "VARIABLE"},
    {"f", ARGUMENT_IGNORED, access_write_dash, NULL, NULL},
    {"h", ARGUMENT_OPTIONAL, write_client, prepare_address, "c: the address of the connection"},
    {"H", ARGUMENT_IGNORED, write_protocol, NULL, NULL},
    {"i", ARGUMENT_REQUIRED, access_write_request_field, access_prepare_field, "Field-Name"},
    {"I", ARGUMENT_IGNORED, write_bytes_in, NULL, NULL},
    {"k", ARGUMENT_IGNORED, write_keepalive_number, NULL, NULL},
    {"l", ARGUMENT_IGNORED, access_write_dash, NULL, NULL},
    {"L", ARGUMENT_IGNORED, access_write_dash, NULL, NULL},
    {"m", ARGUMENT_IGNORED, write_method, NULL, NULL},
    {"n", ARGUMENT_REQUIRED, access_write_dash, NULL, "note"},
    {"o", ARGUMENT_REQUIRED, access_write_response_field, access_prepare_field, "Field-Name"},
    {"O", ARGUMENT_IGNORED, write_bytes_out, NULL, NULL},
    {"p", ARGUMENT_OPTIONAL, write_canonical_port, prepare_port, "canonical, local or remote"},
    {"P", ARGUMENT_OPTIONAL, write_process, prepare_process, "pid, tid or hextid"},
    {"q", ARGUMENT_IGNORED, write_query, NULL, NULL},
    {"r", ARGUMENT_IGNORED, write_request_line, NULL, NULL},
    {"R", ARGUMENT_IGNORED, write_handler, NULL, NULL},
    {"s", ARGUMENT_IGNORED, write_status, NULL, NULL},
    {"S", ARGUMENT_IGNORED, write_bytes_both, NULL, NULL},
    {"t", ARGUMENT_IGNORED, access_write_time, access_prepare_time, NULL},
    {"T", ARGUMENT_OPTIONAL, write_duration_s, prepare_duration, "s, ms or us"},
    {"u", ARGUMENT_IGNORED, access_write_dash, NULL, NULL},
    {"U", ARGUMENT_IGNORED, write_path, NULL, NULL},
    {"v", ARGUMENT_IGNORED, write_server_name, NULL, NULL},
    {"V", ARGUMENT_IGNORED, write_requested_name, NULL, NULL},
    {"x", ARGUMENT_REQUIRED, access_write_decision, access_prepare_x, access_x_names},
    {"X", ARGUMENT_IGNORED, write_connection_state, NULL, NULL},
    {"^FB", ARGUMENT_IGNORED, access_write_dash, NULL, NULL},
    {"^ti", ARGUMENT_REQUIRED, access_write_dash, NULL, "Field-Name"},
    {"^to", ARGUMENT_REQUIRED, access_write_dash, NULL, "Field-Name"},
};
const size_t access_code_count = sizeof access_codes / sizeof access_codes[0];
