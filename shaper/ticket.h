/* A ticket's beginning and end, and what holds for it at a moment. Internal to shaper/: admit.c decides with these,
 * grant.c paces. The worker that the ticket belongs to. */
#ifndef WEIR_SHAPER_TICKET_H
#define WEIR_SHAPER_TICKET_H

#include "shaper/binding.h"
#include "shaper/shaper.h"

/* Makes it a zeroed one. */
void ticket_clear(struct shaper_ticket *ticket);

/* Finds the records of everything that the request is counted under; pins the client's. Counts nothing yet. */
void ticket_open(struct shaper_ticket *ticket, const struct shaper_binding *binding,
                 const struct shaper_request *request, struct shaper_time now);

/* To the connection that may need it again, or to the table. */
void ticket_give_client_back(struct shaper_ticket *ticket, struct shaper_time now);

/* Whether no quota is exceeded, by what is known of this moment; false: ticket_exceeded() knows. */
static inline bool ticket_is_surely_within(const struct shaper_ticket *ticket, int64_t wall_s) {
    const struct quota_class *host_class = ticket->host_class != NULL ? &ticket->host_class->usage : NULL;
    const struct quota_class *user_class = ticket->user_class != NULL ? &ticket->user_class->usage : NULL;
    return quota_is_surely_within(&ticket->host->quota, host_class, wall_s) &&
           (ticket->client == NULL || !quota_limits_clients(&ticket->host->quota)) &&
           (ticket->user == NULL || quota_is_surely_within(&ticket->user->quota, user_class, wall_s));
}

/* The class of the ticket's client, or BINDING_NO_CLASS. */
size_t ticket_class_id(const struct shaper_ticket *ticket);

/* Takes the speeds that the response and the request's body are held to. */
void ticket_take_speeds(struct shaper_ticket *ticket, const struct shaper_binding *binding,
                        const struct host_limits *limits, const struct scope_speeds *speeds);

/* The same where each scope has one speed, whatever comes of its quota. */
void ticket_take_one_speed_each(struct shaper_ticket *ticket, const struct shaper_binding *binding,
                                const struct host_limits *limits, const struct speed_limit *const *speeds);

/* The parts of the client's class are scopes of their own: where a quota that is exceeded may limit them. */
static inline void ticket_tell_class_parts(struct shaper_ticket *ticket) {
    ticket->scopes[SHAPER_HOST_CLASS] = ticket->host_class != NULL ? &ticket->host_class->scope : NULL;
    ticket->scopes[SHAPER_USER_CLASS] = ticket->user_class != NULL ? &ticket->user_class->scope : NULL;
}

/* One more, unless it is 0. */
void ticket_add_speed(struct shaper_speeds *speeds, struct lane *lane, uint64_t bits_per_s);
/* Those of the response, when the quotas of these scopes (bits) are exceeded; speeds->count must be 0. */
void ticket_find_speeds(const struct shaper_ticket *ticket, unsigned exceeded, struct shaper_speeds *speeds);

/* The same from a later binding. A host that is no longer in it keeps the speeds it had. */
void ticket_rebind(struct shaper_ticket *ticket, const struct shaper_binding *binding, struct shaper_time now);

/* Bytes of the response have been sent: those of them that were not foreseen count in the quotas, and those foreseen
 * that were not sent no longer do. */
void ticket_count_sent(struct shaper_ticket *ticket, uint64_t bytes, int64_t wall_s);

/* Bits (1 << enum shaper_scope): whose quota is exceeded. */
unsigned ticket_exceeded(const struct shaper_ticket *ticket, int64_t wall_s);

#endif
