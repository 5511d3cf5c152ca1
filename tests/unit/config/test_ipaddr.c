/* config/ipaddr.h: forms that are taken and refused, and membership against a model that compares bit by bit. */
#include "config/ipaddr.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct ip_address address(const char *text) {
    struct ip_address parsed;
    bool good = ip_address_parse(span_of(text), &parsed);
    if (!good) {
        printf("\n\"%s\" is no address\n", text);
    }
    CU_ASSERT_TRUE(good);
    return parsed;
}

static void test_addresses(void) {
    static const struct {
        const char *text, *printed;
    } good[] = {
        {"192.0.2.7", "192.0.2.7"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::1", "::1"},
        {"2001:DB8:0:0::7", "2001:db8::7"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"::ffff:c000:207", "192.0.2.7"},
        {"fe80::1", "fe80::1"},
    };
    static const char *const bad[] = {
        "",         "1",        "1.2.3",      "1.2.3.4.5", "1.2.3.256",         "01.2.3.4", "1.2.3.",  "1..3.4",
        " 1.2.3.4", "1.2.3.4 ", "1.2.3.4x",   "[::1]",     "fe80::1%lo",        "::1::2",   "12345::", "1.2.3.4:80",
        "host",     ":",        "1.2.3.1234", "-1.2.3.4",  "1:2:3:4:5:6:7:8:9", "::1.2.3"};
    char text[IP_TEXT_MAX];
    for (size_t i = 0; i < COUNT(good); i++) {
        struct ip_address parsed = address(good[i].text);
        CU_ASSERT_EQUAL(ip_address_print(&parsed, text), strlen(good[i].printed));
        CU_ASSERT_STRING_EQUAL(text, good[i].printed);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct ip_address parsed;
        CU_ASSERT_FALSE(ip_address_parse(span_of(bad[i]), &parsed));
        CU_ASSERT_EQUAL(parsed.family, IP_NONE);
    }
    for (unsigned octet = 0; octet < 256; octet++) {
        const uint8_t low = (uint8_t)octet, high = (uint8_t)(255 - octet);
        const struct ip_address address = {IP_V4, {low, high, high, low}};
        char expected[IP_TEXT_MAX];
        int length = snprintf(expected, sizeof expected, "%u.%u.%u.%u", low, high, high, low);
        CU_ASSERT_EQUAL(ip_address_print(&address, text), (size_t)length);
        CU_ASSERT_STRING_EQUAL(text, expected);
    }
    struct ip_address none = {0};
    CU_ASSERT_EQUAL(ip_address_print(&none, text), 1);
    CU_ASSERT_STRING_EQUAL(text, "-");
}

enum forms { FULL, SHORT, PARTIAL };

static bool parse_as(enum forms forms, const char *text, struct ip_prefix *prefix) {
    return forms == PARTIAL ? ip_prefix_parse_partial(span_of(text), prefix)
                            : ip_prefix_parse(span_of(text), forms == SHORT, prefix);
}

static const struct {
    enum forms forms;
    const char *text, *printed; /* NULL: refused */
} prefix_vectors[] = {
    {FULL, "192.0.2.7", "192.0.2.7/32"},
    {FULL, "192.0.2.7/24", "192.0.2.0/24"},
    {FULL, "0.0.0.0/0", "0.0.0.0/0"},
    {FULL, "255.255.255.255/1", "128.0.0.0/1"},
    {FULL, "2001:db8:ffff::1/33", "2001:db8:8000::/33"},
    {FULL, "::/0", "::/0"},
    {FULL, "::1", "::1/128"},
    {FULL, "::ffff:192.0.2.7", "192.0.2.7/32"},
    {FULL, "::ffff:192.0.2.7/120", "192.0.2.0/24"},
    {FULL, "::ffff:0:0/96", "0.0.0.0/0"},
    {FULL, "::ffff:192.0.2.7/64", "::/64"},
    {FULL, "66.249.64/24", NULL},
    {FULL, "1.2.3.4/33", NULL},
    {FULL, "1.2.3.4/", NULL},
    {FULL, "1.2.3.4/abc", NULL},
    {FULL, "1.2.3.4/8x", NULL},
    {FULL, "1.2.3.4/-1", NULL},
    {FULL, "1.2.3.4/08", NULL},
    {FULL, "1.2.3.4/255.0.0.0", NULL},
    {FULL, "::1/129", NULL},
    {FULL, "/24", NULL},
    {FULL, "", NULL},
    {FULL, "example.org", NULL},
    {SHORT, "66.249.64/24", "66.249.64.0/24"},
    {SHORT, "127/8", "127.0.0.0/8"},
    {SHORT, "10", "10.0.0.0/32"},
    {SHORT, "10.1", "10.1.0.0/32"},
    {SHORT, "10.1.2.3/32", "10.1.2.3/32"},
    {SHORT, "2001:db8::/32", "2001:db8::/32"},
    {SHORT, "10.", NULL},
    {SHORT, "256/8", NULL},
    {SHORT, "1.2.3.4.5", NULL},
    {SHORT, "1234", NULL},
    {SHORT, "a.b.c.d", NULL},
    {PARTIAL, "10", "10.0.0.0/8"},
    {PARTIAL, "10.", "10.0.0.0/8"},
    {PARTIAL, "10.1", "10.1.0.0/16"},
    {PARTIAL, "10.1.2.", "10.1.2.0/24"},
    {PARTIAL, "10.1.2.3", "10.1.2.3/32"},
    {PARTIAL, "10.1.0.0/255.255.0.0", "10.1.0.0/16"},
    {PARTIAL, "10.1.0.0/0.0.0.0", "0.0.0.0/0"},
    {PARTIAL, "10.1.2.3/16", "10.1.0.0/16"},
    {PARTIAL, "10.1.0.0/255.0.255.0", NULL},
    {PARTIAL, "10.1.0.0/255.255", NULL},
    {PARTIAL, "10.1.2.3.", NULL},
    {PARTIAL, "2001:db8::/32", "2001:db8::/32"},
};

static void test_prefixes(void) {
    for (size_t i = 0; i < COUNT(prefix_vectors); i++) {
        struct ip_prefix prefix;
        char text[IP_TEXT_MAX + 4] = "";
        bool good = parse_as(prefix_vectors[i].forms, prefix_vectors[i].text, &prefix);
        if (good) {
            ip_prefix_print(&prefix, text);
        }
        if (good != (prefix_vectors[i].printed != NULL) || (good && strcmp(text, prefix_vectors[i].printed) != 0)) {
            printf("\n\"%s\" gave \"%s\"\n", prefix_vectors[i].text, text);
            CU_FAIL("prefix");
        }
    }
}

static uint64_t random_state = 7;
static uint64_t random_u64(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static bool bit_of(const struct ip_address *a, unsigned bit) {
    return (a->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

static bool model_contains(const struct ip_prefix *prefix, const struct ip_address *a) {
    if (prefix->address.family != a->family) {
        return false;
    }
    for (unsigned bit = 0; bit < prefix->length; bit++) {
        if (bit_of(&prefix->address, bit) != bit_of(a, bit)) {
            return false;
        }
    }
    return true;
}

/* An address that shares some first bits with `near`, so that both answers are common. */
static struct ip_address random_address(const struct ip_address *near) {
    struct ip_address a = *near;
    unsigned bits = a.family == IP_V4 ? 32 : 128;
    unsigned flipped = (unsigned)(random_u64() % (bits + 1));
    if (flipped < bits) {
        a.bytes[flipped / 8] = (uint8_t)(a.bytes[flipped / 8] ^ (0x80U >> (flipped % 8)));
    }
    for (unsigned byte = flipped / 8 + 1; byte < bits / 8; byte++) {
        a.bytes[byte] = (uint8_t)random_u64();
    }
    return a;
}

static void test_contains_against_model(void) {
    for (int i = 0; i < 200000; i++) {
        struct ip_address base = {.family = random_u64() % 2 == 0 ? IP_V4 : IP_V6};
        unsigned bits = base.family == IP_V4 ? 32 : 128;
        for (unsigned byte = 0; byte < bits / 8; byte++) {
            base.bytes[byte] = (uint8_t)random_u64();
        }
        unsigned length = (unsigned)(random_u64() % (bits + 1));
        struct ip_prefix prefix = {ip_address_mask(&base, length), (uint8_t)length};
        for (unsigned bit = 0; bit < bits; bit++) {
            CU_ASSERT_FATAL(bit_of(&prefix.address, bit) == (bit < length && bit_of(&base, bit)));
        }
        struct ip_address a = random_address(&base);
        CU_ASSERT_FATAL(ip_prefix_contains(&prefix, &a) == model_contains(&prefix, &a));
        CU_ASSERT_FATAL(ip_prefix_contains(&prefix, &base));

        char text[IP_TEXT_MAX + 4];
        struct ip_address back;
        ip_address_print(&a, text);
        struct ip_address none;
        CU_ASSERT_FATAL(ip_address_parse(span_of(text), &back));
        CU_ASSERT_FATAL(ip_address_equal(&a, &back));
        struct ip_prefix prefix_back;
        ip_prefix_print(&prefix, text);
        CU_ASSERT_FATAL(ip_prefix_parse(span_of(text), false, &prefix_back));
        CU_ASSERT_FATAL(prefix_back.length == length && ip_address_equal(&prefix_back.address, &prefix.address));
        struct ip_mask mask;
        CU_ASSERT_FATAL(ip_mask_parse(span_of(text), &mask));
        CU_ASSERT_FATAL(ip_mask_contains(&mask, &a) == model_contains(&prefix, &a));
        none = (struct ip_address){0};
        CU_ASSERT_FATAL(!ip_prefix_contains(&prefix, &none) && !ip_mask_contains(&mask, &none));
    }
}

static void test_masks(void) {
    static const struct {
        const char *text, *inside, *outside; /* inside NULL: refused */
    } vectors[] = {
        {"127.0.0.1", "127.0.0.1", "127.0.0.2"},
        {"127.0.*.1", "127.0.9.1", "127.0.9.2"},
        {"192.168.*.*", "192.168.7.8", "192.169.7.8"},
        {"*.*.*.*", "8.8.8.8", "::1"},
        {"10.0.0.0/8", "10.255.1.2", "11.0.0.1"},
        {"2001:db8::/32", "2001:db8:1::1", "2001:db9::1"},
        {"::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"},
        {"127.*", NULL, NULL},
        {"1*.2.3.4", NULL, NULL},
        {"10.0.0.*/8", NULL, NULL},
        {"*", NULL, NULL},
        {"1.2.3.*.5", NULL, NULL},
        {"2001:db8:*", NULL, NULL},
        {"", NULL, NULL},
        {"10.0.0/24", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct ip_mask mask;
        bool good = ip_mask_parse(span_of(vectors[i].text), &mask);
        CU_ASSERT_EQUAL(good, vectors[i].inside != NULL);
        if (good && vectors[i].inside != NULL) {
            struct ip_address inside = address(vectors[i].inside);
            struct ip_address outside = address(vectors[i].outside);
            CU_ASSERT_TRUE(ip_mask_contains(&mask, &inside));
            CU_ASSERT_FALSE(ip_mask_contains(&mask, &outside));
        }
    }
}

static void test_kinds(void) {
    static const struct {
        const char *text;
        bool loopback, private;
    } vectors[] = {
        {"127.0.0.1", true, true},       {"127.255.0.1", true, true},  {"::1", true, true},
        {"::2", false, false},           {"10.0.0.1", false, true},    {"172.16.0.1", false, true},
        {"172.31.255.255", false, true}, {"172.32.0.1", false, false}, {"192.168.3.4", false, true},
        {"192.169.3.4", false, false},   {"169.254.1.1", false, true}, {"fd00::1", false, true},
        {"fe80::1", false, true},        {"febf::1", false, true},     {"fec0::1", false, false},
        {"2001:db8::1", false, false},   {"8.8.8.8", false, false},    {"::ffff:127.0.0.1", true, true},
    };
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct ip_address a = address(vectors[i].text);
        CU_ASSERT_EQUAL(ip_address_is_loopback(&a), vectors[i].loopback);
        CU_ASSERT_EQUAL(ip_address_is_private(&a), vectors[i].private);
    }
}

static void test_random_texts(void) {
    static const char letters[] = "0123456789abcf::::..../*";
    for (int i = 0; i < 300000; i++) {
        size_t length = random_u64() % 24;
        char *copy = malloc(length + 1); /* not terminated: a reader that goes too far is seen by the sanitizer */
        for (size_t j = 0; j < length; j++) {
            copy[j] = letters[random_u64() % (sizeof letters - 1)];
        }
        struct span text = {copy, length};
        struct ip_address a;
        struct ip_prefix prefix;
        struct ip_mask mask;
        if (ip_address_parse(text, &a)) {
            CU_ASSERT_FATAL(ip_mask_parse(text, &mask) && ip_mask_contains(&mask, &a));
            CU_ASSERT_FATAL(ip_prefix_parse(text, false, &prefix) && ip_prefix_contains(&prefix, &a));
        }
        if (ip_prefix_parse(text, true, &prefix)) {
            CU_ASSERT_FATAL(prefix.length <= (prefix.address.family == IP_V4 ? 32 : 128));
        }
        if (ip_prefix_parse_partial(text, &prefix)) {
            CU_ASSERT_FATAL(prefix.length <= (prefix.address.family == IP_V4 ? 32 : 128));
        }
        ip_mask_parse(text, &mask);
        free(copy);
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("ipaddr", NULL, NULL);
    CU_add_test(suite, "addresses", test_addresses);
    CU_add_test(suite, "prefixes", test_prefixes);
    CU_add_test(suite, "masks", test_masks);
    CU_add_test(suite, "loopback and private", test_kinds);
    CU_add_test(suite, "membership against a model", test_contains_against_model);
    CU_add_test(suite, "random texts", test_random_texts);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
