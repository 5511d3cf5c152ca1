/* The key=value parameters of ProxyPass, BalancerMember and ProxySet: see origin_url.h. Called by directives_proxy.c on
 * the thread that loads. */
#include <string.h>
#include <strings.h>

#include "config/origin_url.h"
#include "config/simple_value.h"

enum parameter {
    PARAMETER_TIMEOUT,
    PARAMETER_CONNECT_TIMEOUT,
    PARAMETER_RETRY,
    PARAMETER_MAX,
    PARAMETER_TTL,
    PARAMETER_KEEPALIVE,
    PARAMETER_DISABLE_REUSE,
    PARAMETER_ENABLE_REUSE,
    PARAMETER_LOAD_FACTOR,
    PARAMETER_ROUTE,
    PARAMETER_STATUS,
    PARAMETER_METHOD,
    PARAMETER_STICKY,
    PARAMETER_HC_INTERVAL,
    PARAMETER_HC_URI,
    PARAMETER_HC_PASSES,
    PARAMETER_HC_FAILS,
    PARAMETER_NO_EFFECT,
};

enum {
    OF_ORIGIN = PARAMETERS_OF_ORIGIN | PARAMETERS_OF_MEMBER,
    OF_MEMBER = PARAMETERS_OF_MEMBER,
    OF_BALANCER = PARAMETERS_OF_BALANCER,
    OF_ANY = OF_ORIGIN | OF_BALANCER,
    SECOND_NS = 1000000000,
};

static const struct {
    const char *key;
    enum parameter parameter;
    unsigned kinds; /* where it may stand */
} keys[] = {
    {"timeout", PARAMETER_TIMEOUT, OF_ORIGIN},
    {"connectiontimeout", PARAMETER_CONNECT_TIMEOUT, OF_ORIGIN},
    {"retry", PARAMETER_RETRY, OF_ORIGIN},
    {"max", PARAMETER_MAX, OF_ORIGIN},
    {"ttl", PARAMETER_TTL, OF_ORIGIN},
    {"keepalive", PARAMETER_KEEPALIVE, OF_ORIGIN},
    {"disablereuse", PARAMETER_DISABLE_REUSE, OF_ORIGIN},
    {"enablereuse", PARAMETER_ENABLE_REUSE, OF_ORIGIN},
    {"loadfactor", PARAMETER_LOAD_FACTOR, OF_MEMBER},
    {"route", PARAMETER_ROUTE, OF_MEMBER},
    {"status", PARAMETER_STATUS, OF_MEMBER},
    {"hcinterval", PARAMETER_HC_INTERVAL, OF_MEMBER},
    {"hcuri", PARAMETER_HC_URI, OF_MEMBER},
    {"hcpasses", PARAMETER_HC_PASSES, OF_MEMBER},
    {"hcfails", PARAMETER_HC_FAILS, OF_MEMBER},
    {"lbmethod", PARAMETER_METHOD, OF_BALANCER},
    {"stickysession", PARAMETER_STICKY, OF_BALANCER},
    /* Apache's others, which tell how its processes share connections, or are done otherwise here. */
    {"min", PARAMETER_NO_EFFECT, OF_ORIGIN},
    {"smax", PARAMETER_NO_EFFECT, OF_ORIGIN},
    {"acquire", PARAMETER_NO_EFFECT, OF_ORIGIN},
    {"addressttl", PARAMETER_NO_EFFECT, OF_ORIGIN},
    {"flushpackets", PARAMETER_NO_EFFECT, OF_ANY},
    {"flushwait", PARAMETER_NO_EFFECT, OF_ANY},
    {"iobuffersize", PARAMETER_NO_EFFECT, OF_ORIGIN},
    {"responsefieldsize", PARAMETER_NO_EFFECT, OF_ORIGIN},
    {"receivebuffersize", PARAMETER_NO_EFFECT, OF_ORIGIN},
    {"ping", PARAMETER_NO_EFFECT, OF_ORIGIN},
    {"upgrade", PARAMETER_NO_EFFECT, OF_ORIGIN},
    {"redirect", PARAMETER_NO_EFFECT, OF_MEMBER},
    {"lbset", PARAMETER_NO_EFFECT, OF_MEMBER},
    {"hcmethod", PARAMETER_NO_EFFECT, OF_MEMBER},
    {"maxattempts", PARAMETER_NO_EFFECT, OF_BALANCER},
    {"nofailover", PARAMETER_NO_EFFECT, OF_BALANCER},
    {"failonstatus", PARAMETER_NO_EFFECT, OF_BALANCER},
    {"failontimeout", PARAMETER_NO_EFFECT, OF_BALANCER},
    {"forcerecovery", PARAMETER_NO_EFFECT, OF_BALANCER},
    {"growth", PARAMETER_NO_EFFECT, OF_BALANCER},
    {"nonce", PARAMETER_NO_EFFECT, OF_BALANCER},
    {"scolonpathdelim", PARAMETER_NO_EFFECT, OF_BALANCER},
    {"stickysessionsep", PARAMETER_NO_EFFECT, OF_BALANCER},
    {"timeout", PARAMETER_NO_EFFECT, OF_BALANCER},
};

enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

static bool bad_value(struct parser *parser, const struct word *word, const char *hint) {
    parser_error_at(parser, word, hint, "\"%s\" has no good value", word->text);
    return false;
}

static bool read_duration(struct parser *parser, const struct word *word, struct span value, bool zero_too,
                          int64_t *target) {
    int64_t read = 0;
    if (!simple_duration(value, SECOND_NS, &read) || (read == 0 && !zero_too)) {
        return bad_value(parser, word, "write seconds, or milliseconds as 500ms");
    }
    *target = read;
    return true;
}

static bool read_on_off(struct parser *parser, const struct word *word, struct span value, bool *target) {
    bool on = span_equal_nocase(value, SPAN_LITERAL("on"));
    if (!on && !span_equal_nocase(value, SPAN_LITERAL("off"))) {
        return bad_value(parser, word, "write On or Off behind the =");
    }
    *target = on;
    return true;
}

static bool read_count(struct parser *parser, const struct word *word, struct span value, uint64_t least,
                       unsigned *target) {
    uint64_t number = 0;
    if (!simple_unsigned(value, least, 1000000, &number)) {
        return bad_value(parser, word, "write a whole number behind the =");
    }
    *target = (unsigned)number;
    return true;
}

/* 1 to 100 with at most two digits behind a point. */
static void read_load_factor(struct parser *parser, const struct word *word, struct span value, unsigned *hundredths) {
    const char *point = memchr(value.ptr, '.', value.len);
    struct span whole = {value.ptr, point != NULL ? (size_t)(point - value.ptr) : value.len};
    struct span rest = point != NULL ? span_skip(value, whole.len + 1) : SPAN_LITERAL("0");
    uint64_t number = 0;
    uint64_t fraction = 0;
    bool good = simple_unsigned(whole, 0, 100, &number) && rest.len <= 2 && simple_unsigned(rest, 0, 99, &fraction);
    number = number * 100 + (rest.len == 1 ? fraction * 10 : fraction);
    if (!good || number < 100 || number > 10000) {
        bad_value(parser, word, "write a number from 1 to 100, e.g. loadfactor=2.5");
        return;
    }
    *hundredths = (unsigned)number;
}

static void read_status(struct parser *parser, const struct word *word, struct span value,
                        struct balancer_member *member) {
    bool on = true;
    for (size_t i = 0; i < value.len; i++) {
        switch (value.ptr[i]) {
        case '+':
        case '-':
            on = value.ptr[i] == '+';
            break;
        case 'H':
        case 'h':
            member->hot_standby = on;
            break;
        case 'D':
        case 'd':
            member->disabled = on;
            break;
        default:
            parser_error_at(parser, word, "write status=+H (hot standby), +D (disabled) or -H, -D",
                            "\"%c\" is no status that weir knows", value.ptr[i]);
            return;
        }
    }
}

static void read_method(struct parser *parser, const struct word *word, struct span value, struct balancer *balancer) {
    if (span_equal_nocase(value, SPAN_LITERAL("byrequests"))) {
        balancer->method = BALANCE_BY_REQUESTS;
    } else if (span_equal_nocase(value, SPAN_LITERAL("bybusyness"))) {
        balancer->method = BALANCE_BY_BUSYNESS;
    } else if (span_equal_nocase(value, SPAN_LITERAL("bytraffic")) ||
               span_equal_nocase(value, SPAN_LITERAL("heartbeat"))) {
        parser_error_at(parser, word, "write lbmethod=byrequests or lbmethod=bybusyness",
                        "\"%.*s\" is not known to weir", (int)value.len, value.ptr);
    } else {
        bad_value(parser, word, "write lbmethod=byrequests or lbmethod=bybusyness");
    }
}

static void read_sticky(struct parser *parser, const struct word *word, struct span value, struct balancer *balancer) {
    const char *bar = memchr(value.ptr, '|', value.len);
    if (bar != NULL) {
        parser_warn_at(parser, word, "write only the cookie's name",
                       "weir looks for the cookie \"%.*s\" only, not for a part of the URL", (int)(bar - value.ptr),
                       value.ptr);
        value.len = (size_t)(bar - value.ptr);
    }
    if (value.len == 0 || memchr(value.ptr, ';', value.len) != NULL || memchr(value.ptr, '=', value.len) != NULL) {
        bad_value(parser, word, "write the name of a cookie behind the =");
        return;
    }
    balancer->sticky_cookie = arena_copy(parser_arena(parser), value);
}

static void apply_health(struct parser *parser, const struct word *word, enum parameter parameter, struct span value,
                         struct balancer *balancer) {
    switch (parameter) {
    case PARAMETER_HC_INTERVAL:
        read_duration(parser, word, value, false, &balancer->health_interval_ns);
        break;
    case PARAMETER_HC_PASSES:
        read_count(parser, word, value, 1, &balancer->health_passes);
        break;
    case PARAMETER_HC_FAILS:
        read_count(parser, word, value, 1, &balancer->health_fails);
        break;
    default:
        if (value.len == 0 || value.ptr[0] != '/') {
            bad_value(parser, word, "write a path that begins with /");
            return;
        }
        balancer->health_path = arena_copy(parser_arena(parser), value);
        break;
    }
}

static void apply_to_origin(struct parser *parser, const struct word *word, enum parameter parameter, struct span value,
                            struct origin *origin) {
    switch (parameter) {
    case PARAMETER_TIMEOUT:
        read_duration(parser, word, value, false, &origin->timeout_ns);
        break;
    case PARAMETER_CONNECT_TIMEOUT:
        read_duration(parser, word, value, false, &origin->connect_timeout_ns);
        break;
    case PARAMETER_RETRY:
        read_duration(parser, word, value, true, &origin->retry_ns);
        break;
    case PARAMETER_TTL:
        read_duration(parser, word, value, true, &origin->ttl_ns);
        break;
    case PARAMETER_MAX:
        read_count(parser, word, value, 0, &origin->max_connections);
        break;
    case PARAMETER_KEEPALIVE:
        read_on_off(parser, word, value, &origin->keepalive);
        break;
    case PARAMETER_DISABLE_REUSE:
        read_on_off(parser, word, value, &origin->disable_reuse);
        break;
    default: /* PARAMETER_ENABLE_REUSE */
        if (read_on_off(parser, word, value, &origin->disable_reuse)) {
            origin->disable_reuse = !origin->disable_reuse;
        }
        break;
    }
}

static void report_unknown_key(struct parser *parser, const struct word *word, struct span key) {
    const char *words[KEY_COUNT + 1] = {NULL};
    for (size_t i = 0; i < KEY_COUNT; i++) {
        words[i] = keys[i].key;
    }
    const char *nearest = nearest_word(key, words);
    parser_error_at(parser, word,
                    nearest != NULL
                        ? arena_printf(&parser->scratch, "did you mean \"%s=\"?", nearest)
                        : "write timeout=, connectiontimeout=, retry=, max=, ttl=, keepalive= or disablereuse=",
                    "\"%.*s\" is not a parameter that may stand here", (int)(key.len < 100 ? key.len : 100), key.ptr);
}

void proxy_parameter(struct parser *parser, const struct word *word, unsigned kinds,
                     const struct proxy_parameters *parameters) {
    struct span text = {word->text, word->length};
    if (strcasecmp(word->text, "nocanon") == 0 || strcasecmp(word->text, "interpolate") == 0 ||
        strcasecmp(word->text, "noquery") == 0) {
        parser_warn_at(parser, word, NULL, "\"%s\" has no effect in weir", word->text);
        return;
    }
    const char *equals = memchr(text.ptr, '=', text.len);
    struct span key = {text.ptr, equals != NULL ? (size_t)(equals - text.ptr) : text.len};
    struct span value = equals != NULL ? span_skip(text, key.len + 1) : SPAN_LITERAL("");
    size_t index = 0;
    while (index < KEY_COUNT &&
           !((keys[index].kinds & kinds) != 0 && span_equal_nocase(span_of(keys[index].key), key))) {
        index++;
    }
    if (equals == NULL || index == KEY_COUNT) {
        report_unknown_key(parser, word, key);
        return;
    }
    enum parameter parameter = keys[index].parameter;
    switch (parameter) {
    case PARAMETER_NO_EFFECT:
        parser_warn_at(parser, word, NULL, "\"%s\" has no effect in weir", keys[index].key);
        break;
    case PARAMETER_LOAD_FACTOR:
        read_load_factor(parser, word, value, &parameters->member->load_factor_x100);
        break;
    case PARAMETER_ROUTE:
        parameters->member->route = arena_copy(parser_arena(parser), value);
        break;
    case PARAMETER_STATUS:
        read_status(parser, word, value, parameters->member);
        break;
    case PARAMETER_METHOD:
        read_method(parser, word, value, parameters->balancer);
        break;
    case PARAMETER_STICKY:
        read_sticky(parser, word, value, parameters->balancer);
        break;
    case PARAMETER_HC_INTERVAL:
    case PARAMETER_HC_URI:
    case PARAMETER_HC_PASSES:
    case PARAMETER_HC_FAILS:
        apply_health(parser, word, parameter, value, parameters->balancer);
        break;
    default:
        apply_to_origin(parser, word, parameter, value, parameters->origin);
        break;
    }
}
