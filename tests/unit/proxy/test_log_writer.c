/* proxy/log_writer.c and log_file.c, with real files: threads, reopening, FIFOs that nobody reads, and bounds. */
#include "proxy/log_writer.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "config/arena.h"
#include "proxy/clock.h"
#include "proxy/log.h"

enum { THREADS = 4, LINES = 5000 };

static char folder[64];

static const char *in_folder(const char *name) {
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static char *read_file(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;
    if (file == NULL || getdelim(&text, &room, '\0', file) < 0) {
        free(text);
        text = must_calloc(1, 1);
    }
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

static size_t count_lines(const char *path) {
    char *text = read_file(path);
    size_t count = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    free(text);
    return count;
}

/* Waits until the file has so many lines, for at most 10 s. */
static bool await_lines(const char *path, size_t lines) {
    int64_t give_up_ns = clock_monotonic_ns() + 10 * NS_PER_SECOND;
    while (count_lines(path) < lines) {
        if (clock_monotonic_ns() > give_up_ns) {
            return false;
        }
        usleep(2000);
    }
    return true;
}

static struct log_writer *writer_new(const char *error_log) {
    struct server_settings server = {.log_target = LOG_TO_FILE, .log_path = error_log, .log_level = LOG_LEVEL_NOTICE};
    struct log_writer *writer = log_writer_new(&server);
    CU_ASSERT_PTR_NOT_NULL_FATAL(writer);
    return writer;
}

static struct log_file *file_open(struct log_writer *writer, const char *path) {
    const char *error = NULL;
    struct log_file *file = log_file_open(writer, path, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

struct producer {
    pthread_t thread;
    struct log_writer *writer;
    struct log_file *file;
    unsigned index;
    size_t lost;
};

static void *produce(void *context) {
    struct producer *producer = context;
    for (int i = 0; i < LINES; i++) {
        char line[64];
        int length = snprintf(line, sizeof line, "thread %u line %d\n", producer->index, i);
        producer->lost += log_file_append(producer->writer, producer->file, line, (size_t)length) ? 0 : 1;
    }
    log_notice("thread %u is done", producer->index);
    return NULL;
}

static void run_producers(struct log_writer *writer, struct log_file *file, bool reopen) {
    struct producer producers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        producers[i] = (struct producer){.writer = writer, .file = file, .index = i};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; reopen && i < 20; i++) {
        char rotated[32];
        snprintf(rotated, sizeof rotated, "access.%d", i);
        if (rename(in_folder("access"), in_folder(rotated)) == 0) {
            log_writer_reopen(writer);
        }
        usleep(2000);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(producers[i].thread, NULL);
        CU_ASSERT_EQUAL(producers[i].lost, 0);
    }
}

static void check_order(const char *path) {
    int next[THREADS] = {0};
    char *text = read_file(path);
    unsigned thread;
    int line, used;
    bool right = true;
    for (const char *at = text; sscanf(at, "thread %u line %d\n%n", &thread, &line, &used) == 2; at += used) {
        right = right && thread < THREADS && next[thread] == line;
        next[thread % THREADS]++;
    }
    CU_ASSERT_TRUE(right);
    for (size_t i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL(next[i], LINES);
    }
    free(text);
}

static void test_threads(void) {
    struct log_writer *writer = writer_new(in_folder("error"));
    struct log_file *file = file_open(writer, in_folder("threads"));
    struct log_file *same = file_open(writer, in_folder("threads"));
    CU_ASSERT_PTR_EQUAL(file, same);
    log_writer_start(writer);
    run_producers(writer, file, false);
    log_file_unref(writer, &same);
    log_file_unref(writer, &file);
    CU_ASSERT_PTR_NULL(file);
    CU_ASSERT_TRUE(await_lines(in_folder("threads"), (size_t)THREADS * LINES));
    CU_ASSERT_EQUAL(log_writer_counts(writer).lines, (uint64_t)THREADS * LINES + THREADS);
    CU_ASSERT_EQUAL(log_writer_counts(writer).lines_lost, 0);
    file = file_open(writer, in_folder("threads"));
    log_file_append(writer, file, "again\n", 6);
    log_writer_free(&writer);
    CU_ASSERT_PTR_NULL(writer);
    CU_ASSERT_EQUAL(count_lines(in_folder("threads")), (size_t)THREADS * LINES + 1);
    check_order(in_folder("threads"));
    CU_ASSERT_EQUAL(count_lines(in_folder("error")), THREADS);
    struct stat status;
    CU_ASSERT_EQUAL(stat(in_folder("threads"), &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0640);
}

static void test_reopen(void) {
    struct log_writer *writer = writer_new(in_folder("error-reopen"));
    struct log_file *file = file_open(writer, in_folder("access"));
    log_writer_start(writer);
    run_producers(writer, file, true);
    log_writer_free(&writer);
    size_t lines = count_lines(in_folder("access"));
    for (int i = 0; i < 20; i++) {
        char rotated[32];
        snprintf(rotated, sizeof rotated, "access.%d", i);
        lines += count_lines(in_folder(rotated));
    }
    CU_ASSERT_EQUAL(lines, (size_t)THREADS * LINES);
}

static void test_reopen_fails(void) {
    mkdir(in_folder("sub"), 0700);
    struct log_writer *writer = writer_new(in_folder("error-fails"));
    struct log_file *file = file_open(writer, in_folder("sub/log"));
    log_writer_start(writer);
    CU_ASSERT_EQUAL(rename(in_folder("sub"), in_folder("moved")), 0);
    log_writer_reopen(writer);
    CU_ASSERT_TRUE(await_lines(in_folder("error-fails"), 1));
    log_writer_reopen(writer);
    log_file_append(writer, file, "kept\n", 5);
    CU_ASSERT_TRUE(await_lines(in_folder("moved/log"), 1));
    log_writer_free(&writer);
    char *text = read_file(in_folder("error-fails"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "cannot be opened again: No such file"));
    free(text);
    CU_ASSERT_EQUAL(count_lines(in_folder("error-fails")), 1);
}

static void test_fifo_nobody_reads(void) {
    CU_ASSERT_EQUAL_FATAL(mkfifo(in_folder("fifo"), 0600), 0);
    struct log_writer *writer = writer_new(in_folder("error-fifo"));
    struct log_file *fifo = file_open(writer, in_folder("fifo"));
    struct log_file *other = file_open(writer, in_folder("other"));
    log_writer_start(writer);
    static char line[1024];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    size_t lost = 0;
    int64_t begin_ns = clock_monotonic_ns();
    for (int i = 0; i < 6000; i++) { /* 6 MiB into 4 MiB and a pipe */
        lost += log_file_append(writer, fifo, line, sizeof line) ? 0 : 1;
    }
    CU_ASSERT_TRUE(clock_monotonic_ns() - begin_ns < 5 * NS_PER_SECOND);
    CU_ASSERT_TRUE(lost > 1000 && lost < 3000);
    CU_ASSERT_EQUAL(log_writer_counts(writer).lines_lost, lost);
    log_file_append(writer, other, "not held up\n", 12);
    CU_ASSERT_TRUE(await_lines(in_folder("other"), 1));

    int reader = open(in_folder("fifo"), O_RDONLY | O_NONBLOCK); /* now somebody does */
    size_t bytes = 0, wanted = (6000 - lost) * sizeof line;
    int64_t give_up_ns = clock_monotonic_ns() + 10 * NS_PER_SECOND;
    while (bytes < wanted && clock_monotonic_ns() < give_up_ns) {
        static char buffer[65536];
        ssize_t got = read(reader, buffer, sizeof buffer);
        bytes += got > 0 ? (size_t)got : 0;
    }
    CU_ASSERT_EQUAL(bytes, wanted);
    close(reader);
    log_writer_free(&writer);
    char *text = read_file(in_folder("error-fifo"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "lines were lost"));
    free(text);
}

static void test_end_is_bounded(void) {
    CU_ASSERT_EQUAL_FATAL(mkfifo(in_folder("stalled"), 0600), 0);
    struct log_writer *writer = writer_new(in_folder("error-stalled"));
    struct log_file *fifo = file_open(writer, in_folder("stalled"));
    struct log_file *other = file_open(writer, in_folder("written"));
    log_writer_start(writer);
    static char line[100000];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_TRUE(log_file_append(writer, fifo, line, sizeof line));
    }
    log_file_append(writer, other, line, sizeof line);
    int64_t begin_ns = clock_monotonic_ns();
    int saved = dup(STDERR_FILENO);
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO); /* what was lost is told on stderr */
    log_writer_free(&writer);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(null);
    int64_t took_ns = clock_monotonic_ns() - begin_ns;
    CU_ASSERT_TRUE(took_ns > NS_PER_SECOND && took_ns < 4 * NS_PER_SECOND);
    CU_ASSERT_EQUAL(count_lines(in_folder("written")), 1);
}

static void test_full_disk(void) {
    struct log_writer *writer = writer_new(in_folder("error-full"));
    struct log_file *full = file_open(writer, "/dev/full");
    log_writer_start(writer);
    log_file_append(writer, full, "line\n", 5);
    CU_ASSERT_TRUE(await_lines(in_folder("error-full"), 1));
    CU_ASSERT_TRUE(log_writer_counts(writer).write_errors >= 1);
    char *text = read_file(in_folder("error-full"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "[error] log writer: log /dev/full: cannot be written: No space left"));
    free(text);
    log_file_unref(writer, &full);
    int saved = dup(STDERR_FILENO);
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    log_writer_free(&writer);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(null);
}

static void test_error_log_changes(void) {
    struct log_writer *writer = writer_new(in_folder("error-a"));
    log_error("to a");
    log_writer_start(writer);
    struct server_settings server = {
        .log_target = LOG_TO_FILE, .log_path = in_folder("error-b"), .log_level = LOG_LEVEL_INFO};
    CU_ASSERT_TRUE(log_writer_set_error_log(writer, &server));
    log_info("to b");
    server.log_path = in_folder("none/such");
    server.log_level = LOG_LEVEL_ERROR;
    CU_ASSERT_FALSE(log_writer_set_error_log(writer, &server));
    CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_INFO);
    server = (struct server_settings){
        .log_target = LOG_TO_SYSLOG, .log_facility = "nonsense", .log_level = LOG_LEVEL_NOTICE};
    CU_ASSERT_FALSE(log_writer_set_error_log(writer, &server));
    server.log_facility = "local3";
    CU_ASSERT_TRUE(log_writer_set_error_log(writer, &server));
    log_notice("a line of a unit test");
    log_writer_free(&writer);
    char *a = read_file(in_folder("error-a")), *b = read_file(in_folder("error-b"));
    CU_ASSERT_PTR_NOT_NULL(strstr(a, "[error] to a\n"));
    CU_ASSERT_PTR_NULL(strstr(a, "to b"));
    CU_ASSERT_PTR_NOT_NULL(strstr(b, "[info] to b\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(b, "none/such: cannot be opened: No such file"));
    CU_ASSERT_PTR_NOT_NULL(strstr(b, "syslog:nonsense: cannot be opened: syslog has no such facility"));
    free(a);
    free(b);
}

/* stdout and stderr as a pipe, as a supervisor gives them. */
static void test_streams(void) {
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    int saved = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(ends[1], STDOUT_FILENO);
    struct log_writer *writer = writer_new(in_folder("error-streams"));
    struct log_file *file = file_open(writer, "/dev/stdout");
    dup2(saved, STDOUT_FILENO);
    close(saved);
    log_file_append(writer, file, "to a pipe\n", 10);
    log_writer_free(&writer); /* never started: written here */
    char text[16] = "";
    CU_ASSERT_EQUAL(read(ends[0], text, sizeof text), 10);
    CU_ASSERT_EQUAL(strncmp(text, "to a pipe\n", 10), 0);
    CU_ASSERT_EQUAL(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    close(ends[0]);
    close(ends[1]);
}

static void test_cannot_open(void) {
    struct log_writer *writer = writer_new(in_folder("error-open"));
    const char *error = NULL;
    CU_ASSERT_PTR_NULL(log_file_open(writer, in_folder("none/such"), &error));
    CU_ASSERT_STRING_EQUAL(error, "No such file or directory");
    log_writer_free(&writer);
    log_writer_free(&writer);
}

static void remove_folder(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) {
        perror(folder);
    }
}

int main(void) {
    snprintf(folder, sizeof folder, "/tmp/weir-log-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        perror("mkdtemp");
        return 1;
    }
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("log_writer", NULL, NULL);
    CU_add_test(suite, "four threads, nothing lost, in order", test_threads);
    CU_add_test(suite, "rotated under load without a lost line", test_reopen);
    CU_add_test(suite, "a file that cannot be opened again is kept", test_reopen_fails);
    CU_add_test(suite, "a FIFO that nobody reads holds up nothing", test_fifo_nobody_reads);
    CU_add_test(suite, "the end is bounded", test_end_is_bounded);
    CU_add_test(suite, "a full disk is told of", test_full_disk);
    CU_add_test(suite, "the error log changes", test_error_log_changes);
    CU_add_test(suite, "standard streams", test_streams);
    CU_add_test(suite, "a path that cannot be opened", test_cannot_open);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    remove_folder();
    return failures == 0 ? 0 : 1;
}
