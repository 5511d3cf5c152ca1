/* What each DOS* line does to the configuration: the apply functions behind the rows of directives_dos.c.
 *
 * A line goes to the host, the main server being one; what holds for the whole server goes there from anywhere. All run
 * on the thread that loads a configuration and report through the parser. */
#ifndef WEIR_CONFIG_DOS_LINES_H
#define WEIR_CONFIG_DOS_LINES_H

#include "config/directive.h"

/* Every row whose value is a number: counts, intervals, the blocking period. */
void dos_apply_number(struct parser *parser, const struct directive_use *use);

void dos_apply_enabled(struct parser *parser, const struct directive_use *use);
void dos_apply_log_only(struct parser *parser, const struct directive_use *use);
void dos_apply_status(struct parser *parser, const struct directive_use *use);
void dos_apply_action(struct parser *parser, const struct directive_use *use);
void dos_apply_whitelist(struct parser *parser, const struct directive_use *use);
void dos_apply_whitelist_uri(struct parser *parser, const struct directive_use *use);
void dos_apply_targetlist_uri(struct parser *parser, const struct directive_use *use);
void dos_apply_blocklist_uri(struct parser *parser, const struct directive_use *use);
void dos_apply_email(struct parser *parser, const struct directive_use *use);
void dos_apply_mail_command(struct parser *parser, const struct directive_use *use);
void dos_apply_system_command(struct parser *parser, const struct directive_use *use);
void dos_apply_log_dir(struct parser *parser, const struct directive_use *use);

/* For the whole server. */
void dos_apply_server_number(struct parser *parser, const struct directive_use *use);
void dos_apply_firewall(struct parser *parser, const struct directive_use *use);

#endif
