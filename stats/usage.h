/* A usage report as a document: a table for people, CSV and JSON for programs. Pure, any thread. */
#ifndef WEIR_STATS_USAGE_H
#define WEIR_STATS_USAGE_H

#include <stdio.h>

#include "shaper/usage_report.h"

/* Columns with units; sizes as "1.5 GiB". */
void usage_table(const struct usage_question *question, const struct usage_report *report, FILE *out);
/* RFC 4180: kind,name,begin,end,bytes_out,bytes_in,requests; times as in RFC 3339. A line feed ends a line, alone. */
void usage_csv(const struct usage_report *report, FILE *out);
/* {"from": …, "to": …, "by": "total", "rows": [{"kind": …}]}; times in seconds since the epoch. */
void usage_json(const struct usage_question *question, const struct usage_report *report, FILE *out);

/* "total", "month", "day", "hour"; NULL after the last. */
const char *usage_step_word(enum usage_step step);

#endif
