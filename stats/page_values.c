/* Formatting for stats/page*.c; nothing here knows what a number means. Pure, any thread. */
#include "stats/page_values.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

/* The code point that begins the text, and its bytes in *length; -1 for what is no UTF-8 (then one byte). */
static int32_t code_point(const unsigned char *text, size_t *length) {
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length: what is longer than needed is wrong */
    unsigned char first = text[0];
    *length = 1;
    if (first < 0x80) {
        return first;
    }
    size_t bytes = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
    if (bytes == 0 || first >= 0xf5) {
        return -1;
    }
    int32_t point = first & (0x7f >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return -1;
        }
        point = (point << 6) | (text[i] & 0x3f);
    }
    if (point < least[bytes] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
        return -1;
    }
    *length = bytes;
    return point;
}

static bool is_harmless(int32_t point) {
    bool is_control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    bool is_no_character = (point & 0xfffe) == 0xfffe;
    bool turns_direction = point == 0x200e || point == 0x200f || point == 0x61c ||
                           (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
    bool breaks_line = point == 0x2028 || point == 0x2029;
    return !is_control && !is_no_character && !turns_direction && !breaks_line;
}

void page_text(FILE *out, const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t length;
        int32_t point = code_point(at, &length);
        switch (point) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            if (is_harmless(point)) {
                fwrite(at, 1, length, out);
            } else {
                fputs("\uFFFD", out);
            }
        }
        at += length;
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
