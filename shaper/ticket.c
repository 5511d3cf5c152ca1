/* Tickets. Called by admit.c and grant.c on the worker that owns the ticket.
 * Always true: a client's record is pinned once for each open ticket that points to it. */
#include "shaper/ticket.h"

#include <stddef.h>
#include <string.h>

void shaper_forget_visitor(struct shaper_visitor *visitor, struct shaper_time now) {
    if (visitor->client != NULL) {
        client_table_unpin(visitor->shaper->clients, visitor->client, now.mono_ns);
    }
    *visitor = (struct shaper_visitor){0};
}

/* The record that the connection kept, when it is the one; else it keeps it no longer. */
static inline struct client_record *take_kept(const struct shaper_ticket *ticket, struct shaper_time now) {
    struct client_record *kept = ticket->visitor != NULL ? ticket->visitor->client : NULL;
    if (kept == NULL) {
        return NULL;
    }
    if (kept->key.host_id == (uint32_t)ticket->host->id && ip_address_equal(&kept->key.address, &ticket->address)) {
        ticket->visitor->client = NULL;
        return kept;
    }
    shaper_forget_visitor(ticket->visitor, now);
    return NULL;
}

static inline void pin_client(struct shaper_ticket *ticket, struct shaper_time now) {
    if (ticket->client == NULL && ticket->address.family != IP_NONE) {
        ticket->client = take_kept(ticket, now);
        if (ticket->client == NULL) {
            const struct client_key key = {ticket->address, (uint32_t)ticket->host->id};
            ticket->client = client_table_pin(ticket->shaper->clients, &key, now.mono_ns);
        }
        ticket->scopes[SHAPER_CLIENT] = ticket->client != NULL ? &ticket->client->scope : NULL;
    }
}

void ticket_give_client_back(struct shaper_ticket *ticket, struct shaper_time now) {
    if (ticket->client == NULL) {
        return;
    }
    if (ticket->visitor != NULL && client_table_is_half_free(ticket->shaper->clients)) {
        *ticket->visitor = (struct shaper_visitor){ticket->shaper, ticket->client};
    } else {
        client_table_unpin(ticket->shaper->clients, ticket->client, now.mono_ns);
    }
    ticket->client = NULL;
}

static struct ip_address masked(const struct ip_address *address, const struct shaper_binding *binding) {
    return address->family == IP_V6 ? ip_address_mask(address, binding->config->server.limits.ipv6_prefix_bits)
                                    : *address;
}

/* Once or twice a request: the room for reservations that there are not is left as it is, and who counts is kept. */
void ticket_clear(struct shaper_ticket *ticket) {
    memset(ticket, 0, offsetof(struct shaper_ticket, tallies));
    for (size_t i = 0; i < SHAPER_DIRECTIONS; i++) {
        ticket->holds[i].lane_count = 0;
        ticket->holds[i].bytes = 0;
        ticket->holds[i].is_noted = false;
    }
}

/* The number of the client's class in the configuration, from 1; 0: in none. A client that has a record is looked up
 * once a binding: the record keeps the binding's number, and behind it that of the class. Not one of IPv6, whose record
 * may stand for many addresses. */
static inline uint32_t class_number(const struct shaper_binding *binding, const struct ip_address *address,
                                    struct client_record *client) {
    bool is_kept = client != NULL && address->family == IP_V4;
    uint64_t memo = is_kept ? atomic_load_explicit(&client->class_memo, memory_order_relaxed) : 0;
    uint32_t generation = (uint32_t)binding->generation;
    if (is_kept && memo >> 32 == generation) {
        return (uint32_t)memo;
    }
    const struct client_class *class = class_tree_find(binding->classes, address);
    uint32_t number = class != NULL ? (uint32_t) class->index + 1 : 0;
    if (is_kept) {
        atomic_store_explicit(&client->class_memo, (uint64_t)generation << 32 | number, memory_order_relaxed);
    }
    return number;
}

void ticket_open(struct shaper_ticket *ticket, const struct shaper_binding *binding,
                 const struct shaper_request *request, struct shaper_time now) {
    const struct host_binding *host = &binding->hosts[request->host];
    ticket_clear(ticket);
    ticket->shaper = binding->shaper;
    ticket->visitor = request->visitor;
    ticket->host = host->record;
    ticket->user = host->user_record;
    ticket->address = masked(&request->client, binding);
    ticket->generation = binding->generation;
    ticket->is_uncapped = host->is_uncapped;
    ticket->scopes[SHAPER_HOST] = &ticket->host->scope;
    ticket->tallies[0] = tally_of(ticket->host->tallies, request->worker);
    size_t tally_count = 1;
    if (ticket->user != NULL) {
        ticket->scopes[SHAPER_USER] = &ticket->user->scope;
        ticket->tallies[tally_count++] = tally_of(ticket->user->tallies, request->worker);
    }
    if (host->knows_clients) {
        pin_client(ticket, now);
    }
    uint32_t class = binding->config->class_count > 0 ? class_number(binding, &request->client, ticket->client) : 0;
    if (class > 0) {
        size_t class_id = binding->class_ids[class - 1];
        ticket->class = binding->class_records[class - 1];
        ticket->tallies[tally_count++] = tally_of(ticket->class->tallies, request->worker);
        ticket->host_class = traffic_class_of(ticket->host, class_id);
        if (ticket->user != NULL) {
            ticket->user_class = traffic_class_of(ticket->user, class_id);
        }
    }
    ticket->tally_count = tally_count;
}

size_t ticket_class_id(const struct shaper_ticket *ticket) {
    return ticket->host_class != NULL ? ticket->host_class->usage.class_id : BINDING_NO_CLASS;
}

void ticket_add_speed(struct shaper_speeds *speeds, struct lane *lane, uint64_t bits_per_s) {
    if (bits_per_s > 0) {
        bool is_slowest = speeds->count == 0 || bits_per_s < speeds->slowest_bits_per_s;
        speeds->slowest_bits_per_s = is_slowest ? bits_per_s : speeds->slowest_bits_per_s;
        speeds->lanes[speeds->count] = lane;
        speeds->bits_per_s[speeds->count++] = bits_per_s;
    }
}

void ticket_find_speeds(const struct shaper_ticket *ticket, unsigned exceeded, struct shaper_speeds *speeds) {
    for (size_t i = 0; i < SHAPER_SCOPES; i++) {
        if (ticket->scopes[i] != NULL) {
            const struct shaper_cap *cap = &ticket->caps[i];
            bool is_exceeded = (exceeded & 1u << i) != 0;
            ticket_add_speed(speeds, &ticket->scopes[i]->lane,
                             is_exceeded ? cap->exceeded_bits_per_s : cap->bits_per_s);
        }
    }
}

void ticket_take_one_speed_each(struct shaper_ticket *ticket, const struct shaper_binding *binding,
                                const struct host_limits *limits, const struct speed_limit *const *speeds) {
    ticket->generation = binding->generation;
    ticket->upload_bits_per_s = limits->upload_bits_per_s;
    ticket->dry_run = limits->dry_run;
    ticket->follows_quota = false;
    ticket->speeds.count = 0;
    ticket->speeds.slowest_bits_per_s = 0;
    if (ticket->dry_run) {
        return;
    }
    size_t count = 0;
    uint64_t slowest = UINT64_MAX;
#pragma GCC unroll 5
    for (size_t i = 0; i < SHAPER_SCOPES; i++) {
        uint64_t bits_per_s = speeds[i]->bits_per_s;
        if (ticket->scopes[i] != NULL && bits_per_s > 0) {
            ticket->speeds.lanes[count] = &ticket->scopes[i]->lane;
            ticket->speeds.bits_per_s[count++] = bits_per_s;
            slowest = bits_per_s < slowest ? bits_per_s : slowest;
        }
    }
    ticket->speeds.count = count;
    ticket->speeds.slowest_bits_per_s = count > 0 ? slowest : 0;
}

void ticket_take_speeds(struct shaper_ticket *ticket, const struct shaper_binding *binding,
                        const struct host_limits *limits, const struct scope_speeds *speeds) {
    ticket->generation = binding->generation;
    ticket->upload_bits_per_s = limits->upload_bits_per_s;
    ticket->dry_run = limits->dry_run;
    ticket->follows_quota = false;
    for (size_t i = 0; i < SHAPER_SCOPES; i++) {
        ticket->caps[i].bits_per_s = speeds[i].normal.bits_per_s;
        ticket->caps[i].exceeded_bits_per_s = speeds[i].exceeded.bits_per_s;
        if (ticket->scopes[i] != NULL && speeds[i].normal.bits_per_s != speeds[i].exceeded.bits_per_s) {
            ticket->follows_quota = true;
        }
    }
    ticket->speeds.count = 0;
    ticket->speeds.slowest_bits_per_s = 0;
    if (!ticket->dry_run) {
        ticket_find_speeds(ticket, 0, &ticket->speeds);
    }
}

static size_t find_index(const size_t *index_of, size_t count, size_t record_id) {
    return record_id < count ? index_of[record_id] : BINDING_GONE;
}

void ticket_rebind(struct shaper_ticket *ticket, const struct shaper_binding *binding, struct shaper_time now) {
    ticket->generation = binding->generation;
    size_t index = find_index(binding->host_of_record, binding->host_record_count, ticket->host->id);
    if (index == BINDING_GONE) {
        return;
    }
    /* The request stays with the user that it began under; of that one the present limits hold. */
    struct host_limits limits = *binding->hosts[index].limits;
    ticket->is_uncapped = binding->hosts[index].is_uncapped && ticket->user == binding->hosts[index].user_record;
    if (ticket->is_uncapped) {
        shaper_return(ticket, SHAPER_RESPONSE);
        shaper_return(ticket, SHAPER_REQUEST_BODY);
    }
    limits.user = NULL;
    if (ticket->user != NULL) {
        size_t user = find_index(binding->user_of_record, binding->user_record_count, ticket->user->id);
        limits.user = user != BINDING_GONE ? &binding->config->users[user] : NULL;
    }
    if (binding->hosts[index].knows_clients) {
        pin_client(ticket, now);
    }
    struct scope_speeds speeds[SHAPER_SCOPES];
    ticket_tell_class_parts(ticket);
    binding_speeds(binding, &limits, ticket_class_id(ticket), speeds);
    ticket_take_speeds(ticket, binding, &limits, speeds);
}

static unsigned owner_exceeded(struct traffic_record *record, const struct traffic_class *class, int64_t wall_s,
                               enum shaper_scope whole, enum shaper_scope part) {
    unsigned exceeded = quota_exceeded(&record->quota, class != NULL ? &class->usage : NULL, wall_s);
    return ((exceeded & QUOTA_TOTAL_EXCEEDED) != 0 ? 1u << whole : 0) |
           ((exceeded & QUOTA_CLASS_EXCEEDED) != 0 ? 1u << part : 0);
}

unsigned ticket_exceeded(const struct shaper_ticket *ticket, int64_t wall_s) {
    unsigned exceeded = owner_exceeded(ticket->host, ticket->host_class, wall_s, SHAPER_HOST, SHAPER_HOST_CLASS);
    if (ticket->client != NULL) {
        struct quota *quota = &ticket->host->quota;
        uint64_t used = client_record_used_bytes(ticket->client, quota_epoch(quota, wall_s));
        exceeded |= quota_client_exceeded(quota, used, wall_s) ? 1u << SHAPER_CLIENT : 0;
    }
    if (ticket->user != NULL) {
        exceeded |= owner_exceeded(ticket->user, ticket->user_class, wall_s, SHAPER_USER, SHAPER_USER_CLASS);
    }
    return exceeded;
}
