/* The counters in one line of text. Called by the housekeeping thread. */
#include "stats/summary.h"

#include <inttypes.h>
#include <stdbool.h>

/* The first unit that is not zero, and all below it. */
static void print_uptime(int64_t uptime_ns, FILE *out) {
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t left = uptime_ns > 0 ? uptime_ns / INT64_C(1000000000) : 0;
    bool begun = false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        int64_t count = left / units[i].seconds;
        left %= units[i].seconds;
        if (begun || count > 0 || units[i].seconds == 1) {
            fprintf(out, "%s%" PRId64 " %s", begun ? " " : "", count, units[i].name);
            begun = true;
        }
    }
}

void stats_summary(const struct counters_snapshot *snapshot, int64_t uptime_ns, FILE *out) {
    fputs("up ", out);
    print_uptime(uptime_ns, out);
    const char *separator = ": ";
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        if (snapshot->value[i] != 0) {
            fprintf(out, "%s%s %" PRIu64, separator, counter_rows[i].name, snapshot->value[i]);
            separator = ", ";
        }
    }
    if (separator[0] == ':') {
        fputs(": nothing counted", out);
    }
}
