/* proxy/block_text.h: exact texts, and that nothing but addresses gets into commands, names and headers. */
#include "proxy/block_text.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

static struct ip_address address(const char *text) {
    struct ip_address parsed = {0};
    CU_ASSERT_TRUE_FATAL(ip_address_parse(span_of(text), &parsed));
    return parsed;
}

static struct ip_prefix prefix(const char *text) {
    struct ip_prefix parsed = {0};
    CU_ASSERT_TRUE_FATAL(ip_prefix_parse(span_of(text), false, &parsed));
    return parsed;
}

static void a_command_gets_the_address(void) {
    static const struct {
        const char *command, *client, *expected;
    } rows[] = {
        {"/sbin/block %s", "192.0.2.7", "/sbin/block 192.0.2.7"},
        {"%s%s", "192.0.2.7", "192.0.2.7192.0.2.7"},
        {"echo 100%% %s", "2001:db8::1", "echo 100% 2001:db8::1"},
        {"echo %%s", "192.0.2.7", "echo %s"},
        {"echo %%%s%%", "192.0.2.7", "echo %192.0.2.7%"},
        {"echo", "192.0.2.7", "echo"},
        {"", "192.0.2.7", ""},
        {"%d %", "192.0.2.7", "%d %"}, /* refused by the configuration; nothing happens here */
        {"x%s", "::ffff:192.0.2.7", "x192.0.2.7"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ip_address client = address(rows[i].client);
        char *text = block_text_command(rows[i].command, &client);
        CU_ASSERT_STRING_EQUAL(text, rows[i].expected);
        free(text);
    }
}

/* Whatever bytes are in an address struct, the shell sees hexadecimal digits, dots and colons. */
static void only_numbers_reach_the_shell(void) {
    struct ip_address client = {.family = IP_V6};
    for (unsigned byte = 0; byte < 256; byte++) {
        memset(client.bytes, (int)byte, sizeof client.bytes);
        memcpy(client.bytes, ";`$(", 4);
        char *text = block_text_command("%s", &client);
        CU_ASSERT_EQUAL(strspn(text, "0123456789abcdef:."), strlen(text));
        free(text);
    }
}

static void names_of_files(void) {
    static const struct {
        const char *blocked, *name;
    } rows[] = {
        {"192.0.2.7", "dos-192.0.2.7"},
        {"192.0.2.0/24", "dos-192.0.2.0"},
        {"2001:db8:0:1::/64", "dos-2001:db8:0:1::"},
        {"2001:db8::7/128", "dos-2001:db8::7"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "dos-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ip_prefix blocked = prefix(rows[i].blocked);
        char name[BLOCK_NAME_MAX];
        block_text_file_name(&blocked, name);
        CU_ASSERT_STRING_EQUAL(name, rows[i].name);
        CU_ASSERT_TRUE(block_text_is_file_name(name));
    }
    static const char *const others[] = {"",
                                         "dos-",
                                         "dos-x",
                                         "dos-192.0.2.7.bak",
                                         "192.0.2.7",
                                         "dos-../..",
                                         "dos-192.0.2",
                                         "dos-192.0.2.07",
                                         "dos-2001:DB8::",
                                         "dos-::1/64",
                                         "DOS-::1",
                                         "dos-0:0:0:0:0:0:0:1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        CU_ASSERT_FALSE(block_text_is_file_name(others[i]));
    }
}

static struct block_event event_of(const char *client, const char *blocked) {
    return (struct block_event){
        .client = address(client),
        .blocked = prefix(blocked),
        .host = "shop.example.net",
        .reason = "page",
        .wall_us = INT64_C(1795253472000000),
        .period_s = 10,
        .email = "admin@example.org",
    };
}

static void the_mail(void) {
    struct block_event event = event_of("192.0.2.7", "192.0.2.7");
    char *mail = block_text_mail(&event);
    CU_ASSERT_STRING_EQUAL(mail,
                           "To: admin@example.org\n"
                           "Subject: HTTP BLACKLIST 192.0.2.7\n"
                           "\n"
                           "mod_evasive HTTP Blacklisted 192.0.2.7\n"
                           "\n"
                           "Host: shop.example.net\n"
                           "Reason: page\n"
                           "Blocked: 192.0.2.7, since 2026-11-21T09:31:12.000Z, for 10 s after its last request\n");
    free(mail);
    event = event_of("2001:db8::5", "2001:db8::/64");
    event.host = event.reason = NULL;
    mail = block_text_mail(&event);
    CU_ASSERT_PTR_NOT_NULL(strstr(mail, "\nSubject: HTTP BLACKLIST 2001:db8::5\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(mail, "\nBlocked: 2001:db8::/64, since"));
    CU_ASSERT_PTR_NULL(strstr(mail, "Host:"));
    free(mail);
}

/* A host or a reason stays one printable line of the body; an address with more in it than an address gets no mail. */
static void no_header_can_be_slipped_in(void) {
    struct block_event event = event_of("192.0.2.7", "192.0.2.7");
    event.host = "a\r\n.\r\nBcc: x@y\xff\x01";
    char reason[2000];
    memset(reason, '\n', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    event.reason = reason;
    char *mail = block_text_mail(&event);
    CU_ASSERT_PTR_NOT_NULL(strstr(mail, "\nHost: a??.??Bcc: x@y??\n"));
    CU_ASSERT_PTR_NULL(strstr(mail, "\nBcc"));
    CU_ASSERT_PTR_NULL(strstr(mail, "\n.\n"));
    CU_ASSERT(strlen(mail) < 600);
    for (const char *p = mail; *p != '\0'; p++) {
        CU_ASSERT(*p == '\n' || (*p >= ' ' && *p <= '~'));
    }
    free(mail);
    static const char *const bad[] = {"",     "a@b\nBcc: x@y", "a@b\r", "a b",  "a@b,c@d",
                                      "a@b;", "<a@b>",         "a\"@b", "a\x7f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        event.email = bad[i];
        CU_ASSERT_PTR_NULL(block_text_mail(&event));
    }
}

int main(void) {
    if (CU_initialize_registry() != CUE_SUCCESS) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("block_text", NULL, NULL);
    CU_ADD_TEST(suite, a_command_gets_the_address);
    CU_ADD_TEST(suite, only_numbers_reach_the_shell);
    CU_ADD_TEST(suite, names_of_files);
    CU_ADD_TEST(suite, the_mail);
    CU_ADD_TEST(suite, no_header_can_be_slipped_in);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
