/* Drawing and keys. Called by top.c. Always true: a line is cut at the screen's width, in columns, not bytes; what is
 * drawn went through table_print(), and so holds no control characters. */
#include "ctl/top_screen.h"

#include <curses.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "ctl/units.h"
#include "ctl/view.h"

enum { LINE_SERVER, LINE_TRAFFIC, LINE_KEYS, LINE_TITLES, LINE_ROWS, LINE_MAX = 1024, ESCAPE_WAIT_MS = 50 };

static const struct view *const views[TOP_VIEWS] = {&view_hosts, &view_clients, &view_blocks};
static const char view_keys[TOP_VIEWS] = {'h', 'c', 'b'};

bool top_begin(struct top *top) {
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (screen == NULL) {
        return false;
    }
    for (size_t i = 0; i < TOP_VIEWS; i++) {
        top->order[i].column = views[i]->sorted_by;
    }
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    set_escdelay(ESCAPE_WAIT_MS);
    curs_set(0);
    return true;
}

void top_end(void) {
    endwin();
}

/* ---- drawing ---- */

static void draw_line(int y, const char *text, int attributes) {
    wchar_t wide[LINE_MAX];
    size_t length = mbstowcs(wide, text, LINE_MAX - 1);
    length = length == (size_t)-1 ? 0 : length;
    int columns = 0;
    size_t shown = 0;
    while (shown < length && columns + wcwidth(wide[shown]) <= COLS) {
        columns += wcwidth(wide[shown]);
        shown++;
    }
    attrset(attributes);
    mvaddnwstr(y, 0, wide, (int)shown);
    for (; attributes != 0 && columns < COLS; columns++) {
        addch(' ');
    }
    attrset(0);
}

static void draw_server(const struct top *top) {
    char line[LINE_MAX], uptime[UNIT_TEXT_MAX], clock[16] = "", version[64];
    time_t now = (time_t)view_number(top->document, "server.now");
    struct tm date;
    if (localtime_r(&now, &date) != NULL) {
        strftime(clock, sizeof clock, "%H:%M:%S", &date);
    }
    const char *said = json_string_value(view_value(top->document, "server.version"));
    unit_printable(said != NULL ? said : "?", version, sizeof version);
    unit_duration((int64_t)view_number(top->document, "server.uptime"), uptime);
    snprintf(line, sizeof line, "weir %s   up %s   %s   every %g s%s", version, uptime, clock, top->delay_s,
             top->is_paused ? "   PAUSED" : "");
    draw_line(LINE_SERVER, line, (int)A_BOLD);
}

static void draw_traffic(const struct top *top) {
    char line[LINE_MAX], speed[UNIT_TEXT_MAX], requests[UNIT_TEXT_MAX], memory[UNIT_TEXT_MAX];
    const json_t *document = top->document;
    if (top->problem[0] != '\0') {
        char problem[sizeof top->problem];
        unit_printable(top->problem, problem, sizeof problem);
        draw_line(LINE_TRAFFIC, problem, (int)A_REVERSE);
        return;
    }
    unit_bits_per_s(view_number(document, "server.traffic.rates.bytes_per_second_10"), speed);
    unit_per_s(view_number(document, "server.traffic.rates.requests_per_second_10"), requests);
    unit_bytes(view_number(document, "server.counters.resident_memory_bytes"), memory);
    snprintf(line, sizeof line,
             "%.0f connections   %s requests/s   %s   %zu hosts   %.0f clients   %zu blocks   %s memory",
             view_number(document, "server.counters.client_connections"), requests, speed,
             json_array_size(json_object_get(document, "hosts")), view_number(document, "server.clients_known"),
             json_array_size(json_object_get(document, "blocks")), memory);
    draw_line(LINE_TRAFFIC, line, 0);
}

static void draw_keys(const struct top *top) {
    char line[LINE_MAX];
    const struct view *view = views[top->view];
    snprintf(line, sizeof line,
             "%s by %s%s   h hosts  c clients  b blocks   < > sort  r reverse   space pause  + - delay   q quit",
             view->list, view->columns[top->order[top->view].column].title,
             top->order[top->view].is_reversed ? " (reversed)" : "");
    draw_line(LINE_KEYS, line, 0);
}

/* The text of the table, cut into lines. */
static void draw_table(const struct top *top, char *text) {
    size_t number = 0;
    int y = LINE_TITLES;
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL && y < LINES; line = end + 1, number++) {
        *end = '\0';
        if (number == 0) {
            draw_line(y++, line, (int)A_REVERSE);
        } else if (number > top->first_row) {
            draw_line(y++, line, 0);
        }
    }
}

static size_t row_count(const struct top *top) {
    return json_array_size(json_object_get(top->document, views[top->view]->list));
}

static void draw_rows(const struct top *top) {
    const struct view *view = views[top->view];
    const struct top_order *order = &top->order[top->view];
    char *text = NULL;
    size_t size = 0, count;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return;
    }
    const json_t **sorted =
        view_sort(view, json_object_get(top->document, view->list), order->column, order->is_reversed, &count);
    size_t last = top->first_row + (size_t)(LINES > 0 ? LINES : 0);
    struct table *table =
        view_table(view, sorted, count < last ? count : last, view_number(top->document, "server.now"), false);
    table_print(table, out);
    table_free(&table);
    free((void *)(uintptr_t)sorted);
    if (fclose(out) == 0) {
        draw_table(top, text);
    }
    free(text);
    if (count == 0) {
        draw_line(LINE_ROWS, view->nothing, 0);
    }
}

void top_draw(const struct top *top) {
    erase();
    draw_server(top);
    draw_traffic(top);
    draw_keys(top);
    draw_rows(top);
    refresh();
}

/* ---- keys ---- */

static void show_view(struct top *top, enum top_view view) {
    top->view = view;
    top->first_row = 0;
}

static void sort_by(struct top *top, int step) {
    struct top_order *order = &top->order[top->view];
    size_t count = views[top->view]->column_count;
    order->column = (order->column + count + (size_t)step) % count;
    top->first_row = 0;
}

static void scroll_rows(struct top *top, long rows) {
    long most = (long)row_count(top) - 1, first = (long)top->first_row + rows;
    first = first < most ? first : most;
    top->first_row = first > 0 ? (size_t)first : 0;
}

static void change_delay(struct top *top, double factor) {
    double delay_s = top->delay_s * factor;
    if (delay_s >= 0.1 && delay_s <= 3600) {
        top->delay_s = delay_s;
        top->wants_now = true;
    }
}

static void pause_or_go_on(struct top *top) {
    top->is_paused = !top->is_paused;
    top->wants_now = !top->is_paused;
}

static void obey_letter(struct top *top, int key) {
    for (size_t i = 0; i < TOP_VIEWS; i++) {
        if (key == view_keys[i]) {
            show_view(top, (enum top_view)i);
        }
    }
    switch (key) {
    case '\t':
        show_view(top, (top->view + 1) % TOP_VIEWS);
        break;
    case '<':
        sort_by(top, -1);
        break;
    case '>':
        sort_by(top, 1);
        break;
    case 'r':
        top->order[top->view].is_reversed = !top->order[top->view].is_reversed;
        break;
    case ' ':
    case 'p':
        pause_or_go_on(top);
        break;
    case '+':
        change_delay(top, 2);
        break;
    case '-':
        change_delay(top, 0.5);
        break;
    case 'q':
        top->is_done = true;
        break;
    default:
        break;
    }
}

void top_wait_for_key(struct top *top, int wait_ms) {
    timeout(wait_ms);
    int key = getch();
    long page = LINES > LINE_ROWS + 1 ? LINES - LINE_ROWS - 1 : 1;
    switch (key) {
    case KEY_DOWN:
        scroll_rows(top, 1);
        break;
    case KEY_UP:
        scroll_rows(top, -1);
        break;
    case KEY_NPAGE:
        scroll_rows(top, page);
        break;
    case KEY_PPAGE:
        scroll_rows(top, -page);
        break;
    case KEY_LEFT:
        sort_by(top, -1);
        break;
    case KEY_RIGHT:
        sort_by(top, 1);
        break;
    default:
        obey_letter(top, key);
        break;
    }
}
