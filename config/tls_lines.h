/* What each SSL* line does to the configuration: the apply functions behind the rows of directives_tls.c.
 *
 * A line whose name begins with SSLProxy goes to the host's TLS towards its origin, every other to its TLS towards
 * clients. All run on the thread that loads a configuration and report through the parser. */
#ifndef WEIR_CONFIG_TLS_LINES_H
#define WEIR_CONFIG_TLS_LINES_H

#include "config/directive.h"

/* Every row that is On or Off, and every row that names one file or directory. */
void tls_apply_switch(struct parser *parser, const struct directive_use *use);
void tls_apply_file(struct parser *parser, const struct directive_use *use);

void tls_apply_certificate(struct parser *parser, const struct directive_use *use);
void tls_apply_key(struct parser *parser, const struct directive_use *use);
void tls_apply_protocol(struct parser *parser, const struct directive_use *use);
void tls_apply_ciphers(struct parser *parser, const struct directive_use *use);
void tls_apply_verify(struct parser *parser, const struct directive_use *use);
void tls_apply_depth(struct parser *parser, const struct directive_use *use);

#endif
