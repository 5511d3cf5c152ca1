/* Which of many things was used least usefully: a list in two parts, of newcomers and of what was used again.
 *
 * Using something only marks it. When something must go, the oldest newcomers are looked at: one that was used again
 * moves to the second part, which holds at most half of all and whose oldest then goes back to the first; the first
 * that was not goes. So a flood of things that are each seen once does not push out what comes back, and use costs no
 * more than a store. (Segmented LRU: Karedla, Love, Wherry, "Caching strategies to improve disk system performance",
 * IEEE Computer 27(3), 1994; with the mark of the CLOCK algorithm.) Constant time. One thread at a time. */
#ifndef WEIR_SHAPER_RECENCY_H
#define WEIR_SHAPER_RECENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum recency_part { RECENCY_NEW, RECENCY_AGAIN, RECENCY_PARTS };

enum { RECENCY_STEPS_MAX = 64 }; /* how many are looked at for one that goes */

/* Member of what is listed. Zeroed: in no list. */
struct recency_link {
    struct recency_link *older, *newer;
    uint8_t part; /* enum recency_part */
    bool is_listed;
    bool was_used; /* since it was added or last looked at; may be set at any time */
};

struct recency {
    struct {
        struct recency_link *oldest, *newest;
        size_t count;
    } parts[RECENCY_PARTS];
};

void recency_add(struct recency *list, struct recency_link *link);
void recency_remove(struct recency *list, struct recency_link *link);
/* It stays in the list; the caller takes it out. NULL: the list is empty. */
struct recency_link *recency_next_to_go(struct recency *list);

#endif
