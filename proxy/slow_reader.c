/* Adds up the time in which a client's connection was blocked. Called by client.c and http1.c on the worker's thread.
 * Always true: blocked_ns is below the length of a window until the window is judged. */
#include "proxy/slow_reader.h"

bool slow_reader_note(struct slow_reader *reader, bool blocked, int64_t now_ns) {
    bool was_blocked = reader->blocked_since_ns != 0;
    if (blocked == was_blocked) {
        return false;
    }
    if (!blocked) {
        reader->blocked_ns += now_ns - reader->blocked_since_ns;
        reader->blocked_since_ns = 0;
        reader->freed_ns = now_ns;
        return false;
    }
    reader->blocked_since_ns = now_ns;
    bool begins = reader->freed_ns == 0 || now_ns - reader->freed_ns >= SLOW_READER_WINDOW_NS;
    if (begins) {
        reader->blocked_ns = 0;
    }
    return begins;
}

void slow_reader_begin(struct slow_reader *reader, uint64_t taken_bytes) {
    reader->taken_bytes = taken_bytes;
}

bool slow_reader_judge(struct slow_reader *reader, unsigned rate_bytes_per_s, uint64_t taken_bytes, int64_t now_ns) {
    uint64_t expected = (uint64_t)rate_bytes_per_s * (uint64_t)(SLOW_READER_WINDOW_NS / 1000000000);
    uint64_t taken = taken_bytes > reader->taken_bytes ? taken_bytes - reader->taken_bytes : 0;
    if (taken < expected) {
        return true;
    }
    reader->blocked_ns = 0;
    reader->blocked_since_ns = now_ns;
    reader->taken_bytes = taken_bytes;
    return false;
}
