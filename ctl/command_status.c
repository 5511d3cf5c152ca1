/* weirctl status: a summary for people, or the document as it is. */
#include "ctl/commands.h"
#include "ctl/units.h"
#include "ctl/view.h"

#include <string.h>

static const char *text_at(const json_t *document, const char *path, const char *otherwise) {
    const char *text = json_string_value(view_value(document, path));
    return text != NULL && text[0] != '\0' ? text : otherwise;
}

static void print_text(FILE *out, const char *label, const char *text) {
    char printable[1024];
    unit_printable(text, printable, sizeof printable);
    fprintf(out, "%-12s %s\n", label, printable);
}

/* Of several lines the first: status --json has the rest. */
static void print_reload(FILE *out, const json_t *document) {
    const json_t *reload = view_value(document, "server.last_reload");
    if (!json_is_object(reload)) {
        print_text(out, "last reload", "none yet");
        return;
    }
    char ago[UNIT_TEXT_MAX], text[512], *line_end;
    unit_duration((int64_t)(view_number(document, "server.now") - view_number(reload, "at")), ago);
    bool is_good = json_is_true(json_object_get(reload, "ok"));
    snprintf(text, sizeof text, "%s, %s ago%s%s", is_good ? "good" : "FAILED", ago, is_good ? "" : ": ",
             is_good ? "" : text_at(reload, "text", "see the error log"));
    if ((line_end = strchr(text, '\n')) != NULL) {
        *line_end = '\0';
    }
    print_text(out, "last reload", text);
}

static void print_traffic(FILE *out, const json_t *document) {
    char speed[UNIT_TEXT_MAX], requests[UNIT_TEXT_MAX], sent[UNIT_TEXT_MAX], received[UNIT_TEXT_MAX],
        memory[UNIT_TEXT_MAX];
    unit_bits_per_s(view_number(document, "server.traffic.rates.bytes_per_second_10"), speed);
    unit_per_s(view_number(document, "server.traffic.rates.requests_per_second_10"), requests);
    unit_bytes(view_number(document, "server.traffic.bytes_out"), sent);
    unit_bytes(view_number(document, "server.traffic.bytes_in"), received);
    unit_bytes(view_number(document, "server.counters.resident_memory_bytes"), memory);
    fprintf(out, "%-12s %.0f open, %.0f since the start\n", "connections",
            view_number(document, "server.counters.client_connections"),
            view_number(document, "server.counters.client_connections_total"));
    fprintf(out, "%-12s %s/s, %.0f since the start, %.0f refused, %.0f delayed\n", "requests", requests,
            view_number(document, "server.traffic.requests"), view_number(document, "server.traffic.refused.total"),
            view_number(document, "server.traffic.delayed.total"));
    fprintf(out, "%-12s %s, %s sent and %s received since the start\n", "traffic", speed, sent, received);
    fprintf(out, "%-12s %s\n", "memory", memory);
}

static void print_summary(FILE *out, const json_t *document) {
    char line[1024], uptime[UNIT_TEXT_MAX];
    unit_duration((int64_t)view_number(document, "server.uptime"), uptime);
    snprintf(line, sizeof line, "%s (%s)", text_at(document, "server.version", "?"),
             text_at(document, "server.libraries", "?"));
    print_text(out, "weir", line);
    fprintf(out, "%-12s up %s, pid %.0f, %.0f workers, configuration %.0f\n", "process", uptime,
            view_number(document, "server.pid"), view_number(document, "server.workers"),
            view_number(document, "server.generation"));
    print_reload(out, document);
    print_text(out, "state file", text_at(document, "server.state_file", "none"));
    print_traffic(out, document);
    fprintf(out, "%-12s %zu hosts, %zu users, %zu classes, %zu origins\n", "configured",
            json_array_size(json_object_get(document, "hosts")), json_array_size(json_object_get(document, "users")),
            json_array_size(json_object_get(document, "classes")),
            json_array_size(json_object_get(document, "upstreams")));
    fprintf(out, "%-12s %.0f known, %zu blocked\n", "clients", view_number(document, "server.clients_known"),
            json_array_size(json_object_get(document, "blocks")));
}

enum exit_code command_status(const struct invocation *invocation) {
    enum option_format format = invocation->options->format;
    struct client_answer answer;
    if (!client_get(invocation->client, format == FORMAT_XML ? "/xml" : "/json", &answer) || answer.status != 200) {
        enum exit_code code = command_failed(invocation, &answer);
        client_answer_clear(&answer);
        return code;
    }
    enum exit_code code = EXIT_DONE;
    if (format != FORMAT_FOR_PEOPLE) {
        fwrite(answer.body, 1, answer.bytes, invocation->out);
    } else {
        json_error_t error;
        json_t *document = json_loadb(answer.body, answer.bytes, 0, &error);
        if (document != NULL) {
            print_summary(invocation->out, document);
        } else {
            fprintf(invocation->messages, "weirctl: weir's answer is not understood: %s\n", error.text);
            code = EXIT_REFUSED;
        }
        json_decref(document);
    }
    client_answer_clear(&answer);
    return code;
}
