/* Files around a state database. Called by state_database.c and keeper.c on the housekeeping thread.
 * Always true: a file of somebody's is renamed or left alone, never overwritten, cut or deleted. */
#include "shaper/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/arena.h"

enum { NAMES_TRIED = 1000 };

static const char database_head[16] = "SQLite format 3";

/* ---- what is there ---- */

static enum state_file_kind kind_of(int fd, const char *path, int64_t now_s, struct mod_cband_file *scoreboard,
                                    struct state_text *problem) {
    struct stat status;
    char head[MOD_CBAND_FILE_BYTES + 1];
    if (fstat(fd, &status) != 0) {
        snprintf(problem->text, sizeof problem->text, "%s: %s", path, strerror(errno));
        return STATE_FILE_UNUSABLE;
    }
    if (S_ISDIR(status.st_mode)) {
        return STATE_FILE_FOLDER;
    }
    if (!S_ISREG(status.st_mode)) {
        snprintf(problem->text, sizeof problem->text, "%s is not a plain file", path);
        return STATE_FILE_UNUSABLE;
    }
    ssize_t length = pread(fd, head, sizeof head, 0);
    if (length < 0) {
        snprintf(problem->text, sizeof problem->text, "%s cannot be read: %s", path, strerror(errno));
        return STATE_FILE_UNUSABLE;
    }
    if (length == 0) {
        return STATE_FILE_EMPTY;
    }
    if ((size_t)length >= sizeof database_head && memcmp(head, database_head, sizeof database_head) == 0) {
        return STATE_FILE_DATABASE;
    }
    return mod_cband_file_read(head, (size_t)length, now_s, scoreboard) ? STATE_FILE_MOD_CBAND : STATE_FILE_OTHER;
}

enum state_file_kind state_file_look(const char *path, int64_t now_s, struct mod_cband_file *scoreboard,
                                     struct state_text *problem) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* of a pipe, do not wait for its writer */
    if (fd < 0 && errno == ENOENT) {
        return STATE_FILE_NONE;
    }
    if (fd < 0) {
        snprintf(problem->text, sizeof problem->text, "%s cannot be opened: %s", path, strerror(errno));
        return STATE_FILE_UNUSABLE;
    }
    enum state_file_kind kind = kind_of(fd, path, now_s, scoreboard, problem);
    close(fd);
    return kind;
}

bool state_file_create(const char *path, struct state_text *problem) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno != EEXIST) {
        snprintf(problem->text, sizeof problem->text, "%s cannot be made: %s", path, strerror(errno));
        return false;
    }
    if (fd >= 0) {
        close(fd);
    }
    return true;
}

/* ---- the lock ---- */

/* Who has it is written in it, for people; what counts is the lock. */
static void read_holder(int fd, const char *path, struct state_text *problem) {
    char holder[24] = "";
    ssize_t length = pread(fd, holder, sizeof holder - 1, 0);
    holder[length > 0 ? strspn(holder, "0123456789") : 0] = '\0';
    snprintf(problem->text, sizeof problem->text,
             "%s is in use by another weir%s%s: one at a time can keep its state there; stop that one, or name another "
             "file",
             path, holder[0] != '\0' ? ", process " : "", holder);
}

static void write_holder(int fd) {
    char holder[24];
    int length = snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0) {
        (void)!pwrite(fd, holder, (size_t)length, 0);
    }
}

enum state_lock state_file_lock(const char *path, int *fd, struct state_text *problem) {
    struct arena arena;
    arena_init(&arena, NULL, 0);
    const char *name = arena_printf(&arena, "%s.lock", path);
    enum state_lock result = STATE_LOCK_TAKEN;
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    if (*fd < 0) {
        snprintf(problem->text, sizeof problem->text, "%s cannot be opened: %s", name, strerror(errno));
        result = STATE_LOCK_FAILED;
    } else if (flock(*fd, LOCK_EX | LOCK_NB) == 0) {
        write_holder(*fd);
    } else if (errno == EWOULDBLOCK) {
        read_holder(*fd, path, problem);
        result = STATE_LOCK_HELD;
    } else {
        snprintf(problem->text, sizeof problem->text, "%s cannot be locked: %s", name, strerror(errno));
        result = STATE_LOCK_FAILED;
    }
    if (result != STATE_LOCK_TAKEN && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    arena_reset(&arena);
    return result;
}

/* ---- setting aside ---- */

/* Where the file system cannot rename without replacing, a second name and then the removal of the first do. */
static bool rename_new(const char *from, const char *to) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return true;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return false;
    }
    return link(from, to) == 0 && unlink(from) == 0;
}

/* To the wanted name, or the first free one with a number behind it. NULL with errno. */
static const char *move_to_new(struct arena *arena, const char *from, const char *wanted) {
    const char *to = wanted;
    bool is_moved = rename_new(from, to);
    for (unsigned number = 2; !is_moved && errno == EEXIST && number < NAMES_TRIED; number++) {
        to = arena_printf(arena, "%s-%u", wanted, number);
        is_moved = rename_new(from, to);
    }
    return is_moved ? to : NULL;
}

bool state_file_set_aside(const char *path, const char *suffix, struct state_text *name, struct state_text *problem) {
    static const char *const companions[] = {"-wal", "-shm", "-journal"};
    struct arena arena;
    arena_init(&arena, NULL, 0);
    const char *wanted = arena_printf(&arena, "%s.%s", path, suffix), *to = move_to_new(&arena, path, wanted);
    if (to != NULL) {
        snprintf(name->text, sizeof name->text, "%s", to);
        for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
            (void)move_to_new(&arena, arena_printf(&arena, "%s%s", path, companions[i]),
                              arena_printf(&arena, "%s%s", to, companions[i]));
        }
    } else {
        snprintf(problem->text, sizeof problem->text, "%s cannot be renamed to %s: %s", path, wanted, strerror(errno));
    }
    arena_reset(&arena);
    return to != NULL;
}

void state_file_corrupt_suffix(int64_t wall_s, char suffix[32]) {
    time_t moment = (time_t)wall_s;
    struct tm local;
    if (localtime_r(&moment, &local) == NULL || strftime(suffix, 32, "corrupt-%Y%m%d-%H%M%S", &local) == 0) {
        snprintf(suffix, 32, "corrupt");
    }
}
