/* Files of a configuration: the main one, and Include with its wildcards and folders. Called by config.c and
 * directives_reading.c. Bounds: how deep files include each other, how many there are, and how long each is; a file
 * that includes itself, by whatever way, is an error. */
#include "config/parser.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads all of it into malloc'ed memory. False with errno; EFBIG when it is too long, EISDIR for a folder. */
static bool read_descriptor(int descriptor, char **text, size_t *length) {
    size_t room = 65536;
    *text = must_malloc(room);
    *length = 0;
    for (;;) {
        if (*length == room) {
            room *= 2;
            *text = must_realloc(*text, room);
        }
        ssize_t got = read(descriptor, *text + *length, room - *length);
        if (got > 0) {
            *length += (size_t)got;
        }
        if (got == 0) {
            return true;
        }
        if ((got < 0 && errno != EINTR) || *length > PARSER_FILE_BYTES_MAX) {
            errno = got < 0 ? errno : EFBIG;
            free(*text);
            *text = NULL;
            return false;
        }
    }
}

/* An included file must be a plain one: reading a pipe or a device could wait for ever. The main file may be a pipe. */
static bool read_whole(const char *path, bool plain_only, struct stat *status, char **text, size_t *length) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | (plain_only ? O_NONBLOCK : 0));
    if (descriptor < 0) {
        return false;
    }
    bool good = fstat(descriptor, status) == 0;
    if (good && (S_ISDIR(status->st_mode) || (plain_only && !S_ISREG(status->st_mode)))) {
        errno = S_ISDIR(status->st_mode) ? EISDIR : EINVAL;
        good = false;
    }
    good = good && read_descriptor(descriptor, text, length);
    int problem = errno;
    close(descriptor);
    errno = problem;
    return good;
}

static const char *folder_of(struct parser *parser, const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return "";
    }
    return arena_copy(&parser->scratch, (struct span){path, (size_t)(slash - path) + 1});
}

static void report_file(struct parser *parser, const char *path, const struct word *word, const char *problem) {
    if (word != NULL) {
        parser_error_at(parser, word, NULL, "\"%s\" %s", path, problem);
        return;
    }
    struct diagnostic about = {.place = {.file = path, .line = 0}};
    diagnostics_add(parser->diagnostics, &about, "%s", problem);
}

static bool is_open(const struct parser *parser, const struct stat *status) {
    for (size_t i = 0; i < parser->file_depth; i++) {
        const struct open_file *file = &parser->files[i];
        if (file->inode == status->st_ino && file->device == status->st_dev) {
            return true;
        }
    }
    return false;
}

static void read_opened(struct parser *parser, const char *path, const struct stat *status, struct span text) {
    parser->files[parser->file_depth++] = (struct open_file){
        .name = path,
        .folder = folder_of(parser, path),
        .device = status != NULL ? status->st_dev : 0,
        .inode = status != NULL ? status->st_ino : 0,
    };
    parser->files_read++;
    parser_read_text(parser, path, text);
    parser->file_depth--;
}

void parser_read_main(struct parser *parser) {
    struct stat status;
    char *text = NULL;
    size_t length = 0;
    const char *path = arena_strdup(parser_arena(parser), parser->options->path);
    if (!read_whole(path, false, &status, &text, &length)) {
        report_file(parser, path, NULL, arena_printf(&parser->scratch, "cannot be read: %s", strerror(errno)));
        return;
    }
    read_opened(parser, path, &status, (struct span){text, length});
    free(text);
}

void parser_read_given(struct parser *parser, struct span text) {
    const char *path = parser->options->path != NULL ? parser->options->path : "proxy.conf";
    read_opened(parser, arena_strdup(parser_arena(parser), path), NULL, text);
}

static void include_file(struct parser *parser, const char *path, const struct word *word) {
    if (parser->file_depth == PARSER_INCLUDE_DEPTH_MAX) {
        parser_error_at(parser, word, NULL, "files include each other more than %d deep", PARSER_INCLUDE_DEPTH_MAX);
        return;
    }
    if (parser->files_read == PARSER_FILES_MAX) {
        parser_error_at(parser, word, NULL, "more than %d files", PARSER_FILES_MAX);
        return;
    }
    struct stat status;
    char *text = NULL;
    size_t length = 0;
    if (!read_whole(path, true, &status, &text, &length)) {
        report_file(parser, path, word,
                    arena_printf(&parser->scratch, "cannot be read: %s",
                                 errno == EINVAL ? "not a plain file" : strerror(errno)));
        return;
    }
    if (is_open(parser, &status)) {
        report_file(parser, path, word, "includes itself");
    } else {
        read_opened(parser, arena_strdup(parser_arena(parser), path), &status, (struct span){text, length});
    }
    free(text);
}

static void include_folder(struct parser *parser, const char *path, const struct word *word, unsigned depth);

static void include_path(struct parser *parser, const char *path, const struct word *word, unsigned depth) {
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        include_folder(parser, path, word, depth + 1);
    } else {
        include_file(parser, path, word);
    }
}

/* Everything in a folder, by name, as Apache does; folders in it too. */
static void include_folder(struct parser *parser, const char *path, const struct word *word, unsigned depth) {
    if (depth > PARSER_INCLUDE_DEPTH_MAX) {
        report_file(parser, path, word, "is nested too deeply");
        return;
    }
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        report_file(parser, path, word, arena_printf(&parser->scratch, "cannot be read: %s", strerror(errno)));
        return;
    }
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            const char *slash = path[strlen(path) - 1] == '/' ? "" : "/";
            include_path(parser, arena_printf(&parser->scratch, "%s%s%s", path, slash, name), word, depth);
        }
        free(entries[i]);
    }
    free(entries);
}

static bool has_wildcard(const char *text) {
    return strpbrk(text, "*?[") != NULL;
}

void parser_include(struct parser *parser, const struct word *word, bool optional) {
    if (parser->options->forbid_includes) {
        parser_error_at(parser, word, NULL, "files may not be included here");
        return;
    }
    const char *folder = parser->files[parser->file_depth - 1].folder;
    const char *pattern =
        word->text[0] == '/' ? word->text : arena_printf(&parser->scratch, "%s%s", folder, word->text);
    if (!has_wildcard(word->text)) {
        struct stat status;
        if (!optional || stat(pattern, &status) == 0) {
            include_path(parser, pattern, word, 0);
        }
        return;
    }
    glob_t found;
    int result = glob(pattern, 0, NULL, &found);
    if (result == GLOB_NOMATCH && !optional) {
        parser_error_at(parser, word, "write IncludeOptional where there may be none", "no file matches \"%s\"",
                        pattern);
    } else if (result != 0 && result != GLOB_NOMATCH) {
        parser_error_at(parser, word, NULL, "the folder of \"%s\" cannot be read", pattern);
    }
    for (size_t i = 0; result == 0 && i < found.gl_pathc; i++) {
        include_path(parser, found.gl_pathv[i], word, 0);
    }
    if (result == 0) {
        globfree(&found);
    }
}
