/* The field section of an HTTP/1.1 message: bytes to a field list, by llhttp, after a check of what llhttp lets
 * through.
 *
 * The only file that knows llhttp is http_fields.c. Start lines are read by http_request.c and http_response.c, because
 * llhttp takes only the methods and versions that it has a name for, and any token is a method (RFC 9110, 9.1). Pure.
 */
#ifndef WEIR_PROXY_HTTP_FIELDS_H
#define WEIR_PROXY_HTTP_FIELDS_H

#include <stdbool.h>

#include "proxy/fields.h"
#include "proxy/message.h"

struct http_limits { /* 0: no bound of its own; the head as a whole is bounded by its buffer */
    unsigned line_bytes;
    unsigned field_count;
    unsigned field_bytes; /* a field line, name and value */
    bool bare_line_feed;  /* HttpProtocolOptions Unsafe: a bare LF ends a line of a request's head */
};

struct http_problem {
    int status;       /* what a client's request is answered with; an origin's is always 502 */
    const char *text; /* static: "white space before the colon of a field" */
};

/* Says why and returns false, as every parser here does when it refuses. */
static inline bool http_refuse(struct http_problem *problem, int status, const char *text) {
    *problem = (struct http_problem){status, text};
    return false;
}

enum head_scan_result {
    HEAD_INCOMPLETE, /* more bytes are needed */
    HEAD_COMPLETE,
    HEAD_REFUSED, /* *problem says why */
};

/* Looks for the end of a head without looking twice at any byte. */
struct head_scan {
    size_t line_start; /* where the line that is not finished yet begins */
    size_t scanned;    /* bytes of the head looked at */
    unsigned lines;    /* finished, the start line included */
};

/* bytes: all that has come of the head so far, from its first byte. On HEAD_COMPLETE *length is that of the head with
 * its empty line. Refuses lines without CR (unless limits->bare_line_feed) and what is beyond the limits (414, 431). */
enum head_scan_result http_scan_head(struct head_scan *scan, struct span bytes, const struct http_limits *limits,
                                     size_t *length, struct http_problem *problem);

/* Parses field lines up to and with the empty line, each ended by CRLF. The spans point into `lines`, which must live
 * as long as the list. False with *problem when they are not what RFC 9112, 5 asks for. */
bool http_parse_fields(struct span lines, struct field_list *list, struct arena *arena, struct http_problem *problem);

/* What http_take_request() and http_take_response() are made of. As much of the bytes that no line in it can be too
 * long, and a head worth taking. */
struct span http_within_limits(struct span bytes, const struct http_limits *limits);
/* The first line, if it is whole and ends in CRLF, without its end; else len 0. */
struct span http_take_line(struct span bytes);
/* Ordinary field lines and their empty line, at the start of bytes that may go on behind them. How long they are; 0:
 * they are not, and the list is of no use. http_body_framing() is asked next: it knows a number from what is none. */
size_t http_take_fields(struct span bytes, const struct http_limits *limits, struct field_list *list,
                        struct arena *arena);

/* The same for trailers, in which fields that would frame a message mean nothing: so llhttp, which would act on them,
 * is not asked. */
bool http_parse_trailers(struct span lines, struct field_list *list, struct arena *arena, struct http_problem *problem);

/* Framing from the fields (RFC 9112, 6.3), without what depends on method and status. framing is BODY_NONE when neither
 * Content-Length nor Transfer-Encoding is there. */
bool http_body_framing(const struct field_list *list, uint8_t minor_version, enum body_framing *framing,
                       uint64_t *content_length, struct http_problem *problem);

/* Classes of bytes (RFC 9110, 5.6.2; 5.5). */
bool http_is_token_byte(unsigned char byte);
bool http_is_token(struct span text);
/* No control characters but a tab; 8-bit bytes are allowed. */
bool http_is_field_text(struct span text);
size_t http_field_text_length(struct span text); /* how much of it is, from its start on */

#endif
