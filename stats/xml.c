/* The tree as XML, by libxml2's writer. Called by stats_render().
 * Always true: every text passes clean_text() first, so the document is well-formed whatever the names are. An error of
 * the writer is an error of `out` or lack of memory; the first shows on `out`, the second ends the process. */
#include "stats/xml.h"

#include <math.h>
#include <stdlib.h>

#include <libxml/xmlwriter.h>

#include "stats/clean_text.h"
#include "stats/tree.h"

struct xml_document {
    xmlTextWriterPtr writer;
    struct clean_text scratch;
};

static void begin(void *writer, const char *name) {
    struct xml_document *document = writer;
    xmlTextWriterStartElement(document->writer, BAD_CAST name);
}

static void begin_list(void *writer, const char *name, const char *json_name) {
    (void)json_name;
    begin(writer, name);
}

static void end(void *writer) {
    struct xml_document *document = writer;
    xmlTextWriterEndElement(document->writer);
}

/* The value needs no escaping. */
static void put_raw(void *writer, const char *name, const char *value) {
    struct xml_document *document = writer;
    xmlTextWriterStartElement(document->writer, BAD_CAST name);
    xmlTextWriterWriteRaw(document->writer, BAD_CAST value);
    xmlTextWriterEndElement(document->writer);
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
    xmlTextWriterStartElement(document->writer, BAD_CAST name);
    xmlTextWriterWriteString(document->writer, BAD_CAST clean_text(&document->scratch, text));
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
    xmlTextWriterSetIndent(document.writer, 1);
    xmlTextWriterSetIndentString(document.writer, BAD_CAST "\t");
    xmlTextWriterStartElement(document.writer, BAD_CAST "weir");
    const struct tree tree = {.operations = &operations, .writer = &document, .now_s = snapshot->server.now_s};
    tree_write(&tree, snapshot, view);
    xmlTextWriterEndDocument(document.writer);
    xmlFreeTextWriter(document.writer); /* and flushes; `out` stays open */
    clean_text_free(&document.scratch);
}
