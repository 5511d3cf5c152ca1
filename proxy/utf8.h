/* UTF-8 (RFC 3629) as far as logs need it. Pure, any thread. */
#ifndef WEIR_PROXY_UTF8_H
#define WEIR_PROXY_UTF8_H

#include <stddef.h>

/* Bytes of the character that `text` begins with; 0 when it does not begin with a whole, valid one (over-long forms,
 * surrogates and what is beyond U+10FFFF are not) or when that is a control character (C0, DEL, C1). `left` > 0. */
size_t utf8_printable(const char *text, size_t left);

#endif
