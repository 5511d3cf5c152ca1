/* At most one line a second about one kind of event, and how many were left out in between. A value of the thread that
 * owns it; zeroed: nothing was logged yet. */
#ifndef WEIR_PROXY_LOG_BRAKE_H
#define WEIR_PROXY_LOG_BRAKE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proxy/clock.h"

struct log_brake {
    int64_t again_ns; /* monotonic: no line before */
    uint64_t left_out;
};

enum { LOG_BRAKE_TEXT = 48 };

/* True: log it, and end the line with `text`, which says how many were left out ("" for none). */
static inline bool log_brake_opens(struct log_brake *brake, int64_t now_ns, char text[LOG_BRAKE_TEXT]) {
    text[0] = '\0';
    if (now_ns < brake->again_ns) {
        brake->left_out++;
        return false;
    }
    if (brake->left_out > 0) {
        snprintf(text, LOG_BRAKE_TEXT, " (and %" PRIu64 " lines left out)", brake->left_out);
    }
    *brake = (struct log_brake){.again_ns = now_ns + NS_PER_SECOND};
    return true;
}

#endif
