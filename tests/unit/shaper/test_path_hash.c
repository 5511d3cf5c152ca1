/* shaper/path_hash.h: the polynomial, and that what is close together is kept apart. */
#include "shaper/path_hash.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/shaper/given.h"

static const uint64_t prime = (UINT64_C(1) << 61) - 1;
static const struct siphash_key secret = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

/* The definition, piece by piece, byte by byte. */
static uint64_t plainly(const struct path_hash_key *key, const char *bytes, size_t count) {
    __extension__ unsigned __int128 sum = count;
    for (size_t at = 0; at < count; at += 7) {
        uint64_t piece = 0;
        for (size_t i = 0; i < 7 && at + i < count; i++) {
            piece |= (uint64_t)(unsigned char)bytes[at + i] << 8 * i;
        }
        sum = (sum * key->point + piece) % prime;
    }
    return (uint64_t)(sum % prime);
}

/* Of every length, in a piece of memory that ends with the path, so that a sanitizer sees what is read beyond it. */
static void it_is_the_polynomial(void) {
    struct path_hash_key keys[] = {path_hash_key(&secret), {prime - 1}, {1}, {2}};
    uint32_t seed = 3;
    for (unsigned round = 0; round < 40; round++) {
        for (size_t count = 0; count < 70; count++) {
            char *bytes = malloc(count > 0 ? count : 1);
            for (size_t i = 0; i < count; i++) {
                bytes[i] = round == 0 ? '\xff' : (char)next_random(&seed);
            }
            for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
                CU_ASSERT_EQUAL(path_hash(&keys[i], (struct span){bytes, count}), plainly(&keys[i], bytes, count));
            }
            free(bytes);
        }
    }
}

static int by_value(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right ? 1 : 0;
}

static void paths_that_look_alike_differ(void) {
    enum { PATHS = 100000 };
    struct path_hash_key key = path_hash_key(&secret);
    uint64_t *hashes = malloc(PATHS * sizeof *hashes);
    for (size_t i = 0; i < PATHS; i++) {
        char path[64];
        int length = i % 2 == 0 ? snprintf(path, sizeof path, "/item/%zu.html", i)
                                : snprintf(path, sizeof path, "/%.*s", (int)(i % 50),
                                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        length += i % 2 == 0 ? 0 : snprintf(path + length, 8, "%zu", i / 2);
        hashes[i] = path_hash(&key, (struct span){path, (size_t)length});
        CU_ASSERT_TRUE(hashes[i] < prime);
    }
    qsort(hashes, PATHS, sizeof *hashes, by_value);
    for (size_t i = 1; i < PATHS; i++) {
        CU_ASSERT_NOT_EQUAL(hashes[i - 1], hashes[i]);
    }
    free(hashes);
}

static void a_zero_at_the_end_counts(void) {
    struct path_hash_key key = path_hash_key(&secret);
    const char zeros[20] = {0};
    for (size_t i = 0; i < sizeof zeros; i++) {
        CU_ASSERT_NOT_EQUAL(path_hash(&key, (struct span){zeros, i}), path_hash(&key, (struct span){zeros, i + 1}));
    }
}

static void another_secret_is_another_hash(void) {
    struct siphash_key other = secret;
    other.bytes[7] ^= 1;
    struct path_hash_key one = path_hash_key(&secret), two = path_hash_key(&other);
    CU_ASSERT_NOT_EQUAL(one.point, two.point);
    CU_ASSERT_TRUE(one.point < prime);
    CU_ASSERT_NOT_EQUAL(path_hash(&one, SPAN_LITERAL("/a")), path_hash(&two, SPAN_LITERAL("/a")));
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(it_is_the_polynomial), TEST(paths_that_look_alike_differ),
                                        TEST(a_zero_at_the_end_counts), TEST(another_secret_is_another_hash),
                                        CU_TEST_INFO_NULL};
    return run_suite("path_hash", tests);
}
