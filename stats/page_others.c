/* Classes, clients, blocks and origins on the page. Pure, any thread. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "stats/page_lists.h"
#include "stats/page_svg.h"
#include "stats/page_table.h"
#include "stats/page_values.h"

/* The functions of a column whose cell is the number that it is sorted by. */
#define NUMBER(type, function, expression)                                                                             \
    static double function(const struct page_column *column, const void *row) {                                        \
        (void)column;                                                                                                  \
        const struct type *it = row;                                                                                   \
        return (double)(expression);                                                                                   \
    }
#define TEXT(type, function, expression)                                                                               \
    static const char *function(const struct page_column *column, const void *row) {                                   \
        (void)column;                                                                                                  \
        const struct type *it = row;                                                                                   \
        return (expression);                                                                                           \
    }

static void print_text(const struct page *page, const struct page_column *column, const void *row) {
    const char *text = column->text(column, row);
    page_text(page->out, *text != '\0' ? text : "\u2013");
}

static void print_count(const struct page *page, const struct page_column *column, const void *row) {
    page_count(page->out, (uint64_t)column->number(column, row));
}

static void print_size(const struct page *page, const struct page_column *column, const void *row) {
    struct page_size_style style = {.unit = page->view->unit};
    page_size(page->out, (uint64_t)column->number(column, row), style);
}

static void print_kbps(const struct page *page, const struct page_column *column, const void *row) {
    page_kbps(page->out, column->number(column, row) * 8);
}

static void print_rate(const struct page *page, const struct page_column *column, const void *row) {
    page_rate(page->out, column->number(column, row));
}

/* Rows of one array, all of them. */
static void put_list(const struct page *page, struct page_list *list, const void *array, size_t size, size_t count) {
    list->rows = must_calloc(count + 1, sizeof *list->rows);
    for (size_t i = 0; i < count; i++) {
        list->rows[i] = (const char *)array + i * size;
    }
    list->row_count = list->total_count = count;
    page_list(page, list);
    free(list->rows);
}

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* ---- classes of clients ---- */

static uint64_t sum(const uint64_t counts[SHAPER_REASONS]) {
    uint64_t all = 0;
    for (size_t i = 0; i < SHAPER_REASONS; i++) {
        all += counts[i];
    }
    return all;
}

TEXT(stats_class, class_name, it->traffic.name)
NUMBER(stats_class, class_prefixes, it->prefix_count)
NUMBER(stats_class, class_out, it->traffic.totals.value[TALLY_BYTES_OUT])
NUMBER(stats_class, class_in, it->traffic.totals.value[TALLY_BYTES_IN])
NUMBER(stats_class, class_requests, it->traffic.totals.value[TALLY_REQUESTS])
NUMBER(stats_class, class_refused, sum(it->traffic.totals.refused))
NUMBER(stats_class, class_kbps, it->traffic.rates.bytes_per_s_10)
NUMBER(stats_class, class_rps, it->traffic.rates.requests_per_s_10)

static void print_prefixes(const struct page *page, const struct page_column *column, const void *row) {
    enum { SHOWN = 3 };
    (void)column;
    const struct stats_class *it = row;
    for (size_t i = 0; i < it->prefix_count && i < SHOWN; i++) {
        fputs(i > 0 ? ", " : "", page->out);
        page_text(page->out, it->prefixes[i]);
    }
    if (it->prefix_count > SHOWN) {
        fprintf(page->out, " and %zu more", it->prefix_count - SHOWN);
    }
}

static void print_class_hour(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    page_svg_hour(page->out, &((const struct stats_class *)row)->traffic, PAGE_SERIES_BYTES, "hour");
}

void page_classes(const struct page *page) {
    static const struct page_column columns[] = {
        {.key = "name", .heading = "Class", .text = class_name, .print = print_text},
        {.key = "prefixes", .heading = "Addresses", .number = class_prefixes, .print = print_prefixes},
        {.key = "out", .heading = "Sent", .hint = "Since the start", .number = class_out, .print = print_size},
        {.key = "in", .heading = "Received", .hint = "Since the start", .number = class_in, .print = print_size},
        {.key = "requests", .heading = "Requests", .number = class_requests, .print = print_count},
        {.key = "refused", .heading = "Refused", .number = class_refused, .print = print_count},
        {.key = "kbps", .heading = "kbps", .hint = "Sent now", .number = class_kbps, .print = print_kbps},
        {.key = "rps", .heading = "rps", .hint = "Requests a second now", .number = class_rps, .print = print_rate},
        {.key = "hour", .heading = "Last hour", .is_unsorted = true, .print = print_class_hour},
    };
    struct page_list list = {.id = "classes",
                             .title = "Classes of clients",
                             .empty = "No class is configured.",
                             .columns = columns,
                             .column_count = COUNT_OF(columns)};
    put_list(page, &list, page->snapshot->classes, sizeof *page->snapshot->classes, page->snapshot->class_count);
}

/* ---- clients ---- */

TEXT(stats_client, client_address, it->address)
TEXT(stats_client, client_host, it->host != NULL ? it->host : "")
NUMBER(stats_client, client_blocked, it->is_blocked)
NUMBER(stats_client, client_out, it->bytes_out)
NUMBER(stats_client, client_requests, it->requests)
NUMBER(stats_client, client_refused, it->refused)
NUMBER(stats_client, client_delayed, it->delayed)
NUMBER(stats_client, client_kbps, it->bytes_per_s)
NUMBER(stats_client, client_rps, it->requests_per_s)
NUMBER(stats_client, client_connections, it->connections)
NUMBER(stats_client, client_seen, it->last_seen_s)

static void print_blocked(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    bool is_blocked = ((const struct stats_client *)row)->is_blocked;
    fputs(is_blocked ? "<span class=\"state refused\">blocked</span>" : "<span class=\"none\">\u2013</span>",
          page->out);
}

static void print_client_connections(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    const struct stats_client *it = row;
    page_count(page->out, it->connections);
    fputs("<small>", page->out); /* there even when empty: numbers stand under numbers */
    if (it->connection_limit != 0) {
        fputs("of ", page->out);
        page_count(page->out, it->connection_limit);
    }
    fputs("</small>", page->out);
}

static void print_seen(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    const struct stats_client *it = row;
    fputs("<span title=\"first seen ", page->out);
    page_time(page->out, it->first_seen_s);
    fputs("\">", page->out);
    page_age(page->out, page->snapshot->server.now_s - it->last_seen_s);
    fputs("</span>", page->out);
}

static int by_bytes(const void *left, const void *right) {
    const struct stats_client *a = left, *b = right;
    return (a->bytes_out < b->bytes_out) - (a->bytes_out > b->bytes_out);
}

void page_clients(const struct page *page) {
    static const struct page_column columns[] = {
        {.key = "address", .heading = "Client", .text = client_address, .print = print_text},
        {.key = "host", .heading = "Host", .text = client_host, .print = print_text},
        {.key = "blocked", .heading = "State", .number = client_blocked, .print = print_blocked},
        {.key = "out", .heading = "Sent", .number = client_out, .print = print_size},
        {.key = "requests", .heading = "Requests", .number = client_requests, .print = print_count},
        {.key = "refused", .heading = "Refused", .number = client_refused, .print = print_count},
        {.key = "delayed", .heading = "Delayed", .number = client_delayed, .print = print_count},
        {.key = "kbps", .heading = "kbps", .hint = "Sent now", .number = client_kbps, .print = print_kbps},
        {.key = "rps", .heading = "rps", .hint = "Requests a second now", .number = client_rps, .print = print_rate},
        {.key = "connections",
         .heading = "Conn.",
         .hint = "Requests being served, of the client's limit",
         .number = client_connections,
         .print = print_client_connections},
        {.key = "seen", .heading = "Last seen", .hint = "How long ago", .number = client_seen, .print = print_seen},
    };
    struct page_list list = {.id = "clients",
                             .title = "Top clients",
                             .empty = "No client has been seen.",
                             .columns = columns,
                             .column_count = COUNT_OF(columns)};
    size_t count = page->snapshot->client_count;
    struct stats_client *clients = must_calloc(count + 1, sizeof *clients);
    if (count > 0) {
        memcpy(clients, page->snapshot->clients, count * sizeof *clients);
        qsort(clients, count, sizeof *clients, by_bytes);
    }
    put_list(page, &list, clients, sizeof *clients, count);
    free(clients);
}

/* ---- blocks ---- */

TEXT(stats_block, block_address, it->address)
TEXT(stats_block, block_reason, it->reason)
TEXT(stats_block, block_host, it->host != NULL ? it->host : "")
NUMBER(stats_block, block_began, it->began_s)
NUMBER(stats_block, block_until, it->until_s)
NUMBER(stats_block, block_refused, it->refused)

static void print_block_reason(const struct page *page, const struct page_column *column, const void *row) {
    const struct stats_block *it = row;
    print_text(page, column, row);
    if (it->log_only) {
        fputs("<small title=\"DOSLogOnly: nothing is refused\">logged only</small>", page->out);
    }
}

static void print_began(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    page_time(page->out, ((const struct stats_block *)row)->began_s);
}

static void print_until(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    page_duration(page->out, ((const struct stats_block *)row)->until_s - page->snapshot->server.now_s);
}

void page_blocks(const struct page *page) {
    static const struct page_column columns[] = {
        {.key = "address", .heading = "Address", .text = block_address, .print = print_text},
        {.key = "reason", .heading = "Reason", .text = block_reason, .print = print_block_reason},
        {.key = "host", .heading = "Begun at", .text = block_host, .print = print_text},
        {.key = "began", .heading = "Since", .number = block_began, .print = print_began},
        {.key = "until", .heading = "Ends in", .number = block_until, .print = print_until},
        {.key = "refused",
         .heading = "Refused",
         .hint = "Requests and connections",
         .number = block_refused,
         .print = print_count},
    };
    struct page_list list = {.id = "blocks",
                             .title = "Blocked addresses",
                             .empty = "Nobody is blocked.",
                             .columns = columns,
                             .column_count = COUNT_OF(columns)};
    put_list(page, &list, page->snapshot->blocks, sizeof *page->snapshot->blocks, page->snapshot->block_count);
}

/* ---- origins ---- */

TEXT(stats_upstream, origin_name, it->name)
TEXT(stats_upstream, origin_balancer, it->balancer != NULL ? it->balancer : "")
NUMBER(stats_upstream, origin_failed, !it->is_usable)
NUMBER(stats_upstream, origin_in_flight, it->in_flight)
NUMBER(stats_upstream, origin_connections, it->connections)
NUMBER(stats_upstream, origin_requests, it->requests)
NUMBER(stats_upstream, origin_failures, it->failures)

static uint64_t answers(const struct stats_upstream *it) {
    uint64_t all = 0;
    for (size_t i = 0; i < STATS_LATENCY_BUCKETS; i++) {
        all += it->first_byte[i];
    }
    return all;
}

static double origin_mean(const struct page_column *column, const void *row) {
    (void)column;
    const struct stats_upstream *it = row;
    uint64_t count = answers(it);
    return count > 0 ? it->first_byte_sum_s / (double)count : -1;
}

/* The upper end of the bucket that 95 % do not go beyond. */
static double origin_slow(const struct page_column *column, const void *row) {
    (void)column;
    const struct stats_upstream *it = row;
    double wanted = (double)answers(it) * 0.95, sum_so_far = 0;
    for (size_t i = 0; i < STATS_LATENCY_BUCKETS && wanted > 0; i++) {
        sum_so_far += (double)it->first_byte[i];
        if (sum_so_far >= wanted) {
            return isfinite(stats_latency_bounds_s[i]) ? stats_latency_bounds_s[i] : 1e9;
        }
    }
    return -1;
}

static void print_usable(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    bool is_usable = ((const struct stats_upstream *)row)->is_usable;
    fputs(is_usable ? "<span class=\"state within\">usable</span>" : "<span class=\"state refused\">failed</span>",
          page->out);
}

static void print_mean(const struct page *page, const struct page_column *column, const void *row) {
    page_latency(page->out, column->number(column, row));
}

static void print_slow(const struct page *page, const struct page_column *column, const void *row) {
    double bound = column->number(column, row);
    if (bound >= 1e9) {
        fputs("&gt;\u00A060\u00A0s", page->out);
        return;
    }
    fputs(bound < 0 ? "" : "\u2264\u00A0", page->out);
    page_latency(page->out, bound);
}

static void print_times(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    page_svg_latency(page->out, row);
}

void page_origins(const struct page *page) {
    static const struct page_column columns[] = {
        {.key = "name", .heading = "Origin", .text = origin_name, .print = print_text},
        {.key = "balancer", .heading = "Balancer", .text = origin_balancer, .print = print_text},
        {.key = "state", .heading = "State", .number = origin_failed, .print = print_usable},
        {.key = "flight", .heading = "In flight", .number = origin_in_flight, .print = print_count},
        {.key = "connections",
         .heading = "Connects",
         .hint = "Connections made since the start",
         .number = origin_connections,
         .print = print_count},
        {.key = "requests", .heading = "Requests", .number = origin_requests, .print = print_count},
        {.key = "failures", .heading = "Failures", .number = origin_failures, .print = print_count},
        {.key = "mean",
         .heading = "First byte",
         .hint = "Mean time to the first byte",
         .number = origin_mean,
         .print = print_mean},
        {.key = "slow",
         .heading = "95 %",
         .hint = "Of all first bytes, 95 % came within",
         .number = origin_slow,
         .print = print_slow},
        {.key = "times", .heading = "1 ms to 60 s", .is_unsorted = true, .print = print_times},
    };
    struct page_list list = {.id = "origins",
                             .title = "Origins",
                             .empty = "No origin has been used.",
                             .columns = columns,
                             .column_count = COUNT_OF(columns)};
    put_list(page, &list, page->snapshot->upstreams, sizeof *page->snapshot->upstreams, page->snapshot->upstream_count);
}
