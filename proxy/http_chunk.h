/* The chunked coding on the way out (RFC 9112, 7.1), into a stream's buffer. One worker. */
#ifndef WEIR_PROXY_HTTP_CHUNK_H
#define WEIR_PROXY_HTTP_CHUNK_H

#include "proxy/fields.h"
#include "proxy/stream.h"

/* Copies as much of `data` as fits as one chunk, writing out what is there when it does not fit. Returns how many bytes
 * of data were taken; fewer than all of them: blocked. */
size_t http_send_chunk(struct stream *stream, struct span data);

/* The last chunk with the trailers that may be passed on (RFC 9110, 6.5.1); NULL for none. */
void http_send_last_chunk(struct stream *stream, struct arena *arena, const struct field_list *trailers);

#endif
