/* Reading the files of SSL* lines. Housekeeping, while a configuration is loaded; nothing here knows what stands in a
 * certificate: that is tls_context.c's. */
#include "proxy/tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/tls_staple.h"
#include "proxy/tls_ticket_keys.h"

enum { FILE_BYTES_MAX = 16 * 1024 * 1024 };

bool tls_error(char **error, const struct place *place, const char *directive, const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0 || asprintf(error, "%s:%u: %s: %s", place->file, place->line, directive, text) < 0) {
        *error = NULL;
    }
    free(length < 0 ? NULL : text);
    return false;
}

static void make_digest(struct tls_file *file) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(file->bytes, file->length, digest, &length, EVP_sha256(), NULL) != 1) {
        length = 0;
    }
    for (unsigned i = 0; i < length && i < 32; i++) {
        snprintf(file->digest + (size_t)i * 2, 3, "%02x", digest[i]);
    }
}

static bool read_all(int fd, struct tls_file *file) {
    size_t capacity = 8192;
    file->bytes = must_malloc(capacity);
    for (;;) {
        ssize_t count = read(fd, file->bytes + file->length, capacity - file->length);
        if (count <= 0) {
            return count == 0;
        }
        file->length += (size_t)count;
        if (file->length == capacity) {
            if (capacity >= FILE_BYTES_MAX) {
                errno = EFBIG;
                return false;
            }
            char *larger = must_malloc(capacity * 2); /* not realloc: the old copy of a key is wiped */
            memcpy(larger, file->bytes, file->length);
            explicit_bzero(file->bytes, file->length);
            free(file->bytes);
            file->bytes = larger;
            capacity *= 2;
        }
    }
}

bool tls_file_read(struct tls_file *file, const char *path, char **why) {
    *file = (struct tls_file){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && read_all(fd, file);
    if (!good && asprintf(why, "cannot read %s: %s", path, strerror(errno)) < 0) { /* NOLINT(concurrency-mt-unsafe) */
        *why = NULL;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (good) {
        make_digest(file);
    } else {
        tls_file_forget(file);
    }
    return good;
}

void tls_file_forget(struct tls_file *file) {
    if (file->bytes != NULL) {
        explicit_bzero(file->bytes, file->length);
        free(file->bytes);
        file->bytes = NULL;
        file->length = 0;
    }
}

/* path NULL: nothing to read. */
static bool read_named(struct tls_file *file, const char *path, const struct place *place, const char *directive,
                       char **error) {
    char *why = NULL;
    if (path == NULL || tls_file_read(file, path, &why)) {
        return true;
    }
    tls_error(error, place, directive, "%s", why != NULL ? why : "no memory");
    free(why);
    return false;
}

/* --- texts --- */

static const char *or_none(const char *text) {
    return text != NULL ? text : "-";
}

char *tls_server_text(const struct tls_server *settings) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < settings->certificate_count; i++) {
        fprintf(out, "%s\n%s\n", settings->certificates[i].certificate_file,
                or_none(settings->certificates[i].key_file));
    }
    fprintf(out, "%s\n%s\n%s\n%s\n%s\n%s\n%s\n%u %u %d %d %d %d", or_none(settings->chain_file),
            or_none(settings->ciphers), or_none(settings->ciphersuites), or_none(settings->stapling_file),
            or_none(settings->ticket_key_file), or_none(settings->ca_file), or_none(settings->ca_path),
            settings->protocols, settings->verify_depth, (int)settings->verify, settings->honor_cipher_order,
            settings->use_stapling, settings->session_tickets);
    fclose(out);
    return text;
}

char *tls_client_text(const struct tls_client *settings) {
    char *text = NULL;
    if (asprintf(&text, "%s\n%s\n%s\n%s\n%s\n%u %u %d %d", or_none(settings->ciphers), or_none(settings->ciphersuites),
                 or_none(settings->ca_file), or_none(settings->ca_path), or_none(settings->machine_certificate_file),
                 settings->protocols, settings->verify_depth, (int)settings->verify, settings->check_peer_name) < 0) {
        abort();
    }
    return text;
}

/* The settings' text with what the files hold. */
static char *make_key(char *text, const struct tls_material *material, const char *more) {
    char *key = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&key, &size);
    fputs(text, out);
    for (size_t i = 0; i < material->certificate_count; i++) {
        fprintf(out, "\n%s %s", material->certificates[i].certificate.digest, material->certificates[i].key.digest);
    }
    fprintf(out, "\n%s %s %s", material->chain.digest, material->authorities.digest, more);
    fclose(out);
    free(text);
    return key;
}

static struct tls_material *new_material(const struct virtual_host *host) {
    struct tls_material *material = must_calloc(1, sizeof *material);
    atomic_init(&material->references, 1);
    material->place = host->place;
    if (material->place.file == NULL) { /* the main server has no line of its own */
        material->place.file = "the server's configuration";
    }
    return material;
}

/* --- towards clients --- */

static bool read_certificates(struct tls_material *material, const struct tls_server *tls, char **error) {
    for (size_t i = 0; i < tls->certificate_count && i < TLS_CERTIFICATES_MAX; i++) {
        const struct tls_certificate *named = &tls->certificates[i];
        struct tls_certificate_file *files = &material->certificates[material->certificate_count++];
        if (!read_named(&files->certificate, named->certificate_file, &named->place, "SSLCertificateFile", error) ||
            !read_named(&files->key, named->key_file, &named->place, "SSLCertificateKeyFile", error)) {
            return false;
        }
    }
    return true;
}

static bool read_staple(struct tls_material *material, const struct tls_server *tls, char **error) {
    char *why = NULL;
    if (!tls->use_stapling || tls->stapling_file == NULL) {
        return true;
    }
    material->staple = tls_staple_new(tls->stapling_file, &why);
    if (material->staple == NULL) {
        tls_error(error, &material->place, "SSLStaplingFile", "%s", why != NULL ? why : "no memory");
        free(why);
    }
    return material->staple != NULL;
}

static bool read_ticket_keys(struct tls_material *material, struct tls_file *file, const struct tls_server *tls,
                             char **error) {
    if (!read_named(file, tls->ticket_key_file, &material->place, "SSLSessionTicketKeyFile", error)) {
        return false;
    }
    if (file->bytes != NULL && file->length != TLS_TICKET_FILE_BYTES) {
        return tls_error(error, &material->place, "SSLSessionTicketKeyFile",
                         "%s has %zu bytes; 48 random ones are needed (openssl rand -out FILE 48)",
                         tls->ticket_key_file, file->length);
    }
    if (file->bytes != NULL) {
        material->ticket_keys = tls_ticket_keys_fixed((const unsigned char *)file->bytes);
    }
    return true;
}

struct tls_material *tls_material_server(const struct virtual_host *host, char **error) {
    const struct tls_server *tls = &host->tls;
    struct tls_material *material = new_material(host);
    struct tls_file tickets = {0};
    const struct place *authorities_place = tls->verify_place.file != NULL ? &tls->verify_place : &material->place;
    const struct place *chain_place = tls->certificate_count > 0 ? &tls->certificates[0].place : &material->place;
    bool good = read_certificates(material, tls, error) &&
                read_named(&material->chain, tls->chain_file, chain_place, "SSLCertificateChainFile", error) &&
                read_named(&material->authorities, tls->ca_file, authorities_place, "SSLCACertificateFile", error) &&
                read_staple(material, tls, error) && read_ticket_keys(material, &tickets, tls, error);
    material->key = make_key(tls_server_text(tls), material, tickets.digest);
    tls_file_forget(&tickets);
    if (asprintf(&material->requirements, "%u %u %d %s %s %s %s", tls->protocols,
                 tls->verify == TLS_VERIFY_NONE ? 0 : tls->verify_depth, (int)tls->verify, or_none(tls->ciphers),
                 or_none(tls->ciphersuites), tls->verify == TLS_VERIFY_NONE ? "" : material->authorities.digest,
                 tls->verify == TLS_VERIFY_NONE ? "" : or_none(tls->ca_path)) < 0) {
        abort();
    }
    if (!good) {
        tls_material_unref(&material);
    }
    return material;
}

/* --- towards origins --- */

struct tls_material *tls_material_client(const struct virtual_host *host, char **error) {
    const struct tls_client *tls = &host->tls_proxy;
    struct tls_material *material = new_material(host);
    struct tls_certificate_file *own = &material->certificates[0];
    bool good = read_named(&own->certificate, tls->machine_certificate_file, &material->place,
                           "SSLProxyMachineCertificateFile", error) &&
                read_named(&material->authorities, tls->ca_file, &material->place, "SSLProxyCACertificateFile", error);
    material->certificate_count = own->certificate.bytes != NULL ? 1 : 0;
    material->key = make_key(tls_client_text(tls), material, "");
    if (!good) {
        tls_material_unref(&material);
    }
    return material;
}

/* --- life --- */

void tls_material_forget_files(struct tls_material *material) {
    for (size_t i = 0; i < material->certificate_count; i++) {
        tls_file_forget(&material->certificates[i].certificate);
        tls_file_forget(&material->certificates[i].key);
    }
    tls_file_forget(&material->chain);
    tls_file_forget(&material->authorities);
}

struct tls_material *tls_material_ref(struct tls_material *material) {
    atomic_fetch_add_explicit(&material->references, 1, memory_order_relaxed);
    return material;
}

void tls_material_unref(struct tls_material **pointer) {
    struct tls_material *material = *pointer;
    *pointer = NULL;
    if (material == NULL || atomic_fetch_sub_explicit(&material->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    material->certificate_count = TLS_CERTIFICATES_MAX; /* also those of a reading that failed */
    tls_material_forget_files(material);
    tls_staple_unref(&material->staple);
    tls_ticket_keys_free(&material->ticket_keys);
    free(material->key);
    free(material->requirements);
    free(material);
}
