/* Comma-separated values, as spreadsheets read them (RFC 4180). Pure but for the stream, any thread. */
#ifndef WEIR_CONFIG_CSV_H
#define WEIR_CONFIG_CSV_H

#include <stdio.h>

/* One field of a row, in quotes when it needs them. The separators are the caller's. Errors show on the stream. */
void csv_put_field(const char *text, FILE *out);

#endif
