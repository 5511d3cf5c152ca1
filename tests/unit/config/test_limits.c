/* Whole configurations with CBand*, DOS* and SSL* lines through config_load_text(), as public tutorials have them. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/directive.h"

#define KI UINT64_C(1024)

static struct config *load(const char *text, bool strict, char **messages) {
    struct config_options options = {.path = "proxy.conf", .strict = strict};
    size_t length = 0;
    FILE *out = open_memstream(messages, &length);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    struct config *config = config_load_text(&options, span_of(text), out);
    fclose(out);
    return config;
}

/* Loads what must be without any message. */
static struct config *load_clean(const char *text) {
    char *messages = NULL;
    struct config *config = load(text, true, &messages);
    if (messages[0] != '\0') {
        printf("\n%s", messages);
    }
    CU_ASSERT_STRING_EQUAL(messages, "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    free(messages);
    return config;
}

static const struct host_limits *host_limits(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->host_count; i++) {
        if (strcmp(config->hosts[i]->name, name) == 0) {
            return &config->hosts[i]->limits;
        }
    }
    CU_FAIL_FATAL("no such host");
    return NULL;
}

static void test_daily_quota(void) {
    struct config *config = load_clean("Listen 127.0.0.1:8080\n"
                                       "<IfModule mod_cband.c>\n"
                                       "  CBandDefaultExceededCode 509\n"
                                       "  CBandScoreFlushPeriod 1\n"
                                       "  CBandRandomPulse On\n"
                                       "</IfModule>\n"
                                       "<VirtualHost *:8080>\n"
                                       "  ServerName www.example.com\n"
                                       "  ProxyPass / http://127.0.0.1:8000/\n"
                                       "  <IfModule mod_cband.c>\n"
                                       "    CBandLimit 300Mi\n"
                                       "    CBandPeriod 1D\n"
                                       "    CBandExceededURL http://www.example.com/bandwidth_exceeded.html\n"
                                       "  </IfModule>\n"
                                       "</VirtualHost>\n");
    const struct traffic_limits *traffic = &host_limits(config, "www.example.com")->traffic;
    CU_ASSERT_EQUAL(traffic->limit_bytes, 300 * KI * KI);
    CU_ASSERT_EQUAL(traffic->period_s, 86400);
    CU_ASSERT_STRING_EQUAL(traffic->exceeded_url, "http://www.example.com/bandwidth_exceeded.html");
    CU_ASSERT_EQUAL(config->server.limits.default_exceeded_code, 509);
    config_unref(&config);
}

static void test_speeds(void) {
    struct config *config = load_clean("Listen 8080\n"
                                       "<VirtualHost *:8080>\n"
                                       "  ServerName www.example.com\n"
                                       "  ProxyPass / http://127.0.0.1:8000/\n"
                                       "  CBandSpeed 1024 10 30\n"
                                       "  CBandRemoteSpeed 20kb/s 3 30\n"
                                       "</VirtualHost>\n"
                                       "<VirtualHost *:8080>\n"
                                       "  ServerName slow.example.com\n"
                                       "  ProxyPass / http://127.0.0.1:8000/\n"
                                       "  CBandLimit 100Mi\n"
                                       "  CBandExceededSpeed 128 5 15\n"
                                       "  CBandScoreboard /tmp/slow.scoreboard\n"
                                       "  CBandPeriod 4W\n"
                                       "</VirtualHost>\n");
    const struct traffic_limits *fast = &host_limits(config, "www.example.com")->traffic;
    CU_ASSERT_EQUAL(fast->speed.bits_per_s, KI * KI);
    CU_ASSERT_EQUAL(fast->speed.requests_per_s, 10);
    CU_ASSERT_EQUAL(fast->speed.connections, 30);
    CU_ASSERT_EQUAL(fast->remote_speed.bits_per_s, 20 * KI * 8);
    CU_ASSERT_EQUAL(fast->remote_speed.requests_per_s, 3);
    const struct traffic_limits *slow = &host_limits(config, "slow.example.com")->traffic;
    CU_ASSERT_EQUAL(slow->exceeded_speed.bits_per_s, 128 * KI);
    CU_ASSERT_EQUAL(slow->exceeded_speed.connections, 15);
    CU_ASSERT_STRING_EQUAL(slow->scoreboard, "/tmp/slow.scoreboard");
    config_unref(&config);
}

static void test_two_hosts_of_one_user(void) {
    struct config *config = load_clean("Listen 8080\n"
                                       "<CBandUser alice>\n"
                                       "  CBandUserLimit 2Gi\n"
                                       "  CBandUserPeriod 4W\n"
                                       "  CBandUserPeriodSlice 1W\n"
                                       "  CBandUserExceededSpeed 64kbps 2 4\n"
                                       "  CBandUserScoreboard /tmp/alice.scoreboard\n"
                                       "</CBandUser>\n"
                                       "<VirtualHost *:8080>\n"
                                       "  ServerName a.example.com\n"
                                       "  ProxyPass / http://127.0.0.1:8000/\n"
                                       "  CBandUser alice\n"
                                       "</VirtualHost>\n"
                                       "<VirtualHost *:8080>\n"
                                       "  ServerName b.example.com\n"
                                       "  ProxyPass / http://127.0.0.1:8000/\n"
                                       "  CBandUser alice\n"
                                       "  CBandSpeed 1Mbps 0 0\n"
                                       "</VirtualHost>\n");
    const struct user_limits *user = host_limits(config, "a.example.com")->user;
    CU_ASSERT_PTR_NOT_NULL_FATAL(user);
    CU_ASSERT_PTR_EQUAL(user, host_limits(config, "b.example.com")->user);
    CU_ASSERT_EQUAL(user->traffic.limit_bytes, 2 * KI * KI * KI);
    CU_ASSERT_EQUAL(user->traffic.slice_s, 604800);
    config_unref(&config);
}

static void test_two_classes(void) {
    struct config *config = load_clean("Listen 8080\n"
                                       "<CBandClass googlebot_class>\n"
                                       "  CBandClassDst 66.249.64/24\n"
                                       "  CBandClassDst 66.249.65/24\n"
                                       "  CBandClassDst 66.249.79/24\n"
                                       "</CBandClass>\n"
                                       "<CBandClass local_class>\n"
                                       "  CBandClassDst 127/8\n"
                                       "  CBandClassDst ::1\n"
                                       "</CBandClass>\n"
                                       "<VirtualHost *:8080>\n"
                                       "  ServerName www.example.com\n"
                                       "  ProxyPass / http://127.0.0.1:8000/\n"
                                       "  CBandRemoteSpeed 64kbps 5 10\n"
                                       "  CBandClassRemoteSpeed googlebot_class 20kb/s 2 3\n"
                                       "  CBandClassRemoteSpeed local_class 10Mbps 0 0\n"
                                       "  CBandClassLimit googlebot_class 500M\n"
                                       "</VirtualHost>\n");
    CU_ASSERT_EQUAL_FATAL(config->class_count, 2);
    CU_ASSERT_EQUAL(config->classes[0].prefix_count, 3);
    const struct traffic_limits *traffic = &host_limits(config, "www.example.com")->traffic;
    CU_ASSERT_EQUAL_FATAL(traffic->class_speed_count, 2);
    CU_ASSERT_STRING_EQUAL(traffic->class_speeds[0].class->name, "googlebot_class");
    CU_ASSERT_STRING_EQUAL(traffic->class_speeds[1].class->name, "local_class");
    CU_ASSERT_EQUAL(traffic->class_speeds[1].speed.bits_per_s, 10 * KI * KI);
    CU_ASSERT_EQUAL(traffic->class_quotas[0].limit_bytes, 500000000);
    config_unref(&config);
}

static void test_evasive(void) {
    struct config *config = load_clean("Listen 8080\n"
                                       "<IfModule mod_evasive20.c>\n"
                                       "  DOSHashTableSize    3097\n"
                                       "  DOSPageCount        2\n"
                                       "  DOSSiteCount        50\n"
                                       "  DOSPageInterval     1\n"
                                       "  DOSSiteInterval     1\n"
                                       "  DOSBlockingPeriod   10\n"
                                       "  DOSEmailNotify      you@yourdomain.com\n"
                                       "  DOSSystemCommand    \"su - someuser -c '/sbin/... %s ...'\"\n"
                                       "  DOSLogDir           \"/var/lock/mod_evasive\"\n"
                                       "  DOSWhitelist        127.0.0.1\n"
                                       "</IfModule>\n"
                                       "<VirtualHost *:8080>\n"
                                       "  ServerName www.example.com\n"
                                       "  ProxyPass / http://127.0.0.1:8000/\n"
                                       "</VirtualHost>\n");
    const struct burst_limits *burst = &config->hosts[1]->burst;
    CU_ASSERT_TRUE(burst->enabled);
    CU_ASSERT_EQUAL(burst->whitelist_count, 1);
    CU_ASSERT_EQUAL(burst->blocking_period_s, 10);
    config_unref(&config);
}

/* Each is refused, with this part of the message. */
static void test_errors_have_a_place(void) {
    static const struct {
        const char *text, *part;
        bool strict;
    } vectors[] = {
        {"Listen 80\nCBandSpeed 10kps 10 30\n",
         "proxy.conf:2:12: error: CBandSpeed: \"10kps\" is not a speed\n    CBandSpeed 10kps 10 30\n               "
         "^~~~~\n"
         "write a number and kbps",
         false},
        {"Listen 80\nCBandSpeed 20kB/s 0 0\n", "proxy.conf:2:12: error: CBandSpeed: \"20kB/s\" is 160kbps", true},
        {"Listen 80\n<VirtualHost *:80>\nCBandUser nobody\n</VirtualHost>\n",
         "proxy.conf:3:11: error: CBandUser: there is no user \"nobody\"", false},
        {"Listen 80\nDOSWhitelist 10.0.0.1 nonsense\n", "proxy.conf:2:23: error: DOSWhitelist: \"nonsense\"", false},
        {"Listen 80\nSSLProtocol all +TLSv1.4\n", "proxy.conf:2:17: error: SSLProtocol: \"+TLSv1.4\"", false},
        {"Listen 80\nCBandLimt 5G\n", "did you mean \"CBandLimit\"?", false},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char *messages = NULL;
        struct config *config = load(vectors[i].text, vectors[i].strict, &messages);
        bool right = config == NULL && strstr(messages, vectors[i].part) != NULL;
        if (!right) {
            printf("\nexpected: %s\ngot: %s\n", vectors[i].part, messages);
        }
        CU_ASSERT_TRUE(right);
        config_unref(&config);
        free(messages);
    }
}

/* Every row of the three tables says what it is, so that the reference has no holes. */
static void test_rows(void) {
    const struct directive *const tables[] = {directives_cband, directives_dos, directives_tls};
    const size_t counts[] = {directives_cband_count, directives_dos_count, directives_tls_count};
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < counts[i]; j++) {
            const struct directive *row = &tables[i][j];
            CU_ASSERT_PTR_NOT_NULL_FATAL(row->help);
            CU_ASSERT_TRUE(strlen(row->help) > 10 && row->help[strlen(row->help) - 1] != '.');
            CU_ASSERT_TRUE(row->syntax != NULL && row->syntax[0] != '\0');
            CU_ASSERT_PTR_NOT_NULL(row->apply);
            CU_ASSERT_PTR_EQUAL(directive_find(span_of(row->name), row->section), row);
        }
    }
    CU_ASSERT_EQUAL(directives_cband_count, 27 + 7); /* with CBandMaxDelay and its like */
}

static uint64_t random_state = 2026;
static uint64_t random_u64(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* One line of any of the three tables with words that some of them take. */
static void random_line(FILE *out) {
    static const char *const words[] = {
        "0",       "1",        "10",      "-1",           "1024kbps",
        "20kB/s",  "300Mi",    "1D",      "1Mo",          "On",
        "off",     "alice",    "ALICE",   "class",        "10.0.0.0/8",
        "::1",     "10.*.1.*", "all",     "-TLSv1.3",     "+SSLv3",
        "(",       "^/a",      "/x.html", "status",       "nftables",
        "inet",    "none",     "require", "calendar-day", "\"\"",
        "409",     "%s %d",    "a@b",     "1.5",          "99999999999999999999",
        "TLSv1.3", "HIGH",     "\"a b\"", "classic",      "0.1bps",
    };
    const struct directive *const tables[] = {directives_cband, directives_dos, directives_tls};
    const size_t counts[] = {directives_cband_count, directives_dos_count, directives_tls_count};
    size_t table = random_u64() % 3;
    const struct directive *row = &tables[table][random_u64() % counts[table]];
    fprintf(out, "%s%s", row->section ? "<" : "", row->name);
    size_t arguments = (size_t)row->minimum_arguments + (random_u64() % 8 == 0);
    for (size_t i = 0; i < arguments; i++) {
        fprintf(out, " %s", words[random_u64() % (sizeof words / sizeof *words)]);
    }
    fputs(row->section ? ">\n" : "\n", out);
    if (row->section && random_u64() % 4 != 0) {
        fprintf(out, "CBandClassDst 10/%u\nCBandUserLimit %u\n</%s>\n", (unsigned)(random_u64() % 40),
                (unsigned)(random_u64() % 100), row->name);
    }
}

/* Whatever the lines are, there is a configuration or there are messages. */
static void test_random_lines(void) {
    for (int i = 0; i < 3000; i++) {
        char *text = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);
        CU_ASSERT_PTR_NOT_NULL_FATAL(out);
        fputs("Listen 8080\n", out);
        for (uint64_t lines = random_u64() % 12; lines > 0; lines--) {
            bool host = random_u64() % 4 == 0;
            fputs(host ? "<VirtualHost *:8080>\n" : "", out);
            random_line(out);
            fputs(host ? "</VirtualHost>\n" : "", out);
        }
        fclose(out);
        char *messages = NULL;
        struct config *config = load(text, false, &messages);
        CU_ASSERT_TRUE_FATAL(config != NULL || strstr(messages, "error: ") != NULL);
        if (config != NULL) {
            for (size_t j = 0; j < config->host_count; j++) {
                CU_ASSERT_FATAL(config->hosts[j]->tls.protocols != 0);
                CU_ASSERT_FATAL(config->hosts[j]->burst.status >= 400);
                CU_ASSERT_FATAL(config->hosts[j]->limits.user_name == NULL || config->hosts[j]->limits.user != NULL);
            }
        }
        config_unref(&config);
        free(messages);
        free(text);
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("limits", NULL, NULL);
    CU_add_test(suite, "a quota a day", test_daily_quota);
    CU_add_test(suite, "speeds", test_speeds);
    CU_add_test(suite, "two hosts of one user", test_two_hosts_of_one_user);
    CU_add_test(suite, "two classes", test_two_classes);
    CU_add_test(suite, "mod_evasive's sample", test_evasive);
    CU_add_test(suite, "errors have a place", test_errors_have_a_place);
    CU_add_test(suite, "rows", test_rows);
    CU_add_test(suite, "random lines", test_random_lines);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
