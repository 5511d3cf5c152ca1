/* Applying a configuration: finds the records of its names, and tells the quotas their limits.
 * shaper_apply() is called on the housekeeping thread, under the shaper's lock; what it returns never changes. */
#include "shaper/binding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/shaper.h"

bool speed_limit_is_set(const struct speed_limit *speed) {
    return speed->bits_per_s > 0 || speed->requests_per_s > 0 || speed->connections > 0;
}

/* ---- quotas ---- */

static void apply_quota(const struct shaper_binding *binding, struct traffic_record *record,
                        const struct traffic_limits *traffic, uint64_t client_limit_bytes) {
    struct quota_class_limit *classes = must_calloc(traffic->class_quota_count, sizeof *classes);
    for (size_t i = 0; i < traffic->class_quota_count; i++) {
        classes[i] = (struct quota_class_limit){binding->class_ids[traffic->class_quotas[i].class->index],
                                                traffic->class_quotas[i].limit_bytes};
    }
    struct quota_limits limits = {
        .period = {traffic->period, traffic->period_s, traffic->slice_s},
        .limit_bytes = traffic->limit_bytes,
        .client_limit_bytes = client_limit_bytes,
        .classes = classes,
        .class_count = traffic->class_quota_count,
    };
    quota_set_limits(&record->quota, &limits);
    free(classes);
}

/* ---- names ---- */

const char *shaper_host_name(const struct virtual_host *host) {
    return host->name[0] != '\0' ? host->name : "_default_";
}

/* "www.example.com:80", and "main server": also the name in the state database. Several hosts may have one name: their
 * ports tell them apart, then their order in the file. */
static const char *record_name(struct arena *arena, const struct virtual_host *host, unsigned twin) {
    unsigned port = host->port > 0 ? host->port : host->address_count > 0 ? host->addresses[0].port : 0;
    const char *suffix = twin > 0 ? arena_printf(arena, " #%u", twin + 1) : "";
    if (host->is_main) {
        return arena_printf(arena, "main server%s", suffix);
    }
    return port > 0 ? arena_printf(arena, "%s:%u%s", host->name, port, suffix)
                    : arena_printf(arena, "%s%s", host->name, suffix);
}

static struct traffic_record *find_host_record(struct shaper_binding *binding, const struct virtual_host *host) {
    struct shaper *shaper = binding->shaper;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct traffic_record *record = NULL;
    for (unsigned twin = 0; record == NULL; twin++) {
        record = traffic_record_of(shaper, &shaper->hosts, record_name(&arena, host, twin), shaper_host_name(host));
        if (record->id < binding->host_record_count && binding->host_of_record[record->id] != BINDING_GONE) {
            record = NULL;
        }
    }
    arena_reset(&arena);
    return record;
}

/* So that the record can be found by its id; new records come at the end. */
static void note_index(size_t **index_of, size_t *count, size_t id, size_t index) {
    if (id >= *count) {
        size_t room = id + 1 + *count / 2;
        *index_of = must_realloc(*index_of, room * sizeof **index_of);
        memset(*index_of + *count, 0xff, (room - *count) * sizeof **index_of);
        *count = room;
    }
    (*index_of)[id] = index;
}

/* Clients leave the port out where it is the usual one. */
static struct span without_usual_port(struct span site) {
    static const struct span usual[] = {{":80", 3}, {":443", 4}};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        size_t rest = site.len - usual[i].len;
        if (site.len > usual[i].len && span_equal(span_skip(site, rest), usual[i])) {
            return (struct span){site.ptr, rest};
        }
    }
    return site;
}

/* Of a URL, or of a path. Pages are told by their path, since a site may have many names; but the first page of another
 * site must not make that of an exceeded host free. Whoever is sent to the host's own first page comes back with the
 * name that the URL has, and gets it. */
static struct exceeded_page page_of(const char *url) {
    const char *authority = strstr(url, "://");
    if (authority == NULL) {
        return (struct exceeded_page){.path = {url, strcspn(url, "?#")}};
    }
    struct span site = {authority + 3, strcspn(authority + 3, "/?#")};
    const char *path = site.ptr + site.len;
    struct exceeded_page page = {.path = {path, strcspn(path, "?#")}};
    if (page.path.len <= 1) {
        page.path = SPAN_LITERAL("/");
        page.site = without_usual_port(site);
    }
    return page;
}

bool exceeded_page_is(const struct exceeded_page *page, struct span path, struct span site) {
    if (page->path.ptr == NULL || !span_equal(page->path, path)) {
        return false;
    }
    return page->site.ptr == NULL || site.len == 0 || span_equal_nocase(page->site, without_usual_port(site));
}

static struct exceeded_page exceeded_page(const struct traffic_limits *traffic, const struct server_limits *server) {
    if (traffic->exceeded_url != NULL) {
        return page_of(traffic->exceeded_url);
    }
    bool uses_default = !speed_limit_is_set(&traffic->exceeded_speed) && server->default_exceeded_url != NULL;
    return uses_default ? page_of(server->default_exceeded_url) : (struct exceeded_page){{NULL, 0}, {NULL, 0}};
}

/* ---- speeds ---- */

static uint64_t stricter(uint64_t a, uint64_t b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Field by field; 0 is no limit. */
static struct speed_limit stricter_speed(struct speed_limit a, struct speed_limit b) {
    return (struct speed_limit){stricter(a.bits_per_s, b.bits_per_s),
                                (uint32_t)stricter(a.requests_per_s, b.requests_per_s),
                                (uint32_t)stricter(a.connections, b.connections)};
}

/* The class's speed replaces the general one where it is not 0, faster or slower. */
static struct speed_limit remote_speed(const struct shaper_binding *binding, const struct traffic_limits *traffic,
                                       size_t class_id) {
    struct speed_limit speed = traffic->remote_speed;
    for (size_t i = 0; i < traffic->class_speed_count; i++) {
        const struct class_speed *of_class = &traffic->class_speeds[i];
        if (binding->class_ids[of_class->class->index] == class_id) {
            speed.bits_per_s = of_class->speed.bits_per_s > 0 ? of_class->speed.bits_per_s : speed.bits_per_s;
            speed.requests_per_s =
                of_class->speed.requests_per_s > 0 ? of_class->speed.requests_per_s : speed.requests_per_s;
            speed.connections = of_class->speed.connections > 0 ? of_class->speed.connections : speed.connections;
        }
    }
    return speed;
}

static struct speed_limit client_speed(const struct shaper_binding *binding, const struct host_limits *host,
                                       size_t class_id) {
    struct speed_limit remote = remote_speed(binding, &host->traffic, class_id);
    return host->user != NULL ? stricter_speed(remote, remote_speed(binding, &host->user->traffic, class_id)) : remote;
}

/* ---- building ---- */

static void bind_classes(struct shaper_binding *binding, const struct config *config) {
    binding->classes = class_tree_new(config->classes, config->class_count);
    binding->class_ids = must_calloc(config->class_count, sizeof *binding->class_ids);
    binding->class_records = must_calloc(config->class_count, sizeof(struct class_record *));
    for (size_t i = 0; i < config->class_count; i++) {
        binding->class_ids[i] = class_record_of(binding->shaper, config->classes[i].name);
        binding->class_records[i] = binding->shaper->classes[binding->class_ids[i]];
    }
}

static void bind_users(struct shaper_binding *binding, const struct config *config) {
    binding->user_records = must_calloc(config->user_count, sizeof(struct traffic_record *));
    for (size_t i = 0; i < config->user_count; i++) {
        struct traffic_record *record =
            traffic_record_of(binding->shaper, &binding->shaper->users, config->users[i].name, config->users[i].name);
        binding->user_records[i] = record;
        note_index(&binding->user_of_record, &binding->user_record_count, record->id, i);
        apply_quota(binding, record, &config->users[i].traffic, 0);
    }
}

static bool caps_clients(const struct traffic_limits *traffic) {
    return speed_limit_is_set(&traffic->remote_speed) || traffic->class_speed_count > 0;
}

static bool caps_nothing(const struct traffic_limits *traffic) {
    return !speed_limit_is_set(&traffic->speed) && !caps_clients(traffic) && traffic->limit_bytes == 0 &&
           traffic->class_quota_count == 0;
}

static bool is_uncapped(const struct host_limits *limits) {
    return caps_nothing(&limits->traffic) && limits->remote_limit_bytes == 0 && limits->upload_bits_per_s == 0 &&
           (limits->user == NULL || caps_nothing(&limits->user->traffic));
}

static void bind_host(struct shaper_binding *binding, const struct config *config, size_t index) {
    const struct virtual_host *host = config->hosts[index];
    const struct user_limits *user = host->limits.user;
    struct host_binding *bound = &binding->hosts[index];
    bound->limits = &host->limits;
    bound->record = find_host_record(binding, host);
    note_index(&binding->host_of_record, &binding->host_record_count, bound->record->id, index);
    bound->exceeded_page = exceeded_page(&host->limits.traffic, &config->server.limits);
    bound->is_capped_per_client = caps_clients(&host->limits.traffic) || host->limits.remote_limit_bytes > 0;
    bound->is_uncapped = is_uncapped(&host->limits);
    bound->slows_nobody = !speed_limit_is_set(&host->limits.traffic.exceeded_speed);
    bound->tells_classes = host->limits.traffic.class_speed_count > 0;
    bound->remote_speed = client_speed(binding, &host->limits, BINDING_NO_CLASS);
    if (user != NULL) {
        bound->slows_nobody &= !speed_limit_is_set(&user->traffic.exceeded_speed);
        bound->tells_classes |= user->traffic.class_speed_count > 0;
        bound->user_record = traffic_record_of(binding->shaper, &binding->shaper->users, user->name, user->name);
        bound->user_exceeded_page = exceeded_page(&user->traffic, &config->server.limits);
        bound->is_capped_per_client |= caps_clients(&user->traffic);
    }
    bound->knows_clients = bound->is_capped_per_client || config->server.lists_clients;
    apply_quota(binding, bound->record, &host->limits.traffic, host->limits.remote_limit_bytes);
}

struct shaper_binding *shaper_apply(struct shaper *shaper, struct config *config) {
    struct shaper_binding *binding = must_calloc(1, sizeof *binding);
    atomic_init(&binding->references, 1);
    binding->shaper = shaper;
    binding->config = config_ref(config);
    binding->hosts = must_calloc(config->host_count, sizeof *binding->hosts);
    pthread_mutex_lock(&shaper->lock);
    binding->generation = ++shaper->generation;
    bind_classes(binding, config);
    bind_users(binding, config);
    for (size_t i = 0; i < config->host_count; i++) {
        bind_host(binding, config, i);
    }
    pthread_mutex_unlock(&shaper->lock);
    return binding;
}

struct shaper_binding *shaper_binding_ref(struct shaper_binding *binding) {
    atomic_fetch_add_explicit(&binding->references, 1, memory_order_relaxed);
    return binding;
}

void shaper_binding_unref(struct shaper_binding **binding) {
    struct shaper_binding *last = *binding;
    *binding = NULL;
    if (last == NULL || atomic_fetch_sub_explicit(&last->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    class_tree_free(&last->classes);
    config_unref(&last->config);
    free(last->class_ids);
    free(last->user_records);
    free(last->class_records);
    free(last->hosts);
    free(last->host_of_record);
    free(last->user_of_record);
    free(last);
}

/* ---- all speeds ---- */

/* A host or user, and the part of it that a class has: that part is slowed by itself when it alone is exceeded. */
static void owner_speeds(const struct traffic_limits *traffic, struct scope_speeds *whole, struct scope_speeds *class) {
    bool has_exceeded = speed_limit_is_set(&traffic->exceeded_speed);
    *whole = (struct scope_speeds){traffic->speed, has_exceeded ? traffic->exceeded_speed : traffic->speed};
    *class = (struct scope_speeds){.exceeded = traffic->exceeded_speed};
}

void binding_speeds(const struct shaper_binding *binding, const struct host_limits *host, size_t class_id,
                    struct scope_speeds *speeds) {
    const struct traffic_limits *traffic = &host->traffic;
    memset(speeds, 0, SHAPER_SCOPES * sizeof *speeds);
    owner_speeds(traffic, &speeds[SHAPER_HOST], &speeds[SHAPER_HOST_CLASS]);
    if (host->user != NULL) {
        owner_speeds(&host->user->traffic, &speeds[SHAPER_USER], &speeds[SHAPER_USER_CLASS]);
    }
    struct speed_limit remote = client_speed(binding, host, class_id);
    speeds[SHAPER_CLIENT] = (struct scope_speeds){remote, stricter_speed(remote, traffic->exceeded_speed)};
}

const struct client_class *shaper_class_of(const struct shaper_binding *binding, const struct ip_address *client) {
    return class_tree_find(binding->classes, client);
}
