/* A hashed timing wheel: an entry hangs in the slot of its tick; entries further away than one turn of the wheel stay
 * in their slot until their turn has come. Called on the worker's thread. */
#include "proxy/deadline.h"

#include <assert.h>

static int64_t tick_of(int64_t at_ns) {
    return at_ns / DEADLINE_TICK_NS + (at_ns % DEADLINE_TICK_NS > 0 ? 1 : 0); /* rounded up: never early */
}

static struct deadline *slot_of(struct deadline_wheel *wheel, int64_t tick) {
    return &wheel->slots[(uint64_t)tick % DEADLINE_SLOTS];
}

void deadline_wheel_init(struct deadline_wheel *wheel, int64_t now_ns) {
    *wheel = (struct deadline_wheel){.tick = now_ns / DEADLINE_TICK_NS, .due_tick = DEADLINE_NEVER};
    for (size_t i = 0; i < DEADLINE_SLOTS; i++) {
        wheel->slots[i].next = wheel->slots[i].previous = &wheel->slots[i];
    }
}

static void insert_after(struct deadline *head, struct deadline *deadline) {
    deadline->next = head->next;
    deadline->previous = head;
    head->next->previous = deadline;
    head->next = deadline;
}

static void unlink_entry(struct deadline *deadline) {
    deadline->next->previous = deadline->previous;
    deadline->previous->next = deadline->next;
    deadline->next = deadline->previous = NULL;
}

void deadline_set(struct deadline_wheel *wheel, struct deadline *deadline, int64_t at_ns) {
    int64_t tick = tick_of(at_ns);
    if (tick < wheel->tick) {
        tick = wheel->tick;
    }
    if (deadline_is_set(deadline)) {
        unlink_entry(deadline);
        wheel->count--;
    }
    deadline->at_ns = at_ns;
    insert_after(slot_of(wheel, tick), deadline);
    wheel->due_tick = tick < wheel->due_tick ? tick : wheel->due_tick;
    wheel->count++;
}

void deadline_unset(struct deadline_wheel *wheel, struct deadline *deadline) {
    unlink_entry(deadline);
    wheel->count--;
}

/* Moves what is due out of the slot first, then calls: a callback may change the slot as it likes. */
static void run_slot(struct deadline_wheel *wheel, struct deadline *head, int64_t now_ns) {
    struct deadline due = {.next = &due, .previous = &due};
    for (struct deadline *entry = head->next; entry != head;) {
        struct deadline *next = entry->next;
        if (entry->at_ns <= now_ns) {
            unlink_entry(entry);
            insert_after(&due, entry);
        }
        entry = next;
    }
    while (due.next != &due) {
        struct deadline *entry = due.next;
        unlink_entry(entry);
        wheel->count--;
        entry->expired(entry);
    }
}

/* The next slot with an entry; it may be one of a later turn of the wheel. */
static int64_t find_due_tick(struct deadline_wheel *wheel) {
    if (wheel->count == 0) {
        return DEADLINE_NEVER;
    }
    int64_t tick = wheel->tick;
    while (slot_of(wheel, tick)->next == slot_of(wheel, tick)) {
        tick++;
    }
    return tick;
}

void deadline_wheel_run(struct deadline_wheel *wheel, int64_t now_ns) {
    int64_t last = now_ns / DEADLINE_TICK_NS;
    if (last < wheel->due_tick) {
        return;
    }
    wheel->tick = wheel->due_tick;
    if (last - wheel->tick >= DEADLINE_SLOTS) {
        wheel->tick = last - DEADLINE_SLOTS + 1; /* after a long sleep each slot needs only one look */
    }
    while (wheel->tick <= last) {
        struct deadline *head = slot_of(wheel, wheel->tick);
        wheel->tick++;
        run_slot(wheel, head, now_ns);
    }
    wheel->due_tick = find_due_tick(wheel);
}
