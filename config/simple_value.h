/* Numbers, sizes and durations as Apache's own directives take them. Pure. (CBand's units are in values.h.) */
#ifndef WEIR_CONFIG_SIMPLE_VALUE_H
#define WEIR_CONFIG_SIMPLE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/span.h"

/* A whole decimal number, the whole text. */
bool simple_unsigned(struct span text, uint64_t minimum, uint64_t maximum, uint64_t *number);
/* A whole number of default_unit_ns, or with ms, s, min or h. */
bool simple_duration(struct span text, int64_t default_unit_ns, int64_t *nanoseconds);
/* A whole number of bytes; K, M and G (powers of 1024) may follow. */
bool simple_size(struct span text, uint64_t *bytes);

#endif
