/* What the process does when a client is blocked, while it is, and when it no longer is: the lines in the error log and
 * syslog, and block_notifier.h for mail, command, dos- file and firewall. Workers only post. */
#ifndef WEIR_PROXY_PROCESS_BLOCKS_H
#define WEIR_PROXY_PROCESS_BLOCKS_H

#include "shaper/burst.h"

struct process;
struct worker;

/* The present moment, as shaper/ takes it. Any thread. */
struct shaper_time process_time(void);

/* ---- a worker's thread ---- */

/* A block that has begun. */
struct process_block {
    struct ip_address client; /* who began it */
    struct ip_prefix blocked;
    uint32_t host_id; /* burst_host_name() */
    enum burst_reason reason;
    bool log_only;
    int64_t wall_us;
};

/* Returns at once. When too many wait already, it is counted and not told. */
void process_post_block(struct worker *worker, const struct process_block *block);

/* ---- the housekeeping thread ---- */

/* Once a second: blocks that are over or go on, and lines that were left out. */
void process_sweep_blocks(struct process *process);

/* By hand: as burst_block_by_hand() and burst_unblock(), and told like any other. */
bool process_block(struct process *process, const struct ip_prefix *blocked, uint32_t seconds);
size_t process_unblock(struct process *process, const struct ip_prefix *prefix);

/* A block from before a restart, once the configuration is applied. False: it is over, or there is no room. */
bool process_restore_block(struct process *process, const struct burst_block *block);

#endif
