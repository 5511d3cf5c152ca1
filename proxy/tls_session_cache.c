/* The session cache: a table with one place for each value of a hash, which the newest takes. Called by tls_callbacks.c
 * on workers. Ids are random and chosen by us, so that nobody can aim at a place. */
#include "proxy/tls_session_cache.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "config/arena.h"

enum { SHARDS = 64, PLACES = TLS_SESSIONS_MAX / SHARDS, ID_BYTES = 32 };

struct session_place {
    char id[ID_BYTES];
    uint8_t id_length; /* 0: free */
    uint16_t length;
    char *bytes;
};

struct tls_session_cache {
    struct session_shard {
        pthread_mutex_t mutex;
        struct session_place places[PLACES];
    } shards[SHARDS];
};

struct tls_session_cache *tls_session_cache_new(void) {
    struct tls_session_cache *cache = must_calloc(1, sizeof *cache);
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&cache->shards[i].mutex, NULL);
    }
    return cache;
}

static void clear(struct session_place *place) {
    if (place->bytes != NULL) {
        explicit_bzero(place->bytes, place->length);
        free(place->bytes);
    }
    *place = (struct session_place){.id_length = 0};
}

void tls_session_cache_free(struct tls_session_cache **cache) {
    if (*cache == NULL) {
        return;
    }
    for (size_t i = 0; i < SHARDS; i++) {
        for (size_t k = 0; k < PLACES; k++) {
            clear(&(*cache)->shards[i].places[k]);
        }
        pthread_mutex_destroy(&(*cache)->shards[i].mutex);
    }
    free(*cache);
    *cache = NULL;
}

static struct session_shard *find(struct tls_session_cache *cache, struct span id, struct session_place **place) {
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (size_t i = 0; i < id.len; i++) {
        hash = (hash ^ (unsigned char)id.ptr[i]) * 16777619U;
    }
    hash ^= hash >> 15;
    struct session_shard *shard = &cache->shards[hash % SHARDS];
    *place = &shard->places[hash / SHARDS % PLACES];
    return shard;
}

static bool holds(const struct session_place *place, struct span id) {
    return place->id_length == id.len && memcmp(place->id, id.ptr, id.len) == 0;
}

void tls_session_cache_put(struct tls_session_cache *cache, struct span id, struct span session) {
    if (id.len == 0 || id.len > ID_BYTES || session.len == 0 || session.len > TLS_SESSION_BYTES_MAX) {
        return;
    }
    struct session_place *place;
    struct session_shard *shard = find(cache, id, &place);
    char *copy = memcpy(must_malloc(session.len), session.ptr, session.len);
    pthread_mutex_lock(&shard->mutex);
    clear(place);
    memcpy(place->id, id.ptr, id.len);
    place->id_length = (uint8_t)id.len;
    place->length = (uint16_t)session.len;
    place->bytes = copy;
    pthread_mutex_unlock(&shard->mutex);
}

size_t tls_session_cache_get(struct tls_session_cache *cache, struct span id, char session[TLS_SESSION_BYTES_MAX]) {
    size_t length = 0;
    struct session_place *place;
    if (id.len == 0) {
        return 0;
    }
    struct session_shard *shard = find(cache, id, &place);
    pthread_mutex_lock(&shard->mutex);
    if (holds(place, id)) {
        length = place->length;
        memcpy(session, place->bytes, length);
    }
    pthread_mutex_unlock(&shard->mutex);
    return length;
}

void tls_session_cache_remove(struct tls_session_cache *cache, struct span id) {
    struct session_place *place;
    if (id.len == 0) {
        return;
    }
    struct session_shard *shard = find(cache, id, &place);
    pthread_mutex_lock(&shard->mutex);
    if (holds(place, id)) {
        clear(place);
    }
    pthread_mutex_unlock(&shard->mutex);
}
