/* The counters as Prometheus text. The format: prometheus.io, "Exposition formats", text format 0.0.4. */
#include "stats/prometheus.h"

#include <inttypes.h>

/* In help, a backslash and a line feed are escaped. */
static void print_help(const char *text, FILE *out) {
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            fputs("\\\\", out);
        } else if (*text == '\n') {
            fputs("\\n", out);
        } else {
            fputc(*text, out);
        }
    }
}

void stats_prometheus(const struct counters_snapshot *snapshot, FILE *out) {
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = &counter_rows[i];
        fprintf(out, "# HELP weir_%s ", row->name);
        print_help(row->help, out);
        fprintf(out, "\n# TYPE weir_%s %s\n", row->name, row->type == COUNTER_TYPE_GAUGE ? "gauge" : "counter");
        fprintf(out, "weir_%s %" PRIu64 "\n", row->name, snapshot->value[i]);
    }
}
