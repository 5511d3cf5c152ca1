/* Speeds, quotas, times and other values of directives, from text and back.
 *
 * Called by the directive tables while a configuration is loaded, and by printers. Every reading is exact integer
 * arithmetic: a fraction is a whole number of billionths, and what a unit makes of it is rounded down once. */
#include "config/values.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FRACTION_DIGITS = 9, SHOWN_TEXT = 40 };
static const uint64_t billion = 1000000000;

static const char speed_hint[] =
    "write a number and kbps, Mbps, Gbps (bits) or kb/s, Mb/s, Gb/s (bytes), e.g. \"10kbps\"";
static const char quota_hint[] =
    "write a number and K, M, G, T (powers of 1000) or Ki, Mi, Gi, Ti (powers of 1024), e.g. \"300Mi\"";
static const char time_hint[] = "write a number and S, M (minutes), H, D or W, e.g. \"1D\"";
static const char month_hint[] =
    "M is minutes; write days, e.g. \"30D\" or \"365D\", or calendar-month where a period is asked for";

static struct value_result good(void) {
    return (struct value_result){.ok = true};
}

static struct value_result bad(const char *problem, const char *hint) {
    return (struct value_result){.problem = problem, .hint = hint};
}

/* ---- numbers and units ------------------------------------------------------------ */

struct decimal {
    uint64_t whole;
    uint64_t billionths;
    struct span unit; /* what stands behind the number */
};

enum decimal_result { DECIMAL_GOOD, DECIMAL_NONE, DECIMAL_NEGATIVE, DECIMAL_TOO_LARGE, DECIMAL_TOO_FINE };

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static char lower(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static enum decimal_result take_fraction(struct span *text, uint64_t *billionths) {
    *billionths = 0;
    if (text->len == 0 || text->ptr[0] != '.') {
        return DECIMAL_GOOD;
    }
    uint64_t place = billion;
    size_t at = 1;
    for (; at < text->len && is_digit(text->ptr[at]); at++) {
        unsigned digit = (unsigned)(text->ptr[at] - '0');
        place /= 10;
        if (place == 0 && digit != 0) {
            return DECIMAL_TOO_FINE;
        }
        *billionths += digit * place;
    }
    *text = span_skip(*text, at);
    return at > 1 ? DECIMAL_GOOD : DECIMAL_NONE;
}

static enum decimal_result take_decimal(struct span text, struct decimal *decimal) {
    *decimal = (struct decimal){0};
    if (text.len > 0 && text.ptr[0] == '-') {
        return DECIMAL_NEGATIVE;
    }
    if (text.len == 0 || !is_digit(text.ptr[0])) {
        return DECIMAL_NONE;
    }
    bool too_large = false;
    while (text.len > 0 && is_digit(text.ptr[0])) {
        too_large |= __builtin_mul_overflow(decimal->whole, 10U, &decimal->whole);
        too_large |= __builtin_add_overflow(decimal->whole, (uint64_t)(text.ptr[0] - '0'), &decimal->whole);
        text = span_skip(text, 1);
    }
    enum decimal_result result = take_fraction(&text, &decimal->billionths);
    decimal->unit = text;
    return too_large ? DECIMAL_TOO_LARGE : result;
}

/* decimal x unit, rounded down. False when that is beyond the maximum. */
static bool times_unit(const struct decimal *decimal, uint64_t unit, uint64_t maximum, uint64_t *product) {
    uint64_t whole;
    uint64_t fraction = unit / billion * decimal->billionths + unit % billion * decimal->billionths / billion;
    return !__builtin_mul_overflow(decimal->whole, unit, &whole) && !__builtin_add_overflow(whole, fraction, product) &&
           *product <= maximum;
}

static bool is_zero(const struct decimal *decimal) {
    return decimal->whole == 0 && decimal->billionths == 0;
}

/* What is wrong with the number itself; NULL when it is one. */
static const char *decimal_problem(enum decimal_result result, const char *not_one, const char *negative,
                                   const char *too_large) {
    switch (result) {
    case DECIMAL_GOOD:
        return NULL;
    case DECIMAL_NEGATIVE:
        return negative;
    case DECIMAL_TOO_LARGE:
        return too_large;
    case DECIMAL_TOO_FINE:
        return "has more than nine digits behind the point";
    case DECIMAL_NONE:
        break;
    }
    return not_one;
}

/* The leading digits, as the module read every number; too large ones count as the largest. */
static uint64_t module_integer(struct span *text) {
    uint64_t number = 0;
    bool too_large = false;
    while (text->len > 0 && is_digit(text->ptr[0])) {
        too_large |= __builtin_mul_overflow(number, 10U, &number);
        too_large |= __builtin_add_overflow(number, (uint64_t)(text->ptr[0] - '0'), &number);
        *text = span_skip(*text, 1);
    }
    return too_large ? UINT64_MAX : number;
}

static uint64_t times_or_largest(uint64_t a, uint64_t b) {
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static char unit_char(struct span unit, size_t index) {
    return (char)(index < unit.len ? unit.ptr[index] : '\0');
}

/* base^k for the scale letters k, m, g, t in any case; 1 for any other. */
static uint64_t scale_factor(char letter, uint64_t base) {
    switch (lower(letter)) {
    case 'k':
        return base;
    case 'm':
        return base * base;
    case 'g':
        return base * base * base;
    case 't':
        return base * base * base * base;
    default:
        return 1;
    }
}

static int shown_length(struct span text) {
    return (int)(text.len < SHOWN_TEXT ? text.len : SHOWN_TEXT);
}

static void warn_of_module(struct value_result *result, struct span text, const char *ours, const char *theirs) {
    snprintf(result->warning, sizeof result->warning, "\"%.*s\" is %s, as documented; mod_cband took it for %s",
             shown_length(text), text.ptr, ours, theirs);
}

/* ---- speed ------------------------------------------------------------ */

/* Whether a unit means bytes, how often 1024 is in it, and whether mod_cband's documentation has this spelling. */
struct speed_unit {
    uint64_t bits; /* one of it, a second */
    bool usual;
    bool capital; /* "kBps": bits are meant, though the capital B looks like bytes */
};

static bool find_speed_unit(struct span unit, struct speed_unit *found) {
    uint64_t factor = scale_factor(unit_char(unit, 0), 1024);
    struct span rest = factor > 1 ? span_skip(unit, 1) : unit;
    *found = (struct speed_unit){.bits = factor, .usual = true};
    if (unit.len == 0) {
        found->bits = 1024;
        return true;
    }
    if (span_equal_nocase(rest, SPAN_LITERAL("b/s"))) {
        found->bits *= 8;
        return true;
    }
    if (span_equal_nocase(rest, SPAN_LITERAL("bps")) || span_equal_nocase(rest, SPAN_LITERAL("bit/s"))) {
        found->capital = rest.ptr[0] == 'B' && rest.len == 3;
        return true;
    }
    found->usual = false;
    return factor > 1 && (rest.len == 0 || span_equal_nocase(rest, SPAN_LITERAL("b")) ||
                          span_equal_nocase(rest, SPAN_LITERAL("bit")));
}

/* Kilobits a second, each 1024 bits, as mod_cband 0.9.7.5 reads the text. */
static uint64_t module_speed_kbps(struct span text) {
    uint64_t kbps = module_integer(&text);
    char scale = lower(unit_char(text, 0));
    if (scale != 'k' && scale != 'm' && scale != 'g') {
        return kbps;
    }
    kbps = times_or_largest(kbps, scale_factor(scale, 1024) / 1024);
    bool bytes = unit_char(text, 1) == 'b' && unit_char(text, 2) == '/';
    return bytes ? times_or_largest(kbps, 8) : kbps;
}

static void warn_of_speed(struct value_result *result, struct span text, const struct speed_unit *unit,
                          uint64_t bits_per_s) {
    uint64_t module_kbps = module_speed_kbps(text);
    char ours[VALUE_TEXT_MAX];
    value_print_speed(bits_per_s, ours);
    if (times_or_largest(module_kbps, 1024) != bits_per_s) {
        char theirs[VALUE_TEXT_MAX];
        snprintf(theirs, sizeof theirs, "%" PRIu64 "kbps", module_kbps);
        warn_of_module(result, text, ours, theirs);
    } else if (!unit->usual || unit->capital) {
        snprintf(result->warning, sizeof result->warning, "\"%.*s\" is taken as %s (bits); write kbps or kb/s",
                 shown_length(text), text.ptr, ours);
    }
    result->hint = result->warning[0] != '\0' ? speed_hint : NULL;
}

struct value_result value_parse_speed(struct span text, uint64_t *bits_per_s) {
    struct decimal decimal;
    *bits_per_s = 0;
    const char *problem = decimal_problem(take_decimal(text, &decimal), "is not a speed",
                                          "is negative, and a speed is not", "is too large for a speed");
    struct speed_unit unit;
    if (problem == NULL && !find_speed_unit(decimal.unit, &unit)) {
        problem = "is not a speed";
    }
    if (problem != NULL) {
        return bad(problem, speed_hint);
    }
    if (!times_unit(&decimal, unit.bits, VALUE_SPEED_MAX, bits_per_s)) {
        *bits_per_s = 0;
        return bad("is too large for a speed", speed_hint);
    }
    struct value_result result = good();
    if (is_zero(&decimal)) {
        return result;
    }
    if (*bits_per_s == 0) {
        return bad("is less than one bit a second", "write 0 for no limit, or a larger speed, e.g. \"8kbps\"");
    }
    warn_of_speed(&result, text, &unit, *bits_per_s);
    return result;
}

/* ---- quota ------------------------------------------------------------ */

static bool find_quota_unit(struct span unit, uint64_t *bytes) {
    if (unit.len == 0) {
        *bytes = 1000;
        return true;
    }
    if (span_equal_nocase(unit, SPAN_LITERAL("b"))) {
        *bytes = 1;
        return true;
    }
    bool binary = lower(unit_char(unit, 1)) == 'i';
    *bytes = scale_factor(unit.ptr[0], binary ? 1024 : 1000);
    struct span rest = span_skip(unit, binary ? 2 : 1);
    return *bytes > 1 && (rest.len == 0 || span_equal_nocase(rest, SPAN_LITERAL("b")));
}

/* A count and what it is multiplied by, as mod_cband 0.9.7.5 reads the text. */
static uint64_t module_quota(struct span text, uint64_t *count, uint64_t *multiplier) {
    *count = module_integer(&text);
    *multiplier = lower(unit_char(text, 1)) == 'i' ? 1024 : 1000;
    char scale = lower(unit_char(text, 0));
    if (scale == 'm' || scale == 'g') {
        *count = times_or_largest(*count, scale_factor(scale, *multiplier) / *multiplier);
    }
    return times_or_largest(*count, *multiplier);
}

struct value_result value_parse_quota(struct span text, uint64_t *bytes) {
    struct decimal decimal;
    *bytes = 0;
    const char *problem = decimal_problem(take_decimal(text, &decimal), "is not a quota",
                                          "is negative, and a quota is not", "is too large for a quota");
    uint64_t unit;
    if (problem == NULL && !find_quota_unit(decimal.unit, &unit)) {
        problem = "is not a quota";
    }
    if (problem == NULL && !times_unit(&decimal, unit, VALUE_QUOTA_MAX, bytes)) {
        problem = "is too large for a quota";
    }
    if (problem != NULL) {
        *bytes = 0;
        return bad(problem, quota_hint);
    }
    struct value_result result = good();
    if (is_zero(&decimal)) {
        return result;
    }
    if (*bytes == 0) {
        return bad("is less than one byte", "write 0 for no limit, or a larger quota, e.g. \"300Mi\"");
    }
    uint64_t count;
    uint64_t multiplier;
    if (module_quota(text, &count, &multiplier) != *bytes) {
        char ours[VALUE_TEXT_MAX];
        char theirs[VALUE_TEXT_MAX];
        snprintf(ours, sizeof ours, "%" PRIu64 " bytes", *bytes);
        snprintf(theirs, sizeof theirs, "%" PRIu64 "%s", count, multiplier == 1024 ? "Ki" : "K");
        warn_of_module(&result, text, ours, theirs);
        result.hint = quota_hint;
    }
    return result;
}

/* ---- time ------------------------------------------------------------ */

static uint64_t time_unit(char letter) {
    switch (lower(letter)) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return UINT64_C(7) * 86400;
    default:
        return 0;
    }
}

static struct value_result bad_time_unit(struct span unit) {
    bool like_month = unit.len > 0 && (lower(unit.ptr[0]) == 'y' || (unit.len > 1 && lower(unit.ptr[0]) == 'm'));
    return bad("is not a time", like_month ? month_hint : time_hint);
}

struct value_result value_parse_time(struct span text, uint64_t *seconds) {
    struct decimal decimal;
    *seconds = 0;
    const char *problem = decimal_problem(take_decimal(text, &decimal), "is not a time",
                                          "is negative, and a time is not", "is too large for a time");
    if (problem != NULL) {
        return bad(problem, time_hint);
    }
    uint64_t unit = decimal.unit.len == 0 ? 1 : time_unit(decimal.unit.ptr[0]);
    if (unit == 0 || decimal.unit.len > 1) {
        return bad_time_unit(decimal.unit);
    }
    if (!times_unit(&decimal, unit, VALUE_TIME_MAX_S, seconds)) {
        *seconds = 0;
        return bad("is too large for a time", time_hint);
    }
    if (is_zero(&decimal)) {
        return bad("is no time at all", "leave the line out for no period, or write at least one second");
    }
    if (decimal.billionths * unit % billion != 0) {
        *seconds = 0;
        return bad("is not a whole number of seconds", time_hint);
    }
    struct value_result result = good();
    if (decimal.billionths != 0) {
        char ours[VALUE_TEXT_MAX];
        char theirs[VALUE_TEXT_MAX];
        snprintf(ours, sizeof ours, "%" PRIu64 " seconds", *seconds);
        snprintf(theirs, sizeof theirs, "%" PRIu64 " seconds", decimal.whole);
        warn_of_module(&result, text, ours, theirs);
    }
    return result;
}

struct value_result value_parse_seconds(struct span text, uint64_t maximum_s, int64_t *nanoseconds) {
    assert(maximum_s <= VALUE_TIME_MAX_S);
    static const char hint[] = "write seconds, e.g. \"10\" or \"0.5\"";
    struct decimal decimal;
    uint64_t product;
    *nanoseconds = 0;
    const char *problem = decimal_problem(take_decimal(text, &decimal), "is not a number of seconds",
                                          "is negative, and a time is not", "is too long a time");
    if (problem == NULL && decimal.unit.len != 0) {
        problem = "is not a number of seconds";
    }
    if (problem == NULL && !times_unit(&decimal, billion, maximum_s * billion, &product)) {
        problem = "is too long a time";
    }
    if (problem != NULL) {
        return bad(problem, hint);
    }
    *nanoseconds = (int64_t)product;
    return good();
}

/* ---- whole numbers, switches ------------------------------------------------------------ */

struct value_result value_parse_whole(struct span text, uint64_t minimum, uint64_t maximum, uint64_t *number) {
    struct decimal decimal;
    *number = 0;
    const char *problem =
        decimal_problem(take_decimal(text, &decimal), "is not a whole number", "is negative", "is too large");
    struct span digits = text;
    (void)module_integer(&digits);
    if ((problem == NULL || decimal.billionths != 0) && digits.len != 0) {
        problem = "is not a whole number";
    } else if (problem == NULL && decimal.whole < minimum) {
        problem = "is too small";
    } else if (problem == NULL && decimal.whole > maximum) {
        problem = "is too large";
    }
    if (problem != NULL) {
        return bad(problem, NULL);
    }
    *number = decimal.whole;
    return good();
}

struct value_result value_parse_on_off(struct span text, bool true_false, bool *on) {
    *on = span_equal_nocase(text, SPAN_LITERAL("on")) || (true_false && span_equal_nocase(text, SPAN_LITERAL("true")));
    if (*on || span_equal_nocase(text, SPAN_LITERAL("off")) ||
        (true_false && span_equal_nocase(text, SPAN_LITERAL("false")))) {
        return good();
    }
    return bad("is neither On nor Off", "write On or Off");
}

/* ---- printing ------------------------------------------------------------ */

struct unit_name {
    uint64_t size;
    const char *name;
};

/* The first unit that divides the value; the last one is 1. */
static size_t print_in(uint64_t value, const struct unit_name *units, char *text) {
    if (value == 0) {
        return (size_t)snprintf(text, VALUE_TEXT_MAX, "0");
    }
    while (value % units->size != 0) {
        units++;
    }
    return (size_t)snprintf(text, VALUE_TEXT_MAX, "%" PRIu64 "%s", value / units->size, units->name);
}

size_t value_print_speed(uint64_t bits_per_s, char *text) {
    static const struct unit_name units[] = {{1 << 30, "Gbps"}, {1 << 20, "Mbps"}, {1 << 10, "kbps"}, {1, "bps"}};
    return print_in(bits_per_s, units, text);
}

size_t value_print_quota(uint64_t bytes, char *text) {
    static const struct unit_name units[] = {{1 << 30, "Gi"}, {1000000000, "G"}, {1 << 20, "Mi"}, {1000000, "M"},
                                             {1 << 10, "Ki"}, {1000, "K"},       {1, "B"}};
    return print_in(bytes, units, text);
}

size_t value_print_time(uint64_t seconds, char *text) {
    static const struct unit_name units[] = {{604800, "W"}, {86400, "D"}, {3600, "H"}, {60, "M"}, {1, "S"}};
    return print_in(seconds, units, text);
}

size_t value_print_seconds(int64_t nanoseconds, char *text) {
    int64_t per_second = (int64_t)billion;
    size_t length = (size_t)snprintf(text, VALUE_TEXT_MAX, "%" PRId64, nanoseconds / per_second);
    if (nanoseconds % per_second != 0) {
        length += (size_t)snprintf(text + length, VALUE_TEXT_MAX - length, ".%09" PRId64, nanoseconds % per_second);
        while (text[length - 1] == '0') {
            text[--length] = '\0';
        }
    }
    return length;
}
