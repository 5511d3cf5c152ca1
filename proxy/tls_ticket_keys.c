/* The ring of ticket keys. Called by tls_tickets.c on workers. Invariant: keys are in the order of their making, the
 * newest last; what is overwritten or dropped is wiped. */
#include "proxy/tls_ticket_keys.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"

enum { KEYS_MAX = 4 };

struct tls_ticket_keys {
    pthread_mutex_t mutex; /* of all below */
    tls_random *random;    /* NULL: one key for ever */
    struct tls_ticket_key keys[KEYS_MAX];
    int64_t made_ns[KEYS_MAX];
    size_t count;
};

struct tls_ticket_keys *tls_ticket_keys_new(tls_random *random) {
    struct tls_ticket_keys *keys = must_calloc(1, sizeof *keys);
    pthread_mutex_init(&keys->mutex, NULL);
    keys->random = random;
    return keys;
}

struct tls_ticket_keys *tls_ticket_keys_fixed(const unsigned char bytes[TLS_TICKET_FILE_BYTES]) {
    struct tls_ticket_keys *keys = tls_ticket_keys_new(NULL);
    struct tls_ticket_key *key = &keys->keys[0];
    memcpy(key->name, bytes, TLS_TICKET_NAME_BYTES);
    memcpy(key->hmac, bytes + TLS_TICKET_NAME_BYTES, 16);
    memcpy(key->aes, bytes + TLS_TICKET_NAME_BYTES + 16, 16);
    key->secret_bytes = 16;
    keys->count = 1;
    return keys;
}

void tls_ticket_keys_free(struct tls_ticket_keys **keys) {
    if (*keys == NULL) {
        return;
    }
    pthread_mutex_destroy(&(*keys)->mutex);
    explicit_bzero(*keys, sizeof **keys);
    free(*keys);
    *keys = NULL;
}

static void drop_oldest(struct tls_ticket_keys *keys) {
    keys->count--;
    memmove(keys->keys, keys->keys + 1, keys->count * sizeof keys->keys[0]);
    memmove(keys->made_ns, keys->made_ns + 1, keys->count * sizeof keys->made_ns[0]);
    explicit_bzero(&keys->keys[keys->count], sizeof keys->keys[0]);
}

static void forget_old(struct tls_ticket_keys *keys, int64_t now_ns) {
    while (keys->random != NULL && keys->count > 0 && now_ns - keys->made_ns[0] >= TLS_TICKET_KEEP_NS) {
        drop_oldest(keys);
    }
}

static void add(struct tls_ticket_keys *keys, int64_t now_ns) {
    unsigned char bytes[TLS_TICKET_RANDOM_BYTES];
    if (!keys->random(bytes, sizeof bytes)) {
        return; /* the one before goes on */
    }
    if (keys->count == KEYS_MAX) {
        drop_oldest(keys);
    }
    struct tls_ticket_key *key = &keys->keys[keys->count];
    memcpy(key->name, bytes, sizeof key->name);
    memcpy(key->hmac, bytes + sizeof key->name, sizeof key->hmac);
    memcpy(key->aes, bytes + sizeof key->name + sizeof key->hmac, sizeof key->aes);
    key->secret_bytes = TLS_TICKET_SECRET_MAX;
    keys->made_ns[keys->count++] = now_ns;
    explicit_bzero(bytes, sizeof bytes);
}

bool tls_ticket_keys_newest(struct tls_ticket_keys *keys, int64_t now_ns, struct tls_ticket_key *key) {
    pthread_mutex_lock(&keys->mutex);
    forget_old(keys, now_ns);
    if (keys->random != NULL && (keys->count == 0 || now_ns - keys->made_ns[keys->count - 1] >= TLS_TICKET_LIFE_NS)) {
        add(keys, now_ns);
    }
    bool found = keys->count > 0;
    if (found) {
        *key = keys->keys[keys->count - 1];
    }
    pthread_mutex_unlock(&keys->mutex);
    return found;
}

bool tls_ticket_keys_find(struct tls_ticket_keys *keys, const unsigned char name[TLS_TICKET_NAME_BYTES], int64_t now_ns,
                          struct tls_ticket_key *key, bool *renew) {
    bool found = false;
    pthread_mutex_lock(&keys->mutex);
    forget_old(keys, now_ns);
    for (size_t i = keys->count; !found && i-- > 0;) {
        found = memcmp(keys->keys[i].name, name, TLS_TICKET_NAME_BYTES) == 0;
        if (found) {
            *key = keys->keys[i];
            *renew = i + 1 < keys->count || (keys->random != NULL && now_ns - keys->made_ns[i] >= TLS_TICKET_LIFE_NS);
        }
    }
    pthread_mutex_unlock(&keys->mutex);
    return found;
}
