/* What each CBand* line does to the configuration: the apply functions behind the rows of directives_cband.c.
 *
 * A line for traffic goes to the user inside <CBandUser> and to the host elsewhere, the main server being one. All run
 * on the thread that loads a configuration and report through the parser. */
#ifndef WEIR_CONFIG_CBAND_LINES_H
#define WEIR_CONFIG_CBAND_LINES_H

#include "config/directive.h"

/* Host and user. */
void cband_apply_limit(struct parser *parser, const struct directive_use *use);
void cband_apply_class_limit(struct parser *parser, const struct directive_use *use);
void cband_apply_period(struct parser *parser, const struct directive_use *use);
void cband_apply_slice(struct parser *parser, const struct directive_use *use);
void cband_apply_exceeded_url(struct parser *parser, const struct directive_use *use);
void cband_apply_exceeded_speed(struct parser *parser, const struct directive_use *use);
void cband_apply_scoreboard(struct parser *parser, const struct directive_use *use);
void cband_apply_speed(struct parser *parser, const struct directive_use *use);
void cband_apply_remote_speed(struct parser *parser, const struct directive_use *use);
void cband_apply_class_speed(struct parser *parser, const struct directive_use *use);

/* Host alone. */
void cband_apply_user(struct parser *parser, const struct directive_use *use);
void cband_apply_upload_speed(struct parser *parser, const struct directive_use *use);
void cband_apply_remote_limit(struct parser *parser, const struct directive_use *use);

/* Server and host. */
void cband_apply_max_delay(struct parser *parser, const struct directive_use *use);
void cband_apply_dry_run(struct parser *parser, const struct directive_use *use);

/* Server alone. */
void cband_apply_default_url(struct parser *parser, const struct directive_use *use);
void cband_apply_default_code(struct parser *parser, const struct directive_use *use);
void cband_apply_flush_period(struct parser *parser, const struct directive_use *use);
void cband_apply_random_pulse(struct parser *parser, const struct directive_use *use);
void cband_apply_ipv6_prefix(struct parser *parser, const struct directive_use *use);
void cband_apply_status_xml(struct parser *parser, const struct directive_use *use);

/* Sections and what stands in them. */
void cband_open_user(struct parser *parser, const struct directive_use *use);
void cband_open_class(struct parser *parser, const struct directive_use *use);
void cband_apply_class_dst(struct parser *parser, const struct directive_use *use);

#endif
