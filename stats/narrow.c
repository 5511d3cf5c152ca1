/* Picks out of a snapshot what belongs to a host or a user. Called by stats_render() for narrow views.
 * Always true: what is not picked cannot be shown, because the renderer never sees it. */
#include "stats/narrow.h"

#include <stdlib.h>
#include <string.h>

struct picked {
    const char *user;           /* whose hosts are shown; NULL: nobody's */
    const char **names, **keys; /* of the hosts shown, sorted */
    size_t count;
};

static bool is_same(const char *a, const char *b) {
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_in(const char *const *sorted, size_t count, const char *name) {
    return name != NULL && count > 0 && bsearch(&name, sorted, count, sizeof sorted[0], compare_names) != NULL;
}

static const char *find_user(const struct stats_snapshot *snapshot, const struct stats_view *view) {
    if (view->only_user != NULL) {
        return view->only_user;
    }
    for (size_t i = 0; i < snapshot->host_count; i++) {
        if (is_same(snapshot->hosts[i].key, view->only_host)) {
            return snapshot->hosts[i].user;
        }
    }
    return NULL;
}

/* Those items of the list for which the condition on `item` holds, in the narrow snapshot's arena. */
#define PICK(list, count, type, condition)                                                                             \
    do {                                                                                                               \
        type *kept = arena_alloc(&narrow->arena, (snapshot->count + 1) * sizeof *kept);                                \
        narrow->list = kept;                                                                                           \
        narrow->count = 0;                                                                                             \
        for (size_t i = 0; i < snapshot->count; i++) {                                                                 \
            const type *item = &snapshot->list[i];                                                                     \
            if (condition) {                                                                                           \
                kept[narrow->count++] = *item;                                                                         \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

void stats_narrow(struct stats_snapshot *narrow, const struct stats_snapshot *snapshot, const struct stats_view *view) {
    *narrow = (struct stats_snapshot){.server = snapshot->server};
    arena_init(&narrow->arena, NULL, 0);
    struct picked picked = {.user = find_user(snapshot, view)};
    PICK(hosts, host_count, struct stats_host, is_same(item->key, view->only_host) || is_same(item->user, picked.user));
    picked.names = arena_alloc(&narrow->arena, (narrow->host_count + 1) * sizeof picked.names[0]);
    picked.keys = arena_alloc(&narrow->arena, (narrow->host_count + 1) * sizeof picked.keys[0]);
    for (size_t i = 0; i < narrow->host_count; i++) {
        picked.names[picked.count] = narrow->hosts[i].traffic.name;
        picked.keys[picked.count++] = narrow->hosts[i].key;
    }
    qsort(picked.names, picked.count, sizeof picked.names[0], compare_names);
    qsort(picked.keys, picked.count, sizeof picked.keys[0], compare_names);
    PICK(users, user_count, struct stats_user, is_same(item->traffic.name, picked.user));
    PICK(clients, client_count, struct stats_client, is_in(picked.keys, picked.count, item->host_key));
    PICK(blocks, block_count, struct stats_block, is_in(picked.names, picked.count, item->host));
}
