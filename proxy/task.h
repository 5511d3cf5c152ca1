/* A piece of work that one thread of the process posts to another: the head of a message of any kind.
 *
 * Embedded as the first member of what it is about. Its owner is the poster until it is posted, the mailbox until it is
 * run or discarded, then whoever run() or discard() makes the owner. */
#ifndef WEIR_PROXY_TASK_H
#define WEIR_PROXY_TASK_H

struct ev_loop;
struct mailbox;

struct task {
    /* On the receiver's thread. receiver: the struct process or struct worker that it was posted to. */
    void (*run)(void *receiver, struct task *task);
    /* Instead of run(), when the receiver ends first; on the thread that frees its mailbox. */
    void (*discard)(struct task *task);
};

/* A mailbox of tasks: what is posted to it must begin with a struct task. All else is as mailbox_new() has it. */
struct mailbox *task_mailbox_new(struct ev_loop *loop, void *receiver);

#endif
