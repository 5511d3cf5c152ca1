/* What a response has sent, in the quotas and in what is shown. Called by grant.c for each charge, and by the proxy for
 * last bytes, on the ticket's worker.
 *
 * Always true: what the quotas have of a ticket is what was charged, and besides, until the next charge, what is
 * foreseen. */
#include <assert.h>

#include "shaper/shaper.h"
#include "shaper/ticket.h"

static struct quota_class *usage_of(struct traffic_class *class) {
    return class != NULL ? &class->usage : NULL;
}

/* In the quotas; *epochs is set to those that the bytes count in. */
static inline void use_bytes(const struct shaper_ticket *ticket, uint64_t bytes, int64_t wall_s,
                             struct shaper_foreseen *epochs) {
    epochs->host_epoch = quota_count(&ticket->host->quota, usage_of(ticket->host_class), bytes, wall_s);
    if (ticket->client != NULL) {
        client_record_use(ticket->client, bytes, epochs->host_epoch);
    }
    if (ticket->user != NULL) {
        epochs->user_epoch = quota_count(&ticket->user->quota, usage_of(ticket->user_class), bytes, wall_s);
    }
}

void shaper_foresee(struct shaper_ticket *ticket, uint64_t bytes, struct shaper_time now) {
    assert(ticket->foreseen.bytes == 0);
    use_bytes(ticket, bytes, now.wall_s, &ticket->foreseen);
    ticket->foreseen.bytes = bytes;
}

static void take_back(const struct shaper_ticket *ticket, uint64_t bytes) {
    const struct shaper_foreseen *foreseen = &ticket->foreseen;
    quota_take_back(&ticket->host->quota, usage_of(ticket->host_class), bytes, foreseen->host_epoch);
    if (ticket->client != NULL) {
        client_record_take_back(ticket->client, bytes, foreseen->host_epoch);
    }
    if (ticket->user != NULL) {
        quota_take_back(&ticket->user->quota, usage_of(ticket->user_class), bytes, foreseen->user_epoch);
    }
}

/* What was written is not what was foreseen. */
__attribute__((noinline)) static void correct_use(const struct shaper_ticket *ticket, uint64_t bytes, int64_t wall_s) {
    uint64_t foreseen = ticket->foreseen.bytes;
    if (bytes > foreseen) {
        use_bytes(ticket, bytes - foreseen, wall_s, &(struct shaper_foreseen){0});
    } else {
        take_back(ticket, foreseen - bytes);
    }
}

void ticket_count_sent(struct shaper_ticket *ticket, uint64_t bytes, int64_t wall_s) {
    for (size_t i = 0; i < ticket->tally_count; i++) {
        tally_add(&ticket->tallies[i]->value[TALLY_BYTES_OUT], bytes);
    }
    if (ticket->client != NULL) {
        client_record_count(ticket->client, bytes, wall_s);
    }
    if (bytes != ticket->foreseen.bytes) {
        correct_use(ticket, bytes, wall_s);
    }
    ticket->foreseen.bytes = 0;
}
