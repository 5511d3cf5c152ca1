/* stats/narrow.c: who sees what. And stats/render.c: the table of documents. */
#include "stats/narrow.h"

#include <CUnit/Basic.h>

#include "tests/unit/stats/given_snapshot.h"

/* Hosts 1, 11, 21, … have users; 1, 23 and so on the same one as its name is taken modulo the list. */
static void expect(const struct stats_view *view, size_t hosts, size_t users, size_t clients, size_t blocks) {
    struct stats_snapshot *snapshot = given_snapshot(30, 60);
    struct stats_snapshot narrow;
    stats_narrow(&narrow, snapshot, view);
    CU_ASSERT_EQUAL(narrow.host_count, hosts);
    CU_ASSERT_EQUAL(narrow.user_count, users);
    CU_ASSERT_EQUAL(narrow.client_count, clients);
    CU_ASSERT_EQUAL(narrow.block_count, blocks);
    CU_ASSERT_EQUAL(narrow.class_count, 0);
    CU_ASSERT_EQUAL(narrow.upstream_count, 0);
    arena_reset(&narrow.arena);
    stats_snapshot_free(&snapshot);
}

static void test_host(void) {
    expect(&(struct stats_view){.only_host = "host25.example.net:0:25"}, 1, 0, 2, 0);
    expect(&(struct stats_view){.only_host = "back\\slash:0:4"}, 1, 0, 2, 1);
    expect(&(struct stats_view){.only_host = "nobody:0:1"}, 0, 0, 0, 0);
    expect(&(struct stats_view){.only_host = ""}, 0, 0, 0, 0);
}

static void test_user(void) {
    expect(&(struct stats_view){.only_host = "163.example.net:0:1"}, 1, 1, 2, 1);
    expect(&(struct stats_view){.only_user = "163.example.net"}, 1, 1, 2, 1);
    expect(&(struct stats_view){.only_user = "nobody"}, 0, 0, 0, 0);
}

static void test_shared_user(void) {
    struct stats_host hosts[4] = {{.traffic = {.name = "a"}, .key = "a:0:1", .user = "alice"},
                                  {.traffic = {.name = "b"}, .key = "b:0:2", .user = "bob"},
                                  {.traffic = {.name = "c"}, .key = "c:0:3", .user = "alice"},
                                  {.traffic = {.name = "d"}, .key = "d:0:4"}};
    struct stats_user users[2] = {{.traffic = {.name = "alice"}}, {.traffic = {.name = "bob"}}};
    struct stats_block blocks[2] = {{.address = "192.0.2.1", .host = "c"}, {.address = "192.0.2.2"}};
    struct stats_snapshot *snapshot = given_empty_snapshot();
    snapshot->hosts = hosts;
    snapshot->host_count = 4;
    snapshot->users = users;
    snapshot->user_count = 2;
    snapshot->blocks = blocks;
    snapshot->block_count = 2;
    /* One at the host, one at another of the same name, one at a host that is gone. */
    struct stats_client clients[3] = {{.address = "192.0.2.3", .host = "a", .host_key = "a:0:1"},
                                      {.address = "192.0.2.4", .host = "a", .host_key = "a:81:9"},
                                      {.address = "192.0.2.5", .host = "a"}};
    snapshot->clients = clients;
    snapshot->client_count = 3;
    struct stats_snapshot narrow;
    stats_narrow(&narrow, snapshot, &(struct stats_view){.only_host = "a:0:1"});
    CU_ASSERT_EQUAL_FATAL(narrow.client_count, 1);
    CU_ASSERT_STRING_EQUAL(narrow.clients[0].address, "192.0.2.3");
    CU_ASSERT_EQUAL_FATAL(narrow.host_count, 2);
    CU_ASSERT_STRING_EQUAL(narrow.hosts[1].traffic.name, "c");
    CU_ASSERT_EQUAL_FATAL(narrow.user_count, 1);
    CU_ASSERT_STRING_EQUAL(narrow.users[0].traffic.name, "alice");
    CU_ASSERT_EQUAL(narrow.block_count, 1);
    arena_reset(&narrow.arena);
    stats_snapshot_free(&snapshot);
}

static void test_every_document(void) {
    static const struct stats_view views[] = {{.path = NULL}, {.only_host = "163.example.net:0:1"}, {.only_user = ""}};
    struct stats_snapshot *snapshot = given_snapshot(30, 60);
    for (enum stats_document document = 0; document < STATS_DOCUMENTS; document++) {
        CU_ASSERT(strlen(stats_document_word(document)) > 0);
        CU_ASSERT_PTR_NOT_NULL(strchr(stats_document_content_type(document), '/'));
        for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
            char *text = given_document(document, snapshot, &views[i]);
            CU_ASSERT(strlen(text) > 100);
            CU_ASSERT_EQUAL(strstr(text, "host25.example.net") != NULL, i == 0); /* nobody else's */
            CU_ASSERT(i == 0 || strstr(text, "housekeeping_lag") == NULL);       /* nothing of the server's */
            free(text);
        }
    }
    stats_snapshot_free(&snapshot);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("narrow", NULL, NULL);
    CU_add_test(suite, "a host", test_host);
    CU_add_test(suite, "a user", test_user);
    CU_add_test(suite, "a user's other hosts", test_shared_user);
    CU_add_test(suite, "every document", test_every_document);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
