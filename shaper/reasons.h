/* Why a request was delayed, slowed, redirected or refused: the rows of reasons.def as numbers. Pure. */
#ifndef WEIR_SHAPER_REASONS_H
#define WEIR_SHAPER_REASONS_H

enum shaper_reason {
#define REASON(name, text, meaning) SHAPER_REASON_##name,
#include "shaper/reasons.def"
#undef REASON
    SHAPER_REASONS
};

const char *shaper_reason_text(enum shaper_reason reason); /* "host-rate": for logs and labels */
const char *shaper_reason_meaning(enum shaper_reason reason);

#endif
