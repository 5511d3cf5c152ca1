/* The dump is a configuration that gives the same dump; -S and -L show what they should. */
#include <fcntl.h>

#include "config/directive.h"
#include "given.h"

static char *dumped(const char *text) {
    struct given given = give(text);
    if (given.config == NULL) {
        printf("\n%s\n", given.messages);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(given.config);
    char *dump = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&dump, &length);
    config_dump(given.config, out);
    fclose(out);
    give_back(&given);
    return dump;
}

static void check_round_trip(const char *text, const char *part) {
    char *first = dumped(text);
    char *second = dumped(first);
    CU_ASSERT_STRING_EQUAL(first, second);
    if (strstr(first, part) == NULL) {
        printf("\n  missing: %s\n  in: %s\n", part, first);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(first, part));
    free(first);
    free(second);
}

static void test_round_trips(void) {
    check_round_trip("Listen 80", "KeepAlive On\n");
    check_round_trip("Listen 80\nKeepAlive Off\nKeepAlive On\nkeepalive OFF\n", "Listen 80\nKeepAlive OFF\n");
    check_round_trip("Listen 80\nDefine X y\n<IfModule mod_proxy.c>\nServerName ${X}\n</IfModule>\n",
                     "Listen 80\nServerName y\n");
    check_round_trip("Listen 80\nLogFormat \"%h \\\"%r\\\" \\\\ 'x'\" a\\b\nCustomLog 'my logs/a' a\\b\n",
                     "LogFormat \"%h \\\"%r\\\" \\\\ 'x'\" \"a\\\\b\"\nCustomLog \"my logs/a\" \"a\\\\b\"\n");
    check_round_trip(
        "Listen 80\n<VirtualHost *:80 127.0.0.1>\nDocumentRoot /x\n<Location \"/a>b\">\nRequire all granted\n"
        "<RequireAll>\nRequire local\n</RequireAll>\n</Location>\n</VirtualHost>\n",
        "<VirtualHost *:80 127.0.0.1>\n    <Location \"/a>b\">\n        Require all granted\n"
        "        <RequireAll>\n            Require local\n        </RequireAll>\n    </Location>\n"
        "</VirtualHost>\n");
    check_round_trip("Listen 80\nErrorDocument 503 \"\"\nErrorDocument 404 \"#1\"\n",
                     "ErrorDocument 503 \"\"\nErrorDocument 404 #1\n");
    check_round_trip("Listen 80\nProxyPass / balancer://b/\n<Proxy balancer://b>\nBalancerMember http://a/ route=x\n"
                     "ProxyHCInterval 5\nProxyHCInterval 6\nProxyHCUri /x\n</Proxy>\n",
                     "    ProxyHCInterval 6\n");
    check_round_trip("Listen 80\n<CBandUser u>\nCBandUserLimit 10M\n</CBandUser>\n<CBandClass c>\nCBandClassDst 10/8\n"
                     "</CBandClass>\n<VirtualHost *:80>\nCBandUser u\nCBandClassLimit c 5M\nCBandClassLimit c 6M\n"
                     "DOSPageCount 5\n</VirtualHost>\n",
                     "    CBandClassLimit c 5M\n");
}

static void test_hosts(void) {
    struct given given = give_clean("Listen 80\nListen [::1]:81 proxy-protocol\nServerName main\n<VirtualHost *:80>\n"
                                    "ServerName a\nServerAlias b\n</VirtualHost>\n<VirtualHost *:80 [::1]:81>\n"
                                    "ServerName c\nServerAliasMatch d+\n</VirtualHost>\n");
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    config_print_hosts(given.config, out);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(text, "Listeners:\n"
                                 "         *:80 (/etc/weir/proxy.conf:1)\n"
                                 "         [::1]:81 proxy-protocol (/etc/weir/proxy.conf:2)\n"
                                 "VirtualHost configuration:\n"
                                 "*:80\n"
                                 "         default server a (/etc/weir/proxy.conf:4)\n"
                                 "                 alias b\n"
                                 "               namevhost c (/etc/weir/proxy.conf:8)\n"
                                 "                 alias ~ d+\n"
                                 "[::1]:81\n"
                                 "         default server c (/etc/weir/proxy.conf:8)\n"
                                 "                 alias ~ d+\n"
                                 "Main server: main\n");
    free(text);
    give_back(&given);
}

static void test_reference(void) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    config_print_directives(out);
    fclose(out);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nKeepAliveTimeout seconds\n    How long an idle connection is kept\n"
                                        "    Allowed in: server, <VirtualHost>\n    Default: 5\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n<VirtualHost address[:port] ...>\n"));
    CU_ASSERT_PTR_NULL(strstr(text, "DocumentRoot"));
    free(text);
}

static void test_the_table(void) {
    const struct directive *row;
    for (size_t i = 0; (row = directive_at(i)) != NULL; i++) {
        bool good = row->name != NULL && row->contexts != 0 && row->minimum_arguments <= row->maximum_arguments &&
                    row->syntax != NULL && row->help != NULL && directive_find(span_of(row->name), row->section) == row;
        if (!good) {
            printf("\n  row %zu: %s\n", i, row->name);
        }
        CU_ASSERT_TRUE(good);
        bool documented = row->ignored || row->refused != NULL ||
                          (row->help[0] != '\0' && row->help[strlen(row->help) - 1] != '.' &&
                           (row->kind == VALUE_OWN || row->maximum_arguments == 1));
        if (!documented) {
            printf("\n  row %zu: %s\n", i, row->name);
        }
        CU_ASSERT_TRUE(documented);
    }
}

static void test_defaults_can_be_written(void) {
    const struct directive *row;
    for (size_t i = 0; (row = directive_at(i)) != NULL; i++) {
        if (row->default_text == NULL || row->default_text[0] == '(' || (row->contexts & CONTEXT_SERVER) == 0) {
            continue;
        }
        char text[512];
        snprintf(text, sizeof text, "Listen 80\n%s %s\n", row->name, row->default_text);
        struct given given = give(text);
        if (given.config == NULL) {
            printf("\n%s%s\n", text, given.messages);
        }
        CU_ASSERT_PTR_NOT_NULL(given.config);
        give_back(&given);
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("dump", NULL, NULL);
    CU_add_test(suite, "round trips", test_round_trips);
    CU_add_test(suite, "hosts", test_hosts);
    CU_add_test(suite, "reference", test_reference);
    CU_add_test(suite, "the table", test_the_table);
    CU_add_test(suite, "defaults can be written", test_defaults_can_be_written);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
