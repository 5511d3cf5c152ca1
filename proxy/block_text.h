/* The texts of a block's notification: mail, command, file name. Pure, any thread.
 *
 * What a client sent must not be able to become part of a command, a file name or a header field: the address comes
 * from a struct, all else that stands in a header or a command from the configuration. */
#ifndef WEIR_PROXY_BLOCK_TEXT_H
#define WEIR_PROXY_BLOCK_TEXT_H

#include "proxy/block_notifier.h"

enum {
    BLOCK_PRINTABLE_MAX = 256,                    /* bytes of a host or reason in a mail; what is longer is cut */
    BLOCK_NAME_MAX = sizeof "dos-" + IP_TEXT_MAX, /* bytes, with the zero */
    BLOCKED_TEXT_MAX = IP_TEXT_MAX + 4,
};

/* The mail for DOSMailCommand, with line feeds as a sendmail wants them; malloc'ed. event->email must not be NULL.
 * NULL: event->email has a character that no address in a header may have (the configuration refuses those, too). */
char *block_text_mail(const struct block_event *event);

/* DOSSystemCommand with %s replaced by the client's numeric address and %% by %; malloc'ed. A % with anything else
 * behind it stays as it is; the configuration refuses it. */
char *block_text_command(const char *command, const struct ip_address *client);

/* "dos-192.0.2.7", "dos-2001:db8::" (the first address of an IPv6 prefix: a slash has no place in a name). */
void block_text_file_name(const struct ip_prefix *blocked, char name[BLOCK_NAME_MAX]);
/* Whether a name is one that block_text_file_name() writes. */
bool block_text_is_file_name(const char *name);

/* "192.0.2.7", "2001:db8:0:1::/64": as people and nftables read what is blocked. */
void block_text_blocked(const struct ip_prefix *blocked, char text[BLOCKED_TEXT_MAX]);

#endif
