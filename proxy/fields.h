/* The field section of an HTTP message, parsed: an ordered list of name and value, with the names that weir itself acts
 * on recognised once. Knows no wire protocol: http1 fills it, another protocol may.
 *
 * Everything points into the arena of the exchange (or into memory that lives as long). One worker. */
#ifndef WEIR_PROXY_FIELDS_H
#define WEIR_PROXY_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/arena.h"
#include "config/span.h"

/* X(constant, name in lower case) */
#define FIELD_NAMES(X)                                                                                                 \
    X(CONNECTION, "connection")                                                                                        \
    X(CONTENT_LENGTH, "content-length")                                                                                \
    X(CONTENT_LOCATION, "content-location")                                                                            \
    X(CONTENT_TYPE, "content-type")                                                                                    \
    X(COOKIE, "cookie")                                                                                                \
    X(DATE, "date")                                                                                                    \
    X(EXPECT, "expect")                                                                                                \
    X(FORWARDED, "forwarded")                                                                                          \
    X(HOST, "host")                                                                                                    \
    X(KEEP_ALIVE, "keep-alive")                                                                                        \
    X(LOCATION, "location")                                                                                            \
    X(PROXY_AUTHENTICATE, "proxy-authenticate")                                                                        \
    X(PROXY_AUTHORIZATION, "proxy-authorization")                                                                      \
    X(PROXY_CONNECTION, "proxy-connection")                                                                            \
    X(REFERER, "referer")                                                                                              \
    X(SERVER, "server")                                                                                                \
    X(SET_COOKIE, "set-cookie")                                                                                        \
    X(TE, "te")                                                                                                        \
    X(TRAILER, "trailer")                                                                                              \
    X(TRANSFER_ENCODING, "transfer-encoding")                                                                          \
    X(UPGRADE, "upgrade")                                                                                              \
    X(URI, "uri")                                                                                                      \
    X(USER_AGENT, "user-agent")                                                                                        \
    X(VIA, "via")                                                                                                      \
    X(X_FORWARDED_FOR, "x-forwarded-for")                                                                              \
    X(X_FORWARDED_HOST, "x-forwarded-host")                                                                            \
    X(X_FORWARDED_PROTO, "x-forwarded-proto")                                                                          \
    X(X_FORWARDED_SERVER, "x-forwarded-server")                                                                        \
    X(X_REAL_IP, "x-real-ip")

enum field_id {
    FIELD_OTHER,
#define X(constant, name) FIELD_##constant,
    FIELD_NAMES(X)
#undef X
        FIELD_ID_COUNT
};

struct field {
    struct span name;  /* as it was written */
    struct span value; /* trimmed; no control characters */
    enum field_id id;
};

struct field_list {
    struct field *fields; /* in the arena; grows by doubling */
    size_t count;
    size_t capacity;
    uint64_t present;  /* a bit (1 << id) for each id that may be in the list; never clear when one is */
    uint64_t repeated; /* the same for each that may be there more than once */
};

/* FIELD_OTHER for a name that weir does not act on. Case-insensitive. */
enum field_id field_id_of(struct span name);
enum field_id field_id_of_token(struct span name); /* the same for what is known to be a token (RFC 9110, 5.6.2) */

/* Appends; the spans must live as long as the arena. The first form is for a name whose id is known. */
void fields_grow(struct field_list *list, struct arena *arena); /* makes room for at least one more */
static inline void fields_add_id(struct field_list *list, struct arena *arena, enum field_id id, struct span name,
                                 struct span value) {
    if (list->count == list->capacity) {
        fields_grow(list, arena);
    }
    list->fields[list->count++] = (struct field){name, value, id};
    list->repeated |= list->present & UINT64_C(1) << id;
    list->present |= UINT64_C(1) << id;
}
static inline void fields_add(struct field_list *list, struct arena *arena, struct span name, struct span value) {
    fields_add_id(list, arena, field_id_of(name), name, value);
}

/* False: there is none of that id for sure. */
static inline bool fields_may_have(const struct field_list *list, enum field_id id) {
    return (list->present >> id & 1) != 0;
}

/* The first such field, NULL for none. The id forms need no comparison of text. */
struct field *fields_find(const struct field_list *list, struct span name);
struct field *fields_search_id(const struct field_list *list, enum field_id id); /* whatever `present` says */
static inline struct field *fields_find_id(const struct field_list *list, enum field_id id) {
    return fields_may_have(list, id) ? fields_search_id(list, id) : NULL;
}
size_t fields_count_id(const struct field_list *list, enum field_id id);

/* Removes every field of that name or id; the order of the others stays. */
void fields_remove(struct field_list *list, struct span name);
void fields_remove_id(struct field_list *list, enum field_id id);

/* Removes every field of that name and appends one. */
void fields_set(struct field_list *list, struct arena *arena, struct span name, struct span value);

/* Whether a comma-separated list in any field of that id has the token (case-insensitive, whole element). */
bool fields_search_token(const struct field_list *list, enum field_id id, struct span token);
static inline bool fields_has_token(const struct field_list *list, enum field_id id, struct span token) {
    return fields_may_have(list, id) && fields_search_token(list, id, token);
}

/* Removes what belongs to one connection alone (RFC 9110, 7.6.1; 11.7): Connection and the fields that it names,
 * Keep-Alive, Proxy-Authenticate, Proxy-Authorization, Proxy-Connection, TE, Trailer, Transfer-Encoding and Upgrade. A
 * field that a message means something else without (Host, Content-Length, Authorization, …) stays even when Connection
 * names it. */
void fields_remove_hop_by_hop(struct field_list *list);

/* Forwarded, X-Real-IP, or X-Forwarded- anything: what a proxy says of its client. Also with '_' or '.' for '-', since
 * all three are one to a CGI program (RFC 3875, 4.1.18). */
#define FIELDS_FORWARDED                                                                                               \
    (UINT64_C(1) << FIELD_FORWARDED | UINT64_C(1) << FIELD_X_REAL_IP | UINT64_C(1) << FIELD_X_FORWARDED_FOR |          \
     UINT64_C(1) << FIELD_X_FORWARDED_HOST | UINT64_C(1) << FIELD_X_FORWARDED_PROTO |                                  \
     UINT64_C(1) << FIELD_X_FORWARDED_SERVER)  /* those that have an id */
bool fields_names_forwarded(struct span name); /* of a name that has no id of its own */
static inline bool fields_is_forwarded(const struct field *field) {
    return field->id != FIELD_OTHER ? (FIELDS_FORWARDED >> field->id & 1) != 0
                                    : (field->name.ptr[0] | 0x20) == 'x' && fields_names_forwarded(field->name);
}

/* Removes from a trailer section what the Connection fields of its message's head name (RFC 9110, 7.6.1). */
void fields_remove_named(struct field_list *trailers, const struct field_list *head);

/* A copy with its own array; names and values are shared. */
void fields_copy(struct field_list *to, const struct field_list *from, struct arena *arena);

#endif
