/* A hash of paths under a secret key: cheaper than SipHash, for when nobody sees the hash nor anything made of it.
 *
 * The path's bytes are the coefficients of a polynomial, seven a coefficient and its length first, which is evaluated
 * at a secret point modulo the prime 2^61 - 1. Two paths of at most n bytes, chosen without knowing the point, have the
 * same hash with a probability of at most (n / 7 + 1) / 2^61; and other than its collisions nothing of it can be seen
 * from outside. Its bits are not spread: whoever picks a bucket by it mixes it first.
 *
 * Source: J. L. Carter, M. N. Wegman, "Universal classes of hash functions", JCSS 18 (1979); by polynomials: D. J.
 * Bernstein, "The Poly1305-AES message-authentication code", 2005, section 3. Pure, any thread. */
#ifndef WEIR_SHAPER_PATH_HASH_H
#define WEIR_SHAPER_PATH_HASH_H

#include <stdint.h>

#include "config/span.h"
#include "shaper/siphash.h"

struct path_hash_key {
    uint64_t point; /* secret, below 2^61 - 1 */
};

/* Any secret gives one. */
struct path_hash_key path_hash_key(const struct siphash_key *secret);

/* Below 2^61. */
uint64_t path_hash(const struct path_hash_key *key, struct span path);

#endif
