/* For tests of what is kept: a folder of the test's own that is removed at the end. */
#ifndef WEIR_TESTS_UNIT_SHAPER_GIVEN_STATE_H
#define WEIR_TESTS_UNIT_SHAPER_GIVEN_STATE_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shaper/state_database.h"
#include "tests/unit/shaper/given.h"

struct folder {
    char path[64];
};

static inline struct folder new_folder(void) {
    struct folder folder = {"/tmp/weir-state-XXXXXX"};
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder.path));
    return folder;
}

/* "FOLDER/name"; a few of them may be in use at a time. */
static inline const char *in(const struct folder *folder, const char *name) {
    static char texts[8][400];
    static unsigned next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], "%s/%s", folder->path, name);
    return text;
}

/* How many names begin like that. */
static inline size_t names_like(const struct folder *folder, const char *begin) {
    size_t count = 0;
    DIR *directory = opendir(folder->path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += strncmp(entry->d_name, begin, strlen(begin)) == 0;
    }
    closedir(directory);
    return count;
}

static inline void remove_folder(const struct folder *folder) {
    DIR *directory = opendir(folder->path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (unlink(in(folder, entry->d_name)) != 0) {
            (void)rmdir(in(folder, entry->d_name));
        }
    }
    closedir(directory);
    (void)rmdir(folder->path);
}

static inline void write_file(const char *path, const void *bytes, size_t length) {
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

/* The caller frees; NULL when it is not there. */
static inline char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*length + 1);
    CU_ASSERT_EQUAL(fread(bytes, 1, *length, file), *length);
    fclose(file);
    return bytes;
}

static inline void copy_file(const char *from, const char *to) {
    size_t length = 0;
    char *bytes = read_file(from, &length);
    if (bytes != NULL) {
        write_file(to, bytes, length);
    }
    free(bytes);
}

static const int64_t wall_s = 1700000000;

static inline struct state_database *open_state(const char *path) {
    struct state_opened opened;
    CU_ASSERT_EQUAL(state_database_open(path, wall_s, &opened), STATE_OPEN);
    CU_ASSERT_STRING_EQUAL(opened.problem.text, "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(opened.database);
    return opened.database;
}

#endif
