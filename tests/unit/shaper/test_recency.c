/* shaper/recency.h: what goes first, and that the two parts stay what they are said to be. */
#include "shaper/recency.h"

#include "tests/unit/shaper/given.h"

static void the_oldest_newcomer_goes_first(void) {
    struct recency list = {0};
    struct recency_link links[5] = {0};
    CU_ASSERT_PTR_NULL(recency_next_to_go(&list));
    for (size_t i = 0; i < 5; i++) {
        recency_add(&list, &links[i]);
    }
    CU_ASSERT_PTR_EQUAL(recency_next_to_go(&list), &links[0]);
    links[0].was_used = true;
    CU_ASSERT_PTR_EQUAL(recency_next_to_go(&list), &links[1]);
    recency_remove(&list, &links[1]);
    CU_ASSERT_PTR_EQUAL(recency_next_to_go(&list), &links[2]);
}

/* What comes back stays, however many are seen once. */
static void a_flood_of_newcomers_pushes_out_newcomers(void) {
    enum { REGULARS = 40, ROOM = 100 };
    struct recency list = {0};
    static struct recency_link regulars[REGULARS], newcomers[10000];
    for (size_t i = 0; i < REGULARS; i++) {
        recency_add(&list, &regulars[i]);
    }
    for (size_t i = 0; i < ROOM - REGULARS; i++) {
        recency_add(&list, &newcomers[i]);
    }
    for (size_t i = 0; i < REGULARS; i++) {
        regulars[i].was_used = true;
    }
    for (size_t i = ROOM - REGULARS; i < 10000; i++) {
        struct recency_link *gone = recency_next_to_go(&list);
        CU_ASSERT_TRUE_FATAL(gone < regulars || gone >= regulars + REGULARS);
        recency_remove(&list, gone);
        recency_add(&list, &newcomers[i]);
    }
}

static void random_use_keeps_both_parts_whole(void) {
    enum { LINKS = 50 };
    struct recency list = {0};
    static struct recency_link links[LINKS];
    uint32_t seed = 8;
    for (size_t step = 0; step < 100000; step++) {
        struct recency_link *link = &links[next_random(&seed) % LINKS];
        if (next_random(&seed) % 3 == 0) {
            link->was_used = true;
        } else if (link->is_listed && next_random(&seed) % 2 == 0) {
            recency_remove(&list, link);
        } else if (link->is_listed) {
            CU_ASSERT_TRUE_FATAL(recency_next_to_go(&list)->is_listed);
        } else {
            recency_add(&list, link);
        }
        size_t listed = 0;
        for (size_t part = 0; part < RECENCY_PARTS; part++) {
            size_t count = 0;
            for (struct recency_link *at = list.parts[part].oldest; at != NULL; at = at->newer) {
                CU_ASSERT_TRUE_FATAL(at->is_listed && at->part == part);
                CU_ASSERT_TRUE_FATAL(at->newer != NULL ? at->newer->older == at : list.parts[part].newest == at);
                count++;
            }
            CU_ASSERT_EQUAL_FATAL(count, list.parts[part].count);
            listed += count;
        }
        for (size_t i = 0; i < LINKS; i++) {
            listed -= links[i].is_listed ? 1 : 0;
        }
        CU_ASSERT_EQUAL_FATAL(listed, 0);
    }
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(the_oldest_newcomer_goes_first),
                                        TEST(a_flood_of_newcomers_pushes_out_newcomers),
                                        TEST(random_use_keeps_both_parts_whole), CU_TEST_INFO_NULL};
    return run_suite("recency", tests);
}
