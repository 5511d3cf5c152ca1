/* Numbers as people read them, and texts that are safe to print. Pure. */
#ifndef WEIR_CTL_UNITS_H
#define WEIR_CTL_UNITS_H

#include <stddef.h>
#include <stdint.h>

enum { UNIT_TEXT_MAX = 32 };

void unit_bytes(double bytes, char text[UNIT_TEXT_MAX]);            /* "512 B", "1.5 GiB" */
void unit_bits_per_s(double bytes_per_s, char text[UNIT_TEXT_MAX]); /* "800 bit/s", "1.5 Mbit/s": powers of 1000 */
void unit_per_s(double per_s, char text[UNIT_TEXT_MAX]);            /* "0", "0.3", "12.5", "1234" */
void unit_duration(int64_t seconds, char text[UNIT_TEXT_MAX]);      /* "12s", "3m 05s", "2h 03m", "3d 04h" */

/* Writes the text without what a terminal would obey or could not show: control characters and bytes that are not the
 * locale's become "?". Cut at `size`, at a character. Returns the columns it takes. */
size_t unit_printable(const char *text, char *printable, size_t size);

#endif
