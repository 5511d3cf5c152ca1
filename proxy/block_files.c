/* dos- files, and which block has one. Called by block_notifier.c on the housekeeping thread. Invariants: a record
 * exists for each file made here and not removed; nothing is opened or removed by a path with a link in its last part.
 */
#include "proxy/block_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/arena.h"
#include "proxy/block_text.h"
#include "proxy/log.h"
#include "shaper/siphash.h"

enum {
    BUCKETS = 16384,
    SWEEP_ENTRIES_MAX = 200000, /* looked at in one directory: the thread has other things to do */
    CONTENT_MAX = 16,           /* bytes: a process number and a line feed, with room */
};

/* A DOSLogDir. Kept to the end: a file made there may outlive the configuration that named it. */
struct directory {
    struct directory *next;
    bool swept;
    char path[];
};

struct record {
    struct record *next;
    struct directory *directory;
    struct ip_prefix blocked;
};

struct block_files {
    struct siphash_key key; /* clients choose addresses */
    struct directory *directories;
    size_t count, most;
    struct record *buckets[BUCKETS];
};

static struct directory *directory_of(struct block_files *files, const char *path) {
    struct directory *directory = files->directories;
    while (directory != NULL && strcmp(directory->path, path) != 0) {
        directory = directory->next;
    }
    if (directory == NULL) {
        size_t size = strlen(path) + 1;
        directory = must_calloc(1, sizeof *directory + size);
        memcpy(directory->path, path, size);
        directory->next = files->directories;
        files->directories = directory;
    }
    return directory;
}

static int open_directory(const char *path) {
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- what is ours ---- */

static bool parse_number(const char *text, size_t length, pid_t *number) {
    long value = 0;
    if (length < 2 || length > 11 || text[length - 1] != '\n') {
        return false;
    }
    for (size_t i = 0; i < length - 1; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (text[i] - '0');
    }
    *number = (pid_t)value;
    return value > 0 && value <= INT32_MAX;
}

/* Whether it is a file of ours, and of which process. */
static bool is_ours(int directory, const char *name, pid_t *process) {
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    struct stat status;
    bool ours = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1 &&
                status.st_uid == geteuid() && status.st_size <= CONTENT_MAX;
    if (ours) {
        char content[CONTENT_MAX];
        ssize_t length = read(fd, content, sizeof content);
        ours = length > 0 && parse_number(content, (size_t)length, process);
    }
    close(fd);
    return ours;
}

static bool is_stale(const struct block_files *files, int fd, const char *name) {
    pid_t process;
    if (!block_text_is_file_name(name) || !is_ours(fd, name, &process)) {
        return false;
    }
    if (process == getpid()) { /* in a container the number is the same after each start */
        return files->count == 0;
    }
    return kill(process, 0) != 0 && errno == ESRCH;
}

size_t block_files_sweep(struct block_files *files, const char *path) {
    struct directory *directory = directory_of(files, path);
    int fd = directory->swept ? -1 : open_directory(path);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    size_t removed = 0;
    if (entries == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return 0;
    }
    directory->swept = true;
    const struct dirent *entry;
    for (size_t i = 0; i < SWEEP_ENTRIES_MAX && (entry = readdir(entries)) != NULL; i++) {
        if (is_stale(files, fd, entry->d_name) && unlinkat(fd, entry->d_name, 0) == 0) {
            removed++;
        }
    }
    closedir(entries);
    return removed;
}

/* ---- records ---- */

static struct record **find(struct block_files *files, const struct ip_prefix *blocked) {
    uint64_t hash = siphash(&files->key, blocked->address.bytes, sizeof blocked->address.bytes);
    struct record **record = &files->buckets[hash % BUCKETS];
    while (*record != NULL && ((*record)->blocked.length != blocked->length ||
                               !ip_address_equal(&(*record)->blocked.address, &blocked->address))) {
        record = &(*record)->next;
    }
    return record;
}

static void remove_file(const struct record *record) {
    char name[BLOCK_NAME_MAX];
    pid_t process;
    block_text_file_name(&record->blocked, name);
    int fd = open_directory(record->directory->path);
    if (fd < 0) {
        return; /* the directory is gone, and the file with it */
    }
    if (is_ours(fd, name, &process) && process == getpid()) { /* a successor's may stand there */
        (void)unlinkat(fd, name, 0);
    }
    close(fd);
}

static void drop(struct block_files *files, struct record **place) {
    struct record *record = *place;
    *place = record->next;
    remove_file(record);
    free(record);
    files->count--;
}

/* ---- making one ---- */

static int open_new(int directory, const char *name) {
    return openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
}

static bool write_number(int fd) {
    char text[CONTENT_MAX];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    return write(fd, text, (size_t)length) == length;
}

static bool make_file(int directory, const char *name, char *error, size_t size) {
    int fd = open_new(directory, name);
    if (fd < 0 && errno == EEXIST) {
        pid_t process;
        if (!is_ours(directory, name, &process)) {
            snprintf(error, size, "%s is there and was not made by weir; move it away", name);
            return false;
        }
        (void)unlinkat(directory, name, 0);
        fd = open_new(directory, name);
    }
    if (fd < 0) {
        snprintf(error, size, "cannot make %s: %s", name, strerror(errno));
        return false;
    }
    bool written = write_number(fd);
    if (!written) {
        snprintf(error, size, "cannot write %s: %s", name, strerror(errno));
        (void)unlinkat(directory, name, 0);
    }
    close(fd);
    return written;
}

bool block_files_make(struct block_files *files, const char *path, const struct ip_prefix *blocked, char *error,
                      size_t size) {
    struct record **place = find(files, blocked);
    if (*place != NULL) {
        drop(files, place);
    }
    if (files->count >= files->most) {
        snprintf(error, size, "there are %zu files already, no more are made", files->count);
        return false;
    }
    int fd = open_directory(path);
    if (fd < 0) {
        snprintf(error, size, "cannot open %s: %s", path, strerror(errno));
        return false;
    }
    char name[BLOCK_NAME_MAX];
    block_text_file_name(blocked, name);
    bool made = make_file(fd, name, error, size);
    close(fd);
    if (made) {
        struct record *record = must_malloc(sizeof *record);
        place = find(files, blocked);
        *record = (struct record){.directory = directory_of(files, path), .blocked = *blocked};
        *place = record;
        files->count++;
    }
    return made;
}

void block_files_remove(struct block_files *files, const struct ip_prefix *blocked) {
    struct record **place = find(files, blocked);
    if (*place != NULL) {
        drop(files, place);
    }
}

size_t block_files_count(const struct block_files *files) {
    return files->count;
}

struct block_files *block_files_new(size_t files_max) {
    struct block_files *files = must_calloc(1, sizeof *files);
    files->most = files_max;
    if (getentropy(&files->key, sizeof files->key) != 0) {
        log_warn("no random key for the table of dos- files: %s", strerror(errno));
    }
    return files;
}

void block_files_free(struct block_files **files_pointer) {
    struct block_files *files = *files_pointer;
    if (files == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (files->buckets[i] != NULL) {
            drop(files, &files->buckets[i]);
        }
    }
    while (files->directories != NULL) {
        struct directory *directory = files->directories;
        files->directories = directory->next;
        free(directory);
    }
    free(files);
    *files_pointer = NULL;
}
