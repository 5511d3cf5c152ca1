/* Answers to status requests. Housekeeping thread. Always true: a GET changes nothing. */
#include "stats/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proxy/log.h"
#include "proxy/process_survey.h"
#include "shaper/reset.h"
#include "stats/page.h"
#include "stats/query.h"
#include "stats/render.h"
#include "stats/take.h"

enum { REFRESH_DEFAULT_S = 15, REFRESH_MAX_S = 86400 };

/* ---- answers ---- */

__attribute__((format(printf, 3, 4))) static void say(struct status_answer *answer, int status, const char *format,
                                                      ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&answer->body, format, arguments);
    va_end(arguments);
    if (length < 0) {
        answer->body = NULL;
        length = 0;
    }
    answer->body_bytes = (size_t)length;
    answer->status = status;
    answer->content_type = "text/plain; charset=utf-8";
}

static void say_method(struct status_answer *answer, const char *allowed, const char *hint) {
    say(answer, 405, "%s\n", hint);
    status_answer_add(answer, "Allow", "%s", allowed);
}

static bool is_method(const struct status_request *request, const char *method) {
    return span_equal(request->method, span_of(method));
}

/* ---- documents ---- */

static enum stats_document wanted_document(const struct status_request *request, bool classic_xml) {
    char value[QUERY_VALUE_MAX];
    if (request->handler == HANDLER_METRICS) {
        return STATS_DOCUMENT_PROMETHEUS;
    }
    if (query_find(request->query, "xml", value)) {
        bool is_classic = strcasecmp(value, "classic") == 0 || (value[0] == '\0' && classic_xml);
        return is_classic ? STATS_DOCUMENT_XML_CLASSIC : STATS_DOCUMENT_XML;
    }
    return query_find(request->query, "json", value) ? STATS_DOCUMENT_JSON : STATS_DOCUMENT_PAGE;
}

/* As mod_cband read it: without a number, 15. */
static unsigned wanted_refresh_s(const struct status_request *request) {
    char value[QUERY_VALUE_MAX];
    if (!query_find(request->query, "refresh", value)) {
        return 0;
    }
    long seconds = strtol(value, NULL, 10);
    return seconds <= 0 || seconds > REFRESH_MAX_S ? REFRESH_DEFAULT_S : (unsigned)seconds;
}

/* 0: not there, or no number. */
static unsigned wanted_number(const struct status_request *request, const char *name) {
    char value[QUERY_VALUE_MAX];
    long number = query_find(request->query, name, value) ? strtol(value, NULL, 10) : 0;
    return number > 0 && number < 1000000 ? (unsigned)number : 0;
}

static enum stats_unit wanted_unit(const struct status_request *request) {
    char value[QUERY_VALUE_MAX];
    if (!query_find(request->query, "unit", value)) {
        return STATS_UNIT_AUTO;
    }
    switch (value[0]) {
    case 'k':
    case 'K':
        return STATS_UNIT_K;
    case 'm':
    case 'M':
        return STATS_UNIT_M;
    case 'g':
    case 'G':
        return STATS_UNIT_G;
    default:
        return STATS_UNIT_AUTO;
    }
}

static void render(enum stats_document document, const struct stats_snapshot *snapshot, const struct stats_view *view,
                   struct status_answer *answer) {
    FILE *out = open_memstream(&answer->body, &answer->body_bytes);
    if (out == NULL) {
        say(answer, 503, "no memory for the document\n");
        return;
    }
    __fsetlocking(out, FSETLOCKING_BYCALLER); /* nobody else has it; a lock for each character is a third of the time */
    stats_render(document, snapshot, view, out);
    if (fclose(out) != 0) {
        free(answer->body);
        say(answer, 503, "no memory for the document\n");
        return;
    }
    answer->status = 200;
    answer->content_type = stats_document_content_type(document);
    status_answer_add(answer, "Cache-Control", "no-store");
    status_answer_add(answer, "X-Content-Type-Options", "nosniff");
}

static void show(struct process *process, const struct status_request *request, struct status_answer *answer) {
    char path[QUERY_VALUE_MAX], key[QUERY_VALUE_MAX], sort[QUERY_VALUE_MAX], filter[QUERY_VALUE_MAX];
    snprintf(path, sizeof path, "%.*s", (int)request->path.len, request->path.ptr);
    struct stats_snapshot *snapshot = stats_snapshot_take(process);
    enum stats_document document = wanted_document(request, snapshot->server.classic_xml);
    struct stats_view view = {
        .unit = wanted_unit(request),
        .refresh_s = wanted_refresh_s(request),
        .path = path,
        .may_reset = request->handler == HANDLER_STATUS,
        .sort = query_find(request->query, "sort", sort) ? sort : NULL,
        .filter = query_find(request->query, "filter", filter) ? filter : NULL,
        .page = wanted_number(request, "page"),
    };
    if (request->handler == HANDLER_STATUS_ME) {
        snprintf(key, sizeof key, "%s:%u:%u", shaper_host_name(request->host), request->host->port,
                 request->host->is_main ? 0 : request->host->place.line);
        view.only_host = key;
        view.title = shaper_host_name(request->host);
    }
    render(document, snapshot, &view, answer);
    if (document == STATS_DOCUMENT_PAGE) {
        status_answer_add(answer, "Content-Security-Policy", "%s", stats_page_security_policy);
        if (view.refresh_s > 0) {
            status_answer_add(answer, "Refresh", "%u", view.refresh_s);
        }
    }
    stats_snapshot_free(&snapshot);
}

/* ---- actions ---- */

static bool find_parameter(const struct status_request *request, const char *name, char value[QUERY_VALUE_MAX]) {
    return query_find(request->query, name, value) || query_find(request->form, name, value);
}

static bool asks_for_reset(const struct status_request *request) {
    char value[QUERY_VALUE_MAX];
    return find_parameter(request, "reset", value) || find_parameter(request, "reset_user", value);
}

/* Back to the page, as it was looked at. */
static void send_back(const struct status_request *request, struct status_answer *answer) {
    static const char *const kept[] = {"refresh", "unit", "sort", "filter", "page"};
    char location[4 * QUERY_VALUE_MAX], value[QUERY_VALUE_MAX];
    int length = snprintf(location, QUERY_VALUE_MAX, "%.*s", (int)request->path.len, request->path.ptr);
    size_t at = length < QUERY_VALUE_MAX ? (size_t)length : QUERY_VALUE_MAX - 1;
    const char *separator = "?";
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        bool is_plain =
            find_parameter(request, kept[i], value) && strlen(value) < 32 &&
            strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(value);
        if (is_plain) {
            at += (size_t)snprintf(location + at, sizeof location - at, "%s%s=%s", separator, kept[i], value);
            separator = "&";
        }
    }
    say(answer, 303, "done\n");
    status_answer_add(answer, "Location", "%s", location);
    status_answer_add(answer, "Cache-Control", "no-store");
}

static void reset(struct process *process, const struct status_request *request, struct status_answer *answer) {
    struct process_survey survey;
    char name[QUERY_VALUE_MAX];
    process_survey(process, &survey);
    size_t count = 0;
    if (find_parameter(request, "reset", name)) {
        count = shaper_reset_hosts(survey.binding, name, survey.now_wall_s);
    } else if (find_parameter(request, "reset_user", name)) {
        count = shaper_reset_users(survey.binding, name, survey.now_wall_s);
    }
    if (count == 0) {
        say(answer, 404, "nothing has that name: write reset=NAME, NAME:PORT:LINE or all, or reset_user=NAME or all\n");
        return;
    }
    log_notice("usage of \"%s\" was reset on the status page", name);
    send_back(request, answer);
}

void stats_answer(struct process *process, const struct status_request *request, struct status_answer *answer) {
    bool is_look = is_method(request, "GET") || is_method(request, "HEAD");
    bool may_change = request->handler == HANDLER_STATUS;
    if (is_look && may_change && asks_for_reset(request)) {
        say_method(answer, "POST", "a reset changes state: send it by POST, as the page's buttons do");
    } else if (is_look) {
        show(process, request, answer);
    } else if (!may_change || !is_method(request, "POST")) {
        say_method(answer, may_change ? "GET, HEAD, POST" : "GET, HEAD", "this page can only be looked at");
    } else if (request->foreign) {
        say(answer, 403, "this form was sent by a page of another site\n");
    } else if (!asks_for_reset(request)) {
        say(answer, 400, "write reset=NAME, NAME:PORT:LINE or all, or reset_user=NAME or all\n");
    } else {
        reset(process, request, answer);
    }
}
