/* Messages to a loop's thread: a list under a mutex and an ev_async that says that it is no longer empty.
 *
 * mailbox_post() runs on any thread, all else on the loop's. Invariant: a message is in exactly one of `incoming` and
 * `delivering`, or no longer the mailbox's; and whenever `incoming` holds something, the ev_async has been sent. */
#include "proxy/mailbox.h"

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "config/arena.h"

/* Who delivers for longer lets the loop's timers and signals have a turn: some messages are slow to answer. */
#define TURN_SECONDS 0.01

struct letter {
    struct letter *next;
    void *message;
};

struct mailbox {
    ev_async arrival;
    struct ev_loop *loop;
    mailbox_deliver *deliver;
    mailbox_discard *discard;
    void *context;
    struct letter
        *delivering; /* taken off `incoming`, oldest first, perhaps left by the last turn; the loop's thread */
    bool *freed;     /* set while delivering: where to say that the mailbox is gone */

    pthread_mutex_t lock; /* guards what follows */
    struct letter *incoming;
    struct letter **incoming_end;
};

static struct letter *take_incoming(struct mailbox *mailbox) {
    pthread_mutex_lock(&mailbox->lock);
    struct letter *letters = mailbox->incoming;
    mailbox->incoming = NULL;
    mailbox->incoming_end = &mailbox->incoming;
    pthread_mutex_unlock(&mailbox->lock);
    return letters;
}

static void on_arrival(struct ev_loop *loop, ev_async *watcher, int events) {
    (void)loop;
    (void)events;
    struct mailbox *mailbox = watcher->data;
    bool freed = false;
    if (mailbox->freed != NULL) {
        return; /* `deliver` runs the loop itself: the turn that is under way goes on with the rest */
    }
    mailbox->freed = &freed;
    ev_tstamp begin = ev_time();
    if (mailbox->delivering == NULL) {
        mailbox->delivering = take_incoming(mailbox);
    }
    while (mailbox->delivering != NULL) {
        struct letter *letter = mailbox->delivering;
        mailbox->delivering = letter->next;
        void *message = letter->message;
        free(letter);
        mailbox->deliver(mailbox->context, message);
        if (freed) {
            return;
        }
        if (ev_time() - begin > TURN_SECONDS) {
            break;
        }
    }
    mailbox->freed = NULL;
    pthread_mutex_lock(&mailbox->lock);
    bool more = mailbox->delivering != NULL || mailbox->incoming != NULL;
    pthread_mutex_unlock(&mailbox->lock);
    if (more) {
        ev_async_send(mailbox->loop, &mailbox->arrival);
    }
}

struct mailbox *mailbox_new(struct ev_loop *loop, mailbox_deliver *deliver, mailbox_discard *discard, void *context) {
    struct mailbox *mailbox = must_calloc(1, sizeof *mailbox);
    mailbox->loop = loop;
    mailbox->deliver = deliver;
    mailbox->discard = discard;
    mailbox->context = context;
    mailbox->incoming_end = &mailbox->incoming;
    pthread_mutex_init(&mailbox->lock, NULL);
    ev_async_init(&mailbox->arrival, on_arrival);
    mailbox->arrival.data = mailbox;
    ev_async_start(loop, &mailbox->arrival);
    return mailbox;
}

void mailbox_post(struct mailbox *mailbox, void *message) {
    struct letter *letter = must_malloc(sizeof *letter);
    *letter = (struct letter){.next = NULL, .message = message};
    pthread_mutex_lock(&mailbox->lock);
    bool was_empty = mailbox->incoming == NULL;
    *mailbox->incoming_end = letter;
    mailbox->incoming_end = &letter->next;
    if (was_empty) {
        /* Within the lock: once the receiver has seen the message, it may free the mailbox. */
        ev_async_send(mailbox->loop, &mailbox->arrival);
    }
    pthread_mutex_unlock(&mailbox->lock);
}

static void discard_all(struct mailbox *mailbox, struct letter *letters) {
    while (letters != NULL) {
        struct letter *next = letters->next;
        if (mailbox->discard != NULL) {
            mailbox->discard(mailbox->context, letters->message);
        }
        free(letters);
        letters = next;
    }
}

void mailbox_free(struct mailbox **mailbox_pointer) {
    struct mailbox *mailbox = *mailbox_pointer;
    *mailbox_pointer = NULL;
    if (mailbox == NULL) {
        return;
    }
    if (mailbox->freed != NULL) {
        *mailbox->freed = true;
    }
    ev_async_stop(mailbox->loop, &mailbox->arrival);
    discard_all(mailbox, mailbox->delivering);
    discard_all(mailbox, take_incoming(mailbox));
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}
