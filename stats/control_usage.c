/* GET /usage. Housekeeping thread, which waits for the disk here: at most USAGE_READING_MS_MAX. */
#include <string.h>
#include <time.h>

#include "proxy/process_commands.h"
#include "proxy/process_survey.h"
#include "shaper/usage_report.h"
#include "stats/control_call.h"
#include "stats/moment.h"
#include "stats/usage.h"

enum format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON, FORMAT_COUNT };

static const struct {
    const char *word, *content_type;
} formats[FORMAT_COUNT] = {
    {"table", "text/plain; charset=utf-8"}, {"csv", "text/csv; charset=utf-8"}, {"json", "application/json"}};

/* What was asked, with room for its texts. */
struct asked {
    struct usage_question question;
    char name[QUERY_VALUE_MAX], kind[QUERY_VALUE_MAX];
    enum format format;
};

static const char *const kinds[] = {"host", "user", "class"};

/* Each read_…: false when it was wrong, and that has been said. */
static bool read_who(const struct control_call *call, struct asked *asked) {
    size_t names = 0;
    for (size_t i = 0; i < 3; i++) {
        char value[QUERY_VALUE_MAX];
        if (control_parameter(call, kinds[i], value)) {
            names++;
            asked->question.kind = kinds[i];
            memcpy(asked->name, value, sizeof value);
            asked->question.name = asked->name;
        }
    }
    bool has_kind = control_parameter(call, "kind", asked->kind);
    if (names + has_kind > 1) {
        control_say(call, 400, "write one of host=NAME, user=NAME, class=NAME and kind=host|user|class\n");
        return false;
    }
    for (size_t i = 0; has_kind && i < 3; i++) {
        if (strcmp(asked->kind, kinds[i]) == 0) {
            asked->question.kind = kinds[i];
        }
    }
    if (has_kind && asked->question.kind == NULL) {
        control_say(call, 400, "\"%s\" is no kind: write kind=host, kind=user or kind=class\n", asked->kind);
        return false;
    }
    return true;
}

static bool read_time(const struct control_call *call, const char *name, struct period_span *span, bool *is_there) {
    char value[QUERY_VALUE_MAX];
    *is_there = control_parameter(call, name, value);
    if (*is_there && !moment_parse(value, span)) {
        control_say(call, 400,
                    "%s=%s is no time: write 2026-10 (a month), 2026-10-31 (a day), 2026-10-31T14 (an hour), "
                    "2026-10-31T14:30 or @1790000000\n",
                    name, value);
        return false;
    }
    return true;
}

static bool read_span(const struct control_call *call, int64_t now_s, struct usage_question *question) {
    struct period_span month = usage_span(USAGE_BY_MONTH, now_s), from = {0, 0}, to = {now_s, now_s};
    bool has_month, has_from, has_to;
    if (!read_time(call, "month", &month, &has_month) || !read_time(call, "from", &from, &has_from) ||
        !read_time(call, "to", &to, &has_to)) {
        return false;
    }
    char value[QUERY_VALUE_MAX];
    if (has_month && (!control_parameter(call, "month", value) || strlen(value) != strlen("2026-10"))) {
        control_say(call, 400, "a month is written month=2026-10; for other times there are from= and to=\n");
        return false;
    }
    if (has_month && (has_from || has_to)) {
        control_say(call, 400, "write month=, or from= and to=, not both\n");
        return false;
    }
    bool is_month = !has_from && !has_to;
    question->from_s = is_month ? month.begin_s : from.begin_s;
    question->to_s = is_month ? month.end_s : to.end_s;
    if (question->from_s > question->to_s) {
        control_say(call, 400, "from= lies after to=\n");
        return false;
    }
    return true;
}

static bool read_words(const struct control_call *call, struct asked *asked) {
    char value[QUERY_VALUE_MAX];
    if (control_parameter(call, "by", value)) {
        enum usage_step step = USAGE_TOTAL;
        while (usage_step_word(step) != NULL && strcmp(usage_step_word(step), value) != 0) {
            step++;
        }
        if (usage_step_word(step) == NULL) {
            control_say(call, 400, "\"%s\" is not known: write by=total, by=month, by=day or by=hour\n", value);
            return false;
        }
        asked->question.step = step;
    }
    if (control_parameter(call, "format", value)) {
        asked->format = FORMAT_TABLE;
        while (asked->format < FORMAT_COUNT && strcmp(formats[asked->format].word, value) != 0) {
            asked->format++;
        }
        if (asked->format == FORMAT_COUNT) {
            control_say(call, 400, "\"%s\" is not known: write format=table, format=csv or format=json\n", value);
            return false;
        }
    }
    return true;
}

static void show(const struct control_call *call, const struct asked *asked, const struct usage_report *report) {
    FILE *out = control_begin_document(call, formats[asked->format].content_type);
    if (out == NULL) {
        return;
    }
    switch (asked->format) {
    case FORMAT_CSV:
        usage_csv(report, out);
        break;
    case FORMAT_JSON:
        usage_json(&asked->question, report, out);
        break;
    default:
        usage_table(&asked->question, report, out);
        break;
    }
    control_end_document(call, out);
}

void control_usage(const struct control_call *call) {
    struct asked asked = {.format = FORMAT_TABLE};
    struct process_survey survey;
    process_survey(call->process, &survey);
    if (!read_who(call, &asked) || !read_span(call, survey.now_wall_s, &asked.question) || !read_words(call, &asked)) {
        return;
    }
    const char *path = survey.config->server.state_file;
    if (path == NULL) {
        control_say(call, 409, "there is no usage history: the configuration names no StateFile\n");
        return;
    }
    process_command_write_state(call->process);
    struct usage_report report = {0};
    enum usage_result result = usage_report_read(path, &asked.question, &report);
    if (result == USAGE_READ) {
        show(call, &asked, &report);
    } else {
        control_say(call, result == USAGE_TOO_MUCH ? 409 : 503, "%s: %s\n", path, report.problem);
    }
    usage_report_clear(&report);
}
