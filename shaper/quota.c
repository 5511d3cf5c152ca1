/* Quotas. Called by admit.c when a request begins and by grant.c for bytes sent and quanta; any thread.
 *
 * Always true: counts are zeroed only under the lock and only when a later period begins, or on a reset; a thread that
 * sees the new fresh_until_s (acquire) also sees the zeroed counts and new allowances (release). */
#include "shaper/quota.h"

#include <assert.h>
#include <stdlib.h>

#include "config/arena.h"
#include "shaper/atomic_floor.h"

/* Clocks of workers are read at different moments, and may be set back a little: so long a newer period is kept. */
static const int64_t clock_tolerance_s = 60;

static const int64_t never_fresh_s = INT64_MIN;

void quota_init(struct quota *quota, size_t class_node_bytes) {
    assert(class_node_bytes >= sizeof(struct quota_class));
    *quota = (struct quota){.class_node_bytes = class_node_bytes, .start_s = QUOTA_NOT_BEGUN};
    quota->span.begin_s = INT64_MIN;
    pthread_mutex_init(&quota->lock, NULL);
    atomic_init(&quota->allowed_bytes, UINT64_MAX);
    atomic_init(&quota->client_allowed_bytes, UINT64_MAX);
    atomic_init(&quota->fresh_until_s, never_fresh_s);
}

void quota_destroy(struct quota *quota) {
    struct quota_class *class = atomic_load_explicit(&quota->classes, memory_order_acquire);
    while (class != NULL) {
        struct quota_class *next = atomic_load_explicit(&class->next, memory_order_relaxed);
        free(class);
        class = next;
    }
    pthread_mutex_destroy(&quota->lock);
}

static struct quota_class *first_class(const struct quota *quota) {
    return atomic_load_explicit(&quota->classes, memory_order_acquire);
}

static struct quota_class *next_class(const struct quota_class *class) {
    return atomic_load_explicit(&class->next, memory_order_acquire);
}

static struct quota_class *find_class(const struct quota *quota, size_t class_id) {
    struct quota_class *class = first_class(quota);
    while (class != NULL && class->class_id != class_id) {
        class = next_class(class);
    }
    return class;
}

/* Under the lock: two threads may have missed the same class. */
static struct quota_class *find_or_add_class(struct quota *quota, size_t class_id) {
    struct quota_class *class = find_class(quota, class_id);
    if (class == NULL) {
        class = must_calloc(1, quota->class_node_bytes);
        class->class_id = class_id;
        atomic_init(&class->allowed_bytes, UINT64_MAX);
        atomic_init(&class->next, first_class(quota));
        atomic_store_explicit(&quota->classes, class, memory_order_release);
    }
    return class;
}

struct quota_class *quota_class_of(struct quota *quota, size_t class_id) {
    struct quota_class *class = find_class(quota, class_id);
    if (class == NULL) {
        pthread_mutex_lock(&quota->lock);
        class = find_or_add_class(quota, class_id);
        pthread_mutex_unlock(&quota->lock);
    }
    return class;
}

/* ---- periods, under the lock ---- */

static struct period_span span_at(const struct quota *quota, int64_t now_s) {
    struct period_span span = period_at(&quota->rule, quota->start_s, now_s);
    if (quota->rule.kind == PERIOD_NONE) {
        span.begin_s = quota->start_s;
    }
    return span;
}

static void forget_counts(struct quota *quota) {
    atomic_store_explicit(&quota->used_bytes, 0, memory_order_relaxed);
    for (struct quota_class *class = first_class(quota); class != NULL; class = next_class(class)) {
        atomic_store_explicit(&class->used_bytes, 0, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&quota->epoch, 1, memory_order_relaxed);
}

/* A later period forgets. An earlier one means that the clock was set back: by little, and the newer period stays; by
 * much, and the counts go on in the earlier one, so that the next period begins when it should. */
static void enter_period(struct quota *quota, int64_t now_s) {
    struct period_span span = span_at(quota, now_s);
    if (span.begin_s > quota->span.begin_s) {
        forget_counts(quota);
    } else if (now_s < quota->span.begin_s && now_s >= quota->span.begin_s - clock_tolerance_s) {
        return;
    }
    quota->span = span;
}

static bool same_rule(const struct period_rule *a, const struct period_rule *b) {
    return a->kind == b->kind && a->period_s == b->period_s && a->slice_s == b->slice_s;
}

static uint64_t allowed_now(const struct quota *quota, uint64_t limit_bytes, int64_t now_s) {
    return limit_bytes > 0 ? period_allowed_bytes(&quota->rule, &quota->span, limit_bytes, now_s) : UINT64_MAX;
}

static void publish_allowances(struct quota *quota, int64_t now_s) {
    for (struct quota_class *class = first_class(quota); class != NULL; class = next_class(class)) {
        atomic_store_explicit(&class->allowed_bytes, allowed_now(quota, class->limit_bytes, now_s),
                              memory_order_relaxed);
    }
    atomic_store_explicit(&quota->allowed_bytes, allowed_now(quota, quota->limit_bytes, now_s), memory_order_relaxed);
    atomic_store_explicit(&quota->client_allowed_bytes, allowed_now(quota, quota->client_limit_bytes, now_s),
                          memory_order_relaxed);
    atomic_store_explicit(&quota->fresh_from_s, now_s - clock_tolerance_s, memory_order_relaxed);
    atomic_store_explicit(&quota->fresh_until_s, period_next_allowance_s(&quota->rule, &quota->span, now_s),
                          memory_order_release);
}

static void refresh(struct quota *quota, int64_t now_s) {
    bool clock_was_ahead = quota->start_s != QUOTA_NOT_BEGUN && now_s < quota->start_s - clock_tolerance_s;
    if (quota->start_s == QUOTA_NOT_BEGUN || clock_was_ahead) {
        quota->start_s = now_s;
    }
    enter_period(quota, now_s);
    if (!same_rule(&quota->rule, &quota->next_rule)) {
        quota->rule = quota->next_rule;
        quota->span = span_at(quota, now_s);
    }
    publish_allowances(quota, now_s);
}

void quota_refresh(struct quota *quota, int64_t now_s) {
    pthread_mutex_lock(&quota->lock);
    if (!quota_is_fresh(quota, now_s)) {
        refresh(quota, now_s);
    }
    pthread_mutex_unlock(&quota->lock);
}

/* ---- what is asked ---- */

void quota_set_limits(struct quota *quota, const struct quota_limits *limits) {
    pthread_mutex_lock(&quota->lock);
    quota->next_rule = limits->period;
    if (quota->start_s == QUOTA_NOT_BEGUN) {
        quota->rule = limits->period;
    }
    quota->limit_bytes = limits->limit_bytes;
    quota->client_limit_bytes = limits->client_limit_bytes;
    for (struct quota_class *class = first_class(quota); class != NULL; class = next_class(class)) {
        class->limit_bytes = 0;
    }
    for (size_t i = 0; i < limits->class_count; i++) {
        find_or_add_class(quota, limits->classes[i].class_id)->limit_bytes = limits->classes[i].limit_bytes;
    }
    atomic_store_explicit(&quota->fresh_until_s, never_fresh_s, memory_order_release);
    pthread_mutex_unlock(&quota->lock);
}

void quota_take_back(struct quota *quota, struct quota_class *class, uint64_t bytes, uint64_t epoch) {
    if (atomic_load_explicit(&quota->epoch, memory_order_relaxed) != epoch) {
        return;
    }
    atomic_subtract_to_floor(&quota->used_bytes, bytes);
    if (class != NULL) {
        atomic_subtract_to_floor(&class->used_bytes, bytes);
    }
}

int64_t quota_next_allowance_s(struct quota *quota, int64_t now_s) {
    quota_ensure_fresh(quota, now_s);
    int64_t at_s = atomic_load_explicit(&quota->fresh_until_s, memory_order_acquire);
    if (at_s == INT64_MAX) {
        return 0;
    }
    return at_s > now_s ? at_s - now_s : 1;
}

void quota_reset(struct quota *quota, int64_t now_s) {
    pthread_mutex_lock(&quota->lock);
    forget_counts(quota);
    quota->start_s = now_s;
    quota->rule = quota->next_rule;
    quota->span = span_at(quota, now_s);
    publish_allowances(quota, now_s);
    pthread_mutex_unlock(&quota->lock);
}

static void look_at(uint64_t limit_bytes, const atomic_uint_fast64_t *allowed, const atomic_uint_fast64_t *used,
                    struct quota_view *view) {
    view->limit_bytes = limit_bytes;
    view->used_bytes = atomic_load_explicit(used, memory_order_relaxed);
    if (limit_bytes > 0) {
        view->allowed_bytes = atomic_load_explicit(allowed, memory_order_relaxed);
        view->is_exceeded = view->used_bytes > view->allowed_bytes;
    }
}

void quota_look(struct quota *quota, size_t class_id, int64_t now_s, struct quota_view *view) {
    *view = (struct quota_view){.begin_s = 0};
    pthread_mutex_lock(&quota->lock);
    bool has_begun = quota->start_s != QUOTA_NOT_BEGUN;
    if (has_begun && !quota_is_fresh(quota, now_s)) {
        refresh(quota, now_s);
    }
    if (class_id == QUOTA_IN_TOTAL) {
        look_at(quota->limit_bytes, &quota->allowed_bytes, &quota->used_bytes, view);
    } else {
        const struct quota_class *class = find_class(quota, class_id);
        if (class != NULL) {
            look_at(class->limit_bytes, &class->allowed_bytes, &class->used_bytes, view);
        }
    }
    if (has_begun && quota->rule.kind != PERIOD_NONE) {
        view->begin_s = quota->span.begin_s;
        view->end_s = quota->span.end_s;
    }
    if (!has_begun) {
        view->allowed_bytes =
            period_allowed_bytes(&quota->next_rule, &(struct period_span){0, INT64_MAX}, view->limit_bytes, 0);
    }
    pthread_mutex_unlock(&quota->lock);
}

size_t quota_snapshot(struct quota *quota, struct quota_state *state, struct quota_class_state *classes, size_t room) {
    size_t count = 0;
    pthread_mutex_lock(&quota->lock);
    *state = (struct quota_state){quota->start_s, quota->span.begin_s,
                                  atomic_load_explicit(&quota->used_bytes, memory_order_relaxed)};
    for (struct quota_class *class = first_class(quota); class != NULL; class = next_class(class)) {
        if (count < room) {
            classes[count] = (struct quota_class_state){class->class_id,
                                                        atomic_load_explicit(&class->used_bytes, memory_order_relaxed)};
        }
        count++;
    }
    pthread_mutex_unlock(&quota->lock);
    return count;
}

struct quota_mark quota_mark(const struct quota *quota) {
    return (struct quota_mark){atomic_load_explicit(&quota->used_bytes, memory_order_relaxed),
                               atomic_load_explicit(&quota->epoch, memory_order_relaxed)};
}

static void add_classes(struct quota *quota, const struct quota_class_state *classes, size_t class_count) {
    for (size_t i = 0; i < class_count; i++) {
        atomic_fetch_add_explicit(&find_or_add_class(quota, classes[i].class_id)->used_bytes, classes[i].used_bytes,
                                  memory_order_relaxed);
    }
}

void quota_resume(struct quota *quota, const struct quota_state *state, const struct quota_class_state *classes,
                  size_t class_count, int64_t now_s) {
    pthread_mutex_lock(&quota->lock);
    bool has_counted = quota->start_s != QUOTA_NOT_BEGUN;
    quota->rule = quota->next_rule;
    quota->start_s = state->start_s;
    struct period_span span = span_at(quota, now_s);
    bool has_ended = has_counted && span.begin_s > state->begin_s;
    if (!has_counted) {
        forget_counts(quota);
    }
    if (!has_ended) {
        span = (struct period_span){state->begin_s, state->begin_s};
        atomic_fetch_add_explicit(&quota->used_bytes, state->used_bytes, memory_order_relaxed);
        add_classes(quota, classes, class_count);
    }
    quota->span = span;
    atomic_store_explicit(&quota->fresh_until_s, never_fresh_s, memory_order_release);
    pthread_mutex_unlock(&quota->lock);
}

/* Under the lock. */
static int64_t same_period_s(const struct period_rule *rule) {
    if (rule->kind == PERIOD_NONE) {
        return INT64_MAX;
    }
    bool on_calendar = rule->kind != PERIOD_SECONDS;
    return on_calendar ? 0 : rule->period_s < INT64_MAX / 4 ? (int64_t)rule->period_s - 1 : INT64_MAX / 4;
}

int64_t quota_same_period_s(struct quota *quota) {
    pthread_mutex_lock(&quota->lock);
    int64_t seconds = same_period_s(&quota->rule);
    pthread_mutex_unlock(&quota->lock);
    return seconds;
}

void quota_merge(struct quota *quota, const struct quota_state *state, size_t class_id) {
    pthread_mutex_lock(&quota->lock);
    bool is_new = quota->start_s == QUOTA_NOT_BEGUN;
    int64_t apart_s = is_new ? 0 : state->begin_s - quota->span.begin_s;
    int64_t same_s = same_period_s(&quota->rule);
    bool is_same = !is_new && apart_s <= same_s && apart_s >= -same_s;
    if (is_new || (!is_same && apart_s > 0)) {
        forget_counts(quota);
        quota->start_s = state->start_s;
        quota->span = (struct period_span){state->begin_s, state->begin_s};
        atomic_store_explicit(&quota->fresh_until_s, never_fresh_s, memory_order_release);
        is_same = true;
    }
    if (is_same) {
        struct quota_class *class = class_id != QUOTA_IN_TOTAL ? find_or_add_class(quota, class_id) : NULL;
        atomic_fetch_add_explicit(class != NULL ? &class->used_bytes : &quota->used_bytes, state->used_bytes,
                                  memory_order_relaxed);
    }
    pthread_mutex_unlock(&quota->lock);
}
