/* Lists for stats/page*.c: see page_table.h. Rows are written for three readers: as a table, on narrow screens as one
 * card a row (the style does it; data-label says what a value is, roles keep it a table for readers of screens), and by
 * the script, for which data-v holds what a cell is sorted by. Pure, any thread. */
#include "stats/page_table.h"

#include <stdlib.h>
#include <string.h>

#include "stats/page.h"
#include "stats/page_values.h"

/* ---- order ---- */

struct order {
    const struct page_column *column; /* NULL: as given */
    bool is_descending;
};

static bool is_descending_first(const struct page_column *column) {
    return column->number != NULL;
}

/* Reads "LIST.COLUMN.asc"; what is for another list, or nothing known, leaves the order as it is. */
static struct order order_of(const struct page_list *list, const char *sort) {
    struct order order = {NULL, false};
    size_t id = strlen(list->id);
    if (sort == NULL || strncmp(sort, list->id, id) != 0 || sort[id] != '.') {
        return order;
    }
    const char *key = sort + id + 1;
    size_t length = strcspn(key, ".");
    for (size_t i = 0; i < list->column_count; i++) {
        const struct page_column *column = &list->columns[i];
        if (!column->is_unsorted && strlen(column->key) == length && strncmp(column->key, key, length) == 0) {
            order.column = column;
            order.is_descending = is_descending_first(column);
            if (strcmp(key + length, ".asc") == 0) {
                order.is_descending = false;
            } else if (strcmp(key + length, ".desc") == 0) {
                order.is_descending = true;
            }
        }
    }
    return order;
}

static int compare(const void *left, const void *right, void *context) {
    const struct order *order = context;
    const void *a = *(const void *const *)left, *b = *(const void *const *)right;
    int result;
    if (order->column->number != NULL) {
        double x = order->column->number(order->column, a), y = order->column->number(order->column, b);
        result = (x > y) - (x < y);
    } else {
        result = strcasecmp(order->column->text(order->column, a), order->column->text(order->column, b));
    }
    if (result != 0) {
        return order->is_descending ? -result : result;
    }
    return (a > b) - (a < b); /* rows lie in one array: equals keep its order */
}

/* ---- the parts of a list ---- */

void page_reset_form(const struct page *page, const char *field, const char *value, const char *what) {
    fputs("<details class=\"reset\"><summary>", page->out);
    if (strcmp(value, "all") == 0) {
        fputs("Reset all", page->out);
    } else {
        fputs("Reset<span class=\"unseen\"> usage of ", page->out);
        page_text(page->out, what);
        fputs("</span>", page->out);
    }
    fputs("</summary><form method=\"post\" action=\"", page->out);
    page_link(page, NULL, NULL);
    fprintf(page->out, "\"><input type=\"hidden\" name=\"%s\" value=\"", field);
    page_text(page->out, value);
    fputs("\"/><p>Set the usage of <b>", page->out);
    page_text(page->out, what);
    fputs("</b> back to 0?</p><button>Reset usage</button></form></details>", page->out);
}

static void put_heading(const struct page *page, const struct page_list *list, const struct order *order,
                        const struct page_column *column) {
    FILE *out = page->out;
    fprintf(out, "<th scope=\"col\" role=\"columnheader\" class=\"%s\"", column->key);
    if (column->is_unsorted) {
        fputs(">", out);
        page_text(out, column->heading);
        fputs("</th>", out);
        return;
    }
    bool is_current = order->column == column;
    bool next_is_descending = is_current ? !order->is_descending : is_descending_first(column);
    char sort[96];
    snprintf(sort, sizeof sort, "%s.%s.%s", list->id, column->key, next_is_descending ? "desc" : "asc");
    if (is_current) {
        fprintf(out, " aria-sort=\"%s\"", order->is_descending ? "descending" : "ascending");
    }
    fputs("><a href=\"", out);
    page_link(page, "sort", sort);
    fprintf(out, "#%s\" data-sort=\"%s\"", list->id, column->number != NULL ? "number" : "text");
    if (column->hint != NULL) {
        fputs(" title=\"", out);
        page_text(out, column->hint);
        fputs("\"", out);
    }
    fputs(">", out);
    page_text(out, column->heading);
    fputs("</a></th>", out);
}

static void put_cell(const struct page *page, const struct page_column *column, const void *row, bool is_first) {
    FILE *out = page->out;
    fprintf(out, is_first ? "<th scope=\"row\" role=\"rowheader\" class=\"%s\"" : "<td role=\"cell\" class=\"%s\"",
            column->key);
    if (!is_first) {
        fputs(" data-label=\"", out);
        page_text(out, column->heading);
        fputs("\"", out);
    }
    if (!column->is_unsorted) {
        fputs(" data-v=\"", out);
        if (column->number != NULL) {
            fprintf(out, "%.10g", column->number(column, row));
        } else {
            page_text(out, column->text(column, row));
        }
        fputs("\"", out);
    }
    fputs(">", out);
    column->print(page, column, row);
    fputs(is_first ? "</th>" : "</td>", out);
}

static void put_rows(const struct page *page, const struct page_list *list, const struct order *order, size_t first,
                     size_t end) {
    FILE *out = page->out;
    bool is_complete = first == 0 && end == list->row_count && list->row_count == list->total_count;
    fprintf(out, "<div class=\"scroll\"><table role=\"table\" aria-labelledby=\"%s-title\"%s><thead role=\"rowgroup\">",
            list->id, is_complete ? " data-complete=\"true\"" : "");
    fputs("<tr role=\"row\">", out);
    for (size_t i = 0; i < list->column_count; i++) {
        put_heading(page, list, order, &list->columns[i]);
    }
    fputs("</tr></thead>\n<tbody role=\"rowgroup\">\n", out);
    for (size_t row = first; row < end; row++) {
        fputs("<tr role=\"row\">", out);
        for (size_t i = 0; i < list->column_count; i++) {
            put_cell(page, &list->columns[i], list->rows[row], i == 0);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

static void put_filter(const struct page *page, const struct page_list *list) {
    FILE *out = page->out;
    const char *filter = page->view->filter != NULL ? page->view->filter : "";
    fputs("<form class=\"filter\" method=\"get\" action=\"", out);
    page_text(out, page->view->path != NULL ? page->view->path : "");
    fputs("\">", out);
    page_link_fields(page, "filter");
    fprintf(out,
            "<label class=\"unseen\" for=\"filter-%s\">Show only names that contain</label>"
            "<input type=\"search\" id=\"filter-%s\" name=\"filter\" placeholder=\"Filter by name or user\" value=\"",
            list->id, list->id);
    page_text(out, filter);
    fputs("\"/></form>", out);
}

static void put_head(const struct page *page, const struct page_list *list) {
    FILE *out = page->out;
    fprintf(out, "<div class=\"head\"><h2 id=\"%s-title\">%s <small>", list->id, list->title);
    if (list->row_count != list->total_count) {
        page_count(out, list->row_count);
        fputs(" of ", out);
    }
    page_count(out, list->total_count);
    fputs("</small></h2>", out);
    if (list->has_filter && (list->total_count > 5 || list->row_count != list->total_count)) {
        put_filter(page, list);
    }
    if (list->reset_field != NULL && page->view->may_reset && list->total_count > 0) {
        char what[64];
        snprintf(what, sizeof what, "all %s", list->id);
        page_reset_form(page, list->reset_field, "all", what);
    }
    fputs("</div>\n", out);
}

static void put_page_link(const struct page *page, const struct page_list *list, size_t number, const char *text) {
    char value[24];
    snprintf(value, sizeof value, "%zu", number);
    fputs(" <a href=\"", page->out);
    page_link(page, "page", value);
    fprintf(page->out, "#%s\">%s</a>", list->id, text);
}

/* Which rows these are, and the way to the others. */
static void put_foot(const struct page *page, const struct page_list *list, size_t first, size_t end) {
    FILE *out = page->out;
    if (first == 0 && end == list->row_count) {
        return;
    }
    fputs("<p class=\"foot\">", out);
    page_count(out, first + 1);
    fputs("\u2013", out);
    page_count(out, end);
    fputs(" of ", out);
    page_count(out, list->row_count);
    if (!list->is_paged) {
        fputs(" by this order. The others: sort by another column, or read the document with <code>?json</code>.</p>\n",
              out);
        return;
    }
    size_t number = first / PAGE_ROWS + 1, last = (list->row_count + PAGE_ROWS - 1) / PAGE_ROWS;
    if (number > 1) {
        put_page_link(page, list, 1, "First");
        put_page_link(page, list, number - 1, "Previous");
    }
    if (number < last) {
        put_page_link(page, list, number + 1, "Next");
        put_page_link(page, list, last, "Last");
    }
    fputs("</p>\n", out);
}

void page_list(const struct page *page, const struct page_list *list) {
    FILE *out = page->out;
    fprintf(out, "<section id=\"%s\" aria-labelledby=\"%s-title\">\n", list->id, list->id);
    put_head(page, list);
    if (list->row_count == 0) {
        fprintf(out, "<p class=\"empty\">%s</p>\n</section>\n",
                list->total_count == 0 ? list->empty : "None has a name that contains this.");
        return;
    }
    struct order order = order_of(list, page->view->sort);
    if (order.column != NULL) {
        qsort_r(list->rows, list->row_count, sizeof list->rows[0], compare, &order);
    }
    size_t first = 0;
    if (list->is_paged && page->view->page > 1) {
        size_t last = (list->row_count - 1) / PAGE_ROWS;
        first = (page->view->page - 1 < last ? page->view->page - 1 : last) * PAGE_ROWS;
    }
    size_t end = list->row_count - first > PAGE_ROWS ? first + PAGE_ROWS : list->row_count;
    put_rows(page, list, &order, first, end);
    put_foot(page, list, first, end);
    fputs("</section>\n", out);
}
