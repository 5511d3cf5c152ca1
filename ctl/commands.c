/* Commands. Called by main(). Always true: what a command changes, it changes by one POST. */
#include "ctl/commands.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "config/directive.h"
#include "ctl/view.h"

/* ---- what they have in common ---- */

enum exit_code command_failed(const struct invocation *invocation, const struct client_answer *answer) {
    if (answer->status == 0) {
        fprintf(invocation->messages, "weirctl: %s\n", answer->problem);
        return EXIT_UNREACHED;
    }
    fprintf(invocation->messages, "weirctl: %s%s", answer->body,
            answer->bytes == 0 || answer->body[answer->bytes - 1] != '\n' ? "\n" : "");
    return EXIT_REFUSED;
}

/* Passes the answer's text on. */
static enum exit_code finish(const struct invocation *invocation, bool is_whole, struct client_answer *answer) {
    enum exit_code code = EXIT_DONE;
    if (!is_whole || answer->status != 200) {
        code = command_failed(invocation, answer);
    } else {
        fwrite(answer->body, 1, answer->bytes, invocation->out);
    }
    client_answer_clear(answer);
    return code;
}

static enum exit_code send(const struct invocation *invocation, const struct target *target, bool is_post) {
    struct client_answer answer;
    if (target->is_cut) {
        fputs("weirctl: an argument is too long\n", invocation->messages);
        return EXIT_USAGE;
    }
    bool is_whole = is_post ? client_post(invocation->client, target->text, &answer)
                            : client_get(invocation->client, target->text, &answer);
    return finish(invocation, is_whole, &answer);
}

static enum exit_code post(const struct invocation *invocation, const char *path) {
    struct target target;
    target_begin(&target, path);
    return send(invocation, &target, true);
}

/* ---- lists ---- */

static void print_list(const struct invocation *invocation, const struct view *view, const json_t *document) {
    const json_t *items = json_object_get(document, view->list);
    if (invocation->options->format == FORMAT_JSON) {
        json_dumpf(items, invocation->out, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
        fputc('\n', invocation->out);
        return;
    }
    bool is_csv = invocation->options->format == FORMAT_CSV;
    size_t count;
    const json_t **sorted = view_sort(view, items, view->sorted_by, false, &count);
    if (count == 0 && !is_csv) {
        fprintf(invocation->out, "%s\n", view->nothing);
    } else {
        struct table *table = view_table(view, sorted, count, view_number(document, "server.now"), is_csv);
        (is_csv ? table_print_csv : table_print)(table, invocation->out);
        table_free(&table);
    }
    free((void *)(uintptr_t)sorted);
}

static enum exit_code list(const struct invocation *invocation, const struct view *view) {
    struct client_answer answer;
    if (!client_get(invocation->client, "/json", &answer) || answer.status != 200) {
        enum exit_code code = command_failed(invocation, &answer);
        client_answer_clear(&answer);
        return code;
    }
    json_error_t error;
    json_t *document = json_loadb(answer.body, answer.bytes, 0, &error);
    client_answer_clear(&answer);
    if (!json_is_array(json_object_get(document, view->list))) {
        fprintf(invocation->messages, "weirctl: weir's answer is not understood: %s\n",
                document == NULL ? error.text : "it has no such list");
        json_decref(document);
        return EXIT_REFUSED;
    }
    print_list(invocation, view, document);
    json_decref(document);
    return EXIT_DONE;
}

static enum exit_code list_hosts(const struct invocation *invocation) {
    return list(invocation, &view_hosts);
}

static enum exit_code list_users(const struct invocation *invocation) {
    return list(invocation, &view_users);
}

static enum exit_code list_classes(const struct invocation *invocation) {
    return list(invocation, &view_classes);
}

static enum exit_code list_clients(const struct invocation *invocation) {
    return list(invocation, &view_clients);
}

static enum exit_code list_blocks(const struct invocation *invocation) {
    return list(invocation, &view_blocks);
}

/* ---- what changes something ---- */

static enum exit_code block(const struct invocation *invocation) {
    struct target target;
    target_begin(&target, "/block");
    target_add(&target, "address", invocation->options->words[0]);
    target_add(&target, "seconds", invocation->options->words[1]);
    return send(invocation, &target, true);
}

static enum exit_code unblock(const struct invocation *invocation) {
    struct target target;
    target_begin(&target, "/unblock");
    target_add(&target, "address", invocation->options->words[0]);
    return send(invocation, &target, true);
}

static enum exit_code reset_named(const struct invocation *invocation, const char *kind, const char *name) {
    struct target target;
    target_begin(&target, "/reset");
    target_add(&target, kind, name);
    return send(invocation, &target, true);
}

static enum exit_code reset(const struct invocation *invocation) {
    const char *kind = invocation->options->words[0];
    const char *name = invocation->options->words[1];
    if (strcmp(kind, "all") == 0 && name == NULL) {
        enum exit_code code = reset_named(invocation, "host", "all");
        return code == EXIT_DONE ? reset_named(invocation, "user", "all") : code;
    }
    if (strcmp(kind, "host") != 0 && strcmp(kind, "user") != 0) {
        fprintf(invocation->messages, "weirctl: \"%s\" is neither host nor user, as in: weirctl reset host NAME\n",
                kind);
        return EXIT_USAGE;
    }
    if (name == NULL) {
        fprintf(invocation->messages, "weirctl: which %s? As in: weirctl reset %s NAME, or all for each of them\n",
                kind, kind);
        return EXIT_USAGE;
    }
    return reset_named(invocation, kind, name);
}

static enum exit_code reload(const struct invocation *invocation) {
    return post(invocation, "/reload");
}

static enum exit_code drain(const struct invocation *invocation) {
    return post(invocation, "/drain");
}

static enum exit_code change_log_level(const struct invocation *invocation) {
    struct target target;
    target_begin(&target, "/log-level");
    target_add(&target, "level", invocation->options->words[0]);
    return send(invocation, &target, true);
}

static enum exit_code usage(const struct invocation *invocation) {
    const struct options *options = invocation->options;
    const char *format = options->format == FORMAT_CSV ? "csv" : options->format == FORMAT_JSON ? "json" : NULL;
    struct target target;
    target_begin(&target, "/usage");
    target_add(&target, "host", options->host);
    target_add(&target, "user", options->user);
    target_add(&target, "class", options->class_name);
    target_add(&target, "kind", options->kind);
    target_add(&target, "month", options->month);
    target_add(&target, "from", options->from);
    target_add(&target, "to", options->to);
    target_add(&target, "by", options->by);
    target_add(&target, "format", format);
    return send(invocation, &target, false);
}

/* ---- the table ---- */

static const struct command {
    const char *name;
    enum exit_code (*run)(const struct invocation *invocation);
    size_t least_words, most_words;
    const char *words, *options, *help;
} rows[] = {
    {"status", command_status, 0, 0, "", "json xml", "what weir is and does, in a few lines; or the whole document"},
    {"top", command_top, 0, 0, "", "delay", "hosts, clients and blocks, live"},
    {"hosts", list_hosts, 0, 0, "", "json csv", "traffic, quota and state of each host"},
    {"users", list_users, 0, 0, "", "json csv", "of each user"},
    {"classes", list_classes, 0, 0, "", "json csv", "of each class of clients"},
    {"clients", list_clients, 0, 0, "", "json csv", "of the clients with the most traffic, and of those blocked"},
    {"blocks", list_blocks, 0, 0, "", "json csv", "who is blocked, why, and for how long"},
    {"block", block, 1, 2, "ADDRESS|PREFIX [SECONDS]", "", "block somebody; for 600 seconds"},
    {"unblock", unblock, 1, 1, "ADDRESS|PREFIX|all", "", "end blocks"},
    {"reset", reset, 1, 2, "host|user NAME|all, or all", "", "forget what was used of a quota"},
    {"usage", usage, 0, 0, "", "host user class kind month from to by json csv",
     "bytes and requests from the usage history, for billing"},
    {"reload", reload, 0, 0, "", "", "read the configuration again; says how it went"},
    {"drain", drain, 0, 0, "", "", "end weir when what is being served has ended"},
    {"log-level", change_log_level, 1, 1, "LEVEL", "", "how much the error log says, until the next reload"},
};
enum { COMMAND_COUNT = sizeof rows / sizeof rows[0] };

void commands_print_help(FILE *out) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", rows[i].name, rows[i].words[0] != '\0' ? " " : "", rows[i].words);
        fprintf(out, "  %-32s %s\n", left, rows[i].help);
    }
}

static const struct command *find(const char *name) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static void teach_command(const char *name, FILE *messages) {
    const char *names[COMMAND_COUNT + 1] = {NULL};
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = rows[i].name;
    }
    const char *near = name != NULL ? nearest_word(span_of(name), names) : NULL;
    if (name == NULL) {
        fputs("weirctl: which command?", messages);
    } else if (near != NULL) {
        fprintf(messages, "weirctl: \"%s\" is no command; did you mean %s?", name, near);
    } else {
        fprintf(messages, "weirctl: \"%s\" is no command", name);
    }
    fputs("\nweirctl --help lists them\n", messages);
}

bool command_check(const struct options *options, FILE *messages) {
    const struct command *command = options->command != NULL ? find(options->command) : NULL;
    if (command == NULL) {
        teach_command(options->command, messages);
        return false;
    }
    if (options->word_count < command->least_words || options->word_count > command->most_words) {
        fprintf(messages, "weirctl: it is written: weirctl %s%s%s\n", command->name,
                command->words[0] != '\0' ? " " : "", command->words);
        return false;
    }
    return options_allowed(options, command->options, messages);
}

enum exit_code command_run(const struct invocation *invocation) {
    return find(invocation->options->command)->run(invocation);
}
