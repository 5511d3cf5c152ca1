/* Contexts by host and thread. Housekeeping builds; workers look up by position. */
#include "proxy/tls_generation.h"

#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "proxy/tls_context.h"
#include "proxy/tls_files.h"
#include "proxy/tls_runtime.h"
#include "proxy/tls_staple.h"

struct context_set { /* one text of settings */
    char *text;
    uint64_t text_hash, key_hash;
    struct tls_material *material;
    bool may_be_kept;              /* the key tells all that it depends on */
    struct tls_context **contexts; /* by thread */
};

struct context_sets {
    struct context_set *sets;
    size_t count, capacity;
    uint32_t *of_host; /* position plus one, by host->index; 0: none */
};

struct tls_generation {
    struct tls_runtime *runtime;
    const struct config *config;
    struct context_sets servers, clients;
};

static uint64_t hash_text(const char *text) {
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 1099511628211U;
    }
    return hash;
}

static bool has_https_listener(const struct config *config) {
    bool found = false;
    for (size_t i = 0; i < config->listener_count; i++) {
        found = found || config->listeners[i].https;
    }
    return found;
}

static bool has_https_origin(const struct config *config) {
    bool found = false;
    for (size_t i = 0; i < config->origin_count; i++) {
        found = found || config->origins[i]->scheme == ORIGIN_HTTPS;
    }
    return found;
}

bool tls_is_used(const struct config *config) {
    return has_https_listener(config) || has_https_origin(config);
}

/* --- building --- */

static struct context_set *find_text(const struct context_sets *sets, const char *text) {
    uint64_t hash = hash_text(text);
    for (size_t i = 0; i < sets->count; i++) {
        if (sets->sets[i].text_hash == hash && strcmp(sets->sets[i].text, text) == 0) {
            return &sets->sets[i];
        }
    }
    return NULL;
}

static const struct context_set *find_kept(const struct context_sets *before, const struct tls_material *material) {
    uint64_t hash = hash_text(material->key);
    for (size_t i = 0; before != NULL && i < before->count; i++) {
        const struct context_set *set = &before->sets[i];
        if (set->may_be_kept && set->key_hash == hash && strcmp(set->material->key, material->key) == 0) {
            return set;
        }
    }
    return NULL;
}

struct building {
    struct tls_generation *generation;
    const struct context_sets *before;
    const struct virtual_host *host;
    bool to_origin;
    char **error;
};

/* Workers have contexts of both kinds; housekeeping only those towards origins, for its health checks. */
static unsigned thread_count(const struct tls_generation *generation, bool to_origin) {
    return tls_runtime_workers(generation->runtime) + (to_origin ? 1 : 0);
}

static bool fill_set(const struct building *building, struct context_set *set) {
    const struct tls_generation *generation = building->generation;
    unsigned count = thread_count(generation, building->to_origin);
    const struct context_set *kept = find_kept(building->before, set->material);
    set->contexts = must_calloc(count, sizeof(struct tls_context *));
    for (unsigned i = 0; i < count; i++) {
        struct tls_thread *thread = tls_runtime_thread(generation->runtime, i);
        if (kept != NULL) {
            set->contexts[i] = tls_context_ref(kept->contexts[i]);
        } else if (building->to_origin) {
            set->contexts[i] =
                tls_context_new_client(thread, &building->host->tls_proxy, set->material, building->error);
        } else {
            set->contexts[i] = tls_context_new_server(thread, &building->host->tls, set->material, building->error);
        }
        if (set->contexts[i] == NULL) {
            return false;
        }
    }
    return true;
}

static bool add_set(const struct building *building, struct context_sets *sets, char *text) {
    if (sets->count == sets->capacity) {
        sets->capacity = sets->capacity > 0 ? sets->capacity * 2 : 4;
        sets->sets = must_realloc(sets->sets, sets->capacity * sizeof *sets->sets);
    }
    const struct virtual_host *host = building->host;
    struct context_set *set = &sets->sets[sets->count++];
    *set = (struct context_set){.text = text, .text_hash = hash_text(text)};
    set->may_be_kept = (building->to_origin ? host->tls_proxy.ca_path : host->tls.ca_path) == NULL;
    set->material =
        building->to_origin ? tls_material_client(host, building->error) : tls_material_server(host, building->error);
    if (set->material == NULL) {
        return false;
    }
    set->key_hash = hash_text(set->material->key);
    bool good = fill_set(building, set);
    tls_material_forget_files(set->material);
    return good;
}

static bool build_host(const struct building *building, struct context_sets *sets) {
    const struct virtual_host *host = building->host;
    char *text = building->to_origin ? tls_client_text(&host->tls_proxy) : tls_server_text(&host->tls);
    const struct context_set *set = find_text(sets, text);
    if (set != NULL) {
        free(text);
        sets->of_host[host->index] = (uint32_t)(set - sets->sets) + 1;
        return true;
    }
    sets->of_host[host->index] = (uint32_t)sets->count + 1;
    return add_set(building, sets, text);
}

struct tls_generation *tls_generation_new(struct tls_runtime *runtime, const struct config *config,
                                          const struct tls_generation *before, char **error) {
    struct tls_generation *generation = must_calloc(1, sizeof *generation);
    generation->runtime = runtime;
    generation->config = config;
    generation->servers.of_host = must_calloc(config->host_count, sizeof *generation->servers.of_host);
    generation->clients.of_host = must_calloc(config->host_count, sizeof *generation->clients.of_host);
    bool serves = has_https_listener(config), asks = has_https_origin(config), good = true;
    for (size_t i = 0; good && i < config->host_count; i++) {
        const struct virtual_host *host = config->hosts[i];
        struct building building = {generation, before != NULL ? &before->servers : NULL, host, false, error};
        if (serves && host->tls.certificate_count > 0) {
            good = build_host(&building, &generation->servers);
        }
        building.before = before != NULL ? &before->clients : NULL;
        building.to_origin = true;
        if (good && asks && host->tls_proxy.engine) {
            good = build_host(&building, &generation->clients);
        }
    }
    if (!good) {
        tls_generation_free(&generation);
    } else {
        tls_runtime_set_newest(runtime, generation);
    }
    return generation;
}

static void free_sets(struct context_sets *sets, unsigned count) {
    for (size_t i = 0; i < sets->count; i++) {
        struct context_set *set = &sets->sets[i];
        for (unsigned k = 0; set->contexts != NULL && k < count; k++) {
            tls_context_unref(&set->contexts[k]);
        }
        free(set->contexts);
        tls_material_unref(&set->material);
        free(set->text);
    }
    free(sets->sets);
    free(sets->of_host);
}

void tls_generation_free(struct tls_generation **pointer) {
    struct tls_generation *generation = *pointer;
    *pointer = NULL;
    if (generation == NULL) {
        return;
    }
    tls_runtime_forget(generation->runtime, generation);
    free_sets(&generation->servers, thread_count(generation, false));
    free_sets(&generation->clients, thread_count(generation, true));
    free(generation);
}

bool tls_check(const struct config *config, char **error) {
    struct tls_runtime *runtime = tls_is_used(config) ? tls_runtime_new(NULL, 1) : NULL;
    struct tls_generation *generation = runtime != NULL ? tls_generation_new(runtime, config, NULL, error) : NULL;
    bool good = runtime == NULL || generation != NULL;
    tls_generation_free(&generation);
    tls_runtime_free(&runtime);
    return good;
}

void tls_generation_refresh(struct tls_generation *generation) {
    for (size_t i = 0; i < generation->servers.count; i++) {
        /* A context that was taken over has its own material, which is what it sends from. */
        const struct context_set *set = &generation->servers.sets[i];
        if (set->contexts[0]->material->staple != NULL) {
            tls_staple_refresh(set->contexts[0]->material->staple);
        }
    }
}

/* --- looking up --- */

struct tls_thread *tls_generation_thread(const struct tls_generation *generation, unsigned index) {
    return tls_runtime_thread(generation->runtime, index);
}

static struct tls_context *look_up(const struct context_sets *sets, unsigned index, const struct virtual_host *host) {
    uint32_t position = sets->of_host[host->index];
    return position > 0 ? sets->sets[position - 1].contexts[index] : NULL;
}

struct tls_context *tls_generation_server(const struct tls_generation *generation, unsigned index,
                                          const struct virtual_host *host) {
    return look_up(&generation->servers, index, host);
}

struct tls_context *tls_generation_client(const struct tls_generation *generation, unsigned index,
                                          const struct virtual_host *host) {
    return look_up(&generation->clients, index, host);
}

const char *tls_generation_requirements(const struct tls_generation *generation, const struct virtual_host *host) {
    const struct tls_context *context = look_up(&generation->servers, 0, host);
    return context != NULL ? context->requirements : NULL;
}

static bool uses(const struct virtual_host *host, const struct balancer *balancer) {
    bool found = false;
    for (size_t i = 0; i < host->proxy_pass_count; i++) {
        found = found || host->proxy_passes[i].balancer == balancer;
    }
    for (size_t i = 0; i < host->location_count; i++) {
        const struct proxy_pass *pass = host->locations[i]->settings.proxy_pass;
        found = found || (pass != NULL && pass->balancer == balancer);
    }
    return found;
}

struct tls_context *tls_generation_checker(const struct tls_generation *generation, const struct balancer *balancer) {
    unsigned index = tls_runtime_workers(generation->runtime);
    for (size_t i = 0; i < generation->config->host_count; i++) {
        const struct virtual_host *host = generation->config->hosts[i];
        struct tls_context *context = tls_generation_client(generation, index, host);
        if (context != NULL && uses(host, balancer)) {
            return context;
        }
    }
    return NULL;
}
