/* From the kind of a document to its renderer. Called by the status handlers and the control socket, on the
 * housekeeping thread. */
#include "stats/render.h"

#include "stats/json.h"
#include "stats/narrow.h"
#include "stats/page.h"
#include "stats/prometheus.h"
#include "stats/xml.h"
#include "stats/xml_classic.h"

static const struct {
    const char *word, *content_type;
    stats_renderer *renderer;
} documents[STATS_DOCUMENTS] = {
#define DOCUMENT(NAME, word, content_type, renderer) {word, content_type, renderer},
#include "stats/documents.def"
#undef DOCUMENT
};

void stats_render(enum stats_document document, const struct stats_snapshot *snapshot, const struct stats_view *view,
                  FILE *out) {
    if (!stats_view_is_narrow(view)) {
        documents[document].renderer(snapshot, view, out);
        return;
    }
    struct stats_snapshot narrow;
    stats_narrow(&narrow, snapshot, view);
    documents[document].renderer(&narrow, view, out);
    arena_reset(&narrow.arena);
}

const char *stats_document_word(enum stats_document document) {
    return documents[document].word;
}

const char *stats_document_content_type(enum stats_document document) {
    return documents[document].content_type;
}
