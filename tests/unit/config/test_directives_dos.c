/* The DOS* directives: values, inheritance from the server to hosts, lists, and messages. */
#include "loaded.h"

static bool listed(const struct burst_limits *burst, const char *text) {
    struct ip_address address;
    CU_ASSERT_TRUE(ip_address_parse(span_of(text), &address));
    for (size_t i = 0; i < burst->whitelist_count; i++) {
        if (ip_mask_contains(&burst->whitelist[i], &address)) {
            return true;
        }
    }
    return false;
}

static void test_defaults(void) {
    struct loaded loaded = load_text("<VirtualHost *:80>\n</VirtualHost>\n");
    check_clean(&loaded);
    CU_ASSERT_FALSE(loaded.config->hosts[0]->burst.enabled);
    const struct burst_limits *burst = &loaded.config->hosts[1]->burst;
    CU_ASSERT_FALSE(burst->enabled);
    CU_ASSERT_EQUAL(burst->page.count, 2);
    CU_ASSERT_EQUAL(burst->page.interval_s, 1);
    CU_ASSERT_EQUAL(burst->site.count, 50);
    CU_ASSERT_EQUAL(burst->site.interval_s, 1);
    CU_ASSERT_EQUAL(burst->requests.count, 0);
    CU_ASSERT_EQUAL(burst->requests.interval_s, 1);
    CU_ASSERT_EQUAL(burst->connections.count, 0);
    CU_ASSERT_EQUAL(burst->connections.interval_s, 60);
    CU_ASSERT_EQUAL(burst->concurrent, 0);
    CU_ASSERT_EQUAL(burst->blocking_period_s, 10);
    CU_ASSERT_EQUAL(burst->status, 403);
    CU_ASSERT_EQUAL(burst->action, BURST_ACTION_STATUS);
    CU_ASSERT_STRING_EQUAL(burst->mail_command, "/usr/sbin/sendmail -t");
    CU_ASSERT_PTR_NULL(burst->log_dir);
    CU_ASSERT_EQUAL(loaded.config->server.burst.max_clients, 1000000);
    CU_ASSERT_EQUAL(loaded.config->server.burst.ipv6_prefix_bits, 64);
    CU_ASSERT_EQUAL(loaded.config->server.burst.firewall_family, FIREWALL_NONE);
    unload(&loaded);
}

static void test_tutorial(void) {
    struct loaded loaded = load_text("<IfModule mod_evasive20.c>\nDOSHashTableSize 3097\nDOSPageCount 2\n"
                                     "DOSSiteCount 50\nDOSPageInterval 1\nDOSSiteInterval 1\nDOSBlockingPeriod 60\n"
                                     "DOSEmailNotify admin@example.org\nDOSLogDir \"/var/log/httpd\"\n"
                                     "DOSSystemCommand \"/sbin/iptables -I INPUT -s %s -j DROP\"\n"
                                     "DOSWhitelist 127.0.0.1\nDOSWhitelist 192.168.*.* 10.0.0.0/8 2001:db8::/32\n"
                                     "</IfModule>\n<VirtualHost *:80>\n</VirtualHost>\n");
    check_clean(&loaded);
    for (size_t i = 0; i < 2; i++) {
        const struct burst_limits *burst = &loaded.config->hosts[i]->burst;
        CU_ASSERT_TRUE(burst->enabled);
        CU_ASSERT_EQUAL(burst->blocking_period_s, 60);
        CU_ASSERT_STRING_EQUAL(burst->email, "admin@example.org");
        CU_ASSERT_STRING_EQUAL(burst->log_dir, "/var/log/httpd");
        CU_ASSERT_STRING_EQUAL(burst->system_command, "/sbin/iptables -I INPUT -s %s -j DROP");
        CU_ASSERT_TRUE(listed(burst, "127.0.0.1"));
        CU_ASSERT_FALSE(listed(burst, "127.0.0.2"));
        CU_ASSERT_TRUE(listed(burst, "192.168.77.88"));
        CU_ASSERT_TRUE(listed(burst, "10.9.8.7"));
        CU_ASSERT_TRUE(listed(burst, "2001:db8::9"));
        CU_ASSERT_FALSE(listed(burst, "2001:db9::9"));
    }
    CU_ASSERT_EQUAL(loaded.config->server.burst.hash_table_size, 3097);
    unload(&loaded);
}

static void test_inheritance(void) {
    struct loaded loaded = load_text("<VirtualHost *:80>\nDOSPageCount 7\nDOSSiteCount Off\nDOSWhitelist 10.1.1.1\n"
                                     "DOSBlockAction reset\n</VirtualHost>\n"
                                     "<VirtualHost *:80>\nDOSEnabled false\n</VirtualHost>\n"
                                     "DOSPageCount 5\nDOSPageInterval 3\nDOSWhitelist 10.2.2.2\nDOSHTTPStatus 429\n"
                                     "DOSConnectionCount 100\nDOSConcurrentConnections 20\nDOSRequestCount 300\n"
                                     "DOSLogOnly on\nDOSMaxClients 5000\nDOSIPv6Prefix 48\n");
    check_clean(&loaded);
    const struct burst_limits *first = &loaded.config->hosts[1]->burst;
    CU_ASSERT_TRUE(first->enabled && first->log_only);
    CU_ASSERT_EQUAL(first->page.count, 7);
    CU_ASSERT_EQUAL(first->page.interval_s, 3);
    CU_ASSERT_EQUAL(first->site.count, 0);
    CU_ASSERT_EQUAL(first->status, 429);
    CU_ASSERT_EQUAL(first->action, BURST_ACTION_RESET);
    CU_ASSERT_EQUAL(first->connections.count, 100);
    CU_ASSERT_EQUAL(first->concurrent, 20);
    CU_ASSERT_EQUAL(first->requests.count, 300);
    CU_ASSERT_TRUE(listed(first, "10.1.1.1"));
    CU_ASSERT_FALSE(listed(first, "10.2.2.2"));
    const struct burst_limits *second = &loaded.config->hosts[2]->burst;
    CU_ASSERT_FALSE(second->enabled);
    CU_ASSERT_EQUAL(second->page.count, 5);
    CU_ASSERT_EQUAL(second->site.count, 50);
    CU_ASSERT_TRUE(listed(second, "10.2.2.2"));
    CU_ASSERT_EQUAL(loaded.config->server.burst.max_clients, 5000);
    CU_ASSERT_EQUAL(loaded.config->server.burst.ipv6_prefix_bits, 48);
    unload(&loaded);
}

static void test_enabled(void) {
    static const struct {
        const char *text;
        bool server, host;
    } vectors[] = {
        {"<VirtualHost *:80>\nDOSPageCount 3\n</VirtualHost>\n", false, true},
        {"DOSEnabled Off\n<VirtualHost *:80>\nDOSPageCount 3\n</VirtualHost>\n", false, false},
        {"DOSEnabled Off\n<VirtualHost *:80>\nDOSEnabled On\n</VirtualHost>\n", false, true},
        {"DOSEnabled TRUE\n<VirtualHost *:80>\nDOSEnabled off\n</VirtualHost>\n", true, false},
        {"DOSMaxClients 10\n<VirtualHost *:80>\n</VirtualHost>\n", true, true},
        {"DOSEnabled off\nDOSPageCount 3\n<VirtualHost *:80>\n</VirtualHost>\n", false, false},
    };
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct loaded loaded = load_text(vectors[i].text);
        check_clean(&loaded);
        CU_ASSERT_EQUAL(loaded.config->hosts[0]->burst.enabled, vectors[i].server);
        CU_ASSERT_EQUAL(loaded.config->hosts[1]->burst.enabled, vectors[i].host);
        unload(&loaded);
    }
}

static void test_patterns(void) {
    struct loaded loaded = load_text("DOSWhitelistUri ^/static/ \\.png$\nDOSTargetlistUri ^/login\n"
                                     "DOSBlocklistUri \"^/wp-login\\.php\"\nDOSBlocklistUri ^/xmlrpc\n");
    check_clean(&loaded);
    const struct burst_limits *burst = &loaded.config->hosts[0]->burst;
    CU_ASSERT_EQUAL_FATAL(burst->whitelist_uri_count, 2);
    CU_ASSERT_EQUAL(burst->targetlist_uri_count, 1);
    CU_ASSERT_EQUAL_FATAL(burst->blocklist_uri_count, 2);
    CU_ASSERT_STRING_EQUAL(pattern_text(burst->whitelist_uris[1]), "\\.png$");
    struct pattern_scratch *scratch = pattern_scratch_new();
    CU_ASSERT_TRUE(pattern_match(burst->whitelist_uris[0], scratch, span_of("/static/x"), NULL));
    CU_ASSERT_TRUE(pattern_match(burst->blocklist_uris[0], scratch, span_of("/wp-login.php"), NULL));
    pattern_scratch_free(scratch);
    unload(&loaded);
}

static void test_firewall(void) {
    struct loaded loaded = load_text("DOSFirewall nftables inet filter weir_blocked weir_blocked6\n");
    check_clean(&loaded);
    const struct burst_server *server = &loaded.config->server.burst;
    CU_ASSERT_EQUAL(server->firewall_family, FIREWALL_INET);
    CU_ASSERT_STRING_EQUAL(server->firewall_table, "filter");
    CU_ASSERT_STRING_EQUAL(server->firewall_sets[0], "weir_blocked");
    CU_ASSERT_STRING_EQUAL(server->firewall_sets[1], "weir_blocked6");
    unload(&loaded);
    loaded = load_text("DOSFirewall none\n");
    check_clean(&loaded);
    CU_ASSERT_EQUAL(loaded.config->server.burst.firewall_family, FIREWALL_NONE);
    unload(&loaded);
}

static void test_messages(void) {
    static const struct message_vector vectors[] = {
        {"DOSPageCount 0\n", "1: error: DOSPageCount: 0 would block every request or none (write Off"},
        {"DOSPageCount 5abc\n", "1: error: DOSPageCount: \"5abc\" is not a whole number"},
        {"DOSPageCount -1\n", "1: error: DOSPageCount: \"-1\" is negative"},
        {"DOSPageCount 4294967296\n", "1: error: DOSPageCount: \"4294967296\" is too large"},
        {"DOSPageCount 4294967295\n", NULL},
        {"DOSPageInterval Off\n", "1: error: DOSPageInterval: \"Off\" is not a whole number"},
        {"DOSPageInterval 0\n", "1: error: DOSPageInterval: \"0\" is too small"},
        {"DOSSiteInterval 1.5\n", "1: error: DOSSiteInterval: \"1.5\" is not a whole number"},
        {"DOSBlockingPeriod 0\n", "1: error: DOSBlockingPeriod: \"0\" is too small"},
        {"DOSConcurrentConnections off\n", NULL},
        {"DOSEnabled maybe\n", "1: error: DOSEnabled: \"maybe\" is neither On nor Off"},
        {"DOSHTTPStatus 200\n", "1: error: DOSHTTPStatus: \"200\" is not the status of a refusal"},
        {"DOSHTTPResponseCode 429\n", NULL},
        {"DOSHTTPStatus 403\nDOSHTTPResponseCode 429\n", "2: warning: DOSHTTPResponseCode: was given before"},
        {"DOSBlockAction drop\n", "(write status, close or reset)"},
        {"DOSWhitelist 127.*\n", "1: error: DOSWhitelist: \"127.*\" is not an address"},
        {"DOSWhitelist 10.0.0.1 bad.example\n", "1: error: DOSWhitelist: \"bad.example\" is not an address"},
        {"DOSWhitelistUri (\n", "1: error: DOSWhitelistUri: "},
        {"DOSEmailNotify \"a b\"\n", "1: error: DOSEmailNotify: \"a b\" is not a mail address"},
        {"DOSEmailNotify -oQ/tmp\n", "1: error: DOSEmailNotify: "},
        {"DOSEmailNotify root\n", NULL},
        {"DOSSystemCommand \"echo %d\"\n", "1: error: DOSSystemCommand: a % before this stands for nothing"},
        {"DOSSystemCommand \"echo 100%% %s %s\"\n", NULL},
        {"DOSSystemCommand \"echo %\"\n", "1: error: DOSSystemCommand: a % at the end"},
        {"DOSSystemCommand \"\"\n", "1: error: DOSSystemCommand: nothing stands between the quotes"},
        {"DOSIPv6Prefix 0\n", "1: error: DOSIPv6Prefix: \"0\" is too small"},
        {"<VirtualHost *:80>\nDOSMaxClients 5\n</VirtualHost>\n",
         "2: warning: DOSMaxClients: holds for the whole server"},
        {"<VirtualHost *:80>\nDOSHashTableSize 3097\n</VirtualHost>\n", NULL},
        {"DOSFirewall iptables\n", "1: error: DOSFirewall: \"iptables\" is not a firewall known here"},
        {"DOSFirewall nftables inet filter\n", "1: error: DOSFirewall: nftables has three or four words"},
        {"DOSFirewall nftables inet filter a b;c\n", "1: error: DOSFirewall: \"b;c\" is not a name"},
        {"DOSFirewall nftables inet filter \"a;b\"\n", "1: error: DOSFirewall: \"a;b\" is not a name"},
        {"DOSFirewall nftables arp filter a\n", "1: error: DOSFirewall: \"arp\" is not one of the words"},
        {"<Location />\nDOSPageCount 5\n</Location>\n", "2: error: DOSPageCount: may not stand"},
    };
    CHECK_MESSAGES(vectors);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("directives_dos", NULL, NULL);
    CU_add_test(suite, "defaults", test_defaults);
    CU_add_test(suite, "a tutorial's lines", test_tutorial);
    CU_add_test(suite, "inheritance", test_inheritance);
    CU_add_test(suite, "on or off", test_enabled);
    CU_add_test(suite, "patterns", test_patterns);
    CU_add_test(suite, "firewall", test_firewall);
    CU_add_test(suite, "messages", test_messages);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
