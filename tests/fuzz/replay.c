/* Runs a fuzz target over files: the main of every fuzz program in a build without libFuzzer.
 *
 * Usage: fuzz_<name> file-or-directory...; exits 0 unless the target ends the process itself. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns 1 when the file was run, 0 when it could not be read. */
static unsigned replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 0;
    }
    uint8_t *data = NULL;
    size_t size = 0;
    size_t length = 0;
    size_t got = 0;
    do {
        length += got;
        if (size - length < 4096) {
            size += 65536;
            uint8_t *grown = realloc(data, size);
            if (grown == NULL) {
                abort();
            }
            data = grown;
        }
        got = fread(data + length, 1, size - length, file);
    } while (got > 0);
    (void)fclose(file);

    /* An exact copy, so that reading one byte too far is seen. */
    uint8_t *exact = malloc(length > 0 ? length : 1);
    if (exact == NULL) {
        abort();
    }
    memcpy(exact, data, length);
    free(data);
    (void)LLVMFuzzerTestOneInput(exact, length);
    free(exact);
    return 1;
}

static unsigned replay_directory(const char *path) {
    DIR *directory = opendir(path);
    if (directory == NULL) {
        perror(path);
        return 0;
    }
    unsigned count = 0;
    const struct dirent *entry = NULL;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char name[4096];
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        count += replay_file(name);
    }
    (void)closedir(directory);
    return count;
}

int main(int argc, char **argv) {
    unsigned count = 0;
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        struct stat status;
        if (stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode)) {
            count += replay_directory(argv[i]);
        } else {
            count += replay_file(argv[i]);
        }
    }
    (void)printf("%u inputs\n", count);
    return 0;
}
