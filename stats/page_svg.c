/* Bars and curves for stats/page*.c. Everything is drawn in whole units of a small view box that the style stretches,
 * so that a curve of an hour is about 400 bytes. Pure, any thread. */
#include "stats/page_svg.h"

#include <inttypes.h>
#include <math.h>

#include "stats/page_values.h"

enum { HEIGHT = 24, COLOUR_STEPS = 10 };

double page_quota_share(const struct stats_quota *quota) {
    if (quota->limit_bytes == 0) {
        return 0;
    }
    uint64_t allowed = quota->allowed_bytes != 0 ? quota->allowed_bytes : quota->limit_bytes;
    return (double)quota->used_bytes / (double)allowed;
}

void page_svg_bar(FILE *out, const struct stats_quota *quota) {
    double limit = (double)quota->limit_bytes;
    double filled = fmin(1, (double)quota->used_bytes / limit) * 100;
    int colour = (int)floor(fmin(1, page_quota_share(quota)) * COLOUR_STEPS);
    fprintf(out,
            "<svg class=\"bar u%d\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
            "<rect class=\"track\" width=\"100\" height=\"6\"/><rect class=\"fill\" width=\"%.2f\" height=\"6\"/>",
            quota->is_exceeded ? COLOUR_STEPS : colour, filled);
    if (quota->allowed_bytes != 0 && quota->allowed_bytes < quota->limit_bytes) {
        fprintf(out, "<path class=\"slice\" d=\"M%.2f 0v6\"/>", (double)quota->allowed_bytes / limit * 100);
    }
    fputs("</svg>", out);
}

/* ---- the last hour ---- */

/* Per second, the oldest first. The minute under way is not over: the mean of the last 60 s stands for it, or every
 * curve would end in a fall. */
static double hour_value(const struct stats_traffic *traffic, enum page_series series, size_t minute) {
    bool of_bytes = series == PAGE_SERIES_BYTES;
    if (minute == LEDGER_MINUTES - 1) {
        double rate = of_bytes ? traffic->rates.bytes_per_s_60 : traffic->rates.requests_per_s_60;
        return isfinite(rate) && rate > 0 ? rate : 0;
    }
    if (traffic->last_hour == NULL) {
        return 0;
    }
    const struct ledger_minute *counted = &traffic->last_hour[minute];
    return (double)(of_bytes ? counted->bytes_out : counted->requests) / 60;
}

double page_hour_peak(const struct stats_traffic *traffic, enum page_series series) {
    double peak = 0;
    for (size_t i = 0; i < LEDGER_MINUTES; i++) {
        peak = fmax(peak, hour_value(traffic, series, i));
    }
    return peak;
}

static void put_curve(FILE *out, const struct stats_traffic *traffic, enum page_series series, double peak) {
    double most = HEIGHT - 2; /* room for the line's width */
    for (size_t i = 0; i < LEDGER_MINUTES; i++) {
        double height = peak > 0 ? hour_value(traffic, series, i) / peak * most : 0;
        fprintf(out, "%s%zu %.3g", i == 0 ? "" : "L", i, HEIGHT - 1 - height);
    }
}

void page_svg_hour(FILE *out, const struct stats_traffic *traffic, enum page_series series, const char *css_class) {
    double peak = page_hour_peak(traffic, series);
    fprintf(out,
            "<svg class=\"%s\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\"><title>%s, last hour: ",
            css_class, LEDGER_MINUTES - 1, HEIGHT, series == PAGE_SERIES_BYTES ? "Sent" : "Requests");
    if (peak <= 0) {
        fprintf(out, "nothing</title><path class=\"flat\" d=\"M0 %dH%d\"/></svg>", HEIGHT - 1, LEDGER_MINUTES - 1);
        return;
    }
    fputs("at most ", out);
    if (series == PAGE_SERIES_BYTES) {
        page_speed(out, peak * 8);
    } else {
        page_rate(out, peak);
        fputs(" a second", out);
    }
    fprintf(out, "</title><path class=\"area\" d=\"M0 %dL", HEIGHT);
    put_curve(out, traffic, series, peak);
    fprintf(out, "V%dZ\"/><path class=\"line\" d=\"M", HEIGHT);
    put_curve(out, traffic, series, peak);
    fputs("\"/></svg>", out);
}

/* ---- an origin's times ---- */

void page_svg_latency(FILE *out, const struct stats_upstream *upstream) {
    uint64_t most = 0;
    for (size_t i = 0; i < STATS_LATENCY_BUCKETS; i++) {
        most = upstream->first_byte[i] > most ? upstream->first_byte[i] : most;
    }
    fprintf(out,
            "<svg class=\"times\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
            "<path class=\"flat\" d=\"M0 %dH%d\"/>",
            STATS_LATENCY_BUCKETS * 4, HEIGHT, HEIGHT - 1, STATS_LATENCY_BUCKETS * 4);
    for (size_t i = 0; i < STATS_LATENCY_BUCKETS; i++) {
        if (upstream->first_byte[i] == 0) {
            continue;
        }
        /* By the root: a few slow ones must be seen beside thousands of fast ones. */
        double height = fmax(2, sqrt((double)upstream->first_byte[i] / (double)most) * (HEIGHT - 2));
        fprintf(out, "<rect x=\"%zu\" y=\"%.3g\" width=\"3\" height=\"%.3g\"/>", i * 4, HEIGHT - 1 - height, height);
    }
    fputs("</svg>", out);
}
