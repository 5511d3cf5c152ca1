/* The frame of the page: document, header with its choices, sections in their order, footer. Called as a renderer
 * (stats/render.h); pure, any thread. All text that is not weir's own goes through page_text(). */
#include "stats/page.h"

#include <inttypes.h>
#include <string.h>

#include "stats/page_assets.h"
#include "stats/page_lists.h"
#include "stats/page_values.h"

/* An icon of its own, so that no browser asks the site behind for /favicon.ico: three rising bars. */
static const char icon[] = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
                           "%3Cpath fill='%230f7285' d='M1 9h4v6H1zM6 5h4v10H6zM11 1h4v14h-4z'/%3E%3C/svg%3E";

static const char *title_of(const struct page *page) {
    return page->view->title != NULL ? page->view->title : "Status";
}

static void put_document_head(const struct page *page) {
    FILE *out = page->out;
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<title>", out);
    page_text(out, title_of(page));
    fprintf(out,
            " - weir</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
            "<meta name=\"robots\" content=\"noindex, nofollow\"/>\n<meta name=\"referrer\" content=\"same-origin\"/>\n"
            "<meta name=\"color-scheme\" content=\"light dark\"/>\n<link rel=\"icon\" href=\"%s\"/>\n"
            "<style>%s</style>\n</head>\n",
            icon, page_style);
}

static void put_choices(const struct page *page) {
    static const struct {
        enum stats_unit unit;
        const char *value, *text;
    } units[] = {
        {STATS_UNIT_AUTO, NULL, "auto"}, {STATS_UNIT_K, "K", "K"}, {STATS_UNIT_M, "M", "M"}, {STATS_UNIT_G, "G", "G"}};
    static const struct {
        unsigned seconds;
        const char *value, *text;
    } refreshes[] = {{0, NULL, "off"}, {5, "5", "5\u00A0s"}, {15, "15", "15\u00A0s"}, {60, "60", "60\u00A0s"}};
    FILE *out = page->out;
    const struct stats_view *view = page->view;
    fputs("<nav class=\"choices\" aria-label=\"View\">\n<p><span>Sizes</span> ", out);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        page_link_choice(page, "unit", units[i].value, units[i].text, view->unit == units[i].unit);
    }
    fputs("</p>\n<p><span>Refresh</span> ", out);
    bool is_listed = false;
    for (size_t i = 0; i < sizeof refreshes / sizeof refreshes[0]; i++) {
        bool is_current = view->refresh_s == refreshes[i].seconds;
        is_listed = is_listed || is_current;
        page_link_choice(page, "refresh", refreshes[i].value, refreshes[i].text, is_current);
    }
    if (!is_listed) {
        char value[16], text[24];
        snprintf(value, sizeof value, "%u", view->refresh_s);
        snprintf(text, sizeof text, "%u\u00A0s", view->refresh_s);
        page_link_choice(page, "refresh", value, text, true);
    }
    fputs("</p>\n</nav>\n", out);
}

static void put_header(const struct page *page) {
    FILE *out = page->out;
    const struct stats_server *server = &page->snapshot->server;
    fputs("<header>\n<p class=\"brand\"><b>weir</b> <span>", out);
    page_text(out, title_of(page));
    fputs("</span> <time>", out);
    page_time(out, server->now_s);
    fputs("</time></p>\n", out);
    put_choices(page);
    fputs("</header>\n", out);
}

static void put_footer(const struct page *page) {
    FILE *out = page->out;
    const struct stats_server *server = &page->snapshot->server;
    fputs("<footer><p>weir ", out);
    page_text(out, server->version != NULL ? server->version : "");
    if (!stats_view_is_narrow(page->view) && server->libraries != NULL) {
        fputs(", ", out);
        page_text(out, server->libraries);
    }
    fputs("</p><p>kbps are means of 10 s, in units of 1024 bits. The same as <a href=\"", out);
    page_text(out, page->view->path != NULL ? page->view->path : "");
    fputs("?xml\">XML</a> and <a href=\"", out);
    page_text(out, page->view->path != NULL ? page->view->path : "");
    fputs("?json\">JSON</a>.</p></footer>\n", out);
}

void stats_page(const struct stats_snapshot *snapshot, const struct stats_view *view, FILE *out) {
    struct page page = {out, snapshot, view};
    bool is_narrow = stats_view_is_narrow(view);
    put_document_head(&page);
    fputs("<body>\n", out);
    put_header(&page);
    fputs("<main>\n", out);
    page_headline(&page);
    if (!is_narrow) {
        page_figures(&page);
    }
    page_hosts(&page);
    if (!is_narrow || snapshot->user_count > 0) {
        page_users(&page);
    }
    if (!is_narrow || snapshot->class_count > 0) {
        page_classes(&page);
    }
    page_clients(&page);
    page_blocks(&page);
    if (!is_narrow) {
        page_origins(&page);
        page_internals(&page);
    }
    fputs("</main>\n", out);
    put_footer(&page);
    fprintf(out, "<script>%s</script>\n</body>\n</html>\n", page_script);
}
