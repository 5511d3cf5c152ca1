/* The parser of PROXY headers. Called by the client's connection while it waits for the header, on its worker; by the
 * fuzzer. Strict where the specification leaves no choice: what is not a header is refused at the first wrong byte.
 * Invariant: header->length never exceeds the bytes given. */
#include "proxy/proxy_protocol.h"

static const char signature_v1[] = "PROXY ";
static const unsigned char signature_v2[] = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};

enum {
    V2_FIXED_BYTES = 16,
    V2_COMMAND_LOCAL = 0,
    V2_COMMAND_PROXY = 1,
    V2_FAMILY_INET = 1,
    V2_FAMILY_INET6 = 2,
    V2_FAMILY_LAST = 3, /* AF_UNIX */
    V2_TRANSPORT_STREAM = 1,
    V2_TRANSPORT_LAST = 2,
    V2_INET_BYTES = 12,
    V2_INET6_BYTES = 36,
};

static enum proxy_protocol_verdict bad(const char **reason, const char *text) {
    if (reason != NULL) {
        *reason = text;
    }
    return PROXY_PROTOCOL_BAD;
}

/* ---- version 1: one line of text ---- */

/* Takes the word up to the next space, or all that is left; false when it is empty. */
static bool take_word(struct span *rest, struct span *word) {
    const char *space = rest->len > 0 ? memchr(rest->ptr, ' ', rest->len) : NULL;
    word->ptr = rest->ptr;
    word->len = space != NULL ? (size_t)(space - rest->ptr) : rest->len;
    *rest = span_skip(*rest, space != NULL ? word->len + 1 : word->len);
    return word->len > 0;
}

static bool parse_port(struct span text, uint16_t *port) {
    if (text.len < 1 || text.len > 5 || (text.len > 1 && text.ptr[0] == '0')) {
        return false;
    }
    unsigned value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

static bool parse_address(struct span text, bool v6, struct ip_address *address) {
    bool has_colon = memchr(text.ptr, ':', text.len) != NULL;
    if (has_colon != v6 || !ip_address_parse(text, address)) {
        return false;
    }
    if (v6) {
        return true; /* a mapped IPv4 address is IPv4 from here on */
    }
    char canonical[IP_TEXT_MAX];
    size_t length = ip_address_print(address, canonical);
    return span_equal(text, (struct span){canonical, length});
}

static enum proxy_protocol_verdict parse_v1_line(struct span line, struct proxy_protocol_header *header,
                                                 const char **reason) {
    struct span rest = span_skip(line, sizeof signature_v1 - 1), word;
    if (!take_word(&rest, &word)) {
        return bad(reason, "no protocol after PROXY");
    }
    if (span_equal(word, SPAN_LITERAL("UNKNOWN"))) {
        return PROXY_PROTOCOL_OK; /* whatever else the line says is to be ignored */
    }
    bool v6 = span_equal(word, SPAN_LITERAL("TCP6"));
    if (!v6 && !span_equal(word, SPAN_LITERAL("TCP4"))) {
        return bad(reason, "protocol is none of TCP4, TCP6, UNKNOWN");
    }
    if (!take_word(&rest, &word) || !parse_address(word, v6, &header->source)) {
        return bad(reason, "bad source address");
    }
    if (!take_word(&rest, &word) || !parse_address(word, v6, &header->destination)) {
        return bad(reason, "bad destination address");
    }
    if (!take_word(&rest, &word) || !parse_port(word, &header->source_port)) {
        return bad(reason, "bad source port");
    }
    /* The last one is the whole rest, so that a trailing space or a seventh word is a bad port. */
    if (rest.len == 0 || !parse_port(rest, &header->destination_port)) {
        return bad(reason, "bad destination port");
    }
    header->has_addresses = true;
    return PROXY_PROTOCOL_OK;
}

static enum proxy_protocol_verdict parse_v1(struct span bytes, struct proxy_protocol_header *header,
                                            const char **reason) {
    size_t window = bytes.len < PROXY_PROTOCOL_V1_MAX_BYTES ? bytes.len : PROXY_PROTOCOL_V1_MAX_BYTES;
    for (size_t i = sizeof signature_v1 - 1; i < window; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (c == '\n') {
            if (bytes.ptr[i - 1] != '\r') {
                return bad(reason, "the line does not end in CR LF");
            }
            header->length = i + 1;
            return parse_v1_line((struct span){bytes.ptr, i - 1}, header, reason);
        }
        if (bytes.ptr[i - 1] == '\r') {
            return bad(reason, "CR without LF");
        }
        if (c != '\r' && (c < 0x20 || c > 0x7E)) {
            return bad(reason, "an octet that is no printable ASCII");
        }
    }
    return window == PROXY_PROTOCOL_V1_MAX_BYTES ? bad(reason, "the line is longer than 107 bytes")
                                                 : PROXY_PROTOCOL_NEED_MORE;
}

/* ---- version 2: a binary block ---- */

static unsigned read_u16(const unsigned char *bytes) {
    return (unsigned)bytes[0] << 8 | bytes[1];
}

/* Mapped addresses become IPv4, as everywhere in weir. */
static struct ip_address address_of_bytes(const unsigned char *bytes, bool v6) {
    static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    struct ip_address address = {.family = IP_V4};
    if (!v6) {
        memcpy(address.bytes, bytes, 4);
    } else if (memcmp(bytes, mapped, sizeof mapped) == 0) {
        memcpy(address.bytes, bytes + sizeof mapped, 4);
    } else {
        address.family = IP_V6;
        memcpy(address.bytes, bytes, 16);
    }
    return address;
}

static enum proxy_protocol_verdict parse_v2(struct span bytes, struct proxy_protocol_header *header,
                                            const char **reason) {
    const unsigned char *octets = (const unsigned char *)bytes.ptr;
    if (bytes.len > 12 && octets[12] >> 4 != 2) {
        return bad(reason, "version is not 2");
    }
    if (bytes.len < V2_FIXED_BYTES) {
        return PROXY_PROTOCOL_NEED_MORE;
    }
    unsigned command = octets[12] & 0x0FU, family = octets[13] >> 4, transport = octets[13] & 0x0FU;
    size_t length = read_u16(octets + 14);
    if (command > V2_COMMAND_PROXY) {
        return bad(reason, "command is neither LOCAL nor PROXY");
    }
    if (family > V2_FAMILY_LAST || transport > V2_TRANSPORT_LAST) {
        return bad(reason, "unknown address family or transport");
    }
    if (V2_FIXED_BYTES + length > PROXY_PROTOCOL_MAX_BYTES) {
        return bad(reason, "the header is longer than 4096 bytes");
    }
    bool inet = command == V2_COMMAND_PROXY && transport == V2_TRANSPORT_STREAM &&
                (family == V2_FAMILY_INET || family == V2_FAMILY_INET6);
    bool v6 = family == V2_FAMILY_INET6;
    if (inet && length < (v6 ? (size_t)V2_INET6_BYTES : (size_t)V2_INET_BYTES)) {
        return bad(reason, "the header is too short for its addresses");
    }
    if (bytes.len < V2_FIXED_BYTES + length) {
        return PROXY_PROTOCOL_NEED_MORE;
    }
    header->length = V2_FIXED_BYTES + length;
    if (inet) {
        const unsigned char *addresses = octets + V2_FIXED_BYTES;
        size_t size = v6 ? 16 : 4;
        header->has_addresses = true;
        header->source = address_of_bytes(addresses, v6);
        header->destination = address_of_bytes(addresses + size, v6);
        header->source_port = (uint16_t)read_u16(addresses + 2 * size);
        header->destination_port = (uint16_t)read_u16(addresses + 2 * size + 2);
    }
    return PROXY_PROTOCOL_OK;
}

static bool begins_like(struct span bytes, const void *signature, size_t size) {
    return bytes.len == 0 || memcmp(bytes.ptr, signature, bytes.len < size ? bytes.len : size) == 0;
}

enum proxy_protocol_verdict proxy_protocol_parse(struct span bytes, struct proxy_protocol_header *header,
                                                 const char **reason) {
    struct proxy_protocol_header parsed = {0};
    enum proxy_protocol_verdict verdict;
    if (begins_like(bytes, signature_v2, sizeof signature_v2)) {
        verdict = bytes.len < sizeof signature_v2 ? PROXY_PROTOCOL_NEED_MORE : parse_v2(bytes, &parsed, reason);
    } else if (begins_like(bytes, signature_v1, sizeof signature_v1 - 1)) {
        verdict = bytes.len < sizeof signature_v1 - 1 ? PROXY_PROTOCOL_NEED_MORE : parse_v1(bytes, &parsed, reason);
    } else {
        verdict = bad(reason, "the connection does not begin with a PROXY header");
    }
    if (verdict == PROXY_PROTOCOL_OK) {
        *header = parsed;
    }
    return verdict;
}
