/* %{…}x: what weir decided about a request and, as mod_ssl has it, its TLS connection. Runs on workers. */
#include "proxy/access_log_steps.h"
#include "proxy/clock.h"

static void put_or_dash(struct log_line *line, const char *text) {
    if (text != NULL && text[0] != '\0') {
        line_put_escaped(line, span_of(text));
    } else {
        line_put_char(line, '-');
    }
}

static void write_decision(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    (void)step;
    put_or_dash(line, record->decision);
}

static void write_reason(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    (void)step;
    put_or_dash(line, record->reason);
}

static void write_delay(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    (void)step;
    line_put_number(line, record->delay_ns > 0 ? (uint64_t)(record->delay_ns / NS_PER_MS) : 0);
}

static void write_class(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    (void)step;
    put_or_dash(line, record->class_name);
}

static void write_user(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    (void)step;
    put_or_dash(line, record->host != NULL ? record->host->limits.user_name : NULL);
}

static void write_upstream(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    (void)step;
    put_or_dash(line, record->upstream);
}

static void write_request_time(const struct access_step *step, const struct access_record *record,
                               struct log_line *line) {
    (void)step;
    line_put_seconds(line, record->duration_ns);
}

static void write_origin_time(const struct access_step *step, const struct access_record *record,
                              struct log_line *line) {
    (void)step;
    if (record->origin_duration_ns < 0) {
        line_put_char(line, '-');
    } else {
        line_put_seconds(line, record->origin_duration_ns);
    }
}

static void write_tls_fact(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    put_or_dash(line, tls_fact(record->tls, step->argument));
}

static void write_https(const struct access_step *step, const struct access_record *record, struct log_line *line) {
    (void)step;
    line_put(line, record->https ? SPAN_LITERAL("on") : SPAN_LITERAL("off"));
}

void access_prepare_variable(struct access_step *step, struct arena *arena) {
    static const struct {
        const char *name;
        access_step_writer *write;
    } names[] = {
        {"weir-decision", write_decision},
        {"weir-reason", write_reason},
        {"weir-delay", write_delay},
        {"weir-class", write_class},
        {"weir-user", write_user},
        {"weir-upstream", write_upstream},
        {"weir-request-time", write_request_time},
        {"weir-origin-time", write_origin_time},
        {"HTTPS", write_https},
    };
    (void)arena;
    bool is_tls = span_starts_with(step->argument, SPAN_LITERAL("SSL_"));
    step->write = is_tls ? write_tls_fact : access_write_dash;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (span_equal(step->argument, span_of(names[i].name))) {
            step->write = names[i].write;
        }
    }
}
