/* RequestHeader and Header: changes to a list of fields as mod_headers makes them. A part of headers.c, apart because
 * it is a small language of its own. Memory from the exchange's arena; one worker. */
#ifndef WEIR_PROXY_HEADERS_CHANGE_H
#define WEIR_PROXY_HEADERS_CHANGE_H

#include "proxy/headers.h"

/* Makes the changes in order. only_always: only those that say so. What frames a message or belongs to the connection
 * (Content-Length, Transfer-Encoding, Connection …) cannot be changed; a value never holds a control character but tab,
 * and never grows beyond 32 KiB. */
void headers_change(struct field_list *fields, const struct header_context *context,
                    const struct header_change *changes, size_t count, bool only_always);

/* Whether the route's directives change answers that weir itself makes. */
bool headers_change_always(const struct route *route);

/* The value with Apache's format codes replaced: %% %t %D %{NAME}e %{NAME}s; "-" for what is not known. */
struct span headers_format(const struct header_context *context, const char *format);

#endif
