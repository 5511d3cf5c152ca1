/* config/parser.h: names, contexts, sections, conditions, variables, includes. */
#include "config/parser.h"

#include <sys/stat.h>
#include <unistd.h>

#include "given.h"

static void test_names_in_any_case(void) {
    struct given given = give_clean("LISTEN 80\n<virtualhost *:80>\nservername a\n</VIRTUALHOST>\nkeepalive off\n");
    CU_ASSERT_EQUAL(given.config->host_count, 2);
    CU_ASSERT_STRING_EQUAL(given.config->hosts[1]->name, "a");
    CU_ASSERT_FALSE(given.config->hosts[1]->effective.keepalive);
    give_back(&given);
}

static void test_unknown_names(void) {
    check_line("KeepAlif On", "3:1: error: KeepAlif: unknown directive\n    KeepAlif On\n    ^~~~~~~~\n"
                              "did you mean \"KeepAlive\"?\n");
    check_line("CBandSped 1 1 1", "did you mean \"CBandSpeed\"?");
    check_line("Qwertyuiop 1", "3:1: error: Qwertyuiop: unknown directive");
    check_line("<Loction />\nQwertyuiop\n</Loction>", "3:2: error: Loction: unknown section");
    check_line("<Loction />\n</Loction>", "did you mean \"Location\"?");
    check_line("VirtualHost *:80", "VirtualHost is a section: write <VirtualHost ...> and </VirtualHost>");
    check_line("<KeepAlive On>\n</KeepAlive>", "KeepAlive is no section: write it without < and >");
    check_line("\"KeepAlive\" On", "error: \"KeepAlive\": unknown directive");
}

static void test_contexts(void) {
    check_line("Listen 81", "3:1: error: Listen: may not stand in <VirtualHost>\n    Listen 81\n    ^~~~~~\n"
                            "it may stand in: server\n");
    check_line("<VirtualHost *:80>\nServerName a\n</VirtualHost>", "VirtualHost: may not stand in <VirtualHost>");
    check_line("<Location />\nServerName a\n</Location>", "ServerName: may not stand in <Location>");
    check_line("BalancerMember http://a/", "\"http://a/\" is no balancer");
}

static void test_numbers_of_arguments(void) {
    check_line("KeepAlive", "3:1: error: KeepAlive: its argument is missing\n    KeepAlive\n    ^~~~~~~~~\n"
                            "write KeepAlive On|Off\n");
    check_line("KeepAlive On Off", "3:14: error: KeepAlive: too many arguments");
    check_line("<RequireAll x>\nRequire local\n</RequireAll>", "RequireAll: takes no argument");
    check_line("KeepAlive \"On", "the quote is not closed on this line");
}

static void test_sections(void) {
    check_line("<Location /a>", "3:2: error: Location: the section is not closed\n    <Location /a>\n     ^~~~~~~~\n"
                                "write </Location> at its end\n");
    check_line("</Location>", "error: Location: closes a section that is not open");
    check_line("</Location>", "the section that is open is <VirtualHost> of line 2");
    check_line("<Location /a>\n</Locaton>", "did you mean \"</Location>\"?");
    check_line("<Location /a", "error: Location: the line does not end with \">\"");
    check_line("<Location /a>x\n</Location>", "warning: Location: what follows \">\" is not read");
    check_line("<Location>\n</Location>", "write <Location path|~ pattern>");
    struct given given = give("<VirtualHost *:80>\n<Location /a>\n<RequireAll>\n</VirtualHost>\nListen 80\n");
    check_says(&given, "3:2: error: RequireAll: the section is not closed");
    check_says(&given, "2:2: error: Location: the section is not closed");
    CU_ASSERT_PTR_NULL(strstr(given.messages, "VirtualHost:"));
    give_back(&given);
}

static void test_deep_nesting(void) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    fputs("Listen 80\n", out);
    for (int i = 0; i < 1000; i++) {
        fputs("<IfModule mod_proxy.c>\n", out);
    }
    for (int i = 0; i < 1000; i++) {
        fputs("</IfModule>\n", out);
    }
    fputs("KeepAlive maybe\n", out);
    fclose(out);
    struct given given = give(text);
    check_says(&given, "sections are nested too deeply");
    check_says(&given, "2002:11: error: KeepAlive");
    CU_ASSERT_PTR_NULL(strstr(given.messages, "not open"));
    give_back(&given);
    free(text);
}

static void test_all_errors_in_one_run(void) {
    struct given given = give("Listen x\nKeepAlive maybe\nFoo\nTimeOut soon\n");
    check_says(&given, ":1:8: error: Listen: ");
    check_says(&given, ":2:11: error: KeepAlive: \"maybe\" is neither On nor Off");
    check_says(&given, ":3:1: error: Foo: unknown directive");
    check_says(&given, ":4:9: error: TimeOut: \"soon\" is not a time");
    give_back(&given);
}

static void test_lines_that_cannot_be(void) {
    static const struct config_options options = {.path = "a.conf"};
    struct given given = {NULL, NULL};
    size_t length = 0;
    FILE *messages = open_memstream(&given.messages, &length);
    given.config = config_load_text(&options,
                                    (struct span){"Listen 8\0"
                                                  "0\n",
                                                  11},
                                    messages);
    fclose(messages);
    CU_ASSERT_PTR_NULL(given.config);
    check_says(&given, "a.conf:1: error: the line holds a zero byte");
    give_back(&given);
}

/* A port that says which branch was read. */
static void check_condition(const char *section, const char *name, bool holds) {
    char text[512];
    snprintf(text, sizeof text, "Listen 80\nDefine HERE\n<%s>\nListen 81\n<%s>\nListen 82\n</%s>\n</%s>\n", section,
             section, name, name);
    struct given given = give_clean(text);
    CU_ASSERT_EQUAL(given.config->listener_count, holds ? 3 : 1);
    give_back(&given);
}

static void test_conditions(void) {
    check_condition("IfModule mod_cband.c", "IfModule", true);
    check_condition("IfModule cband_module", "IfModule", true);
    check_condition("IfModule mod_evasive20.c", "IfModule", true);
    check_condition("IfModule evasive20_module", "IfModule", true);
    check_condition("IfModule !mod_proxy.c", "IfModule", false);
    check_condition("IfModule mod_php5.c", "IfModule", false);
    check_condition("IfModule !mod_php5.c", "IfModule", true);
    check_condition("IfDefine HERE", "IfDefine", true);
    check_condition("IfDefine !HERE", "IfDefine", false);
    check_condition("IfDefine THERE", "IfDefine", false);
    check_condition("IfVersion >= 2.4", "IfVersion", true);
    check_condition("IfVersion < 2.4", "IfVersion", false);
    check_condition("IfVersion 2.4", "IfVersion", true);
    check_condition("IfVersion !> 2.2", "IfVersion", false);
    check_condition("IfDirective CBandSpeed", "IfDirective", true);
    check_condition("IfDirective DocumentRoot", "IfDirective", false);
    check_condition("IfSection Location", "IfSection", true);
    check_condition("IfSection Macro", "IfSection", false);
    check_condition("IfFile /etc/passwd", "IfFile", true);
    check_condition("IfFile !/etc/passwd", "IfFile", false);
    struct given given = give("<IfDefine NO>\nFoo\n<Bar x>\n</Bar>\n<Baz\n</Baz>\n</IfDefine>\nListen 80\n");
    CU_ASSERT_STRING_EQUAL(given.messages, "");
    give_back(&given);
}

static void test_variables(void) {
    static const char *const defines[] = {"PORT=8088", "FLAG"};
    struct config_options options = {.path = "a.conf", .defines = defines, .define_count = 2};
    struct given given =
        give_with(&options, "Define H www\nListen ${PORT}\n<IfDefine FLAG>\nServerName ${H}.${WEIR_T}\n"
                            "</IfDefine>\nUnDefine H\nRequestHeader set A \"${H} ${\"\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(given.config);
    CU_ASSERT_EQUAL(given.config->listeners[0].port, 8088);
    CU_ASSERT_STRING_EQUAL(given.config->hosts[0]->name, "www.example");
    CU_ASSERT_STRING_EQUAL(given.config->hosts[0]->scope.request_headers[0].value, "${H} ${");
    check_says(&given, "a.conf:7:21: warning: ${...}: \"H\" is not defined: left as it stands");
    give_back(&given);
}

static void test_variables_that_grow(void) {
    char text[4096] = "Listen 80\nDefine A0 0123456789abcdef0123456789abcdef\n";
    for (int i = 1; i < 40; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "Define A%d ${A%d}${A%d}\n", i, i - 1, i - 1);
    }
    struct given given = give(text);
    check_says(&given, "becomes too long when its variables are replaced");
    give_back(&given);
}

static void write_file(const char *folder, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static struct given load_file(const char *folder, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct config_options options = {.path = path};
    struct given given = {NULL, NULL};
    size_t length = 0;
    FILE *messages = open_memstream(&given.messages, &length);
    given.config = config_load(&options, messages);
    fclose(messages);
    return given;
}

static void test_includes(void) {
    char folder[] = "/tmp/weir-test-parser-XXXXXX";
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    char sites[512];
    snprintf(sites, sizeof sites, "%s/sites", folder);
    CU_ASSERT_EQUAL_FATAL(mkdir(sites, 0700), 0);
    write_file(folder, "main.conf",
               "Include ports.conf\nIncludeOptional none/*.conf\nIncludeOptional none.conf\n"
               "Include sites/*.conf\n<VirtualHost *:80>\nInclude sites/names.inc\n</VirtualHost>\n");
    write_file(folder, "ports.conf", "Listen 80");
    write_file(sites, "b.conf", "<VirtualHost *:80>\nServerName b\n</VirtualHost>\n");
    write_file(sites, "a.conf", "<VirtualHost *:80>\nServerName a\nInclude names.inc\n</VirtualHost>\n");
    write_file(sites, "names.inc", "ServerAlias alias\n");
    struct given given = load_file(folder, "main.conf");
    CU_ASSERT_STRING_EQUAL(given.messages, "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(given.config);
    CU_ASSERT_EQUAL_FATAL(given.config->host_count, 4);
    CU_ASSERT_STRING_EQUAL(given.config->hosts[1]->name, "a");
    CU_ASSERT_STRING_EQUAL(given.config->hosts[2]->name, "b");
    CU_ASSERT_EQUAL(given.config->hosts[1]->alias_count, 1);
    CU_ASSERT_EQUAL(given.config->hosts[3]->alias_count, 1);
    give_back(&given);

    write_file(folder, "folder.conf", "Listen 80\nInclude sites\n");
    given = load_file(folder, "folder.conf");
    check_says(&given, "sites/names.inc:1:1: error: ServerAlias: may not stand outside all sections");
    give_back(&given);

    write_file(folder, "wrong.conf",
               "Include nothing.conf\nInclude no*thing\nInclude wrong.conf\nInclude open.inc\n"
               "Include close.inc\nListen 80\nInclude sites/err.inc\n");
    write_file(folder, "open.inc", "<VirtualHost *:80>\n");
    write_file(folder, "close.inc", "</VirtualHost>\n");
    write_file(sites, "err.inc", "\n  KeepAlive maybe\n");
    given = load_file(folder, "wrong.conf");
    CU_ASSERT_PTR_NULL(given.config);
    check_says(&given, "wrong.conf:1:9: error: Include: ");
    check_says(&given, "cannot be read: No such file or directory");
    check_says(&given, "wrong.conf:2:9: error: Include: no file matches");
    check_says(&given, "wrong.conf:3:9: error: Include: ");
    check_says(&given, "includes itself");
    check_says(&given, "open.inc:1:2: error: VirtualHost: the section is not closed");
    check_says(&given, "close.inc:1:3: error: VirtualHost: closes a section that is not open");
    check_says(&given, "sites/err.inc:2:13: error: KeepAlive: ");
    give_back(&given);

    char command[600];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    CU_ASSERT_EQUAL(system(command), 0);
}

static void test_files_that_cannot_be_read(void) {
    struct given given = load_file("/nonexistent", "proxy.conf");
    CU_ASSERT_PTR_NULL(given.config);
    CU_ASSERT_STRING_EQUAL(given.messages,
                           "/nonexistent/proxy.conf: error: cannot be read: No such file or directory\n");
    give_back(&given);
    given = load_file("/", "etc");
    check_says(&given, "/etc: error: cannot be read: Is a directory");
    give_back(&given);
    static const struct config_options options = {.path = "a.conf", .forbid_includes = true};
    given = give_with(&options, "Listen 80\nInclude /etc/passwd\n");
    check_says(&given, "2:9: error: Include: files may not be included here");
    give_back(&given);
}

int main(void) {
    setenv("WEIR_T", "example", 1);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("parser", NULL, NULL);
    CU_add_test(suite, "names in any case", test_names_in_any_case);
    CU_add_test(suite, "unknown names", test_unknown_names);
    CU_add_test(suite, "contexts", test_contexts);
    CU_add_test(suite, "numbers of arguments", test_numbers_of_arguments);
    CU_add_test(suite, "sections", test_sections);
    CU_add_test(suite, "deep nesting", test_deep_nesting);
    CU_add_test(suite, "all errors in one run", test_all_errors_in_one_run);
    CU_add_test(suite, "lines that cannot be", test_lines_that_cannot_be);
    CU_add_test(suite, "conditions", test_conditions);
    CU_add_test(suite, "variables", test_variables);
    CU_add_test(suite, "variables that grow", test_variables_that_grow);
    CU_add_test(suite, "includes", test_includes);
    CU_add_test(suite, "files that cannot be read", test_files_that_cannot_be_read);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
