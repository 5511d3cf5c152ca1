/* shaper/reset.h: who is meant by a name, and that nobody else is. */
#include "shaper/reset.h"

#include "tests/unit/shaper/given_shaper.h"

static const char configuration[] = "Listen 80\n"
                                    "<CBandUser alice>\nCBandUserLimit 1000B\n</CBandUser>\n"
                                    "<VirtualHost *:80>\nServerName a.example\nCBandLimit 1000B\nCBandUser alice\n"
                                    "</VirtualHost>\n"
                                    "<VirtualHost *:80>\nServerName b.example:8080\nCBandLimit 1000B\n</VirtualHost>\n";

enum { HOST_A = 1, HOST_B = 2 };

static uint64_t used(struct shaper_binding *binding, size_t host) {
    struct quota_view view;
    quota_look(&binding->hosts[host].record->quota, QUOTA_IN_TOTAL, at_s(1).wall_s, &view);
    return view.used_bytes;
}

static void a_name_resets_its_host_alone(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding = apply(shaper, configuration);
    static const struct {
        const char *name;
        size_t count;
        uint64_t left_a, left_b;
    } cases[] = {
        {"nobody.example", 0, 10, 20},
        {"a.example", 1, 0, 20},
        {"A.EXAMPLE", 1, 0, 20},
        {"a.example:0:5", 1, 0, 20},
        {"a.example:0:6", 0, 10, 20},
        {"a.example:80:5", 0, 10, 20},
        {"b.example:8080:10", 1, 10, 0},
        {"b.example", 1, 10, 0},
        {"all", 3, 0, 0},
        {"a.example:0:5:", 0, 10, 20},
        {"", 0, 10, 20},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        shaper_reset_hosts(binding, "all", at_s(0).wall_s);
        serve(binding, HOST_A, 1, 0, 10);
        serve(binding, HOST_B, 1, 0, 20);
        CU_ASSERT_EQUAL(shaper_reset_hosts(binding, cases[i].name, at_s(1).wall_s), cases[i].count);
        CU_ASSERT_EQUAL(used(binding, HOST_A), cases[i].left_a);
        CU_ASSERT_EQUAL(used(binding, HOST_B), cases[i].left_b);
    }
    end(shaper, binding);
}

static void a_user_is_reset_apart_from_its_hosts(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding = apply(shaper, configuration);
    struct quota_view view;
    serve(binding, HOST_A, 1, 0, 10);
    CU_ASSERT_EQUAL(shaper_reset_users(binding, "bob", at_s(1).wall_s), 0);
    CU_ASSERT_EQUAL(shaper_reset_users(binding, "alice", at_s(1).wall_s), 1);
    quota_look(&binding->user_records[0]->quota, QUOTA_IN_TOTAL, at_s(1).wall_s, &view);
    CU_ASSERT_EQUAL(view.used_bytes, 0);
    CU_ASSERT_EQUAL(used(binding, HOST_A), 10);
    end(shaper, binding);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(a_name_resets_its_host_alone), TEST(a_user_is_reset_apart_from_its_hosts),
                                        CU_TEST_INFO_NULL};
    return run_suite("reset", tests);
}
