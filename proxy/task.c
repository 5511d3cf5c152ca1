/* Mailboxes of tasks: the process's and each worker's. Always true: a task is run or discarded, once. */
#include "proxy/task.h"

#include "proxy/mailbox.h"

static void run(void *receiver, void *message) {
    struct task *task = message;
    task->run(receiver, task);
}

static void discard(void *receiver, void *message) {
    (void)receiver;
    struct task *task = message;
    task->discard(task);
}

struct mailbox *task_mailbox_new(struct ev_loop *loop, void *receiver) {
    return mailbox_new(loop, run, discard, receiver);
}
