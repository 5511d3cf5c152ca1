/* proxy/mailbox.c: order, other threads, freeing within a delivery, and what is never delivered. */
#include "proxy/mailbox.h"

#include <ev.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include <CUnit/Basic.h>

#include "config/arena.h"

enum { POSTERS = 4, LETTERS = 5000 };

struct receiver {
    struct ev_loop *loop;
    struct mailbox *mailbox;
    uintptr_t last[POSTERS]; /* number of the last letter of each poster */
    size_t received, expected;
    size_t discarded;
    size_t repost;  /* post again so often, from within a delivery */
    size_t free_at; /* free the mailbox in this delivery; 0: never */
    bool out_of_order;
};

static void *letter(size_t poster, size_t number) {
    uintptr_t *message = must_malloc(sizeof *message);
    *message = poster * 1000000 + number;
    return message;
}

static void deliver(void *context, void *message) {
    struct receiver *receiver = context;
    uintptr_t value = *(uintptr_t *)message;
    free(message);
    size_t poster = value / 1000000;
    receiver->out_of_order |= value % 1000000 != receiver->last[poster] + 1;
    receiver->last[poster] = value % 1000000;
    receiver->received++;
    if (receiver->repost > 0) {
        receiver->repost--;
        mailbox_post(receiver->mailbox, letter(poster, value % 1000000 + 1));
    }
    if (receiver->received == receiver->free_at) {
        mailbox_free(&receiver->mailbox);
    }
    if (receiver->received == receiver->expected) {
        ev_break(receiver->loop, EVBREAK_ALL);
    }
}

static void discard(void *context, void *message) {
    struct receiver *receiver = context;
    receiver->discarded++;
    free(message);
}

static struct receiver *receiver_new(size_t expected) {
    struct receiver *receiver = must_calloc(1, sizeof *receiver);
    receiver->loop = ev_loop_new(EVFLAG_AUTO);
    receiver->mailbox = mailbox_new(receiver->loop, deliver, discard, receiver);
    receiver->expected = expected;
    return receiver;
}

static void receiver_free(struct receiver *receiver) {
    mailbox_free(&receiver->mailbox);
    CU_ASSERT_PTR_NULL(receiver->mailbox);
    ev_loop_destroy(receiver->loop);
    free(receiver);
}

struct poster {
    pthread_t thread;
    struct receiver *receiver;
    size_t index;
};

static void *post_all(void *context) {
    struct poster *poster = context;
    for (size_t i = 1; i <= LETTERS; i++) {
        mailbox_post(poster->receiver->mailbox, letter(poster->index, i));
    }
    return NULL;
}

static void test_threads(void) {
    struct receiver *receiver = receiver_new((size_t)POSTERS * LETTERS);
    struct poster posters[POSTERS];
    for (size_t i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.receiver = receiver, .index = i};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    ev_run(receiver->loop, 0);
    for (size_t i = 0; i < POSTERS; i++) {
        pthread_join(posters[i].thread, NULL);
        CU_ASSERT_EQUAL(receiver->last[i], LETTERS);
    }
    CU_ASSERT_FALSE(receiver->out_of_order);
    CU_ASSERT_EQUAL(receiver->received, (size_t)POSTERS * LETTERS);
    receiver_free(receiver);
}

static void test_before_the_loop_and_from_within(void) {
    struct receiver *receiver = receiver_new(5);
    mailbox_post(receiver->mailbox, letter(0, 1));
    receiver->repost = 4;
    ev_run(receiver->loop, 0);
    CU_ASSERT_EQUAL(receiver->received, 5);
    CU_ASSERT_FALSE(receiver->out_of_order);
    receiver_free(receiver);
}

static void test_discard(void) {
    struct receiver *receiver = receiver_new(0);
    for (size_t i = 1; i <= 3; i++) {
        mailbox_post(receiver->mailbox, letter(0, i));
    }
    mailbox_free(&receiver->mailbox);
    CU_ASSERT_EQUAL(receiver->discarded, 3);
    CU_ASSERT_EQUAL(receiver->received, 0);
    mailbox_free(&receiver->mailbox);
    receiver_free(receiver);
}

static void test_free_while_delivering(void) {
    struct receiver *receiver = receiver_new(2);
    receiver->free_at = 2;
    for (size_t i = 1; i <= 5; i++) {
        mailbox_post(receiver->mailbox, letter(0, i));
    }
    ev_run(receiver->loop, 0);
    CU_ASSERT_EQUAL(receiver->received, 2);
    CU_ASSERT_EQUAL(receiver->discarded, 3);
    receiver_free(receiver);
}

static void test_without_discard(void) {
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    static int value;
    struct mailbox *mailbox = mailbox_new(loop, deliver, NULL, NULL);
    mailbox_post(mailbox, &value);
    mailbox_free(&mailbox);
    ev_loop_destroy(loop);
}

static void note_time(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop;
    (void)events;
    const struct receiver *receiver = timer->data;
    timer->data = receiver->received < receiver->expected ? NULL : timer->data;
}

static void deliver_slowly(void *context, void *message) {
    ev_sleep(0.02);
    deliver(context, message);
}

/* A timer that is due after the first letter has its turn before the last one. */
static void test_slow_deliveries(void) {
    struct receiver *receiver = receiver_new(4);
    mailbox_free(&receiver->mailbox);
    receiver->mailbox = mailbox_new(receiver->loop, deliver_slowly, discard, receiver);
    for (size_t i = 1; i <= 4; i++) {
        mailbox_post(receiver->mailbox, letter(0, i));
    }
    ev_timer timer;
    ev_timer_init(&timer, note_time, 0.001, 0.);
    timer.data = receiver;
    ev_timer_start(receiver->loop, &timer);
    ev_run(receiver->loop, 0);
    CU_ASSERT_PTR_NULL(timer.data);
    CU_ASSERT_EQUAL(receiver->received, 4);
    CU_ASSERT_FALSE(receiver->out_of_order);
    receiver_free(receiver);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mailbox", NULL, NULL);
    CU_add_test(suite, "four threads, each in order", test_threads);
    CU_add_test(suite, "posted before the loop runs and within a delivery", test_before_the_loop_and_from_within);
    CU_add_test(suite, "what was not delivered is discarded", test_discard);
    CU_add_test(suite, "freed while delivering", test_free_while_delivering);
    CU_add_test(suite, "no discard", test_without_discard);
    CU_add_test(suite, "slow deliveries let timers in", test_slow_deliveries);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
