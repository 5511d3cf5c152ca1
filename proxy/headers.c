/* What weir changes in the fields that pass through it. Called by the exchange on its worker, once for the request and
 * once for each response; pure.
 *
 * Invariant: an origin never sees a forwarded field that an untrusted peer wrote. */
#include "proxy/headers.h"

#include "config/version.h"
#include "proxy/headers_change.h"

/* One pass; the bits in `present` may stay set, which only costs a search. */
static void remove_forwarded(struct field_list *fields) {
    if ((fields->present & (FIELDS_FORWARDED | UINT64_C(1) << FIELD_OTHER)) == 0) {
        return;
    }
    size_t kept = 0;
    while (kept < fields->count && !fields_is_forwarded(&fields->fields[kept])) {
        kept++; /* most often that is all */
    }
    for (size_t i = kept; i < fields->count; i++) {
        if (!fields_is_forwarded(&fields->fields[i])) {
            fields->fields[kept++] = fields->fields[i];
        }
    }
    fields->count = kept;
}

/* Puts the value where the field stands already, and makes it the only one of its name. */
static void set_host(struct field_list *fields, struct arena *arena, struct span value) {
    if (fields_count_id(fields, FIELD_HOST) == 1) {
        fields_find_id(fields, FIELD_HOST)->value = value;
    } else {
        fields_set(fields, arena, SPAN_LITERAL("Host"), value);
    }
}

/* All values of a field as one list. */
static struct span joined_values(const struct field_list *fields, struct arena *arena, enum field_id id) {
    const struct field *first = fields_find_id(fields, id);
    if (first == NULL || fields_count_id(fields, id) == 1) {
        return first != NULL ? first->value : SPAN_NONE;
    }
    size_t length = 0;
    for (size_t i = 0; i < fields->count; i++) {
        length += fields->fields[i].id == id ? fields->fields[i].value.len + 2 : 0;
    }
    char *text = arena_alloc_raw(arena, length);
    size_t filled = 0;
    for (size_t i = 0; i < fields->count; i++) {
        const struct field *field = &fields->fields[i];
        if (field->id != id || field->value.len == 0) {
            continue;
        }
        if (filled > 0) {
            text[filled++] = ',';
            text[filled++] = ' ';
        }
        memcpy(text + filled, field->value.ptr, field->value.len);
        filled += field->value.len;
    }
    return (struct span){text, filled};
}

static bool list_names_address(struct span list, const struct ip_address *address) {
    struct span element;
    while (span_next_element(&list, &element)) {
        struct ip_address listed;
        if (ip_address_parse(element, &listed) && ip_address_equal(&listed, address)) {
            return true;
        }
    }
    return false;
}

/* A trusted peer's list is continued: by the client when it is not in there (the peer spoke the PROXY protocol, or told
 * the client's address in another field), else by the peer itself. Any other list was removed before. */
static void set_forwarded_for(struct field_list *fields, const struct header_context *context) {
    struct span list = joined_values(fields, context->arena, FIELD_X_FORWARDED_FOR);
    const struct ip_address *next = context->client;
    if (list.len > 0 && context->peer != NULL && (next == NULL || list_names_address(list, next))) {
        next = context->peer;
    }
    if (next == NULL || next->family == IP_NONE) {
        return;
    }
    size_t separator = list.len > 0 ? 2 : 0;
    char *text = arena_alloc_raw(context->arena, list.len + separator + IP_TEXT_MAX);
    if (list.len > 0) {
        memcpy(text, list.ptr, list.len);
        text[list.len] = ',';
        text[list.len + 1] = ' ';
    }
    size_t length = list.len + separator;
    length += ip_address_print(next, text + length);
    fields_remove_id(fields, FIELD_X_FORWARDED_FOR);
    fields_add_id(fields, context->arena, FIELD_X_FORWARDED_FOR, SPAN_LITERAL("X-Forwarded-For"),
                  (struct span){text, length});
}

static void set_forwarded(struct field_list *fields, const struct header_context *context) {
    const struct request_head *request = context->request;
    set_forwarded_for(fields, context);
    if (request->host.len > 0 && fields_find_id(fields, FIELD_X_FORWARDED_HOST) == NULL) {
        fields_add_id(fields, context->arena, FIELD_X_FORWARDED_HOST, SPAN_LITERAL("X-Forwarded-Host"), request->host);
    }
    if (fields_find_id(fields, FIELD_X_FORWARDED_PROTO) == NULL) {
        fields_add_id(fields, context->arena, FIELD_X_FORWARDED_PROTO, SPAN_LITERAL("X-Forwarded-Proto"),
                      request->scheme);
    }
}

/* minor_version: of the message as weir received it (RFC 9110, 7.6.3). */
static void set_via(struct field_list *fields, const struct header_context *context, uint8_t minor_version) {
    if (context->route->settings->via == VIA_OFF) {
        return;
    }
    const char *name = context->server_name != NULL && context->server_name[0] != '\0' ? context->server_name : "weir";
    const char *version = minor_version == 0 ? "1.0" : "1.1";
    const char *value = NULL;
    switch (context->route->settings->via) {
    case VIA_OFF:
        break;
    case VIA_ON:
        value = arena_printf(context->arena, "%s %s", version, name);
        break;
    case VIA_FULL:
        value = arena_printf(context->arena, "%s %s (weir/%s)", version, name, WEIR_VERSION);
        break;
    case VIA_BLOCK:
        fields_remove_id(fields, FIELD_VIA);
        return;
    }
    fields_add_id(fields, context->arena, FIELD_VIA, SPAN_LITERAL("Via"), span_of(value));
}

void headers_prepare_request(struct field_list *fields, const struct header_context *context, const char *origin_host) {
    const struct settings *settings = context->route->settings;
    const struct request_head *request = context->request;
    fields_remove_hop_by_hop(fields);
    if (!context->peer_trusted) {
        remove_forwarded(fields);
    }
    bool keeps_host = settings->preserve_host && request->host.len > 0;
    set_host(fields, context->arena, keeps_host ? request->host : span_of(origin_host));
    if (settings->add_headers) {
        set_forwarded(fields, context);
    }
    set_via(fields, context, request->minor_version);
    for (size_t i = 0; i < context->route->scope_count; i++) {
        const struct settings *scope = context->route->scopes[i];
        headers_change(fields, context, scope->request_headers, scope->request_header_count, false);
    }
}

static void map_references(struct field_list *fields, const struct header_context *context) {
    const uint64_t mapped = UINT64_C(1) << FIELD_LOCATION | UINT64_C(1) << FIELD_CONTENT_LOCATION |
                            UINT64_C(1) << FIELD_URI | UINT64_C(1) << FIELD_SET_COOKIE;
    if ((fields->present & mapped) == 0) {
        return;
    }
    for (size_t i = 0; i < fields->count; i++) {
        struct field *field = &fields->fields[i];
        if (field->id == FIELD_SET_COOKIE) {
            field->value = reverse_map_cookie(context, field->value);
        } else if ((UINT64_C(1) << field->id & mapped) != 0) {
            field->value = reverse_map_url(context, field->value);
        }
    }
}

void headers_prepare_response(struct response_head *response, const struct header_context *context, bool local,
                              struct span http_date) {
    struct field_list *fields = &response->fields;
    if (!local) {
        fields_remove_hop_by_hop(fields);
        map_references(fields, context);
        set_via(fields, context, response->minor_version);
    }
    if (fields_find_id(fields, FIELD_DATE) == NULL) {
        fields_add_id(fields, context->arena, FIELD_DATE, SPAN_LITERAL("Date"), http_date);
    }
    bool only_always = local && response->status >= 300;
    for (size_t i = 0; i < context->route->scope_count; i++) {
        const struct settings *scope = context->route->scopes[i];
        headers_change(fields, context, scope->response_headers, scope->response_header_count, only_always);
    }
}
