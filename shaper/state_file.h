/* The files around a state database: what stands at its path, the lock beside it, and moving away what cannot be used.
 *
 * One weir at a time holds a state file: it has an exclusive flock(2) on PATH.lock, a file of its own. The database
 * file itself is never opened but by SQLite while it is in use: closing any other descriptor of it would drop the locks
 * that SQLite has on it (POSIX locks belong to the process). Housekeeping thread; all of it may block on the disk. */
#ifndef WEIR_SHAPER_STATE_FILE_H
#define WEIR_SHAPER_STATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/mod_cband_file.h"

/* Texts for people: what is wrong, with which file. Longer ones are cut. */
enum { STATE_TEXT_MAX = 1024 };
struct state_text {
    char text[STATE_TEXT_MAX];
};

enum state_file_kind {
    STATE_FILE_NONE, /* nothing is there */
    STATE_FILE_EMPTY,
    STATE_FILE_DATABASE, /* begins as SQLite's files do */
    STATE_FILE_FOLDER,
    STATE_FILE_MOD_CBAND, /* a scoreboard of mod_cband */
    STATE_FILE_OTHER,     /* any other file */
    STATE_FILE_UNUSABLE,  /* cannot be read, or is a device, socket or pipe; *problem says why */
};

/* The database must not be open. scoreboard is written for STATE_FILE_MOD_CBAND. */
enum state_file_kind state_file_look(const char *path, int64_t now_s, struct mod_cband_file *scoreboard,
                                     struct state_text *problem);

/* Makes an empty file that only its owner may read, unless there is one. */
bool state_file_create(const char *path, struct state_text *problem);

enum state_lock { STATE_LOCK_TAKEN, STATE_LOCK_HELD, STATE_LOCK_FAILED };

/* Takes the lock; *fd is the caller's, and closing it gives the lock up. HELD: another process has it, and *problem
 * says which. Does not wait. */
enum state_lock state_file_lock(const char *path, int *fd, struct state_text *problem);

/* Moves PATH, with PATH-wal, PATH-shm and PATH-journal, to PATH.SUFFIX, or to PATH.SUFFIX-2 and so on when that is
 * there: nothing is ever overwritten. *name is what it is called now. */
bool state_file_set_aside(const char *path, const char *suffix, struct state_text *name, struct state_text *problem);

/* "corrupt-20261121-101112": local time. */
void state_file_corrupt_suffix(int64_t wall_s, char suffix[32]);

#endif
