/* Talks to a weir: HTTP over its control socket (stats/control.h says what is answered there). One thread. */
#ifndef WEIR_CTL_CLIENT_H
#define WEIR_CTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct client;

/* Nothing is connected yet; the path is copied. NULL: no memory. */
struct client *client_new(const char *socket_path);
void client_free(struct client **client); /* nulls the pointer; NULL is harmless */

struct client_answer {
    long status; /* 200; 0: weir was not reached */
    char *body;  /* ends with a zero byte that is not counted; NULL when weir was not reached */
    size_t bytes;
    char problem[384]; /* why it was not reached, and what to look at */
};

/* `target`: path and query, as target_begin() and target_add() write them. Waits for the whole answer, a minute at
 * most. False: weir was not reached, or the answer is not whole. The answer is freed by client_answer_clear() either
 * way. */
bool client_get(struct client *client, const char *target, struct client_answer *answer);
bool client_post(struct client *client, const char *target, struct client_answer *answer);
void client_answer_clear(struct client_answer *answer);

/* A path with parameters, encoded. */
enum { TARGET_MAX = 8192 };
struct target {
    char text[TARGET_MAX];
    size_t length;
    bool has_parameters, is_cut; /* is_cut: something was too long */
};
void target_begin(struct target *target, const char *path);
void target_add(struct target *target, const char *name, const char *value); /* value NULL: nothing is added */

#endif
