/* The built-in "json" format: one object a line, always the same keys in the same order. Runs on workers. What is
 * absent is null; a line that does not fit is written again with shorter texts, so that what is written is always a
 * whole object. */
#include "proxy/access_log_steps.h"
#include "proxy/clock.h"

struct object {
    struct log_line line;
    size_t text_limit; /* bytes of one text */
};

/* `key` with its punctuation: ",\"client\":". */
static void put_text(struct object *object, struct span key, struct span value) {
    line_put(&object->line, key);
    if (value.ptr == NULL) {
        line_put(&object->line, SPAN_LITERAL("null"));
    } else {
        line_put_json_string(&object->line, value, object->text_limit);
    }
}

static void put_number(struct object *object, struct span key, uint64_t value) {
    line_put(&object->line, key);
    line_put_number(&object->line, value);
}

static uint64_t not_negative(int64_t value) {
    return value > 0 ? (uint64_t)value : 0;
}

/* The name of the virtual host; where that has none (the main server), what the client asked for. */
static struct span host_name(const struct access_record *record) {
    if (record->host != NULL && record->host->name != NULL && record->host->name[0] != '\0') {
        return span_of(record->host->name);
    }
    if (record->request != NULL && record->request->host.len > 0) {
        return record->request->host;
    }
    return SPAN_NONE;
}

static struct span present(struct span text) {
    return text.ptr == NULL || text.len == 0 ? SPAN_NONE : text;
}

static void put_request(struct object *object, const struct access_record *record) {
    const struct request_head *request = record->request;
    struct span protocol = request == NULL               ? SPAN_NONE
                           : request->minor_version == 0 ? SPAN_LITERAL("HTTP/1.0")
                                                         : SPAN_LITERAL("HTTP/1.1");
    put_text(object, SPAN_LITERAL(",\"host\":"), host_name(record));
    put_text(object, SPAN_LITERAL(",\"method\":"), request != NULL ? present(request->method) : SPAN_NONE);
    put_text(object, SPAN_LITERAL(",\"path\":"), request != NULL ? present(request->path) : SPAN_NONE);
    put_text(object, SPAN_LITERAL(",\"query\":"), request != NULL ? request->query : SPAN_NONE);
    put_text(object, SPAN_LITERAL(",\"protocol\":"), protocol);
}

static void put_answer(struct object *object, const struct access_record *record) {
    line_put(&object->line, SPAN_LITERAL(",\"status\":"));
    if (record->status > 0) {
        line_put_number(&object->line, (uint64_t)record->status);
    } else {
        line_put(&object->line, SPAN_LITERAL("null"));
    }
    put_number(object, SPAN_LITERAL(",\"bytes_out\":"), record->bytes_out);
    put_number(object, SPAN_LITERAL(",\"bytes_in\":"), record->bytes_in);
    put_number(object, SPAN_LITERAL(",\"duration_us\":"), not_negative(record->duration_ns / 1000));
    put_text(object, SPAN_LITERAL(",\"upstream\":"), span_of(record->upstream));
    put_text(object, SPAN_LITERAL(",\"decision\":"), span_of(record->decision));
    put_text(object, SPAN_LITERAL(",\"reason\":"), span_of(record->reason));
    put_number(object, SPAN_LITERAL(",\"delay_ms\":"), not_negative(record->delay_ns / NS_PER_MS));
}

static void put_who(struct object *object, const struct access_record *record) {
    const struct field_list *fields = record->request != NULL ? &record->request->fields : NULL;
    put_text(object, SPAN_LITERAL(",\"user\":"), span_of(record->host != NULL ? record->host->limits.user_name : NULL));
    put_text(object, SPAN_LITERAL(",\"class\":"), span_of(record->class_name));
    put_text(object, SPAN_LITERAL(",\"referer\":"), access_field_value(fields, FIELD_REFERER));
    put_text(object, SPAN_LITERAL(",\"user_agent\":"), access_field_value(fields, FIELD_USER_AGENT));
}

static void put_object(struct object *object, const struct access_record *record) {
    char time[CLOCK_RFC3339_MAX], client[IP_TEXT_MAX];
    clock_rfc3339(record->started_wall_us, time);
    size_t client_length = ip_address_print(&record->client, client);
    line_put(&object->line, SPAN_LITERAL("{\"time\":\""));
    line_put(&object->line, (struct span){time, sizeof time - 1});
    line_put_char(&object->line, '"');
    put_text(object, SPAN_LITERAL(",\"client\":"),
             record->client.family != IP_NONE ? (struct span){client, client_length} : SPAN_NONE);
    put_request(object, record);
    put_answer(object, record);
    put_who(object, record);
    line_put_char(&object->line, '}');
}

size_t access_log_json_line(const struct access_record *record, char *text, size_t size) {
    size_t limit = SIZE_MAX;
    for (;;) {
        struct object object = {.line = {.next = text, .end = text + size - 1}, .text_limit = limit};
        put_object(&object, record);
        if (object.line.cut && limit > 0) {
            limit = limit > size ? size / 2 : limit / 2;
            continue;
        }
        if (object.line.cut) { /* not even without texts: the memory is absurdly small */
            object.line = (struct log_line){.next = text, .end = text + size - 1};
            line_put(&object.line, size > 2 ? SPAN_LITERAL("{}") : SPAN_LITERAL(""));
        }
        *object.line.next++ = '\n';
        return (size_t)(object.line.next - text);
    }
}
