/* Field lists. Called by http1 when it has parsed a head, by headers.c and the senders of both directions, always on
 * the worker that owns the exchange.
 *
 * Invariant: the bit of an id in `present` is set whenever a field of that id is in the list, so that a search for a
 * field that is not there costs one test. FIELD_OTHER has a bit like the rest. */
#include "proxy/fields.h"

enum { FIRST_CAPACITY = 16, NAME_BYTES_MAX = 19 /* of a known one; is_name() compares up to 24 */ };

static const struct span names[FIELD_ID_COUNT] = {[FIELD_OTHER] = {"", 0},
#define X(constant, name) [FIELD_##constant] = {(name), sizeof(name) - 1},
                                                  FIELD_NAMES(X)
#undef X
};

static uint64_t bit(enum field_id id) {
    return UINT64_C(1) << id;
}

/* First letter and length tell all known names apart: at most one name is left to compare with. Two names at one place
 * would be refused by the compiler. */
#define LETTER(letter) ((letter)&31) /* of either case */

static const uint8_t candidates[32][NAME_BYTES_MAX + 1] = {
    [LETTER('c')][6] = FIELD_COOKIE,
    [LETTER('c')][10] = FIELD_CONNECTION,
    [LETTER('c')][12] = FIELD_CONTENT_TYPE,
    [LETTER('c')][14] = FIELD_CONTENT_LENGTH,
    [LETTER('c')][16] = FIELD_CONTENT_LOCATION,
    [LETTER('d')][4] = FIELD_DATE,
    [LETTER('e')][6] = FIELD_EXPECT,
    [LETTER('f')][9] = FIELD_FORWARDED,
    [LETTER('h')][4] = FIELD_HOST,
    [LETTER('k')][10] = FIELD_KEEP_ALIVE,
    [LETTER('l')][8] = FIELD_LOCATION,
    [LETTER('p')][16] = FIELD_PROXY_CONNECTION,
    [LETTER('p')][18] = FIELD_PROXY_AUTHENTICATE,
    [LETTER('p')][19] = FIELD_PROXY_AUTHORIZATION,
    [LETTER('r')][7] = FIELD_REFERER,
    [LETTER('s')][6] = FIELD_SERVER,
    [LETTER('s')][10] = FIELD_SET_COOKIE,
    [LETTER('t')][2] = FIELD_TE,
    [LETTER('t')][7] = FIELD_TRAILER,
    [LETTER('t')][17] = FIELD_TRANSFER_ENCODING,
    [LETTER('u')][3] = FIELD_URI,
    [LETTER('u')][7] = FIELD_UPGRADE,
    [LETTER('u')][10] = FIELD_USER_AGENT,
    [LETTER('v')][3] = FIELD_VIA,
    [LETTER('x')][9] = FIELD_X_REAL_IP,
    [LETTER('x')][15] = FIELD_X_FORWARDED_FOR,
    [LETTER('x')][16] = FIELD_X_FORWARDED_HOST,
    [LETTER('x')][17] = FIELD_X_FORWARDED_PROTO,
    [LETTER('x')][18] = FIELD_X_FORWARDED_SERVER,
};

/* Do eight bytes differ in more than the case of letters? A letter in lower case has the bit 0x40, '-' has not. */
static uint64_t differ(uint64_t bytes, uint64_t lower_case) {
    static const uint64_t case_bits = UINT64_C(0x2020202020202020);
    uint64_t difference = bytes ^ lower_case;
    return (difference & ~case_bits) | ((difference & case_bits) << 1 & ~lower_case);
}

/* The eight bytes, or four, that begin there. */
static uint64_t load(const char *text) {
    uint64_t bytes;
    memcpy(&bytes, text, sizeof bytes);
    return bytes;
}

static uint32_t load_half(const char *text) {
    uint32_t bytes;
    memcpy(&bytes, text, sizeof bytes);
    return bytes;
}

/* Two to seven bytes as a number; bytes in the middle may count twice. */
static uint64_t load_short(const char *text, size_t length) {
    if (length < sizeof(uint32_t)) {
        return (uint64_t)(unsigned char)text[0] << 16 | (uint64_t)(unsigned char)text[length / 2] << 8 |
               (unsigned char)text[length - 1];
    }
    return (uint64_t)load_half(text) << 32 | load_half(text + length - sizeof(uint32_t));
}

/* Is the text the name, in any case? In steps of eight bytes that may overlap; no name needs more than three. */
static inline bool is_name(const char *text, const char *name, size_t length) {
    enum { STEP = sizeof(uint64_t) };
    if (length < STEP) {
        return differ(load_short(text, length), load_short(name, length)) == 0;
    }
    size_t last = length - STEP;
    uint64_t differences = differ(load(text), load(name)) | differ(load(text + last), load(name + last));
    if (length > 2 * STEP) {
        differences |= differ(load(text + STEP), load(name + STEP));
    }
    return differences == 0;
}

/* The same of a token: of the bytes that it may hold, only a letter in either case becomes that letter with the bit
 * 0x20 set, and only '-' becomes '-'. */
static inline bool is_name_of_token(const char *text, const char *name, size_t length) {
    enum { STEP = sizeof(uint64_t), SHORT_STEP = sizeof(uint32_t) };
    static const uint64_t case_bits = UINT64_C(0x2020202020202020);
    if (length >= STEP) {
        size_t last = length - STEP;
        return (load(text) | case_bits) == load(name) && (load(text + last) | case_bits) == load(name + last) &&
               (length <= 2 * STEP || (load(text + STEP) | case_bits) == load(name + STEP));
    }
    if (length >= SHORT_STEP) {
        size_t last = length - SHORT_STEP;
        return (load_half(text) | (uint32_t)case_bits) == load_half(name) &&
               (load_half(text + last) | (uint32_t)case_bits) == load_half(name + last);
    }
    return (load_short(text, length) | (case_bits & 0xffffff)) == load_short(name, length);
}

/* The only name that the text could be. */
static inline enum field_id candidate(struct span name) {
    bool has_room = name.len > 0 && name.len <= NAME_BYTES_MAX;
    return has_room ? candidates[LETTER((unsigned char)name.ptr[0])][name.len] : FIELD_OTHER;
}

enum field_id field_id_of(struct span name) {
    enum field_id id = candidate(name);
    return id != FIELD_OTHER && is_name(name.ptr, names[id].ptr, name.len) ? id : FIELD_OTHER;
}

enum field_id field_id_of_token(struct span name) {
    enum field_id id = candidate(name);
    return id != FIELD_OTHER && is_name_of_token(name.ptr, names[id].ptr, name.len) ? id : FIELD_OTHER;
}

void fields_grow(struct field_list *list, struct arena *arena) {
    size_t capacity = list->capacity > 0 ? list->capacity * 2 : (size_t)FIRST_CAPACITY;
    struct field *larger = arena_alloc_raw(arena, capacity * sizeof *larger);
    if (list->count > 0) {
        memcpy(larger, list->fields, list->count * sizeof *larger);
    }
    list->fields = larger;
    list->capacity = capacity;
}

static bool is_named(const struct field *field, enum field_id id, struct span name) {
    return field->id == id && (id != FIELD_OTHER || span_equal_nocase(field->name, name));
}

struct field *fields_find(const struct field_list *list, struct span name) {
    enum field_id id = field_id_of(name);
    if ((list->present & bit(id)) == 0) {
        return NULL;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (is_named(&list->fields[i], id, name)) {
            return &list->fields[i];
        }
    }
    return NULL;
}

struct field *fields_search_id(const struct field_list *list, enum field_id id) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->fields[i].id == id) {
            return &list->fields[i];
        }
    }
    return NULL;
}

size_t fields_count_id(const struct field_list *list, enum field_id id) {
    if ((list->repeated & bit(id)) == 0) {
        return fields_find_id(list, id) != NULL ? 1 : 0;
    }
    size_t found = 0;
    for (size_t i = 0; i < list->count; i++) {
        found += list->fields[i].id == id;
    }
    return found;
}

void fields_remove(struct field_list *list, struct span name) {
    enum field_id id = field_id_of(name);
    if (id != FIELD_OTHER) {
        fields_remove_id(list, id);
        return;
    }
    if ((list->present & bit(FIELD_OTHER)) == 0) {
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!is_named(&list->fields[i], FIELD_OTHER, name)) {
            list->fields[kept++] = list->fields[i];
        }
    }
    list->count = kept;
}

/* Removes every field whose id is in the mask, in one pass. */
static void remove_ids(struct field_list *list, uint64_t mask) {
    if ((list->present & mask) == 0) {
        return;
    }
    size_t kept = 0;
    while (kept < list->count && (bit(list->fields[kept].id) & mask) == 0) {
        kept++; /* in its place already */
    }
    for (size_t i = kept; i < list->count; i++) {
        if ((bit(list->fields[i].id) & mask) == 0) {
            list->fields[kept++] = list->fields[i];
        }
    }
    list->count = kept;
    list->present &= ~mask;
}

void fields_remove_id(struct field_list *list, enum field_id id) {
    remove_ids(list, bit(id));
}

void fields_set(struct field_list *list, struct arena *arena, struct span name, struct span value) {
    fields_remove(list, name);
    fields_add(list, arena, name, value);
}

bool fields_search_token(const struct field_list *list, enum field_id id, struct span token) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->fields[i].id != id) {
            continue;
        }
        struct span rest = list->fields[i].value;
        struct span element;
        while (span_next_element(&rest, &element)) {
            if (span_equal_nocase(element, token)) {
                return true;
            }
        }
    }
    return false;
}

static uint64_t hop_by_hop_ids(void) {
    return bit(FIELD_CONNECTION) | bit(FIELD_KEEP_ALIVE) | bit(FIELD_PROXY_AUTHENTICATE) |
           bit(FIELD_PROXY_AUTHORIZATION) | bit(FIELD_PROXY_CONNECTION) | bit(FIELD_TE) | bit(FIELD_TRAILER) |
           bit(FIELD_TRANSFER_ENCODING) | bit(FIELD_UPGRADE);
}

/* What a peer may name in Connection without effect, because a message means something else without it. */
static bool is_essential(enum field_id id, struct span name) {
    static const char *const others[] = {"authorization", "cache-control", "content-encoding", "content-range",
                                         "range"};
    if (id == FIELD_REFERER || id == FIELD_SERVER || id == FIELD_URI || id == FIELD_USER_AGENT) {
        return false;
    }
    if (id != FIELD_OTHER) {
        return (bit(id) & hop_by_hop_ids()) == 0;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (span_equal_nocase(name, span_of(others[i]))) {
            return true;
        }
    }
    return false;
}

/* Options that every other message carries and that name no field worth a search. */
static bool is_plain_option(struct span option) {
    return span_equal_nocase(option, SPAN_LITERAL("keep-alive")) || span_equal_nocase(option, SPAN_LITERAL("close"));
}

static void remove_named_by(struct field_list *list, struct span options) {
    struct span option;
    while (span_next_element(&options, &option)) {
        if (!is_plain_option(option) && !is_essential(field_id_of(option), option)) {
            fields_remove(list, option);
        }
    }
}

/* Takes each Connection field out before its options are, so that the search always begins anew in a list that has one
 * of them less. */
__attribute__((noinline)) static void remove_connection(struct field_list *list) {
    struct field *connection;
    while ((connection = fields_find_id(list, FIELD_CONNECTION)) != NULL) {
        struct span options = connection->value;
        size_t behind = (size_t)(list->fields + list->count - (connection + 1));
        memmove(connection, connection + 1, behind * sizeof *connection);
        list->count--;
        remove_named_by(list, options);
    }
    list->present &= ~bit(FIELD_CONNECTION);
}

void fields_remove_hop_by_hop(struct field_list *list) {
    if (fields_may_have(list, FIELD_CONNECTION)) {
        remove_connection(list);
    }
    remove_ids(list, hop_by_hop_ids());
}

void fields_remove_named(struct field_list *trailers, const struct field_list *head) {
    for (size_t i = 0; fields_may_have(head, FIELD_CONNECTION) && i < head->count; i++) {
        if (head->fields[i].id == FIELD_CONNECTION) {
            remove_named_by(trailers, head->fields[i].value);
        }
    }
}

/* Does the name begin so, where every byte but letters and digits counts as '-'? */
static bool begins_as(struct span name, const char *known, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char byte = i < name.len ? name.ptr[i] : '\0', lower = (char)(byte | 0x20);
        bool is_letter = lower >= 'a' && lower <= 'z';
        if ((is_letter ? lower : byte >= '0' && byte <= '9' ? byte : '-') != known[i]) {
            return false;
        }
    }
    return name.len >= length;
}

bool fields_names_forwarded(struct span name) {
    static const char prefix[] = "x-forwarded-", address[] = "x-real-ip";
    return begins_as(name, prefix, sizeof prefix - 1) ||
           (name.len == sizeof address - 1 && begins_as(name, address, sizeof address - 1));
}

void fields_copy(struct field_list *to, const struct field_list *from, struct arena *arena) {
    *to = *from;
    /* A few more places, since the copy is made to be added to. */
    to->capacity = from->count + 8;
    to->fields = arena_alloc_raw(arena, to->capacity * sizeof *to->fields);
    if (from->count > 0) {
        memcpy(to->fields, from->fields, from->count * sizeof *to->fields);
    }
}
