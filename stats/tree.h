/* All of a snapshot as one tree of named values: what the XML and the JSON document are. Which values there are, their
 * names and their order stand in tree.c and tree_owner.c and nowhere else; a document is a set of operations that
 * write them. Sizes are bytes, times seconds, speeds of kbps elements 1024 bits a second. Pure, any thread.
 *
 * A name is the XML element's. The JSON key is the same in lower case, but for the lists, which name their own. */
#ifndef WEIR_STATS_TREE_H
#define WEIR_STATS_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "stats/render.h"

/* How a document writes. Each begin has its end(); values lie between. Texts may be anything and are the document's to
 * clean; names are constants and XML names. */
struct tree_operations {
    void (*begin)(void *writer, const char *name); /* an object; in a list an item */
    void (*begin_list)(void *writer, const char *name, const char *json_name);
    /* An object of a list whose items have names and one value each: <item><name>…</name><value>…; in JSON the entry
     * "…": value of the object around it. */
    void (*begin_entry)(void *writer, const char *item, const char *name);
    void (*end)(void *writer);
    void (*number)(void *writer, const char *name, uint64_t value);
    void (*decimal)(void *writer, const char *name, double value);
    void (*text)(void *writer, const char *name, const char *text);
    void (*flag)(void *writer, const char *name, bool value);
    void (*none)(void *writer, const char *name); /* left out of XML, null in JSON */
};

struct tree {
    const struct tree_operations *operations;
    void *writer;
    int64_t now_s;
};

void tree_write(const struct tree *tree, const struct stats_snapshot *snapshot, const struct stats_view *view);

/* ---- for tree.c and tree_owner.c ---- */

static inline void tree_begin(const struct tree *tree, const char *name) {
    tree->operations->begin(tree->writer, name);
}
static inline void tree_begin_list(const struct tree *tree, const char *name, const char *json_name) {
    tree->operations->begin_list(tree->writer, name, json_name);
}
static inline void tree_end(const struct tree *tree) {
    tree->operations->end(tree->writer);
}
static inline void tree_number(const struct tree *tree, const char *name, uint64_t value) {
    tree->operations->number(tree->writer, name, value);
}
static inline void tree_decimal(const struct tree *tree, const char *name, double value) {
    tree->operations->decimal(tree->writer, name, value);
}
static inline void tree_flag(const struct tree *tree, const char *name, bool value) {
    tree->operations->flag(tree->writer, name, value);
}
static inline void tree_text(const struct tree *tree, const char *name, const char *text) { /* NULL: none */
    if (text != NULL) {
        tree->operations->text(tree->writer, name, text);
    } else {
        tree->operations->none(tree->writer, name);
    }
}
static inline void tree_time(const struct tree *tree, const char *name, int64_t time_s) { /* 0: none */
    if (time_s > 0) {
        tree->operations->number(tree->writer, name, (uint64_t)time_s);
    } else {
        tree->operations->none(tree->writer, name);
    }
}
static inline void tree_entry(const struct tree *tree, const char *item, const char *name, uint64_t value) {
    tree->operations->begin_entry(tree->writer, item, name);
    tree->operations->number(tree->writer, "value", value);
    tree->operations->end(tree->writer);
}

void tree_host(const struct tree *tree, const struct stats_host *host);
void tree_user(const struct tree *tree, const struct stats_user *user);
void tree_class(const struct tree *tree, const struct stats_class *class);
/* What hosts, users, classes and the server have in common. */
void tree_traffic(const struct tree *tree, const struct stats_traffic *traffic, bool has_most);

#endif
