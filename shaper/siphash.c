/* SipHash-2-4. Called by client_table.c for each look-up, on every worker. Words are little-endian whatever the
 * machine's order, so that the paper's test vector holds everywhere. */
#include "shaper/siphash.h"

#include <endian.h>
#include <string.h>

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t word, unsigned bits) {
    return word << bits | word >> (64 - bits);
}

static void mix(struct state *state, unsigned rounds) {
    for (unsigned i = 0; i < rounds; i++) {
        state->v0 += state->v1;
        state->v2 += state->v3;
        state->v1 = rotate_left(state->v1, 13) ^ state->v0;
        state->v3 = rotate_left(state->v3, 16) ^ state->v2;
        state->v0 = rotate_left(state->v0, 32);
        state->v2 += state->v1;
        state->v0 += state->v3;
        state->v1 = rotate_left(state->v1, 17) ^ state->v2;
        state->v3 = rotate_left(state->v3, 21) ^ state->v0;
        state->v2 = rotate_left(state->v2, 32);
    }
}

static uint64_t little_endian(const uint8_t *bytes, size_t count) {
    uint64_t word = 0;
    memcpy(&word, bytes, count);
    return le64toh(word);
}

static void absorb(struct state *state, uint64_t word) {
    state->v3 ^= word;
    mix(state, 2);
    state->v0 ^= word;
}

uint64_t siphash(const struct siphash_key *key, const void *data, size_t data_bytes) {
    const uint8_t *bytes = data;
    uint64_t k0 = little_endian(key->bytes, 8), k1 = little_endian(key->bytes + 8, 8);
    struct state state = {
        k0 ^ UINT64_C(0x736f6d6570736575),
        k1 ^ UINT64_C(0x646f72616e646f6d),
        k0 ^ UINT64_C(0x6c7967656e657261),
        k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t rest = data_bytes % 8;
    for (size_t at = 0; at + rest < data_bytes; at += 8) {
        absorb(&state, little_endian(bytes + at, 8));
    }
    uint64_t last = (uint64_t)(data_bytes & 0xff) << 56;
    absorb(&state, rest > 0 ? last | little_endian(bytes + data_bytes - rest, rest) : last);
    state.v2 ^= 0xff;
    mix(&state, 4);
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}
