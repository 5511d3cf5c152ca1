/* The clients that a snapshot shows: those that took most bytes, and those that sent most requests. Housekeeping
 * thread.
 *
 * The table may hold a million; so two lists of bounded length are kept while it is looked through, each a heap whose
 * first is the least of them. Always true: what stands in a list is a copy, taken under the table's lock. */
#include <stdlib.h>
#include <string.h>

#include "shaper/binding.h"
#include "shaper/records.h"
#include "stats/take_parts.h"

enum { TOP_MAX = 500 };

struct seen_client {
    struct client_key key;
    uint64_t bytes_out, used_bytes, requests, refused, delayed, rank;
    unsigned connections;
    struct client_rates rates;
    int64_t first_seen_s, last_seen_s;
};

struct top_list {
    struct seen_client *clients; /* a heap by rank */
    size_t count;
};

struct look {
    const struct process_survey *survey;
    struct top_list by_bytes, by_requests;
};

/* ---- a list ---- */

static void swap(struct seen_client *a, struct seen_client *b) {
    struct seen_client other = *a;
    *a = *b;
    *b = other;
}

static void sink(struct top_list *list) {
    for (size_t at = 0;;) {
        size_t least = at, left = 2 * at + 1, right = left + 1;
        least = left < list->count && list->clients[left].rank < list->clients[least].rank ? left : least;
        least = right < list->count && list->clients[right].rank < list->clients[least].rank ? right : least;
        if (least == at) {
            return;
        }
        swap(&list->clients[at], &list->clients[least]);
        at = least;
    }
}

static void rise(struct top_list *list) {
    for (size_t at = list->count - 1; at > 0 && list->clients[(at - 1) / 2].rank > list->clients[at].rank;
         at = (at - 1) / 2) {
        swap(&list->clients[at], &list->clients[(at - 1) / 2]);
    }
}

static bool is_wanted(const struct top_list *list, uint64_t rank) {
    return list->count < TOP_MAX || rank > list->clients[0].rank;
}

static void put(struct top_list *list, const struct seen_client *client) {
    if (list->count < TOP_MAX) {
        list->clients[list->count++] = *client;
        rise(list);
    } else {
        list->clients[0] = *client;
        sink(list);
    }
}

/* ---- looking ---- */

static uint64_t load(const atomic_uint *value) {
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void copy(const struct client_record *record, int64_t now_s, struct seen_client *client) {
    *client = (struct seen_client){
        .key = record->key,
        .bytes_out = atomic_load_explicit(&record->bytes_out, memory_order_relaxed),
        .used_bytes = atomic_load_explicit(&record->used_bytes, memory_order_relaxed),
        .requests = load(&record->requests),
        .refused = load(&record->refused),
        .delayed = load(&record->delayed),
        .connections = in_flight_now(&record->scope.in_flight),
        .rates = client_meter_rates(&record->meter, now_s),
        .first_seen_s = (int64_t)load(&record->first_seen_s),
        .last_seen_s = (int64_t)load(&record->last_seen_s),
    };
}

static void see(void *context, const struct client_record *record) {
    struct look *look = context;
    uint64_t bytes = atomic_load_explicit(&record->bytes_out, memory_order_relaxed);
    uint64_t requests = load(&record->requests);
    bool by_bytes = is_wanted(&look->by_bytes, bytes), by_requests = is_wanted(&look->by_requests, requests);
    if (!by_bytes && !by_requests) {
        return;
    }
    struct seen_client client;
    copy(record, look->survey->now_wall_s, &client);
    if (by_bytes) {
        client.rank = bytes;
        put(&look->by_bytes, &client);
    }
    if (by_requests) {
        client.rank = requests;
        put(&look->by_requests, &client);
    }
}

/* ---- showing ---- */

static int compare_keys(const void *left, const void *right) {
    const struct seen_client *a = left, *b = right;
    int order = memcmp(a->key.address.bytes, b->key.address.bytes, sizeof a->key.address.bytes);
    if (order == 0) {
        order = (int)a->key.address.family - (int)b->key.address.family;
    }
    return order != 0 ? order : a->key.host_id < b->key.host_id ? -1 : a->key.host_id > b->key.host_id;
}

static int compare_bytes(const void *left, const void *right) {
    const struct stats_client *a = left, *b = right;
    if (a->bytes_out != b->bytes_out) {
        return a->bytes_out > b->bytes_out ? -1 : 1;
    }
    return a->requests > b->requests ? -1 : a->requests < b->requests ? 1 : strcmp(a->address, b->address);
}

static const char *print_address(struct arena *arena, const struct ip_address *address, unsigned ipv6_bits) {
    char text[IP_TEXT_MAX + 4];
    if (address->family == IP_V6) {
        const struct ip_prefix prefix = {*address, (uint8_t)ipv6_bits};
        ip_prefix_print(&prefix, text);
    } else {
        ip_address_print(address, text);
    }
    return arena_strdup(arena, text);
}

/* How many requests of the client may be served at a time: as the host, its user and the client's class have it. IPv6
 * clients are seen as networks, so a class of single addresses is none of theirs. */
static unsigned connection_limit(const struct shaper_binding *binding, size_t index, const struct ip_address *address) {
    if (index == BINDING_GONE) {
        return 0;
    }
    const struct host_binding *host = &binding->hosts[index];
    const struct client_class *class = host->tells_classes ? class_tree_find(binding->classes, address) : NULL;
    if (class == NULL) {
        return host->remote_speed.connections;
    }
    struct scope_speeds speeds[SHAPER_SCOPES];
    binding_speeds(binding, host->limits, binding->class_ids[class->index], speeds);
    return speeds[SHAPER_CLIENT].normal.connections;
}

static void show(struct stats_snapshot *snapshot, const struct process_survey *survey, const struct seen_client *seen,
                 struct stats_client *client) {
    struct arena *arena = &snapshot->arena;
    const struct shaper_binding *binding = survey->binding;
    uint32_t host_id = seen->key.host_id;
    size_t index = host_id < binding->host_record_count ? binding->host_of_record[host_id] : BINDING_GONE;
    *client = (struct stats_client){
        .address = print_address(arena, &seen->key.address, survey->config->server.limits.ipv6_prefix_bits),
        .host = arena_strdup(arena, survey->shaper->hosts.by_id[host_id]->name),
        .host_key = index != BINDING_GONE ? snapshot->hosts[index].key : NULL,
        .bytes_out = seen->bytes_out,
        .requests = seen->requests,
        .refused = seen->refused,
        .delayed = seen->delayed,
        .used_bytes = seen->used_bytes,
        .connections = seen->connections,
        .connection_limit = connection_limit(binding, index, &seen->key.address),
        .bytes_per_s = seen->rates.bytes_per_s,
        .requests_per_s = seen->rates.requests_per_s,
        .first_seen_s = seen->first_seen_s,
        .last_seen_s = seen->last_seen_s,
    };
}

struct stats_client *take_clients(struct stats_snapshot *snapshot, const struct process_survey *survey) {
    /* Both lists in one array: the second is moved up to the first, and equal ones fall together by sorting. */
    struct seen_client *all = must_calloc(2 * TOP_MAX, sizeof *all);
    struct look look = {survey, {all, 0}, {all + TOP_MAX, 0}};
    client_table_visit(survey->shaper->clients, see, &look);
    size_t count = look.by_bytes.count + look.by_requests.count;
    memmove(all + look.by_bytes.count, look.by_requests.clients, look.by_requests.count * sizeof *all);
    qsort(all, count, sizeof *all, compare_keys);
    struct stats_client *clients = arena_alloc(&snapshot->arena, count * sizeof *clients + 1);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_keys(&all[i - 1], &all[i]) != 0) {
            show(snapshot, survey, &all[i], &clients[snapshot->client_count++]);
        }
    }
    qsort(clients, snapshot->client_count, sizeof *clients, compare_bytes);
    snapshot->clients = clients;
    free(all);
    return clients;
}
