/* State ADMIT and the grants of the relay. Worker's thread.
 * Always true: a ticket is open from its admission until exchange_leave_shaper(); what was written is charged once. */
#include "proxy/exchange_shape.h"

#include "proxy/generation.h"
#include "proxy/log.h"
#include "proxy/process.h"
#include "proxy/smoothing.h"
#include "proxy/worker.h"

/* Who waits for its turn looks again so often: a changed limit holds within this time. */
#define LOOK_AGAIN_NS INT64_C(100000000)

static struct shaper_time now_of(const struct exchange *exchange) {
    return (struct shaper_time){exchange->worker->now_ns, exchange->worker->now_wall_s};
}

/* A refusal of the shaper's is told when it is worth to come back. */
static void say_when(struct exchange *exchange, int64_t retry_after_s) {
    exchange->retry_after_s = retry_after_s;
}

static void log_dry_run(struct exchange *exchange, const struct shaper_decision *decision) {
    const struct worker *worker = exchange->worker;
    if (!process_may_note_dry_run(worker->process, exchange->route.host->index, decision->reason, worker->now_ns)) {
        return;
    }
    log_notice("dry run: the request would be %s (%s: %s)",
               decision->outcome == SHAPER_DELAY      ? "delayed"
               : decision->outcome == SHAPER_REDIRECT ? "redirected"
                                                      : "refused",
               shaper_reason_text(decision->reason), shaper_reason_meaning(decision->reason));
}

static void note_decision(struct exchange *exchange, const struct shaper_decision *decision) {
    if (decision->dry_run && decision->outcome != SHAPER_PASS) {
        log_dry_run(exchange, decision);
    }
    exchange->shaping = decision->outcome;
    exchange->shaping_reason = decision->reason;
    exchange->shaping_dry = decision->dry_run;
    if (decision->outcome == SHAPER_DELAY && !decision->dry_run) {
        exchange->delay_ns = decision->delay_ns;
    }
}

static enum step_result act(struct exchange *exchange, const struct shaper_decision *decision) {
    switch (decision->dry_run ? SHAPER_PASS : decision->outcome) {
    case SHAPER_PASS:
        break;
    case SHAPER_DELAY:
        exchange->delayed_until_ns = exchange->worker->now_ns + decision->delay_ns;
        exchange->state = EXCHANGE_DELAY;
        return STEP_AGAIN;
    case SHAPER_REDIRECT:
        say_when(exchange, decision->retry_after_s);
        exchange->reason = END_SHAPER_REDIRECTED;
        return exchange_answer_redirect(exchange, 302, span_of(decision->url));
    case SHAPER_REFUSE:
        say_when(exchange, decision->retry_after_s);
        return exchange_answer(exchange, (int)decision->status, END_SHAPER_REFUSED);
    }
    exchange->state = EXCHANGE_CONNECT;
    return STEP_AGAIN;
}

enum step_result exchange_step_admit(struct exchange *exchange) {
    const struct shaper_request request = {
        .host = exchange->route.host->index,
        .worker = exchange->worker->index,
        .client = exchange->from.client,
        .path = exchange->route.normal_path,
        .site = exchange->request.host,
        .visitor = exchange->from.visitor,
    };
    struct shaper_decision decision;
    shaper_admit(exchange->generation->binding, &request, now_of(exchange), &exchange->ticket, &decision);
    note_decision(exchange, &decision);
    return act(exchange, &decision);
}

/* Holds nothing but the timer: no connection to the origin is made yet. */
enum step_result exchange_step_delay(struct exchange *exchange) {
    if (exchange->worker->now_ns < exchange->delayed_until_ns) {
        exchange->pace_at_ns = exchange->delayed_until_ns;
        return STEP_WAIT;
    }
    exchange->state = EXCHANGE_CONNECT;
    return STEP_AGAIN;
}

/* The client's side is told when the response begins to be under a cap, at which rate its turns come, and when the cap
 * has gone. */
static void tell_pace(struct exchange *exchange, const struct shaper_grant *grant) {
    bool was_paced = exchange->is_paced;
    exchange->is_paced = grant->is_capped;
    if (!was_paced && !grant->is_capped) {
        return;
    }
    uint64_t rate = grant->is_capped ? grant->turns_bytes_per_s : UINT64_MAX;
    bool is_turn = grant->at_ns <= exchange->worker->now_ns && rate != exchange->paced_bytes_per_s;
    if (is_turn || was_paced != grant->is_capped) {
        exchange->paced_bytes_per_s = rate;
        exchange->operations->hint_paced(exchange->downstream, rate);
    }
}

size_t exchange_grant(struct exchange *exchange, enum shaper_direction direction, size_t wanted) {
    if (exchange->ticket.shaper == NULL || wanted == 0) {
        return wanted;
    }
    const struct worker *worker = exchange->worker;
    struct shaper_grant grant =
        shaper_reserve(&exchange->ticket, worker->generation->binding, direction, wanted, now_of(exchange));
    if (direction == SHAPER_RESPONSE) {
        tell_pace(exchange, &grant);
    }
    if (grant.at_ns > worker->now_ns) {
        int64_t again_ns = worker->now_ns + LOOK_AGAIN_NS;
        int64_t at_ns = grant.at_ns < again_ns ? grant.at_ns : again_ns;
        if (exchange->pace_at_ns == 0 || at_ns < exchange->pace_at_ns) {
            exchange->pace_at_ns = at_ns;
        }
        return 0;
    }
    return grant.bytes < wanted ? (size_t)grant.bytes : wanted;
}

bool exchange_may_end_bodiless(struct exchange *exchange) {
    uint64_t head = exchange->operations->bytes_given(exchange->downstream) - exchange->charged_bytes;
    return head == 0 || exchange_grant(exchange, SHAPER_RESPONSE, (size_t)head) > 0;
}

bool exchange_has_small_turns(struct exchange *exchange) {
    if (exchange->ticket.follows_quota) {
        return true; /* looked at again every few bytes */
    }
    (void)exchange_grant(exchange, SHAPER_RESPONSE, SHAPER_TURN_MAX_BYTES); /* so that is_paced is true of now */
    return exchange->is_paced && !smoothing_is_needless(exchange->paced_bytes_per_s);
}

void exchange_charge_response(struct exchange *exchange) {
    if (exchange->ticket.shaper == NULL) {
        return;
    }
    uint64_t written = exchange->operations->bytes_out(exchange->downstream);
    if (written > exchange->charged_bytes || shaper_awaits_charge(&exchange->ticket)) {
        shaper_charge(&exchange->ticket, SHAPER_RESPONSE, written - exchange->charged_bytes, now_of(exchange));
        exchange->charged_bytes = written;
    }
}

void exchange_charge_request(struct exchange *exchange, size_t bytes) {
    if (exchange->ticket.shaper != NULL && bytes > 0) {
        shaper_charge(&exchange->ticket, SHAPER_REQUEST_BODY, bytes, now_of(exchange));
    }
}

void exchange_set_pace_timer(struct exchange *exchange) {
    if (exchange->pace_at_ns == 0) {
        return;
    }
    int64_t wait_ns = exchange->pace_at_ns - exchange->worker->now_ns;
    exchange->pace_at_ns = 0;
    struct ev_loop *loop = exchange->worker->loop;
    ev_timer_stop(loop, &exchange->kick);
    ev_timer_set(&exchange->kick, wait_ns > 0 ? (double)wait_ns / 1e9 : 0., 0.);
    ev_timer_start(loop, &exchange->kick);
}

void exchange_expect_end(struct exchange *exchange, size_t more_bytes) {
    struct shaper_ticket *ticket = &exchange->ticket;
    if (ticket->shaper == NULL || ticket->foreseen.bytes > 0) {
        return;
    }
    uint64_t given = exchange->operations->bytes_given(exchange->downstream) + more_bytes;
    if (given > exchange->charged_bytes) {
        shaper_foresee(ticket, given - exchange->charged_bytes, now_of(exchange));
    }
    if (ticket->is_counted) {
        shaper_leave(ticket);
    }
}

void exchange_take_place_again(struct exchange *exchange) {
    if (exchange->ticket.has_left) {
        shaper_return_to_place(&exchange->ticket);
    }
}

void exchange_leave_shaper(struct exchange *exchange) {
    exchange_charge_response(exchange);
    shaper_release(&exchange->ticket, now_of(exchange));
}

/* A look at a status page is no traffic of the host's: it would change the numbers that it shows. */
void exchange_count_shaping(const struct exchange *exchange) {
    if (exchange->route.action == ROUTE_HANDLER) {
        return;
    }
    bool acted = !exchange->shaping_dry;
    bool refused = acted && (exchange->shaping == SHAPER_REFUSE || exchange->shaping == SHAPER_REDIRECT);
    const struct shaper_served served = {
        .host = exchange->route.host->index,
        .worker = exchange->worker->index,
        .client = exchange->from.client,
        .ticket = &exchange->ticket,
        .status = exchange->head_sent ? (unsigned)exchange->response.status : 0,
        .bytes_in = exchange->operations->bytes_in(exchange->downstream),
        .delay_ns = exchange->delay_ns,
        .refused = refused                           ? exchange->shaping_reason
                   : exchange->reason == END_BLOCKED ? SHAPER_REASON_BLOCKED
                                                     : SHAPER_REASON_NONE,
        .delayed = acted && exchange->shaping == SHAPER_DELAY ? exchange->shaping_reason : SHAPER_REASON_NONE,
    };
    shaper_count(exchange->generation->binding, &served);
    const struct server_limits *limits = &exchange->generation->config->server.limits;
    if ((limits->said & CBAND_SAID_FLUSH_PERIOD) != 0) {
        process_count_for_flush(exchange->worker->process, limits->score_flush_period);
    }
}

const char *exchange_class_name(const struct exchange *exchange) {
    const struct generation *generation = exchange->generation;
    if (generation->config->class_count == 0) {
        return NULL;
    }
    const struct client_class *class = shaper_class_of(generation->binding, &exchange->from.client);
    return class != NULL ? class->name : NULL;
}

const char *exchange_decision_text(const struct exchange *exchange) {
    static const char *const words[][2] = {
        [SHAPER_PASS] = {"pass", "pass"},
        [SHAPER_DELAY] = {"delayed", "dry-delayed"},
        [SHAPER_REDIRECT] = {"redirected", "dry-redirected"},
        [SHAPER_REFUSE] = {"refused", "dry-refused"},
    };
    return words[exchange->shaping][exchange->shaping_dry ? 1 : 0];
}
