/* Heads of HTTP/1.x messages: bytes to values, and values to bytes. Pure; memory from the exchange's arena. */
#ifndef WEIR_PROXY_HTTP_HEAD_H
#define WEIR_PROXY_HTTP_HEAD_H

#include "proxy/buffer.h"
#include "proxy/http_fields.h"
#include "proxy/message.h"

/* bytes: a whole head with its empty line, as http_scan_head() found it; copied into the arena, so it may go
 * afterwards. https: the scheme. On failure *problem has the status; request_line and what could be understood of the
 * rest (method, target, host) are filled in all the same, for the log. */
bool http_parse_request(struct span bytes, const struct http_limits *limits, bool https, struct arena *arena,
                        struct request_head *request, struct span *request_line, struct http_problem *problem);

/* An ordinary head that lies at the start of `bytes` as a whole, in one pass: how long it is. 0: it is not whole, or
 * something about it is unusual; then nothing is known about it yet, and http_scan_head() and http_parse_request()
 * tell. What is taken here they would take too, with the same result: nothing else is ever decided here. */
size_t http_take_request(struct span bytes, const struct http_limits *limits, bool https, struct arena *arena,
                         struct request_head *request, struct span *request_line);

/* The same for the request line alone, without its end: a client that does not even send a version is told so before
 * the rest of its head has come. */
bool http_check_request_line(struct span line, struct http_problem *problem);

/* The same for an origin's response; any problem is a 502 to the client. `request_method` decides whether there is a
 * body (RFC 9112, 6.3). */
bool http_parse_response(struct span bytes, struct span request_method, struct arena *arena,
                         struct response_head *response, struct http_problem *problem);

/* As http_take_request(). */
size_t http_take_response(struct span bytes, const struct http_limits *limits, struct span request_method,
                          struct arena *arena, struct response_head *response);

/* "host", "host:port", "[v6]:port", "1.2.3.4": what may stand in Host (RFC 9110, 7.2; RFC 3986, 3.2.2), not empty. */
bool http_is_host(struct span text);
/* Only bytes that RFC 3986 allows in a path and query, and well-formed escapes in the path. */
bool http_is_path_and_query(struct span text);

/* How the body is framed on the wire that the head is written for. */
struct http_wire {
    enum body_framing framing; /* BODY_LENGTH writes Content-Length, BODY_CHUNKED Transfer-Encoding */
    uint64_t content_length;
    bool close;      /* Connection: close */
    bool keep_alive; /* Connection: keep-alive, for an HTTP/1.0 client */
    bool upgrade;    /* Connection: Upgrade with Upgrade: websocket */
};

/* The head as bytes in the arena. Fields that frame the body or belong to one connection must have been removed. */
struct span http_write_request(struct arena *arena, const struct request_head *request, struct span target,
                               const struct field_list *fields, const struct http_wire *wire);
struct span http_write_response(struct arena *arena, const struct response_head *response,
                                const struct http_wire *wire);

#endif
