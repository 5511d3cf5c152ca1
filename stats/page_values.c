/* Formatting for stats/page*.c; nothing here knows what a number means. Pure, any thread. */
#include "stats/page_values.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "proxy/utf8.h"

/* U+FFFE and U+FFFF are no characters; the rest is written to the left of what follows it, or breaks the line: with
 * these a name could pretend to be another. All are in the three bytes from U+0800 to U+FFFF, but for U+061C. */
static bool misleads(const char *text, size_t bytes) {
    if (bytes == 2) {
        return memcmp(text, "\u061C", 2) == 0;
    }
    if (bytes != 3) {
        return false;
    }
    bool is_mark = memcmp(text, "\u200E", 3) == 0 || memcmp(text, "\u200F", 3) == 0;
    bool turns_or_breaks = memcmp(text, "\u2028", 3) >= 0 && memcmp(text, "\u202E", 3) <= 0;
    bool isolates = memcmp(text, "\u2066", 3) >= 0 && memcmp(text, "\u2069", 3) <= 0;
    return is_mark || turns_or_breaks || isolates || memcmp(text, "\xef\xbf\xbe", 3) >= 0;
}

static const char *entity_of(char character) {
    switch (character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void page_text(FILE *out, const char *text) {
    size_t left = strlen(text);
    while (left > 0) {
        size_t bytes = utf8_printable(text, left);
        const char *entity = entity_of(*text);
        if (entity != NULL) {
            fputs(entity, out);
        } else if (bytes > 0 && !misleads(text, bytes)) {
            fwrite(text, 1, bytes, out);
        } else {
            fputs("\uFFFD", out);
        }
        bytes = bytes > 0 ? bytes : 1;
        text += bytes;
        left -= bytes;
    }
}

void page_query_text(FILE *out, const char *text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL) {
            fputc(*text, out);
        } else {
            fprintf(out, "%%%02X", (unsigned)(unsigned char)*text);
        }
    }
}

/* Digits in groups of three, with a narrow space that does not break. */
static void put_grouped(FILE *out, const char *digits) {
    size_t whole = strcspn(digits, ".");
    for (size_t i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0) {
            fputs("\u202F", out);
        }
        fputc(digits[i], out);
    }
    fputs(digits + whole, out);
}

void page_count(FILE *out, uint64_t count) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, count);
    put_grouped(out, digits);
}

static void put_decimal(FILE *out, double value, int decimals, bool trimmed) {
    char digits[400];
    snprintf(digits, sizeof digits, "%.*f", decimals, value);
    if (trimmed && decimals > 0) {
        size_t length = strlen(digits);
        while (digits[length - 1] == '0') {
            digits[--length] = '\0';
        }
        if (digits[length - 1] == '.') {
            digits[length - 1] = '\0';
        }
    }
    put_grouped(out, digits);
}

/* Decimals with which a value has three digits that count. */
static int three_digits(double value) {
    return value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
}

void page_size(FILE *out, uint64_t bytes, struct page_size_style style) {
    static const char *const units[2][6] = {{"B", "KB", "MB", "GB", "TB", "PB"},
                                            {"B", "KiB", "MiB", "GiB", "TiB", "PiB"}};
    double factor = style.in_kib ? 1024 : 1000;
    double value = (double)bytes;
    size_t unit = 0;
    if (style.unit != STATS_UNIT_AUTO) {
        unit = style.unit == STATS_UNIT_K ? 1 : style.unit == STATS_UNIT_M ? 2 : 3;
        value /= pow(factor, (double)unit);
        put_decimal(out, value, 2, style.is_limit);
    } else {
        while (value >= 999.5 && unit + 1 < sizeof units[0] / sizeof units[0][0]) {
            value /= factor;
            unit++;
        }
        put_decimal(out, value, unit == 0 ? 0 : three_digits(value), style.is_limit);
    }
    fprintf(out, "\u00A0%s", units[style.in_kib][unit]);
}

void page_rate(FILE *out, double per_s) {
    if (!isfinite(per_s) || per_s < 0.005) {
        fputc('0', out);
        return;
    }
    put_decimal(out, per_s, per_s < 0.095 ? 2 : per_s < 99.95 ? 1 : 0, false);
}

void page_kbps(FILE *out, double bits_per_s) {
    double kbps = bits_per_s / 1024;
    if (!isfinite(kbps) || kbps < 0.05) {
        fputc('0', out);
        return;
    }
    put_decimal(out, kbps, kbps < 9.95 ? 1 : 0, false);
}

void page_speed(FILE *out, double bits_per_s) {
    static const char *const units[] = {"kbps", "Mbps", "Gbps", "Tbps"};
    double value = isfinite(bits_per_s) && bits_per_s > 0 ? bits_per_s / 1024 : 0;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    put_decimal(out, value, value == 0 ? 0 : three_digits(value), false);
    fprintf(out, "\u00A0%s", units[unit]);
}

void page_duration(FILE *out, int64_t seconds) {
    enum { DAY_S = 86400, HOUR_S = 3600, MINUTE_S = 60 };
    int64_t left = seconds < 0 ? 0 : seconds;
    int hours = (int)(left % DAY_S / HOUR_S), minutes = (int)(left % HOUR_S / MINUTE_S);
    if (left >= DAY_S) {
        fprintf(out, "%" PRId64 "d\u00A0%02d:%02d", left / DAY_S, hours, minutes);
    } else {
        fprintf(out, "%02d:%02d:%02d", hours, minutes, (int)(left % MINUTE_S));
    }
}

void page_age(FILE *out, int64_t seconds) {
    static const struct {
        int64_t below_s, divisor;
        const char *unit;
    } steps[] = {{120, 1, "s"}, {7200, 60, "min"}, {172800, 3600, "h"}, {INT64_MAX, 86400, "d"}};
    if (seconds < 1) {
        fputs("now", out);
        return;
    }
    size_t step = 0;
    while (seconds >= steps[step].below_s && steps[step].below_s != INT64_MAX) {
        step++;
    }
    fprintf(out, "%" PRId64 "\u00A0%s", seconds / steps[step].divisor, steps[step].unit);
}

void page_time(FILE *out, int64_t epoch_s) {
    struct tm parts;
    char text[64];
    time_t when = (time_t)epoch_s;
    if (gmtime_r(&when, &parts) == NULL || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) {
        snprintf(text, sizeof text, "-");
    }
    fputs(text, out);
}

void page_latency(FILE *out, double seconds) {
    if (!isfinite(seconds) || seconds < 0) {
        fputs("\u2013", out);
    } else if (seconds < 0.9995) {
        put_decimal(out, seconds * 1000, seconds < 0.00995 ? 1 : 0, false);
        fputs("\u00A0ms", out);
    } else {
        put_decimal(out, seconds, seconds < 9.95 ? 1 : 0, false);
        fputs("\u00A0s", out);
    }
}
