/* weirctl top: asks again and again, and shows it by the screen. One thread.
 * Always true: curses is ended on every way out; what failed to come is said on the screen, and asked for again. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/top_screen.h"

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* The document in place of the one before, or why it is not there. */
static void ask(const struct invocation *invocation, struct top *top) {
    struct client_answer answer;
    json_error_t error;
    top->problem[0] = '\0';
    if (!client_get(invocation->client, "/json", &answer)) {
        snprintf(top->problem, sizeof top->problem, "%s", answer.problem);
    } else if (answer.status != 200) {
        snprintf(top->problem, sizeof top->problem, "weir answered %ld", answer.status);
    } else {
        json_t *document = json_loadb(answer.body, answer.bytes, 0, &error);
        if (document != NULL) {
            json_decref(top->document);
            top->document = document;
        } else {
            snprintf(top->problem, sizeof top->problem, "weir's answer is not understood: %s", error.text);
        }
    }
    client_answer_clear(&answer);
}

static void run(const struct invocation *invocation, struct top *top) {
    int64_t next_ms = now_ms();
    while (!top->is_done) {
        if (now_ms() >= next_ms && !top->is_paused) {
            ask(invocation, top);
            next_ms = now_ms() + lround(top->delay_s * 1000);
        }
        top_draw(top);
        int64_t left_ms = next_ms - now_ms();
        top_wait_for_key(top, top->is_paused ? -1 : left_ms > 0 ? (int)left_ms : 0);
        if (top->wants_now) {
            next_ms = now_ms();
            top->wants_now = false;
        }
    }
}

enum exit_code command_top(const struct invocation *invocation) {
    struct top top = {.view = TOP_HOSTS, .delay_s = invocation->options->delay_s};
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        fputs("weirctl: top needs a terminal; for programs there is: weirctl hosts --json\n", invocation->messages);
        return EXIT_USAGE;
    }
    ask(invocation, &top); /* so that a wrong socket is said before the screen changes */
    if (top.document == NULL) {
        fprintf(invocation->messages, "weirctl: %s\n", top.problem);
        return EXIT_UNREACHED;
    }
    if (!top_begin(&top)) {
        fprintf(invocation->messages, "weirctl: this terminal (TERM=%s) cannot show a screen\n",
                getenv("TERM") != NULL ? getenv("TERM") : "");
        json_decref(top.document);
        return EXIT_REFUSED;
    }
    run(invocation, &top);
    top_end();
    json_decref(top.document);
    return EXIT_DONE;
}
