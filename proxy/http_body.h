/* The body of an HTTP/1.x message as it lies in a buffer: where its data is, between the framing, and where it ends.
 *
 * RFC 9112, 6 and 7.1, strictly: chunk sizes of 1 to 16 hexadecimal digits below 2^63, extensions by their grammar and
 * at most 512 bytes a line, every line ended by CRLF, trailers at most 8 KiB. Pure; one worker. */
#ifndef WEIR_PROXY_HTTP_BODY_H
#define WEIR_PROXY_HTTP_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/http_fields.h"

enum { CHUNK_LINE_MAX = 512, TRAILER_BYTES_MAX = 8192 };

enum body_status {
    BODY_DATA, /* *data has at least one byte */
    BODY_MORE, /* nothing to be had until more bytes come */
    BODY_END,  /* complete; what follows in the buffer belongs to the next message */
    BODY_BAD,  /* not what it should be: *problem says how */
};

enum body_phase { BODY_PHASE_SIZE, BODY_PHASE_DATA, BODY_PHASE_DATA_END, BODY_PHASE_TRAILER, BODY_PHASE_DONE };

struct body_decoder {
    enum body_framing framing;
    enum body_phase phase;
    uint64_t remaining;  /* bytes of the body, or of the chunk, still to come */
    uint64_t data_bytes; /* of the body so far, without framing */
    bool padded_sizes;   /* blanks may follow a chunk size: Apache 1.3 and its kin write it so; from origins only */
    struct field_list trailers;    /* after BODY_END of a chunked body */
    struct arena *arena;           /* for the trailers */
    const struct field_list *head; /* what its Connection names is no trailer either; NULL: nothing is named */
};

void body_decoder_start(struct body_decoder *decoder, enum body_framing framing, uint64_t content_length,
                        struct arena *arena);

/* input: what lies in the buffer, unconsumed. *skip: framing bytes to be consumed first; *data then begins there. eof:
 * no more will come, which ends a body delimited by close and spoils any other. */
enum body_status body_decode(struct body_decoder *decoder, struct span input, bool eof, size_t *skip, struct span *data,
                             struct http_problem *problem);

/* So many bytes of the data that body_decode() showed have been used. */
void body_decoder_used(struct body_decoder *decoder, size_t bytes);

/* True when the framing lets no more come, without looking at any input. */
static inline bool body_decoder_done(const struct body_decoder *decoder) {
    return decoder->phase == BODY_PHASE_DONE;
}

#endif
