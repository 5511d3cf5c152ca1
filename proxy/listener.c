/* The set of all listening sockets, by listener name. Called by process.c, reload.c and upgrade.c on the housekeeping
 * thread alone. Invariant: each descriptor stands in one entry, and is closed by the set only while it is not lent. */
#include "proxy/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/arena.h"

struct entry {
    struct entry *next;
    char *name;
    char *unix_path; /* NULL: TCP */
    dev_t device;    /* of the Unix socket's file, so that only our own is removed */
    ino_t inode;
    uint16_t port; /* 0: Unix, or inherited and not named yet */
    bool named;    /* a configuration names it; else it was inherited and waits for one */
    bool fresh;    /* added by the last listener_set_open() */
    struct listening_socket *sockets;
    size_t socket_count;
};

struct listener_set {
    struct entry *entries; /* in the order in which they were added */
};

static char *copy_text(const char *text, size_t length) {
    char *copy = must_malloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

struct listener_set *listener_set_new(void) {
    return must_calloc(1, sizeof(struct listener_set));
}

static struct entry *add_entry(struct listener_set *set, const char *name, size_t name_length) {
    struct entry *entry = must_calloc(1, sizeof *entry);
    entry->name = copy_text(name, name_length);
    struct entry **end = &set->entries;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = entry;
    return entry;
}

static void add_socket(struct entry *entry, int fd, unsigned worker) {
    entry->sockets = must_realloc(entry->sockets, (entry->socket_count + 1) * sizeof *entry->sockets);
    entry->sockets[entry->socket_count++] = (struct listening_socket){.fd = fd, .worker = worker};
}

static struct entry *find_entry(const struct listener_set *set, const char *name) {
    for (struct entry *entry = set->entries; entry != NULL; entry = entry->next) {
        if (strcmp(entry->name, name) == 0) {
            return entry;
        }
    }
    return NULL;
}

static void remember_file(struct entry *entry, const char *path) {
    struct stat status;
    free(entry->unix_path);
    entry->unix_path = copy_text(path, strlen(path));
    if (stat(path, &status) == 0) {
        entry->device = status.st_dev;
        entry->inode = status.st_ino;
    }
}

static void remove_file(const struct entry *entry) {
    struct stat status;
    if (entry->unix_path != NULL && stat(entry->unix_path, &status) == 0 && status.st_dev == entry->device &&
        status.st_ino == entry->inode) {
        (void)unlink(entry->unix_path);
    }
}

/* Takes the entry out of the set; the caller says whether its file goes too. */
static void remove_entry(struct listener_set *set, struct entry *entry, bool with_file) {
    struct entry **link = &set->entries;
    while (*link != entry) {
        link = &(*link)->next;
    }
    *link = entry->next;
    if (with_file) {
        remove_file(entry);
    }
    for (size_t i = 0; i < entry->socket_count; i++) {
        if (!entry->sockets[i].lent) {
            close(entry->sockets[i].fd);
        }
    }
    free(entry->sockets);
    free(entry->unix_path);
    free(entry->name);
    free(entry);
}

void listener_set_free(struct listener_set **set_pointer) {
    struct listener_set *set = *set_pointer;
    *set_pointer = NULL;
    if (set == NULL) {
        return;
    }
    while (set->entries != NULL) {
        remove_entry(set, set->entries, false);
    }
    free(set);
}

/* Where one of our own sockets has the port, a bind without SO_REUSEPORT would fail because of ourselves. */
static bool has_port(const struct listener_set *set, uint16_t port) {
    for (const struct entry *entry = set->entries; entry != NULL; entry = entry->next) {
        if (entry->unix_path == NULL && entry->socket_count > 0 && (entry->port == port || entry->port == 0)) {
            return true;
        }
    }
    return false;
}

/* One more socket for a worker; where another cannot be bound (no privileges any more), workers share one. */
static bool open_one(struct entry *entry, const struct listener *listener, unsigned worker, bool first, char **error) {
    int fd = -1;
    if (entry->socket_count == 0 || listener->unix_path == NULL) {
        fd = listener_open_socket(listener, first, error);
    }
    if (fd < 0 && entry->socket_count > 0) {
        free(*error);
        *error = NULL;
        fd = fcntl(entry->sockets[0].fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0 && asprintf(error, "cannot listen on %s: %s", listener->name, strerror(errno)) < 0) {
            *error = NULL;
        }
    }
    if (fd >= 0) {
        add_socket(entry, fd, worker);
    }
    return fd >= 0;
}

static bool open_entry(struct listener_set *set, const struct listener *listener, unsigned workers, char **error) {
    struct entry *entry = find_entry(set, listener->name);
    if (entry != NULL && entry->named) {
        return true;
    }
    bool inherited = entry != NULL;
    bool first = !inherited && (listener->unix_path != NULL || !has_port(set, listener->port));
    if (!inherited) {
        entry = add_entry(set, listener->name, strlen(listener->name));
        entry->fresh = true;
    }
    entry->named = true;
    for (size_t i = 0; i < entry->socket_count; i++) {
        entry->sockets[i].worker = (unsigned)i % workers;
    }
    for (unsigned worker = (unsigned)entry->socket_count; worker < workers; worker++) {
        if (!open_one(entry, listener, worker, first && worker == 0, error)) {
            return false;
        }
    }
    entry->port = listener->port;
    if (listener->unix_path != NULL) {
        remember_file(entry, listener->unix_path);
    }
    return true;
}

void listener_set_rollback(struct listener_set *set) {
    for (struct entry *entry = set->entries, *next; entry != NULL; entry = next) {
        next = entry->next;
        if (entry->fresh) {
            remove_entry(set, entry, true);
        }
    }
}

bool listener_set_open(struct listener_set *set, const struct config *config, unsigned workers, char **error) {
    *error = NULL;
    for (struct entry *entry = set->entries; entry != NULL; entry = entry->next) {
        entry->fresh = false;
    }
    for (size_t i = 0; i < config->listener_count; i++) {
        if (!open_entry(set, &config->listeners[i], workers, error)) {
            listener_set_rollback(set);
            return false;
        }
    }
    return true;
}

static bool config_names(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->listener_count; i++) {
        if (strcmp(config->listeners[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

size_t listener_set_drop_others(struct listener_set *set, const struct config *config) {
    size_t dropped = 0;
    for (struct entry *entry = set->entries, *next; entry != NULL; entry = next) {
        next = entry->next;
        if (!config_names(config, entry->name)) {
            remove_entry(set, entry, true);
            dropped++;
        }
    }
    return dropped;
}

bool listener_set_lend(struct listener_set *set, unsigned worker, const char **name, int *fd) {
    for (struct entry *entry = set->entries; entry != NULL; entry = entry->next) {
        for (size_t i = 0; i < entry->socket_count; i++) {
            struct listening_socket *socket = &entry->sockets[i];
            if (socket->worker == worker && !socket->lent) {
                socket->lent = true;
                *name = entry->name;
                *fd = socket->fd;
                return true;
            }
        }
    }
    return false;
}

void listener_set_forget(struct listener_set *set) {
    for (struct entry *entry = set->entries, *next; entry != NULL; entry = next) {
        next = entry->next;
        remove_entry(set, entry, false);
    }
}

void listener_set_remove_files(const struct listener_set *set) {
    for (const struct entry *entry = set->entries; entry != NULL; entry = entry->next) {
        remove_file(entry);
    }
}

/* ---- handing over ---- */

static void write_encoded(FILE *out, const char *name) {
    for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++) {
        if (*c <= ' ' || *c >= 0x7F || strchr("%=;,", *c) != NULL) {
            fprintf(out, "%%%02X", *c);
        } else {
            putc(*c, out);
        }
    }
}

char *listener_set_describe(const struct listener_set *set) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return copy_text("", 0);
    }
    for (const struct entry *entry = set->entries; entry != NULL; entry = entry->next) {
        write_encoded(out, entry->name);
        for (size_t i = 0; i < entry->socket_count; i++) {
            fprintf(out, "%c%d", i == 0 ? '=' : ',', entry->sockets[i].fd);
        }
        if (entry->next != NULL) {
            putc(';', out);
        }
    }
    fclose(out);
    return text;
}

int *listener_set_descriptors(const struct listener_set *set, size_t *count) {
    int *descriptors = must_malloc(sizeof *descriptors);
    *count = 0;
    for (const struct entry *entry = set->entries; entry != NULL; entry = entry->next) {
        descriptors = must_realloc(descriptors, (*count + entry->socket_count + 1) * sizeof *descriptors);
        for (size_t i = 0; i < entry->socket_count; i++) {
            descriptors[(*count)++] = entry->sockets[i].fd;
        }
    }
    return descriptors;
}

static int hex_digit(char c) {
    static const char digits[] = "0123456789ABCDEF";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* In place; returns the new length, or SIZE_MAX for a bad escape. */
static size_t decode(char *text) {
    size_t length = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c != '%') {
            text[length++] = *c;
            continue;
        }
        int high = hex_digit(c[1]), low = high >= 0 ? hex_digit(c[2]) : -1;
        if (low < 0) {
            return SIZE_MAX;
        }
        text[length++] = (char)(high * 16 + low);
        c += 2;
    }
    text[length] = '\0';
    return length;
}

static bool is_listening(int fd) {
    int listening = 0;
    socklen_t length = sizeof listening;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening != 0;
}

/* "name=fd,fd" */
static bool inherit_entry(struct listener_set *set, char *text) {
    char *descriptors = strchr(text, '=');
    if (descriptors == NULL) {
        return false;
    }
    *descriptors++ = '\0';
    size_t length = decode(text);
    if (length == SIZE_MAX || length == 0) {
        return false;
    }
    struct entry *entry = NULL;
    for (char *rest = descriptors, *number; (number = strsep(&rest, ",")) != NULL;) {
        char *end;
        errno = 0;
        long fd = strtol(number, &end, 10);
        if (errno != 0 || end == number || *end != '\0' || fd < 3 || fd > 1000000) {
            return false;
        }
        if (!is_listening((int)fd) || fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0) {
            continue;
        }
        if (entry == NULL) {
            entry = add_entry(set, text, length);
        }
        add_socket(entry, (int)fd, 0);
    }
    return true;
}

bool listener_set_inherit(struct listener_set *set, const char *description) {
    char *copy = copy_text(description, strlen(description));
    bool understood = true;
    for (char *rest = copy, *text; understood && (text = strsep(&rest, ";")) != NULL;) {
        understood = *text == '\0' || inherit_entry(set, text);
    }
    free(copy);
    return understood;
}
