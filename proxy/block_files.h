/* DOSLogDir's dos-ADDRESS files: made when a block begins, removed when it ends.
 *
 * A file holds the process's number and a line feed, as mod_evasive's. It is made with O_EXCL in the opened directory,
 * so that no link is ever followed. "Ours" is a regular file of our user with one name and nothing but a number in it:
 * such a one in the way is replaced; anything else is left alone, and is an error. Mode 0644 less the umask: it tells
 * nothing but its name, and is there to be looked for by others.
 *
 * Housekeeping thread. */
#ifndef WEIR_PROXY_BLOCK_FILES_H
#define WEIR_PROXY_BLOCK_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "config/ipaddr.h"

struct block_files;

struct block_files *block_files_new(size_t files_max);
/* Removes all files that were made here. Nulls the pointer; NULL is harmless. */
void block_files_free(struct block_files **files);

/* The first time for a directory: removes those of our files in it whose process does not run any more (a number that
 * another program has got meanwhile keeps its file, until the same address is blocked again). Returns how many. */
size_t block_files_sweep(struct block_files *files, const char *directory);

/* Makes the file of a block. An earlier one of the same block is removed first. False with why, in at most `size` bytes
 * of `error`. */
bool block_files_make(struct block_files *files, const char *directory, const struct ip_prefix *blocked, char *error,
                      size_t size);

/* Removes the file of a block, if there is one and it is still the one that was made here. */
void block_files_remove(struct block_files *files, const struct ip_prefix *blocked);

size_t block_files_count(const struct block_files *files);

#endif
