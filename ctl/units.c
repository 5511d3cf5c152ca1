/* Formatting. Called by tables and the screen; the locale is main()'s. */
#include "ctl/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

/* Three digits at most before the unit, and one decimal below 100. */
static void scaled(double value, double step, const char *const *units, size_t count, char text[UNIT_TEXT_MAX]) {
    size_t unit = 0;
    value = value > 0 ? value : 0;
    while (value >= step - 0.5 && unit + 1 < count) {
        value /= step;
        unit++;
    }
    snprintf(text, UNIT_TEXT_MAX, "%.*f %s", unit > 0 && value < 99.95 ? 1 : 0, value, units[unit]);
}

void unit_bytes(double bytes, char text[UNIT_TEXT_MAX]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    scaled(bytes, 1024, units, sizeof units / sizeof units[0], text);
}

void unit_bits_per_s(double bytes_per_s, char text[UNIT_TEXT_MAX]) {
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
    scaled(bytes_per_s * 8, 1000, units, sizeof units / sizeof units[0], text);
}

void unit_per_s(double per_s, char text[UNIT_TEXT_MAX]) {
    snprintf(text, UNIT_TEXT_MAX, "%.*f", per_s > 0 && per_s < 99.95 ? 1 : 0, per_s > 0 ? per_s : 0);
}

void unit_duration(int64_t seconds, char text[UNIT_TEXT_MAX]) {
    if (seconds < 60) {
        snprintf(text, UNIT_TEXT_MAX, "%" PRId64 "s", seconds > 0 ? seconds : 0);
    } else if (seconds < 3600) {
        snprintf(text, UNIT_TEXT_MAX, "%" PRId64 "m %02ds", seconds / 60, (int)(seconds % 60));
    } else if (seconds < 86400) {
        snprintf(text, UNIT_TEXT_MAX, "%" PRId64 "h %02dm", seconds / 3600, (int)(seconds % 3600 / 60));
    } else {
        snprintf(text, UNIT_TEXT_MAX, "%" PRId64 "d %02dh", seconds / 86400, (int)(seconds % 86400 / 3600));
    }
}

size_t unit_printable(const char *text, char *printable, size_t size) {
    mbstate_t state = {0};
    size_t columns = 0, used = 0;
    while (*text != '\0') {
        wchar_t character;
        size_t length = mbrtowc(&character, text, strlen(text), &state);
        int width = length == 0 || length > (size_t)-3 ? -1 : wcwidth(character);
        if (width < 0 || length > 16) { /* not the locale's, or nothing that can be shown */
            length = length == 0 || length > 16 ? 1 : length;
            state = (mbstate_t){0};
        }
        size_t needed = width < 0 ? 1 : length;
        if (used + needed >= size) {
            break;
        }
        memcpy(printable + used, width < 0 ? "?" : text, needed);
        used += needed;
        columns += width < 0 ? 1 : (size_t)width;
        text += length;
    }
    printable[used] = '\0';
    return columns;
}
