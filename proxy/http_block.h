/* Several bytes of a head at once. What is asked about a block is answered with a mask that has one bit for each byte,
 * in the order of memory. A block is sixteen bytes where the compiler has SSE2 (every x86-64), else a word of eight.
 * Pure, any thread. */
#ifndef WEIR_PROXY_HTTP_BLOCK_H
#define WEIR_PROXY_HTTP_BLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Defined by a test of the words on a machine that has SSE2. */
#ifndef HTTP_BLOCK_IN_WORDS
#ifdef __SSE2__
#define HTTP_BLOCK_IN_WORDS 0
#else
#define HTTP_BLOCK_IN_WORDS 1
#endif
#endif

#if !HTTP_BLOCK_IN_WORDS
#include <emmintrin.h>

enum { HTTP_BLOCK_BYTES = 16, HTTP_MASK_BITS_A_BYTE = 1 };
typedef __m128i http_block;
typedef uint32_t http_mask;

static inline http_block http_block_load(const char *bytes) { /* HTTP_BLOCK_BYTES must be there */
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

static inline size_t http_mask_first(http_mask mask) { /* the first byte whose bit is set; there must be one */
    return (unsigned)__builtin_ctz(mask);
}

static inline __m128i http_block_is(http_block block, char byte) {
    return _mm_cmpeq_epi8(block, _mm_set1_epi8(byte));
}

/* Only signed bytes can be compared: so the range is moved to where the least of them are. */
static inline __m128i http_block_within(http_block block, char first, char last) {
    __m128i moved = _mm_sub_epi8(block, _mm_set1_epi8((char)(first + 0x80)));
    return _mm_cmplt_epi8(moved, _mm_set1_epi8((char)(last - first + 1 - 0x80)));
}

static inline __m128i http_block_letters(http_block block) {
    return http_block_within(_mm_or_si128(block, _mm_set1_epi8(0x20)), 'a', 'z');
}

/* Which are that byte? */
static inline http_mask http_block_equal(http_block block, char byte) {
    return (http_mask)_mm_movemask_epi8(http_block_is(block, byte));
}

/* Which are controls: below a space, the tab too, or DEL? */
static inline http_mask http_block_controls(http_block block) {
    __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
    return (http_mask)_mm_movemask_epi8(_mm_or_si128(controls, http_block_is(block, 0x7f)));
}

/* Which are neither letter nor digit nor "-" nor "_" (HTTP_BYTE_NAME)? */
static inline http_mask http_block_no_name(http_block block) {
    __m128i digits = http_block_within(block, '0', '9');
    __m128i marks = _mm_or_si128(http_block_is(block, '-'), http_block_is(block, '_'));
    return (http_mask)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(http_block_letters(block), digits), marks)) ^ 0xffff;
}

/* Which are neither letter nor "-", of which nearly all names of fields are made? */
static inline http_mask http_block_no_word(http_block block) {
    return (http_mask)_mm_movemask_epi8(_mm_or_si128(http_block_letters(block), http_block_is(block, '-'))) ^ 0xffff;
}

#else

enum { HTTP_BLOCK_BYTES = 8, HTTP_MASK_BITS_A_BYTE = 8 };
typedef uint64_t http_block;
typedef uint64_t http_mask; /* the highest bit of each byte */

#define HTTP_EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (uint64_t)(unsigned char)(byte))
#define HTTP_HIGH_BITS HTTP_EACH_BYTE(0x80)

static inline http_block http_block_load(const char *bytes) {
    http_block block;
    memcpy(&block, bytes, sizeof block);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? block : __builtin_bswap64(block);
}

static inline size_t http_mask_first(http_mask mask) {
    return (size_t)__builtin_ctzll(mask) / HTTP_MASK_BITS_A_BYTE;
}

/* The high bit of each byte that is at least `least`, which is 0x80 at most; no byte's sum reaches into the next. */
static inline uint64_t http_block_from(http_block block, unsigned least) {
    return (((block & ~HTTP_HIGH_BITS) + HTTP_EACH_BYTE(0x80 - least)) | block) & HTTP_HIGH_BITS;
}

static inline http_mask http_block_equal(http_block block, char byte) {
    return ~http_block_from(block ^ HTTP_EACH_BYTE(byte), 1) & HTTP_HIGH_BITS;
}

static inline http_mask http_block_controls(http_block block) {
    return (~http_block_from(block, 0x20) & HTTP_HIGH_BITS) | http_block_equal(block, 0x7f);
}

static inline uint64_t http_block_letters(http_block block) {
    uint64_t lower = block | HTTP_EACH_BYTE(0x20);
    return http_block_from(lower, 'a') & ~http_block_from(lower, 'z' + 1);
}

static inline http_mask http_block_no_name(http_block block) {
    uint64_t digits = http_block_from(block, '0') & ~http_block_from(block, '9' + 1);
    uint64_t marks = http_block_equal(block, '-') | http_block_equal(block, '_');
    return ~(http_block_letters(block) | digits | marks) & HTTP_HIGH_BITS;
}

static inline http_mask http_block_no_word(http_block block) {
    return ~(http_block_letters(block) | http_block_equal(block, '-')) & HTTP_HIGH_BITS;
}

#endif

/* Of the first byte of a block alone; of the bytes that follow those of the mask in their block; of the first byte of
 * the next block, if it follows one of them. */
#define HTTP_MASK_FIRST_BYTE ((http_mask)1 << (HTTP_MASK_BITS_A_BYTE - 1))
static inline http_mask http_mask_behind(http_mask mask) {
    return mask << HTTP_MASK_BITS_A_BYTE;
}
static inline http_mask http_mask_carried(http_mask mask) {
    return mask >> (HTTP_BLOCK_BYTES - 1) * HTTP_MASK_BITS_A_BYTE & HTTP_MASK_FIRST_BYTE;
}

/* Copies up to sixteen bytes: two steps that may overlap take less than a call. */
static inline void http_copy_short(char *to, const char *from, size_t length) {
    uint64_t first, last;
    uint32_t first_half, last_half;
    if (length >= sizeof first) {
        memcpy(&first, from, sizeof first);
        memcpy(&last, from + length - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + length - sizeof last, &last, sizeof last);
    } else if (length >= sizeof first_half) {
        memcpy(&first_half, from, sizeof first_half);
        memcpy(&last_half, from + length - sizeof last_half, sizeof last_half);
        memcpy(to, &first_half, sizeof first_half);
        memcpy(to + length - sizeof last_half, &last_half, sizeof last_half);
    } else if (length > 0) {
        to[0] = from[0];
        to[length / 2] = from[length / 2];
        to[length - 1] = from[length - 1];
    }
}

/* Fewer than eight bytes as a word in the order of a little-endian machine, whose other bytes are zero. */
static inline uint64_t http_load_short(const char *bytes, size_t count) {
    uint32_t first, last;
    if (count >= sizeof first) {
        memcpy(&first, bytes, sizeof first);
        memcpy(&last, bytes + count - sizeof last, sizeof last);
        if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
            first = __builtin_bswap32(first);
            last = __builtin_bswap32(last);
        }
        return first | (uint64_t)last << 8 * (count - sizeof last);
    }
    if (count == 0) {
        return 0;
    }
    return (uint64_t)(unsigned char)bytes[0] | (uint64_t)(unsigned char)bytes[count / 2] << 8 * (count / 2) |
           (uint64_t)(unsigned char)bytes[count - 1] << 8 * (count - 1);
}

/* The block that begins there; zeros stand for what is behind the `left` bytes that there are: mostly nothing. */
static inline http_block http_block_of(const char *bytes, size_t left) {
    if (__builtin_expect(left >= HTTP_BLOCK_BYTES, 1)) {
        return http_block_load(bytes);
    }
#if HTTP_BLOCK_IN_WORDS
    return http_load_short(bytes, left);
#else
    uint64_t first, last;
    if (left < sizeof first) {
        return _mm_set_epi64x(0, (long long)http_load_short(bytes, left));
    }
    memcpy(&first, bytes, sizeof first);
    memcpy(&last, bytes + left - sizeof last, sizeof last);
    last = last >> 8 >> 8 * (HTTP_BLOCK_BYTES - 1 - left); /* in two steps: all of it may go */
    return _mm_set_epi64x((long long)last, (long long)first);
#endif
}

#endif
