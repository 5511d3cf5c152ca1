/* proxy/command_runner.h: real children on a real loop. Waits for conditions, each with a deadline. */
#include "proxy/command_runner.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/clock.h"

#define PATIENCE_NS (30 * NS_PER_SECOND)

static struct ev_loop *loop;
static char directory[] = "/tmp/weir-runner-XXXXXX";
static uint64_t succeeded;

static char *copy(const char *text) {
    return text != NULL ? strdup(text) : NULL;
}

static void add(struct command_runner *runner, const char *command, const char *input) {
    struct command_order order = {
        .what = "DOSSystemCommand",
        .subject = copy("192.0.2.7"),
        .command = copy(command),
        .input = copy(input),
        .variables = {copy("WEIR_ADDRESS=192.0.2.7")},
        .succeeded = &succeeded,
    };
    command_runner_add(runner, &order);
}

static struct command_runner *make(unsigned running_max, unsigned queue_max, double seconds) {
    struct command_runner_limits limits = {running_max, queue_max, seconds, .kill_seconds = 0.2};
    succeeded = 0;
    return command_runner_new(loop, &limits);
}

static void on_tick(struct ev_loop *own_loop, ev_timer *timer, int events) {
    (void)own_loop;
    (void)timer;
    (void)events;
}

/* Turns the loop until nothing runs and nothing waits. */
static bool run_out(struct command_runner *runner) {
    int64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;
    ev_timer tick;
    ev_timer_init(&tick, on_tick, 0.01, 0.01);
    ev_timer_start(loop, &tick);
    struct command_runner_counts counts = command_runner_counts(runner);
    while ((counts.running > 0 || counts.queued > 0) && clock_monotonic_ns() < end_ns) {
        ev_run(loop, EVRUN_ONCE);
        counts = command_runner_counts(runner);
    }
    ev_timer_stop(loop, &tick);
    return counts.running == 0 && counts.queued == 0;
}

/* The command, run in the test's directory. */
static char *in_directory(const char *command) {
    static char text[4096];
    snprintf(text, sizeof text, "cd %s; %s", directory, command);
    return text;
}

static void read_file(const char *name, char *text, size_t size) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "r");
    size_t length = file != NULL ? fread(text, 1, size - 1, file) : 0;
    text[length] = '\0';
    if (file != NULL) {
        fclose(file);
    }
}

static void input_environment_and_status(void) {
    struct command_runner *runner = make(2, 10, 20.);
    add(runner, in_directory("exec >out; cat; env | sort; echo $OLDPWD"), "a mail\nof two lines\n");
    add(runner, "exit 3", NULL);
    add(runner, "kill -9 $$", NULL);
    add(runner, in_directory("wc -c >empty"), NULL);
    CU_ASSERT_TRUE(run_out(runner));
    CU_ASSERT_EQUAL(succeeded, 2);
    CU_ASSERT_EQUAL(command_runner_counts(runner).failures, 2);
    char text[4096];
    read_file("out", text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "a mail\nof two lines\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nWEIR_ADDRESS=192.0.2.7\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nPATH="));
    CU_ASSERT_PTR_NULL(strstr(text, "SECRET"));
    CU_ASSERT_STRING_EQUAL(strrchr(text, '=') != NULL ? text + strlen(text) - 3 : "", "\n/\n");
    read_file("empty", text, sizeof text);
    CU_ASSERT_EQUAL(strtol(text, NULL, 10), 0);
    command_runner_free(&runner);
}

/* Descriptors without O_CLOEXEC, ignored and blocked signals: none of it reaches a child; it leads its own group. */
static void nothing_of_ours_is_inherited(void) {
    int open_fd = open("/dev/null", O_RDONLY);
    CU_ASSERT(open_fd >= 0);
    signal(SIGPIPE, SIG_IGN);
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    struct command_runner *runner = make(1, 10, 20.);
    add(runner,
        in_directory("exec >out; readlink /proc/self/fd/* | grep -cv -e null -e out -e proc -e pipe; "
                     "grep -e ^SigBlk -e ^SigIgn /proc/self/status; ps -o pgid= -p $$; echo $$"),
        NULL);
    CU_ASSERT_TRUE(run_out(runner));
    char text[4096];
    read_file("out", text, sizeof text);
    long others = -1, blocked = -1, ignored = -1, group = -1, own = -2;
    CU_ASSERT_EQUAL(sscanf(text, "%ld SigBlk: %lx SigIgn: %lx %ld %ld", &others, (unsigned long *)&blocked,
                           (unsigned long *)&ignored, &group, &own),
                    5);
    CU_ASSERT_EQUAL(blocked, 0);
    CU_ASSERT_EQUAL(ignored & 0x7fffffff, 0); /* the C library keeps two real-time signals to itself */
    CU_ASSERT_EQUAL(group, own);
    snprintf(text, sizeof text, "! test -e /proc/self/fd/%d", open_fd);
    add(runner, text, NULL);
    CU_ASSERT_TRUE(run_out(runner));
    CU_ASSERT_EQUAL(command_runner_counts(runner).failures, 0);
    sigprocmask(SIG_UNBLOCK, &usr1, NULL);
    close(open_fd);
    command_runner_free(&runner);
}

static void so_many_at_a_time_and_no_more_in_the_queue(void) {
    struct command_runner *runner = make(3, 20, 20.);
    for (unsigned i = 0; i < 40; i++) {
        add(runner, in_directory("echo >running-$$; set -- running-*; echo $# >>most; sleep 0.05; rm running-$$"),
            NULL);
    }
    struct command_runner_counts counts = command_runner_counts(runner);
    CU_ASSERT_EQUAL(counts.running, 3);
    CU_ASSERT_EQUAL(counts.queued, 20);
    CU_ASSERT_EQUAL(counts.dropped, 17);
    CU_ASSERT_TRUE(run_out(runner));
    CU_ASSERT_EQUAL(succeeded, 23);
    char text[4096];
    read_file("most", text, sizeof text);
    size_t lines = 0;
    for (const char *p = text; *p != '\0'; p = strchr(p, '\n') + 1) {
        CU_ASSERT(strtol(p, NULL, 10) <= 3);
        lines++;
    }
    CU_ASSERT_EQUAL(lines, 23);
    command_runner_free(&runner);
}

static void adding_never_waits(void) {
    struct command_runner *runner = make(10, 1000, 20.);
    int64_t begin_ns = clock_monotonic_ns();
    for (unsigned i = 0; i < 200; i++) {
        add(runner, "sleep 5", NULL);
    }
    CU_ASSERT(clock_monotonic_ns() - begin_ns < 4 * NS_PER_SECOND);
    CU_ASSERT_EQUAL(command_runner_counts(runner).running, 10);
    CU_ASSERT_EQUAL(command_runner_counts(runner).queued, 190);
    command_runner_free(&runner); /* with children running and orders waiting */
}

/* One that minds TERM, one that does not, and one whose own child does not: all are gone, the group with them. */
static void what_takes_too_long_is_ended(void) {
    struct command_runner *runner = make(4, 10, 0.3);
    add(runner, in_directory("sleep 60 & echo $! >grandchild; wait"), NULL);
    add(runner, "trap '' TERM; while :; do sleep 0.05; done", NULL);
    add(runner, "sleep 60", NULL);
    add(runner, "exit 0", NULL);
    int64_t begin_ns = clock_monotonic_ns();
    CU_ASSERT_TRUE(run_out(runner));
    CU_ASSERT(clock_monotonic_ns() - begin_ns >= 300 * NS_PER_MS);
    CU_ASSERT_EQUAL(command_runner_counts(runner).failures, 3);
    CU_ASSERT_EQUAL(succeeded, 1);
    char text[64], path[64];
    read_file("grandchild", text, sizeof text);
    snprintf(path, sizeof path, "/proc/%ld/stat", strtol(text, NULL, 10));
    FILE *stat = fopen(path, "r"); /* nobody may have reaped it; then it is a zombie */
    char state = 'Z';
    CU_ASSERT(stat == NULL || (fscanf(stat, "%*d %*s %c", &state) == 1 && (state == 'Z' || state == 'X')));
    if (stat != NULL) {
        fclose(stat);
    }
    command_runner_free(&runner);
}

static bool other_ended;

static void on_other_ended(struct ev_loop *own_loop, ev_child *watcher, int events) {
    (void)events;
    other_ended = WIFEXITED(watcher->rstatus) && WEXITSTATUS(watcher->rstatus) == 7;
    ev_child_stop(own_loop, watcher);
}

/* Another part's child (the successor of USR2) is watched in the same loop, and its status is its own. */
static void children_of_others_are_left_to_them(void) {
    struct command_runner *runner = make(2, 10, 20.);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(7);
    }
    ev_child other;
    ev_child_init(&other, on_other_ended, pid, 0);
    ev_child_start(loop, &other);
    for (unsigned i = 0; i < 8; i++) {
        add(runner, "sleep 0.02", NULL);
    }
    CU_ASSERT_TRUE(run_out(runner));
    CU_ASSERT_EQUAL(succeeded, 8);
    CU_ASSERT_TRUE(other_ended);
    command_runner_free(&runner);
}

static void statuses_in_words(void) {
    char text[96];
    command_runner_describe(W_EXITCODE(1, 0), text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "ended with status 1");
    command_runner_describe(W_EXITCODE(127, 0), text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "ended with status 127 (the shell found no such program)");
    command_runner_describe(W_EXITCODE(0, 9), text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "ended by signal 9");
}

int main(void) {
    loop = ev_default_loop(EVFLAG_AUTO);
    setenv("SECRET", "1", 1);
    if (loop == NULL || mkdtemp(directory) == NULL || CU_initialize_registry() != CUE_SUCCESS) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("command_runner", NULL, NULL);
    CU_ADD_TEST(suite, statuses_in_words);
    CU_ADD_TEST(suite, input_environment_and_status);
    CU_ADD_TEST(suite, nothing_of_ours_is_inherited);
    CU_ADD_TEST(suite, so_many_at_a_time_and_no_more_in_the_queue);
    CU_ADD_TEST(suite, adding_never_waits);
    CU_ADD_TEST(suite, what_takes_too_long_is_ended);
    CU_ADD_TEST(suite, children_of_others_are_left_to_them);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    ev_loop_destroy(loop);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command) != 0 || failures != 0;
}
