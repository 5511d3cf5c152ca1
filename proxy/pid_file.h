/* The file that tells others our process id (PidFile). Housekeeping thread. */
#ifndef WEIR_PROXY_PID_FILE_H
#define WEIR_PROXY_PID_FILE_H

#include <stdbool.h>
#include <sys/types.h>

/* Writes "<pid>\n", replacing what is there in one step where the folder may be written to, in place where only the
 * file may (privileges have been dropped). False with errno. */
bool pid_file_write(const char *path, pid_t pid);

/* The number in the file; 0 when there is no such file, or no number in it. */
pid_t pid_file_read(const char *path);

/* Removes the file if it still names `pid`: after USR2 it names the next process. Emptied where it cannot be removed.
 */
void pid_file_remove(const char *path, pid_t pid);

#endif
