/* stats/xml_classic.c: mod_cband 0.9.7.5's document, byte for byte, and well-formed with any names. */
#include "stats/xml_classic.h"

#include <CUnit/Basic.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "tests/unit/stats/given_snapshot.h"

/* Layout and names as mod_cband 0.9.7.5 prints them, with these values. */
static const char sample[] =
    "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n"
    "<mod_cband>\n"
    "\t<Server>\n"
    "\t\t<uptime>1W 2D 03:04:05</uptime>\n"
    "\t</Server>\n"
    "\t<Virtualhosts>\n"
    "\t\t<shop.example.net>\n"
    "\t\t\t<port>0</port>\n"
    "\t\t\t<line>212</line>\n"
    "\t\t\t<limits>\n"
    "\t\t\t\t<total>512000KiB</total>\n"
    "\t\t\t\t<lan>0KiB</lan>\n"
    "\t\t\t\t<bots>20000KB</bots>\n"
    "\t\t\t\t<kbps>2048</kbps>\n"
    "\t\t\t\t<rps>12</rps>\n"
    "\t\t\t\t<connections>40</connections>\n"
    "\t\t\t</limits>\n"
    "\t\t\t<usages>\n"
    "\t\t\t\t<total>90317KiB</total>\n"
    "\t\t\t\t<lan>1204KiB</lan>\n"
    "\t\t\t\t<bots>7310KB</bots>\n"
    "\t\t\t\t<kbps>611.27</kbps>\n"
    "\t\t\t\t<rps>3.46</rps>\n"
    "\t\t\t\t<connections>5</connections>\n"
    "\t\t\t</usages>\n"
    "<time_to_refresh>0W 0D 11:22:33</time_to_refresh>\t\t\t<user>alice</user>\n"
    "\t\t\t<scoreboard>/var/lib/cband/shop</scoreboard>\n"
    "\t\t\t<limit_exceeded_URL>none</limit_exceeded_URL>\n"
    "\t\t</shop.example.net>\n"
    "\t</Virtualhosts>\n"
    "\t<Users>\n"
    "\t\t<alice>\n"
    "\t\t\t<limits>\n"
    "\t\t\t\t<total>5000000KB</total>\n"
    "\t\t\t\t<lan>0KiB</lan>\n"
    "\t\t\t\t<bots>0KiB</bots>\n"
    "\t\t\t\t<kbps>0</kbps>\n"
    "\t\t\t\t<rps>0</rps>\n"
    "\t\t\t\t<connections>0</connections>\n"
    "\t\t\t</limits>\n"
    "\t\t\t<usages>\n"
    "\t\t\t\t<total>1830442KiB</total>\n"
    "\t\t\t\t<lan>20995KiB</lan>\n"
    "\t\t\t\t<bots>88120KiB</bots>\n"
    "\t\t\t\t<kbps>611.27</kbps>\n"
    "\t\t\t\t<rps>3.46</rps>\n"
    "\t\t\t\t<connections>5</connections>\n"
    "\t\t\t</usages>\n"
    "<time_to_refresh>2W 4D "
    "00:00:09</time_to_refresh>\t\t\t<limit_exceeded_URL>http://www.example.net/over.html</limit_exceeded_URL>\n"
    "\t\t\t<scoreboard>/var/lib/cband/alice</scoreboard>\n"
    "\t\t</alice>\n"
    "\t</Users>\n"
    "</mod_cband>";

static const struct stats_quota shop_classes[] = {
    {.class_name = "lan", .used_bytes = 1204 * 1024 + 1023, .in_kib = true},
    {.class_name = "bots", .limit_bytes = 19999001, .used_bytes = 7310999}};
static const struct stats_quota alice_classes[] = {{.class_name = "lan", .used_bytes = 20995 * 1024},
                                                   {.class_name = "bots", .used_bytes = 88120 * 1024}};
/* kbps and rps are those of the 10 s. */
#define RATES                                                                                                          \
    {                                                                                                                  \
        .bytes_per_s_1 = 1, .bytes_per_s_10 = 611.27 * 1024 / 8, .bytes_per_s_60 = 2, .requests_per_s_1 = 1,           \
        .requests_per_s_10 = 3.46, .requests_per_s_60 = 2                                                              \
    }
static const struct stats_host shop = {
    .traffic = {.name = "shop.example.net", .connections = 5, .rates = RATES},
    .limits = {.quota = {.limit_bytes = UINT64_C(512000) * 1024, .used_bytes = UINT64_C(90317) * 1024, .in_kib = true},
               .class_quotas = shop_classes,
               .class_quota_count = 2,
               .period = PERIOD_SECONDS,
               .period_s = 86400,
               .period_begin_s = GIVEN_NOW_S - 45447,
               .period_end_s = GIVEN_NOW_S + 40953,
               .speed_in_force = {2048 * 1024, 12, 40},
               .scoreboard = "/var/lib/cband/shop"},
    .user = "alice",
    .line = 212};
static const struct stats_user alice = {
    .traffic = {.name = "alice", .connections = 5, .rates = RATES},
    .limits = {.quota = {.limit_bytes = UINT64_C(5000000000), .used_bytes = UINT64_C(1830442) * 1024},
               .class_quotas = alice_classes,
               .class_quota_count = 2,
               .period = PERIOD_SECONDS,
               .period_s = 4 * 604800,
               .period_begin_s = GIVEN_NOW_S - 1,
               .period_end_s = GIVEN_NOW_S + 2 * 604800 + 4 * 86400 + 9,
               .exceeded_url = "http://www.example.net/over.html",
               .scoreboard = "/var/lib/cband/alice"}};

static void test_sample(void) {
    struct stats_snapshot *snapshot = given_empty_snapshot();
    snapshot->hosts = &shop;
    snapshot->users = &alice;
    snapshot->host_count = snapshot->user_count = 1;
    char *text = given_document(STATS_DOCUMENT_XML_CLASSIC, snapshot, NULL);
    CU_ASSERT_STRING_EQUAL(text, sample);
    free(text);
    stats_snapshot_free(&snapshot);
}

/* ---- a reader as scrapers are: elements by name, numbers by their beginning ---- */

static xmlNodePtr child(xmlNodePtr parent, const char *name) {
    for (xmlNodePtr node = parent != NULL ? parent->children : NULL; node != NULL; node = node->next) {
        if (node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0) {
            return node;
        }
    }
    return NULL;
}

static void expect(xmlNodePtr parent, const char *group, const char *name, const char *wanted) {
    xmlChar *text = xmlNodeGetContent(child(group != NULL ? child(parent, group) : parent, name));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, wanted);
    xmlFree(text);
}

static xmlDocPtr well_formed(const struct stats_snapshot *snapshot) {
    char *text = given_document(STATS_DOCUMENT_XML_CLASSIC, snapshot, NULL);
    xmlDocPtr document = xmlReadMemory(text, (int)strlen(text), "classic.xml", NULL, XML_PARSE_NONET);
    free(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(document);
    return document;
}

static void test_units(void) {
    struct stats_snapshot *snapshot = given_empty_snapshot();
    struct stats_host hosts[3] = {shop, shop, shop};
    hosts[0].limits.quota = (struct stats_quota){.limit_bytes = 1}; /* bytes: KB, rounded up */
    hosts[0].limits.speed_in_force.bits_per_s = 1023;               /* under 1 kbps */
    hosts[0].limits.period = PERIOD_NONE;
    hosts[0].user = hosts[0].limits.scoreboard = NULL;
    hosts[1].traffic.name = "other";
    hosts[1].limits.quota = (struct stats_quota){.limit_bytes = 1025, .used_bytes = 2047, .in_kib = true};
    hosts[1].limits.period_end_s = 0; /* not begun: as long as it is */
    hosts[1].limits.speed_in_force.bits_per_s = 2047;
    hosts[2].traffic.name = "third";
    hosts[2].limits.quota.limit_bytes = UINT64_MAX;
    hosts[2].limits.period_end_s = GIVEN_NOW_S - 1; /* nobody has asked since */
    snapshot->hosts = hosts;
    snapshot->host_count = 3;
    xmlDocPtr document = well_formed(snapshot);
    xmlNodePtr all = child(xmlDocGetRootElement(document), "Virtualhosts");
    xmlNodePtr host = child(all, "shop.example.net");
    expect(host, "limits", "total", "1KB");
    expect(host, "limits", "kbps", "1");
    expect(host, NULL, "time_to_refresh", "never");
    expect(host, NULL, "user", "none");
    expect(host, NULL, "scoreboard", "none");
    host = child(all, "other");
    expect(host, "limits", "total", "2KiB");
    expect(host, "limits", "kbps", "1");
    expect(host, "usages", "total", "1KiB");
    expect(host, NULL, "time_to_refresh", "0W 1D 00:00:00");
    host = child(all, "third");
    expect(host, "limits", "total", "18014398509481984KiB");
    expect(host, NULL, "time_to_refresh", "0W 0D 00:00:00");
    xmlFreeDoc(document);
    stats_snapshot_free(&snapshot);
}

/* A calendar's period goes on whether anybody came or not. */
static void test_calendar(void) {
    struct stats_snapshot *snapshot = given_empty_snapshot();
    struct stats_host host = shop;
    host.limits.period = PERIOD_CALENDAR_DAY;
    host.limits.period_s = 0;
    host.limits.period_begin_s = host.limits.period_end_s = 0;
    snapshot->hosts = &host;
    snapshot->host_count = 1;
    xmlDocPtr document = well_formed(snapshot);
    xmlNodePtr element = child(child(xmlDocGetRootElement(document), "Virtualhosts"), "shop.example.net");
    expect(element, NULL, "time_to_refresh", "0W 0D 09:46:40"); /* it is 14:13:20 UTC */
    xmlFreeDoc(document);
    stats_snapshot_free(&snapshot);
}

static void test_names(void) {
    struct stats_snapshot *snapshot = given_snapshot(GIVEN_HOSTILE, 0);
    xmlDocPtr document = well_formed(snapshot);
    static const char *const wanted[GIVEN_HOSTILE] = {"_",
                                                      "_163.example.net",
                                                      "_-dash",
                                                      "a_____b___",
                                                      "back_slash",
                                                      "bell____",
                                                      "line_feed_tab_return",
                                                      "latin-1___alone",
                                                      "caf\xc3\xa9.example.net",
                                                      "_",
                                                      "__smile",
                                                      "cut____",
                                                      "_______not_characters",
                                                      "____surrogate",
                                                      "___over-long",
                                                      "___C1",
                                                      "_2001_db8__1_",
                                                      "total",
                                                      "xml",
                                                      "twice.example.net",
                                                      "twice.example.net",
                                                      "twice.example.net"};
    xmlNodePtr host = xmlFirstElementChild(child(xmlDocGetRootElement(document), "Virtualhosts"));
    for (size_t i = 0; i < GIVEN_HOSTILE; i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(host);
        CU_ASSERT_STRING_EQUAL(host->name, wanted[i]);
        expect(child(host, "limits"), NULL, "_163.example.net", "20001KB");
        host = xmlNextElementSibling(host);
    }
    CU_ASSERT_PTR_NULL(host);
    host = xmlFirstElementChild(child(xmlDocGetRootElement(document), "Virtualhosts"));
    expect(host, NULL, "limit_exceeded_URL", "http://www.example.net/over?a=1&b=<2>");
    xmlFreeDoc(document);
    stats_snapshot_free(&snapshot);
}

int main(void) {
    setenv("TZ", "UTC", 1);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("classic xml", NULL, NULL);
    CU_add_test(suite, "the sample", test_sample);
    CU_add_test(suite, "units and rounding", test_units);
    CU_add_test(suite, "a calendar's period", test_calendar);
    CU_add_test(suite, "hostile names", test_names);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    xmlCleanupParser();
    return failures == 0 ? 0 : 1;
}
