/* The CBand* directives: what each line means in each place, what is refused, and what is warned of. */
#include "loaded.h"

#define KI UINT64_C(1024)

static void check_speed(const struct speed_limit *limit, uint64_t bits_per_s, unsigned rps, unsigned connections) {
    CU_ASSERT_EQUAL(limit->bits_per_s, bits_per_s);
    CU_ASSERT_EQUAL(limit->requests_per_s, rps);
    CU_ASSERT_EQUAL(limit->connections, connections);
}

static void test_host(void) {
    struct loaded loaded = load_text("<VirtualHost *:80>\n"
                                     "CBandSpeed 1024 10 30\n"
                                     "ServerName a.example\n"
                                     "CBandRemoteSpeed 20kb/s 3 30\n"
                                     "CBandLimit 300Mi\n"
                                     "CBandPeriod 4W\n"
                                     "CBandPeriodSlice 1W\n"
                                     "CBandExceededSpeed 128 5 15\n"
                                     "CBandScoreboard scores/a\n"
                                     "CBandUploadSpeed 1Mbps\n"
                                     "CBandRemoteLimit 10M\n"
                                     "CBandMaxDelay 2.5\n"
                                     "CBandDryRun on\n"
                                     "</VirtualHost>\n");
    check_clean(&loaded);
    const struct host_limits *limits = &loaded.config->hosts[1]->limits;
    const struct traffic_limits *traffic = &limits->traffic;
    check_speed(&traffic->speed, 1024 * KI, 10, 30);
    check_speed(&traffic->remote_speed, 160 * KI, 3, 30);
    check_speed(&traffic->exceeded_speed, 128 * KI, 5, 15);
    CU_ASSERT_EQUAL(traffic->limit_bytes, 300 * KI * KI);
    CU_ASSERT_EQUAL(traffic->period, PERIOD_SECONDS);
    CU_ASSERT_EQUAL(traffic->period_s, 2419200);
    CU_ASSERT_EQUAL(traffic->slice_s, 604800);
    CU_ASSERT_STRING_EQUAL(traffic->scoreboard, "/etc/weir/scores/a");
    CU_ASSERT_EQUAL(limits->upload_bits_per_s, KI * KI);
    CU_ASSERT_EQUAL(limits->remote_limit_bytes, 10000000);
    CU_ASSERT_EQUAL(limits->max_delay_ns, INT64_C(2500000000));
    CU_ASSERT_TRUE(limits->dry_run);
    CU_ASSERT_PTR_NULL(limits->user);
    CU_ASSERT_EQUAL(loaded.config->hosts[0]->limits.traffic.said, 0);
    unload(&loaded);
}

static void test_server(void) {
    struct loaded loaded = load_text("CBandDefaultExceededURL http://www.example.org/exceeded.html\n"
                                     "CBandDefaultExceededCode 509\n"
                                     "CBandScoreFlushPeriod 100\n"
                                     "CBandRandomPulse On\n"
                                     "CBandIPv6Prefix 56\n"
                                     "CBandMaxDelay 0\n"
                                     "CBandDryRun On\n"
                                     "CBandStatusXML classic\n"
                                     "CBandLimit 5G\n"
                                     "<VirtualHost *:80>\n</VirtualHost>\n"
                                     "<VirtualHost *:80>\nCBandDryRun Off\nCBandMaxDelay 3\n</VirtualHost>\n");
    check_clean(&loaded);
    const struct server_limits *limits = &loaded.config->server.limits;
    CU_ASSERT_STRING_EQUAL(limits->default_exceeded_url, "http://www.example.org/exceeded.html");
    CU_ASSERT_EQUAL(limits->default_exceeded_code, 509);
    CU_ASSERT_EQUAL(limits->score_flush_period, 100);
    CU_ASSERT_EQUAL(limits->ipv6_prefix_bits, 56);
    CU_ASSERT_TRUE(limits->random_pulse && limits->dry_run && limits->status_xml_classic);
    CU_ASSERT_EQUAL(limits->max_delay_ns, 0);
    const struct virtual_host *const *hosts = loaded.config->hosts;
    CU_ASSERT_EQUAL(hosts[0]->limits.traffic.limit_bytes, UINT64_C(5000000000));
    CU_ASSERT_EQUAL(hosts[1]->limits.traffic.limit_bytes, 0);
    CU_ASSERT_TRUE(hosts[1]->limits.dry_run);
    CU_ASSERT_EQUAL(hosts[1]->limits.max_delay_ns, 0);
    CU_ASSERT_FALSE(hosts[2]->limits.dry_run);
    CU_ASSERT_EQUAL(hosts[2]->limits.max_delay_ns, INT64_C(3000000000));
    unload(&loaded);
}

static void test_defaults(void) {
    struct loaded loaded = load_text("<VirtualHost *:80>\n</VirtualHost>\n");
    check_clean(&loaded);
    const struct server_limits *server = &loaded.config->server.limits;
    CU_ASSERT_EQUAL(server->default_exceeded_code, 503);
    CU_ASSERT_EQUAL(server->score_flush_period, 1);
    CU_ASSERT_EQUAL(server->ipv6_prefix_bits, 64);
    CU_ASSERT_EQUAL(server->max_delay_ns, INT64_C(10000000000));
    CU_ASSERT_FALSE(server->dry_run || server->random_pulse || server->status_xml_classic);
    CU_ASSERT_PTR_NULL(server->default_exceeded_url);
    const struct host_limits *host = &loaded.config->hosts[1]->limits;
    CU_ASSERT_EQUAL(host->max_delay_ns, INT64_C(10000000000));
    CU_ASSERT_EQUAL(host->traffic.said, 0);
    unload(&loaded);
}

static void test_users_and_classes(void) {
    struct loaded loaded = load_text("<VirtualHost *:80>\nServerName a\nCBandUser alice\n"
                                     "CBandClassLimit local 1G\nCBandClassLimit far 2G\n"
                                     "CBandClassRemoteSpeed far 10kbps 1 2\n</VirtualHost>\n"
                                     "<VirtualHost *:80>\nServerName b\nCBandUser alice\n</VirtualHost>\n"
                                     "<CBandUser bob>\nCBandUserLimit 1G\n</CBandUser>\n"
                                     "<CBandUser alice>\n"
                                     "CBandUserLimit 10G\nCBandUserPeriod calendar-month\nCBandUserPeriodSlice 1D\n"
                                     "CBandUserSpeed 1Mbps 5 6\nCBandUserRemoteSpeed 64 7 8\n"
                                     "CBandUserExceededURL /over.html\nCBandUserScoreboard /var/alice\n"
                                     "CBandUserClassLimit local 3G\nCBandUserClassRemoteSpeed local 1Gbps 9 0\n"
                                     "</CBandUser>\n"
                                     "<CBandClass local>\nCBandClassDst 127/8\nCBandClassDst ::1\n</CBandClass>\n"
                                     "<CBandClass far>\nCBandClassDst 66.249.64/24 2001:db8::/32\n</CBandClass>\n");
    check_clean(&loaded);
    const struct config *config = loaded.config;
    CU_ASSERT_EQUAL_FATAL(config->user_count, 2);
    CU_ASSERT_EQUAL_FATAL(config->class_count, 2);
    const struct user_limits *alice = &config->users[1];
    CU_ASSERT_STRING_EQUAL(alice->name, "alice");
    CU_ASSERT_EQUAL(alice->index, 1);
    CU_ASSERT_PTR_EQUAL(config->hosts[1]->limits.user, alice);
    CU_ASSERT_PTR_EQUAL(config->hosts[2]->limits.user, alice);
    const struct traffic_limits *traffic = &alice->traffic;
    CU_ASSERT_EQUAL(traffic->limit_bytes, UINT64_C(10000000000));
    CU_ASSERT_EQUAL(traffic->period, PERIOD_CALENDAR_MONTH);
    CU_ASSERT_EQUAL(traffic->slice_s, 86400);
    check_speed(&traffic->speed, KI * KI, 5, 6);
    check_speed(&traffic->remote_speed, 64 * KI, 7, 8);
    CU_ASSERT_STRING_EQUAL(traffic->exceeded_url, "/over.html");
    CU_ASSERT_STRING_EQUAL(traffic->scoreboard, "/var/alice");
    CU_ASSERT_EQUAL_FATAL(traffic->class_quota_count, 1);
    CU_ASSERT_PTR_EQUAL(traffic->class_quotas[0].class, &config->classes[0]);
    CU_ASSERT_EQUAL_FATAL(traffic->class_speed_count, 1);
    CU_ASSERT_PTR_EQUAL(traffic->class_speeds[0].class, &config->classes[0]);
    check_speed(&traffic->class_speeds[0].speed, KI * KI * KI, 9, 0);
    const struct traffic_limits *host = &config->hosts[1]->limits.traffic;
    CU_ASSERT_EQUAL_FATAL(host->class_quota_count, 2);
    CU_ASSERT_PTR_EQUAL(host->class_quotas[1].class, &config->classes[1]);
    CU_ASSERT_EQUAL(host->class_quotas[1].limit_bytes, 2000000000);
    CU_ASSERT_EQUAL_FATAL(host->class_speed_count, 1);
    check_speed(&host->class_speeds[0].speed, 10 * KI, 1, 2);
    CU_ASSERT_EQUAL(config->classes[1].prefix_count, 2);
    char text[IP_TEXT_MAX + 4];
    ip_prefix_print(&config->classes[0].prefixes[0], text);
    CU_ASSERT_STRING_EQUAL(text, "127.0.0.0/8");
    ip_prefix_print(&config->classes[1].prefixes[1], text);
    CU_ASSERT_STRING_EQUAL(text, "2001:db8::/32");
    unload(&loaded);
}

static void test_host_lines_in_user(void) {
    struct loaded loaded = load_text("<CBandUser alice>\nCBandLimit 1G\nCBandSpeed 20 2 2\n</CBandUser>\n");
    CU_ASSERT_EQUAL(loaded.diagnostics->count, 2);
    CU_ASSERT_TRUE(
        has_message(&loaded, "2: warning: CBandLimit: belongs to a host; here it is taken as CBandUserLimit"));
    CU_ASSERT_TRUE(
        has_message(&loaded, "3: warning: CBandSpeed: belongs to a host; here it is taken as CBandUserSpeed"));
    CU_ASSERT_EQUAL(loaded.config->users[0].traffic.limit_bytes, 1000000000);
    check_speed(&loaded.config->users[0].traffic.speed, 20 * KI, 2, 2);
    CU_ASSERT_EQUAL(loaded.config->hosts[0]->limits.traffic.said, 0);
    unload(&loaded);
}

/* As in mod_cband: the first of two holds unless it says nothing; of the lines for classes and of the code the last. */
static void test_two_lines(void) {
    struct loaded loaded =
        load_text("CBandDefaultExceededCode 509\nCBandDefaultExceededCode 403\n"
                  "<CBandClass c>\nCBandClassDst 10/8\n</CBandClass>\n"
                  "<VirtualHost *:80>\nCBandLimit 1G\nCBandLimit 2G\n"
                  "CBandPeriod calendar-day\nCBandPeriod 1D\n"
                  "CBandSpeed 0 0 3\nCBandSpeed 20 2 2\nCBandRemoteSpeed 0 0 0\nCBandRemoteSpeed 20 2 2\n"
                  "CBandClassLimit c 1G\nCBandClassLimit c 3G\n</VirtualHost>\n");
    CU_ASSERT_EQUAL(loaded.diagnostics->count, 5);
    CU_ASSERT_TRUE(
        has_message(&loaded, "2: warning: CBandDefaultExceededCode: was given before in this section; this"));
    CU_ASSERT_TRUE(has_message(&loaded, "8: warning: CBandLimit: was given before in this section; the earlier"));
    CU_ASSERT_TRUE(has_message(&loaded, "10: warning: CBandPeriod: was given before in this section; the earlier"));
    CU_ASSERT_TRUE(has_message(&loaded, "12: warning: CBandSpeed: was given before in this section; the earlier"));
    CU_ASSERT_TRUE(has_message(&loaded, "16: warning: CBandClassLimit: class \"c\" has a limit already"));
    CU_ASSERT_EQUAL(loaded.config->server.limits.default_exceeded_code, 403);
    const struct traffic_limits *traffic = &loaded.config->hosts[1]->limits.traffic;
    CU_ASSERT_EQUAL(traffic->limit_bytes, 1000000000);
    CU_ASSERT_EQUAL(traffic->period, PERIOD_CALENDAR_DAY);
    check_speed(&traffic->speed, 0, 0, 3);
    check_speed(&traffic->remote_speed, 20 * KI, 2, 2);
    CU_ASSERT_EQUAL_FATAL(traffic->class_quota_count, 1);
    CU_ASSERT_EQUAL(traffic->class_quotas[0].limit_bytes, UINT64_C(3000000000));
    unload(&loaded);
}

static void test_three_arguments(void) {
    struct loaded loaded = load_text("<CBandClass c>\nCBandClassDst 10/8\n</CBandClass>\n"
                                     "<VirtualHost *:80>\nCBandClassRemoteSpeed c 20kb/s 3\n</VirtualHost>\n");
    CU_ASSERT_EQUAL(loaded.diagnostics->count, 1);
    CU_ASSERT_TRUE(has_message(&loaded, "5: warning: CBandClassRemoteSpeed: max_conn is missing"));
    check_speed(&loaded.config->hosts[1]->limits.traffic.class_speeds[0].speed, 160 * KI, 3, 0);
    unload(&loaded);
}

static void test_names_in_other_case(void) {
    struct loaded loaded = load_text("<VirtualHost *:80>\nCBandUser Alice\nCBandClassLimit class_1 1G\n</VirtualHost>\n"
                                     "<CBandUser alice>\n</CBandUser>\n"
                                     "<CBandClass Class_1>\nCBandClassDst 10\n</CBandClass>\n");
    CU_ASSERT_EQUAL(loaded.diagnostics->count, 2);
    CU_ASSERT_TRUE(has_message(&loaded, "2: warning: CBandUser: user \"Alice\" is taken as \"alice\""));
    CU_ASSERT_TRUE(has_message(&loaded, "3: warning: CBandClassLimit: class \"class_1\" is taken as \"Class_1\""));
    CU_ASSERT_PTR_EQUAL(loaded.config->hosts[1]->limits.user, &loaded.config->users[0]);
    unload(&loaded);
    loaded = load_text("<CBandUser ALICE>\n</CBandUser>\n<CBandUser alice>\n</CBandUser>\nCBandUser alice\n");
    check_clean(&loaded);
    CU_ASSERT_PTR_EQUAL(loaded.config->hosts[0]->limits.user, &loaded.config->users[1]);
    unload(&loaded);
}

static void test_messages(void) {
    static const struct message_vector vectors[] = {
        {"CBandSpeed 10kps 10 30\n", "1: error: CBandSpeed: \"10kps\" is not a speed (write a number and kbps, Mbps"},
        {"CBandSpeed 10kbps -1 30\n", "1: error: CBandSpeed: \"-1\" is negative"},
        {"CBandSpeed 10kbps 1.5 30\n", "1: error: CBandSpeed: \"1.5\" is not a whole number"},
        {"CBandSpeed 10kbps 1 x\n", "1: error: CBandSpeed: \"x\" is not a whole number"},
        {"CBandSpeed 10kbps 1\n", "1: error: CBandSpeed: "},
        {"CBandSpeed 10kbps 1 2 3\n", "1: error: CBandSpeed: "},
        {"CBandSpeed 20kB/s 1 2\n",
         "1: warning: CBandSpeed: \"20kB/s\" is 160kbps, as documented; mod_cband took it for 20kbps"},
        {"CBandLimit 500B\n", "1: warning: CBandLimit: \"500B\" is 500 bytes"},
        {"CBandLimit 5X\n", "1: error: CBandLimit: \"5X\" is not a quota"},
        {"CBandPeriod 1Mo\n", "1: error: CBandPeriod: \"1Mo\" is not a time (M is minutes"},
        {"CBandPeriod 0\n", "1: error: CBandPeriod: \"0\" is no time at all"},
        {"CBandPeriod calendar-year\n", "1: error: CBandPeriod: \"calendar-year\" is no calendar period"},
        {"CBandPeriodSlice 1D\n", "1: warning: CBandPeriodSlice: has no effect without a period"},
        {"CBandPeriodSlice 2D\nCBandPeriod 1D\n", "1: warning: CBandPeriodSlice: is longer than the period"},
        {"CBandExceededURL \"http://a/ b\"\n", "1: error: CBandExceededURL: a URL cannot hold"},
        {"CBandExceededURL www.example.org/x\n",
         "1: warning: CBandExceededURL: \"www.example.org/x\" is sent as it is"},
        {"CBandExceededURL /x\nCBandExceededSpeed 1 1 1\n", "2: warning: CBandExceededSpeed: an exceeded URL and"},
        {"CBandDefaultExceededCode 302\n", "1: error: CBandDefaultExceededCode: \"302\" is not the status"},
        {"CBandDefaultExceededCode 600\n", "1: error: CBandDefaultExceededCode: \"600\""},
        {"CBandDefaultExceededCode 404\n", NULL},
        {"CBandRandomPulse maybe\n", "1: error: CBandRandomPulse: \"maybe\" is neither On nor Off"},
        {"CBandIPv6Prefix 129\n",
         "1: error: CBandIPv6Prefix: \"129\" is too large (write a whole number from 1 to 128"},
        {"CBandMaxDelay 4000\n", "1: error: CBandMaxDelay: \"4000\" is too long a time"},
        {"CBandStatusXML old\n", "(write classic or weir)"},
        {"CBandUser nobody\n", "1: error: CBandUser: there is no user \"nobody\" (define it"},
        {"<CBandUser alice>\n</CBandUser>\nCBandUser alise\n",
         "3: error: CBandUser: there is no user \"alise\" (did you mean \"alice\"?"},
        {"CBandClassLimit none 1G\n", "1: error: CBandClassLimit: there is no class \"none\""},
        {"CBandClassRemoteSpeed none 1 1 1\n", "1: error: CBandClassRemoteSpeed: there is no class \"none\""},
        {"<CBandUser a>\n</CBandUser>\n<CBandUser a>\n</CBandUser>\n",
         "3: error: CBandUser: \"a\" is defined already in line 1"},
        {"<CBandClass a>\nCBandClassDst 1.2.3.4\n</CBandClass>\n<CBandClass a>\nCBandClassDst 1.2.3.5\n</CBandClass>\n",
         "4: error: CBandClass: \"a\" is defined already in line 1"},
        {"<CBandClass a>\n</CBandClass>\n", "1: warning: CBandClass: class \"a\" has no addresses"},
        {"<CBandClass a>\nCBandClassDst 1.2.3.4\nCBandClassDst 300/8\n</CBandClass>\n",
         "3: error: CBandClassDst: \"300/8\" is not an Internet address"},
        {"<CBandClass a>\nCBandClassDst 10.0.0.0/8\n</CBandClass>\n<CBandClass b>\nCBandClassDst 10/8\n</CBandClass>\n",
         "4: warning: CBandClassDst: 10.0.0.0/8 is in class \"a\" and in class \"b\": the later one holds"},
        {"<VirtualHost *:80>\nCBandScoreFlushPeriod 1\n</VirtualHost>\n",
         "2: error: CBandScoreFlushPeriod: may not stand"},
        {"<VirtualHost *:80>\nCBandDefaultExceededCode 503\n</VirtualHost>\n",
         "2: error: CBandDefaultExceededCode: may not"},
        {"CBandUserLimit 1G\n", "1: error: CBandUserLimit: may not stand outside all sections"},
        {"<Location />\nCBandSpeed 1 1 1\n</Location>\n", "2: error: CBandSpeed: may not stand in <Location>"},
        {"CBandClassDst 10/8\n", "1: error: CBandClassDst: may not stand"},
    };
    CHECK_MESSAGES(vectors);
}

/* Configurations from public tutorials about mod_cband run as they stand. */
static void test_tutorials(void) {
    static const struct message_vector vectors[] = {
        {"<VirtualHost *:80>\nServerName limited.example\nDocumentRoot /srv/www\n"
         "CBandLimit 300Mi\nCBandPeriod 1D\nCBandExceededURL http://limited.example/exceeded.html\n</VirtualHost>\n",
         "3: warning: DocumentRoot"},
        {"<VirtualHost *:80>\nServerName a\nCBandSpeed 1024 10 30\nCBandRemoteSpeed 20kb/s 3 30\n</VirtualHost>\n",
         NULL},
        {"<VirtualHost *:80>\nServerName a\nCBandLimit 100M\nCBandPeriod 4W\nCBandPeriodSlice 1W\n"
         "CBandExceededSpeed 128 5 15\nCBandScoreboard /var/run/apache2/a.scoreboard\n</VirtualHost>\n",
         NULL},
        {"<IfModule mod_cband.c>\n<CBandUser dembol>\nCBandUserLimit 500Mi\nCBandUserPeriod 1W\n"
         "CBandUserScoreboard /var/run/apache2/dembol.scoreboard\n</CBandUser>\n</IfModule>\n"
         "<VirtualHost *:80>\nServerName a\nCBandUser dembol\n</VirtualHost>\n"
         "<VirtualHost *:80>\nServerName b\nCBandUser dembol\n</VirtualHost>\n",
         NULL},
        {"<CBandClass googlebot_class>\nCBandClassDst 66.249.64/24\nCBandClassDst 66.249.65/24\n</CBandClass>\n"
         "<CBandClass local_class>\nCBandClassDst 127/8\n</CBandClass>\n"
         "<VirtualHost *:80>\nServerName a\nCBandClassRemoteSpeed googlebot_class 20kb/s 2 3\n"
         "CBandClassRemoteSpeed local_class 0 0 0\nCBandClassLimit googlebot_class 500M\n</VirtualHost>\n",
         NULL},
    };
    CHECK_MESSAGES(vectors);
}

static void test_many_hosts(void) {
    enum { HOSTS = 3000 };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    for (int i = 0; i < HOSTS; i++) {
        fprintf(out, "<VirtualHost *:80>\nServerName h%d.example\nCBandUser u%d\nCBandLimit %dM\n</VirtualHost>\n", i,
                i, i + 1);
        fprintf(out, "<CBandUser u%d>\nCBandUserSpeed %d 0 0\n</CBandUser>\n", i, i + 1);
    }
    fclose(out);
    struct loaded loaded = load_text(text);
    check_clean(&loaded);
    CU_ASSERT_EQUAL_FATAL(loaded.config->host_count, HOSTS + 1);
    for (size_t i = 0; i < HOSTS; i++) {
        const struct host_limits *limits = &loaded.config->hosts[i + 1]->limits;
        CU_ASSERT_EQUAL_FATAL(limits->traffic.limit_bytes, (i + 1) * 1000000);
        CU_ASSERT_PTR_NOT_NULL_FATAL(limits->user);
        CU_ASSERT_EQUAL_FATAL(limits->user->traffic.speed.bits_per_s, (i + 1) * 1024);
    }
    unload(&loaded);
    free(text);
    arena_reset(&arena);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("directives_cband", NULL, NULL);
    CU_add_test(suite, "a host", test_host);
    CU_add_test(suite, "the server", test_server);
    CU_add_test(suite, "defaults", test_defaults);
    CU_add_test(suite, "users and classes", test_users_and_classes);
    CU_add_test(suite, "host lines in <CBandUser>", test_host_lines_in_user);
    CU_add_test(suite, "two lines", test_two_lines);
    CU_add_test(suite, "three arguments", test_three_arguments);
    CU_add_test(suite, "names in other case", test_names_in_other_case);
    CU_add_test(suite, "messages", test_messages);
    CU_add_test(suite, "tutorials", test_tutorials);
    CU_add_test(suite, "many hosts", test_many_hosts);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
