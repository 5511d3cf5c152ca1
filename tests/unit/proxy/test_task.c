/* proxy/task.h: a task is run with the receiver, or discarded when the mailbox ends first; never both. */
#include "proxy/task.h"

#include <ev.h>

#include <CUnit/Basic.h>

#include "proxy/mailbox.h"

struct counted {
    struct task task;
    unsigned runs, discards;
    void *receiver;
};

static void run(void *receiver, struct task *task) {
    struct counted *counted = (struct counted *)task;
    counted->runs++;
    counted->receiver = receiver;
}

static void discard(struct task *task) {
    ((struct counted *)task)->discards++;
}

static void test_run_and_discarded(void) {
    struct counted first = {.task = {run, discard}}, second = {.task = {run, discard}};
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    int receiver = 0;
    struct mailbox *mailbox = task_mailbox_new(loop, &receiver);
    mailbox_post(mailbox, &first.task);
    ev_run(loop, EVRUN_ONCE);
    CU_ASSERT_EQUAL(first.runs, 1);
    CU_ASSERT_PTR_EQUAL(first.receiver, &receiver);
    mailbox_post(mailbox, &second.task);
    mailbox_free(&mailbox);
    CU_ASSERT_EQUAL(first.discards, 0);
    CU_ASSERT_EQUAL(second.runs, 0);
    CU_ASSERT_EQUAL(second.discards, 1);
    ev_loop_destroy(loop);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("task", NULL, NULL);
    CU_add_test(suite, "run, and discarded", test_run_and_discarded);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
