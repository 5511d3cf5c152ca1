/* The tree as JSON, by jansson. Called by stats_render().
 * Always true: a member of the document, or an item of one of its lists, is built, written and freed before the next
 * begins, so memory does not grow with the number of hosts or clients; depth 0 is the document itself, depth 1 its
 * lists, which exist as text only. */
#include "stats/json.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "stats/clean_text.h"
#include "stats/tree.h"

enum { DEPTH_MOST = 12, KEY_MOST = 64 };

struct json_document {
    FILE *out;
    bool in_list;                /* one of the document's own lists is open */
    bool has_members, has_items; /* of the document, of that list */
    json_t *open[DEPTH_MOST];    /* objects and arrays under way, the outermost first */
    bool is_entry[DEPTH_MOST];   /* the same object as below, with one value to come for it */
    size_t depth;
    char entry_key[KEY_MOST];
    struct clean_text scratch;
};

/* Lower case, and '_' for '-'. */
static void make_key(char key[KEY_MOST], const char *name) {
    size_t i = 0;
    for (; name[i] != '\0' && i + 1 < KEY_MOST; i++) {
        key[i] = name[i] == '-' ? '_' : (char)tolower((unsigned char)name[i]);
    }
    key[i] = '\0';
}

static void put_separator(struct json_document *document, bool *has_some) {
    fputs(*has_some ? ",\n" : "\n", document->out);
    *has_some = true;
}

static void put_member_key(struct json_document *document, const char *name) {
    char key[KEY_MOST];
    make_key(key, name);
    put_separator(document, &document->has_members);
    fprintf(document->out, "\"%s\": ", key);
}

/* Puts the value, which it takes over, where the tree is now. */
static void put(struct json_document *document, const char *name, json_t *value) {
    assert(document->depth > 0);
    if (value == NULL) {
        abort(); /* no memory: texts are clean and numbers finite */
    }
    json_t *into = document->open[document->depth - 1];
    if (json_is_array(into)) {
        json_array_append_new(into, value);
    } else if (document->is_entry[document->depth - 1]) {
        json_object_set_new_nocheck(into, document->entry_key, value);
    } else {
        char key[KEY_MOST];
        make_key(key, name);
        json_object_set_new_nocheck(into, key, value);
    }
}

static void push(struct json_document *document, json_t *value, bool is_entry) {
    assert(document->depth < DEPTH_MOST);
    document->open[document->depth] = value;
    document->is_entry[document->depth++] = is_entry;
}

static void begin(void *writer, const char *name) {
    struct json_document *document = writer;
    json_t *object = json_object();
    if (document->depth > 0) {
        put(document, name, object);
    } else if (document->in_list) {
        put_separator(document, &document->has_items);
    } else {
        put_member_key(document, name);
    }
    push(document, object, false);
}

static void begin_list(void *writer, const char *name, const char *json_name) {
    struct json_document *document = writer;
    (void)name;
    if (document->depth == 0) {
        put_member_key(document, json_name);
        fputc('[', document->out);
        document->in_list = true;
        document->has_items = false;
        return;
    }
    json_t *array = json_array();
    put(document, json_name, array);
    push(document, array, false);
}

static void begin_entry(void *writer, const char *item, const char *name) {
    struct json_document *document = writer;
    (void)item;
    assert(document->depth > 0);
    make_key(document->entry_key, name);
    push(document, document->open[document->depth - 1], true);
}

static void end(void *writer) {
    struct json_document *document = writer;
    if (document->depth == 0) {
        fputs("\n]", document->out);
        document->in_list = false;
        return;
    }
    json_t *done = document->open[--document->depth];
    if (document->depth == 0) {
        json_dumpf(done, document->out, JSON_COMPACT | JSON_REAL_PRECISION(10));
        json_decref(done);
    }
}

static void put_number(void *writer, const char *name, uint64_t value) {
    put(writer, name, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

static void put_decimal(void *writer, const char *name, double value) {
    put(writer, name, json_real(isfinite(value) ? value : 0));
}

static void put_text(void *writer, const char *name, const char *text) {
    struct json_document *document = writer;
    put(document, name, json_string_nocheck(clean_text(&document->scratch, text)));
}

static void put_flag(void *writer, const char *name, bool value) {
    put(writer, name, json_boolean(value));
}

static void put_none(void *writer, const char *name) {
    put(writer, name, json_null());
}

static const struct tree_operations operations = {
    .begin = begin,
    .begin_list = begin_list,
    .begin_entry = begin_entry,
    .end = end,
    .number = put_number,
    .decimal = put_decimal,
    .text = put_text,
    .flag = put_flag,
    .none = put_none,
};

void stats_json(const struct stats_snapshot *snapshot, const struct stats_view *view, FILE *out) {
    struct json_document document = {.out = out};
    const struct tree tree = {.operations = &operations, .writer = &document, .now_s = snapshot->server.now_s};
    fputc('{', out);
    tree_write(&tree, snapshot, view);
    fputs("\n}\n", out);
    clean_text_free(&document.scratch);
}
