/* What is sent on an origin connection, and what it waits for. Called by the exchange's steps, on the worker's thread.
 */
#include <stdio.h>

#include "proxy/exchange.h"
#include "proxy/http_chunk.h"
#include "proxy/origin_pool.h"

size_t origin_connection_send_body(struct origin_connection *connection, struct span data) {
    struct stream *stream = &connection->stream;
    if (stream->unwritable || stream->write_blocked) {
        return 0;
    }
    return connection->request_chunked ? http_send_chunk(stream, data) : stream_send(stream, data);
}

/* Reading: there must be room, and somebody must be able to use it; a full buffer means that the client takes no more.
 * Writing: only when the kernel said no. While connecting: writing, which tells how it ended. */
static int wanted_events(const struct origin_connection *connection) {
    const struct stream *stream = &connection->stream;
    if (connection->connecting) {
        return EV_WRITE;
    }
    bool full = stream->in.bytes != NULL && stream->in.start == 0 && stream->in.end == stream->in.capacity;
    bool read = !stream->eof && !stream->broken && !full && !connection->exchange->waiting_client;
    return (read ? EV_READ : 0) | (stream->write_blocked ? EV_WRITE : 0);
}

void origin_connection_settle(struct origin_connection *connection) {
    stream_want(&connection->stream, wanted_events(connection));
}
