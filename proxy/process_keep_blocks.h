/* Blocks across restarts: the rows of the StateFile's table of them. Without a state file nothing of this does
 * anything. Housekeeping thread.
 *
 * Written once a second, when something has changed. As long as there are few, all of them are looked at, so that what
 * a kill loses is the last second at most; when there are very many, what happened is noted and only that is written,
 * and then the end of a block that requests renew may be that of its last renewal but one. When a write fails, the next
 * one writes all blocks there are. */
#ifndef WEIR_PROXY_PROCESS_KEEP_BLOCKS_H
#define WEIR_PROXY_PROCESS_KEEP_BLOCKS_H

#include "shaper/burst.h"

struct process;

/* What is to be written at the next opportunity. Zeroed: nothing yet; the first write writes all. */
struct kept_blocks {
    struct kept_change {
        struct burst_block block;
        bool is_over;
    } * changes; /* in the order in which they happened */
    size_t count, room;
    uint64_t fingerprint; /* of all that was written, when all was */
    bool has_written;     /* false: everything is to be written, whatever the list says */
};

/* Before the workers start, once configuration and state file are there: blocks go on as they were. */
void process_restore_blocks(struct process *process);

/* A block began, or lasts longer. */
void process_keep_block(struct process *process, const struct burst_block *block);
void process_keep_ended_blocks(struct process *process, const struct burst_block_list *ended);

/* Once a second, and before the state file is given up. */
void process_write_blocks(struct process *process);
void process_free_kept_blocks(struct process *process);

#endif
