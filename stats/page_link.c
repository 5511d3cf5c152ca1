/* The page's state is its query: every link carries all of it on, so that a chosen unit or order is kept over the next
 * click and the next refresh. Pure, any thread. */
#include "stats/page_link.h"

#include <string.h>

#include "stats/page_values.h"

/* The parameters a page may have; the texts are NULL where the parameter has its default. */
enum { PARAMETERS = 5 };
struct parameter {
    const char *name, *value;
    char number[16];
};

static void collect(const struct stats_view *view, struct parameter parameters[PARAMETERS]) {
    static const char *const units[] = {NULL, "K", "M", "G"};
    static const char *const names[PARAMETERS] = {"refresh", "unit", "sort", "filter", "page"};
    for (size_t i = 0; i < PARAMETERS; i++) {
        parameters[i] = (struct parameter){.name = names[i]};
    }
    if (view->refresh_s != 0) {
        snprintf(parameters[0].number, sizeof parameters[0].number, "%u", view->refresh_s);
        parameters[0].value = parameters[0].number;
    }
    parameters[1].value = units[view->unit];
    parameters[2].value = view->sort;
    parameters[3].value = view->filter != NULL && *view->filter != '\0' ? view->filter : NULL;
    if (view->page > 1) {
        snprintf(parameters[4].number, sizeof parameters[4].number, "%u", view->page);
        parameters[4].value = parameters[4].number;
    }
}

/* Another order or another selection begins at the first page again. */
static bool leads_to_first_page(const char *name) {
    return name != NULL && (strcmp(name, "sort") == 0 || strcmp(name, "filter") == 0);
}

void page_link(const struct page *page, const char *name, const char *value) {
    struct parameter parameters[PARAMETERS];
    collect(page->view, parameters);
    page_text(page->out, page->view->path != NULL ? page->view->path : "");
    const char *separator = "?";
    for (size_t i = 0; i < PARAMETERS; i++) {
        const struct parameter *parameter = &parameters[i];
        const char *text = parameter->value;
        if (name != NULL && strcmp(parameter->name, name) == 0) {
            text = value;
        } else if (leads_to_first_page(name) && strcmp(parameter->name, "page") == 0) {
            text = NULL;
        }
        if (text != NULL) {
            fprintf(page->out, "%s%s=", separator, parameter->name);
            page_query_text(page->out, text);
            separator = "&amp;";
        }
    }
    if (separator[0] == '?') {
        fputc('?', page->out); /* an empty address would keep the query there is */
    }
}

void page_link_fields(const struct page *page, const char *without) {
    struct parameter parameters[PARAMETERS];
    collect(page->view, parameters);
    for (size_t i = 0; i < PARAMETERS; i++) {
        const struct parameter *parameter = &parameters[i];
        bool is_left_out = strcmp(parameter->name, without) == 0 || strcmp(parameter->name, "page") == 0;
        if (parameter->value != NULL && !is_left_out) {
            fprintf(page->out, "<input type=\"hidden\" name=\"%s\" value=\"", parameter->name);
            page_text(page->out, parameter->value);
            fputs("\"/>", page->out);
        }
    }
}

void page_link_choice(const struct page *page, const char *name, const char *value, const char *text, bool is_current) {
    fputs("<a href=\"", page->out);
    page_link(page, name, value);
    fprintf(page->out, "\"%s>%s</a>", is_current ? " aria-current=\"true\"" : "", text);
}
