/* The control socket's table, and what its shorter functions do. Called by the program's answerer; housekeeping thread.
 * Always true: a function is reached only with the method of its row, with parameters that the row names, each once. */
#include "stats/control.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/directive.h"
#include "proxy/log.h"
#include "proxy/process_commands.h"
#include "proxy/process_survey.h"
#include "shaper/reset.h"
#include "stats/answer.h"
#include "stats/control_call.h"

static const char text_type[] = "text/plain; charset=utf-8";

/* ---- answers ---- */

void control_say_taken(const struct control_call *call, int status, char *text) {
    free(call->answer->body);
    call->answer->status = status;
    call->answer->content_type = text_type;
    call->answer->body = text;
    call->answer->body_bytes = text != NULL ? strlen(text) : 0;
}

void control_say(const struct control_call *call, int status, const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0) {
        text = NULL;
    }
    va_end(arguments);
    control_say_taken(call, status, text);
}

FILE *control_begin_document(const struct control_call *call, const char *content_type) {
    FILE *out = open_memstream(&call->answer->body, &call->answer->body_bytes);
    if (out == NULL) {
        control_say(call, 503, "no memory for the document\n");
        return NULL;
    }
    call->answer->status = 200;
    call->answer->content_type = content_type;
    return out;
}

void control_end_document(const struct control_call *call, FILE *out) {
    if (fclose(out) != 0) {
        control_say(call, 503, "no memory for the document\n");
    }
}

bool control_parameter(const struct control_call *call, const char *name, char value[QUERY_VALUE_MAX]) {
    return query_find(call->request->query, name, value) || query_find(call->request->form, name, value);
}

/* ---- documents: as SetHandler gives them ---- */

static void show(const struct control_call *call, enum handler_kind handler, struct span query) {
    struct status_request request = *call->request;
    request.handler = handler;
    request.query = query;
    stats_answer(call->process, &request, call->answer);
}

static void show_page(const struct control_call *call) {
    show(call, HANDLER_STATUS, call->request->query);
}

static void show_xml(const struct control_call *call) {
    char value[QUERY_VALUE_MAX];
    bool is_classic = control_parameter(call, "classic", value);
    show(call, HANDLER_STATUS, is_classic ? SPAN_LITERAL("xml=classic") : SPAN_LITERAL("xml=weir"));
}

static void show_json(const struct control_call *call) {
    show(call, HANDLER_STATUS, SPAN_LITERAL("json"));
}

static void show_metrics(const struct control_call *call) {
    show(call, HANDLER_METRICS, SPAN_NONE);
}

/* ---- commands ---- */

static void finish(const struct control_call *call, bool ok, char *text) {
    control_say_taken(call, ok ? 200 : 409, text);
}

static void reload(const struct control_call *call) {
    char *text = NULL;
    bool ok = process_command_reload(call->process, &text);
    finish(call, ok, text);
}

static void drain(const struct control_call *call) {
    char *text = NULL;
    bool ok = process_command_drain(call->process, &text);
    finish(call, ok, text);
}

static void change_log_level(const struct control_call *call) {
    char level[QUERY_VALUE_MAX] = "";
    char *text = NULL;
    (void)control_parameter(call, "level", level);
    bool ok = process_command_log_level(span_of(level), &text);
    control_say_taken(call, ok ? 200 : 400, text);
}

static void reset(const struct control_call *call) {
    char host[QUERY_VALUE_MAX], user[QUERY_VALUE_MAX];
    bool has_host = control_parameter(call, "host", host), has_user = control_parameter(call, "user", user);
    if (has_host == has_user) {
        control_say(call, 400, "write host=NAME, host=NAME:PORT:LINE or host=all, or user=NAME or user=all\n");
        return;
    }
    struct process_survey survey;
    process_survey(call->process, &survey);
    const char *kind = has_host ? "host" : "user", *name = has_host ? host : user;
    size_t count = has_host ? shaper_reset_hosts(survey.binding, name, survey.now_wall_s)
                            : shaper_reset_users(survey.binding, name, survey.now_wall_s);
    if (count == 0 && strcmp(name, "all") != 0) {
        control_say(call, 404, "there is no %s \"%s\"; /json lists them all\n", kind, name);
        return;
    }
    log_notice("control socket: usage of %s \"%s\" was reset", kind, name);
    control_say(call, 200, "usage of %zu %s%s was reset\n", count, kind, count == 1 ? "" : "s");
}

/* ---- the table ---- */

static void list(const struct control_call *call);

/* `parameters`: "name=SYNTAX" or "name", one space between two; what stands before "=" is what is taken. */
static const struct row {
    const char *method, *path;
    void (*run)(const struct control_call *call);
    const char *parameters, *help;
} rows[] = {
    {"GET", "/", list, "", "This list"},
    {"GET", "/status", show_page, "refresh=SECONDS unit=K|M|G sort=COLUMN filter=TEXT page=N", "The page for people"},
    {"GET", "/xml", show_xml, "classic", "The status as XML; classic: in mod_cband's layout"},
    {"GET", "/json", show_json, "", "The status as JSON"},
    {"GET", "/metrics", show_metrics, "", "The status in Prometheus' text format"},
    {"GET", "/usage", control_usage,
     "host=NAME user=NAME class=NAME kind=host|user|class month=YYYY-MM from=TIME to=TIME by=total|month|day|hour "
     "format=table|csv|json",
     "Bytes and requests from the usage history, of the present month or the time given, which is local: "
     "YYYY-MM[-DD[THH[:MM]]] or @SECONDS; to includes the month, day or hour that it names"},
    {"GET", "/blocks", control_list_blocks, "", "The blocks that hold, as JSON"},
    {"POST", "/block", control_block, "address=ADDRESS|PREFIX seconds=N",
     "Refuses what comes from there, for 600 seconds unless another number is given"},
    {"POST", "/unblock", control_unblock, "address=ADDRESS|PREFIX|all",
     "Ends blocks, and forgets what those clients had requested"},
    {"POST", "/reset", reset, "host=NAME|NAME:PORT:LINE|all user=NAME|all", "Forgets what was used of the quota"},
    {"POST", "/reload", reload, "", "Reads the configuration again, as HUP does; answers when that was tried"},
    {"POST", "/drain", drain, "", "Ends weir when what is being served has ended, as TERM does"},
    {"POST", "/log-level", change_log_level, "level=emerg|alert|crit|error|warn|notice|info|debug",
     "Changes the error log's level until the next reload"},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

/* Takes one parameter's description off the front of *rest. */
static bool next_described(struct span *rest, struct span *described) {
    const char *space = rest->len > 0 ? memchr(rest->ptr, ' ', rest->len) : NULL;
    *described = (struct span){rest->ptr, space != NULL ? (size_t)(space - rest->ptr) : rest->len};
    *rest = span_skip(*rest, described->len + (space != NULL));
    return described->len > 0;
}

static void list(const struct control_call *call) {
    FILE *out = control_begin_document(call, text_type);
    if (out == NULL) {
        return;
    }
    fputs("weir's control socket. GET looks, POST changes; parameters stand in the query or in a form.\n", out);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        fprintf(out, "\n%-4s %s\n    %s\n", rows[i].method, rows[i].path, rows[i].help);
        struct span rest = span_of(rows[i].parameters), described;
        while (next_described(&rest, &described)) {
            fprintf(out, "    ?%.*s\n", (int)described.len, described.ptr);
        }
    }
    control_end_document(call, out);
}

/* ---- finding ---- */

enum { NOT_TAKEN = -1 };

/* The place of a name among a row's parameters, or NOT_TAKEN. */
static int place_of(const struct row *row, const char *name) {
    struct span rest = span_of(row->parameters), described;
    for (int place = 0; next_described(&rest, &described); place++) {
        const char *equals = memchr(described.ptr, '=', described.len);
        struct span known = {described.ptr, equals != NULL ? (size_t)(equals - described.ptr) : described.len};
        if (span_equal_nocase(known, span_of(name))) {
            return place;
        }
    }
    return NOT_TAKEN;
}

/* False: one of them is wrong, and that has been said. */
static bool check_parameters(const struct control_call *call, const struct row *row, struct span text, unsigned *seen) {
    char name[QUERY_VALUE_MAX], value[QUERY_VALUE_MAX];
    enum query_part part;
    while ((part = query_next(&text, name, value)) != QUERY_END) {
        if (part == QUERY_UNREADABLE) {
            control_say(call, 400, "a parameter is longer than %d bytes, or holds a zero byte\n", QUERY_VALUE_MAX - 1);
            return false;
        }
        int place = place_of(row, name);
        if (place == NOT_TAKEN) {
            control_say(call, 400, "%s takes no \"%s\"; it takes: %s\n", row->path, name,
                        row->parameters[0] != '\0' ? row->parameters : "nothing");
            return false;
        }
        if ((*seen & 1U << place) != 0) {
            control_say(call, 400, "\"%s\" stands there twice: which one is meant?\n", name);
            return false;
        }
        *seen |= 1U << place;
    }
    return true;
}

static void say_unknown(const struct control_call *call) {
    const char *paths[ROW_COUNT + 1] = {NULL};
    for (size_t i = 0; i < ROW_COUNT; i++) {
        paths[i] = rows[i].path;
    }
    const char *near = nearest_word(call->request->path, paths);
    control_say(call, 404, "there is nothing at this path; %s%s%sGET / lists all there is\n",
                near != NULL ? "did you mean " : "", near != NULL ? near : "", near != NULL ? "? " : "");
}

void stats_control(struct process *process, const struct status_request *request, struct status_answer *answer) {
    const struct control_call call = {process, request, answer};
    const struct row *row = rows;
    while (row < rows + ROW_COUNT && !span_equal(request->path, span_of(row->path))) {
        row++;
    }
    if (row == rows + ROW_COUNT) {
        say_unknown(&call);
        return;
    }
    bool is_look = strcmp(row->method, "GET") == 0;
    bool is_right = span_equal(request->method, span_of(row->method)) ||
                    (is_look && span_equal(request->method, SPAN_LITERAL("HEAD")));
    unsigned seen = 0;
    if (!is_right) {
        control_say(&call, 405, is_look ? "%s is only looked at: GET\n" : "%s changes state: send it by POST\n",
                    row->path);
        status_answer_add(answer, "Allow", "%s", is_look ? "GET, HEAD" : "POST");
    } else if (!is_look && request->foreign) {
        control_say(&call, 403, "this was sent by a page of another site\n");
    } else if (check_parameters(&call, row, request->query, &seen) &&
               check_parameters(&call, row, request->form, &seen)) {
        row->run(&call);
    }
}
