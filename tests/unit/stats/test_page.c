/* stats/page*.c: the whole document, read back as XML. With a directory as argument the program leaves the pages there,
 * to be looked at in a browser: unit_stats_page DIRECTORY. */
#include "stats/page.h"

#include <string.h>

#include <CUnit/Basic.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "stats/page_assets.h"
#include "tests/unit/stats/given_snapshot.h"
#include "tests/unit/stats/page_sample.h"

struct document {
    char *text;
    size_t length;
    xmlDoc *xml;
    xmlXPathContext *context;
};

/* By the door that everybody comes in by, so that a narrow view is one. */
static struct document render(const struct stats_snapshot *snapshot, const struct stats_view *view) {
    struct document document = {0};
    FILE *out = open_memstream(&document.text, &document.length);
    stats_render(STATS_DOCUMENT_PAGE, snapshot, view, out);
    fclose(out);
    document.xml = xmlReadMemory(document.text, (int)document.length, "page.html", "utf-8", XML_PARSE_NONET);
    CU_ASSERT_PTR_NOT_NULL_FATAL(document.xml);
    document.context = xmlXPathNewContext(document.xml);
    return document;
}

static void discard(struct document *document) {
    xmlXPathFreeContext(document->context);
    xmlFreeDoc(document->xml);
    free(document->text);
}

static double number_of(const struct document *document, const char *path) {
    xmlXPathObject *found = xmlXPathEvalExpression((const xmlChar *)path, document->context);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    double number = xmlXPathCastToNumber(found);
    xmlXPathFreeObject(found);
    return number;
}

static void expect_text(const struct document *document, const char *path, const char *wanted) {
    xmlXPathObject *found = xmlXPathEvalExpression((const xmlChar *)path, document->context);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    xmlChar *text = xmlXPathCastToString(found);
    if (strcmp((const char *)text, wanted) != 0) {
        printf("\n%s: \"%s\", not \"%s\"\n", path, (const char *)text, wanted);
        CU_FAIL("text");
    }
    xmlFree(text);
    xmlXPathFreeObject(found);
}

#define ROW(list, n) "//section[@id='" list "']//tbody/tr[" #n "]"

static void test_rows(void) {
    struct stats_snapshot *snapshot = page_sample(8);
    struct stats_view view = {.may_reset = true};
    struct document page = render(snapshot, &view);
    CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='hosts']//tbody/tr)"), 8);
    CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='users']//tbody/tr)"), 2);
    CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='classes']//tbody/tr)"), 3);
    CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='clients']//tbody/tr)"), 12);
    CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='blocks']//tbody/tr)"), 2);
    CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='origins']//tbody/tr)"), 4);
    expect_text(&page, "string(" ROW("hosts", 1) "/th/@data-v)", "shop.example.net");
    expect_text(&page, "string(" ROW("hosts", 1) "/td[@class='total']//b)", "118\u00A0GiB");
    expect_text(&page, "string(" ROW("hosts", 3) "/td[@class='total']//small)", "20\u00A0GB / 40\u00A0GB");
    expect_text(&page, "string(" ROW("hosts", 3) "//td[@class='total']//*[@class='fill']/@width)", "43.55");
    expect_text(&page, "string(" ROW("hosts", 3) "//td[@class='total']//*[@class='slice']/@d)", "M50.00 0v6");
    expect_text(&page, "string(" ROW("hosts", 4) "/td[@class='state'])", "refused");
    expect_text(&page, "string(" ROW("hosts", 4) "//td[@class='total']/*[local-name()='svg']/@class)", "bar u10");
    expect_text(&page, "string(" ROW("hosts", 1) "/td[@class='kbps'])", "11\u202F328of 20\u202F480");
    expect_text(&page, "string(" ROW("hosts", 6) "/td[@class='refresh'])", "never");
    expect_text(&page, "string(//section[@id='hosts']//thead//th[@class='class1'])", "lan");
    expect_text(&page, "string(" ROW("blocks", 1) "/td[@class='until'])", "00:07:49");
    expect_text(&page, "normalize-space(//h1)", "2 hosts exceeded \u00B7 2 addresses blocked");
    discard(&page);
    stats_snapshot_free(&snapshot);
}

static void test_headline(void) {
    struct stats_snapshot *snapshot = page_sample(3);
    struct stats_view view = {0};
    struct stats_host *hosts = (struct stats_host *)(uintptr_t)snapshot->hosts;
    hosts[1].limits.exceeded = STATS_WITHIN;
    snapshot->block_count = 0;
    struct document page = render(snapshot, &view);
    expect_text(&page, "normalize-space(//h1)", "All within limits");
    expect_text(&page, "string(//h1/@class)", "headline good");
    discard(&page);
    snapshot->block_count = 1;
    ((struct stats_upstream *)(uintptr_t)snapshot->upstreams)[2].is_usable = false;
    snapshot->server.last_reload = (struct stats_reload){false, 5, "proxy.conf:3: <b>"};
    page = render(snapshot, &view);
    expect_text(&page, "normalize-space(//h1)", "1 origin failed \u00B7 all within limits \u00B7 1 address blocked");
    expect_text(&page, "string(//h1/@class)", "headline bad");
    CU_ASSERT_EQUAL(number_of(&page, "count(//p[@class='alert'][contains(., 'proxy.conf:3: <b>')])"), 1);
    discard(&page);
    stats_snapshot_free(&snapshot);
}

static void test_order(void) {
    struct stats_snapshot *snapshot = page_sample(8);
    struct stats_view view = {.sort = "hosts.name.asc"};
    struct document page = render(snapshot, &view);
    expect_text(&page, "string(" ROW("hosts", 1) "/th/@data-v)", "api.example.com");
    expect_text(&page, "string(//section[@id='hosts']//th[@class='name'][@scope='col']/@aria-sort)", "ascending");
    expect_text(&page, "string(//section[@id='hosts']//th[@class='name']/a/@href)", "?sort=hosts.name.desc#hosts");
    expect_text(&page, "string(" ROW("clients", 1) "/th/@data-v)", "203.0.113.9");
    discard(&page);
    view.sort = "hosts.total";
    page = render(snapshot, &view);
    expect_text(&page, "string(" ROW("hosts", 1) "/th/@data-v)", "media.example.net");
    expect_text(&page, "string(//section[@id='hosts']//th[@class='total']/@aria-sort)", "descending");
    discard(&page);
    static const char *const odd[] = {"",          ".",           "hosts",     "hosts.", "hosts.nothing.asc",
                                      "hostsname", "\"><script>", "hosts.hour"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        view.sort = odd[i];
        page = render(snapshot, &view);
        expect_text(&page, "string(" ROW("hosts", 1) "/th/@data-v)", "shop.example.net");
        CU_ASSERT_EQUAL(number_of(&page, "count(//script)"), 1);
        discard(&page);
    }
    stats_snapshot_free(&snapshot);
}

static void test_many(void) {
    struct stats_snapshot *snapshot = page_sample(10000);
    struct stats_view view = {.may_reset = true, .refresh_s = 15};
    struct document page = render(snapshot, &view);
    CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='hosts']//tbody/tr)"), PAGE_ROWS);
    CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='hosts']//table[@data-complete])"), 0);
    CU_ASSERT(page.length < 500000);
    expect_text(&page, "string(//section[@id='hosts']//p[@class='foot']/a[1]/@href)", "?refresh=15&page=2#hosts");
    discard(&page);
    view.page = 100;
    page = render(snapshot, &view);
    expect_text(&page, "string(" ROW("hosts", 100) "/th/@data-v)", "www9999.example.net");
    discard(&page);
    view.page = 4000000000;
    page = render(snapshot, &view);
    expect_text(&page, "string(" ROW("hosts", 1) "/th/@data-v)", "www9900.example.net");
    discard(&page);
    view.page = 1;
    view.filter = "WWW77";
    page = render(snapshot, &view);
    CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='hosts']//tbody/tr)"), PAGE_ROWS);
    expect_text(&page, "string(//section[@id='hosts']//h2/small)", "111 of 10\u202F000");
    expect_text(&page, "string(//input[@type='search']/@value)", "WWW77");
    discard(&page);
    view.filter = "\"><script>";
    page = render(snapshot, &view);
    CU_ASSERT_EQUAL(number_of(&page, "count(//script)"), 1);
    expect_text(&page, "string(//input[@type='search']/@value)", view.filter);
    CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='hosts']//p[@class='empty'])"), 1);
    discard(&page);
    stats_snapshot_free(&snapshot);
}

static void test_hostile_names(void) {
    struct stats_snapshot *snapshot = page_sample(8);
    struct stats_view view = {.may_reset = true, .title = "</title><script>"};
    struct stats_host *hosts = (struct stats_host *)(uintptr_t)snapshot->hosts;
    struct stats_user *users = (struct stats_user *)(uintptr_t)snapshot->users;
    struct stats_class *classes = (struct stats_class *)(uintptr_t)snapshot->classes;
    struct stats_client *clients = (struct stats_client *)(uintptr_t)snapshot->clients;
    for (size_t i = 0; i < GIVEN_HOSTILE; i++) {
        const char *name = given_hostile_names[i];
        hosts[0].traffic.name = hosts[0].user = hosts[0].key = users[0].traffic.name = classes[0].traffic.name = name;
        clients[0].host = name;
        ((struct stats_quota *)(uintptr_t)hosts[0].limits.class_quotas)[1].class_name = name;
        struct document page = render(snapshot, &view);
        CU_ASSERT_EQUAL(number_of(&page, "count(//script)"), 1);
        CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='hosts']//tbody/tr)"), 8);
        discard(&page);
    }
    hosts[0].traffic.name = "a&<>\"'b";
    struct document page = render(snapshot, &view);
    expect_text(&page, "string(" ROW("hosts", 1) "/th/@data-v)", "a&<>\"'b");
    CU_ASSERT_EQUAL(number_of(&page, "count(" ROW("hosts", 1) "/th//a)"), 0);
    discard(&page);
    stats_snapshot_free(&snapshot);
}

/* Resets are POST forms, and there are none when the view does not have them. */
static void test_resets(void) {
    struct stats_snapshot *snapshot = page_sample(8);
    struct stats_view view = {.may_reset = true, .path = "/cband-status", .unit = STATS_UNIT_M};
    struct document page = render(snapshot, &view);
    CU_ASSERT_EQUAL(number_of(&page, "count(//form[@method='post'])"), 12);
    expect_text(&page, "string(" ROW("hosts", 1) "//form/input[@name='reset']/@value)", "shop.example.net:443:40");
    expect_text(&page, "string(" ROW("hosts", 1) "//form/@action)", "/cband-status?unit=M");
    expect_text(&page, "string(" ROW("users", 2) "//input[@name='reset_user']/@value)", "river");
    discard(&page);
    view.may_reset = false;
    page = render(snapshot, &view);
    CU_ASSERT_EQUAL(number_of(&page, "count(//form[@method='post'])"), 0);
    discard(&page);
    stats_snapshot_free(&snapshot);
}

/* What a customer sees: nothing of the others, nor of the server. */
static void test_narrow(void) {
    struct stats_snapshot *snapshot = page_sample(8);
    struct stats_view view = {.only_host = "shop.example.net:443:40", .title = "shop.example.net"};
    ((struct stats_user *)(uintptr_t)snapshot->users)[0].hosts =
        (const char *const[]){"shop.example.net", "media.example.net"};
    struct document page = render(snapshot, &view);
    CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='hosts']//tbody/tr)"), 2);
    CU_ASSERT_EQUAL(number_of(&page, "count(//section[@id='users']//tbody/tr)"), 1);
    expect_text(&page, "string(//section[@id='hosts']//thead//th[@class='class1'])", "bots");
    static const char *const unseen[] = {"river", "static.example.com", "10.0.0.1", "OpenSSL", "state.db", "Inside"};
    for (size_t i = 0; i < sizeof unseen / sizeof unseen[0]; i++) {
        CU_ASSERT_PTR_NULL(strstr(page.text, unseen[i]));
    }
    discard(&page);
    stats_snapshot_free(&snapshot);
}

/* The security policy forbids what these look for, and readers of screens need the rest. */
static void test_rules(void) {
    struct stats_snapshot *snapshot = page_sample(120);
    struct stats_view view = {.may_reset = true};
    struct document page = render(snapshot, &view);
    CU_ASSERT_EQUAL(number_of(&page, "count(//@style) + count(//@onclick) + count(//@src)"), 0);
    CU_ASSERT_EQUAL(number_of(&page, "count(//link[not(starts-with(@href, 'data:'))])"), 0);
    CU_ASSERT_EQUAL(number_of(&page, "count(//th[not(@scope)]) + count(//table[not(@aria-labelledby)])"), 0);
    CU_ASSERT_EQUAL(number_of(&page, "count(//@id[. = preceding::*/@id])"), 0);
    CU_ASSERT_PTR_NULL(strstr(page_style, "url("));
    CU_ASSERT_PTR_NULL(strstr(page_style, "@import"));
    CU_ASSERT_PTR_NOT_NULL(strstr(stats_page_security_policy, "default-src 'none'; style-src 'sha256-"));
    CU_ASSERT_PTR_NULL(strstr(stats_page_security_policy, "unsafe"));
    discard(&page);
    stats_snapshot_free(&snapshot);
}

static void test_empty(void) {
    struct stats_snapshot *snapshot = given_empty_snapshot();
    struct stats_view view = {.may_reset = true};
    struct document page = render(snapshot, &view);
    expect_text(&page, "normalize-space(//h1)", "All within limits");
    CU_ASSERT_EQUAL(number_of(&page, "count(//table)"), 0);
    CU_ASSERT_EQUAL(number_of(&page, "count(//form)"), 0);
    discard(&page);
    stats_snapshot_free(&snapshot);
}

static int leave(const char *directory, const char *name, size_t hosts, const struct stats_view *view) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.html", directory, name);
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        perror(path);
        return 1;
    }
    struct stats_snapshot *snapshot = page_sample(hosts);
    stats_render(STATS_DOCUMENT_PAGE, snapshot, view, out);
    stats_snapshot_free(&snapshot);
    return fclose(out);
}

int main(int count, char **arguments) {
    if (count > 1) {
        struct stats_view all = {.may_reset = true, .refresh_s = 15};
        struct stats_view me = {.only_host = "shop.example.net:443:40", .title = "shop.example.net"};
        return leave(arguments[1], "status", 8, &all) | leave(arguments[1], "status-me", 8, &me) |
               leave(arguments[1], "status-10000", 10000, &all);
    }
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("page", NULL, NULL);
    CU_add_test(suite, "rows and their numbers", test_rows);
    CU_add_test(suite, "the headline", test_headline);
    CU_add_test(suite, "order", test_order);
    CU_add_test(suite, "10,000 hosts", test_many);
    CU_add_test(suite, "hostile names", test_hostile_names);
    CU_add_test(suite, "reset forms", test_resets);
    CU_add_test(suite, "what a customer sees", test_narrow);
    CU_add_test(suite, "security policy and accessibility", test_rules);
    CU_add_test(suite, "nothing to show", test_empty);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    xmlCleanupParser();
    return failures == 0 ? 0 : 1;
}
