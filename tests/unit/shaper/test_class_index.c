/* shaper/class_index.h against a look at every prefix, over random prefixes of both families. */
#include "shaper/class_index.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 40, PREFIXES = 25 };

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Few distinct bytes, so that prefixes nest and repeat. */
static struct ip_address random_address(uint32_t *seed) {
    struct ip_address address = {.family = next_random(seed) % 2 == 0 ? IP_V4 : IP_V6};
    for (size_t i = 0; i < (address.family == IP_V4 ? 4u : 16u); i++) {
        address.bytes[i] = (uint8_t)(next_random(seed) % 3 * 85);
    }
    return address;
}

static struct ip_prefix random_prefix(uint32_t *seed) {
    struct ip_address address = random_address(seed);
    uint8_t length = (uint8_t)(next_random(seed) % (address.family == IP_V4 ? 33 : 129));
    return (struct ip_prefix){ip_address_mask(&address, length), length};
}

static const struct client_class *find_by_looking(const struct client_class *classes,
                                                  const struct ip_address *address) {
    const struct client_class *best = NULL;
    int best_length = -1;
    for (size_t i = 0; i < CLASSES; i++) {
        for (size_t j = 0; j < classes[i].prefix_count; j++) {
            const struct ip_prefix *prefix = &classes[i].prefixes[j];
            if (ip_prefix_contains(prefix, address) && prefix->length >= best_length) {
                best = &classes[i]; /* the later class has a prefix that both name */
                best_length = prefix->length;
            }
        }
    }
    return best;
}

static void longest_prefix_wins(void) {
    static struct ip_prefix prefixes[CLASSES][PREFIXES];
    static struct client_class classes[CLASSES];
    uint32_t seed = 5;
    for (unsigned round = 0; round < 30; round++) {
        for (size_t i = 0; i < CLASSES; i++) {
            classes[i] = (struct client_class){.prefixes = prefixes[i], .prefix_count = next_random(&seed) % PREFIXES};
            for (size_t j = 0; j < classes[i].prefix_count; j++) {
                prefixes[i][j] = random_prefix(&seed);
            }
        }
        struct class_index *index = class_tree_new(classes, CLASSES);
        for (unsigned i = 0; i < 500; i++) {
            struct ip_address address = random_address(&seed);
            CU_ASSERT_PTR_EQUAL(class_tree_find(index, &address), find_by_looking(classes, &address));
        }
        class_tree_free(&index);
        CU_ASSERT_PTR_NULL(index);
    }
}

static void no_classes_find_nothing(void) {
    struct class_index *index = class_tree_new(NULL, 0);
    struct ip_address address = {.family = IP_V4, .bytes = {127, 0, 0, 1}}, none = {0};
    CU_ASSERT_PTR_NULL(class_tree_find(index, &address));
    CU_ASSERT_PTR_NULL(class_tree_find(index, &none));
    class_tree_free(&index);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("class_index", NULL, NULL);
    CU_ADD_TEST(suite, longest_prefix_wins);
    CU_ADD_TEST(suite, no_classes_find_nothing);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
