/* Messages to the thread of a libev loop, from any thread, in the order in which they were posted.
 *
 * A message is a pointer that changes owner: the poster's until mailbox_post(), the mailbox's until `deliver`, then the
 * receiver's. One mutex, held to link or unlink an item and never over a callback. */
#ifndef WEIR_PROXY_MAILBOX_H
#define WEIR_PROXY_MAILBOX_H

struct ev_loop;
struct mailbox;

/* On the loop's thread. May post to any mailbox, this one too: that is delivered in the loop's next turn. May free the
 * mailbox: what has not been delivered is then discarded. */
typedef void mailbox_deliver(void *context, void *message);
/* On the thread that frees the mailbox, once for each message that was never delivered. */
typedef void mailbox_discard(void *context, void *message);

/* Made on the loop's thread, or before that thread runs the loop. As any watcher it keeps ev_run() from returning; call
 * ev_unref() where that is not wanted. `discard` NULL: undelivered messages need no freeing. */
struct mailbox *mailbox_new(struct ev_loop *loop, mailbox_deliver *deliver, mailbox_discard *discard, void *context);

/* Any thread; wakes the loop, returns at once. */
void mailbox_post(struct mailbox *mailbox, void *message);

/* On the loop's thread, or after that thread has ended; before the loop is destroyed. Nobody may post any more. Sets
 * the pointer to NULL; a NULL pointer is left alone. */
void mailbox_free(struct mailbox **mailbox);

#endif
