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

static void leave_counts(struct shaper_ticket *ticket) {
    for (size_t i = 0; i < ticket->count_count; i++) {
        in_flight_leave(ticket->counts[i]);
    }
    ticket->is_counted = false;
}

static bool refuse_busy(struct shaper_ticket *ticket, size_t scope, struct shaper_decision *decision) {
    leave_counts(ticket);
    decision->outcome = SHAPER_REFUSE;
    decision->reason = reason_of(SHAPER_REASON_HOST_CONNECTIONS, scope);
    decision->status = busy_status;
    decision->retry_after_s = 1;
    return false;
}

static inline bool enter_counts(struct shaper_ticket *ticket, const struct speed_limit *const *speeds,
                                struct shaper_decision *decision) {
    size_t entered = 0;
#pragma GCC unroll 5
    for (size_t i = 0; i < SHAPER_SCOPES; i++) {
        if (ticket->scopes[i] == NULL) {
            continue;
        }
        struct in_flight *count = &ticket->scopes[i]->in_flight;
        if (!in_flight_enter(count, speeds[i]->connections)) {
            ticket->count_count = entered;
            return refuse_busy(ticket, i, decision);
        }
        ticket->counts[entered++] = count;
    }
    if (ticket->class != NULL) { /* over all hosts, where nothing is limited, only told */
        in_flight_enter(&ticket->class->in_flight, 0);
        ticket->counts[entered++] = &ticket->class->in_flight;
    }
    ticket->count_count = entered;
    ticket->is_counted = true;
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

/* One that is not to be had at once. False: not at all, and those before it are given back. */
__attribute__((noinline)) static bool take_late_turn(struct shaper_ticket *ticket,
                                                     const struct speed_limit *const *speeds, size_t scope,
                                                     int64_t now_ns, int64_t max_delay_ns,
                                                     struct shaper_decision *decision) {
    struct request_turn turn =
        request_rate_take(&ticket->scopes[scope]->requests, speeds[scope]->requests_per_s, now_ns, max_delay_ns);
    if (turn.refused) {
        give_turns_back(ticket, speeds, scope);
        *decision = (struct shaper_decision){.outcome = SHAPER_REFUSE,
                                             .reason = reason_of(SHAPER_REASON_HOST_RATE, scope),
                                             .status = busy_status,
                                             .retry_after_s = turn.retry_after_s};
        return false;
    }
    if (turn.delay_ns > decision->delay_ns) {
        decision->outcome = SHAPER_DELAY;
        decision->reason = reason_of(SHAPER_REASON_HOST_RATE, scope);
        decision->delay_ns = turn.delay_ns;
    }
    return true;
}

/* The request waits for the last of its turns. */
static inline bool take_turns(struct shaper_ticket *ticket, const struct speed_limit *const *speeds, int64_t now_ns,
                              int64_t max_delay_ns, struct shaper_decision *decision) {
#pragma GCC unroll 5
    for (size_t i = 0; i < SHAPER_SCOPES; i++) {
        struct traffic_scope *scope = ticket->scopes[i];
        uint32_t per_s = speeds[i]->requests_per_s;
        if (scope != NULL && per_s > 0 && !request_rate_take_at_once(&scope->requests, per_s, now_ns) &&
            !take_late_turn(ticket, speeds, i, now_ns, max_delay_ns, decision)) {
            return false;
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

static const struct speed_limit no_limit;

/* By these speeds, one a scope. */
__attribute__((always_inline)) static inline void judge(struct shaper_ticket *ticket,
                                                        const struct shaper_binding *binding,
                                                        const struct host_binding *host,
                                                        const struct speed_limit *const *speeds, unsigned exceeded,
                                                        struct shaper_time now, struct shaper_decision *decision) {
    bool is_served = enter_counts(ticket, speeds, decision);
    if (is_served && !take_turns(ticket, speeds, now.mono_ns, host->limits->max_delay_ns, decision)) {
        leave_counts(ticket);
        is_served = false;
    }
    if (is_served && exceeded != 0 && !within_quotas(ticket, binding, host, exceeded, now.wall_s, decision)) {
        give_turns_back(ticket, speeds, SHAPER_SCOPES);
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

/* The same speeds hold whatever comes of quotas, and for clients of all classes: they stand ready. */
static inline void judge_by_ready_speeds(struct shaper_ticket *ticket, const struct shaper_binding *binding,
                                         const struct host_binding *host, unsigned exceeded, struct shaper_time now,
                                         struct shaper_decision *decision) {
    const struct user_limits *user = host->limits->user;
    const struct speed_limit *const speeds[SHAPER_SCOPES] = {
        [SHAPER_HOST] = &host->limits->traffic.speed,
        [SHAPER_HOST_CLASS] = &no_limit,
        [SHAPER_USER] = user != NULL ? &user->traffic.speed : &no_limit,
        [SHAPER_USER_CLASS] = &no_limit,
        [SHAPER_CLIENT] = &host->remote_speed,
    };
    ticket_take_one_speed_each(ticket, binding, host->limits, speeds);
    judge(ticket, binding, host, speeds, exceeded, now, decision);
}

/* The exceeded speed has its own counts and rates; a request that will be sent elsewhere is judged by the normal
 * ones. over_quota: what is exceeded; exceeded: what of it is judged. */
__attribute__((noinline)) static void judge_by_reckoned_speeds(struct shaper_ticket *ticket,
                                                               const struct shaper_binding *binding,
                                                               const struct host_binding *host, unsigned over_quota,
                                                               unsigned exceeded, struct shaper_time now,
                                                               struct shaper_decision *decision) {
    struct scope_speeds room[SHAPER_SCOPES];
    const struct speed_limit *speeds[SHAPER_SCOPES];
    ticket_tell_class_parts(ticket);
    binding_speeds(binding, host->limits, ticket_class_id(ticket), room);
    ticket_take_speeds(ticket, binding, host->limits, room);
    unsigned slowed = is_served_over_quota(&host->limits->traffic) ? HOST_SCOPES : 0;
    slowed |= host->limits->user != NULL && is_served_over_quota(&host->limits->user->traffic) ? USER_SCOPES : 0;
    for (size_t i = 0; i < SHAPER_SCOPES; i++) {
        speeds[i] = (over_quota & slowed & 1u << i) != 0 ? &room[i].exceeded : &room[i].normal;
    }
    judge(ticket, binding, host, speeds, exceeded, now, decision);
}

/* Nothing is asked: the request is only counted. */
static void enter_uncapped(struct shaper_ticket *ticket, int64_t wall_s) {
    static const struct speed_limit *const unlimited[SHAPER_SCOPES] = {&no_limit, &no_limit, &no_limit, &no_limit,
                                                                       &no_limit};
    struct shaper_decision unused;
    enter_counts(ticket, unlimited, &unused);
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
    unsigned over_quota = ticket_is_surely_within(ticket, now.wall_s) ? 0 : ticket_exceeded(ticket, now.wall_s);
    unsigned exceeded = over_quota != 0 && is_exceeded_page(host, request) ? 0 : over_quota;
    if (host->slows_nobody && (!host->tells_classes || ticket->class == NULL)) {
        judge_by_ready_speeds(ticket, binding, host, exceeded, now, decision);
    } else {
        judge_by_reckoned_speeds(ticket, binding, host, over_quota, exceeded, now, decision);
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
}

/* A request that has not simply passed. */
static void count_decision(struct tally *tally, const struct shaper_served *served) {
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
    if (served->refused == SHAPER_REASON_NONE && served->delayed == SHAPER_REASON_NONE) {
        for (size_t i = 0; i < count; i++) {
            count_one(tallies[i], served, counter);
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        count_one(tallies[i], served, counter);
        count_decision(tallies[i], served);
    }
}

/* ---- the end ---- */

void shaper_leave(struct shaper_ticket *ticket) {
    if (ticket->is_counted) {
        leave_counts(ticket);
        ticket->has_left = true;
    }
}

void shaper_return_to_place(struct shaper_ticket *ticket) {
    for (size_t i = 0; i < ticket->count_count; i++) {
        in_flight_enter(ticket->counts[i], 0);
    }
    ticket->is_counted = true;
    ticket->has_left = false;
}

void shaper_release(struct shaper_ticket *ticket, struct shaper_time now) {
    if (ticket->shaper == NULL) {
        return;
    }
    for (int i = 0; i < SHAPER_DIRECTIONS; i++) {
        if (ticket->holds[i].bytes > 0) {
            shaper_return(ticket, (enum shaper_direction)i);
        }
    }
    if (ticket->is_counted) {
        leave_counts(ticket);
    }
    ticket_give_client_back(ticket, now);
    ticket_clear(ticket);
}
