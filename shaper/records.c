/* The shaper and its records. Called at start and end of the process, and by binding.c on each reload. */
#include "shaper/records.h"

#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "shaper/shaper.h"

struct shaper *shaper_new(const struct shaper_settings *settings) {
    struct shaper *shaper = must_calloc(1, sizeof *shaper);
    pthread_mutex_init(&shaper->lock, NULL);
    shaper->workers = settings->workers > 0 ? settings->workers : 1;
    shaper->clients = client_table_new(&settings->clients, &settings->hash_key);
    return shaper;
}

static void free_records(struct traffic_records *records) {
    for (size_t i = 0; i < records->names.count; i++) {
        quota_destroy(&records->by_id[i]->quota);
        tally_set_free(&records->by_id[i]->tallies);
        free(records->by_id[i]->name);
        free(records->by_id[i]);
    }
    free(records->by_id);
    name_table_clear(&records->names);
}

static void free_classes(struct shaper *shaper) {
    for (size_t i = 0; i < shaper->class_names.count; i++) {
        tally_set_free(&shaper->classes[i]->tallies);
        free(shaper->classes[i]);
    }
    free(shaper->classes);
    name_table_clear(&shaper->class_names);
}

void shaper_free(struct shaper **shaper) {
    if (*shaper == NULL) {
        return;
    }
    free_records(&(*shaper)->hosts);
    free_records(&(*shaper)->users);
    free_classes(*shaper);
    client_table_free(&(*shaper)->clients);
    pthread_mutex_destroy(&(*shaper)->lock);
    free(*shaper);
    *shaper = NULL;
}

static struct traffic_record *new_record(size_t id, const char *name, unsigned workers) {
    struct traffic_record *record = must_calloc(1, sizeof *record);
    record->id = id;
    size_t bytes = strlen(name) + 1;
    record->name = memcpy(must_malloc(bytes), name, bytes);
    quota_init(&record->quota, sizeof(struct traffic_class));
    record->tallies = tally_set_new(workers);
    return record;
}

struct traffic_record *traffic_record_of(struct shaper *shaper, struct traffic_records *records, const char *key,
                                         const char *name) {
    size_t known = records->names.count, id = name_table_number(&records->names, key);
    if (id == known) {
        if (id == records->room) {
            records->room = records->room > 0 ? records->room * 2 : 64;
            records->by_id = must_realloc(records->by_id, records->room * sizeof *records->by_id);
        }
        records->by_id[id] = new_record(id, name, shaper->workers);
    }
    return records->by_id[id];
}

size_t class_record_of(struct shaper *shaper, const char *name) {
    size_t known = shaper->class_names.count, id = name_table_number(&shaper->class_names, name);
    if (id == known) {
        if (id == shaper->class_room) {
            shaper->class_room = shaper->class_room > 0 ? shaper->class_room * 2 : 16;
            shaper->classes = must_realloc(shaper->classes, shaper->class_room * sizeof *shaper->classes);
        }
        shaper->classes[id] = must_calloc(1, sizeof *shaper->classes[id]);
        shaper->classes[id]->tallies = tally_set_new(shaper->workers);
    }
    return id;
}

struct traffic_class *traffic_class_of(struct traffic_record *record, size_t class_id) {
    return (struct traffic_class *)(void *)quota_class_of(&record->quota, class_id);
}

struct client_table_counts shaper_client_counts(const struct shaper *shaper) {
    return client_table_counts(shaper->clients);
}
