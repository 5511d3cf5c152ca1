/* The rows of Apache's SSL* directives that weir has. What the lines do is in tls_lines.c.
 *
 * Read by directive.c and the parser; constant. A host takes from the server, value by value, what it does not say. */
#include "config/tls_lines.h"

/* name, most arguments, apply function; then what the reference says: arguments, default, help */
#define LINE(name_, most_, apply_, syntax_, default_, help_)                                                           \
    {                                                                                                                  \
        .name = (name_), .contexts = CONTEXT_SERVER | CONTEXT_HOST, .minimum_arguments = 1,                            \
        .maximum_arguments = (most_), .unsaid = true, .apply = (apply_), .syntax = (syntax_),                          \
        .default_text = (default_), .help = (help_)                                                                    \
    }

#define REPEATED(name_, apply_, help_)                                                                                 \
    {                                                                                                                  \
        .name = (name_), .contexts = CONTEXT_SERVER | CONTEXT_HOST, .minimum_arguments = 1, .maximum_arguments = 1,    \
        .unsaid = true, .repeated = true, .apply = (apply_), .syntax = "file", .help = (help_)                         \
    }

const struct directive directives_tls[] = {
    /* to the client */
    LINE("SSLEngine", 1, tls_apply_switch, "On|Off", "Off", "Whether the host is served over TLS"),
    REPEATED("SSLCertificateFile", tls_apply_certificate,
             "The host's certificate in PEM with what leads to its authority; once more for another kind of key"),
    REPEATED("SSLCertificateKeyFile", tls_apply_key,
             "The key of the certificate of the same rank; without it the key stands in the certificate's file"),
    LINE("SSLCertificateChainFile", 1, tls_apply_file, "file", NULL,
         "The certificates between the host's and its authority, where they are not in SSLCertificateFile"),
    LINE("SSLProtocol", MANY_ARGUMENTS, tls_apply_protocol, "[+|-]protocol…", "all -SSLv3 -TLSv1 -TLSv1.1",
         "Versions of TLS that are offered: TLSv1.2, TLSv1.3, all"),
    LINE("SSLCipherSuite", 2, tls_apply_ciphers, "[SSL|TLSv1.3] ciphers", "(Mozilla's intermediate)",
         "Ciphers up to TLS 1.2, or with TLSv1.3 in front those of TLS 1.3, as OpenSSL writes them"),
    LINE("SSLHonorCipherOrder", 1, tls_apply_switch, "On|Off", "Off",
         "Takes the first cipher of the server's list that the client has, not the client's first"),
    LINE("SSLUseStapling", 1, tls_apply_switch, "On|Off", "Off",
         "Sends the OCSP answer of SSLStaplingFile along with the certificate"),
    LINE("SSLStaplingFile", 1, tls_apply_file, "file", NULL, "An OCSP answer in DER, read again when it changes"),
    LINE("SSLSessionTickets", 1, tls_apply_switch, "On|Off", "On",
         "Lets clients resume a session by a ticket that only this server can read"),
    LINE("SSLSessionTicketKeyFile", 1, tls_apply_file, "file", "(random keys)",
         "48 random bytes that make the keys of tickets, to share them between servers"),
    LINE("SSLVerifyClient", 1, tls_apply_verify, "none|optional|require", "none",
         "Whether clients have to show a certificate"),
    LINE("SSLVerifyDepth", 1, tls_apply_depth, "number", "1",
         "Certificates that may stand between a client's and a trusted authority's"),
    LINE("SSLCACertificateFile", 1, tls_apply_file, "file", NULL, "The authorities of client certificates, in PEM"),
    LINE("SSLCACertificatePath", 1, tls_apply_file, "directory", NULL,
         "The authorities of client certificates, one a file, named by their hash"),

    /* to the origin */
    LINE("SSLProxyEngine", 1, tls_apply_switch, "On|Off", "Off", "Whether https:// URLs of origins may be used"),
    LINE("SSLProxyProtocol", MANY_ARGUMENTS, tls_apply_protocol, "[+|-]protocol…", "all -SSLv3 -TLSv1 -TLSv1.1",
         "Versions of TLS that are offered to the origin"),
    LINE("SSLProxyCipherSuite", 2, tls_apply_ciphers, "[SSL|TLSv1.3] ciphers", "(OpenSSL's)",
         "Ciphers that are offered to the origin"),
    LINE("SSLProxyVerify", 1, tls_apply_verify, "none|optional|require", "require",
         "Whether the origin's certificate has to be valid"),
    LINE("SSLProxyVerifyDepth", 1, tls_apply_depth, "number", "9",
         "Certificates that may stand between the origin's and a trusted authority's"),
    LINE("SSLProxyCheckPeerName", 1, tls_apply_switch, "On|Off", "On",
         "Whether the origin's certificate has to name the host of the ProxyPass URL"),
    LINE("SSLProxyCACertificateFile", 1, tls_apply_file, "file", "(the system's authorities)",
         "The authorities of origins' certificates, in PEM"),
    LINE("SSLProxyCACertificatePath", 1, tls_apply_file, "directory", NULL,
         "The authorities of origins' certificates, one a file, named by their hash"),
    LINE("SSLProxyMachineCertificateFile", 1, tls_apply_file, "file", NULL,
         "The certificate and key that are shown to an origin that asks for one, in PEM"),
};

const size_t directives_tls_count = sizeof directives_tls / sizeof *directives_tls;
