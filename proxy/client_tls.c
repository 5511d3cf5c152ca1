/* Phase HANDSHAKE of a client's connection, and the answer to those who speak plain HTTP to a TLS port. Called by
 * client.c on the worker's thread. */
#include "proxy/client_connection.h"
#include "proxy/client_work.h"
#include "proxy/generation.h"
#include "proxy/log.h"
#include "proxy/tls_generation.h"
#include "proxy/tls_link.h"
#include "proxy/worker.h"

/* The host that the name in the handshake is for; the default host when there is none, as for requests. */
static struct tls_context *choose(void *chooser, struct span name) {
    struct client *client = chooser;
    struct worker *worker = client->stream.worker;
    const struct virtual_host *host =
        host_index_find_in(worker->generation->host_index, client_local_hosts(client), name, worker->scratch);
    return worker->generation->tls != NULL ? tls_generation_server(worker->generation->tls, worker->index, host) : NULL;
}

bool client_tls_begin(struct client *client) {
    struct worker *worker = client->stream.worker;
    struct tls_context *context = choose(client, SPAN_NONE);
    if (context == NULL) { /* a listener that changed to https while its connection waited */
        return false;
    }
    client->stream.read_short = buffer_length(&client->stream.in) == 0;
    stream_start_tls(&client->stream, tls_link_accept(worker->tls, context, client->stream.fd, choose, client));
    return true;
}

int64_t client_tls_deadline_ns(struct client *client) {
    const struct settings *settings = &host_index_default(client_local_hosts(client))->effective;
    int64_t allowed_ns = settings->read_handshake.initial_ns;
    if (allowed_ns == 0) { /* Apache's default: then it is part of the wait for a request's head */
        allowed_ns = settings->read_header.initial_ns > 0 ? settings->read_header.initial_ns : settings->timeout_ns;
    }
    return client->since_ns + allowed_ns;
}

static void print_failure(const struct client *client, const char *why) {
    char peer[IP_TEXT_MAX];
    ip_address_print(&client->from.peer, peer);
    log_info("client %s: no TLS: %s", peer, why);
}

void client_tls_expired(struct client *client) {
    counters_add(&client->stream.worker->counters, COUNTER_TLS_FAILED, 1);
    print_failure(client, "the handshake took too long (RequestReadTimeout handshake)");
}

static bool answer_plain_http(struct client *client) {
    static const char answer[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 205\r\n"
        "Connection: close\r\n\r\n"
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>400 Bad Request</title></head>\n"
        "<body><h1>400 Bad Request</h1><p>This port speaks HTTPS: begin the address with https://</p></body></html>\n";
    struct stream *stream = &client->stream;
    print_failure(client, "it speaks plain HTTP to a port for https");
    counters_add(&stream->worker->counters, COUNTER_REQUESTS_BAD, 1);
    stream_drop_tls(stream);
    stream_put(stream, SPAN_LITERAL(answer));
    (void)stream_flush(stream); /* a few hundred bytes on a fresh connection */
    stream_shutdown(stream);
    client->linger_from = stream->bytes_in;
    client_enter(client, CLIENT_LINGER);
    return true;
}

bool client_tls_work(struct client *client) {
    struct stream *stream = &client->stream;
    if (stream->read_short) {
        return false; /* its event will tell */
    }
    stream->read_short = true;
    enum tls_result result = tls_link_handshake(stream->tls);
    stream->sealed = stream->write_blocked = tls_link_is_blocked(stream->tls);
    switch (result) {
    case TLS_OK:
        client->from.tls = tls_link_facts(stream->tls);
        client_enter(client, CLIENT_IDLE);
        if (tls_link_has_more(stream->tls)) {
            stream_fill(stream);
        }
        return true;
    case TLS_BLOCKED:
        return false;
    case TLS_PLAIN_HTTP:
        return answer_plain_http(client);
    default:
        print_failure(client, tls_link_failure(stream->tls));
        client->phase = CLIENT_CLOSED;
        return false;
    }
}
