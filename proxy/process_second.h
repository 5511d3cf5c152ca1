/* What housekeeping does once a second: sums of what the workers counted, and whatever else has to be looked at without
 * anybody asking. Housekeeping thread. */
#ifndef WEIR_PROXY_PROCESS_SECOND_H
#define WEIR_PROXY_PROCESS_SECOND_H

struct process;

/* From when the process serves until its loop ends. */
void process_start_seconds(struct process *process);
void process_stop_seconds(struct process *process); /* harmless when not started */

#endif
