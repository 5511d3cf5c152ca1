/* What stands above the lists, to be understood at a glance (is all well, how much goes through), and below them, for
 * whoever looks for a cause (every counter and gauge). Pure, any thread. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "stats/page_lists.h"
#include "stats/page_svg.h"
#include "stats/page_values.h"

/* ---- the headline ---- */

struct findings {
    size_t exceeded_hosts, exceeded_users, blocked, failed_origins;
    bool reload_failed;
};

static struct findings find(const struct page *page) {
    const struct stats_snapshot *snapshot = page->snapshot;
    struct findings found = {0};
    for (size_t i = 0; i < snapshot->host_count; i++) {
        found.exceeded_hosts += snapshot->hosts[i].limits.exceeded != STATS_WITHIN;
    }
    for (size_t i = 0; i < snapshot->user_count; i++) {
        found.exceeded_users += snapshot->users[i].limits.exceeded != STATS_WITHIN;
    }
    for (size_t i = 0; i < snapshot->block_count; i++) {
        found.blocked += !snapshot->blocks[i].log_only;
    }
    if (!stats_view_is_narrow(page->view)) {
        for (size_t i = 0; i < snapshot->upstream_count; i++) {
            found.failed_origins += !snapshot->upstreams[i].is_usable;
        }
        const struct stats_reload *reload = &snapshot->server.last_reload;
        found.reload_failed = reload->at_s != 0 && !reload->ok;
    }
    return found;
}

/* "2 hosts exceeded", as a link to the list in the order that has them first. */
static void put_finding(const struct page *page, size_t count, const char *one, const char *many, const char *sort,
                        const char *id, bool *any) {
    if (count == 0) {
        return;
    }
    fputs(*any ? "<span class=\"dot\"> \u00B7 </span><a href=\"" : "<a href=\"", page->out);
    page_link(page, "sort", sort);
    fprintf(page->out, "#%s\">", id);
    page_count(page->out, count);
    fprintf(page->out, " %s</a>", count == 1 ? one : many);
    *any = true;
}

void page_headline(const struct page *page) {
    FILE *out = page->out;
    struct findings found = find(page);
    size_t exceeded = found.exceeded_hosts + found.exceeded_users;
    bool is_bad = exceeded > 0 || found.failed_origins > 0 || found.reload_failed;
    fprintf(out, "<h1 class=\"headline %s\"><span class=\"lamp\" aria-hidden=\"true\"></span><span>",
            is_bad              ? "bad"
            : found.blocked > 0 ? "aware"
                                : "good");
    bool any = false;
    put_finding(page, found.exceeded_hosts, "host exceeded", "hosts exceeded", "hosts.state.desc", "hosts", &any);
    put_finding(page, found.exceeded_users, "user exceeded", "users exceeded", "users.state.desc", "users", &any);
    put_finding(page, found.failed_origins, "origin failed", "origins failed", "origins.state.desc", "origins", &any);
    if (exceeded == 0) {
        fputs(any ? "<span class=\"dot\"> \u00B7 </span>all within limits" : "All within limits", out);
        any = true;
    }
    put_finding(page, found.blocked, "address blocked", "addresses blocked", "blocks.until.desc", "blocks", &any);
    fputs("</span></h1>\n", out);
    if (found.reload_failed) {
        fputs("<p class=\"alert\"><b>The last reload failed</b>, and the configuration before it is in force: ", out);
        page_text(out, page->snapshot->server.last_reload.text);
        fputs("</p>\n", out);
    }
}

/* ---- figures ---- */

static void open_figure(FILE *out, const char *name) {
    fprintf(out, "<div><dt>%s</dt><dd>", name);
}

static void close_figure(FILE *out, const char *unit) {
    fprintf(out, "%s%s%s</dd></div>\n", *unit != '\0' ? " <small>" : "", unit, *unit != '\0' ? "</small>" : "");
}

static void put_chart(const struct page *page, enum page_series series, const char *caption) {
    const struct stats_traffic *traffic = &page->snapshot->server.traffic;
    FILE *out = page->out;
    double peak = page_hour_peak(traffic, series);
    fprintf(out, "<figure><figcaption><b>%s</b><span>peak ", caption);
    if (series == PAGE_SERIES_BYTES) {
        page_speed(out, peak * 8);
    } else {
        page_rate(out, peak);
        fputs("/s", out);
    }
    fputs("</span></figcaption>", out);
    page_svg_hour(out, traffic, series, "chart");
    fputs(
        "<p class=\"axis\" aria-hidden=\"true\"><span>60 min ago</span><span>30</span><span>now</span></p></figure>\n",
        out);
}

static uint64_t counter(const struct page *page, enum counter which) {
    return page->snapshot->server.counters.value[which];
}

void page_figures(const struct page *page) {
    const struct stats_server *server = &page->snapshot->server;
    const struct stats_traffic *traffic = &server->traffic;
    struct page_size_style style = {.unit = page->view->unit};
    FILE *out = page->out;
    fputs("<section id=\"server\" aria-label=\"Server\">\n<dl class=\"figures\">\n", out);
    open_figure(out, "Sending");
    page_speed(out, traffic->rates.bytes_per_s_10 * 8);
    close_figure(out, "");
    open_figure(out, "Requests");
    page_rate(out, traffic->rates.requests_per_s_10);
    close_figure(out, "per second");
    open_figure(out, "Being served");
    page_count(out, counter(page, COUNTER_REQUESTS_ACTIVE));
    close_figure(out, "");
    open_figure(out, "Connections");
    page_count(out, counter(page, COUNTER_CLIENT_CONNECTIONS_OPEN));
    close_figure(out, "open");
    open_figure(out, "Clients");
    page_count(out, server->clients_known);
    close_figure(out, "known");
    open_figure(out, "Sent");
    page_size(out, traffic->totals.value[TALLY_BYTES_OUT], style);
    close_figure(out, "");
    open_figure(out, "Served");
    page_count(out, traffic->totals.value[TALLY_REQUESTS]);
    close_figure(out, "requests");
    open_figure(out, "Up");
    page_duration(out, server->uptime_s);
    close_figure(out, "");
    fputs("</dl>\n<div class=\"charts\">\n", out);
    put_chart(page, PAGE_SERIES_BYTES, "Sent, last hour");
    put_chart(page, PAGE_SERIES_REQUESTS, "Requests, last hour");
    fputs("</div>\n</section>\n", out);
}

/* ---- everything else ---- */

static void put_internal(FILE *out, const char *help, const char *name) {
    fputs("<div title=\"", out);
    page_text(out, name);
    fputs("\"><dt>", out);
    page_text(out, help);
    fputs("</dt><dd>", out);
}

static void put_process(const struct page *page) {
    const struct stats_server *server = &page->snapshot->server;
    FILE *out = page->out;
    put_internal(out, "Started", "started");
    page_time(out, server->started_s);
    fputs("</dd></div>\n", out);
    put_internal(out, "Workers", "workers");
    page_count(out, server->workers);
    fputs("</dd></div>\n", out);
    put_internal(out, "Process", "pid");
    fprintf(out, "%" PRIu64 "</dd></div>\n", server->pid);
    put_internal(out, "Configurations loaded", "generation");
    page_count(out, server->generation);
    fputs("</dd></div>\n", out);
    put_internal(out, "Last reload", "last_reload");
    if (server->last_reload.at_s == 0) {
        fputs("never", out);
    } else {
        page_time(out, server->last_reload.at_s);
        fputs(server->last_reload.ok ? ", good" : ", failed", out);
    }
    fputs("</dd></div>\n", out);
    put_internal(out, "State file", "state_file");
    page_text(out, server->state_file != NULL ? server->state_file : "none: usage is lost at a restart");
    fputs("</dd></div>\n", out);
}

static void put_value(FILE *out, double value, const char *unit) {
    if (strcmp(unit, "bytes") == 0 && value >= 0 && value < 1e18) {
        page_size(out, (uint64_t)value, (struct page_size_style){0});
    } else if (strcmp(unit, "seconds") == 0) {
        page_latency(out, value);
    } else if (isfinite(value) && value >= 0 && value < 1e18 && floor(value) == value) {
        page_count(out, (uint64_t)value);
    } else {
        fprintf(out, "%.4g", value);
    }
}

void page_internals(const struct page *page) {
    const struct stats_server *server = &page->snapshot->server;
    FILE *out = page->out;
    fputs(
        "<section id=\"internals\"><details><summary><h2>Inside the server</h2></summary>\n<dl class=\"internals\">\n",
        out);
    put_process(page);
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        put_internal(out, counter_rows[i].help, counter_rows[i].name);
        put_value(out, (double)server->counters.value[i], counter_rows[i].unit);
        fputs("</dd></div>\n", out);
    }
    for (size_t i = 0; i < server->gauge_count; i++) {
        const struct stats_gauge *gauge = &server->gauges[i];
        put_internal(out, gauge->help, gauge->name);
        put_value(out, gauge->value, gauge->unit);
        fputs("</dd></div>\n", out);
    }
    fputs("</dl></details></section>\n", out);
}
