/* The codes of Apache's mod_log_config and mod_logio, one function each, and the table of them by the
 * constants of config/log_codes.def. Runs on workers. A code
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

static void prepare_address(struct access_step *step, struct arena *arena) {
    (void)arena;
    if (step->argument.len > 0) { /* "c" */
        step->write = write_peer;
    }
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

static void prepare_port(struct access_step *step, struct arena *arena) {
    (void)arena;
    if (span_equal(step->argument, SPAN_LITERAL("local"))) {
        step->write = write_local_port;
    } else if (span_equal(step->argument, SPAN_LITERAL("remote"))) {
        step->write = write_remote_port;
    }
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

static void prepare_duration(struct access_step *step, struct arena *arena) {
    (void)arena;
    if (span_equal(step->argument, SPAN_LITERAL("us"))) {
        step->write = write_duration_us;
    } else if (span_equal(step->argument, SPAN_LITERAL("ms"))) {
        step->write = write_duration_ms;
    }
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

static void prepare_process(struct access_step *step, struct arena *arena) {
    (void)arena;
    if (span_equal(step->argument, SPAN_LITERAL("tid"))) {
        step->write = write_thread;
    } else if (span_equal(step->argument, SPAN_LITERAL("hextid"))) {
        step->write = write_thread_hex;
    }
}

/* The process's environment when the configuration was loaded; no request changes it. */
static void prepare_environment(struct access_step *step, struct arena *arena) {
    const char *value = getenv(step->argument.ptr);
    step->argument = value != NULL ? arena_copy_span(arena, span_of(value)) : SPAN_NONE;
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

const struct access_code access_codes[LOG_CODE_COUNT] = {
    [LOG_CODE_PERCENT] = {write_percent, NULL},
    [LOG_CODE_CLIENT] = {write_client, prepare_address},
    [LOG_CODE_LOCAL_ADDRESS] = {write_local, NULL},
    [LOG_CODE_BODY_BYTES_OR_DASH] = {write_body_bytes_or_dash, NULL},
    [LOG_CODE_BODY_BYTES] = {write_body_bytes, NULL},
    [LOG_CODE_COOKIE] = {access_write_cookie, NULL},
    [LOG_CODE_DURATION_US] = {write_duration_us, NULL},
    [LOG_CODE_ENVIRONMENT] = {write_environment, prepare_environment},
    [LOG_CODE_FILE_NAME] = {access_write_dash, NULL},
    [LOG_CODE_CLIENT_NAME] = {write_client, prepare_address},
    [LOG_CODE_PROTOCOL] = {write_protocol, NULL},
    [LOG_CODE_REQUEST_FIELD] = {access_write_request_field, access_prepare_field},
    [LOG_CODE_BYTES_IN] = {write_bytes_in, NULL},
    [LOG_CODE_KEEPALIVE_NUMBER] = {write_keepalive_number, NULL},
    [LOG_CODE_IDENT] = {access_write_dash, NULL},
    [LOG_CODE_LOG_ID] = {access_write_dash, NULL},
    [LOG_CODE_METHOD] = {write_method, NULL},
    [LOG_CODE_NOTE] = {access_write_dash, NULL},
    [LOG_CODE_RESPONSE_FIELD] = {access_write_response_field, access_prepare_field},
    [LOG_CODE_BYTES_OUT] = {write_bytes_out, NULL},
    [LOG_CODE_PORT] = {write_canonical_port, prepare_port},
    [LOG_CODE_PROCESS] = {write_process, prepare_process},
    [LOG_CODE_QUERY] = {write_query, NULL},
    [LOG_CODE_REQUEST_LINE] = {write_request_line, NULL},
    [LOG_CODE_HANDLER] = {write_handler, NULL},
    [LOG_CODE_STATUS] = {write_status, NULL},
    [LOG_CODE_BYTES_BOTH] = {write_bytes_both, NULL},
    [LOG_CODE_TIME] = {access_write_time, access_prepare_time},
    [LOG_CODE_DURATION] = {write_duration_s, prepare_duration},
    [LOG_CODE_REMOTE_USER] = {access_write_dash, NULL},
    [LOG_CODE_PATH] = {write_path, NULL},
    [LOG_CODE_SERVER_NAME] = {write_server_name, NULL},
    [LOG_CODE_REQUESTED_NAME] = {write_requested_name, NULL},
    [LOG_CODE_VARIABLE] = {access_write_dash, access_prepare_variable},
    [LOG_CODE_CONNECTION_STATE] = {write_connection_state, NULL},
    [LOG_CODE_FIRST_BYTE_TIME] = {access_write_dash, NULL},
    [LOG_CODE_REQUEST_TRAILER] = {access_write_dash, NULL},
    [LOG_CODE_RESPONSE_TRAILER] = {access_write_dash, NULL},
};
