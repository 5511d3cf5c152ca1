/* proxy/proxy_protocol.h: any bytes, and the same bytes in two pieces. What is accepted keeps its promises. */
#include <assert.h>
#include <stdint.h>

#include "proxy/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct span bytes = {(const char *)data, size};
    struct proxy_protocol_header header = {0}, part = {0};
    const char *reason = NULL;
    enum proxy_protocol_verdict verdict = proxy_protocol_parse(bytes, &header, &reason);
    if (verdict == PROXY_PROTOCOL_BAD) {
        assert(reason != NULL);
    } else if (verdict == PROXY_PROTOCOL_NEED_MORE) {
        assert(size < PROXY_PROTOCOL_MAX_BYTES);
    } else {
        assert(header.length <= size && header.length <= PROXY_PROTOCOL_MAX_BYTES);
        assert(!header.has_addresses || header.source.family == IP_V4 || header.source.family == IP_V6);
        /* Exactly its own bytes give the same; one fewer is not enough. */
        assert(proxy_protocol_parse((struct span){bytes.ptr, header.length}, &part, &reason) == PROXY_PROTOCOL_OK);
        assert(part.length == header.length && ip_address_equal(&part.source, &header.source));
        assert(proxy_protocol_parse((struct span){bytes.ptr, header.length - 1}, &part, &reason) ==
               PROXY_PROTOCOL_NEED_MORE);
    }
    size_t cut = size / 2; /* what is bad early stays bad; what is bad late was not accepted early */
    if (proxy_protocol_parse((struct span){bytes.ptr, cut}, &part, &reason) == PROXY_PROTOCOL_BAD) {
        assert(verdict == PROXY_PROTOCOL_BAD);
    }
    return 0;
}
