/* Writing, reading and removing the pid file. Called by process.c and upgrade.c on the housekeeping thread. A reader
 * never sees half a number: it is replaced by rename, or written in one call. */
#include "proxy/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_to(const char *path, int flags, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
    if (fd < 0) {
        return false;
    }
    size_t length = strlen(text);
    ssize_t written = write(fd, text, length);
    int number = written < 0 ? errno : EIO;
    bool whole = written == (ssize_t)length;
    close(fd);
    errno = number;
    return whole;
}

bool pid_file_write(const char *path, pid_t pid) {
    char text[32];
    snprintf(text, sizeof text, "%ld\n", (long)pid);
    char *beside = NULL;
    if (asprintf(&beside, "%s.%ld", path, (long)pid) < 0) {
        errno = ENOMEM;
        return false;
    }
    bool written = write_to(beside, O_CREAT | O_TRUNC, text) && rename(beside, path) == 0;
    if (!written) {
        int number = errno;
        (void)unlink(beside);
        errno = number;
        if (number == EACCES || number == EPERM || number == EROFS) {
            written = write_to(path, O_TRUNC, text);
        }
    }
    free(beside);
    return written;
}

pid_t pid_file_read(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    char text[32];
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0) {
        return 0;
    }
    text[length] = '\0';
    char *end;
    errno = 0;
    long pid = strtol(text, &end, 10);
    bool is_number = end != text && errno == 0 && (*end == '\n' || *end == '\0') && pid > 0 && pid <= 0x7FFFFFFF;
    return is_number ? (pid_t)pid : 0;
}

void pid_file_remove(const char *path, pid_t pid) {
    if (pid_file_read(path) != pid) {
        return;
    }
    if (unlink(path) != 0 && truncate(path, 0) != 0) {
        return; /* a file that names a process which is gone: nothing more can be done without privileges */
    }
}
