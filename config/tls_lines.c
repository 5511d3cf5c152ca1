/* The SSL* lines: each function checks one line's values and writes them into the host's TLS settings.
 *
 * Called by the parser through the rows of directives_tls.c while a configuration is loaded. Files are only looked for
 * here; they are read, and ciphers understood, by those who set up TLS. */
#include "config/tls_lines.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "config/value_words.h"

/* ---- rows that need no more than a table ------------------------------------------------------------ */

struct field_row {
    const char *name;
    uint32_t said;
    bool client;   /* of struct tls_client, else of struct tls_server */
    size_t offset; /* of a bool, or of a const char * */
};

static const struct field_row switches[] = {
    {"SSLEngine", TLS_SAID_ENGINE, false, offsetof(struct tls_server, engine)},
    {"SSLHonorCipherOrder", TLS_SAID_CIPHER_ORDER, false, offsetof(struct tls_server, honor_cipher_order)},
    {"SSLUseStapling", TLS_SAID_USE_STAPLING, false, offsetof(struct tls_server, use_stapling)},
    {"SSLSessionTickets", TLS_SAID_TICKETS, false, offsetof(struct tls_server, session_tickets)},
    {"SSLProxyEngine", TLS_SAID_ENGINE, true, offsetof(struct tls_client, engine)},
    {"SSLProxyCheckPeerName", TLS_SAID_CHECK_NAME, true, offsetof(struct tls_client, check_peer_name)},
};

static const struct field_row files[] = {
    {"SSLCertificateChainFile", TLS_SAID_CHAIN, false, offsetof(struct tls_server, chain_file)},
    {"SSLStaplingFile", TLS_SAID_STAPLING_FILE, false, offsetof(struct tls_server, stapling_file)},
    {"SSLSessionTicketKeyFile", TLS_SAID_TICKET_KEY, false, offsetof(struct tls_server, ticket_key_file)},
    {"SSLCACertificateFile", TLS_SAID_CA_FILE, false, offsetof(struct tls_server, ca_file)},
    {"SSLCACertificatePath", TLS_SAID_CA_PATH, false, offsetof(struct tls_server, ca_path)},
    {"SSLProxyCACertificateFile", TLS_SAID_CA_FILE, true, offsetof(struct tls_client, ca_file)},
    {"SSLProxyCACertificatePath", TLS_SAID_CA_PATH, true, offsetof(struct tls_client, ca_path)},
    {"SSLProxyMachineCertificateFile", TLS_SAID_CERTIFICATE, true,
     offsetof(struct tls_client, machine_certificate_file)},
};

static const struct field_row *field_row(const struct field_row *rows, size_t count, const char *name) {
    size_t i = 0;
    while (i < count && strcmp(rows[i].name, name) != 0) {
        i++;
    }
    assert(i < count); /* every row of the table with a switch or a file stands above */
    return &rows[i];
}

static bool to_origin(const struct directive_use *use) {
    return strncmp(use->directive->name, "SSLProxy", strlen("SSLProxy")) == 0;
}

/* The place of a field, once it is noted that its line was there. */
static char *field_place(struct parser *parser, const struct field_row *row) {
    struct virtual_host *host = parser_scope(parser)->host;
    mark_said(parser, row->client ? &host->tls_proxy.said : &host->tls.said, row->said);
    return (row->client ? (char *)&host->tls_proxy : (char *)&host->tls) + row->offset;
}

void tls_apply_switch(struct parser *parser, const struct directive_use *use) {
    const struct field_row *row = field_row(switches, sizeof switches / sizeof *switches, use->directive->name);
    const struct word *word = &use->arguments[0];
    char *place = field_place(parser, row);
    if (row->said == TLS_SAID_ENGINE && !row->client) {
        parser_scope(parser)->host->tls.engine_place = use->name.place;
    }
    if (strcasecmp(word->text, "optional") == 0) {
        parser_error_at(parser, word, "write On, and plain HTTP in a host of its own",
                        "changing to TLS in the middle of a connection (RFC 2817) is not offered");
        return;
    }
    bool on;
    if (word_on_off(parser, word, &on)) {
        memcpy(place, &on, sizeof on);
    }
}

/* The absolute path of a file that exists; NULL after an error. */
static const char *named_file(struct parser *parser, const struct word *word) {
    if (word->length == 0) {
        parser_error_at(parser, word, "write the path of a file, or leave the line out", "the path is empty");
        return NULL;
    }
    const char *path = parser_path(parser, word->text);
    if (parser_check_files(parser) && access(path, R_OK) != 0) {
        parser_error_at(parser, word, "a relative path begins in the folder of the main file", "cannot read %s: %s",
                        path, strerror(errno));
        return NULL;
    }
    return path;
}

void tls_apply_file(struct parser *parser, const struct directive_use *use) {
    const struct field_row *row = field_row(files, sizeof files / sizeof *files, use->directive->name);
    char *place = field_place(parser, row);
    const char *path = named_file(parser, &use->arguments[0]);
    if (path != NULL) {
        memcpy(place, &path, sizeof path);
    }
}

/* ---- certificates ------------------------------------------------------------ */

enum { CERTIFICATES_MAX = 8 };

/* A copy of the list that holds this rank: keys and certificates pair up by rank, and either may come first. */
static struct tls_certificate *certificates_with(struct parser *parser, const struct tls_server *tls, size_t rank) {
    size_t old = tls->certificate_count > tls->key_count ? tls->certificate_count : tls->key_count;
    struct tls_certificate *list = arena_alloc(parser_arena(parser), (rank < old ? old : rank + 1) * sizeof *list);
    if (old > 0) {
        memcpy(list, tls->certificates, old * sizeof *list);
    }
    return list;
}

static bool too_many(struct parser *parser, size_t count) {
    if (count == CERTIFICATES_MAX) {
        parser_error_at(parser, NULL, "one for each kind of key is enough: RSA, ECDSA, Ed25519",
                        "a host has at most %d of them", CERTIFICATES_MAX);
    }
    return count == CERTIFICATES_MAX;
}

void tls_apply_certificate(struct parser *parser, const struct directive_use *use) {
    struct tls_server *tls = &parser_scope(parser)->host->tls;
    tls->said |= TLS_SAID_CERTIFICATE;
    const char *path = named_file(parser, &use->arguments[0]);
    size_t rank = tls->certificate_count;
    if (path == NULL || too_many(parser, rank)) {
        return;
    }
    struct tls_certificate *list = certificates_with(parser, tls, rank);
    list[rank].certificate_file = path;
    list[rank].place = use->name.place;
    tls->certificates = list;
    tls->certificate_count = rank + 1;
}

void tls_apply_key(struct parser *parser, const struct directive_use *use) {
    struct tls_server *tls = &parser_scope(parser)->host->tls;
    tls->said |= TLS_SAID_KEY;
    const char *path = named_file(parser, &use->arguments[0]);
    size_t rank = tls->key_count;
    if (path == NULL || too_many(parser, rank)) {
        return;
    }
    struct tls_certificate *list = certificates_with(parser, tls, rank);
    list[rank].key_file = path;
    tls->certificates = list;
    tls->key_count = rank + 1;
}

/* ---- protocols ------------------------------------------------------------ */

struct protocol_name {
    const char *name;
    uint32_t bits; /* 0: too old to be offered */
};

static const struct protocol_name protocol_names[] = {
    {"all", TLS_PROTOCOL_ALL},
    {"TLSv1.2", TLS_PROTOCOL_1_2},
    {"TLSv1.3", TLS_PROTOCOL_1_3},
    {"SSLv2", 0},
    {"SSLv3", 0},
    {"TLSv1", 0},
    {"TLSv1.0", 0},
    {"TLSv1.1", 0},
};

static const char protocol_hint[] = "write TLSv1.2, TLSv1.3 or all, with + or - to add or remove, "
                                    "e.g. \"all -TLSv1.2\"";

static const struct protocol_name *find_protocol(const char *name) {
    for (size_t i = 0; i < sizeof protocol_names / sizeof *protocol_names; i++) {
        if (strcasecmp(protocol_names[i].name, name) == 0) {
            return &protocol_names[i];
        }
    }
    return NULL;
}

/* As Apache reads it: a word without a sign begins again with that protocol alone. */
static uint32_t protocol_step(struct parser *parser, const struct word *word, bool first, uint32_t protocols) {
    char sign = word->text[0];
    bool is_signed = sign == '+' || sign == '-';
    const struct protocol_name *protocol = find_protocol(word->text + (is_signed ? 1 : 0));
    if (protocol == NULL) {
        parser_error_at(parser, word, protocol_hint, "\"%s\" is not a protocol known here", word->text);
        return protocols;
    }
    if (sign == '-') {
        return protocols & ~protocol->bits;
    }
    if (protocol->bits == 0) {
        parser_warn_at(parser, word, "leave it out: TLS 1.2 and 1.3 are offered, which all clients of today speak",
                       "\"%s\" has no effect: versions before TLS 1.2 are broken (RFC 8996) and never offered",
                       word->text);
    }
    if (!is_signed && !first) {
        parser_warn_at(parser, word, "put + before it to add it to the others",
                       "\"%s\" without a sign discards what stands before it", word->text);
    }
    return sign == '+' ? protocols | protocol->bits : protocol->bits;
}

void tls_apply_protocol(struct parser *parser, const struct directive_use *use) {
    struct virtual_host *host = parser_scope(parser)->host;
    bool client = to_origin(use);
    uint32_t protocols = 0;
    for (size_t i = 0; i < use->argument_count; i++) {
        protocols = protocol_step(parser, &use->arguments[i], i == 0, protocols);
    }
    if (protocols == 0) {
        parser_error_at(parser, NULL, protocol_hint, "no version of TLS is left that could be offered");
        return;
    }
    mark_said(parser, client ? &host->tls_proxy.said : &host->tls.said, TLS_SAID_PROTOCOL);
    *(client ? &host->tls_proxy.protocols : &host->tls.protocols) = protocols;
}

/* ---- ciphers, verification ------------------------------------------------------------ */

void tls_apply_ciphers(struct parser *parser, const struct directive_use *use) {
    struct virtual_host *host = parser_scope(parser)->host;
    const struct word *ciphers = &use->arguments[use->argument_count - 1];
    bool suites = false;
    if (use->argument_count == 2) {
        suites = strcasecmp(use->arguments[0].text, "TLSv1.3") == 0;
        if (!suites && strcasecmp(use->arguments[0].text, "SSL") != 0) {
            parser_error_at(parser, &use->arguments[0], "write TLSv1.3 for its ciphers, nothing or SSL for the others",
                            "\"%s\" is not a protocol that has a list of its own", use->arguments[0].text);
            return;
        }
    }
    bool good = ciphers->length > 0;
    for (size_t i = 0; i < ciphers->length; i++) {
        unsigned char c = (unsigned char)ciphers->text[i];
        good = good && c > ' ' && c < 0x7f;
    }
    if (!good) {
        parser_error_at(parser, ciphers, "write names as \"openssl ciphers\" prints them, with : between",
                        "\"%s\" is not a list of ciphers", ciphers->text);
        return;
    }
    bool client = to_origin(use);
    mark_said(parser, client ? &host->tls_proxy.said : &host->tls.said,
              suites ? TLS_SAID_CIPHERSUITES : TLS_SAID_CIPHERS);
    const char **server_list = suites ? &host->tls.ciphersuites : &host->tls.ciphers;
    const char **client_list = suites ? &host->tls_proxy.ciphersuites : &host->tls_proxy.ciphers;
    *(client ? client_list : server_list) = arena_strdup(parser_arena(parser), ciphers->text);
}

void tls_apply_verify(struct parser *parser, const struct directive_use *use) {
    static const struct choice choices[] = {
        {"none", TLS_VERIFY_NONE},
        {"optional", TLS_VERIFY_OPTIONAL},
        {"require", TLS_VERIFY_REQUIRE},
        {NULL, 0},
    };
    struct virtual_host *host = parser_scope(parser)->host;
    const struct word *word = &use->arguments[0];
    bool client = to_origin(use);
    mark_said(parser, client ? &host->tls_proxy.said : &host->tls.said, TLS_SAID_VERIFY);
    if (strcasecmp(word->text, "optional_no_ca") == 0) {
        parser_error_at(parser, word, "write optional with the right authorities, or none",
                        "a certificate that nobody checks proves nothing");
        return;
    }
    unsigned verify;
    if (!word_choice(parser, word, choices, &verify)) {
        return;
    }
    if (client) {
        host->tls_proxy.verify = (enum tls_verify)verify;
    } else {
        host->tls.verify = (enum tls_verify)verify;
        host->tls.verify_place = use->name.place;
    }
}

void tls_apply_depth(struct parser *parser, const struct directive_use *use) {
    struct virtual_host *host = parser_scope(parser)->host;
    bool client = to_origin(use);
    uint32_t depth;
    mark_said(parser, client ? &host->tls_proxy.said : &host->tls.said, TLS_SAID_VERIFY_DEPTH);
    if (word_whole(parser, &use->arguments[0], 0, 100, &depth)) {
        *(client ? &host->tls_proxy.verify_depth : &host->tls.verify_depth) = depth;
    }
}
