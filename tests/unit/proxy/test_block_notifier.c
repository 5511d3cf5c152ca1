/* proxy/block_notifier.h on a real loop: what one block sets in motion, once, and what its end undoes. */
#include "proxy/block_notifier.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/clock.h"

static struct ev_loop *loop;
static char directory[] = "/tmp/weir-notifier-XXXXXX";
static char mail_command[128], system_command[128], log_dir[128];
static struct block_notifier *notifier;

static const char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static bool exists(const char *name) {
    struct stat status;
    return lstat(path_of(name), &status) == 0;
}

/* The file's text, which is forgotten with the next call. */
static const char *text_of(const char *name) {
    static char text[8192];
    FILE *file = fopen(path_of(name), "r");
    size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    text[length] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

static size_t count_of(const char *name, const char *needle) {
    size_t count = 0;
    for (const char *p = strstr(text_of(name), needle); p != NULL; p = strstr(p + 1, needle)) {
        count++;
    }
    return count;
}

static void on_tick(struct ev_loop *own_loop, ev_timer *timer, int events) {
    (void)own_loop;
    (void)timer;
    (void)events;
}

static void run_out(void) {
    int64_t end_ns = clock_monotonic_ns() + 30 * NS_PER_SECOND;
    ev_timer tick;
    ev_timer_init(&tick, on_tick, 0.01, 0.01);
    ev_timer_start(loop, &tick);
    struct block_notifier_counts counts = block_notifier_counts(notifier);
    while (counts.running + counts.queued > 0 && clock_monotonic_ns() < end_ns) {
        ev_run(loop, EVRUN_ONCE);
        counts = block_notifier_counts(notifier);
    }
    ev_timer_stop(loop, &tick);
    CU_ASSERT_EQUAL(counts.running + counts.queued, 0);
}

static struct block_event event_of(const char *client, const char *blocked) {
    struct block_event event = {
        .host = "shop.example.net",
        .reason = "page",
        .wall_us = clock_wall_us(),
        .period_s = 10,
        .email = "admin@example.org",
        .mail_command = mail_command,
        .system_command = system_command,
        .log_dir = log_dir,
    };
    CU_ASSERT_TRUE_FATAL(ip_address_parse(span_of(client), &event.client));
    CU_ASSERT_TRUE_FATAL(ip_prefix_parse(span_of(blocked), false, &event.blocked));
    return event;
}

static void a_block_is_told_once_and_undone(void) {
    struct block_event event = event_of("192.0.2.7", "192.0.2.7");
    block_notifier_began(notifier, &event);
    CU_ASSERT_TRUE(exists("dos-192.0.2.7"));
    block_notifier_renewed(notifier, &event.blocked, 10);
    run_out();
    CU_ASSERT_EQUAL(count_of("mail", "Subject: HTTP BLACKLIST 192.0.2.7\n"), 1);
    CU_ASSERT_EQUAL(count_of("mail", "Host: shop.example.net\n"), 1);
    CU_ASSERT_STRING_EQUAL(text_of("commands"), "block 192.0.2.7\n");
    block_notifier_ended(notifier, &event.blocked);
    CU_ASSERT_FALSE(exists("dos-192.0.2.7"));
    struct block_notifier_counts counts = block_notifier_counts(notifier);
    CU_ASSERT_EQUAL(counts.mails, 1);
    CU_ASSERT_EQUAL(counts.commands, 1);
    CU_ASSERT_EQUAL(counts.files, 1);
    CU_ASSERT_EQUAL(counts.failures + counts.dropped + counts.file_failures + counts.blocks_with_files, 0);
    CU_ASSERT_EQUAL(counts.firewall_changes + counts.firewall_failures + counts.firewall_skipped, 0);
}

static void an_ipv6_prefix(void) {
    struct block_event event = event_of("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64");
    block_notifier_began(notifier, &event);
    run_out();
    CU_ASSERT_TRUE(exists("dos-2001:db8:0:1::"));
    CU_ASSERT_EQUAL(count_of("commands", "block 2001:db8:0:1:2:3:4:5\n"), 1);
    block_notifier_ended(notifier, &event.blocked);
    CU_ASSERT_FALSE(exists("dos-2001:db8:0:1::"));
}

static void a_restored_block_is_not_told_again(void) {
    struct block_notifier_counts before = block_notifier_counts(notifier);
    struct block_event event = event_of("192.0.2.8", "192.0.2.8");
    block_notifier_restored(notifier, &event);
    CU_ASSERT_TRUE(exists("dos-192.0.2.8"));
    struct block_notifier_counts counts = block_notifier_counts(notifier);
    CU_ASSERT_EQUAL(counts.running + counts.queued, 0);
    CU_ASSERT_EQUAL(counts.mails, before.mails);
    block_notifier_ended(notifier, &event.blocked);
}

/* Whatever a host and a reason hold, neither the command nor a name nor a header of the mail has it. */
static void hostile_texts(void) {
    struct block_event event = event_of("192.0.2.9", "192.0.2.9");
    event.host = "x; touch hacked #\nBcc: victim@example.org";
    event.reason = "$(touch hacked) `touch hacked` ../../hacked";
    block_notifier_began(notifier, &event);
    run_out();
    CU_ASSERT_FALSE(exists("hacked"));
    CU_ASSERT_EQUAL(count_of("commands", "block 192.0.2.9\n"), 1);
    CU_ASSERT_EQUAL(count_of("commands", "touch"), 0);
    CU_ASSERT_EQUAL(count_of("mail", "\nBcc"), 0);
    block_notifier_ended(notifier, &event.blocked);
}

static void nothing_is_done_that_was_not_asked_for(void) {
    struct block_notifier_counts before = block_notifier_counts(notifier);
    struct block_event event = event_of("192.0.2.10", "192.0.2.10");
    event.email = event.mail_command = event.system_command = event.log_dir = NULL;
    block_notifier_began(notifier, &event);
    block_notifier_ended(notifier, &event.blocked);
    struct block_event unknown = {.period_s = 10, .email = "a@b", .system_command = system_command, .log_dir = log_dir};
    block_notifier_began(notifier, &unknown);
    struct block_notifier_counts counts = block_notifier_counts(notifier);
    CU_ASSERT_EQUAL(memcmp(&before, &counts, sizeof counts), 0);
}

static void failures_are_counted(void) {
    struct block_notifier_counts before = block_notifier_counts(notifier);
    struct block_event event = event_of("192.0.2.11", "192.0.2.11");
    event.mail_command = "cat >/dev/null; exit 75";
    event.system_command = "/nonexistent %s";
    event.log_dir = "/nonexistent";
    block_notifier_began(notifier, &event);
    run_out();
    struct block_notifier_counts counts = block_notifier_counts(notifier);
    CU_ASSERT_EQUAL(counts.failures, before.failures + 2);
    CU_ASSERT_EQUAL(counts.file_failures, before.file_failures + 1);
}

/* A flood of blocks with commands that take 5 s: each call returns at once, the queue has its bound. */
static void a_flood_is_bounded(void) {
    struct block_event event = event_of("192.0.2.12", "192.0.2.12");
    event.email = event.log_dir = NULL;
    event.system_command = "sleep 5";
    int64_t begin_ns = clock_monotonic_ns();
    for (unsigned i = 0; i < 5000; i++) {
        block_notifier_began(notifier, &event);
    }
    CU_ASSERT(clock_monotonic_ns() - begin_ns < 3 * NS_PER_SECOND);
    struct block_notifier_counts counts = block_notifier_counts(notifier);
    CU_ASSERT_EQUAL(counts.running, BLOCK_CHILDREN_MAX);
    CU_ASSERT_EQUAL(counts.queued, BLOCK_QUEUE_MAX);
    CU_ASSERT_EQUAL(counts.dropped, 5000 - BLOCK_CHILDREN_MAX - BLOCK_QUEUE_MAX);
}

int main(void) {
    loop = ev_default_loop(EVFLAG_AUTO);
    if (loop == NULL || mkdtemp(directory) == NULL || CU_initialize_registry() != CUE_SUCCESS) {
        return 1;
    }
    snprintf(log_dir, sizeof log_dir, "%s", directory);
    snprintf(mail_command, sizeof mail_command, "cat >>%s/mail", directory);
    snprintf(system_command, sizeof system_command, "echo block %%s >>%s/commands", directory);
    notifier = block_notifier_new(loop);
    CU_pSuite suite = CU_add_suite("block_notifier", NULL, NULL);
    CU_ADD_TEST(suite, a_block_is_told_once_and_undone);
    CU_ADD_TEST(suite, an_ipv6_prefix);
    CU_ADD_TEST(suite, a_restored_block_is_not_told_again);
    CU_ADD_TEST(suite, hostile_texts);
    CU_ADD_TEST(suite, nothing_is_done_that_was_not_asked_for);
    CU_ADD_TEST(suite, failures_are_counted);
    CU_ADD_TEST(suite, a_flood_is_bounded);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    block_notifier_free(&notifier);
    ev_loop_destroy(loop);
    unlink(path_of("mail"));
    unlink(path_of("commands"));
    return rmdir(directory) != 0 || failures != 0;
}
