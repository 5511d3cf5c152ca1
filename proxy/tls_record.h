/* How large the next TLS record is to be. Pure.
 *
 * A record can be used by its receiver only when all of it has come. So the first ones after a silence, while TCP's
 * window is small, fit into a segment each, and so do those of a slow, paced response; bulk goes out in full records,
 * which cost less. */
#ifndef WEIR_PROXY_TLS_RECORD_H
#define WEIR_PROXY_TLS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TLS_RECORD_FULL = 16384, /* RFC 8446, 5.1 */
    TLS_RECORD_SMALL = 1400, /* with what TLS, TCP and IPv6 add, below an Ethernet frame */
    TLS_SMALL_FIRST = 16384, /* bytes after a silence that go out in small records */
};
#define TLS_SILENCE_NS INT64_C(1000000000) /* so long without a record: TCP begins with a small window again */

/* sent: bytes since the last silence. turn: bytes that may be sent now; paced: by the shaper's leave. */
static inline size_t tls_record_bytes(uint64_t sent, size_t turn, bool paced) {
    bool small = sent < TLS_SMALL_FIRST || (paced && turn < TLS_RECORD_FULL);
    return small ? TLS_RECORD_SMALL : TLS_RECORD_FULL;
}

#endif
