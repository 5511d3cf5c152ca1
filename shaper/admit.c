/* Deciding about a request. Called by the proxy when a request's head is complete, and at its end; any worker.
 * Always true: of a request that is not served nothing stays taken: no count, no turn, no pin. */
#include <string.h>

#include "shaper/binding.h"
#include "shaper/request_rate.h"
#include "shaper/shaper.h"
#include "shaper/ticket.h"

static const unsigned busy_status = 503; /* too many at once, or too fast; over quota it is CBandDefaultExceededCode */

_Static_assert(SHAPER_REASON_CLIENT_CONNECTIONS == SHAPER_REASON_HOST_CONNECTIONS + (int)SHAPER_CLIENT &&
                   SHAPER_REASON_CLIENT_RATE == SHAPER_REASON_HOST_RATE + (int)SHAPER_CLIENT &&
                   SHAPER_REASON_CLIENT_QUOTA == SHAPER_REASON_HOST_QUOTA + (int)SHAPER_CLIENT,
               "reasons.def has the order of enum shaper_scope");

static enum shaper_reason reason_of(enum shaper_reason first, size_t scope) {
    return (enum shaper_reason)((size_t)first + scope);
}

const char *shaper_reason_text(enum shaper_reason reason) {
    static const char *const texts[] = {
#define REASON(name, text, meaning) text,
#include "shaper/reasons.def"
#undef REASON
    };
    return texts[reason];
}

const char *shaper_reason_meaning(enum shaper_reason reason) {
    static const char *const meanings[] = {
#define REASON(name, text, meaning) meaning,
#include "shaper/reasons.def"
#undef REASON
    };
    return meanings[reason];
}

/* ---- requests being served ---- */

/* In `counted_in`, behind the bits of the scopes: the class over all hosts, where nothing is limited, only told. */
enum { COUNTED_IN_CLASS = 1u << SHAPER_SCOPES };

static void leave_counts(struct shaper_ticket *ticket) {
    for (unsigned left = ticket->counted_in & (COUNTED_IN_CLASS - 1); left != 0; left &= left - 1) {
        in_flight_leave(&ticket->scopes[__builtin_ctz(left)]->in_flight);
    }
    if ((ticket->counted_in & COUNTED_IN_CLASS) != 0) {
        in_flight_leave(&ticket->class->in_flight);
    }
    ticket->counted_in = 0;
}

static void enter_class(struct shaper_ticket *ticket) {
    if (ticket->class != NULL) {
        in_flight_enter(&ticket->class->in_flight, 0);
        ticket->counted_in |= COUNTED_IN_CLASS;
    }
}

static bool enter_counts(struct shaper_ticket *ticket, const struct speed_limit *const *speeds,
                         struct shaper_decision *decision) {
    for (size_t i = 0; i < SHAPER_SCOPES; i++) {
        if (ticket->scopes[i] == NULL) {
            continue;
        }
        if (!in_flight_enter(&ticket->scopes[i]->in_flight, speeds[i]->connections)) {
            leave_counts(ticket);
            decision->outcome = SHAPER_REFUSE;
            decision->reason = reason_of(SHAPER_REASON_HOST_CONNECTIONS, i);
            decision->status = busy_status;
            decision->retry_after_s = 1;
            return false;
        }
        ticket->counted_in |= 1u << i;
    }
    enter_class(ticket);
    return true;
}

/* ---- request rates ---- */

static void give_turns_back(struct shaper_ticket *ticket, const struct speed_limit *const *speeds, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (ticket->scopes[i] != NULL && speeds[i]->requests_per_s > 0) {
            request_rate_give_back(&ticket->scopes[i]->requests);
        }
    }
}

/* The request waits for the last of its turns. rates: bits of the scopes that may have one. */
static bool take_turns(struct shaper_ticket *ticket, const struct speed_limit *const *speeds, unsigned rates,
                       int64_t now_ns, int64_t max_delay_ns, struct shaper_decision *decision) {
    for (unsigned left = rates & ticket->counted_in; left != 0; left &= left - 1) {
        size_t i = (size_t)__builtin_ctz(left);
        if (speeds[i]->requests_per_s == 0) {
            continue;
        }
        struct request_turn turn =
            request_rate_take(&ticket->scopes[i]->requests, speeds[i]->requests_per_s, now_ns, max_delay_ns);
        if (turn.refused) {
            give_turns_back(ticket, speeds, i);
            *decision = (struct shaper_decision){.outcome = SHAPER_REFUSE,
                                                 .reason = reason_of(SHAPER_REASON_HOST_RATE, i),
                                                 .status = busy_status,
                                                 .retry_after_s = turn.retry_after_s};
            return false;
        }
        if (turn.delay_ns > decision->delay_ns) {
            decision->outcome = SHAPER_DELAY;
            decision->reason = reason_of(SHAPER_REASON_HOST_RATE, i);
            decision->delay_ns = turn.delay_ns;
        }
    }
    return true;
}

/* ---- quotas ---- */

enum { HOST_SCOPES = 1 << SHAPER_HOST | 1 << SHAPER_HOST_CLASS | 1 << SHAPER_CLIENT };
enum { USER_SCOPES = 1 << SHAPER_USER | 1 << SHAPER_USER_CLASS };

static bool is_served_over_quota(const struct traffic_limits *traffic) {
    return traffic->exceeded_url == NULL && speed_limit_is_set(&traffic->exceeded_speed);
}

static void send_elsewhere(struct shaper_decision *decision, const char *url, unsigned status) {
    decision->outcome = url != NULL ? SHAPER_REDIRECT : SHAPER_REFUSE;
    decision->url = url;
    decision->status = url != NULL ? 0 : status;
    decision->delay_ns = 0;
}

/* What comes of an exceeded quota of a host or a user: its page, its speed, the server's page, a refusal. */
static bool within_quota(unsigned exceeded, struct traffic_record *record, const struct traffic_limits *traffic,
                         const struct server_limits *server, int64_t wall_s, struct shaper_decision *decision) {
    if (exceeded == 0) {
        return true;
    }
    enum shaper_reason reason = reason_of(SHAPER_REASON_HOST_QUOTA, (size_t)__builtin_ctz(exceeded));
    if (is_served_over_quota(traffic)) {
        decision->slowed = true;
        decision->reason = decision->reason == SHAPER_REASON_NONE ? reason : decision->reason;
        return true;
    }
    const char *url = traffic->exceeded_url != NULL ? traffic->exceeded_url : server->default_exceeded_url;
    send_elsewhere(decision, url, server->default_exceeded_code);
    decision->reason = reason;
    decision->slowed = false;
    decision->retry_after_s = quota_next_allowance_s(&record->quota, wall_s);
    return false;
}

static bool is_exceeded_page(const struct host_binding *host, const struct shaper_request *request) {
    return exceeded_page_is(&host->exceeded_page, request->path, request->site) ||
           exceeded_page_is(&host->user_exceeded_page, request->path, request->site);
}

static bool within_quotas(const struct shaper_ticket *ticket, const struct shaper_binding *binding,
                          const struct host_binding *host, unsigned exceeded, int64_t wall_s,
                          struct shaper_decision *decision) {
    const struct server_limits *server = &binding->config->server.limits;
    return within_quota(exceeded & HOST_SCOPES, ticket->host, &host->limits->traffic, server, wall_s, decision) &&
           (ticket->user == NULL ||
            within_quota(exceeded & USER_SCOPES, ticket->user, &host->limits->user->traffic, server, wall_s, decision));
}

/* ---- the whole ---- */

/* What holds for the counts and rates of one request. */
struct in_force {
    const struct speed_limit *speeds[SHAPER_SCOPES];
    unsigned limited;                        /* bits of the scopes that may have one of them */
    struct scope_speeds room[SHAPER_SCOPES]; /* for those that had to be reckoned */
};

static const struct speed_limit no_limit;

/* The same speeds hold whatever comes of quotas, and for clients of all classes: they stand ready. */
static void use_ready_speeds(struct shaper_ticket *ticket, const struct shaper_binding *binding,
                             const struct host_binding *host, struct in_force *in_force) {
    const struct user_limits *user = host->limits->user;
    in_force->speeds[SHAPER_HOST] = &host->limits->traffic.speed;
    in_force->speeds[SHAPER_USER] = user != NULL ? &user->traffic.speed : &no_limit;
    in_force->speeds[SHAPER_CLIENT] = &host->remote_speed;
    in_force->speeds[SHAPER_HOST_CLASS] = in_force->speeds[SHAPER_USER_CLASS] = &no_limit;
    in_force->limited = 1 << SHAPER_HOST | 1 << SHAPER_USER | 1 << SHAPER_CLIENT;
    ticket_take_one_speed_each(ticket, binding, host->limits, in_force->speeds, in_force->limited);
}

/* The exceeded speed has its own counts and rates; a request that will be sent elsewhere is judged by the normal
 * ones. */
static void reckon_speeds(struct shaper_ticket *ticket, const struct shaper_binding *binding,
                          const struct host_binding *host, unsigned exceeded, struct in_force *in_force) {
    binding_speeds(binding, host->limits, ticket_class_id(ticket), in_force->room);
    ticket_take_speeds(ticket, binding, host->limits, in_force->room);
    in_force->limited = HOST_SCOPES | USER_SCOPES;
    unsigned slowed = is_served_over_quota(&host->limits->traffic) ? HOST_SCOPES : 0;
    slowed |= host->limits->user != NULL && is_served_over_quota(&host->limits->user->traffic) ? USER_SCOPES : 0;
    for (size_t i = 0; i < SHAPER_SCOPES; i++) {
        const struct scope_speeds *speeds = &in_force->room[i];
        in_force->speeds[i] = (exceeded & slowed & 1u << i) != 0 ? &speeds->exceeded : &speeds->normal;
    }
}

/* Nothing is asked: the request is only counted. */
static void enter_uncapped(struct shaper_ticket *ticket, int64_t wall_s) {
    for (size_t i = 0; i < SHAPER_SCOPES; i++) {
        if (ticket->scopes[i] != NULL) {
            in_flight_enter(&ticket->scopes[i]->in_flight, 0);
            ticket->counted_in |= 1u << i;
        }
    }
    enter_class(ticket);
    if (ticket->client != NULL) {
        client_record_note(ticket->client, false, false, wall_s);
    }
}

void shaper_admit(struct shaper_binding *binding, const struct shaper_request *request, struct shaper_time now,
                  struct shaper_ticket *ticket, struct shaper_decision *decision) {
    const struct host_binding *host = &binding->hosts[request->host];
    *decision = (struct shaper_decision){.outcome = SHAPER_PASS};
    ticket_open(ticket, binding, request, now);
    if (ticket->is_uncapped) {
        enter_uncapped(ticket, now.wall_s);
        return;
    }
    struct in_force in_force;
    unsigned exceeded = ticket_exceeded(ticket, now.wall_s);
    if (host->slows_nobody && (!host->tells_classes || ticket->class == NULL)) {
        use_ready_speeds(ticket, binding, host, &in_force);
    } else {
        reckon_speeds(ticket, binding, host, exceeded, &in_force);
    }
    if (exceeded != 0 && is_exceeded_page(host, request)) {
        exceeded = 0;
    }

    bool is_served = enter_counts(ticket, in_force.speeds, decision);
    if (is_served &&
        !take_turns(ticket, in_force.speeds, in_force.limited, now.mono_ns, host->limits->max_delay_ns, decision)) {
        leave_counts(ticket);
        is_served = false;
    }
    if (is_served && exceeded != 0 && !within_quotas(ticket, binding, host, exceeded, now.wall_s, decision)) {
        give_turns_back(ticket, in_force.speeds, SHAPER_SCOPES);
        leave_counts(ticket);
        is_served = false;
    }
    decision->dry_run = ticket->dry_run;
    if (ticket->client != NULL) {
        bool is_delayed = is_served && decision->outcome == SHAPER_DELAY && !ticket->dry_run;
        client_record_note(ticket->client, !is_served && !ticket->dry_run, is_delayed, now.wall_s);
    }
    if (!is_served && !ticket->dry_run) {
        shaper_release(ticket, now);
    }
}

/* ---- counting ---- */

static enum tally_counter counter_of(unsigned status) {
    unsigned class = status / 100;
    return class >= 1 && class <= 5 ? TALLY_RESPONSES_1XX + class - 1 : TALLY_NO_RESPONSE;
}

static inline void count_one(struct tally *tally, const struct shaper_served *served, enum tally_counter counter) {
    tally_add(&tally->value[TALLY_REQUESTS], 1);
    tally_add(&tally->value[TALLY_BYTES_IN], served->bytes_in);
    tally_add(&tally->value[counter], 1);
    if (served->refused != SHAPER_REASON_NONE) {
        tally_add(&tally->refused[served->refused], 1);
    }
    if (served->delayed != SHAPER_REASON_NONE) {
        tally_add(&tally->delayed[served->delayed], 1);
        tally_add(&tally->value[TALLY_DELAY_US], (uint64_t)served->delay_ns / 1000);
    }
}

/* Of a request that the shaper was not asked about. Returns how many there are. */
static size_t find_tallies(const struct shaper_binding *binding, const struct shaper_served *served,
                           struct tally **tallies) {
    const struct host_binding *host = &binding->hosts[served->host];
    size_t count = 0;
    tallies[count++] = tally_of(host->record->tallies, served->worker);
    if (host->user_record != NULL) {
        tallies[count++] = tally_of(host->user_record->tallies, served->worker);
    }
    bool has_classes = binding->config->class_count > 0;
    const struct client_class *class = has_classes ? class_tree_find(binding->classes, &served->client) : NULL;
    if (class != NULL) {
        tallies[count++] = tally_of(binding->class_records[class->index]->tallies, served->worker);
    }
    return count;
}

void shaper_count(const struct shaper_binding *binding, const struct shaper_served *served) {
    const struct shaper_ticket *ticket = served->ticket;
    bool was_asked = ticket != NULL && ticket->tally_count > 0;
    struct tally *room[TICKET_TALLIES], *const *tallies = was_asked ? ticket->tallies : room;
    size_t count = was_asked ? ticket->tally_count : find_tallies(binding, served, room);
    enum tally_counter counter = counter_of(served->status);
    for (size_t i = 0; i < count; i++) {
        count_one(tallies[i], served, counter);
    }
}

/* ---- the end ---- */

void shaper_leave(struct shaper_ticket *ticket) {
    unsigned counted_in = ticket->counted_in;
    leave_counts(ticket);
    ticket->left |= counted_in;
}

void shaper_return_to_place(struct shaper_ticket *ticket) {
    for (size_t i = 0; i < SHAPER_SCOPES; i++) {
        if ((ticket->left & 1u << i) != 0) {
            in_flight_enter(&ticket->scopes[i]->in_flight, 0);
        }
    }
    if ((ticket->left & COUNTED_IN_CLASS) != 0) {
        in_flight_enter(&ticket->class->in_flight, 0);
    }
    ticket->counted_in |= ticket->left;
    ticket->left = 0;
}

void shaper_release(struct shaper_ticket *ticket, struct shaper_time now) {
    if (ticket->shaper == NULL) {
        return;
    }
    if (!ticket->is_uncapped) {
        shaper_return(ticket, SHAPER_RESPONSE);
        shaper_return(ticket, SHAPER_REQUEST_BODY);
    }
    leave_counts(ticket);
    ticket_give_client_back(ticket, now);
    ticket_clear(ticket);
}
