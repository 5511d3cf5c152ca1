/* The rows of mod_cband's 27 directives and of weir's additions to them. What the lines do is in cband_lines.c.
 *
 * Read by directive.c and the parser; constant. */
#include "config/cband_lines.h"

enum { HOST_OR_MAIN = CONTEXT_SERVER | CONTEXT_HOST, HOST_OR_USER = HOST_OR_MAIN | CONTEXT_USER };

/* name, contexts, least and most arguments, apply function; then what the reference says: arguments, default, help */
#define LINE(name_, contexts_, least_, most_, apply_, syntax_, default_, help_)                                        \
    {                                                                                                                  \
        .name = (name_), .contexts = (contexts_), .minimum_arguments = (least_), .maximum_arguments = (most_),         \
        .unsaid = true, .apply = (apply_), .syntax = (syntax_), .default_text = (default_), .help = (help_)            \
    }

#define SECTION(name_, open_, help_)                                                                                   \
    {                                                                                                                  \
        .name = (name_), .contexts = CONTEXT_SERVER, .minimum_arguments = 1, .maximum_arguments = 1, .unsaid = true,   \
        .section = true, .apply = (open_), .syntax = "name", .help = (help_)                                           \
    }

#define REPEATED(name_, contexts_, least_, most_, apply_, syntax_, default_, help_)                                    \
    {                                                                                                                  \
        .name = (name_), .contexts = (contexts_), .minimum_arguments = (least_), .maximum_arguments = (most_),         \
        .unsaid = true, .repeated = true, .apply = (apply_), .syntax = (syntax_), .default_text = (default_),          \
        .help = (help_)                                                                                                \
    }

const struct directive directives_cband[] = {
    /* host, and as its user twin also in <CBandUser> */
    LINE("CBandLimit", HOST_OR_USER, 1, 1, cband_apply_limit, "quota", "0",
         "Bytes that the host may send in a period; a bare number is K, 0 is unlimited"),
    REPEATED("CBandClassLimit", HOST_OR_USER, 2, 2, cband_apply_class_limit, "class quota", NULL,
             "Bytes that the host may send to the clients of one class in a period"),
    LINE("CBandPeriod", HOST_OR_USER, 1, 1, cband_apply_period, "time|calendar-day|calendar-week|calendar-month",
         "(none: usage is never forgotten)", "How long a quota lasts, from the first request on or by the calendar"),
    LINE("CBandPeriodSlice", HOST_OR_USER, 1, 1, cband_apply_slice, "time", "(the whole period)",
         "Hands the quota out in equal parts, one at the beginning of each slice of the period"),
    LINE("CBandExceededURL", HOST_OR_USER, 1, 1, cband_apply_exceeded_url, "url", NULL,
         "Where clients are redirected when the host's quota is used up"),
    LINE("CBandExceededSpeed", HOST_OR_USER, 3, 3, cband_apply_exceeded_speed, "speed rps max_conn", NULL,
         "Speed, requests per second and connections of the host when its quota is used up"),
    LINE("CBandScoreboard", HOST_OR_USER, 1, 1, cband_apply_scoreboard, "path", "(StateFile)",
         "A database of its own for the host's usage; a file of mod_cband is imported once"),
    LINE("CBandSpeed", HOST_OR_USER, 3, 3, cband_apply_speed, "speed rps max_conn", "0 0 0",
         "Speed, requests per second and connections of the host, shared by all its clients"),
    LINE("CBandRemoteSpeed", HOST_OR_USER, 3, 3, cband_apply_remote_speed, "speed rps max_conn", "0 0 0",
         "Speed, requests per second and connections of each client of the host"),
    REPEATED("CBandClassRemoteSpeed", HOST_OR_USER, 3, 4, cband_apply_class_speed, "class speed rps max_conn", NULL,
             "Replaces CBandRemoteSpeed for clients of a class, value by value where it is not 0"),

    /* host */
    LINE("CBandUser", HOST_OR_MAIN, 1, 1, cband_apply_user, "name", NULL,
         "The user whose limits this host shares with the user's other hosts"),
    LINE("CBandUploadSpeed", HOST_OR_MAIN, 1, 1, cband_apply_upload_speed, "speed", "0",
         "Speed of the bodies of requests to the host, shared by all its clients"),
    LINE("CBandRemoteLimit", HOST_OR_MAIN, 1, 1, cband_apply_remote_limit, "quota", "0",
         "Bytes that each client address may get from the host in a period"),

    /* server and host */
    LINE("CBandMaxDelay", HOST_OR_MAIN, 1, 1, cband_apply_max_delay, "seconds", "10",
         "A request over its rate that would have to wait longer is refused at once"),
    LINE("CBandDryRun", HOST_OR_MAIN, 1, 1, cband_apply_dry_run, "On|Off", "Off",
         "Decides, counts and logs, but neither slows nor refuses"),

    /* server */
    LINE("CBandDefaultExceededURL", CONTEXT_SERVER, 1, 1, cband_apply_default_url, "url", NULL,
         "Where clients are redirected when the host or user says nothing else"),
    LINE("CBandDefaultExceededCode", CONTEXT_SERVER, 1, 1, cband_apply_default_code, "status", "503",
         "Status of the refusal when there is no URL and no speed for it: any 4xx or 5xx"),
    LINE("CBandScoreFlushPeriod", CONTEXT_SERVER, 1, 1, cband_apply_flush_period, "requests", "1",
         "Usage is written at the latest after so many requests, and in any case after a second"),
    LINE("CBandRandomPulse", CONTEXT_SERVER, 1, 1, cband_apply_random_pulse, "On|Off", "Off",
         "Accepted; pacing is smooth either way"),
    LINE("CBandIPv6Prefix", CONTEXT_SERVER, 1, 1, cband_apply_ipv6_prefix, "bits", "64",
         "IPv6 addresses that agree in so many bits are one client"),
    LINE("CBandStatusXML", CONTEXT_SERVER, 1, 1, cband_apply_status_xml, "classic|weir", "weir",
         "Which layout plain ?xml on a status page has: mod_cband's or weir's"),

    /* users */
    SECTION("CBandUser", cband_open_user, "A user who owns several hosts, named by CBandUser in each of them"),
    LINE("CBandUserLimit", CONTEXT_USER, 1, 1, cband_apply_limit, "quota", "0",
         "Bytes that the user's hosts together may send in a period"),
    REPEATED("CBandUserClassLimit", CONTEXT_USER, 2, 2, cband_apply_class_limit, "class quota", NULL,
             "Bytes that the user's hosts together may send to the clients of one class in a period"),
    LINE("CBandUserPeriod", CONTEXT_USER, 1, 1, cband_apply_period, "time|calendar-day|calendar-week|calendar-month",
         "(none: usage is never forgotten)", "How long the user's quota lasts"),
    LINE("CBandUserPeriodSlice", CONTEXT_USER, 1, 1, cband_apply_slice, "time", "(the whole period)",
         "Hands the user's quota out in equal parts, one at the beginning of each slice"),
    LINE("CBandUserExceededURL", CONTEXT_USER, 1, 1, cband_apply_exceeded_url, "url", NULL,
         "Where clients are redirected when the user's quota is used up"),
    LINE("CBandUserExceededSpeed", CONTEXT_USER, 3, 3, cband_apply_exceeded_speed, "speed rps max_conn", NULL,
         "Speed, requests per second and connections when the user's quota is used up"),
    LINE("CBandUserScoreboard", CONTEXT_USER, 1, 1, cband_apply_scoreboard, "path", "(StateFile)",
         "A database of its own for the user's usage; a file of mod_cband is imported once"),
    LINE("CBandUserSpeed", CONTEXT_USER, 3, 3, cband_apply_speed, "speed rps max_conn", "0 0 0",
         "Speed, requests per second and connections of all the user's hosts together"),
    LINE("CBandUserRemoteSpeed", CONTEXT_USER, 3, 3, cband_apply_remote_speed, "speed rps max_conn", "0 0 0",
         "Speed, requests per second and connections of each client of the user's hosts"),
    REPEATED("CBandUserClassRemoteSpeed", CONTEXT_USER, 3, 4, cband_apply_class_speed, "class speed rps max_conn", NULL,
             "Replaces CBandUserRemoteSpeed for clients of a class, value by value where it is not 0"),

    /* classes */
    SECTION("CBandClass", cband_open_class, "Clients that are told apart by their addresses"),
    REPEATED("CBandClassDst", CONTEXT_CLASS, 1, MANY_ARGUMENTS, cband_apply_class_dst, "prefix…", NULL,
             "Addresses and networks of the class, IPv4 or IPv6; the longest prefix of all classes decides"),
};

const size_t directives_cband_count = sizeof directives_cband / sizeof *directives_cband;
