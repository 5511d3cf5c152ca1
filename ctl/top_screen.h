/* The screen of weirctl top: what is shown and which keys do what. By curses; one thread, one screen. */
#ifndef WEIR_CTL_TOP_SCREEN_H
#define WEIR_CTL_TOP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

enum top_view { TOP_HOSTS, TOP_CLIENTS, TOP_BLOCKS, TOP_VIEWS };

struct top {
    json_t *document;  /* the last one that came; the caller's */
    char problem[384]; /* why none came the last time; "": it did */
    enum top_view view;
    struct top_order {
        size_t column;
        bool is_reversed;
    } order[TOP_VIEWS];
    size_t first_row; /* that is shown */
    double delay_s;
    bool is_paused, is_done, wants_now;
};

bool top_begin(struct top *top); /* false: this terminal cannot */
void top_end(void);
void top_draw(const struct top *top);
/* Waits for a key, at most so long (-1: for ever), and does what it says. */
void top_wait_for_key(struct top *top, int wait_ms);

#endif
