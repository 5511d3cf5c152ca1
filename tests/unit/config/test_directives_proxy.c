/* ProxyPass, balancers, ProxyPassReverse: what a line means, and what is refused. */
#include "given.h"

#define SECOND_NS INT64_C(1000000000)

static const struct virtual_host *host(const struct given *given, size_t index) {
    CU_ASSERT_FATAL(index < given->config->host_count);
    return given->config->hosts[index];
}

/* A host with these lines, on *:80; the first VirtualHost. */
static struct given give_host(const char *lines) {
    char text[8192];
    snprintf(text, sizeof text, "Listen 80\n<VirtualHost *:80>\n%s\n</VirtualHost>\n", lines);
    return give_clean(text);
}

static void test_proxy_pass(void) {
    struct given given = give_clean(
        "Listen 80\nProxyPass /server http://s.example/server\n<VirtualHost *:80>\n"
        "ProxyPass /no !\nProxyPass /a/ http://127.0.0.1:8081/b/ timeout=5 connectiontimeout=200ms max=3 ttl=30 "
        "retry=7 "
        "keepalive=On disablereuse=Off\nProxyPass / http://[::1]\nProxyPassMatch ^/m/(.*)$ http://M.example:81$1\n"
        "ProxyPass /u unix:/run/app.sock|http://app\n"
        "<Location /l>\nProxyPass http://127.0.0.1:8081/\n</Location>\n</VirtualHost>\n");
    if (given.config == NULL) {
        return;
    }
    const struct virtual_host *first = host(&given, 1);
    CU_ASSERT_EQUAL_FATAL(first->proxy_pass_count, 6);
    CU_ASSERT_TRUE(first->proxy_passes[0].exempt);
    const struct origin *origin = first->proxy_passes[1].origin;
    CU_ASSERT_STRING_EQUAL(origin->name, "http://127.0.0.1:8081");
    CU_ASSERT_STRING_EQUAL(origin->host, "127.0.0.1");
    CU_ASSERT_EQUAL(origin->port, 8081);
    CU_ASSERT_EQUAL(origin->timeout_ns, 5 * SECOND_NS);
    CU_ASSERT_EQUAL(origin->connect_timeout_ns, SECOND_NS / 5);
    CU_ASSERT_EQUAL(origin->max_connections, 3);
    CU_ASSERT_EQUAL(origin->ttl_ns, 30 * SECOND_NS);
    CU_ASSERT_EQUAL(origin->retry_ns, 7 * SECOND_NS);
    CU_ASSERT_TRUE(origin->keepalive);
    CU_ASSERT_FALSE(origin->disable_reuse);
    CU_ASSERT_STRING_EQUAL(first->proxy_passes[1].target_path, "/b/");
    CU_ASSERT_STRING_EQUAL(first->proxy_passes[2].origin->host_port, "[::1]");
    CU_ASSERT_STRING_EQUAL(first->proxy_passes[2].target_path, "/");
    CU_ASSERT_PTR_NULL(first->proxy_passes[3].path);
    CU_ASSERT_STRING_EQUAL(first->proxy_passes[3].origin->name, "http://m.example:81");
    CU_ASSERT_STRING_EQUAL(first->proxy_passes[3].target_path, "$1");
    CU_ASSERT_STRING_EQUAL(first->proxy_passes[4].origin->unix_path, "/run/app.sock");
    CU_ASSERT_STRING_EQUAL(first->proxy_passes[4].origin->name, "unix:/run/app.sock|http://app");
    CU_ASSERT_STRING_EQUAL(first->proxy_passes[5].path, "/server");
    const struct proxy_pass *pass = first->locations[0]->settings.proxy_pass;
    CU_ASSERT_PTR_NOT_NULL_FATAL(pass);
    CU_ASSERT_STRING_EQUAL(pass->path, "/l");
    CU_ASSERT_PTR_NOT_EQUAL(pass->origin, origin);
    CU_ASSERT_STRING_NOT_EQUAL(pass->origin->name, origin->name);
    give_back(&given);
}

static void test_bad_proxy_pass(void) {
    check_line("ProxyPass /", "an argument is missing");
    check_line("ProxyPass a http://a/", "\"a\" is no path of a URL");
    check_line("ProxyPass / ftp://a/", "3:13: error: ProxyPass: \"ftp://a/\" is not a URL that weir can proxy to");
    check_line("ProxyPass / http:///", "has no host");
    check_line("ProxyPass / http://a:0/", "has no port from 1 to 65535");
    check_line("ProxyPass / http://u:p@a/", "holds a user name");
    check_line("ProxyPass / unix:/x", "after the path of its socket");
    check_line("ProxyPass / http://a/ retyr=5", "did you mean \"retry=\"?");
    check_line("ProxyPass / http://a/ timeout=x", "\"timeout=x\" has no good value");
    check_line("ProxyPass / http://a/ loadfactor=2", "is not a parameter that may stand here");
    check_line("ProxyPass / http://a/ min=2", "warning: ProxyPass: \"min\" has no effect in weir");
    check_line("ProxyPass /a http://a/b/", "warning: ProxyPass: ");
    check_line("ProxyPass / balancer://b/", "3:13: error: ProxyPass: there is no balancer \"balancer://b\"");
    check_line("<Location /x>\nProxyPass /x http://a/\n</Location>", "the path is the location's");
    check_line("<Location /x*>\nProxyPass http://a/\n</Location>", "write <LocationMatch pattern>");
    check_line("ProxyRequests On", "weir is no forward proxy");
}

static void test_balancers(void) {
    struct given given = give_host("<Proxy balancer://App>\nBalancerMember http://a:81 loadfactor=2.5 route=r1\n"
                                   "BalancerMember http://b/base status=+H retry=5\nBalancerMember http://c status=+D\n"
                                   "ProxySet lbmethod=bybusyness stickysession=SID\nProxyHCUri /up\nProxyHCInterval 5\n"
                                   "ProxyHCPasses 2\nProxyHCFails 3\n</Proxy>\nProxyPass / balancer://app/x/\n"
                                   "ProxyPassReverse / balancer://app/x/\n");
    CU_ASSERT_EQUAL_FATAL(given.config->balancer_count, 1);
    const struct balancer *balancer = given.config->balancers[0];
    CU_ASSERT_STRING_EQUAL(balancer->name, "balancer://app");
    CU_ASSERT_EQUAL_FATAL(balancer->member_count, 3);
    CU_ASSERT_EQUAL(balancer->members[0].load_factor_x100, 250);
    CU_ASSERT_STRING_EQUAL(balancer->members[0].route, "r1");
    CU_ASSERT_EQUAL(balancer->members[0].origin->retry_ns, 60 * SECOND_NS);
    CU_ASSERT_TRUE(balancer->members[1].hot_standby);
    CU_ASSERT_STRING_EQUAL(balancer->members[1].path, "/base");
    CU_ASSERT_EQUAL(balancer->members[1].origin->retry_ns, 5 * SECOND_NS);
    CU_ASSERT_TRUE(balancer->members[2].disabled);
    CU_ASSERT_EQUAL(balancer->method, BALANCE_BY_BUSYNESS);
    CU_ASSERT_STRING_EQUAL(balancer->sticky_cookie, "SID");
    CU_ASSERT_STRING_EQUAL(balancer->health_path, "/up");
    CU_ASSERT_EQUAL(balancer->health_interval_ns, 5 * SECOND_NS);
    CU_ASSERT_EQUAL(balancer->health_passes, 2);
    CU_ASSERT_EQUAL(balancer->health_fails, 3);
    const struct settings *scope = &host(&given, 1)->scope;
    CU_ASSERT_EQUAL_FATAL(scope->reverse_url_count, 3);
    CU_ASSERT_STRING_EQUAL(scope->reverse_urls[1].from, "http://b/base/x/");
    CU_ASSERT_PTR_EQUAL(host(&given, 1)->proxy_passes[0].balancer, balancer);
    give_back(&given);
    check_line("<Proxy balancer://a>\n</Proxy>", "the balancer \"balancer://a\" has no members");
    check_line("<Proxy http://a/>\n</Proxy>", "\"http://a/\" is no balancer");
    check_line("<Proxy balancer://a>\nBalancerMember http://a loadfactor=0\n</Proxy>", "write a number from 1 to 100");
    check_line("<Proxy balancer://a>\nBalancerMember http://a\nProxySet lbmethod=x\n</Proxy>",
               "write lbmethod=byrequests or lbmethod=bybusyness");
    check_line("<Proxy balancer://abc>\nBalancerMember http://a\n</Proxy>\nProxyPass / balancer://abd",
               "did you mean \"balancer://abc\"?");
}

static void test_reverse(void) {
    struct given given =
        give_host("ProxyPassReverse /a http://O.example:80/b\nProxyPassReverseCookieDomain o.example w\n"
                  "ProxyPassReverseCookiePath /b /a\n<Location /l>\nProxyPassReverse http://o/\n"
                  "</Location>");
    const struct settings *scope = &host(&given, 1)->scope;
    CU_ASSERT_STRING_EQUAL(scope->reverse_urls[0].from, "http://o.example/b");
    CU_ASSERT_STRING_EQUAL(scope->reverse_urls[0].to, "/a");
    CU_ASSERT_STRING_EQUAL(scope->reverse_cookie_domains[0].to, "w");
    CU_ASSERT_STRING_EQUAL(scope->reverse_cookie_paths[0].from, "/b");
    CU_ASSERT_STRING_EQUAL(host(&given, 1)->locations[0]->settings.reverse_urls[0].to, "/l");
    CU_ASSERT_EQUAL(given.config->origin_count, 0);
    give_back(&given);
    check_line("ProxyPassReverse http://a/", "there is no path to map to");
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("directives of proxying", NULL, NULL);
    CU_add_test(suite, "proxy pass", test_proxy_pass);
    CU_add_test(suite, "bad proxy pass", test_bad_proxy_pass);
    CU_add_test(suite, "balancers", test_balancers);
    CU_add_test(suite, "reverse", test_reverse);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
