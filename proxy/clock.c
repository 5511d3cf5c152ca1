/* Reads the clocks and writes wall time as text; called by anything in proxy/, on any thread. Dates in UTC are computed
 * here instead of by gmtime_r(), which takes a lock of the C library that all workers would share. */
#include "proxy/clock.h"

#include <string.h>
#include <time.h>

/* The years 0 to 9999, so that every field has a fixed width; local time keeps a day's distance for the time zone. */
static const int64_t first_second = INT64_C(-62167219200), last_second = INT64_C(253402300799);
static const int64_t day_seconds = 86400;

struct civil_time {
    unsigned year, month, day, hour, minute, second, millisecond;
    unsigned weekday; /* 0: Sunday */
};

int64_t clock_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

int64_t clock_wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

static int64_t floor_divide(int64_t value, int64_t by) {
    int64_t quotient = value / by;
    return value % by < 0 ? quotient - 1 : quotient;
}

/* The Gregorian date of a day counted from 1970-01-01. Years are counted from March, so that the leap day is a year's
 * last; an era is 400 years, 146097 days. */
static void civil_date(int64_t days, struct civil_time *civil) {
    int64_t from_march_0 = days + 719468;
    int64_t era = floor_divide(from_march_0, 146097);
    unsigned day_of_era = (unsigned)(from_march_0 - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * day_of_year + 2) / 153;
    civil->day = day_of_year - (153 * march_month + 2) / 5 + 1;
    civil->month = march_month < 10 ? march_month + 3 : march_month - 9;
    int64_t year = (int64_t)year_of_era + era * 400 + (civil->month <= 2 ? 1 : 0);
    civil->year = (unsigned)year;
    civil->weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
}

static struct civil_time civil_of(int64_t wall_us) {
    int64_t seconds = floor_divide(wall_us, US_PER_SECOND);
    unsigned millisecond = (unsigned)((wall_us - seconds * US_PER_SECOND) / 1000);
    if (seconds < first_second) {
        seconds = first_second;
        millisecond = 0;
    } else if (seconds > last_second) {
        seconds = last_second;
        millisecond = 999;
    }
    int64_t days = floor_divide(seconds, day_seconds);
    unsigned of_day = (unsigned)(seconds - days * day_seconds);
    struct civil_time civil = {
        .hour = of_day / 3600, .minute = of_day / 60 % 60, .second = of_day % 60, .millisecond = millisecond};
    civil_date(days, &civil);
    return civil;
}

static void put_digits(char *text, unsigned digits, unsigned value) {
    while (digits > 0) {
        text[--digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

void clock_http_date(int64_t wall_us, char text[CLOCK_HTTP_DATE_MAX]) {
    static const char weekdays[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct civil_time civil = civil_of(wall_us);
    memcpy(text, "Sun, 00 Jan 0000 00:00:00 GMT", CLOCK_HTTP_DATE_MAX);
    memcpy(text, weekdays + (size_t)civil.weekday * 3, 3);
    put_digits(text + 5, 2, civil.day);
    memcpy(text + 8, months + (size_t)(civil.month - 1) * 3, 3);
    put_digits(text + 12, 4, civil.year);
    put_digits(text + 17, 2, civil.hour);
    put_digits(text + 20, 2, civil.minute);
    put_digits(text + 23, 2, civil.second);
}

static void put_sortable(char *text, const struct civil_time *civil) {
    put_digits(text, 4, civil->year);
    put_digits(text + 5, 2, civil->month);
    put_digits(text + 8, 2, civil->day);
    put_digits(text + 11, 2, civil->hour);
    put_digits(text + 14, 2, civil->minute);
    put_digits(text + 17, 2, civil->second);
    put_digits(text + 20, 3, civil->millisecond);
}

void clock_rfc3339(int64_t wall_us, char text[CLOCK_RFC3339_MAX]) {
    struct civil_time civil = civil_of(wall_us);
    memcpy(text, "0000-00-00T00:00:00.000Z", CLOCK_RFC3339_MAX);
    put_sortable(text, &civil);
}

void clock_local(int64_t wall_us, char text[CLOCK_LOCAL_MAX]) {
    int64_t seconds = floor_divide(wall_us, US_PER_SECOND);
    if (seconds < first_second + day_seconds) {
        seconds = first_second + day_seconds;
    } else if (seconds > last_second - day_seconds) {
        seconds = last_second - day_seconds;
    }
    time_t time = (time_t)seconds;
    struct tm local = {0};
    localtime_r(&time, &local);
    struct civil_time civil = civil_of(wall_us); /* for the milliseconds */
    civil.year = (unsigned)(local.tm_year + 1900);
    civil.month = (unsigned)(local.tm_mon + 1);
    civil.day = (unsigned)local.tm_mday;
    civil.hour = (unsigned)local.tm_hour;
    civil.minute = (unsigned)local.tm_min;
    civil.second = (unsigned)local.tm_sec;
    memcpy(text, "0000-00-00 00:00:00.000", CLOCK_LOCAL_MAX);
    put_sortable(text, &civil);
}
