/* The table of origins: entries by name, counted by the generations that name them. Made and freed on the housekeeping
 * thread; its atomics are read and written by workers.
 *
 * Invariant: an entry that a generation points to exists; what workers read of it without an atomic never changes while
 * that generation lives. Only the newest generation checks health actively. */
#include "proxy/origin_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/log.h"
#include "proxy/origin_runtime.h"

enum { FIRST_BUCKETS = 256 }; /* a power of two */

struct origin_table {
    struct ev_loop *loop;      /* NULL in tests: no active checks */
    struct resolver *resolver; /* NULL until a name needs it */
    struct origin_runtime **buckets;
    size_t bucket_count; /* a power of two, at least the number of entries */
    size_t entry_count;
    struct origins *newest;
};

struct origins {
    struct origin_table *table;
    struct origins *older; /* in the table's list of those alive */
    const struct config *config;
    const struct tls_generation *tls;
    struct origin_runtime **runtimes;     /* by origin->index */
    struct balancer_schedule **schedules; /* by balancer->index */
    struct health_checks *checks;
};

struct origin_table *origin_table_new(struct ev_loop *housekeeping_loop) {
    struct origin_table *table = must_calloc(1, sizeof *table);
    table->loop = housekeeping_loop;
    table->bucket_count = FIRST_BUCKETS;
    table->buckets = must_calloc(table->bucket_count, sizeof(struct origin_runtime *));
    table->resolver = resolver_new(NULL);
    return table;
}

void origin_table_free(struct origin_table **table) {
    if (*table == NULL) {
        return;
    }
    assert((*table)->newest == NULL);
    resolver_free(&(*table)->resolver);
    free((*table)->buckets);
    free(*table);
    *table = NULL;
}

/* --- entries --- */

static struct origin_runtime **bucket_of(const struct origin_table *table, const char *key) {
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (; *key != '\0'; key++) {
        hash = (hash ^ (unsigned char)*key) * 16777619U;
    }
    return &table->buckets[(hash ^ hash >> 16) & (table->bucket_count - 1)];
}

static void link_entry(struct origin_table *table, struct origin_runtime *runtime) {
    struct origin_runtime **bucket = bucket_of(table, runtime->key);
    runtime->next = *bucket;
    *bucket = runtime;
}

static void grow(struct origin_table *table) {
    struct origin_runtime **before = table->buckets;
    size_t count_before = table->bucket_count;
    table->bucket_count *= 2;
    table->buckets = must_calloc(table->bucket_count, sizeof(struct origin_runtime *));
    for (size_t i = 0; i < count_before; i++) {
        for (struct origin_runtime *each = before[i], *next; each != NULL; each = next) {
            next = each->next;
            link_entry(table, each);
        }
    }
    free(before);
}

/* Members of balancers are kept apart from a plain origin of the same URL: they go out of use, a plain one never does.
 */
static char *key_of(const struct origin *origin, bool is_member) {
    static const char suffix[] = " member";
    size_t length = strlen(origin->name);
    char *key = must_malloc(length + sizeof suffix);
    memcpy(key, origin->name, length);
    memcpy(key + length, is_member ? suffix : "", is_member ? sizeof suffix : 1);
    return key;
}

static void set_address(struct origin_table *table, struct origin_runtime *runtime, const struct origin *origin) {
    if (origin->unix_path != NULL) {
        struct sockaddr_un *unix_path = &runtime->numeric.unix_path;
        size_t length = strlen(origin->unix_path);
        if (length < sizeof unix_path->sun_path) { /* a longer path is no address: the origin is then never reached */
            unix_path->sun_family = AF_UNIX;
            memcpy(unix_path->sun_path, origin->unix_path, length);
        }
    } else if (!socket_address_numeric(origin->host, origin->port, &runtime->numeric)) {
        runtime->numeric.any.sa_family = AF_UNSPEC;
        if (table->resolver != NULL) {
            runtime->name = resolver_watch(table->resolver, origin->host, origin->port);
        }
    }
}

static struct origin_runtime *new_runtime(void) {
    void *memory = NULL;
    if (posix_memalign(&memory, _Alignof(struct origin_runtime), sizeof(struct origin_runtime)) != 0) {
        abort(); /* as must_malloc() does */
    }
    return memset(memory, 0, sizeof(struct origin_runtime));
}

static struct origin_runtime *acquire(struct origin_table *table, const struct origin *origin, bool is_member) {
    char *key = key_of(origin, is_member);
    for (struct origin_runtime *each = *bucket_of(table, key); each != NULL; each = each->next) {
        if (strcmp(each->key, key) == 0) {
            free(key);
            each->references++;
            return each;
        }
    }
    struct origin_runtime *runtime = new_runtime();
    runtime->key = key;
    runtime->references = 1;
    if (table->entry_count++ == table->bucket_count) {
        grow(table);
    }
    link_entry(table, runtime);
    atomic_init(&runtime->in_flight, 0);
    atomic_init(&runtime->out_until_ns, 0);
    atomic_init(&runtime->check_failed, false);
    set_address(table, runtime, origin);
    return runtime;
}

static void release(struct origin_table *table, struct origin_runtime *runtime) {
    if (--runtime->references > 0) {
        return;
    }
    struct origin_runtime **link = bucket_of(table, runtime->key);
    while (*link != runtime) {
        link = &(*link)->next;
    }
    *link = runtime->next;
    table->entry_count--;
    resolver_forget(&runtime->name);
    free(runtime->key);
    free(runtime);
}

/* --- generations --- */

/* A bit set for each origin that is a member of a balancer. */
static bool *find_members(const struct config *config) {
    bool *is_member = must_calloc(config->origin_count, sizeof *is_member);
    for (size_t i = 0; i < config->balancer_count; i++) {
        for (size_t j = 0; j < config->balancers[i]->member_count; j++) {
            is_member[config->balancers[i]->members[j].origin->index] = true;
        }
    }
    return is_member;
}

static void wait_for_names(const struct origins *origins, int64_t wait_ns) {
    struct resolver_name **names = must_calloc(origins->config->origin_count, sizeof(struct resolver_name *));
    size_t count = 0;
    for (size_t i = 0; i < origins->config->origin_count; i++) {
        if (origins->runtimes[i]->name != NULL) {
            names[count++] = origins->runtimes[i]->name;
        }
    }
    if (count > 0) {
        resolver_wait(origins->table->resolver, names, count, wait_ns);
    }
    free(names);
}

/* Starts the checks of a generation. A verdict of checks that are no longer made must not keep a member out for ever.
 */
static void start_checks(struct origins *origins) {
    const struct config *config = origins->config;
    if (origins->table->loop != NULL) {
        origins->checks = health_checks_new(origins->table->loop, config, origins->tls, origins);
    }
    for (size_t i = 0; i < config->balancer_count; i++) {
        const struct balancer *balancer = config->balancers[i];
        if (health_is_checked(balancer)) {
            continue;
        }
        for (size_t j = 0; j < balancer->member_count; j++) {
            atomic_store(&origins_get(origins, balancer->members[j].origin)->check_failed, false);
        }
    }
}

struct origins *origins_new(struct origin_table *table, const struct config *config, const struct tls_generation *tls,
                            int64_t wait_ns) {
    struct origins *origins = must_calloc(1, sizeof *origins);
    origins->table = table;
    origins->config = config;
    origins->tls = tls;
    origins->runtimes = must_calloc(config->origin_count, sizeof(struct origin_runtime *));
    origins->schedules = must_calloc(config->balancer_count, sizeof(struct balancer_schedule *));
    bool *is_member = find_members(config);
    for (size_t i = 0; i < config->origin_count; i++) {
        assert(config->origins[i]->index == i);
        origins->runtimes[i] = acquire(table, config->origins[i], is_member[i]);
    }
    free(is_member);
    for (size_t i = 0; i < config->balancer_count; i++) {
        origins->schedules[i] = balancer_schedule_new(config->balancers[i]->member_count);
    }
    if (wait_ns > 0) {
        wait_for_names(origins, wait_ns);
    }
    if (table->newest != NULL) {
        health_checks_free(&table->newest->checks);
    }
    origins->older = table->newest;
    table->newest = origins;
    start_checks(origins);
    return origins;
}

/* Takes it off the table's list; when it was the newest, the one before checks health again. */
static void unlink_generation(struct origins *origins) {
    struct origins **link = &origins->table->newest;
    bool was_newest = *link == origins;
    while (*link != origins) {
        link = &(*link)->older;
    }
    *link = origins->older;
    if (was_newest && *link != NULL) {
        start_checks(*link);
    }
}

void origins_free(struct origins **origins_pointer) {
    struct origins *origins = *origins_pointer;
    if (origins == NULL) {
        return;
    }
    *origins_pointer = NULL;
    health_checks_free(&origins->checks);
    unlink_generation(origins);
    for (size_t i = 0; i < origins->config->balancer_count; i++) {
        balancer_schedule_free(origins->schedules[i]);
    }
    for (size_t i = 0; i < origins->config->origin_count; i++) {
        release(origins->table, origins->runtimes[i]);
    }
    free(origins->schedules);
    free(origins->runtimes);
    free(origins);
}

void origins_visit(const struct origins *origins, int64_t now_ns, origins_visitor *visit, void *context) {
    const struct config *config = origins->config;
    const struct balancer **balancer_of = must_calloc(config->origin_count, sizeof(struct balancer *));
    for (size_t i = 0; i < config->balancer_count; i++) {
        const struct balancer *balancer = config->balancers[i];
        for (size_t j = 0; j < balancer->member_count; j++) {
            balancer_of[balancer->members[j].origin->index] = balancer;
        }
    }
    for (size_t i = 0; i < config->origin_count; i++) {
        struct origin_view view = {.origin = config->origins[i], .balancer = balancer_of[i]};
        origin_runtime_view(origins->runtimes[i], now_ns, &view);
        visit(context, &view);
    }
    free(balancer_of);
}

/* --- worker threads --- */

struct origin_runtime *origins_get(const struct origins *origins, const struct origin *origin) {
    return origins->runtimes[origin->index];
}

const struct balancer_member *origins_choose(const struct origins *origins, const struct balancer *balancer,
                                             struct span cookie_route, uint64_t tried, int64_t now_ns) {
    return balancer_choose(origins->schedules[balancer->index], balancer, origins->runtimes, cookie_route, tried,
                           now_ns);
}

bool origin_address(struct origin_runtime *origin, unsigned attempt, union socket_address *address, socklen_t *length) {
    if (origin->numeric.any.sa_family != AF_UNSPEC) {
        *address = origin->numeric;
        *length = socket_address_length(address);
        return attempt == 0;
    }
    if (origin->name == NULL || !resolver_address(origin->name, attempt, address)) {
        return false;
    }
    *length = socket_address_length(address);
    return true;
}

void origin_failed(struct origin_runtime *origin, const struct origin *config, int64_t now_ns) {
    if (config->retry_ns <= 0) {
        return;
    }
    int64_t before = atomic_exchange_explicit(&origin->out_until_ns, now_ns + config->retry_ns, memory_order_relaxed);
    if (before <= now_ns) {
        log_warn("origin %s cannot be connected to and is left alone for %lld s", config->name,
                 (long long)(config->retry_ns / 1000000000));
    }
}

void origin_worked(struct origin_runtime *origin) {
    if (atomic_load_explicit(&origin->out_until_ns, memory_order_relaxed) != 0) {
        atomic_store_explicit(&origin->out_until_ns, 0, memory_order_relaxed);
    }
}

bool origin_usable(struct origin_runtime *origin, int64_t now_ns) {
    return atomic_load_explicit(&origin->out_until_ns, memory_order_relaxed) <= now_ns &&
           !atomic_load_explicit(&origin->check_failed, memory_order_relaxed);
}

void origin_begin(struct origin_runtime *origin) {
    atomic_fetch_add_explicit(&origin->in_flight, 1, memory_order_relaxed);
    origin_add(origin, ORIGIN_COUNT_REQUESTS);
}

void origin_end(struct origin_runtime *origin) {
    atomic_fetch_sub_explicit(&origin->in_flight, 1, memory_order_relaxed);
}
