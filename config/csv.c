/* Comma-separated values. Called by weirctl's tables and by the usage reports of the control socket.
 * Always true: whatever a text holds, it stays one field of one row. */
#include "config/csv.h"

#include <string.h>

void csv_put_field(const char *text, FILE *out) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            fputc('"', out);
        }
        fputc(*text, out);
    }
    fputc('"', out);
}
