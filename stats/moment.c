/* Times of commands. Pure but for the time zone, which mktime and localtime_r read. */
#include "stats/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SECONDS_DIGITS_MAX = 12 };

/* Exactly so many digits, off the front of *text. */
static bool take_digits(const char **text, size_t count, int *number) {
    *number = 0;
    for (size_t i = 0; i < count; i++) {
        char digit = (*text)[i];
        if (digit < '0' || digit > '9') {
            return false;
        }
        *number = *number * 10 + (digit - '0');
    }
    *text += count;
    return true;
}

static bool take_any(const char **text, const char *characters) {
    bool is_there = **text != '\0' && strchr(characters, **text) != NULL;
    *text += is_there;
    return is_there;
}

enum precision { TO_THE_MONTH, TO_THE_DAY, TO_THE_HOUR, TO_THE_MINUTE };

static bool read_date(const char *text, struct tm *date, enum precision *precision) {
    *date = (struct tm){.tm_mday = 1, .tm_isdst = -1};
    if (!take_digits(&text, 4, &date->tm_year) || !take_any(&text, "-") || !take_digits(&text, 2, &date->tm_mon)) {
        return false;
    }
    *precision = TO_THE_MONTH;
    date->tm_year -= 1900;
    date->tm_mon -= 1;
    if (take_any(&text, "-")) {
        *precision = TO_THE_DAY;
        if (!take_digits(&text, 2, &date->tm_mday)) {
            return false;
        }
        if (take_any(&text, "T ")) {
            *precision = TO_THE_HOUR;
            if (!take_digits(&text, 2, &date->tm_hour)) {
                return false;
            }
            if (take_any(&text, ":")) {
                *precision = TO_THE_MINUTE;
                if (!take_digits(&text, 2, &date->tm_min)) {
                    return false;
                }
            }
        }
    }
    return *text == '\0' && date->tm_hour < 24 && date->tm_min < 60;
}

/* mktime would make the 3rd of March of the 31st of February. */
static bool exists(const struct tm *date, const struct tm *as_understood) {
    return date->tm_year == as_understood->tm_year && date->tm_mon == as_understood->tm_mon &&
           date->tm_mday == as_understood->tm_mday;
}

static bool read_seconds(const char *text, struct period_span *span) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > SECONDS_DIGITS_MAX || text[digits] != '\0') {
        return false;
    }
    span->begin_s = span->end_s = strtoll(text, NULL, 10);
    return true;
}

bool moment_parse(const char *text, struct period_span *span) {
    struct tm date;
    enum precision precision;
    if (text[0] == '@') {
        return read_seconds(text + 1, span);
    }
    if (!read_date(text, &date, &precision)) {
        return false;
    }
    struct tm understood = date;
    int64_t begin_s = mktime(&understood);
    if (!exists(&date, &understood)) {
        return false;
    }
    static const enum period_kind kinds[] = {
        [TO_THE_MONTH] = PERIOD_CALENDAR_MONTH, [TO_THE_DAY] = PERIOD_CALENDAR_DAY, [TO_THE_HOUR] = PERIOD_SECONDS};
    *span = (struct period_span){begin_s, begin_s};
    if (precision != TO_THE_MINUTE) {
        const struct period_rule rule = {.kind = kinds[precision], .period_s = 3600};
        span->end_s = period_at(&rule, begin_s, begin_s).end_s;
    }
    return true;
}

static void print(int64_t moment_s, bool exactly, char text[MOMENT_TEXT_MAX]) {
    time_t moment = (time_t)moment_s;
    struct tm date;
    bool is_date = localtime_r(&moment, &date) != NULL;
    size_t length = !is_date  ? 0
                    : exactly ? strftime(text, MOMENT_TEXT_MAX, "%Y-%m-%dT%H:%M:%S%z", &date)
                              : strftime(text, MOMENT_TEXT_MAX, "%Y-%m-%d %H:%M", &date);
    if (length == 0) {
        snprintf(text, MOMENT_TEXT_MAX, "@%lld", (long long)moment_s);
    }
}

void moment_print(int64_t moment_s, char text[MOMENT_TEXT_MAX]) {
    print(moment_s, false, text);
}

void moment_print_exactly(int64_t moment_s, char text[MOMENT_TEXT_MAX]) {
    print(moment_s, true, text);
    size_t length = strlen(text);
    if (length > 5 && length + 1 < MOMENT_TEXT_MAX && (text[length - 5] == '+' || text[length - 5] == '-')) {
        memmove(text + length - 1, text + length - 2, 3); /* "+0100" becomes "+01:00" (RFC 3339, 5.6) */
        text[length - 2] = ':';
    }
}
