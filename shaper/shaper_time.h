/* The moment at which something is decided, as the caller's clocks show it. The monotonic one measures, the wall clock
 * is what people and files see; shaper/ itself looks at no clock. */
#ifndef WEIR_SHAPER_SHAPER_TIME_H
#define WEIR_SHAPER_SHAPER_TIME_H

#include <stdint.h>

struct shaper_time {
    int64_t mono_ns; /* monotonic */
    int64_t wall_s;  /* since the epoch */
};

#endif
