/* Heads of a request and of a response as values, without a wire protocol. Owned by the exchange's arena. */
#ifndef WEIR_PROXY_MESSAGE_H
#define WEIR_PROXY_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/ipaddr.h"
#include "config/span.h"
#include "proxy/fields.h"

enum body_framing {
    BODY_NONE,   /* there is no body */
    BODY_LENGTH, /* content_length bytes */
    BODY_CHUNKED,
    BODY_UNTIL_CLOSE, /* responses only */
};

struct request_head {
    struct span method; /* a token, as written */
    struct span target; /* as written */
    struct span scheme; /* "http" or "https": of the connection, whatever an absolute target says */
    struct span
        host; /* of an absolute target, else of the Host field: "name" or "name:port"; len 0: HTTP/1.0 without */
    struct span path;      /* raw path, begins with "/"; or "*" */
    struct span query;     /* without "?"; ptr NULL: none */
    uint8_t minor_version; /* 0 or 1: HTTP/1.0 or 1.1 */
    struct field_list fields;
    enum body_framing framing;
    uint64_t content_length; /* 0 before a chunked body, then counted up as it is sent on, for LimitRequestBody */
    bool keep_alive;         /* what the client asks for */
    bool expect_continue;    /* Expect: 100-continue from a 1.1 client */
    bool upgrade_websocket;
};

struct response_head {
    int status;
    struct span reason; /* may be empty */
    uint8_t minor_version;
    struct field_list fields;
    enum body_framing framing;
    uint64_t content_length;
    bool keep_alive; /* whether the origin's connection can be used again */
};

/* "Not Found"; "" for a status without a known phrase. 509 is "Bandwidth Limit Exceeded". */
const char *status_reason(int status);

#endif
