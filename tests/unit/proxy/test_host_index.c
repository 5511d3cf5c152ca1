/* The host index: Apache's rules for addresses and names, and that it stays quick with very many hosts. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <time.h>

#include "proxy/host_index.h"

static const struct virtual_host main_server = {.name = "main", .is_main = true};
static struct virtual_host hosts[16];
static const struct virtual_host *host_list[17];
static struct host_address addresses[16];
static struct config config;
static struct host_index *host_index;

static struct ip_address address(const char *text) {
    struct ip_address parsed = {.family = IP_NONE};
    if (text != NULL) {
        CU_ASSERT_FATAL(ip_address_parse(span_of(text), &parsed));
    }
    return parsed;
}

static void begin(void) {
    host_index_free(&host_index);
    config = (struct config){.hosts = host_list, .host_count = 1};
    host_list[0] = &main_server;
}

/* ip NULL: any address. aliases: NULL-terminated, may be NULL. */
static struct virtual_host *add(const char *ip, uint16_t port, const char *name, const char *const *aliases) {
    size_t i = config.host_count - 1;
    addresses[i] = (struct host_address){.address = address(ip), .port = port};
    hosts[i] = (struct virtual_host){
        .name = name, .addresses = &addresses[i], .address_count = 1, .index = i + 1, .aliases = aliases};
    while (aliases != NULL && aliases[hosts[i].alias_count] != NULL) {
        hosts[i].alias_count++;
    }
    host_list[config.host_count++] = &hosts[i];
    return &hosts[i];
}

static const struct virtual_host *find(const char *ip, uint16_t port, const char *host) {
    if (host_index == NULL) {
        host_index = host_index_new(&config);
    }
    struct ip_address local = address(ip);
    return host_index_find(host_index, &local, port, span_of(host), NULL);
}

static void the_main_server_is_the_last_resort(void) {
    begin();
    CU_ASSERT_PTR_EQUAL(find("127.0.0.1", 80, "x"), &main_server);
    begin();
    add("192.0.2.1", 80, "a", NULL);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.2", 80, "a"), &main_server);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 81, "a"), &main_server);
}

static void names_in_any_spelling(void) {
    begin();
    const char *const aliases[] = {"Alias.example.net", "b.", NULL};
    struct virtual_host *first = add(NULL, 80, "first.example.net", NULL);
    struct virtual_host *second = add(NULL, 80, "second.example.net", aliases);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "second.example.net"), second);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "SECOND.example.NET:8080"), second);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "second.example.net."), second);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "second.example.net.:80"), second);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "alias.EXAMPLE.net"), second);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "b"), second);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "unknown"), first);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, ""), first);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, ":80"), first);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "[::1]:80"), first);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 81, "second.example.net"), &main_server);
}

static void the_most_specific_address_counts_alone(void) {
    begin();
    struct virtual_host *any = add(NULL, 80, "x", NULL);
    struct virtual_host *special = add("192.0.2.1", 80, "y", NULL);
    struct virtual_host *any_port = add("192.0.2.1", 0, "x", NULL);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "x"), special);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 81, "x"), any_port);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.9", 80, "x"), any);
    CU_ASSERT_PTR_EQUAL(find("2001:db8::1", 80, "x"), any);
}

static void the_earlier_host_wins_however_it_matches(void) {
    begin();
    const char *const suffix[] = {"*.example.net", NULL};
    const char *const loose[] = {"www.*", NULL};
    add(NULL, 80, "first", NULL);
    struct virtual_host *exact = add(NULL, 80, "a.example.net", NULL);
    struct virtual_host *by_suffix = add(NULL, 80, "s", suffix);
    add(NULL, 80, "b.example.net", NULL);
    struct virtual_host *by_wildcard = add(NULL, 80, "w", loose);
    struct virtual_host *late = add(NULL, 80, "www.example.org", NULL);
    struct virtual_host *other = add(NULL, 80, "other.example.org", NULL);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "a.example.net"), exact);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "b.example.net"), by_suffix);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "x.y.EXAMPLE.net"), by_suffix);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "www.example.net"), by_suffix);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "www.example.org"), by_wildcard);
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, "other.example.org"), other);
    CU_ASSERT_PTR_NOT_EQUAL(find("192.0.2.1", 80, "example.net"), by_suffix);
    (void)late;
}

static void patterns_need_scratch_memory(void) {
    begin();
    struct arena arena;
    arena_init(&arena, NULL, 0);
    const char *error = NULL;
    size_t offset = 0;
    struct pattern *pattern = pattern_new(&arena, "^shop[0-9]+\\.", true, &error, &offset);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pattern);
    const struct pattern *const patterns[] = {pattern};
    struct virtual_host *first = add(NULL, 80, "first", NULL);
    struct virtual_host *shop = add(NULL, 80, "shop", NULL);
    shop->alias_patterns = patterns;
    shop->alias_pattern_count = 1;
    struct pattern_scratch *scratch = pattern_scratch_new();
    host_index = host_index_new(&config);
    struct ip_address local = address("192.0.2.1");
    CU_ASSERT_PTR_EQUAL(host_index_find(host_index, &local, 80, SPAN_LITERAL("Shop12.example.net"), scratch), shop);
    CU_ASSERT_PTR_EQUAL(host_index_find(host_index, &local, 80, SPAN_LITERAL("shop.example.net"), scratch), first);
    CU_ASSERT_PTR_EQUAL(host_index_find(host_index, &local, 80, SPAN_LITERAL("shop12.example.net"), NULL), first);
    pattern_scratch_free(scratch);
    pattern_free(pattern);
    arena_reset(&arena);
}

static void unix_sockets_serve_hosts_of_any_address(void) {
    begin();
    add("192.0.2.1", 80, "a", NULL);
    struct virtual_host *any = add(NULL, 8080, "b", NULL);
    CU_ASSERT_PTR_EQUAL(find(NULL, 0, "a"), any);
    begin();
    add(NULL, 8080, "b", NULL);
    struct virtual_host *any_port = add(NULL, 0, "c", NULL);
    CU_ASSERT_PTR_EQUAL(find(NULL, 0, "b"), any_port);
}

static void over_long_names_are_nobodys(void) {
    begin();
    const char *const all[] = {"*", NULL};
    struct virtual_host *first = add(NULL, 80, "first", NULL);
    add(NULL, 80, "second", all);
    char name[5000];
    memset(name, '.', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CU_ASSERT_PTR_EQUAL(find("192.0.2.1", 80, name), first);
}

enum { MANY = 100000 };

static void a_hundred_thousand_hosts(void) {
    begin();
    struct virtual_host *many = calloc(MANY, sizeof *many);
    const struct virtual_host **list = calloc(MANY + 1, sizeof(struct virtual_host *));
    char(*names)[40] = calloc(MANY, sizeof *names);
    const struct host_address any = {.port = 80};
    list[0] = &main_server;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "www.customer-%zu.example.net", i);
        many[i] = (struct virtual_host){.name = names[i], .addresses = &any, .address_count = 1, .index = i + 1};
        list[i + 1] = &many[i];
    }
    config.hosts = list;
    config.host_count = MANY + 1;
    host_index = host_index_new(&config);
    struct ip_address local = address("192.0.2.1");
    clock_t start = clock();
    size_t wrong = 0;
    for (size_t i = 0; i < MANY; i++) {
        wrong += host_index_find(host_index, &local, 80, span_of(names[i]), NULL) != &many[i];
    }
    CU_ASSERT_EQUAL(wrong, 0);
    /* Microseconds each; a linear search would take minutes for all. */
    CU_ASSERT(clock() - start < 5 * CLOCKS_PER_SEC);
    host_index_free(&host_index);
    free(names);
    free(list);
    free(many);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("host_index", NULL, NULL);
    CU_ADD_TEST(suite, the_main_server_is_the_last_resort);
    CU_ADD_TEST(suite, names_in_any_spelling);
    CU_ADD_TEST(suite, the_most_specific_address_counts_alone);
    CU_ADD_TEST(suite, the_earlier_host_wins_however_it_matches);
    CU_ADD_TEST(suite, patterns_need_scratch_memory);
    CU_ADD_TEST(suite, unix_sockets_serve_hosts_of_any_address);
    CU_ADD_TEST(suite, over_long_names_are_nobodys);
    CU_ADD_TEST(suite, a_hundred_thousand_hosts);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    host_index_free(&host_index);
    return failures > 0;
}
