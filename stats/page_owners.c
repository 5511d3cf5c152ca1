/* Hosts and users on the page: both have limits, so both are the same columns of the same rows. Columns and their
 * meaning are those of mod_cband's page: limit, slice and used, in total and of each class; speed, request rate and
 * connections with their limits; the time until usage is forgotten; the user. Pure, any thread. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats/page_lists.h"
#include "stats/page_svg.h"
#include "stats/page_table.h"
#include "stats/page_values.h"

struct owner {
    const struct stats_traffic *traffic;
    const struct stats_limits *limits;
    const struct stats_host *host; /* one of the two */
    const struct stats_user *user;
};

enum { CLASS_COLUMNS = 4, OWNER_COLUMNS = CLASS_COLUMNS + 11 };

/* ---- name, user, state ---- */

static const char *name_text(const struct page_column *column, const void *row) {
    (void)column;
    return ((const struct owner *)row)->traffic->name;
}

/* Whether a browser can be sent there: what else a configuration calls a host is no address. */
static bool is_host_name(const char *name) {
    return *name != '\0' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-") == strlen(name);
}

/* A name too long for its column is cut off by the style; the pointer shows it all. */
static void put_name(FILE *out, const char *name) {
    enum { LONG = 30 };
    bool is_long = strlen(name) > LONG;
    if (is_long) {
        fputs("<span title=\"", out);
        page_text(out, name);
        fputs("\">", out);
    }
    page_text(out, *name != '\0' ? name : "(no name)");
    fputs(is_long ? "</span>" : "", out);
}

static void print_name(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    const struct owner *owner = row;
    const struct stats_host *host = owner->host;
    FILE *out = page->out;
    const char *name = owner->traffic->name;
    bool is_link = host != NULL && is_host_name(name);
    if (is_link) {
        fprintf(out, "<a rel=\"noreferrer\" href=\"//%s", name);
        if (host->port != 0) {
            fprintf(out, ":%u", host->port);
        }
        fputs("/\">", out);
    }
    put_name(out, name);
    fputs(is_link ? "</a>" : "", out);
    fputs("<small>", out);
    if (host == NULL) {
        fprintf(out, "%zu %s", owner->user->host_count, owner->user->host_count == 1 ? "host" : "hosts");
    } else if (host->is_main) {
        fputs("main server", out);
    } else {
        if (host->port != 0) {
            fprintf(out, "port %u, ", host->port);
        }
        fprintf(out, "line %u", host->line);
    }
    fputs("</small>", out);
}

static const char *user_text(const struct page_column *column, const void *row) {
    (void)column;
    const struct owner *owner = row;
    return owner->host->user != NULL ? owner->host->user : "";
}

static void print_user(const struct page *page, const struct page_column *column, const void *row) {
    const char *user = user_text(column, row);
    page_text(page->out, *user != '\0' ? user : "\u2013");
}

static double state_number(const struct page_column *column, const void *row) {
    (void)column;
    const struct owner *owner = row;
    return (double)owner->limits->exceeded + fmin(0.9, page_quota_share(&owner->limits->quota) / 2);
}

static void print_state(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    const struct owner *owner = row;
    const char *text = stats_exceeded_text(owner->limits->exceeded);
    fprintf(page->out, "<span class=\"state %s\">%s</span>", text, text);
    if (owner->host != NULL && owner->host->dry_run) {
        fputs("<small title=\"CBandDryRun: decisions are logged, and nobody is limited\">dry run</small>", page->out);
    }
}

/* ---- quotas ---- */

static const struct stats_quota *quota_of(const struct page_column *column, const struct owner *owner) {
    if (column->index == SIZE_MAX) {
        return &owner->limits->quota;
    }
    return column->index < owner->limits->class_quota_count ? &owner->limits->class_quotas[column->index] : NULL;
}

/* By the share of what is allowed, so that the next to exceed it come first; then those without a limit, by bytes. */
static double quota_number(const struct page_column *column, const void *row) {
    const struct stats_quota *quota = quota_of(column, row);
    if (quota == NULL) {
        return 0;
    }
    return quota->limit_bytes != 0 ? page_quota_share(quota) + 1e-3 : (double)quota->used_bytes * 1e-23;
}

static void print_quota(const struct page *page, const struct page_column *column, const void *row) {
    const struct stats_quota *quota = quota_of(column, row);
    FILE *out = page->out;
    if (quota == NULL || (quota->limit_bytes == 0 && quota->used_bytes == 0)) {
        fputs("<span class=\"none\">\u2013</span>", out);
        return;
    }
    struct page_size_style style = {.unit = page->view->unit, .in_kib = quota->in_kib};
    fputs("<span class=\"pair\"><b>", out);
    page_size(out, quota->used_bytes, style);
    fputs("</b>", out);
    style.is_limit = true;
    if (quota->limit_bytes == 0) {
        fputs(" <small>no limit</small></span>", out);
        return;
    }
    fputs(" <small>", out);
    if (quota->allowed_bytes != 0 && quota->allowed_bytes < quota->limit_bytes) {
        fputs("<span title=\"slices so far\">", out);
        page_size(out, quota->allowed_bytes, style);
        fputs("</span> / ", out);
    }
    page_size(out, quota->limit_bytes, style);
    fputs("</small></span>", out);
    page_svg_bar(out, quota);
}

/* ---- speeds, requests, connections: what is now over what is allowed ---- */

static void put_allowed(const struct page *page, uint64_t allowed) {
    if (allowed != 0) {
        fputs("<small>of ", page->out);
        page_count(page->out, allowed);
        fputs("</small>", page->out);
    }
}

static double kbps_number(const struct page_column *column, const void *row) {
    (void)column;
    return ((const struct owner *)row)->traffic->rates.bytes_per_s_10;
}

static void print_kbps(const struct page *page, const struct page_column *column, const void *row) {
    const struct owner *owner = row;
    page_kbps(page->out, kbps_number(column, row) * 8);
    uint64_t bits_per_s = owner->limits->speed_in_force.bits_per_s;
    put_allowed(page, bits_per_s != 0 && bits_per_s < 1024 ? 1 : bits_per_s / 1024);
}

static double rps_number(const struct page_column *column, const void *row) {
    (void)column;
    return ((const struct owner *)row)->traffic->rates.requests_per_s_10;
}

static void print_rps(const struct page *page, const struct page_column *column, const void *row) {
    page_rate(page->out, rps_number(column, row));
    put_allowed(page, ((const struct owner *)row)->limits->speed_in_force.requests_per_s);
}

static double connections_number(const struct page_column *column, const void *row) {
    (void)column;
    return (double)((const struct owner *)row)->traffic->connections;
}

static void print_connections(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    const struct owner *owner = row;
    page_count(page->out, owner->traffic->connections);
    put_allowed(page, owner->limits->speed_in_force.connections);
}

static uint64_t sum(const uint64_t counts[SHAPER_REASONS]) {
    uint64_t all = 0;
    for (size_t i = 0; i < SHAPER_REASONS; i++) {
        all += counts[i];
    }
    return all;
}

static double refused_number(const struct page_column *column, const void *row) {
    (void)column;
    return (double)sum(((const struct owner *)row)->traffic->totals.refused);
}

static void print_refused(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    const struct owner *owner = row;
    page_count(page->out, sum(owner->traffic->totals.refused));
    uint64_t delayed = sum(owner->traffic->totals.delayed);
    if (delayed != 0) {
        fputs("<small>", page->out);
        page_count(page->out, delayed);
        fputs(" delayed</small>", page->out);
    }
}

/* ---- time to refresh, the last hour, reset ---- */

static double refresh_number(const struct page_column *column, const void *row) {
    (void)column;
    int64_t end_s = ((const struct owner *)row)->limits->period_end_s;
    return end_s != 0 ? (double)end_s : 0;
}

static void print_refresh(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    const struct stats_limits *limits = ((const struct owner *)row)->limits;
    FILE *out = page->out;
    if (limits->period == PERIOD_NONE) {
        fputs("<span class=\"none\">never</span>", out);
    } else if (limits->period_end_s == 0) {
        fputs("<span class=\"none\" title=\"the period begins with the first request\">not begun</span>", out);
    } else {
        fputs("<span title=\"until ", out);
        page_time(out, limits->period_end_s);
        fputs("\">", out);
        page_duration(out, limits->period_end_s - page->snapshot->server.now_s);
        fputs("</span>", out);
    }
}

static void print_hour(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    page_svg_hour(page->out, ((const struct owner *)row)->traffic, PAGE_SERIES_BYTES, "hour");
}

static void print_reset(const struct page *page, const struct page_column *column, const void *row) {
    (void)column;
    const struct owner *owner = row;
    const char *name = owner->traffic->name;
    page_reset_form(page, owner->host != NULL ? "reset" : "reset_user", owner->host != NULL ? owner->host->key : name,
                    name);
}

/* ---- the lists ---- */

static const struct page_column columns_before[] = {
    {.key = "name", .heading = "Host", .text = name_text, .print = print_name},
    {.key = "user", .heading = "User", .text = user_text, .print = print_user},
    {.key = "state",
     .heading = "State",
     .hint = "What becomes of a request now",
     .number = state_number,
     .print = print_state},
    {.key = "total",
     .heading = "Total",
     .hint = "Used in this period, and slice / limit. Sorted by share.",
     .index = SIZE_MAX,
     .number = quota_number,
     .print = print_quota},
};
static const struct page_column columns_after[] = {
    {.key = "kbps",
     .heading = "kbps",
     .hint = "Sent now, of the limit in force",
     .number = kbps_number,
     .print = print_kbps},
    {.key = "rps",
     .heading = "rps",
     .hint = "Requests a second now, of the limit in force",
     .number = rps_number,
     .print = print_rps},
    {.key = "connections",
     .heading = "Conn.",
     .hint = "Requests being served, of the limit in force",
     .number = connections_number,
     .print = print_connections},
    {.key = "refused",
     .heading = "Refused",
     .hint = "Requests refused or redirected since the start",
     .number = refused_number,
     .print = print_refused},
    {.key = "refresh",
     .heading = "Refresh in",
     .hint = "When the period ends and usage begins at 0 again",
     .number = refresh_number,
     .print = print_refresh},
    {.key = "hour", .heading = "Last hour", .is_unsorted = true, .print = print_hour},
    {.key = "resets", .heading = "Usage", .is_unsorted = true, .print = print_reset},
};
static const char *const class_keys[CLASS_COLUMNS] = {"class1", "class2", "class3", "class4"};

/* A class has a column when any owner has a limit for it: usage alone is in the list of classes. Its name; NULL: no
 * column. */
static const char *limited_class(const struct owner *owners, size_t count, size_t index) {
    for (size_t i = 0; i < count; i++) {
        const struct stats_limits *limits = owners[i].limits;
        if (index < limits->class_quota_count && limits->class_quotas[index].limit_bytes != 0) {
            return limits->class_quotas[index].class_name;
        }
    }
    return NULL;
}

static size_t class_count(const struct owner *owners, size_t count) {
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        most = owners[i].limits->class_quota_count > most ? owners[i].limits->class_quota_count : most;
    }
    return most;
}

static size_t choose_columns(const struct page *page, const struct owner *owners, size_t count, bool of_hosts,
                             struct page_column columns[OWNER_COLUMNS]) {
    size_t n = 0, classes = 0;
    for (size_t i = 0; i < sizeof columns_before / sizeof columns_before[0]; i++) {
        if (of_hosts || strcmp(columns_before[i].key, "user") != 0) {
            columns[n++] = columns_before[i];
        }
    }
    columns[0].heading = of_hosts ? "Host" : "User";
    size_t class_total = class_count(owners, count);
    for (size_t i = 0; i < class_total && classes < CLASS_COLUMNS; i++) {
        const char *name = limited_class(owners, count, i);
        if (name != NULL) {
            columns[n++] = (struct page_column){.key = class_keys[classes++],
                                                .heading = name,
                                                .hint = "Clients of this class: used, and limit. Sorted by share.",
                                                .index = i,
                                                .number = quota_number,
                                                .print = print_quota};
        }
    }
    for (size_t i = 0; i < sizeof columns_after / sizeof columns_after[0]; i++) {
        if (page->view->may_reset || strcmp(columns_after[i].key, "resets") != 0) {
            columns[n++] = columns_after[i];
        }
    }
    return n;
}

static bool passes_filter(const struct page *page, const struct owner *owner) {
    const char *filter = page->view->filter;
    if (owner->host == NULL || filter == NULL || *filter == '\0') {
        return true;
    }
    const char *user = owner->host->user != NULL ? owner->host->user : "";
    return strcasestr(owner->traffic->name, filter) != NULL || strcasestr(user, filter) != NULL;
}

static void put_owners(const struct page *page, const struct owner *owners, size_t count, bool of_hosts) {
    struct page_column columns[OWNER_COLUMNS];
    struct page_list list = {
        .id = of_hosts ? "hosts" : "users",
        .title = of_hosts ? "Hosts" : "Users",
        .empty = of_hosts ? "No host is configured." : "No user is configured: &lt;CBandUser&gt; makes one.",
        .columns = columns,
        .column_count = choose_columns(page, owners, count, of_hosts, columns),
        .rows = must_calloc(count + 1, sizeof *list.rows),
        .total_count = count,
        .has_filter = of_hosts,
        .is_paged = of_hosts,
        .reset_field = of_hosts ? "reset" : "reset_user",
    };
    for (size_t i = 0; i < count; i++) {
        if (passes_filter(page, &owners[i])) {
            list.rows[list.row_count++] = &owners[i];
        }
    }
    page_list(page, &list);
    free(list.rows);
}

void page_hosts(const struct page *page) {
    size_t count = page->snapshot->host_count;
    struct owner *owners = must_calloc(count + 1, sizeof *owners);
    for (size_t i = 0; i < count; i++) {
        const struct stats_host *host = &page->snapshot->hosts[i];
        owners[i] = (struct owner){&host->traffic, &host->limits, host, NULL};
    }
    put_owners(page, owners, count, true);
    free(owners);
}

void page_users(const struct page *page) {
    size_t count = page->snapshot->user_count;
    struct owner *owners = must_calloc(count + 1, sizeof *owners);
    for (size_t i = 0; i < count; i++) {
        const struct stats_user *user = &page->snapshot->users[i];
        owners[i] = (struct owner){&user->traffic, &user->limits, NULL, user};
    }
    put_owners(page, owners, count, false);
    free(owners);
}
