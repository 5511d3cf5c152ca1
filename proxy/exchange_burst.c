/* Requests and burst blocking, in state ROUTE and before it. Always true: a refused request has asked no origin, has no
 * ticket of the shaper's and waits for nothing but its answer's last bytes. */
#include "proxy/exchange_burst.h"

#include "proxy/generation.h"
#include "proxy/host_index.h"
#include "proxy/http_head.h"
#include "proxy/process_blocks.h"
#include "proxy/remote_ip.h"
#include "proxy/worker.h"

static void refuse(struct exchange *exchange, const struct burst_limits *limits, const struct burst_verdict *verdict) {
    counters_add(&exchange->worker->counters, COUNTER_REQUESTS_BLOCKED, 1);
    if (limits->action == BURST_ACTION_STATUS) {
        exchange->retry_after_s = verdict->retry_after_s;
        exchange_answer(exchange, (int)limits->status, END_BLOCKED);
    } else {
        exchange->reset_client = limits->action == BURST_ACTION_RESET;
        exchange_abort(exchange, END_BLOCKED);
    }
}

static bool ask(struct exchange *exchange, const struct virtual_host *host, struct span path) {
    struct worker *worker = exchange->worker;
    const struct burst_request request = {
        .host_id = exchange->generation->burst_host_ids[host->index],
        .client = exchange->from.client,
        .path = path,
        .connected = exchange->from.connected,
    };
    struct shaper_time now = {worker->now_ns, worker->now_wall_s};
    struct burst_verdict verdict;
    if (!burst_request(exchange->generation->burst, &host->burst, &request, worker->scratch, now, &verdict)) {
        return false;
    }
    exchange->burst_reason = verdict.reason;
    if (verdict.is_new) {
        process_post_block(worker, &(struct process_block){.client = exchange->from.client,
                                                           .blocked = verdict.blocked,
                                                           .host_id = request.host_id,
                                                           .reason = verdict.reason,
                                                           .log_only = verdict.log_only,
                                                           .wall_us = worker->now_wall_us});
    }
    if (!verdict.log_only) {
        refuse(exchange, &host->burst, &verdict);
    }
    return !verdict.log_only;
}

bool exchange_burst_refuses(struct exchange *exchange) {
    bool has_path = exchange->route.written_path.len > 0; /* else it is about to be answered 400 */
    return ask(exchange, exchange->route.host, has_path ? exchange->route.normal_path : SPAN_NONE);
}

/* Its host, as far as it can be known; without one the default host of the address has it. */
static const struct virtual_host *host_of_bad(struct exchange *exchange) {
    struct span name = exchange->request.host;
    const struct field *field = fields_find_id(&exchange->request.fields, FIELD_HOST);
    if (name.ptr == NULL && field != NULL && http_is_host(field->value)) {
        name = field->value;
    }
    return name.ptr == NULL ? exchange->route.host
                            : host_index_find(exchange->generation->host_index, &exchange->from.local,
                                              exchange->from.local_port, name, exchange->worker->scratch);
}

bool exchange_burst_refuses_bad(struct exchange *exchange) {
    const struct virtual_host *host = host_of_bad(exchange);
    if (!host->burst.enabled) {
        return false;
    }
    bool is_proxy = remote_ip_trusts(&host->effective, &exchange->from.client);
    exchange_find_real_client(exchange, &host->effective);
    if (is_proxy && ip_address_equal(&exchange->from.client, &exchange->from.peer)) {
        return false; /* whom the proxy speaks for was not to be read: nobody is charged */
    }
    exchange->close_after = true; /* where the next request begins is not known */
    return ask(exchange, host, SPAN_NONE);
}
