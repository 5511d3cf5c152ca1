/* A snapshot as a document. The one door of all renderers: SetHandler cband-status, cband-status-me and weir-metrics,
 * the control socket and weirctl come in here.
 *
 * Pure: a renderer reads the snapshot and the view, and writes to `out`, nothing else; it never fails (a stream that
 * failed says so to ferror()). Any thread, but 10,000 hosts take milliseconds, so not a worker's. */
#ifndef WEIR_STATS_RENDER_H
#define WEIR_STATS_RENDER_H

#include <stdbool.h>
#include <stdio.h>

#include "stats/snapshot.h"

enum stats_document {
#define DOCUMENT(NAME, word, content_type, renderer) STATS_DOCUMENT_##NAME,
#include "stats/documents.def"
#undef DOCUMENT
    STATS_DOCUMENTS
};

enum stats_unit { STATS_UNIT_AUTO, STATS_UNIT_K, STATS_UNIT_M, STATS_UNIT_G }; /* of the page's sizes: unit=K|M|G */

/* Who looks, and how. All zero: everything, as the document has it by itself. Texts are borrowed for the call. */
struct stats_view {
    /* What is shown. Both NULL: everything. Otherwise that host or user with what belongs to it, and nothing of the
     * others nor of the server: the host; its user, or the one named; all hosts of that user; their clients and
     * blocks. Nothing is found: empty lists. */
    const char *only_host; /* the key, "NAME:PORT:LINE" */
    const char *only_user; /* a name */

    /* For people. The other documents do not look at these. */
    enum stats_unit unit;
    unsigned refresh_s; /* refresh=N: the page asks to be loaded again after so long; 0: it does not */
    const char *path;   /* of the document, as requested and without query: what links and forms point to; NULL: "" */
    const char *title;  /* NULL: the page's own */
    const char *sort;   /* sort=COLUMN, as a link of the page gave it (unchecked); NULL: as configured */
    const char *filter; /* filter=TEXT: only hosts whose name, or whose user's, contains it; NULL: all */
    unsigned page;      /* page=N: which hundred of the hosts, from 1; 0 is 1 */
    bool may_reset;     /* shows the forms that reset usage by POST: cband-status has them, cband-status-me not */
};

/* Whether the view leaves things out. */
static inline bool stats_view_is_narrow(const struct stats_view *view) {
    return view->only_host != NULL || view->only_user != NULL;
}

/* Writes the document. A narrow view reaches the renderer as a snapshot that holds what is shown and nothing else
 * (stats/narrow.h), so that a renderer shows all that it is given; what is the server's alone (traffic, counters,
 * gauges, the last reload, files, process) it leaves out when stats_view_is_narrow(). */
void stats_render(enum stats_document document, const struct stats_snapshot *snapshot, const struct stats_view *view,
                  FILE *out);

/* A renderer: a row of documents.def names one, declared in a header of its own. */
typedef void stats_renderer(const struct stats_snapshot *snapshot, const struct stats_view *view, FILE *out);

const char *stats_document_word(enum stats_document document);         /* "xml" */
const char *stats_document_content_type(enum stats_document document); /* "text/xml; charset=utf-8" */

#endif
