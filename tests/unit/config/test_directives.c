/* The directives of server, hosts, locations, proxying, headers, access and logs: what a line means, and what is
 * refused. */
#include "config/directive.h"
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

static void test_defaults(void) {
    struct given given = give_clean("Listen 80\n<VirtualHost *:80>\n</VirtualHost>\n");
    const struct settings *settings = &host(&given, 1)->effective;
    CU_ASSERT_EQUAL(settings->timeout_ns, 60 * SECOND_NS);
    CU_ASSERT_EQUAL(settings->keepalive_timeout_ns, 5 * SECOND_NS);
    CU_ASSERT_EQUAL(settings->max_keepalive_requests, 100);
    CU_ASSERT_EQUAL(settings->read_handshake.initial_ns, 0);
    CU_ASSERT_EQUAL(settings->read_header.initial_ns, 20 * SECOND_NS);
    CU_ASSERT_EQUAL(settings->read_header.maximum_ns, 40 * SECOND_NS);
    CU_ASSERT_EQUAL(settings->read_header.min_rate_per_s, 500);
    CU_ASSERT_EQUAL(settings->read_body.initial_ns, 20 * SECOND_NS);
    CU_ASSERT_EQUAL(settings->read_body.maximum_ns, 0);
    CU_ASSERT_EQUAL(settings->limit_request_line, 8190);
    CU_ASSERT_EQUAL(settings->limit_request_fields, 100);
    CU_ASSERT_EQUAL(settings->limit_request_field_size, 8190);
    CU_ASSERT_EQUAL(settings->limit_request_body_bytes, 1073741824);
    CU_ASSERT_EQUAL(settings->response_min_rate_per_s, 0);
    CU_ASSERT_EQUAL(settings->via, VIA_OFF);
    CU_ASSERT_TRUE(settings->keepalive && settings->preserve_host && settings->add_headers);
    CU_ASSERT_FALSE(settings->unsafe_protocol || settings->trace_enable);
    CU_ASSERT_EQUAL(given.config->server.graceful_timeout_ns, 30 * SECOND_NS);
    CU_ASSERT_EQUAL(given.config->server.log_level, LOG_LEVEL_NOTICE);
    CU_ASSERT_EQUAL(given.config->server.log_target, LOG_TO_STDERR);
    CU_ASSERT_EQUAL(given.config->server.workers, 0);
    CU_ASSERT_EQUAL(given.config->server.usage_history_days, 400);
    CU_ASSERT_EQUAL(host(&given, 1)->access_log_count, 0);
    give_back(&given);
}

static void test_listen(void) {
    struct given given = give_clean("Listen 8080\nListen 127.0.0.1:81 http\nListen [::1]:82 proxy-protocol\n"
                                    "Listen *:83\nListen unix:/run/weir.sock\nListen 443 https\n"
                                    "SSLCertificateFile a.pem\n");
    const struct listener *listeners = given.config->listeners;
    CU_ASSERT_EQUAL_FATAL(given.config->listener_count, 6);
    CU_ASSERT_STRING_EQUAL(listeners[0].name, "*:8080");
    CU_ASSERT_EQUAL(listeners[0].address.family, IP_NONE);
    CU_ASSERT_STRING_EQUAL(listeners[1].name, "127.0.0.1:81");
    CU_ASSERT_STRING_EQUAL(listeners[2].name, "[::1]:82");
    CU_ASSERT_TRUE(listeners[2].proxy_protocol);
    CU_ASSERT_STRING_EQUAL(listeners[3].name, "*:83");
    CU_ASSERT_STRING_EQUAL(listeners[4].unix_path, "/run/weir.sock");
    CU_ASSERT_TRUE(listeners[5].https);
    give_back(&given);
}

static void check_whole(const char *text, const char *part) {
    struct given given = give(text);
    check_says(&given, part);
    if (strstr(part, "warning") == NULL) {
        CU_ASSERT_PTR_NULL(given.config);
    }
    give_back(&given);
}

static void test_bad_listeners(void) {
    check_whole("KeepAlive On\n", "/etc/weir/proxy.conf: error: Listen: there is no Listen line");
    check_whole("Listen 70000\n", "\"70000\" is no port");
    check_whole("Listen 0\n", "\"0\" is no port");
    check_whole("Listen localhost:80\n", "1:8: error: Listen: \"localhost:80\" is no numeric address");
    check_whole("Listen 127.0.0.1\n", "\"127.0.0.1\" has no port");
    check_whole("Listen ::1:80\n", "has several colons: write an IPv6 address in brackets");
    check_whole("Listen unix:x\n", "\"x\" is no absolute path");
    check_whole("Listen 80 htps\n", "did you mean \"https\"?");
    check_whole("Listen 80\nListen *:80\n", "2:8: error: Listen: \"*:80\" is listened on already, line 1");
}

static void test_server_values(void) {
    struct given given = give_clean("Listen 80\nWorkers 4\nMaxConnections 5000\nUser www-data\nGroup #33\n"
                                    "PidFile run/weir.pid\nErrorLog syslog:local3\nLogLevel debug\n"
                                    "GracefulShutdownTimeout 2min\nUsageHistory 30\n");
    const struct server_settings *server = &given.config->server;
    CU_ASSERT_EQUAL(server->workers, 4);
    CU_ASSERT_EQUAL(server->max_connections, 5000);
    CU_ASSERT_STRING_EQUAL(server->user, "www-data");
    CU_ASSERT_STRING_EQUAL(server->group, "#33");
    CU_ASSERT_STRING_EQUAL(server->pid_file, "/etc/weir/run/weir.pid");
    CU_ASSERT_EQUAL(server->log_target, LOG_TO_SYSLOG);
    CU_ASSERT_STRING_EQUAL(server->log_facility, "local3");
    CU_ASSERT_EQUAL(server->log_level, LOG_LEVEL_DEBUG);
    CU_ASSERT_EQUAL(server->graceful_timeout_ns, 120 * SECOND_NS);
    CU_ASSERT_EQUAL(server->usage_history_days, 30);
    give_back(&given);
    check_whole("Workers 0\n", "\"0\" is no number of threads");
    check_whole("Workers many\n", "write auto (one a core) or a whole number from 1 to 1024");
    check_whole("LogLevel notise\n", "did you mean \"notice\"?");
    check_whole("ErrorLog |prog\n", "weir does not log to a program");
    check_whole("ErrorLog syslog:foo\n", "\"foo\" is no facility of syslog");
    check_whole("Listen 80\n<VirtualHost *:80>\nErrorLog x\n</VirtualHost>\n",
                "warning: ErrorLog: has no effect in a host");
}

static void test_inheritance_one_by_one(void) {
    struct given given =
        give_clean("Listen 80\nTimeOut 7\nRequestReadTimeout body=0\n<VirtualHost *:80>\nKeepAlive Off\n"
                   "RequestReadTimeout header=5\n</VirtualHost>\n");
    const struct settings *settings = &host(&given, 1)->effective;
    CU_ASSERT_EQUAL(settings->timeout_ns, 7 * SECOND_NS);
    CU_ASSERT_FALSE(settings->keepalive);
    CU_ASSERT_EQUAL(settings->read_header.initial_ns, 5 * SECOND_NS);
    CU_ASSERT_EQUAL(settings->read_header.min_rate_per_s, 0);
    CU_ASSERT_EQUAL(settings->read_body.initial_ns, 0);
    CU_ASSERT_EQUAL(settings->read_body.min_rate_per_s, 0);
    CU_ASSERT_TRUE(host(&given, 0)->effective.keepalive);
    CU_ASSERT_PTR_EQUAL(host(&given, 1)->server_scope, &host(&given, 0)->scope);
    CU_ASSERT_PTR_NULL(host(&given, 0)->server_scope);
    give_back(&given);
}

static void test_connection_values(void) {
    struct given given = give_host(
        "KeepAliveTimeout 500ms\nLimitRequestBody 10M\nTraceEnable On\nHttpProtocolOptions Unsafe\n"
        "RemoteIPHeader X-Real-IP\nRemoteIPTrustedProxy 192.0.2.1 2001:db8::/32\nRemoteIPInternalProxy 10.0/16");
    const struct settings *settings = &host(&given, 1)->effective;
    CU_ASSERT_EQUAL(settings->keepalive_timeout_ns, SECOND_NS / 2);
    CU_ASSERT_EQUAL(settings->limit_request_body_bytes, 10485760);
    CU_ASSERT_TRUE(settings->trace_enable && settings->unsafe_protocol);
    CU_ASSERT_STRING_EQUAL(settings->remote_ip_header, "X-Real-IP");
    CU_ASSERT_EQUAL(settings->remote_ip_proxy_count, 3);
    CU_ASSERT_FALSE(settings->remote_ip_proxies[1].internal);
    CU_ASSERT_TRUE(settings->remote_ip_proxies[2].internal);
    give_back(&given);
    check_line("TimeOut 0", "error: TimeOut: \"0\" is out of range");
    check_line("TimeOut -1", "error: TimeOut: \"-1\" is not a time");
    check_line("LimitRequestFields 99999", "write a whole number from 0 to 32767");
    check_line("LimitRequestBody 1X", "is not a number of bytes");
    check_line("LimitRequestBody 99999999999999999999", "is not a number of bytes");
    check_line("RequestReadTimeout headr=20", "3:20: error: RequestReadTimeout: \"headr=20\" is none of");
    check_line("RequestReadTimeout header=20-40", "is not a time-out with an optional rate");
    check_line("RequestReadTimeout header=40-20,MinRate=5", "is not a time-out with an optional rate");
    check_line("RequestReadTimeout header=20,MinRate=0", "is not a time-out with an optional rate");
    check_line("HttpProtocolOptions Strikt", "did you mean \"Strict\"?");
    check_line("RemoteIPHeader \"X Y\"", "is no name of a header");
    check_line("RemoteIPTrustedProxy proxy.example", "\"proxy.example\" is no address");
}

static void test_names(void) {
    struct given given = give_host("ServerName https://www.Example.org:8443\nServerAlias a.example *.b.example\n"
                                   "ServerAlias c?\nServerAliasMatch ^d[0-9]+$");
    const struct virtual_host *first = host(&given, 1);
    CU_ASSERT_STRING_EQUAL(first->name, "www.Example.org");
    CU_ASSERT_EQUAL(first->port, 8443);
    CU_ASSERT_EQUAL(first->alias_count, 3);
    CU_ASSERT_EQUAL(first->alias_pattern_count, 1);
    give_back(&given);
    check_line("ServerName a/b", "\"a/b\" is no name of a host");
    check_line("ServerName a:99999", "is no name of a host");
    check_line("ServerAlias a:80", "write host names without port");
    check_line("ServerAliasMatch (a", "error: ServerAliasMatch: \"(a\" is not a pattern");
    check_whole("Listen 80\n<VirtualHost www.example.org:80>\n</VirtualHost>\n",
                "2:14: error: VirtualHost: \"www.example.org:80\" is no numeric address");
    check_whole("Listen 80\n<VirtualHost *:81>\n</VirtualHost>\n",
                "2:2: warning: VirtualHost: nothing listens on *:81");
    check_whole("Listen 80\n<VirtualHost *:80>\nServerName a\n</VirtualHost>\n<VirtualHost *:80>\nServerName A\n"
                "</VirtualHost>\n",
                "6:12: warning: ServerName: another host has this name on the same address, line 3");
}

static void test_location_order(void) {
    struct given given = give_clean("Listen 80\n<VirtualHost *:80>\n<Location /a/*>\n</Location>\n<LocationMatch ^/b>\n"
                                    "</LocationMatch>\n<Location ~ \"c\">\n</Location>\n</VirtualHost>\n<Location /s>\n"
                                    "</Location>\n");
    const struct virtual_host *first = host(&given, 1);
    CU_ASSERT_EQUAL_FATAL(first->location_count, 4);
    CU_ASSERT_STRING_EQUAL(first->locations[0]->path, "/s");
    CU_ASSERT_TRUE(first->locations[1]->wildcard);
    CU_ASSERT_PTR_NOT_NULL(first->locations[2]->pattern);
    CU_ASSERT_STRING_EQUAL(pattern_text(first->locations[3]->pattern), "c");
    CU_ASSERT_EQUAL(host(&given, 0)->location_count, 1);
    give_back(&given);
    check_line("<Location a>\n</Location>", "\"a\" is no path of a URL");
    check_line("<LocationMatch \"(\">\n</LocationMatch>", "3:16: error: LocationMatch: \"(\" is not a pattern");
}

static void test_headers(void) {
    struct given given = give_host(
        "RequestHeader set X-A: \"b %{c}e\"\nHeader always append X-B c\nHeader unset Server\n"
        "Header edit* Set-Cookie \"a(.)\" \"b$1\"\nHeader onsuccess merge X-C \"100%%\"\nHeader add X-D \"%t %D\"");
    const struct settings *scope = &host(&given, 1)->scope;
    CU_ASSERT_EQUAL_FATAL(scope->request_header_count, 1);
    CU_ASSERT_STRING_EQUAL(scope->request_headers[0].name, "X-A");
    CU_ASSERT_EQUAL_FATAL(scope->response_header_count, 5);
    CU_ASSERT_TRUE(scope->response_headers[0].always);
    CU_ASSERT_EQUAL(scope->response_headers[0].action, HEADER_APPEND);
    CU_ASSERT_EQUAL(scope->response_headers[1].action, HEADER_UNSET);
    CU_ASSERT_EQUAL(scope->response_headers[2].action, HEADER_EDIT_ALL);
    CU_ASSERT_STRING_EQUAL(scope->response_headers[2].value, "b$1");
    CU_ASSERT_FALSE(scope->response_headers[3].always);
    give_back(&given);
    check_line("Header sett X-A b", "did you mean \"set\"?");
    check_line("Header set X-A", "an argument is missing");
    check_line("Header set \"X A\" b", "is no name of a header");
    check_line("Header set X-A 50%", "\"%\" is no format code that weir knows");
    check_line("Header set X-A b env=C", "weir has no environment variables");
    check_line("Header set Content-Length 5", "belongs to the connection");
    check_line("RequestHeader unset Host", "a request has one Host");
    check_line("RequestHeader add host a", "a request has one Host");
    check_line("RequestHeader edit X \"(\" b", "is not a pattern");
}

static void test_redirects(void) {
    struct given given =
        give_host("Redirect /a http://b/\nRedirect permanent /c /d\nRedirect gone /e\nRedirect 404 /f\n"
                  "RedirectMatch 303 ^/g(.*) http://h$1\nRedirectPermanent /i http://j/\nRedirectTemp /k "
                  "http://l/\n<Location /m>\nRedirect seeother http://n/\n</Location>");
    static const struct {
        int status;
        const char *path, *target;
    } expected[] = {{302, "/a", "http://b/"},  {301, "/c", "/d"},        {410, "/e", NULL},       {404, "/f", NULL},
                    {303, NULL, "http://h$1"}, {301, "/i", "http://j/"}, {302, "/k", "http://l/"}};
    const struct settings *scope = &host(&given, 1)->scope;
    CU_ASSERT_EQUAL_FATAL(scope->redirect_count, 7);
    for (size_t i = 0; i < 7; i++) {
        const struct redirect *redirect = &scope->redirects[i];
        CU_ASSERT_EQUAL(redirect->status, expected[i].status);
        CU_ASSERT((redirect->path == NULL) == (expected[i].path == NULL));
        CU_ASSERT((redirect->target == NULL) == (expected[i].target == NULL));
        CU_ASSERT(expected[i].target == NULL || strcmp(redirect->target, expected[i].target) == 0);
    }
    const struct redirect *inner = &host(&given, 1)->locations[0]->settings.redirects[0];
    CU_ASSERT_STRING_EQUAL(inner->path, "/m");
    CU_ASSERT_EQUAL(inner->status, 303);
    give_back(&given);
    check_line("Redirect /a b", "\"b\" is no URL");
    check_line("Redirect a http://b/", "\"a\" is no path of a URL");
    check_line("Redirect 304 /a http://b/", "\"304\" is no status of a redirect");
    check_line("Redirect 301 /a", "an argument is missing");
    check_line("Redirect gone /a http://b/", "too many arguments");
}

static void test_error_documents(void) {
    struct given given = give_host("ErrorDocument 404 /missing.html\nErrorDocument 503 \"We rest\"\n"
                                   "ErrorDocument 502 http://e/\nErrorDocument 500 default\nSetHandler cband-status");
    const struct error_document *documents = host(&given, 1)->scope.error_documents;
    CU_ASSERT_EQUAL_FATAL(host(&given, 1)->scope.error_document_count, 4);
    CU_ASSERT_STRING_EQUAL(documents[0].path, "/missing.html");
    CU_ASSERT_STRING_EQUAL(documents[1].text, "We rest");
    CU_ASSERT_STRING_EQUAL(documents[2].url, "http://e/");
    CU_ASSERT(documents[3].path == NULL && documents[3].text == NULL && documents[3].url == NULL);
    CU_ASSERT_EQUAL(host(&given, 1)->effective.handler, HANDLER_STATUS);
    give_back(&given);
    check_line("ErrorDocument 200 x", "\"200\" is no status of an error");
    check_line("SetHandler cband-statsu", "did you mean \"cband-status\"?");
}

static void test_access(void) {
    struct given given =
        give_host("<Location /a>\nRequire ip 10.1 192.0.2.0/24\nRequire local\n</Location>\n<Location /b>\n"
                  "Order allow,deny\nAllow from 127.0.0.1\nDeny from all\n</Location>\n<Location /c>\n"
                  "<RequireAll>\nRequire all granted\nRequire not ip 192.0.2.7\nRequire method GET\n"
                  "</RequireAll>\n</Location>\n<Location /d>\nOrder deny,allow\nRequire all denied\n"
                  "</Location>");
    const struct virtual_host *first = host(&given, 1);
    const struct access_rule *rule = first->locations[0]->settings.access;
    CU_ASSERT_EQUAL(rule->kind, ACCESS_ALL);
    CU_ASSERT_EQUAL_FATAL(rule->child_count, 1);
    CU_ASSERT_EQUAL(rule->children[0]->kind, ACCESS_ANY);
    CU_ASSERT_EQUAL_FATAL(rule->children[0]->child_count, 2);
    CU_ASSERT_EQUAL(rule->children[0]->children[0]->prefix_count, 2);
    CU_ASSERT_EQUAL(rule->children[0]->children[0]->prefixes[0].length, 16);
    CU_ASSERT_EQUAL(rule->children[0]->children[1]->kind, ACCESS_LOCAL);
    rule = first->locations[1]->settings.access->children[0];
    CU_ASSERT_EQUAL(rule->kind, ACCESS_ORDER);
    CU_ASSERT_FALSE(rule->allow_last);
    CU_ASSERT_TRUE(rule->deny_all);
    CU_ASSERT_EQUAL(rule->prefix_count, 1);
    rule = first->locations[2]->settings.access->children[0]->children[0];
    CU_ASSERT_EQUAL(rule->kind, ACCESS_ALL);
    CU_ASSERT_EQUAL_FATAL(rule->child_count, 3);
    CU_ASSERT_TRUE(rule->children[1]->negated);
    CU_ASSERT_STRING_EQUAL(rule->children[2]->methods[0], "GET");
    CU_ASSERT_EQUAL(first->locations[3]->settings.access->child_count, 2);
    give_back(&given);
    check_line("Require valid-user", "weir cannot check \"valid-user\"");
    check_line("Require al granted", "did you mean \"all\"?");
    check_line("Require all", "neither granted nor denied follows \"all\"");
    check_line("Require not ip 10.1", "put it into <RequireAll>");
    check_line("Require ip", "the addresses are missing");
    check_line("<RequireAll>\nRequire not local\n</RequireAll>", "the section only says who is not allowed");
    check_line("<RequireAny>\n</RequireAny>", "the section holds no rule");
    check_line("Order first", "\"first\" is no order");
    check_line("Allow 10.1", "\"from\" and what it is about are missing");
    check_line("Deny from env=x", "weir has no environment variables");
    check_line("Deny from example.org", "\"example.org\" is no address");
}

static void test_proxy_star_is_a_location(void) {
    struct given given = give_host("<Proxy *>\nOrder deny,allow\nAllow from all\n</Proxy>");
    CU_ASSERT_EQUAL_FATAL(host(&given, 1)->location_count, 1);
    CU_ASSERT_STRING_EQUAL(host(&given, 1)->locations[0]->path, "/");
    CU_ASSERT_PTR_NOT_NULL(host(&given, 1)->locations[0]->settings.access);
    give_back(&given);
}

static void test_logs(void) {
    struct given given =
        give_clean("Listen 80\nCustomLog logs/all mine\nLogFormat \"%h %{weir-class}x %>s %{X}i\" mine\n"
                   "<VirtualHost *:80>\nCustomLog /a json\nCustomLog /b \"%h\"\nTransferLog /c\n"
                   "CustomLog /d\n</VirtualHost>\n<VirtualHost *:80>\n</VirtualHost>\n");
    CU_ASSERT_EQUAL_FATAL(host(&given, 1)->access_log_count, 4);
    CU_ASSERT_STRING_EQUAL(host(&given, 1)->access_logs[0].format, "json");
    CU_ASSERT_STRING_EQUAL(host(&given, 1)->access_logs[1].format, "%h");
    CU_ASSERT_STRING_EQUAL(host(&given, 1)->access_logs[2].format, "%h %l %u %t \"%r\" %>s %b");
    CU_ASSERT_STRING_EQUAL(host(&given, 1)->access_logs[3].format,
                           "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"");
    CU_ASSERT_EQUAL_FATAL(host(&given, 2)->access_log_count, 1);
    CU_ASSERT_STRING_EQUAL(host(&given, 2)->access_logs[0].path, "/etc/weir/logs/all");
    CU_ASSERT_STRING_EQUAL(host(&given, 2)->access_logs[0].format, "%h %{weir-class}x %>s %{X}i");
    give_back(&given);
    check_line("CustomLog a combinde", "3:13: error: CustomLog: there is no LogFormat \"combinde\"");
    check_line("CustomLog a combinde", "did you mean \"combined\"?");
    check_line("CustomLog \"|prog x\" combined", "weir does not log to a program");
    check_line("CustomLog a combined env=!x", "weir logs every request");
    check_line("CustomLog a expr=x", "weir logs every request");
    check_line("LogFormat \"%z\" a", "\"%z\" is no format code that weir knows");
    check_line("LogFormat \"%{weir-clas}x\" a", "did you mean \"%{weir-class}x\"?");
    check_line("LogFormat \"%{a\" b", "has no closing }");
}

static void test_ignored_and_refused(void) {
    struct given given = give("Listen 80\nDocumentRoot /a\n<Directory />\nFoo\n<Limit GET>\n</Limit>\n</Directory>\n"
                              "RewriteRule a b\nRewriteRule c d\n");
    CU_ASSERT_PTR_NOT_NULL(given.config);
    check_says(&given, "2:1: warning: DocumentRoot: has no effect in a proxy");
    check_says(&given, "3:2: warning: Directory: has no effect in a proxy, nor has what stands inside");
    check_says(&given, "8:1: warning: RewriteRule");
    CU_ASSERT_PTR_NULL(strstr(given.messages, ":9:"));
    CU_ASSERT_PTR_NULL(strstr(given.messages, ":4:"));
    give_back(&given);
    static const struct config_options strict = {.path = "a.conf", .strict = true};
    given = give_with(&strict, "Listen 80\nDocumentRoot /a\nDocumentRoot /b\n");
    CU_ASSERT_PTR_NULL(given.config);
    check_says(&given, "a.conf:2:1: error: DocumentRoot");
    check_says(&given, "a.conf:3:1: error: DocumentRoot");
    give_back(&given);
    check_line("<Limit GET>\nRequire all denied\n</Limit>", "error: Limit: weir does not have this");
    check_line("ProxyRemote * http://a/", "error: ProxyRemote: weir does not have this");
}

static void test_tls_against_listeners(void) {
    check_whole("Listen 80\n<VirtualHost *:80>\nSSLEngine On\nSSLCertificateFile a\n</VirtualHost>\n",
                "error: SSLEngine: the host is on *:80, where TLS is not spoken");
    check_whole("Listen 443 https\n<VirtualHost *:443>\n</VirtualHost>\n",
                "error: VirtualHost: the host is on *:443, where TLS is spoken, and has no certificate");
    check_whole("Listen 443 https\n<VirtualHost *:443>\nSSLEngine On\n</VirtualHost>\n", "has no certificate");
    check_whole("Listen 443 https\n", "error: Listen: TLS is spoken on *:443, and no host there has a certificate");
    struct given given = give_clean("Listen 80\nListen 443\n<VirtualHost *:443>\nSSLEngine On\nSSLCertificateFile a\n"
                                    "</VirtualHost>\n<VirtualHost *:80>\n</VirtualHost>\n");
    give_back(&given);
    check_whole("Listen unix:/run/a\nListen 443 https\n<VirtualHost *:443>\nSSLEngine On\nSSLCertificateFile a\n"
                "</VirtualHost>\n",
                "or give the host an address");
    /* The control socket serves no host. */
    given = give_clean("Listen 443\nControlSocket /run/a\n<VirtualHost *:443>\nSSLEngine On\nSSLCertificateFile a\n"
                       "</VirtualHost>\n");
    give_back(&given);
    given = give("Listen 80\nControlSocket /run/a\n<VirtualHost *:81>\n</VirtualHost>\n");
    CU_ASSERT_PTR_NOT_NULL(given.config);
    check_says(&given, "nothing listens on *:81");
    give_back(&given);
}

static void test_files_are_looked_for(void) {
    static const struct config_options options = {.path = "a.conf", .check_files = true};
    struct given given = give_with(&options, "Listen 80\nUser no-such-user\nPidFile /no/such/pid\nCustomLog /no/log\n");
    CU_ASSERT_PTR_NULL(given.config);
    check_says(&given, "a.conf:2:6: error: User: there is no user \"no-such-user\"");
    check_says(&given, "a.conf:3:9: error: PidFile: there is no folder \"/no/such\"");
    check_says(&given, "a.conf:4:11: error: CustomLog: there is no folder \"/no\"");
    give_back(&given);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("directives", NULL, NULL);
    CU_add_test(suite, "defaults", test_defaults);
    CU_add_test(suite, "listen", test_listen);
    CU_add_test(suite, "bad listeners", test_bad_listeners);
    CU_add_test(suite, "server values", test_server_values);
    CU_add_test(suite, "inheritance one by one", test_inheritance_one_by_one);
    CU_add_test(suite, "connection values", test_connection_values);
    CU_add_test(suite, "names", test_names);
    CU_add_test(suite, "location order", test_location_order);
    CU_add_test(suite, "headers", test_headers);
    CU_add_test(suite, "redirects", test_redirects);
    CU_add_test(suite, "error documents", test_error_documents);
    CU_add_test(suite, "access", test_access);
    CU_add_test(suite, "proxy star is a location", test_proxy_star_is_a_location);
    CU_add_test(suite, "logs", test_logs);
    CU_add_test(suite, "ignored and refused", test_ignored_and_refused);
    CU_add_test(suite, "tls against listeners", test_tls_against_listeners);
    CU_add_test(suite, "files are looked for", test_files_are_looked_for);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
