/* The host index: two open-addressing hash tables, one of address sets and one of names within a set. Built by the
 * housekeeping thread, read by workers.
 *
 * Invariant: hosts are entered in file order and an entry that exists is never replaced, so an entry names the first
 * host that may have it. A look-up compares positions in the file to settle between an exact name, a suffix and the
 * wildcards: the earliest host wins, whichever way it matched. */
#include "proxy/host_index.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 16, NAME_BYTES_MAX = 255 };

struct loose_name { /* what cannot be hashed: a wildcard or a pattern */
    const struct virtual_host *host;
    const char *wildcard;          /* NULL with a pattern */
    const struct pattern *pattern; /* NULL with a wildcard */
};

struct address_set { /* the <VirtualHost>s of one address and port */
    struct ip_address address;
    uint16_t port;
    uint32_t number;                  /* position in index->sets */
    bool has_suffixes;                /* names of the form "*.example.net" */
    const struct virtual_host *first; /* the default */
    struct loose_name *loose;         /* in file order */
    size_t loose_count, loose_capacity;
};

struct name_entry {
    struct span name; /* "www.example.net", or ".example.net" for "*.example.net"; ptr NULL: a free slot */
    uint32_t hash;
    uint32_t set;
    const struct virtual_host *host;
};

struct host_index {
    const struct config *config;
    struct address_set main; /* of addresses that no <VirtualHost> has: no names, the main server alone */
    struct address_set *sets;
    size_t set_count, set_capacity;
    uint32_t *set_slots; /* position in sets plus one; 0: free */
    size_t set_slot_count;
    struct name_entry *names;
    size_t name_count, name_slot_count;
};

static uint32_t hash_bytes(uint32_t hash, const void *bytes, size_t length) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ byte[i]) * 16777619U; /* FNV-1a */
    }
    return hash;
}

static uint32_t hash_start(uint32_t seed) {
    return hash_bytes(2166136261U, &seed, sizeof seed);
}

/* FNV's low bits are its good ones, but short keys leave the high ones alike: mixed once for the slot. */
static size_t slot_of(uint32_t hash, size_t slots) {
    return (hash ^ (hash >> 15)) & (slots - 1);
}

/* Eight bytes at once. Setting one bit makes letters of both cases alike, and some other bytes too: those only collide.
 */
static inline uint32_t hash_name(uint32_t set, struct span name) {
    static const uint64_t case_bits = UINT64_C(0x2020202020202020), factor = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = (set + UINT64_C(1)) * factor + name.len, bytes = 0;
    size_t at = 0;
    for (; name.len - at >= sizeof bytes; at += sizeof bytes) {
        memcpy(&bytes, name.ptr + at, sizeof bytes);
        hash = (hash ^ (bytes | case_bits)) * factor;
        hash ^= hash >> 32;
    }
    if (at < name.len && at > 0) {
        memcpy(&bytes, name.ptr + name.len - sizeof bytes, sizeof bytes); /* some of them again */
    } else {
        for (bytes = 0; at < name.len; at++) {
            bytes = bytes << 8 | (unsigned char)name.ptr[at];
        }
    }
    hash = (hash ^ (bytes | case_bits)) * factor;
    return (uint32_t)(hash >> 32);
}

/* --- address sets --- */

static uint32_t hash_address(const struct ip_address *address, uint16_t port) {
    return hash_bytes(hash_bytes(hash_start(address->family), address->bytes, sizeof address->bytes), &port,
                      sizeof port);
}

/* The slot that holds the address or would. */
static size_t find_set_slot(const struct host_index *index, const struct ip_address *address, uint16_t port) {
    size_t slot = slot_of(hash_address(address, port), index->set_slot_count);
    while (index->set_slots[slot] != 0) {
        const struct address_set *set = &index->sets[index->set_slots[slot] - 1];
        if (set->port == port && ip_address_equal(&set->address, address)) {
            break;
        }
        slot = (slot + 1) & (index->set_slot_count - 1);
    }
    return slot;
}

static void grow_set_slots(struct host_index *index) {
    size_t slots = index->set_slot_count > 0 ? index->set_slot_count * 2 : (size_t)FIRST_SLOTS;
    free(index->set_slots);
    index->set_slots = must_calloc(slots, sizeof *index->set_slots);
    index->set_slot_count = slots;
    for (size_t i = 0; i < index->set_count; i++) {
        const struct address_set *set = &index->sets[i];
        index->set_slots[find_set_slot(index, &set->address, set->port)] = (uint32_t)i + 1;
    }
}

/* The set of the address, made with the host as its first when there is none. Returns its position. */
static uint32_t enter_set(struct host_index *index, const struct host_address *address,
                          const struct virtual_host *host) {
    size_t slot = find_set_slot(index, &address->address, address->port);
    if (index->set_slots[slot] != 0) {
        return index->set_slots[slot] - 1;
    }
    if (index->set_count == index->set_capacity) {
        index->set_capacity = index->set_capacity > 0 ? index->set_capacity * 2 : (size_t)FIRST_SLOTS;
        index->sets = must_realloc(index->sets, index->set_capacity * sizeof *index->sets);
    }
    index->sets[index->set_count] = (struct address_set){
        .address = address->address, .port = address->port, .number = (uint32_t)index->set_count, .first = host};
    index->set_slots[slot] = (uint32_t)++index->set_count;
    if (index->set_count * 2 > index->set_slot_count) {
        grow_set_slots(index);
    }
    return (uint32_t)index->set_count - 1;
}

static void add_loose(struct address_set *set, struct loose_name name) {
    if (set->loose_count == set->loose_capacity) {
        set->loose_capacity = set->loose_capacity > 0 ? set->loose_capacity * 2 : 4;
        set->loose = must_realloc(set->loose, set->loose_capacity * sizeof *set->loose);
    }
    set->loose[set->loose_count++] = name;
}

/* --- names --- */

/* Mostly they are written alike. */
static bool is_same_name(struct span a, struct span b) {
    return a.len == b.len && (memcmp(a.ptr, b.ptr, a.len) == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static inline size_t find_name_slot(const struct host_index *index, uint32_t hash, uint32_t set, struct span name) {
    size_t slot = slot_of(hash, index->name_slot_count);
    for (;;) {
        const struct name_entry *entry = &index->names[slot];
        if (entry->name.ptr == NULL || (entry->hash == hash && entry->set == set && is_same_name(entry->name, name))) {
            return slot;
        }
        slot = (slot + 1) & (index->name_slot_count - 1);
    }
}

static void grow_names(struct host_index *index) {
    struct name_entry *old = index->names;
    size_t old_slots = index->name_slot_count;
    index->name_slot_count = old_slots > 0 ? old_slots * 2 : (size_t)FIRST_SLOTS;
    index->names = must_calloc(index->name_slot_count, sizeof *index->names);
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i].name.ptr != NULL) {
            index->names[find_name_slot(index, old[i].hash, old[i].set, old[i].name)] = old[i];
        }
    }
    free(old);
}

static void enter_name(struct host_index *index, uint32_t set, struct span name, const struct virtual_host *host) {
    if (name.len == 0) {
        return;
    }
    uint32_t hash = hash_name(set, name);
    size_t slot = find_name_slot(index, hash, set, name);
    if (index->names[slot].name.ptr != NULL) {
        return;
    }
    index->names[slot] = (struct name_entry){name, hash, set, host};
    index->sets[set].has_suffixes |= name.ptr[0] == '.';
    if (++index->name_count * 2 > index->name_slot_count) {
        grow_names(index);
    }
}

static inline const struct virtual_host *find_name(const struct host_index *index, uint32_t set, struct span name) {
    size_t slot = find_name_slot(index, hash_name(set, name), set, name);
    return index->names[slot].name.ptr != NULL ? index->names[slot].host : NULL;
}

static struct span without_dot(struct span name) {
    if (name.len > 0 && name.ptr[name.len - 1] == '.') {
        name.len--;
    }
    return name;
}

static void enter_alias(struct host_index *index, uint32_t set, const char *alias, const struct virtual_host *host) {
    if (strpbrk(alias, "*?") == NULL) {
        enter_name(index, set, without_dot(span_of(alias)), host);
    } else if (alias[0] == '*' && alias[1] == '.' && strpbrk(alias + 1, "*?") == NULL) {
        enter_name(index, set, span_of(alias + 1), host);
    } else {
        add_loose(&index->sets[set], (struct loose_name){.host = host, .wildcard = alias});
    }
}

static void enter_host(struct host_index *index, const struct virtual_host *host) {
    for (size_t i = 0; i < host->address_count; i++) {
        uint32_t set = enter_set(index, &host->addresses[i], host);
        if (host->name != NULL) {
            enter_name(index, set, without_dot(span_of(host->name)), host);
        }
        for (size_t j = 0; j < host->alias_count; j++) {
            enter_alias(index, set, host->aliases[j], host);
        }
        for (size_t j = 0; j < host->alias_pattern_count; j++) {
            add_loose(&index->sets[set], (struct loose_name){.host = host, .pattern = host->alias_patterns[j]});
        }
    }
}

/* --- */

struct host_index *host_index_new(const struct config *config) {
    struct host_index *index = must_calloc(1, sizeof *index);
    index->config = config;
    index->main = (struct address_set){.number = UINT32_MAX, .first = config->hosts[0]};
    grow_set_slots(index);
    grow_names(index);
    for (size_t i = 0; i < config->host_count; i++) {
        if (!config->hosts[i]->is_main) {
            enter_host(index, config->hosts[i]);
        }
    }
    return index;
}

void host_index_free(struct host_index **index) {
    if (*index == NULL) {
        return;
    }
    for (size_t i = 0; i < (*index)->set_count; i++) {
        free((*index)->sets[i].loose);
    }
    free((*index)->sets);
    free((*index)->set_slots);
    free((*index)->names);
    free(*index);
    *index = NULL;
}

const struct config *host_index_config(const struct host_index *index) {
    return index->config;
}

const struct address_set *host_index_set(const struct host_index *index, const struct ip_address *address,
                                         uint16_t port) {
    static const struct ip_address any = {.family = IP_NONE};
    const struct ip_address *const addresses[] = {address, address, &any, &any};
    const uint16_t ports[] = {port, 0, port, 0};
    for (size_t i = 0; i < 4; i++) {
        size_t slot = find_set_slot(index, addresses[i], ports[i]);
        if (index->set_slots[slot] != 0) {
            return &index->sets[index->set_slots[slot] - 1];
        }
    }
    /* A Unix socket has no port: hosts of any address serve it whatever port they name. */
    for (size_t i = 0; address->family == IP_NONE && i < index->set_count; i++) {
        if (index->sets[i].address.family == IP_NONE) {
            return &index->sets[i];
        }
    }
    return &index->main;
}

const struct virtual_host *host_index_default(const struct address_set *set) {
    return set->first;
}

/* "name" of "name", "name.", "name:80", "[::1]:80". */
static struct span bare_name(struct span host) {
    char last = host.len > 0 ? host.ptr[host.len - 1] : '\0';
    if (last >= 'A') {
        return host; /* no port, which ends in a digit, and no dot */
    }
    const char *bracket = host.len > 0 && host.ptr[0] == '[' ? memchr(host.ptr, ']', host.len) : NULL;
    size_t from = bracket != NULL ? (size_t)(bracket - host.ptr) : 0;
    const char *colon = host.len > from ? memchr(host.ptr + from, ':', host.len - from) : NULL;
    if (colon != NULL) {
        host.len = (size_t)(colon - host.ptr);
    }
    return without_dot(host);
}

static const struct virtual_host *earlier(const struct virtual_host *a, const struct virtual_host *b) {
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    return b->index < a->index ? b : a;
}

static bool loose_matches(const struct loose_name *loose, struct span name, struct pattern_scratch *scratch) {
    if (loose->wildcard != NULL) {
        return wildcard_match(loose->wildcard, name);
    }
    return scratch != NULL && pattern_match(loose->pattern, scratch, name, NULL);
}

/* The earliest host that has a suffix of the name, or `found`. */
__attribute__((noinline)) static const struct virtual_host *find_suffix(const struct host_index *index,
                                                                        const struct address_set *set, struct span name,
                                                                        const struct virtual_host *found) {
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '.') {
            found = earlier(found, find_name(index, set->number, span_skip(name, i)));
        }
    }
    return found;
}

const struct virtual_host *host_index_find_in(const struct host_index *index, const struct address_set *set,
                                              struct span host, struct pattern_scratch *scratch) {
    struct span name = bare_name(host);
    if (name.len == 0 || name.len > NAME_BYTES_MAX) {
        return set->first;
    }
    const struct virtual_host *found = find_name(index, set->number, name);
    if (set->has_suffixes) {
        found = find_suffix(index, set, name, found);
    }
    for (size_t i = 0; i < set->loose_count; i++) {
        const struct loose_name *loose = &set->loose[i];
        if (found != NULL && loose->host->index >= found->index) {
            break;
        }
        if (loose_matches(loose, name, scratch)) {
            return loose->host;
        }
    }
    return found != NULL ? found : set->first;
}

const struct virtual_host *host_index_find(const struct host_index *index, const struct ip_address *local_address,
                                           uint16_t local_port, struct span host, struct pattern_scratch *scratch) {
    return host_index_find_in(index, host_index_set(index, local_address, local_port), host, scratch);
}
