/* Status requests between threads. A job is owned by whoever has it: the worker before posting, the housekeeping thread
 * while it answers, the worker again, until both the answer has come back and the exchange has let go.
 *
 * Always true: `exchange` is touched by the worker's thread alone; `away` is true exactly while the other thread has
 * it. */
#include "proxy/status_job.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/exchange.h"
#include "proxy/generation.h"
#include "proxy/process_state.h"
#include "proxy/task.h"
#include "proxy/worker.h"

/* Of all workers together; who asks for more is told to come again. */
enum { JOBS_MAX = 64 };

struct status_job {
    struct task task;
    struct process *process;
    struct generation *generation; /* one reference: the request points into its configuration */
    unsigned worker;
    struct exchange *exchange; /* NULL: it has ended */
    bool away;
    struct arena arena;
    struct status_request request;
    struct status_answer answer;
};

void status_answer_add(struct status_answer *answer, const char *name, const char *format, ...) {
    assert(answer->field_count < STATUS_FIELDS_MAX);
    va_list arguments;
    va_start(arguments, format);
    char *value = NULL;
    if (vasprintf(&value, format, arguments) >= 0) {
        answer->fields[answer->field_count++] = (struct status_field){name, value};
    }
    va_end(arguments);
}

void status_answer_clear(struct status_answer *answer) {
    for (size_t i = 0; i < answer->field_count; i++) {
        free(answer->fields[i].value);
    }
    free(answer->body);
    *answer = (struct status_answer){0};
}

static void free_job(struct status_job *job) {
    atomic_fetch_sub_explicit(&job->process->status_jobs, 1, memory_order_relaxed);
    generation_unref(&job->generation);
    status_answer_clear(&job->answer);
    arena_reset(&job->arena);
    free(job);
}

static void discard(struct task *task) {
    free_job((struct status_job *)task);
}

/* The worker has it back. */
static void come_back(void *receiver, struct task *task) {
    (void)receiver;
    struct status_job *job = (struct status_job *)task;
    job->away = false;
    if (job->exchange == NULL) {
        free_job(job);
    } else {
        job->exchange->operations->run(job->exchange->downstream);
    }
}

/* The housekeeping thread. */
static void answer(void *receiver, struct task *task) {
    struct process *process = receiver;
    struct status_job *job = (struct status_job *)task;
    process->options->answer(process, &job->request, &job->answer);
    struct worker *worker = process->workers[job->worker];
    if (worker == NULL) { /* it has ended, and the exchange with it */
        free_job(job);
        return;
    }
    job->task.run = come_back;
    worker_post(worker, &job->task);
}

struct status_job *status_job_post(struct worker *worker, struct exchange *exchange,
                                   const struct status_request *request) {
    struct process *process = worker->process;
    if (atomic_fetch_add_explicit(&process->status_jobs, 1, memory_order_relaxed) >= JOBS_MAX) {
        atomic_fetch_sub_explicit(&process->status_jobs, 1, memory_order_relaxed);
        return NULL;
    }
    struct status_job *job = must_calloc(1, sizeof *job);
    *job = (struct status_job){
        .task = {answer, discard},
        .process = process,
        .generation = generation_ref(exchange->generation),
        .worker = worker->index,
        .exchange = exchange,
        .away = true,
        .request = *request,
    };
    job->request.method = arena_copy_span(&job->arena, request->method);
    job->request.path = arena_copy_span(&job->arena, request->path);
    job->request.query = arena_copy_span(&job->arena, request->query);
    job->request.form = arena_copy_span(&job->arena, request->form);
    process_post(process, &job->task);
    return job;
}

const struct status_answer *status_job_answer(const struct status_job *job) {
    return job->away ? NULL : &job->answer;
}

void status_job_leave(struct status_job **job_pointer) {
    struct status_job *job = *job_pointer;
    *job_pointer = NULL;
    if (job == NULL) {
        return;
    }
    job->exchange = NULL;
    if (!job->away) {
        free_job(job);
    }
}
