/* Going to the background. Called by process.c at start, on the one thread that there is by then (report:
 * housekeeping). */
#include "proxy/daemonise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noreturn)) static void wait_for_report(int fd, pid_t child) {
    unsigned char exit_code = 1;
    ssize_t got;
    do {
        got = read(fd, &exit_code, 1);
    } while (got < 0 && errno == EINTR);
    int status = 0;
    if (got != 1 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        exit_code = (unsigned char)WEXITSTATUS(status);
    }
    _exit(exit_code);
}

int daemonise_begin(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    pid_t child = fork();
    if (child < 0) {
        int number = errno;
        close(ends[0]);
        close(ends[1]);
        errno = number;
        return -1;
    }
    if (child > 0) {
        close(ends[1]);
        wait_for_report(ends[0], child);
    }
    close(ends[0]);
    (void)setsid();
    (void)!chdir("/"); /* not to hold on to a file system */
    return ends[1];
}

void daemonise_report(int *fd, int exit_code) {
    if (*fd < 0) {
        return;
    }
    int null = exit_code == 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        close(null);
    }
    unsigned char byte = (unsigned char)exit_code;
    while (write(*fd, &byte, 1) < 0 && errno == EINTR) {
    }
    close(*fd);
    *fd = -1;
}
