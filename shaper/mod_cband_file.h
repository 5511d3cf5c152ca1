/* The scoreboard file of mod_cband: recognised and read, for the one import of a host or user that moves to weir.
 *
 * A dump of one structure without a magic number, on a 64-bit machine with three classes 56 bytes (mod_cband 0.9.7.5):
 *    0  u64  bytes sent in the period      32  u64  start of the period, seconds since the epoch; 0: none
 *    8  u64  of the first class            40  i64  count-down to the next write
 *   16, 24   of the second and third       48  i32  "had a request", 0 or 1, and 4 bytes of padding
 * In the machine's byte order. Pure. */
#ifndef WEIR_SHAPER_MOD_CBAND_FILE_H
#define WEIR_SHAPER_MOD_CBAND_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOD_CBAND_FILE_BYTES = 56, MOD_CBAND_CLASSES = 3 };

struct mod_cband_file {
    uint64_t used_bytes;
    uint64_t class_used_bytes[MOD_CBAND_CLASSES]; /* in the order in which the classes are defined */
    int64_t start_s;                              /* 0: no period has begun */
};

/* False: these bytes are no such file; with another size, or values that it cannot have (a class that has more than the
 * total, a start in the future by more than a day). */
bool mod_cband_file_read(const void *bytes, size_t length, int64_t now_s, struct mod_cband_file *file);

#endif
