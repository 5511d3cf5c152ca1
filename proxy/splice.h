/* Large plain bodies through a pipe: the kernel moves pages from one socket to the other and weir never sees the bytes.
 *
 * Pipes are pooled by the worker. What is in a pipe has left the reading side and not yet reached the writing side: it
 * is the one bounded buffer of that direction. One worker. */
#ifndef WEIR_PROXY_SPLICE_H
#define WEIR_PROXY_SPLICE_H

#include "proxy/stream.h"

struct splice_pipe {
    struct splice_pipe *next; /* among the worker's spare ones */
    int read_fd, write_fd;
    size_t bytes;    /* in the pipe */
    size_t capacity; /* so much goes in at once */
};

/* Bodies with less than this still to come are copied: two more system calls would cost more than the copy. */
enum { SPLICE_MIN_BYTES = 128 * 1024 };
/* The end of a body that has a pipe. */
enum { SPLICE_REST_BYTES = 16 * 1024 };

/* NULL when no pipe can be had, for want of descriptors or of room in it: then the body is copied. */
struct splice_pipe *splice_pipe_lend(struct worker *worker);
/* One with bytes left in it is closed. */
void splice_pipe_take_back(struct worker *worker, struct splice_pipe *pipe);
void splice_free_spares(struct worker *worker);

/* For a body that comes fast: room for larger pieces, if it can be had. */
void splice_pipe_enlarge(struct worker *worker, struct splice_pipe *pipe);

/* Moves at most `bound` bytes from the socket into the pipe; *moved says how many. As stream_fill() otherwise. */
enum stream_result splice_fill(struct splice_pipe *pipe, struct stream *from, uint64_t bound, size_t *moved);

/* Moves at most `bound` bytes of what is in the pipe to the socket, whose own queue must be empty. Returns how many
 * bytes went; sets write_blocked or unwritable when not all of them did. */
size_t splice_drain(struct splice_pipe *pipe, struct stream *to, size_t bound);

#endif
