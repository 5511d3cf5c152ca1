/* The CBand* lines: each function checks one line's values and writes them into the host, user, class or server.
 *
 * Called by the parser through the rows of directives_cband.c while a configuration is loaded. Names of users and
 * classes are only noted here, since they may be used before they are defined: check_limits.c looks them up. */
#include "config/cband_lines.h"

#include <string.h>

#include "config/value_words.h"

/* A URL with the path of itself or a full one; bytes that could end a header field are refused. */
static const char *checked_url(struct parser *parser, const struct word *word) {
    for (size_t i = 0; i < word->length; i++) {
        unsigned char c = (unsigned char)word->text[i];
        if (c <= ' ' || c == 0x7f) {
            parser_error_at(parser, word, "write %20 for a space", "a URL cannot hold a space or a control character");
            return NULL;
        }
    }
    if (word->length == 0) {
        parser_error_at(parser, word, "write a URL, e.g. \"http://www.example.org/exceeded.html\"", "the URL is empty");
        return NULL;
    }
    if (word->text[0] != '/' && strstr(word->text, "://") == NULL) {
        parser_warn_at(parser, word, "write http:// and a host, or a path that begins with /",
                       "\"%s\" is sent as it is; browsers read it as relative to the page asked for", word->text);
    }
    return word->text;
}

/* The limits that a line is about, with a warning when it is a host's line inside <CBandUser>. */
static struct traffic_limits *traffic_of(struct parser *parser, const struct directive_use *use) {
    struct scope *scope = parser_scope(parser);
    if (scope->context != CONTEXT_USER) {
        return &scope->host->limits.traffic;
    }
    if ((use->directive->contexts & CONTEXT_HOST) != 0) {
        parser_warn_at(parser, NULL, "inside <CBandUser> write the CBandUser… form of it",
                       "belongs to a host; here it is taken as CBandUser%s", use->directive->name + strlen("CBand"));
    }
    return &scope->user->traffic;
}

/* Notes that a line was said. Of two in one section mod_cband kept the first, unless that one said 0, which is nothing:
 * true when this one is the second and does not count. Where the module let the last one hold, mark_said() does. */
static bool comes_second(struct parser *parser, uint32_t *said, uint32_t bit, bool first_says_something) {
    if ((*said & bit) != 0 && first_says_something) {
        parser_warn_at(parser, NULL, "keep one of the two lines",
                       "was given before in this section; the earlier line holds, as in mod_cband");
        return true;
    }
    *said |= bit;
    return false;
}

static bool says_something(const struct speed_limit *speed) {
    return speed->bits_per_s > 0 || speed->requests_per_s > 0 || speed->connections > 0;
}

static const char *kept(struct parser *parser, const char *text) {
    return arena_strdup(parser_arena(parser), text);
}

/* For the classic status document, which says KiB where the administrator did. */
static bool is_written_in_kib(const struct word *word) {
    return strpbrk(word->text, "iI") != NULL;
}

void cband_apply_limit(struct parser *parser, const struct directive_use *use) {
    struct traffic_limits *traffic = traffic_of(parser, use);
    uint64_t bytes;
    if (comes_second(parser, &traffic->said, CBAND_SAID_LIMIT, traffic->limit_bytes > 0)) {
        return;
    }
    if (word_quota(parser, &use->arguments[0], &bytes)) {
        traffic->limit_bytes = bytes;
        traffic->limit_in_kib = is_written_in_kib(&use->arguments[0]);
    }
}

void cband_apply_class_limit(struct parser *parser, const struct directive_use *use) {
    struct traffic_limits *traffic = traffic_of(parser, use);
    const struct word *name = &use->arguments[0];
    struct class_quota quota = {.name = kept(parser, name->text), .place = use->name.place};
    traffic->said |= CBAND_SAID_CLASS_LIMIT;
    if (!word_quota(parser, &use->arguments[1], &quota.limit_bytes)) {
        return;
    }
    quota.limit_in_kib = is_written_in_kib(&use->arguments[1]);
    size_t count = traffic->class_quota_count;
    struct class_quota *quotas = list_grow(parser_arena(parser), traffic->class_quotas, count, sizeof *quotas);
    size_t at = 0;
    while (at < count && strcmp(quotas[at].name, quota.name) != 0) {
        at++;
    }
    if (at < count) {
        parser_warn_at(parser, name, "keep one of the two lines",
                       "class \"%s\" has a limit already; this line replaces the earlier one", quota.name);
    }
    quotas[at] = quota;
    traffic->class_quotas = quotas;
    traffic->class_quota_count = at < count ? count : count + 1;
}

void cband_apply_class_speed(struct parser *parser, const struct directive_use *use) {
    struct traffic_limits *traffic = traffic_of(parser, use);
    const struct word *name = &use->arguments[0];
    struct class_speed speed = {.name = kept(parser, name->text), .place = use->name.place};
    traffic->said |= CBAND_SAID_CLASS_SPEED;
    if (!words_speed_limit(parser, use, 1, true, &speed.speed)) {
        return;
    }
    size_t count = traffic->class_speed_count;
    struct class_speed *speeds = list_grow(parser_arena(parser), traffic->class_speeds, count, sizeof *speeds);
    size_t at = 0;
    while (at < count && strcmp(speeds[at].name, speed.name) != 0) {
        at++;
    }
    if (at < count) {
        parser_warn_at(parser, name, "keep one of the two lines",
                       "class \"%s\" has a speed already; this line replaces the earlier one", speed.name);
    }
    speeds[at] = speed;
    traffic->class_speeds = speeds;
    traffic->class_speed_count = at < count ? count : count + 1;
}

static bool calendar_period(const struct word *word, enum period_kind *kind) {
    static const struct choice calendars[] = {
        {"calendar-day", PERIOD_CALENDAR_DAY},
        {"calendar-week", PERIOD_CALENDAR_WEEK},
        {"calendar-month", PERIOD_CALENDAR_MONTH},
    };
    for (size_t i = 0; i < sizeof calendars / sizeof *calendars; i++) {
        if (span_equal_nocase((struct span){word->text, word->length}, span_of(calendars[i].word))) {
            *kind = (enum period_kind)calendars[i].value;
            return true;
        }
    }
    return false;
}

void cband_apply_period(struct parser *parser, const struct directive_use *use) {
    struct traffic_limits *traffic = traffic_of(parser, use);
    const struct word *word = &use->arguments[0];
    if (comes_second(parser, &traffic->said, CBAND_SAID_PERIOD, traffic->period != PERIOD_NONE)) {
        return;
    }
    traffic->period_place = use->name.place;
    if (calendar_period(word, &traffic->period)) {
        traffic->period_s = 0;
        return;
    }
    uint64_t seconds;
    struct value_result result = value_parse_time((struct span){word->text, word->length}, &seconds);
    if (!result.ok && strncasecmp(word->text, "cal", 3) == 0) {
        result.problem = "is no calendar period";
        result.hint = "write calendar-day, calendar-week or calendar-month";
    }
    if (word_report(parser, word, &result)) {
        traffic->period = PERIOD_SECONDS;
        traffic->period_s = seconds;
    }
}

void cband_apply_slice(struct parser *parser, const struct directive_use *use) {
    struct traffic_limits *traffic = traffic_of(parser, use);
    const struct word *word = &use->arguments[0];
    if (comes_second(parser, &traffic->said, CBAND_SAID_SLICE, traffic->slice_s > 0)) {
        return;
    }
    traffic->slice_place = use->name.place;
    struct value_result result = value_parse_time((struct span){word->text, word->length}, &traffic->slice_s);
    word_report(parser, word, &result);
}

static void warn_of_url_and_speed(struct parser *parser, const struct traffic_limits *traffic) {
    uint32_t both = CBAND_SAID_EXCEEDED_URL | CBAND_SAID_EXCEEDED_SPEED;
    if ((traffic->said & both) == both) {
        parser_warn_at(parser, NULL, "keep the URL to redirect, or the speed to go on serving",
                       "an exceeded URL and an exceeded speed are both given: the URL holds, the speed is never used");
    }
}

void cband_apply_exceeded_url(struct parser *parser, const struct directive_use *use) {
    struct traffic_limits *traffic = traffic_of(parser, use);
    if (comes_second(parser, &traffic->said, CBAND_SAID_EXCEEDED_URL, traffic->exceeded_url != NULL)) {
        return;
    }
    const char *url = checked_url(parser, &use->arguments[0]);
    if (url != NULL) {
        traffic->exceeded_url = kept(parser, url);
        warn_of_url_and_speed(parser, traffic);
    }
}

void cband_apply_exceeded_speed(struct parser *parser, const struct directive_use *use) {
    struct traffic_limits *traffic = traffic_of(parser, use);
    if (comes_second(parser, &traffic->said, CBAND_SAID_EXCEEDED_SPEED, says_something(&traffic->exceeded_speed))) {
        return;
    }
    if (words_speed_limit(parser, use, 0, false, &traffic->exceeded_speed)) {
        warn_of_url_and_speed(parser, traffic);
    }
}

void cband_apply_scoreboard(struct parser *parser, const struct directive_use *use) {
    struct traffic_limits *traffic = traffic_of(parser, use);
    if (comes_second(parser, &traffic->said, CBAND_SAID_SCOREBOARD, traffic->scoreboard != NULL)) {
        return;
    }
    if (use->arguments[0].length == 0) {
        parser_error_at(parser, &use->arguments[0], "write a path, or leave the line out to use StateFile",
                        "the path is empty");
        return;
    }
    traffic->scoreboard = parser_path(parser, use->arguments[0].text);
    traffic->scoreboard_place = use->name.place;
}

void cband_apply_speed(struct parser *parser, const struct directive_use *use) {
    struct traffic_limits *traffic = traffic_of(parser, use);
    if (comes_second(parser, &traffic->said, CBAND_SAID_SPEED, says_something(&traffic->speed))) {
        return;
    }
    words_speed_limit(parser, use, 0, false, &traffic->speed);
}

void cband_apply_remote_speed(struct parser *parser, const struct directive_use *use) {
    struct traffic_limits *traffic = traffic_of(parser, use);
    if (comes_second(parser, &traffic->said, CBAND_SAID_REMOTE_SPEED, says_something(&traffic->remote_speed))) {
        return;
    }
    words_speed_limit(parser, use, 0, false, &traffic->remote_speed);
}

/* ---- host ------------------------------------------------------------ */

void cband_apply_user(struct parser *parser, const struct directive_use *use) {
    struct host_limits *limits = &parser_scope(parser)->host->limits;
    if (comes_second(parser, &limits->traffic.said, CBAND_SAID_USER, limits->user_name != NULL)) {
        return;
    }
    limits->user_name = kept(parser, use->arguments[0].text);
    limits->user_place = use->name.place;
}

void cband_apply_upload_speed(struct parser *parser, const struct directive_use *use) {
    struct host_limits *limits = &parser_scope(parser)->host->limits;
    mark_said(parser, &limits->traffic.said, CBAND_SAID_UPLOAD_SPEED);
    word_speed(parser, &use->arguments[0], &limits->upload_bits_per_s);
}

void cband_apply_remote_limit(struct parser *parser, const struct directive_use *use) {
    struct host_limits *limits = &parser_scope(parser)->host->limits;
    mark_said(parser, &limits->traffic.said, CBAND_SAID_REMOTE_LIMIT);
    word_quota(parser, &use->arguments[0], &limits->remote_limit_bytes);
}

/* ---- server and host ------------------------------------------------------------ */

enum { MAX_DELAY_LIMIT_S = 3600 };

void cband_apply_max_delay(struct parser *parser, const struct directive_use *use) {
    struct scope *scope = parser_scope(parser);
    const struct word *word = &use->arguments[0];
    int64_t delay_ns;
    struct value_result result =
        value_parse_seconds((struct span){word->text, word->length}, MAX_DELAY_LIMIT_S, &delay_ns);
    if (!result.ok) {
        result.hint = "write seconds from 0 (refuse at once) to 3600, e.g. \"10\" or \"0.5\"";
    }
    bool server = scope->context == CONTEXT_SERVER;
    struct server_limits *of_server = &parser_config(parser)->server.limits;
    mark_said(parser, server ? &of_server->said : &scope->host->limits.traffic.said, CBAND_SAID_MAX_DELAY);
    if (word_report(parser, word, &result)) {
        *(server ? &of_server->max_delay_ns : &scope->host->limits.max_delay_ns) = delay_ns;
    }
}

void cband_apply_dry_run(struct parser *parser, const struct directive_use *use) {
    struct scope *scope = parser_scope(parser);
    bool server = scope->context == CONTEXT_SERVER;
    struct server_limits *of_server = &parser_config(parser)->server.limits;
    mark_said(parser, server ? &of_server->said : &scope->host->limits.traffic.said, CBAND_SAID_DRY_RUN);
    word_on_off(parser, &use->arguments[0], server ? &of_server->dry_run : &scope->host->limits.dry_run);
}

/* ---- server ------------------------------------------------------------ */

static struct server_limits *server_said(struct parser *parser, uint32_t bit) {
    struct server_limits *limits = &parser_config(parser)->server.limits;
    mark_said(parser, &limits->said, bit);
    return limits;
}

void cband_apply_default_url(struct parser *parser, const struct directive_use *use) {
    struct server_limits *limits = &parser_config(parser)->server.limits;
    if (comes_second(parser, &limits->said, CBAND_SAID_DEFAULT_URL, limits->default_exceeded_url != NULL)) {
        return;
    }
    const char *url = checked_url(parser, &use->arguments[0]);
    if (url != NULL) {
        limits->default_exceeded_url = kept(parser, url);
    }
}

void cband_apply_default_code(struct parser *parser, const struct directive_use *use) {
    struct server_limits *limits = server_said(parser, CBAND_SAID_DEFAULT_CODE);
    word_refusal_status(parser, &use->arguments[0], &limits->default_exceeded_code);
}

void cband_apply_flush_period(struct parser *parser, const struct directive_use *use) {
    struct server_limits *limits = &parser_config(parser)->server.limits;
    if (comes_second(parser, &limits->said, CBAND_SAID_FLUSH_PERIOD, limits->score_flush_period > 0)) {
        return;
    }
    word_whole(parser, &use->arguments[0], 0, UINT32_MAX, &limits->score_flush_period);
}

void cband_apply_random_pulse(struct parser *parser, const struct directive_use *use) {
    struct server_limits *limits = &parser_config(parser)->server.limits;
    if (comes_second(parser, &limits->said, CBAND_SAID_RANDOM_PULSE, limits->random_pulse)) {
        return;
    }
    word_on_off(parser, &use->arguments[0], &limits->random_pulse);
}

void cband_apply_ipv6_prefix(struct parser *parser, const struct directive_use *use) {
    struct server_limits *limits = server_said(parser, CBAND_SAID_IPV6_PREFIX);
    word_whole(parser, &use->arguments[0], 1, 128, &limits->ipv6_prefix_bits);
}

void cband_apply_status_xml(struct parser *parser, const struct directive_use *use) {
    static const struct choice layouts[] = {{"classic", 1}, {"weir", 0}, {NULL, 0}};
    struct server_limits *limits = server_said(parser, CBAND_SAID_STATUS_XML);
    unsigned classic;
    if (word_choice(parser, &use->arguments[0], layouts, &classic)) {
        limits->status_xml_classic = classic != 0;
    }
}

/* ---- sections ------------------------------------------------------------ */

static const char *section_name(struct parser *parser, const struct directive_use *use) {
    if (use->argument_count == 0 || use->arguments[0].length == 0) {
        parser_error_at(parser, NULL, "write a name behind it, e.g. <CBandUser alice>", "the name is missing");
        return "";
    }
    return kept(parser, use->arguments[0].text);
}

void cband_open_user(struct parser *parser, const struct directive_use *use) {
    struct scope *scope = parser_scope(parser);
    struct user_limits *user = parser_add_user(parser);
    user->name = section_name(parser, use);
    user->place = use->name.place;
    scope->context = CONTEXT_USER;
    scope->user = user;
    scope->settings = NULL;
}

void cband_open_class(struct parser *parser, const struct directive_use *use) {
    struct scope *scope = parser_scope(parser);
    struct client_class *class = parser_add_class(parser);
    class->name = section_name(parser, use);
    class->place = use->name.place;
    scope->context = CONTEXT_CLASS;
    scope->client_class = class;
    scope->settings = NULL;
}

void cband_apply_class_dst(struct parser *parser, const struct directive_use *use) {
    struct client_class *class = parser_scope(parser)->client_class;
    class->said = true;
    for (size_t i = 0; i < use->argument_count; i++) {
        const struct word *word = &use->arguments[i];
        struct ip_prefix prefix;
        if (!ip_prefix_parse((struct span){word->text, word->length}, true, &prefix)) {
            parser_error_at(parser, word,
                            "write an address or a network, e.g. 192.0.2.7, 66.249.64/24 or 2001:db8::/32",
                            "\"%s\" is not an Internet address", word->text);
            continue;
        }
        struct ip_prefix *prefixes =
            list_grow(parser_arena(parser), class->prefixes, class->prefix_count, sizeof *prefixes);
        prefixes[class->prefix_count++] = prefix;
        class->prefixes = prefixes;
    }
}
