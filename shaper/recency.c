/* The list of newcomers and of what was used again. Called by burst_table.c, under the lock of a shard. */
#include "shaper/recency.h"

static void append(struct recency *list, struct recency_link *link, enum recency_part part) {
    struct recency_link **newest = &list->parts[part].newest;
    link->part = (uint8_t)part;
    link->older = *newest;
    link->newer = NULL;
    *(*newest != NULL ? &(*newest)->newer : &list->parts[part].oldest) = link;
    *newest = link;
    list->parts[part].count++;
}

static void take_out(struct recency *list, struct recency_link *link) {
    *(link->older != NULL ? &link->older->newer : &list->parts[link->part].oldest) = link->newer;
    *(link->newer != NULL ? &link->newer->older : &list->parts[link->part].newest) = link->older;
    list->parts[link->part].count--;
}

void recency_add(struct recency *list, struct recency_link *link) {
    link->is_listed = true;
    append(list, link, RECENCY_NEW);
}

void recency_remove(struct recency *list, struct recency_link *link) {
    take_out(list, link);
    link->is_listed = false;
}

static void promote(struct recency *list, struct recency_link *link) {
    link->was_used = false;
    take_out(list, link);
    append(list, link, RECENCY_AGAIN);
    if (list->parts[RECENCY_AGAIN].count > list->parts[RECENCY_NEW].count + 1) {
        struct recency_link *oldest = list->parts[RECENCY_AGAIN].oldest;
        take_out(list, oldest);
        append(list, oldest, RECENCY_NEW);
    }
}

struct recency_link *recency_next_to_go(struct recency *list) {
    struct recency_link *oldest = list->parts[RECENCY_NEW].oldest;
    for (size_t step = 0; step < RECENCY_STEPS_MAX && oldest != NULL && oldest->was_used; step++) {
        promote(list, oldest);
        oldest = list->parts[RECENCY_NEW].oldest;
    }
    return oldest != NULL ? oldest : list->parts[RECENCY_AGAIN].oldest;
}
