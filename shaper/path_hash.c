/* Polynomials modulo 2^61 - 1. Called by burst_request.c for each request whose page is counted, on every worker.
 * Always true: between steps the sum is below 2^62, so that the product with a number below 2^61 fits 123 bits. */
#include "shaper/path_hash.h"

#include <endian.h>
#include <string.h>

enum { PRIME_BITS = 61, PIECE_BYTES = 7 };

static const uint64_t prime = (UINT64_C(1) << PRIME_BITS) - 1;

struct path_hash_key path_hash_key(const struct siphash_key *secret) {
    static const char purpose[] = "paths";
    return (struct path_hash_key){siphash(secret, purpose, sizeof purpose) % prime};
}

/* sum * point + piece, not always below the prime. */
static inline uint64_t step(uint64_t sum, uint64_t point, uint64_t piece) {
    __extension__ unsigned __int128 product = (unsigned __int128)sum * point + piece;
    return ((uint64_t)product & prime) + (uint64_t)(product >> PRIME_BITS);
}

/* The first 1 to 7 bytes, the others 0. */
static inline uint64_t short_piece(const char *bytes, size_t count) {
    if (count >= 4) { /* what both have is the same */
        uint32_t first, last;
        memcpy(&first, bytes, 4);
        memcpy(&last, bytes + count - 4, 4);
        return le32toh(first) | (uint64_t)le32toh(last) << 8 * (count - 4);
    }
    uint64_t piece = (unsigned char)bytes[0];
    piece |= (uint64_t)(unsigned char)bytes[count / 2] << 8 * (count / 2);
    return piece | (uint64_t)(unsigned char)bytes[count - 1] << 8 * (count - 1);
}

uint64_t path_hash(const struct path_hash_key *key, struct span path) {
    uint64_t sum = path.len;
    const char *at = path.ptr;
    size_t left = path.len;
    for (; left > PIECE_BYTES; left -= PIECE_BYTES, at += PIECE_BYTES) {
        uint64_t piece;
        memcpy(&piece, at, sizeof piece); /* one byte more, which there is */
        sum = step(sum, key->point, le64toh(piece) & ((UINT64_C(1) << 8 * PIECE_BYTES) - 1));
    }
    sum = left > 0 ? step(sum, key->point, short_piece(at, left)) : sum;
    sum = (sum & prime) + (sum >> PRIME_BITS);
    return sum >= prime ? sum - prime : sum;
}
