/* stats/xml.c: every document is valid against stats/weir-status.xsd, and says what the snapshot says. */
#include "stats/xml.h"

#include <CUnit/Basic.h>
#include <libxml/parser.h>
#include <libxml/xmlschemas.h>
#include <libxml/xpath.h>

#include "tests/unit/stats/given_snapshot.h"

static xmlSchemaPtr schema;

static xmlDocPtr valid_document(const struct stats_snapshot *snapshot, const struct stats_view *view) {
    char *text = given_document(STATS_DOCUMENT_XML, snapshot, view);
    xmlDocPtr document = xmlReadMemory(text, (int)strlen(text), "status.xml", NULL, XML_PARSE_NONET | XML_PARSE_HUGE);
    free(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(document);
    xmlSchemaValidCtxtPtr check = xmlSchemaNewValidCtxt(schema);
    CU_ASSERT_EQUAL(xmlSchemaValidateDoc(check, document), 0);
    xmlSchemaFreeValidCtxt(check);
    return document;
}

static void expect(xmlDocPtr document, const char *path, const char *wanted) {
    xmlXPathContextPtr context = xmlXPathNewContext(document);
    char expression[512];
    snprintf(expression, sizeof expression, "string(%s)", path);
    xmlXPathObjectPtr found = xmlXPathEvalExpression(BAD_CAST expression, context);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    CU_ASSERT_STRING_EQUAL(found->stringval, wanted);
    if (strcmp((const char *)found->stringval, wanted) != 0) {
        printf("\n%s: \"%s\", not \"%s\"\n", path, (const char *)found->stringval, wanted);
    }
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
}

static void test_nothing(void) {
    struct stats_snapshot *snapshot = given_empty_snapshot();
    xmlDocPtr document = valid_document(snapshot, NULL);
    expect(document, "/weir/Server/uptime", "788645");
    expect(document, "count(/weir/*)", "7");
    expect(document, "count(/weir/Server/last_reload)", "0");
    xmlFreeDoc(document);
    stats_snapshot_free(&snapshot);
}

static void test_values(void) {
    struct stats_snapshot *snapshot = given_snapshot(30, 3);
    xmlDocPtr document = valid_document(snapshot, NULL);
    expect(document, "/weir/Server/last_reload/text", "weir.conf:3: \"&\" \xef\xbf\xbd is not understood");
    expect(document, "/weir/Server/counters/counter[name='client_sent_bytes_total']/value", "18446744073709551615");
    expect(document, "/weir/Server/counters/counter[name='housekeeping_lag_seconds']/value", "0.00025");
    expect(document, "/weir/Server/blocks_total/reason[name='page']/value", "5");
    const char *host = "/weir/Virtualhosts/virtualhost[name='host25.example.net']";
    char path[256];
    static const char *const wanted[][2] = {{"key", "host25.example.net:0:25"},
                                            {"limits/total", "524288000"},
                                            {"limits/slice", "262144000"},
                                            {"limits/kbps", "2048"},
                                            {"limits/exceeded/kbps", "0.9765625"},
                                            {"limits/remote/connections", "3"},
                                            {"limits/classes/class[name='163.example.net']/total", "20000001"},
                                            {"usages/total", "92485000"},
                                            {"usages/rps", "3.46"},
                                            {"usages/classes/class[name='total']/total", "7310999"},
                                            {"exceeded", "slowed"},
                                            {"time_to_refresh", "40953"},
                                            {"period/kind", "seconds"},
                                            {"traffic/bytes_out", "26000"},
                                            {"traffic/refused/total", "28"},
                                            {"traffic/refused/reason[name='host-rate']/value", "26"},
                                            {"traffic/rates/bytes_per_second_1", "39"}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", host, wanted[i][0]);
        expect(document, path, wanted[i][1]);
    }
    expect(document, "count(/weir/Virtualhosts/virtualhost[name='host25.example.net']/limit_exceeded_URL)", "0");
    expect(document, "/weir/Virtualhosts/virtualhost[line=24]/limit_exceeded_URL",
           "http://www.example.net/over?a=1&b=<2>");
    expect(document, "/weir/Clients/client[2]/virtualhost", "163.example.net");
    expect(document, "/weir/Clients/client[2]/kbps", "10");
    expect(document, "/weir/Blocks/block[4]/seconds_left", "5");
    expect(document, "/weir/Upstreams/upstream[1]/first_byte/buckets/bucket[3]/at_most", "0.005");
    expect(document, "/weir/Upstreams/upstream[1]/first_byte/count", "13");
    expect(document, "/weir/Upstreams/upstream[2]/balancer", "a \"lb\"\\");
    xmlFreeDoc(document);
    stats_snapshot_free(&snapshot);
}

static void test_names(void) {
    struct stats_snapshot *snapshot = given_snapshot(GIVEN_HOSTILE, 0);
    xmlDocPtr document = valid_document(snapshot, NULL);
    static const char *const wanted[GIVEN_HOSTILE] = {[0] = "",
                                                      [3] = "a&<>\"'b]]>",
                                                      [5] = "bell\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
                                                      [6] = "line\nfeed\ttab\xef\xbf\xbdreturn",
                                                      [7] = "latin-1 \xef\xbf\xbd alone",
                                                      [8] = "caf\xc3\xa9.example.net",
                                                      [10] = "\xf0\x9f\x98\x80 smile",
                                                      [11] = "cut \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
                                                      [16] = "[2001:db8::1]"};
    for (size_t i = 0; i < GIVEN_HOSTILE; i++) {
        if (wanted[i] != NULL) {
            char path[64];
            snprintf(path, sizeof path, "/weir/Virtualhosts/virtualhost[%zu]/name", i + 1);
            expect(document, path, wanted[i]);
        }
    }
    xmlFreeDoc(document);
    stats_snapshot_free(&snapshot);
}

static void test_many(void) {
    struct stats_snapshot *snapshot = given_snapshot(10000, 5000);
    xmlDocPtr document = valid_document(snapshot, NULL);
    expect(document, "count(/weir/Virtualhosts/virtualhost)", "10000");
    expect(document, "/weir/Virtualhosts/virtualhost[10000]/name", "host9999.example.net");
    expect(document, "count(/weir/Clients/client)", "5000");
    xmlFreeDoc(document);
    stats_snapshot_free(&snapshot);
}

static void test_narrow(void) {
    struct stats_snapshot *snapshot = given_snapshot(30, 30);
    const struct stats_view view = {.only_host = "host25.example.net:0:25"};
    xmlDocPtr document = valid_document(snapshot, &view);
    expect(document, "count(/weir/Virtualhosts/virtualhost)", "1");
    expect(document, "count(/weir/Server/*)", "3");
    expect(document, "/weir/Clients/client/address", "10.0.0.25");
    xmlFreeDoc(document);
    stats_snapshot_free(&snapshot);
}

static void ignore(void *context, const char *format, ...) {
    (void)context;
    (void)format;
}

/* The reverse of validity: what the schema does not know is found. */
static void test_schema_is_strict(void) {
    static const char text[] = "<weir><Server><uptime>-1</uptime></Server></weir>";
    xmlDocPtr document = xmlReadMemory(text, (int)sizeof text - 1, "bad.xml", NULL, XML_PARSE_NONET);
    xmlSchemaValidCtxtPtr check = xmlSchemaNewValidCtxt(schema);
    xmlSchemaSetValidErrors(check, ignore, ignore, NULL);
    CU_ASSERT_NOT_EQUAL(xmlSchemaValidateDoc(check, document), 0);
    xmlSchemaFreeValidCtxt(check);
    xmlFreeDoc(document);
}

int main(void) {
    xmlSchemaParserCtxtPtr parser = xmlSchemaNewParserCtxt("stats/weir-status.xsd");
    schema = xmlSchemaParse(parser);
    xmlSchemaFreeParserCtxt(parser);
    if (schema == NULL) {
        return 1;
    }
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("xml", NULL, NULL);
    CU_add_test(suite, "nothing to tell", test_nothing);
    CU_add_test(suite, "values", test_values);
    CU_add_test(suite, "hostile names", test_names);
    CU_add_test(suite, "many hosts and clients", test_many);
    CU_add_test(suite, "of one host", test_narrow);
    CU_add_test(suite, "the schema is strict", test_schema_is_strict);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    xmlSchemaFree(schema);
    xmlCleanupParser();
    return failures == 0 ? 0 : 1;
}
