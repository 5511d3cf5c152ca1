/* shaper/siphash.h against the reference vectors: key 00 01 … 0f, input 00 01 … of growing length. */
#include "shaper/siphash.h"

#include "tests/unit/shaper/given.h"

static const struct siphash_key key = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

static void reference_vectors(void) {
    static const uint64_t expected[] = {
        UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd), UINT64_C(0x0d6c8009d9a94f5a),
        UINT64_C(0x85676696d7fb7e2d), UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
        UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137), UINT64_C(0x93f5f5799a932462),
        UINT64_C(0x9e0082df0ba9e4b0), UINT64_C(0x7a5dbbc594ddb9f3), UINT64_C(0xf4b32f46226bada7),
        UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90), UINT64_C(0xf723ca908e7af2ee),
        UINT64_C(0xa129ca6149be45e5),
    };
    uint8_t input[16];
    for (size_t i = 0; i < 16; i++) {
        input[i] = (uint8_t)i;
        CU_ASSERT_EQUAL(siphash(&key, input, i), expected[i]);
    }
}

/* Half of the bits of the hash change with any bit of the input or of the key. */
static void every_bit_counts(void) {
    uint32_t seed = 1;
    uint64_t changed = 0, tried = 0;
    for (unsigned round = 0; round < 200; round++) {
        uint8_t input[21];
        struct siphash_key other = key;
        for (size_t i = 0; i < sizeof input; i++) {
            input[i] = (uint8_t)next_random(&seed);
        }
        uint64_t before = siphash(&key, input, sizeof input);
        for (size_t bit = 0; bit < 8 * sizeof input; bit++) {
            input[bit / 8] ^= (uint8_t)(1u << bit % 8);
            uint64_t after = siphash(&key, input, sizeof input);
            input[bit / 8] ^= (uint8_t)(1u << bit % 8);
            CU_ASSERT_NOT_EQUAL(before, after);
            changed += (uint64_t)__builtin_popcountll(before ^ after);
            tried += 64;
        }
        other.bytes[round % 16] ^= 1;
        CU_ASSERT_NOT_EQUAL(siphash(&other, input, sizeof input), before);
    }
    CU_ASSERT_DOUBLE_EQUAL((double)changed / (double)tried, 0.5, 0.005);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(reference_vectors), TEST(every_bit_counts), CU_TEST_INFO_NULL};
    return run_suite("siphash", tests);
}
