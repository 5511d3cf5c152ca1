/* The tree as XML, by libxml2's writer. Called by stats_render().
 * Always true: every text passes clean_text() first, so the document is well-formed whatever the names are. An error of
 * the writer is an error of `out` or lack of memory; the first shows on `out`, the second ends the process. */
#include "stats/xml.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/xmlwriter.h>

#include "stats/clean_text.h"
#include "stats/tree.h"

enum { LEAF_MOST = 256 }; /* bytes of an element with a number: names are short constants */

struct xml_document {
    xmlTextWriterPtr writer;
    size_t depth;  /* of the element under way: the document's is 1 inside */
    bool is_empty; /* it has no elements so far */
    struct clean_text scratch;
};

/* Indented here and not by the writer, which does not know of the elements that put_raw() writes. */
static void put_indent(struct xml_document *document) {
    static const char indent[] = "\n\t\t\t\t\t\t\t\t\t\t\t\t";
    assert(document->depth < sizeof indent - 1);
    xmlTextWriterWriteRawLen(document->writer, (const xmlChar *)indent, (int)document->depth + 1);
}

static void begin(void *writer, const char *name) {
    struct xml_document *document = writer;
    put_indent(document);
    xmlTextWriterStartElement(document->writer, (const xmlChar *)name);
    document->depth++;
    document->is_empty = true;
}

static void begin_list(void *writer, const char *name, const char *json_name) {
    (void)json_name;
    begin(writer, name);
}

static void end(void *writer) {
    struct xml_document *document = writer;
    document->depth--;
    if (!document->is_empty) {
        put_indent(document);
    }
    document->is_empty = false;
    xmlTextWriterEndElement(document->writer);
}

/* The value needs no escaping. One write for the whole element: nine of ten elements are such, and the writer's own
 * way, with a dozen calls and some memory for each, takes twice the time. */
static void put_raw(void *writer, const char *name, const char *value) {
    struct xml_document *document = writer;
    char element[LEAF_MOST];
    document->is_empty = false;
    size_t name_length = strlen(name), value_length = strlen(value);
    assert(document->depth + 2 * name_length + value_length + sizeof "\n<></>" <= LEAF_MOST);
    char *to = element;
    *to++ = '\n';
    to = memset(to, '\t', document->depth);
    to += document->depth;
    *to++ = '<';
    to = mempcpy(to, name, name_length);
    *to++ = '>';
    to = mempcpy(to, value, value_length);
    *to++ = '<';
    *to++ = '/';
    to = mempcpy(to, name, name_length);
    *to++ = '>';
    xmlTextWriterWriteRawLen(document->writer, (const xmlChar *)element, (int)(to - element));
}

static void put_number(void *writer, const char *name, uint64_t value) {
    char digits[24];
    char *at = digits + sizeof digits;
    *--at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put_raw(writer, name, at);
}

static void put_decimal(void *writer, const char *name, double value) {
    if (value == 0) {
        put_raw(writer, name, "0");
        return;
    }
    char text[32];
    snprintf(text, sizeof text, "%.10g", isfinite(value) ? value : 0);
    put_raw(writer, name, text);
}

static void put_text(void *writer, const char *name, const char *text) {
    struct xml_document *document = writer;
    document->is_empty = false;
    put_indent(document);
    xmlTextWriterStartElement(document->writer, (const xmlChar *)name);
    xmlTextWriterWriteString(document->writer, (const xmlChar *)clean_text(&document->scratch, text));
    xmlTextWriterEndElement(document->writer);
}

static void put_flag(void *writer, const char *name, bool value) {
    put_raw(writer, name, value ? "true" : "false");
}

static void put_none(void *writer, const char *name) {
    (void)writer;
    (void)name;
}

static void begin_entry(void *writer, const char *item, const char *name) {
    begin(writer, item);
    put_text(writer, "name", name);
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

void stats_xml(const struct stats_snapshot *snapshot, const struct stats_view *view, FILE *out) {
    xmlOutputBufferPtr buffer = xmlOutputBufferCreateFile(out, NULL);
    struct xml_document document = {.writer = buffer != NULL ? xmlNewTextWriter(buffer) : NULL};
    if (document.writer == NULL) {
        abort(); /* no memory, as must_malloc() does */
    }
    xmlTextWriterStartDocument(document.writer, NULL, "UTF-8", NULL);
    xmlTextWriterStartElement(document.writer, (const xmlChar *)"weir");
    document.depth = 1;
    const struct tree tree = {.operations = &operations, .writer = &document, .now_s = snapshot->server.now_s};
    tree_write(&tree, snapshot, view);
    end(&document);
    xmlTextWriterEndDocument(document.writer);
    xmlFreeTextWriter(document.writer); /* and flushes; `out` stays open */
    clean_text_free(&document.scratch);
}
