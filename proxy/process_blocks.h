/* What the process does when a client is blocked, and while it is: the lines in the error log and syslog, and the
 * events for whoever else is told. Workers only post. */
#ifndef WEIR_PROXY_PROCESS_BLOCKS_H
#define WEIR_PROXY_PROCESS_BLOCKS_H

#include "shaper/burst.h"

struct process;
struct worker;

/* A block that has begun. */
struct process_block {
    struct ip_address client; /* who began it */
    struct ip_prefix blocked;
    uint32_t host_id; /* burst_host_name() */
    enum burst_reason reason;
    bool log_only;
    int64_t wall_us;
};

/* On the worker's thread; returns at once. When too many wait already it is counted, and not told. */
void process_post_block(struct worker *worker, const struct process_block *block);

/* Once a second, housekeeping: blocks that are over or go on, and lines that were left out. */
void process_sweep_blocks(struct process *process);

/* The present moment. Any thread. */
struct shaper_time process_time(void);

#endif
