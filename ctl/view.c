/* Views. Called by the commands (view by view) and the screen. */
#include "ctl/view.h"

#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "ctl/units.h"

/* What the lists of hosts, users and classes have in common. */
#define COLUMN(title, path, unit)                                                                                      \
    { title, path, unit }
#define NAME_COLUMN COLUMN("NAME", "name", VIEW_TEXT)
#define SPEED_COLUMNS                                                                                                  \
    COLUMN("SPEED", "traffic.rates.bytes_per_second_10", VIEW_BYTES_PER_S),                                            \
        COLUMN("REQ/S", "traffic.rates.requests_per_second_10", VIEW_PER_S)
#define CONNECTIONS_COLUMN COLUMN("CONN", "usages.connections", VIEW_COUNT)
#define TRAFFIC_COLUMNS                                                                                                \
    COLUMN("SENT", "traffic.bytes_out", VIEW_BYTES), COLUMN("RECEIVED", "traffic.bytes_in", VIEW_BYTES),               \
        COLUMN("REQUESTS", "traffic.requests", VIEW_COUNT), COLUMN("REFUSED", "traffic.refused.total", VIEW_COUNT),    \
        COLUMN("DELAYED", "traffic.delayed.total", VIEW_COUNT)
#define QUOTA_COLUMNS                                                                                                  \
    COLUMN("USED", "usages.total", VIEW_BYTES), COLUMN("LIMIT", "limits.total", VIEW_LIMIT),                           \
        COLUMN("STATE", "exceeded", VIEW_TEXT)

static const struct view_column host_columns[] = {
    NAME_COLUMN, COLUMN("USER", "user", VIEW_TEXT), SPEED_COLUMNS, CONNECTIONS_COLUMN, TRAFFIC_COLUMNS, QUOTA_COLUMNS,
};
static const struct view_column user_columns[] = {
    NAME_COLUMN, SPEED_COLUMNS, CONNECTIONS_COLUMN, TRAFFIC_COLUMNS, QUOTA_COLUMNS,
};
static const struct view_column class_columns[] = {NAME_COLUMN, SPEED_COLUMNS, TRAFFIC_COLUMNS};
static const struct view_column client_columns[] = {
    {"ADDRESS", "address", VIEW_TEXT},    {"HOST", "virtualhost", VIEW_TEXT},  {"SPEED", "kbps", VIEW_KBPS},
    {"REQ/S", "rps", VIEW_PER_S},         {"CONN", "connections", VIEW_COUNT}, {"SENT", "bytes_out", VIEW_BYTES},
    {"REQUESTS", "requests", VIEW_COUNT}, {"REFUSED", "refused", VIEW_COUNT},  {"DELAYED", "delayed", VIEW_COUNT},
    {"USED", "quota_used", VIEW_BYTES},   {"LAST", "last_seen", VIEW_AGE},     {"BLOCKED", "blocked", VIEW_FLAG},
};
static const struct view_column block_columns[] = {
    {"ADDRESS", "address", VIEW_TEXT},   {"REASON", "reason", VIEW_TEXT},        {"HOST", "virtualhost", VIEW_TEXT},
    {"AGE", "began", VIEW_AGE},          {"LEFT", "seconds_left", VIEW_SECONDS}, {"REFUSED", "refused", VIEW_COUNT},
    {"LOG ONLY", "log_only", VIEW_FLAG},
};

#define COLUMNS(columns) (columns), sizeof(columns) / sizeof(columns)[0]
const struct view view_hosts = {"hosts", COLUMNS(host_columns), 2, "There is no host."};
const struct view view_users = {"users", COLUMNS(user_columns), 1, "No user is configured."};
const struct view view_classes = {"classes", COLUMNS(class_columns), 1, "No class is configured."};
const struct view view_clients = {"clients", COLUMNS(client_columns), 2, "No client is known."};
const struct view view_blocks = {"blocks", COLUMNS(block_columns), 5, "Nobody is blocked."};

/* ---- values ---- */

const json_t *view_value(const json_t *item, const char *path) {
    while (item != NULL) {
        size_t length = strcspn(path, ".");
        char key[64];
        if (length >= sizeof key) {
            return NULL;
        }
        memcpy(key, path, length);
        key[length] = '\0';
        item = json_object_get(item, key);
        if (path[length] == '\0') {
            return item;
        }
        path += length + 1;
    }
    return NULL;
}

double view_number(const json_t *item, const char *path) {
    const json_t *value = view_value(item, path);
    return json_is_true(value) ? 1 : json_number_value(value); /* of what is no number: 0 */
}

static const char *text_of(const json_t *item, const char *path) {
    const char *text = json_string_value(view_value(item, path));
    return text != NULL ? text : "";
}

/* ---- order ---- */

struct order {
    const struct view_column *column;
    bool is_reversed;
};

static int compare(const void *left, const void *right, void *context) {
    const json_t *a = *(const json_t *const *)left, *b = *(const json_t *const *)right;
    const struct order *order = context;
    int result;
    if (order->column->unit == VIEW_TEXT) {
        result = strcmp(text_of(a, order->column->path), text_of(b, order->column->path));
    } else {
        double first = view_number(a, order->column->path), second = view_number(b, order->column->path);
        result = (first < second) - (first > second);
    }
    return order->is_reversed ? -result : result;
}

const json_t **view_sort(const struct view *view, const json_t *items, size_t column, bool is_reversed, size_t *count) {
    *count = json_array_size(items);
    const json_t **sorted = must_calloc(*count + 1, sizeof *sorted);
    for (size_t i = 0; i < *count; i++) {
        sorted[i] = json_array_get(items, i);
    }
    /* By name first, so that what is equal keeps its place on the screen: glibc's qsort_r is a merge sort. */
    struct order by_name = {&view->columns[0], false};
    struct order order = {&view->columns[column < view->column_count ? column : 0], is_reversed};
    qsort_r(sorted, *count, sizeof *sorted, compare, &by_name);
    qsort_r(sorted, *count, sizeof *sorted, compare, &order);
    return sorted;
}

/* ---- cells ---- */

static void put_plain(struct table *table, const struct view_column *column, const json_t *item) {
    char text[64];
    const json_t *value = view_value(item, column->path);
    if (json_is_string(value)) {
        table_put(table, json_string_value(value), false);
        return;
    }
    if (json_is_real(value)) {
        snprintf(text, sizeof text, "%.10g", json_real_value(value));
    } else {
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT,
                 json_is_true(value) ? (json_int_t)1 : json_integer_value(value));
    }
    table_put(table, json_is_null(value) || value == NULL ? "" : text, true);
}

static void put_readable(struct table *table, const struct view_column *column, const json_t *item, double now_s) {
    char text[UNIT_TEXT_MAX] = "";
    double number = view_number(item, column->path);
    switch (column->unit) {
    case VIEW_TEXT:
        table_put(table, text_of(item, column->path), false);
        return;
    case VIEW_FLAG:
        table_put(table, number > 0 ? "yes" : "", false);
        return;
    case VIEW_COUNT:
        snprintf(text, sizeof text, "%.0f", number);
        break;
    case VIEW_BYTES:
        unit_bytes(number, text);
        break;
    case VIEW_LIMIT:
        unit_bytes(number, text);
        break;
    case VIEW_BYTES_PER_S:
        unit_bits_per_s(number, text);
        break;
    case VIEW_KBPS:
        unit_bits_per_s(number * 128, text);
        break;
    case VIEW_PER_S:
        unit_per_s(number, text);
        break;
    case VIEW_SECONDS:
        unit_duration((int64_t)number, text);
        break;
    case VIEW_AGE:
        unit_duration((int64_t)(now_s - number), text);
        break;
    }
    table_put(table, column->unit == VIEW_LIMIT && number <= 0 ? "-" : text, true);
}

static void put_titles(struct table *table, const struct view *view, bool is_csv) {
    for (size_t i = 0; i < view->column_count; i++) {
        const struct view_column *column = &view->columns[i];
        bool is_number = column->unit != VIEW_TEXT && column->unit != VIEW_FLAG;
        char name[64];
        snprintf(name, sizeof name, "%s", is_csv ? column->path : column->title);
        for (char *point = name; is_csv && (point = strchr(point, '.')) != NULL;) {
            *point = '_';
        }
        table_put(table, name, is_number);
    }
}

struct table *view_table(const struct view *view, const json_t *const *items, size_t count, double now_s, bool is_csv) {
    struct table *table = table_new(view->column_count);
    put_titles(table, view, is_csv);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < view->column_count; k++) {
            if (is_csv) {
                put_plain(table, &view->columns[k], items[i]);
            } else {
                put_readable(table, &view->columns[k], items[i], now_s);
            }
        }
    }
    return table;
}
