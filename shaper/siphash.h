/* SipHash-2-4: a hash of bytes under a secret key, so that nobody who does not know the key can choose inputs that
 * collide. For tables whose keys come from clients.
 *
 * Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012, sections 2 and A. Pure. */
#ifndef WEIR_SHAPER_SIPHASH_H
#define WEIR_SHAPER_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint8_t bytes[16]; /* random, and secret */
};

uint64_t siphash(const struct siphash_key *key, const void *data, size_t data_bytes);

#endif
