/* The files that SSL* lines name, read once for all threads, and what is derived from the settings and from them.
 *
 * Housekeeping makes material when a configuration is loaded; contexts hold references to it (any thread). */
#ifndef WEIR_PROXY_TLS_FILES_H
#define WEIR_PROXY_TLS_FILES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

struct tls_staple;
struct tls_ticket_keys;

struct tls_file {
    char *bytes; /* NULL: none was named */
    size_t length;
    char digest[65]; /* SHA-256, hexadecimal; "" for none */
};

/* At most 16 MiB. False with *why (malloc'ed): "cannot read PATH: …". */
bool tls_file_read(struct tls_file *file, const char *path, char **why);
void tls_file_forget(struct tls_file *file); /* wipes and frees the bytes */

enum { TLS_CERTIFICATES_MAX = 8 };

struct tls_material {
    atomic_size_t references;
    char *key;          /* the same for settings and files that are the same */
    char *requirements; /* the same for settings that ask the same of a client: tls_facts.h */
    struct place place; /* of the host: for messages about what has no place of its own */
    struct tls_certificate_file {
        struct tls_file certificate, key; /* key: empty when it stands in the certificate's file */
    } certificates[TLS_CERTIFICATES_MAX];
    size_t certificate_count;
    struct tls_file chain, authorities;
    struct tls_staple *staple;           /* NULL: none */
    struct tls_ticket_keys *ticket_keys; /* of SSLSessionTicketKeyFile; NULL: the process's */
};

/* NULL with *error, "file:line: directive: what is wrong" (malloc'ed). */
struct tls_material *tls_material_server(const struct virtual_host *host, char **error);
struct tls_material *tls_material_client(const struct virtual_host *host, char **error);
/* Wipes the files' content: once all contexts are made. */
void tls_material_forget_files(struct tls_material *material);
struct tls_material *tls_material_ref(struct tls_material *material);
void tls_material_unref(struct tls_material **material); /* nulls the pointer; NULL is harmless */

/* A text that is the same for hosts whose settings name the same files and values; malloc'ed. */
char *tls_server_text(const struct tls_server *settings);
char *tls_client_text(const struct tls_client *settings);

/* *error = "file:line: directive: format"; false always. */
bool tls_error(char **error, const struct place *place, const char *directive, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
