/* New connections, by the limits of DOSConnectionCount, DOSConcurrentConnections and blocks. Called by client.c. */
#include "proxy/burst_gate.h"

#include <inttypes.h>
#include <stdio.h>

#include "proxy/generation.h"
#include "proxy/log.h"
#include "proxy/remote_ip.h"
#include "proxy/worker.h"

static struct shaper_time now_of(const struct worker *worker) {
    return (struct shaper_time){worker->now_ns, worker->now_wall_s};
}

/* In the form of postfix's anvil, for filters that know it; log_text() because others of the same second are about
 * other clients, and none of them may be left out. */
static void log_refusal(const struct burst_verdict *verdict, const struct exchange_client *from) {
    bool is_rate = verdict->reason == BURST_REASON_CONNECTION_RATE;
    char address[IP_TEXT_MAX], left_out[64] = "", text[256];
    ip_address_print(&from->client, address);
    if (verdict->lines_left_out > 0) {
        snprintf(left_out, sizeof left_out, " (%" PRIu32 " lines like it left out)", verdict->lines_left_out);
    }
    if (verdict->log_only) {
        snprintf(text, sizeof text, "DOSLogOnly: connection %s of %s would be refused: %" PRIu64 " for service %s%s",
                 is_rate ? "rate" : "concurrency", address, verdict->count, from->https ? "https" : "http", left_out);
    } else {
        snprintf(text, sizeof text,
                 "warning: Connection %s limit exceeded: %" PRIu64 " from unknown[%s] for service %s%s",
                 is_rate ? "rate" : "concurrency", verdict->count, address, from->https ? "https" : "http", left_out);
    }
    log_text(LOG_LEVEL_WARN, text);
}

bool burst_gate_admits(struct worker *worker, const struct virtual_host *host, int fd, struct exchange_client *from) {
    if (remote_ip_trusts(&host->effective, &from->client)) {
        return true;
    }
    struct burst_verdict verdict;
    if (!burst_connect(worker->generation->burst, &host->burst, &from->client, now_of(worker), &verdict,
                       &from->connected)) {
        return true;
    }
    if (verdict.may_log) {
        log_refusal(&verdict, from);
    }
    if (verdict.log_only) {
        return true;
    }
    counters_add(&worker->counters, COUNTER_CLIENT_CONNECTIONS_BLOCKED, 1);
    if (host->burst.action == BURST_ACTION_RESET) {
        const struct linger reset = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    return false;
}

void burst_gate_leave(struct worker *worker, struct exchange_client *from) {
    burst_disconnect(worker->generation->burst, &from->connected);
}
